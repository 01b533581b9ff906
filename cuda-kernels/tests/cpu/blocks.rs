//! `vram_sha256_blocks` and `vram_sha256_few_blocks` against `ring` over zero-padded blocks.

use proptest::prelude::*;
use vram_kernels::{Prefix, Row, Sha256BlocksArgs, Sha256FewBlocksArgs, grid_for};

use crate::memory::{Arena, POISON, changed, launch, launch_range};
use crate::reference::{block_digest, data, salt_block, state_after};

const LENGTHS: &[usize] = &[
    0, 1, 15, 16, 17, 31, 32, 33, 55, 56, 63, 64, 65, 119, 127, 128, 129, 4031, 4032, 4033, 4080,
    4081, 4095, 4096, 4097, 4111, 4112, 4113, 8191, 8192, 8193, 12_288, 65_535, 65_536, 65_537,
    520_192, 524_287, 524_288, 524_289, 1_048_575, 1_048_576, 1_048_577,
];

/// Runs both kernels with their digests ending before a faulting page, and checks every byte before them.
fn digests_of(args: Sha256BlocksArgs) -> Vec<[u8; 32]> {
    let many = digests_by(args, |args, grid| launch(&args, grid).unwrap());
    let few = digests_by(args, |args, grid| {
        launch(&Sha256FewBlocksArgs(args), grid).unwrap();
    });
    assert!(many == few, "the two kernels differ");
    many
}

fn digests_by(args: Sha256BlocksArgs, run: impl Fn(Sha256BlocksArgs, u32)) -> Vec<[u8; 32]> {
    let count = usize::try_from(args.block_count).unwrap();
    let (arena, at) = Arena::ending_with(&vec![POISON; 32 * count]);
    let args = changed(&args, |args| args.digests = arena.address(at.start));
    if let Some(grid) = grid_for(args.block_count) {
        run(args, grid);
    }
    arena.digests(&at)
}

fn expected(prefix: &[u8], data: &[u8], first: u64, count: u64) -> Vec<[u8; 32]> {
    (0..count)
        .map(|i| block_digest(prefix, data, first.saturating_add(i)))
        .collect()
}

#[test]
fn every_boundary_length_agrees_with_ring() {
    for len in LENGTHS {
        let data = data(*len);
        let size = u64::try_from(*len).unwrap();
        let blocks = size.div_ceil(4096);
        // Once from the start of a page, poison behind it; once up to the end of one, a faulting page behind it.
        for (arena, at) in [Arena::starting_with(&data, 0), Arena::ending_with(&data)] {
            let args = Sha256BlocksArgs::new(arena.address(at.start), size, 0);
            assert_eq!(args.block_count, blocks);
            assert_eq!(
                digests_of(args),
                expected(&[], &data, 0, blocks),
                "{len} bytes"
            );
        }
    }
}

/// Hashes pieces through a table, and the digests that each has room for.
fn digests_of_rows(pieces: &[Vec<u8>], shift: u32, first: u64) -> Vec<[u8; 32]> {
    let placed: Vec<_> = pieces
        .iter()
        .map(|piece| Arena::ending_with(piece))
        .collect();
    let rows = placed.iter().zip(pieces).flat_map(|((arena, at), piece)| {
        let row = Row {
            address: arena.address(at.start),
            length: u64::try_from(piece.len()).unwrap(),
        };
        row.to_bytes()
    });
    // A faulting page follows the table.
    let (table, at) = Arena::ending_with(&rows.collect::<Vec<_>>());
    let count = u64::try_from(pieces.len()).unwrap();
    let args = Sha256BlocksArgs::of_rows(table.address(at.start), count, shift, 0);
    assert_eq!(args.block_count, count << shift);
    digests_of(args.with_window(first, args.block_count - first))
}

#[test]
fn rows_agree_with_ring_and_leave_what_they_have_no_data_for() {
    let lengths = [4096, 1, 0, 8192, 4097, 12_288, 5000, 16_384];
    let pieces: Vec<_> = lengths.into_iter().map(data).collect();
    for (shift, first) in [(2, 0), (2, 5), (3, 0), (7, 129)] {
        let found = digests_of_rows(&pieces, shift, first);
        let expected: Vec<_> = pieces
            .iter()
            .flat_map(|piece| {
                let blocks = u64::try_from(piece.len()).unwrap().div_ceil(4096);
                (0..1 << shift).map(move |block| {
                    if block < blocks {
                        block_digest(&[], piece, block)
                    } else {
                        [POISON; 32]
                    }
                })
            })
            .skip(usize::try_from(first).unwrap())
            .collect();
        assert!(
            found == expected,
            "rows of {} blocks from {first}",
            1 << shift
        );
    }
}

#[test]
fn a_row_reads_no_more_than_its_blocks() {
    let long = data(3 * 4096);
    let found = digests_of_rows(&[long.clone(), data(4096)], 0, 0);
    assert_eq!(found[0], block_digest(&[], &long, 0));
    assert_eq!(found[1], block_digest(&[], &data(4096), 0));
}

#[test]
fn every_boundary_length_agrees_with_ring_under_a_salt() {
    let salt = salt_block(b"a salt of 32 bytes, no more fit.");
    for len in LENGTHS {
        let data = data(*len);
        let size = u64::try_from(*len).unwrap();
        for (arena, at) in [Arena::starting_with(&data, 0), Arena::ending_with(&data)] {
            let args = Sha256BlocksArgs::new(arena.address(at.start), size, 0)
                .with_initial_state(state_after(&salt), Prefix::SaltBlock);
            assert_eq!(
                digests_of(args),
                expected(&salt, &data, 0, args.block_count),
                "{len} bytes"
            );
        }
    }
}

#[test]
fn every_alignment_of_data_and_digests_gives_the_same() {
    let data = data(3 * 4096 + 777);
    let expected = expected(&[], &data, 0, 4);
    for offset in 0..=16 {
        let (source, at) = Arena::starting_with(&data, offset);
        let (target, _) = Arena::starting_with(&[], 0);
        let args = Sha256BlocksArgs::new(
            source.address(at.start),
            data.len() as u64,
            target.address(offset),
        );
        launch(&args, 1).unwrap();
        let bytes = target.bytes();
        let written: Vec<&[u8]> = bytes[offset..offset + 128].chunks(32).collect();
        assert_eq!(written, expected, "{offset} bytes off");
        assert!(bytes[..offset].iter().all(|byte| *byte == POISON));
        assert!(bytes[offset + 128..].iter().all(|byte| *byte == POISON));
    }
}

#[test]
fn a_window_holds_the_digests_of_its_blocks_alone() {
    let data = data(300 * 4096 + 17);
    let (arena, at) = Arena::ending_with(&data);
    let all = Sha256BlocksArgs::new(arena.address(at.start), data.len() as u64, 0);
    for (first, count) in [
        (0, 1),
        (0, 301),
        (1, 128),
        (127, 2),
        (128, 129),
        (299, 2),
        (300, 1),
    ] {
        let digests = digests_of(all.with_window(first, count));
        assert_eq!(
            digests,
            expected(&[], &data, first, count),
            "{count} from {first}"
        );
    }
}

#[test]
fn blocks_past_the_end_count_as_zeros() {
    let data = data(4096 + 1);
    let (arena, at) = Arena::ending_with(&data);
    let all = Sha256BlocksArgs::new(arena.address(at.start), data.len() as u64, 0);
    for (first, count) in [
        (1, 3),
        (2, 2),
        (u64::MAX, 3),
        (1 << 52, 2),
        ((1 << 52) - 1, 3),
    ] {
        let digests = digests_of(all.with_window(first, count));
        assert_eq!(
            digests,
            expected(&[], &data, first, count),
            "{count} from {first}"
        );
    }
}

#[test]
fn ranges_of_the_grid_add_up_to_the_launch() {
    let data = data(1000 * 4096);
    let (source, at) = Arena::ending_with(&data);
    let (target, to) = Arena::ending_with(&[POISON; 32 * 1000]);
    let args = Sha256BlocksArgs::new(
        source.address(at.start),
        data.len() as u64,
        target.address(to.start),
    );
    let grid = grid_for(args.block_count).unwrap();
    assert_eq!(grid, 8);
    std::thread::scope(|scope| {
        for block in 0..grid {
            let args = &args;
            scope.spawn(move || launch_range(args, grid, block..block + 1).unwrap());
        }
    });
    let digests: Vec<&[u8]> = target.bytes()[to].chunks(32).collect();
    assert_eq!(digests, expected(&[], &data, 0, 1000));
}

#[test]
fn a_range_runs_its_own_blocks_and_none_outside_the_grid() {
    let data = data(384 * 4096);
    let (source, at) = Arena::ending_with(&data);
    let (target, to) = Arena::ending_with(&[POISON; 32 * 384]);
    let args = Sha256BlocksArgs::new(
        source.address(at.start),
        data.len() as u64,
        target.address(to.start),
    );
    launch_range(&args, 2, 1..4).unwrap();
    let digests = &target.bytes()[to];
    assert!(
        digests[..128 * 32].iter().all(|byte| *byte == POISON),
        "block 0 was not asked for"
    );
    assert_eq!(digests[128 * 32..129 * 32], block_digest(&[], &data, 128));
    assert!(
        digests[256 * 32..].iter().all(|byte| *byte == POISON),
        "the grid has no block 2"
    );
}

#[test]
fn threads_beyond_the_window_do_nothing() {
    let data = data(2 * 4096);
    let (source, at) = Arena::ending_with(&data);
    let (target, to) = Arena::ending_with(&[POISON; 64]);
    let args = Sha256BlocksArgs::new(
        source.address(at.start),
        data.len() as u64,
        target.address(to.start),
    );
    // A third digest would fault.
    launch(&args, 4).unwrap();
    assert_eq!(target.bytes()[to][32..], block_digest(&[], &data, 1));
}

proptest! {
    #[test]
    fn any_length_alignment_salt_and_window_agrees_with_ring(
        bytes in prop::collection::vec(any::<u8>(), 0..20_000),
        offset in 0_usize..32,
        salt in prop::option::of(prop::collection::vec(any::<u8>(), 1..=32)),
        first in 0_u64..6,
        count in 0_u64..6,
    ) {
        let (arena, at) = Arena::starting_with(&bytes, offset);
        let mut args = Sha256BlocksArgs::new(arena.address(at.start), bytes.len() as u64, 0)
            .with_window(first, count);
        let mut prefix = Vec::new();
        if let Some(salt) = salt {
            let block = salt_block(&salt);
            args = args.with_initial_state(state_after(&block), Prefix::SaltBlock);
            prefix = block.to_vec();
        }
        prop_assert_eq!(digests_of(args), expected(&prefix, &bytes, first, count));
    }
}
