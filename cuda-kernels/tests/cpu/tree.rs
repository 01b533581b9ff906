//! The whole fs-verity tree by launches of the one kernel, level by level.

use vram_kernels::{Prefix, Sha256BlocksArgs, grid_for};

use crate::memory::{Arena, POISON, launch};
use crate::reference::{block_digest, data, salt_block, state_after};

/// The root by the kernel: every level is data for the next.
fn root_by_kernel(bytes: &[u8], salt: Option<[u8; 64]>) -> [u8; 32] {
    let mut level = bytes.to_vec();
    loop {
        let (source, at) = Arena::ending_with(&level);
        let mut args = Sha256BlocksArgs::new(source.address(at.start), level.len() as u64, 0);
        if let Some(salt) = &salt {
            args = args.with_initial_state(state_after(salt), Prefix::SaltBlock);
        }
        let digests = usize::try_from(args.block_count).unwrap() * 32;
        let (target, to) = Arena::ending_with(&vec![POISON; digests]);
        args.digests = target.address(to.start);
        launch(&args, grid_for(args.block_count).unwrap()).unwrap();
        level = target.bytes()[to].to_vec();
        if let Ok(root) = level.as_slice().try_into() {
            return root;
        }
    }
}

/// The root by `ring`, from its definition.
fn root_by_ring(bytes: &[u8], salt: Option<[u8; 64]>) -> [u8; 32] {
    let prefix = salt.map(Vec::from).unwrap_or_default();
    let blocks = (bytes.len() as u64).div_ceil(4096);
    let level: Vec<u8> = (0..blocks)
        .flat_map(|i| block_digest(&prefix, bytes, i))
        .collect();
    match level.as_slice().try_into() {
        Ok(root) => root,
        Err(_) => root_by_ring(&level, salt),
    }
}

#[test]
fn trees_of_one_two_and_three_levels_have_the_root_that_ring_gives() {
    let bytes = data(129 * 128 * 4096);
    let lengths = [
        1,
        4096,
        4097,
        524_288,
        524_289,
        2 * 524_288 + 5,
        128 * 524_288,
        128 * 524_288 + 1,
    ];
    for len in lengths {
        assert_eq!(
            root_by_kernel(&bytes[..len], None),
            root_by_ring(&bytes[..len], None),
            "{len} bytes"
        );
    }
    let salt = Some(salt_block(b"nonce"));
    assert_eq!(
        root_by_kernel(&bytes[..1_000_000], salt),
        root_by_ring(&bytes[..1_000_000], salt)
    );
}

/// What `fsverity digest` printed for the file is the digest of a descriptor around the root.
///
/// Covers: FN-2.3.
#[test]
fn the_root_is_that_of_the_fsverity_tool() {
    let bytes = vec![0x61; 1_000_000];
    for (salt, printed) in [
        (&b""[..], FSVERITY),
        (&b"0123456789abcdef"[..], FSVERITY_SALTED),
    ] {
        let block = (!salt.is_empty()).then(|| salt_block(salt));
        let mut descriptor = [0_u8; 256];
        descriptor[..4].copy_from_slice(&[1, 1, 12, u8::try_from(salt.len()).unwrap()]);
        descriptor[8..16].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        descriptor[16..48].copy_from_slice(&root_by_kernel(&bytes, block));
        descriptor[80..80 + salt.len()].copy_from_slice(salt);
        let digest = crate::reference::sha256(&descriptor);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, printed);
    }
}

const FSVERITY: &str = "50049eeefec9385017816e55c0783638f225a3938338cbd673ce9ee8bc977100";
const FSVERITY_SALTED: &str = "1dda4e4af7706a1b45661520f2a7d07de2ad965d03b49745b1a416cbc72e9e12";
