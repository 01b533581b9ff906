//! Sealed memory as slices of `cust`: through a permit only, and no further than a permit goes.

use vram_residency::{Error, SealRequest};

use crate::support::*;

/// A SafeTensors file with two tensors that lie at multiples of 8, and one that doesn't.
fn model() -> Vec<u8> {
    let mut header = concat!(
        r#"{"weight":{"dtype":"F32","shape":[4,4],"data_offsets":[0,64]},"#,
        r#""bias":{"dtype":"BF16","shape":[4],"data_offsets":[64,72]},"#,
        r#""odd":{"dtype":"U8","shape":[1],"data_offsets":[72,73]},"#,
        r#""unaligned":{"dtype":"F32","shape":[1],"data_offsets":[73,77]}}"#
    )
    .to_owned();
    // The 8 bytes of its length stand before it.
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut file = u64::try_from(header.len()).unwrap().to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend(weights(77));
    file
}

#[test]
fn a_permit_gives_ranges_and_tensors_as_slices() {
    let machine = machine();
    let manager = manager(&machine);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, model()).unwrap();
    let shard = manager.seal(SealRequest::file(id("model"), &path)).unwrap();

    let permit = manager.verify(&shard).unwrap().permit;

    let start = permit.device_address().unwrap().as_raw();
    let size = shard.size().0;
    let all = permit.cust_slice::<u8>(0..size).unwrap();
    assert_eq!(all.as_device_ptr().as_raw(), start);
    assert_eq!(all.len(), model().len());
    let weight = permit.cust_tensor::<f32>("weight").unwrap();
    let range = permit.tensor("weight").unwrap().tensor.range();
    assert_eq!(weight.as_device_ptr().as_raw(), start + range.start);
    assert_eq!(weight.len(), 16);
    assert_eq!(permit.cust_tensor::<u16>("bias").unwrap().len(), 4);
}

#[test]
fn what_a_permit_can_not_give_as_a_slice_is_refused() {
    let machine = machine();
    let manager = manager(&machine);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, model()).unwrap();
    let shard = manager.seal(SealRequest::file(id("model"), &path)).unwrap();
    let permit = manager.verify(&shard).unwrap().permit;
    let size = shard.size().0;

    let outside = permit.cust_slice::<u8>(0..size + 1).unwrap_err();
    let unaligned = permit.cust_tensor::<f32>("unaligned").unwrap_err();
    let partial = permit.cust_tensor::<u64>("odd").unwrap_err();
    let unknown = permit.cust_tensor::<u8>("nothing").unwrap_err();
    manager.stop("no more");
    let stopped = permit.cust_slice::<u8>(0..size).unwrap_err();

    let memory = |error: Error| match error {
        Error::Memory(error) => error,
        error => panic!("{error}"),
    };
    let outside = memory(outside);
    assert!(matches!(outside, vram_alloc::Error::OutOfBounds { .. }));
    let unaligned = memory(unaligned);
    assert!(matches!(unaligned, vram_alloc::Error::Misaligned { .. }));
    let partial = memory(partial);
    assert!(matches!(partial, vram_alloc::Error::PartialElement { .. }));
    assert!(matches!(unknown, Error::NoSuchTensor { .. }), "{unknown}");
    assert!(matches!(stopped, Error::Stopped { .. }), "{stopped}");
}
