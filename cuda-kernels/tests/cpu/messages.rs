//! `vram_sha256_messages` against `ring` and the examples of FIPS 180.

use proptest::prelude::*;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use vram_kernels::{Message, Sha256MessagesArgs, grid_for};

use crate::memory::{Arena, POISON, launch};
use crate::reference::{data, sha256};

/// Hashes the messages `rows` of `bytes`, data and digests each ending before a faulting page.
fn digests_of(bytes: &[u8], rows: &[Message]) -> Vec<[u8; 32]> {
    let (source, at) = Arena::ending_with(bytes);
    digests_at(source.address(at.start), bytes.len(), rows)
}

fn digests_at(address: u64, len: usize, rows: &[Message]) -> Vec<[u8; 32]> {
    let table: Vec<u8> = rows.iter().flat_map(|row| row.to_bytes()).collect();
    let (table, table_at) = Arena::ending_with(&table);
    let (target, to) = Arena::ending_with(&vec![POISON; 32 * rows.len()]);
    let args = Sha256MessagesArgs::new(
        address,
        len as u64,
        table.address(table_at.start),
        rows.len() as u64,
        target.address(to.start),
    );
    if let Some(grid) = grid_for(args.message_count) {
        launch(&args, grid).unwrap();
    }
    target.digests(&to)
}

fn whole(bytes: &[u8]) -> [u8; 32] {
    digests_of(
        bytes,
        &[Message {
            offset: 0,
            length: bytes.len() as u64,
        }],
    )[0]
}

fn digest(hex: &str) -> [u8; 32] {
    std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
}

#[test]
fn examples_of_fips_180_come_out() {
    let million = vec![b'a'; 1_000_000];
    let examples: [(&[u8], &str); 5] = [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (
            b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
        ),
        (&million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ];
    for (message, expected) in examples {
        assert_eq!(whole(message), digest(expected), "{} bytes", message.len());
    }
}

#[test]
fn every_short_length_at_every_alignment_agrees_with_ring() {
    let bytes = data(1024);
    let rows: Vec<Message> = (0..=300)
        .flat_map(|length| {
            (0..17).map(move |offset| Message {
                offset: offset * 43,
                length,
            })
        })
        .collect();
    for (row, digest) in rows.iter().zip(digests_of(&bytes, &rows)) {
        let at = usize::try_from(row.offset).unwrap();
        let message = &bytes[at..at + usize::try_from(row.length).unwrap()];
        assert_eq!(digest, sha256(message), "{row:?}");
    }
}

#[test]
fn every_short_length_at_the_end_of_mapped_memory_agrees_with_ring() {
    let bytes = data(300);
    for length in 0..=bytes.len() {
        assert_eq!(
            whole(&bytes[..length]),
            sha256(&bytes[..length]),
            "{length} bytes"
        );
    }
}

#[test]
fn longer_messages_agree_with_ring() {
    let bytes = data(524_289);
    for length in [4095, 4096, 4097, 65_535, 65_536, 524_287, 524_288, 524_289] {
        assert_eq!(
            whole(&bytes[..length]),
            sha256(&bytes[..length]),
            "{length} bytes"
        );
    }
}

/// From 2^29 bytes on, the padding's length in bits takes more than 32 bits.
#[test]
fn a_message_of_half_a_gibibyte_agrees_with_ring() {
    const LENGTH: usize = 1 << 29;
    // SAFETY: a fresh mapping that replaces none. Read only, so it is one page of zeros, over and over.
    let base = unsafe {
        mmap_anonymous(
            std::ptr::null_mut(),
            LENGTH,
            ProtFlags::READ,
            MapFlags::PRIVATE,
        )
    }
    .unwrap();
    let row = Message {
        offset: 0,
        length: LENGTH as u64,
    };
    let digest = digests_at(base.expose_provenance() as u64, LENGTH, &[row])[0];
    // SAFETY: the mapping above: initialised, and never written to.
    let zeros = unsafe { std::slice::from_raw_parts(base.cast::<u8>(), LENGTH) };
    assert_eq!(digest, sha256(zeros));
    // SAFETY: the mapping above, which nothing refers to any more.
    unsafe { munmap(base, LENGTH) }.unwrap();
}

#[test]
fn a_row_outside_the_data_gives_zeros_and_is_not_followed() {
    let bytes = data(100);
    let outside = [
        Message {
            offset: 0,
            length: 101,
        },
        Message {
            offset: 100,
            length: 1,
        },
        Message {
            offset: 101,
            length: 0,
        },
        Message {
            offset: 1,
            length: u64::MAX,
        },
        Message {
            offset: u64::MAX,
            length: 1,
        },
        Message {
            offset: u64::MAX,
            length: u64::MAX,
        },
    ];
    assert_eq!(digests_of(&bytes, &outside), [[0; 32]; 6]);
    let inside = [
        Message {
            offset: 100,
            length: 0,
        },
        Message {
            offset: 99,
            length: 1,
        },
    ];
    assert_eq!(
        digests_of(&bytes, &inside),
        [sha256(b""), sha256(&bytes[99..])]
    );
}

proptest! {
    #[test]
    fn any_table_agrees_with_ring(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        ranges in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..200),
    ) {
        let ranges: Vec<(usize, usize)> = ranges
            .iter()
            .map(|(from, to)| (from.index(bytes.len() + 1), to.index(bytes.len() + 1)))
            .map(|(from, to)| (from.min(to), from.max(to)))
            .collect();
        let rows: Vec<Message> = ranges
            .iter()
            .map(|(from, to)| Message { offset: *from as u64, length: (to - from) as u64 })
            .collect();
        let expected: Vec<[u8; 32]> =
            ranges.iter().map(|(from, to)| sha256(&bytes[*from..*to])).collect();
        prop_assert_eq!(digests_of(&bytes, &rows), expected);
    }
}
