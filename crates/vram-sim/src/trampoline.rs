//! The `extern "C"` functions that a table holds, once for each slot.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use vram_sys::{CUresult, Function, Table};

use crate::answer::Answer;
use crate::machine::{Computer, MACHINES};
use crate::slot::SLOTS;

/// Answers one driver call: finds the machine, lets its faults strike, and lets no panic out.
fn answer(slot: usize, function: Function, call: impl FnOnce(&Computer) -> Answer) -> CUresult {
    let Some(computer) = MACHINES.occupant(slot) else {
        return CUresult::CUDA_ERROR_DEINITIALIZED;
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        match computer.faults().on_call(function) {
            Some(code) => Err(code),
            None => call(&computer),
        }
    }));
    match outcome {
        Ok(Ok(())) => CUresult::CUDA_SUCCESS,
        Ok(Err(code)) => code,
        Err(panic) => {
            computer.remember_bug(format!("{function} panicked: {}", message(&*panic)));
            CUresult::CUDA_ERROR_UNKNOWN
        }
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

macro_rules! define_trampolines {
    (
        required { $(fn $required:ident($($r_name:ident: $r_type:ty),*);)* }
        optional { $(since $since:literal fn $optional:ident($($o_name:ident: $o_type:ty),*);)* }
    ) => {
        /// Each function with the slot as an argument: the part that needn't exist for every slot.
        #[expect(clippy::too_many_arguments, reason = "the parameters are the driver's")]
        mod with_slot {
            use super::{CUresult, Function, answer};
            use crate::entry;

            $(pub(super) unsafe fn $required(slot: usize, $($r_name: $r_type),*) -> CUresult {
                answer(slot, Function::$required, |computer| {
                    // SAFETY: the caller of the driver keeps this function's documented contract.
                    unsafe { entry::$required(computer, $($r_name),*) }
                })
            })*
            $(pub(super) unsafe fn $optional(slot: usize, $($o_name: $o_type),*) -> CUresult {
                answer(slot, Function::$optional, |computer| {
                    // SAFETY: as above.
                    unsafe { entry::$optional(computer, $($o_name),*) }
                })
            })*
        }

        /// Each function with the slot as a constant: what a table can point to.
        mod of_slot {
            use super::{CUresult, with_slot};

            $(pub(super) unsafe extern "C" fn $required<const SLOT: usize>($($r_name: $r_type),*) -> CUresult {
                // SAFETY: the caller of the driver keeps this function's documented contract.
                unsafe { with_slot::$required(SLOT, $($r_name),*) }
            })*
            $(pub(super) unsafe extern "C" fn $optional<const SLOT: usize>($($o_name: $o_type),*) -> CUresult {
                // SAFETY: as above.
                unsafe { with_slot::$optional(SLOT, $($o_name),*) }
            })*
        }

        /// The table of a slot's functions, as a driver of this version exports them.
        fn table_of_slot<const SLOT: usize>(version: u32) -> Table {
            Table {
                $($required: of_slot::$required::<SLOT>,)*
                $($optional: if version >= $since {
                    Some(of_slot::$optional::<SLOT>)
                } else {
                    None
                },)*
            }
        }
    };
}

vram_sys::driver_functions!(define_trampolines);

macro_rules! for_each_slot {
    ($($slot:literal)*) => {
        const TABLES: [fn(u32) -> Table; SLOTS] = [$(table_of_slot::<$slot>),*];
    };
}

for_each_slot! {
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
    32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
}

/// The table of a slot; none for a slot that doesn't exist.
pub(crate) fn table(slot: usize, version: u32) -> Option<Table> {
    TABLES.get(slot).map(|table| table(version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeviceModel, Machine};

    #[test]
    fn a_panic_becomes_an_unknown_error_and_is_remembered() {
        let machine = Machine::builder()
            .device(DeviceModel::small(2 << 20))
            .build()
            .unwrap();

        let code = answer(machine.slot(), Function::cuMemMap, |_| {
            panic!("lost its way")
        });

        assert_eq!(code, CUresult::CUDA_ERROR_UNKNOWN);
        assert_eq!(machine.bugs(), ["cuMemMap panicked: lost its way"]);
    }

    #[test]
    fn a_panic_under_the_lock_leaves_the_machine_usable() {
        let machine = Machine::builder()
            .device(DeviceModel::small(2 << 20))
            .build()
            .unwrap();
        let locked = |computer: &Computer| {
            let _state = computer.state();
            panic!("{}", "with the lock");
        };
        assert_eq!(
            answer(machine.slot(), Function::cuMemMap, locked),
            CUresult::CUDA_ERROR_UNKNOWN
        );
        let again = answer(machine.slot(), Function::cuMemMap, |computer| {
            computer.state().initialised = true;
            Ok(())
        });
        assert_eq!(again, CUresult::CUDA_SUCCESS);
    }
}
