//! Finding `libcuda` at run time.

use libloading::Library;

use crate::{CUresult, Driver, Table};

/// The driver library's names, in the order they are tried.
const NAMES: &[&str] = if cfg!(windows) {
    &["nvcuda.dll"]
} else {
    &["libcuda.so.1", "libcuda.so"]
};

/// Why there is no GPU to talk to. The cases differ in what the operator does next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The machine has no NVIDIA driver, or the linker doesn't find it.
    #[error(
        "no NVIDIA driver: {} could not be loaded ({reason}). Install the driver, R525 or later; in a \
         container, pass the GPU in",
        tried.join(" nor ")
    )]
    LibraryNotFound {
        /// The file names tried.
        tried: Vec<String>,
        /// What the linker said of the first.
        reason: String,
    },
    /// The driver is older than the oldest supported one, or it isn't NVIDIA's.
    #[error(
        "{library} has no function {symbol}: the driver is older than R525 (CUDA 12.0), or it is a \
         stub. Update the driver"
    )]
    SymbolMissing {
        /// The library that was loaded.
        library: String,
        /// The first function missing.
        symbol: &'static str,
    },
    /// The driver works and has no device to offer.
    #[error(
        "the NVIDIA driver is installed and reports no device (cuInit: {code}). Check nvidia-smi, the \
         container's devices, and CUDA_VISIBLE_DEVICES"
    )]
    NoDevice {
        /// `cuInit`'s answer: `CUDA_ERROR_NO_DEVICE`, 100.
        code: u32,
    },
    /// The driver could not start for another reason.
    #[error(
        "the NVIDIA driver did not start (cuInit: {code}). Look for the kernel module and for Xid \
         messages in the kernel log"
    )]
    InitFailed {
        /// `cuInit`'s answer, a `CUresult`.
        code: u32,
    },
}

impl Driver {
    /// Loads NVIDIA's driver library and initialises it (`cuInit`).
    ///
    /// The library stays loaded until the process ends: unloading libcuda is not supported by the
    /// driver once it has been initialised.
    ///
    /// # Errors
    ///
    /// [`LoadError`] tells no library, a library without a needed function, and a driver without a
    /// device from each other.
    pub fn load() -> Result<Self, LoadError> {
        Self::load_from(NAMES)
    }

    fn load_from(names: &[&str]) -> Result<Self, LoadError> {
        let (name, library) = open(names)?;
        // Leaked on purpose: see above.
        let library: &'static Library = Box::leak(Box::new(library));
        let find = |symbol: &'static core::ffi::CStr| {
            // SAFETY: the symbol is only read as an address here; its type is given where it is used.
            let found = unsafe { library.get::<*const ()>(symbol) };
            found.ok().map(|symbol| *symbol)
        };
        // SAFETY: `find` looks the name up in the driver library, which exports it with the
        // signature of NVIDIA's header, and the library is never unloaded.
        let table = unsafe { Table::resolve(find) }.map_err(|symbol| LoadError::SymbolMissing {
            library: name.to_owned(),
            symbol,
        })?;
        // SAFETY: cuInit takes no pointer; its flags must be zero.
        let result = unsafe { (table.cuInit)(0) };
        initialised(result)?;
        Ok(Self::libcuda(table))
    }
}

fn open<'a>(names: &[&'a str]) -> Result<(&'a str, Library), LoadError> {
    let mut reason = None;
    for &name in names {
        // SAFETY: loading NVIDIA's driver runs its initialisers, which have no preconditions. Who
        // may place a library of this name on the search path may run code in this process anyway.
        match unsafe { Library::new(name) } {
            Ok(library) => return Ok((name, library)),
            Err(error) => {
                reason.get_or_insert_with(|| explained(&error));
            }
        }
    }
    Err(LoadError::LibraryNotFound {
        tried: names.iter().map(|&name| name.to_owned()).collect(),
        reason: reason.unwrap_or_default(),
    })
}

/// The error with what lies behind it: the linker's own words.
fn explained(error: &libloading::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Tells the driver's three answers apart.
fn initialised(result: CUresult) -> Result<(), LoadError> {
    match result {
        CUresult::CUDA_SUCCESS => Ok(()),
        CUresult::CUDA_ERROR_NO_DEVICE => Err(LoadError::NoDevice { code: result.0 }),
        other => Err(LoadError::InitFailed { code: other.0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: TS-1.4.
    #[test]
    fn no_library_is_told_with_the_names_tried() {
        let error = Driver::load_from(&["libcuda-that-is-nowhere.so"]).unwrap_err();

        assert!(
            error.to_string().contains("libcuda-that-is-nowhere.so"),
            "{error}"
        );
        let LoadError::LibraryNotFound { tried, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(tried, ["libcuda-that-is-nowhere.so"]);
    }

    /// Covers: TS-1.4.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_library_that_is_not_the_driver_is_told_with_the_function_missing() {
        let error = Driver::load_from(&["libc.so.6"]).unwrap_err();

        let LoadError::SymbolMissing { library, symbol } = error else {
            panic!("{error:?}")
        };
        assert_eq!((library.as_str(), symbol), ("libc.so.6", "cuInit"));
    }

    /// A library that exports every function of the table; `cuInit` answers `code`.
    #[cfg(target_os = "linux")]
    fn stub_library(folder: &std::path::Path, code: u32) -> String {
        let source = folder.join("stub.c");
        let library = folder.join(format!("libcuda-stub-{code}.so"));
        let functions = crate::Function::ALL.iter().map(|function| {
            let answer = if *function == crate::Function::cuInit {
                code
            } else {
                0
            };
            format!("int {function}(void) {{ return {answer}; }}\n")
        });
        std::fs::write(&source, functions.collect::<String>()).unwrap();
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let status = std::process::Command::new(compiler)
            .args(["-shared", "-fPIC", "-w", "-o"])
            .args([&library, &source])
            .status()
            .unwrap();
        assert!(status.success());
        library.to_str().unwrap().to_owned()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_driver_without_a_device_is_told_apart_from_a_broken_one() {
        let folder = tempfile::tempdir().unwrap();
        let idle = stub_library(folder.path(), 100);
        let broken = stub_library(folder.path(), 803);
        let working = stub_library(folder.path(), 0);

        assert!(matches!(
            Driver::load_from(&[&idle]),
            Err(LoadError::NoDevice { code: 100 })
        ));
        assert!(matches!(
            Driver::load_from(&[&broken]),
            Err(LoadError::InitFailed { code: 803 })
        ));
        let driver = Driver::load_from(&[&working]).unwrap();
        assert_eq!(driver.origin(), crate::Origin::Libcuda);
    }
}
