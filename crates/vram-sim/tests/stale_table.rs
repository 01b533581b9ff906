//! A table that outlives its machine. In a process of its own: with other machines coming and going,
//! the slot might be somebody else's by the time of the call.

use vram_sim::{DeviceModel, Machine};
use vram_sys::CUresult;

#[test]
fn a_table_without_its_machine_is_deinitialised() {
    let machine = Machine::builder()
        .device(DeviceModel::small(2 << 20))
        .build()
        .unwrap();
    let driver = machine.driver();
    let table = *driver.table();
    drop(machine);
    // SAFETY: cuInit takes no pointer.
    let with_driver = unsafe { (table.cuInit)(0) };
    assert_eq!(with_driver, CUresult::CUDA_SUCCESS);

    drop(driver);
    // SAFETY: cuInit takes no pointer, and the function itself stays in the program.
    let without = unsafe { (table.cuInit)(0) };
    assert_eq!(without, CUresult::CUDA_ERROR_DEINITIALIZED);
}
