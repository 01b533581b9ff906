//! Launches over tables of many pieces.

use vram_alloc::{Error, HashStart, RowTables, Stream};
use vram_sys::{CUresult, Function};

use crate::kernels::{Bench, expected, sha256};
use crate::rig::{Rig, noise};

/// `struct fsverity_descriptor`, as Linux documents it.
fn descriptor(size: u64, root: &[u8], salt: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 1, 12, u8::try_from(salt.len()).unwrap(), 0, 0, 0, 0];
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(root);
    bytes.resize(80, 0);
    bytes.extend_from_slice(salt);
    bytes.resize(256, 0);
    bytes
}

#[test]
fn descriptors_hash_as_the_reference_does() {
    let bench = Bench::new(Rig::new());
    let mut tables = RowTables::new(&bench.rig.allocator, 2, 8).unwrap();
    let roots = noise(9, 5 * 32);
    let region = bench.region(&roots);
    let sizes = [0, 1, 4096, 1 << 40, u64::MAX];
    let rows: Vec<_> = sizes
        .iter()
        .zip((0..).step_by(32))
        .map(|(size, at)| (region.span(at, 32).unwrap(), *size))
        .collect();
    for (table, salt) in [(0, &b""[..]), (1, b"s"), (0, &[0; 32])] {
        let mut digests = bench.region(&[0x5a; 200]);
        let mut into = digests.span_mut(0, 200).unwrap();
        let (kernels, stream) = (&bench.kernels, &bench.stream);
        kernels
            .verity_digests(stream, &mut tables, table, &rows, salt, &mut into)
            .unwrap();
        kernels
            .verity_digests(stream, &mut tables, table, &[], salt, &mut into)
            .unwrap();
        stream.synchronize().unwrap();

        let mut bytes = [0; 200];
        digests.read_back(0, &mut bytes).unwrap();
        for ((size, root), digest) in sizes.iter().zip(roots.chunks(32)).zip(bytes.chunks(32)) {
            assert!(
                digest == sha256(&descriptor(*size, root, salt)),
                "{size} bytes"
            );
        }
        assert_eq!(bytes[160..], [0x5a; 40], "wrote past its end");
    }
}

#[test]
fn roots_salts_and_digests_of_a_wrong_length_are_refused() {
    let bench = Bench::new(Rig::new());
    let mut tables = RowTables::new(&bench.rig.allocator, 1, 2).unwrap();
    let roots = bench.region(&[7; 256]);
    let mut digests = bench.region(&[0; 64]);
    let mut refused = |places: &[(u64, u64)], table, salt: &[u8]| {
        let root = |(at, len): &(u64, u64)| (roots.span(*at, *len).unwrap(), 5);
        let rows: Vec<_> = places.iter().map(root).collect();
        let mut into = digests.span_mut(0, 64).unwrap();
        let (kernels, stream) = (&bench.kernels, &bench.stream);
        kernels
            .verity_digests(stream, &mut tables, table, &rows, salt, &mut into)
            .unwrap_err()
    };
    for (error, named) in [
        (refused(&[(0, 31)], 0, b""), "31"),
        (refused(&[(0, 32), (0, 33)], 0, b""), "33"),
        (refused(&[(12, 32)], 0, b""), "4"),
        (refused(&[(0, 32)], 0, &[0; 33]), "33"),
        (refused(&[(0, 32)], 1, b""), "1"),
    ] {
        assert!(matches!(error, Error::BadSetting { .. }), "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
    let error = refused(&[(0, 32); 3], 0, b"");
    assert!(matches!(error, Error::OutOfBounds { .. }), "{error}");
    assert_eq!(bench.rig.machine.calls(Function::cuLaunchKernel), 0);
}

#[test]
fn a_row_has_fewer_than_two_to_the_31_blocks() {
    let bench = Bench::new(Rig::new());
    let mut tables = RowTables::new(&bench.rig.allocator, 1, 2).unwrap();
    let mut digests = bench.region(&[0; 64]);
    let mut of_blocks = |row_blocks: u64| {
        let mut into = digests.span_mut(0, 64).unwrap();
        let (kernels, stream, start) = (&bench.kernels, &bench.stream, HashStart::default());
        kernels.hash_rows(stream, &mut tables, 0, &[], row_blocks, start, &mut into)
    };

    for good in [1, 2, 1 << 30] {
        of_blocks(good).unwrap();
    }
    for bad in [0, 3, (1 << 30) + 1, 1 << 31, 1 << 63, u64::MAX] {
        let refusal = of_blocks(bad);
        assert!(
            matches!(refusal, Err(Error::BadSetting { value, .. }) if value == bad),
            "{bad}: {refusal:?}"
        );
    }
}

#[test]
fn a_table_has_room_for_at_least_a_row() {
    let rig = Rig::new();
    for (asked, room) in [(0, 1), (1, 1), (7, 7)] {
        let tables = RowTables::new(&rig.allocator, 1, asked).unwrap();
        assert_eq!(tables.rows(), room);
    }
}

/// Two streams use one table. The second is waited for first, so what it does comes first unless it waits.
fn two_launches_over_one_table(rig: Rig) -> (Vec<u8>, Vec<u8>) {
    let bench = Bench::new(rig);
    let second = Stream::new(&bench.rig.device).unwrap();
    let mut tables = RowTables::new(&bench.rig.allocator, 1, 1).unwrap();
    let data = bench.region(&noise(3, 8192));
    let mut digests = bench.region(&[0; 64]);

    let (mut one, mut other) = ([0; 32], [0; 32]);
    for (stream, at) in [(&bench.stream, 0), (&second, 4096)] {
        let piece = data.span(at, 4096).unwrap();
        let mut into = digests.span_mut(at / 128, 32).unwrap();
        let start = HashStart::default();
        bench
            .kernels
            .hash_rows(stream, &mut tables, 0, &[piece], 1, start, &mut into)
            .unwrap();
    }
    second.synchronize().unwrap();
    bench.stream.synchronize().unwrap();
    digests.read_back(0, &mut one).unwrap();
    digests.read_back(32, &mut other).unwrap();
    (one.to_vec(), other.to_vec())
}

#[test]
fn a_table_is_filled_again_only_after_the_launch_over_it() {
    let digests = expected(&[], &noise(3, 8192));

    let (one, other) = two_launches_over_one_table(Rig::new());

    assert_eq!(one, digests[0]);
    assert_eq!(other, digests[1]);
}

#[test]
fn without_the_mark_of_the_launch_it_would_be_filled_too_early() {
    let rig = Rig::new();
    // Success without waiting.
    let success = CUresult::CUDA_SUCCESS;
    rig.machine
        .fail_always(Function::cuStreamWaitEvent, success);

    let (one, _) = two_launches_over_one_table(rig);

    assert_ne!(one, expected(&[], &noise(3, 8192))[0]);
}
