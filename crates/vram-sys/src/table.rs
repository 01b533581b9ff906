//! One table of function pointers, and the names of what is in it.

use core::ffi::CStr;

use crate::CUresult;

macro_rules! define_table {
    (
        required { $(fn $required:ident($($r_name:ident: $r_type:ty),*);)* }
        optional { $(since $since:literal fn $optional:ident($($o_name:ident: $o_type:ty),*);)* }
    ) => {
        /// The driver's functions, each under its exported name.
        ///
        /// A field's documentation is NVIDIA's of the function of that name. A table says nothing of
        /// who filled it: that is [`Driver::origin`](crate::Driver::origin).
        #[derive(Clone, Copy, Debug)]
        #[expect(non_snake_case, reason = "the names are the driver's own")]
        pub struct Table {
            $(
                #[doc = concat!("`", stringify!($required), "`: in every supported driver.")]
                pub $required: unsafe extern "C" fn($($r_name: $r_type),*) -> CUresult,
            )*
            $(
                #[doc = concat!("`", stringify!($optional), "`: in drivers of CUDA ", stringify!($since), " and later.")]
                pub $optional: Option<unsafe extern "C" fn($($o_name: $o_type),*) -> CUresult>,
            )*
        }

        impl Table {
            /// Fills a table from exported symbols.
            ///
            /// # Errors
            ///
            /// The name of the first required function that `find` doesn't have.
            ///
            /// # Safety
            ///
            /// Each pointer that `find` returns is the driver function of the name it was asked for,
            /// with the signature of CUDA's header, and stays callable as long as the table is used.
            pub(crate) unsafe fn resolve(
                mut find: impl FnMut(&'static CStr) -> Option<*const ()>,
            ) -> Result<Self, &'static str> {
                Ok(Self {
                    $($required: {
                        let found = find(Function::$required.symbol())
                            .ok_or(Function::$required.name())?;
                        // SAFETY: `find` returned the function of this name (this function's
                        // contract), so this is its type; function pointers have a data pointer's size.
                        unsafe {
                            core::mem::transmute::<
                                *const (),
                                unsafe extern "C" fn($($r_name: $r_type),*) -> CUresult,
                            >(found)
                        }
                    },)*
                    $($optional: find(Function::$optional.symbol()).map(|found| {
                        // SAFETY: as above.
                        unsafe {
                            core::mem::transmute::<
                                *const (),
                                unsafe extern "C" fn($($o_name: $o_type),*) -> CUresult,
                            >(found)
                        }
                    }),)*
                })
            }
        }

        /// A driver function's name: what an error names, and what a fault is injected into.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(non_camel_case_types, reason = "the names are the driver's own")]
        #[non_exhaustive]
        pub enum Function {
            $(#[doc = concat!("`", stringify!($required), "`")] $required,)*
            $(#[doc = concat!("`", stringify!($optional), "`")] $optional,)*
        }

        impl Function {
            /// Every function of the table, in the table's order.
            pub const ALL: &'static [Self] = &[$(Self::$required,)* $(Self::$optional,)*];

            /// The exported name, as in `cuMemMap`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$required => stringify!($required),)*
                    $(Self::$optional => stringify!($optional),)*
                }
            }

            /// The exported name, as the dynamic linker wants it.
            pub(crate) const fn symbol(self) -> &'static CStr {
                const fn c_str(bytes: &'static [u8]) -> &'static CStr {
                    match CStr::from_bytes_with_nul(bytes) {
                        Ok(name) => name,
                        Err(_) => c"",
                    }
                }
                match self {
                    $(Self::$required => c_str(concat!(stringify!($required), "\0").as_bytes()),)*
                    $(Self::$optional => c_str(concat!(stringify!($optional), "\0").as_bytes()),)*
                }
            }

            /// The CUDA version that brought an optional function, as 1000 × major + 10 × minor;
            /// `None` for those that every supported driver has.
            #[must_use]
            pub const fn since(self) -> Option<u32> {
                match self {
                    $(Self::$required => None,)*
                    $(Self::$optional => Some($since),)*
                }
            }
        }
    };
}

crate::driver_functions!(define_table);

impl core::fmt::Display for Function {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn stand_in() -> CUresult {
        CUresult::CUDA_SUCCESS
    }

    #[test]
    fn a_missing_required_function_is_named() {
        // SAFETY: the table is not called.
        let result = unsafe {
            Table::resolve(|name| (name != c"cuMemMap").then_some(stand_in as *const ()))
        };

        assert_eq!(result.unwrap_err(), "cuMemMap");
    }

    #[test]
    fn a_missing_optional_function_is_none() {
        // SAFETY: the table is not called.
        let table = unsafe {
            Table::resolve(|name| (name != c"cuFuncLoad").then_some(stand_in as *const ()))
        };

        assert!(table.unwrap().cuFuncLoad.is_none());
    }

    #[test]
    fn names_are_exported_symbols() {
        for function in Function::ALL {
            assert!(function.name().starts_with("cu"), "{function}");
            assert_eq!(function.symbol().to_str().unwrap(), function.name());
        }
    }

    #[test]
    fn only_optional_functions_have_a_version() {
        assert_eq!(Function::cuMemMap.since(), None);
        assert_eq!(Function::cuFuncLoad.since(), Some(12_040));
    }
}
