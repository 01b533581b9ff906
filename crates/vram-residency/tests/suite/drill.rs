//! Drills: damage on purpose is found, and nothing else is touched.

use vram_residency::Error;
use vram_sys::CUresult;

use crate::support::*;

#[test]
fn a_flipped_bit_is_found_in_its_block() {
    for plain in [false, true] {
        let machine = machine();
        let builder = if plain {
            builder().without_mmu_freezing()
        } else {
            builder()
        };
        let manager = builder.build(&platform(&machine)).unwrap();
        let bytes = weights(1 << 20);
        let mut shard = seal(&manager, "drill", &bytes);
        assert!(manager.verify(&shard).is_ok());
        let allocation = allocation_of(&machine, &bytes);

        manager.damage(&mut shard, 700_001, 2).unwrap();

        let mut damaged = bytes.clone();
        damaged[700_001] ^= 1 << 2;
        assert!(
            machine.peek(allocation, 0, bytes.len()).unwrap() == damaged,
            "one bit, no more"
        );
        let error = manager.verify(&shard).unwrap_err();
        let Error::Tampered { difference, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(difference.blocks, [700_001 / 4096]);
    }
}

#[test]
fn a_drilled_shard_is_frozen_again() {
    let machine = machine();
    let manager = manager(&machine);
    let bytes = weights(5000);
    let mut shard = seal(&manager, "drill", &bytes);
    manager.damage(&mut shard, 0, 0).unwrap();
    manager.damage(&mut shard, 0, 0).unwrap();
    let address = manager
        .verify(&shard)
        .unwrap()
        .permit
        .device_address()
        .unwrap()
        .as_raw();

    let outsider = Outsider::new(&machine);
    let copied = outsider.write(address, &[0; 16]);
    let launched = outsider.write_by_kernel(address);

    assert_eq!(copied, CUresult::CUDA_ERROR_INVALID_VALUE);
    assert_eq!(launched, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS);
}

#[test]
fn a_drill_stays_within_the_shard() {
    let machine = machine();
    let manager = manager(&machine);
    let bytes = weights(5000);
    let mut shard = seal(&manager, "drill", &bytes);

    assert!(manager.damage(&mut shard, 5000, 0).is_err());
    assert!(manager.damage(&mut shard, u64::MAX, 0).is_err());
    assert!(manager.damage(&mut shard, 0, 8).is_err());

    assert!(manager.verify(&shard).is_ok(), "nothing was flipped");
}
