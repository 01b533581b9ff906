//! `vram_verity_digests` against `ring` over descriptors put together here.

use proptest::prelude::*;
use vram_kernels::{Row, VerityDigestsArgs, grid_for};

use crate::memory::{Arena, POISON, launch};
use crate::reference::sha256;

/// `struct fsverity_descriptor` of `Documentation/filesystems/fsverity.rst`.
fn descriptor(size: u64, root: [u8; 32], salt: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 1, 12, u8::try_from(salt.len()).unwrap(), 0, 0, 0, 0];
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(&root);
    bytes.resize(8 + 8 + 64, 0);
    bytes.extend_from_slice(salt);
    bytes.resize(256, 0);
    bytes
}

/// Digests of files with these sizes and roots. Roots, table and digests each end before a faulting page.
fn digests_of(files: &[(u64, [u8; 32])], salt: &[u8]) -> Vec<[u8; 32]> {
    let roots: Vec<_> = files.iter().flat_map(|(_, root)| *root).collect();
    let (roots, roots_at) = Arena::ending_with(&roots);
    let starts = (roots_at.start..).step_by(32);
    let rows = starts.zip(files).flat_map(|(at, (size, _))| {
        let row = Row {
            address: roots.address(at),
            length: *size,
        };
        row.to_bytes()
    });
    let (table, table_at) = Arena::ending_with(&rows.collect::<Vec<_>>());
    let (target, to) = Arena::ending_with(&vec![POISON; 32 * files.len()]);
    let args = VerityDigestsArgs::new(
        table.address(table_at.start),
        files.len() as u64,
        target.address(to.start),
    );
    if let Some(grid) = grid_for(args.row_count) {
        launch(&args.with_salt(salt).unwrap(), grid).unwrap();
    }
    target.digests(&to)
}

/// What `fsverity digest` prints for a file of 4096 zero bytes.
#[test]
fn the_digest_of_a_block_of_zeros_is_that_of_the_command() {
    let found = digests_of(&[(4096, sha256(&[0; 4096]))], &[]);
    let hex: String = found[0].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "babc284ee4ffe7f449377fbf6692715b43aec7bc39c094a95878904d34bac97e"
    );
}

#[test]
fn a_launch_over_no_rows_writes_nothing() {
    let (target, to) = Arena::ending_with(&[POISON; 32]);
    let args = VerityDigestsArgs::new(64, 0, target.address(to.start));
    launch(&args, 1).unwrap();
    assert!(target.bytes().iter().all(|byte| *byte == POISON));
}

proptest! {
    #[test]
    fn any_sizes_roots_and_salt_agree_with_ring(
        files in prop::collection::vec(any::<(u64, [u8; 32])>(), 0..200),
        salt in prop::collection::vec(any::<u8>(), 0..=32),
    ) {
        let expected: Vec<_> = files
            .iter()
            .map(|(size, root)| sha256(&descriptor(*size, *root, &salt)))
            .collect();
        prop_assert_eq!(digests_of(&files, &salt), expected);
    }
}
