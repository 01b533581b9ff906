//! What the device computes, against an independent SHA-256.

use vram_alloc::{
    Error, HashStart, Kernels, OpenRegion, Readback, RowTables, SELF_TEST_SCRATCH, Stream,
    message_row,
};
use vram_seal::{BlockHash, Salt, verity};

use crate::content::{BLOCK, block_digests, noise, sha256};
use crate::subject::{Subject, platforms};

struct Bench<'a> {
    subject: &'a Subject,
    kernels: Kernels,
    stream: Stream,
}

impl<'a> Bench<'a> {
    fn new(subject: &'a Subject) -> Self {
        Self::with(subject, Kernels::load(&subject.device).unwrap())
    }

    /// Where few blocks are few, and where they are many.
    fn both(subject: &'a Subject) -> [Self; 2] {
        [u64::MAX, 0].map(|many| {
            let kernels = Kernels::load(&subject.device).unwrap();
            Self::with(subject, kernels.with_many_blocks(many))
        })
    }

    fn with(subject: &'a Subject, kernels: Kernels) -> Self {
        Self {
            subject,
            kernels,
            stream: Stream::new(&subject.device).unwrap(),
        }
    }

    fn region(&self, bytes: &[u8]) -> OpenRegion {
        let mut region = self
            .subject
            .allocator()
            .allocate(bytes.len() as u64)
            .unwrap();
        region.write(0, bytes).unwrap();
        region
    }

    /// Hashes data that lies at an offset of a frozen region, in windows of so many blocks.
    fn hash(&self, data: &[u8], at: usize, start: HashStart, window: usize) -> Vec<[u8; 32]> {
        let mut placed = vec![0xee; at];
        placed.extend_from_slice(data);
        placed.extend_from_slice(&[0xff; BLOCK]);
        let frozen = self.region(&placed).freeze().unwrap();
        let mut digests = self.region(&vec![0xa5; window * 32]);
        let span = frozen.span(at as u64, data.len() as u64).unwrap();
        let mut found = Vec::new();
        loop {
            let mut into = digests.span_mut(0, (window * 32) as u64).unwrap();
            let first = found.len() as u64;
            let count = self
                .kernels
                .hash_blocks(&self.stream, span, first, start, &mut into)
                .unwrap();
            if count == 0 {
                return found;
            }
            self.stream.synchronize().unwrap();
            let mut bytes = vec![0; usize::try_from(count).unwrap() * 32];
            digests.read_back(0, &mut bytes).unwrap();
            found.extend(
                bytes
                    .chunks(32)
                    .map(|digest| <[u8; 32]>::try_from(digest).unwrap()),
            );
        }
    }
}

/// Covers: FN-2.3.
#[test]
fn every_boundary_length_hashes_as_the_reference_does() {
    for bench in platforms().iter().flat_map(Bench::both) {
        for len in [
            1, 55, 56, 63, 64, 65, 4031, 4095, 4096, 4097, 8191, 8192, 8193, 524_287, 524_288,
            524_289, 2_097_153,
        ] {
            let data = noise(len as u64, len);
            let digests = bench.hash(&data, 0, HashStart::default(), 1024);
            assert!(digests == block_digests(&[], &data), "{len} bytes");
        }
    }
}

#[test]
fn salts_count_before_every_block() {
    for bench in platforms().iter().flat_map(Bench::both) {
        for salt in [&b"1"[..], &[0; 32], b"a challenge of thirty-two bytes!"] {
            let state = Salt::new(salt).unwrap().initial_state();
            let start = HashStart {
                words: state.words,
                prefix_len: state.prefix_len,
            };
            let mut prefix = salt.to_vec();
            prefix.resize(64, 0);
            for len in [1, 4096, 4097, 70_000] {
                let data = noise(8, len);
                let digests = bench.hash(&data, 0, start, 64);
                assert!(digests == block_digests(&prefix, &data), "{len} bytes");
            }
        }
    }
}

#[test]
fn windows_together_are_the_whole() {
    for bench in platforms().iter().flat_map(Bench::both) {
        let data = noise(2, 300 * BLOCK + 5);
        let whole = block_digests(&[], &data);
        for window in [1, 7, 128, 129, 301, 1000] {
            let digests = bench.hash(&data, 0, HashStart::default(), window);
            assert!(digests == whole, "windows of {window}");
        }
    }
}

#[test]
fn data_may_lie_at_any_offset() {
    for bench in platforms().iter().flat_map(Bench::both) {
        let data = noise(3, 3 * BLOCK + 1);
        let whole = block_digests(&[], &data);
        for at in [1, 2, 4, 8, 15, 16, 17, 4095, 4096] {
            assert!(
                bench.hash(&data, at, HashStart::default(), 8) == whole,
                "at {at}"
            );
        }
    }
}

#[test]
fn pieces_of_several_regions_hash_in_one_launch() {
    for bench in platforms().iter().flat_map(Bench::both) {
        let allocator = bench.subject.allocator();
        let mut tables = RowTables::new(&allocator, 2, 8).unwrap();
        let lengths = [4096, 1, 4 * BLOCK, 4097, 2 * BLOCK + 77];
        let data: Vec<_> = (9..)
            .zip(lengths)
            .map(|(seed, len)| noise(seed, len))
            .collect();
        let regions: Vec<_> = data
            .iter()
            .map(|bytes| bench.region(bytes).freeze().unwrap())
            .collect();
        let pieces: Vec<_> = regions
            .iter()
            .map(|region| region.span(0, region.len()).unwrap())
            .collect();
        let room = data.len() * 4 * 32;
        let mut digests = bench.region(&vec![0xa5; room]);
        let mut readback = Readback::new(&bench.subject.device, 0).unwrap();
        // Twice over the same table, and once over another.
        for table in [0, 0, 1] {
            let mut into = digests.span_mut(0, room as u64).unwrap();
            let start = HashStart::default();
            bench
                .kernels
                .hash_rows(
                    &bench.stream,
                    &mut tables,
                    table,
                    &pieces,
                    4,
                    start,
                    &mut into,
                )
                .unwrap();
            let found = digests.span(0, room as u64).unwrap();
            readback.start(&bench.stream, found).unwrap();
            let rows = readback.bytes().unwrap().chunks(4 * 32);
            for (found, bytes) in rows.zip(&data) {
                let expected = block_digests(&[], bytes).concat();
                let (hashed, untouched) = found.split_at(expected.len());
                assert!(hashed == expected, "{} bytes", bytes.len());
                assert!(untouched.iter().all(|byte| *byte == 0xa5));
            }
        }
    }
}

#[test]
fn pieces_that_do_not_fit_their_rows_or_tables_are_refused() {
    for subject in platforms().iter() {
        let bench = Bench::new(subject);
        let allocator = subject.allocator();
        let mut tables = RowTables::new(&allocator, 1, 2).unwrap();
        let data = bench.region(&[1; 3 * BLOCK]);
        let mut digests = bench.region(&[0; 1024]);
        let mut refused = |pieces: &[(u64, u64)], table, row_blocks| {
            let pieces: Vec<_> = pieces
                .iter()
                .map(|(at, len)| data.span(*at, *len).unwrap())
                .collect();
            let mut into = digests.span_mut(0, 128).unwrap();
            let start = HashStart::default();
            let (kernels, stream) = (&bench.kernels, &bench.stream);
            kernels
                .hash_rows(
                    stream,
                    &mut tables,
                    table,
                    &pieces,
                    row_blocks,
                    start,
                    &mut into,
                )
                .unwrap_err()
        };
        for error in [
            refused(&[(0, 4097)], 0, 1),
            refused(&[(0, 1); 3], 0, 1),
            refused(&[(0, 1)], 1, 1),
            refused(&[(0, 1)], 0, 3),
            refused(&[(0, 1)], 0, 0),
            refused(&[(0, 1)], 0, 1 << 31),
        ] {
            assert!(matches!(error, Error::BadSetting { .. }), "{error}");
        }
        let error = refused(&[(0, 1), (0, 1)], 0, 4);
        assert!(matches!(error, Error::OutOfBounds { .. }), "{error}");
    }
}

#[test]
fn descriptors_hash_to_the_digests_of_the_reference() {
    for subject in platforms().iter() {
        let bench = Bench::new(subject);
        let mut tables = RowTables::new(&subject.allocator(), 1, 200).unwrap();
        let roots = noise(5, 200 * 32);
        let region = bench.region(&roots);
        let sizes = (0..200_u64).map(|nth| nth.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let rows: Vec<_> = (0..)
            .step_by(32)
            .zip(sizes)
            .map(|(at, size)| (region.span(at, 32).unwrap(), size))
            .collect();
        for salt in [&b""[..], b"a challenge", &[0; 32]] {
            let mut digests = bench.region(&[0xa5; 200 * 32]);
            let mut into = digests.span_mut(0, 200 * 32).unwrap();
            bench
                .kernels
                .verity_digests(&bench.stream, &mut tables, 0, &rows, salt, &mut into)
                .unwrap();
            bench.stream.synchronize().unwrap();

            let mut found = vec![0; 200 * 32];
            digests.read_back(0, &mut found).unwrap();
            let salt = Salt::new(salt).unwrap();
            for ((root, (_, size)), digest) in roots.chunks(32).zip(&rows).zip(found.chunks(32)) {
                let root = BlockHash::from_bytes(root.try_into().unwrap());
                let expected = sha256(&verity::descriptor(*size, root, &salt));
                assert!(digest == expected, "{size} bytes");
            }
        }
    }
}

/// Covers: CI-004.
#[test]
fn messages_of_any_length_hash_as_the_reference_does() {
    for subject in platforms().iter() {
        let bench = Bench::new(subject);
        let messages: Vec<_> = (0..200).map(|len| noise(len as u64, len)).collect();
        let (mut rows, mut text) = (Vec::new(), Vec::new());
        for message in &messages {
            rows.extend_from_slice(&message_row(text.len() as u64, message.len() as u64));
            text.extend_from_slice(message);
        }
        let (table, data) = (bench.region(&rows), bench.region(&text));
        let mut digests = bench.region(&[0xa5; 200 * 32]);

        let count = bench
            .kernels
            .hash_messages(
                &bench.stream,
                data.span(0, text.len() as u64).unwrap(),
                table.span(0, rows.len() as u64).unwrap(),
                &mut digests.span_mut(0, 200 * 32).unwrap(),
            )
            .unwrap();
        bench.stream.synchronize().unwrap();

        assert_eq!(count, 200);
        let mut bytes = [0; 200 * 32];
        digests.read_back(0, &mut bytes).unwrap();
        for (message, digest) in messages.iter().zip(bytes.chunks(32)) {
            assert!(digest == sha256(message), "{} bytes", message.len());
        }
    }
}

/// Covers: TS-1.2.
#[test]
fn the_device_passes_the_self_test() {
    for subject in platforms().iter() {
        let bench = Bench::new(subject);
        let allocator = subject.allocator();
        let mut input = allocator.allocate_scratch(SELF_TEST_SCRATCH).unwrap();
        let mut output = allocator.allocate_scratch(SELF_TEST_SCRATCH).unwrap();
        bench
            .kernels
            .self_test(&bench.stream, &mut input, &mut output)
            .unwrap();
        bench
            .kernels
            .self_test(&bench.stream, &mut input, &mut output)
            .unwrap();
    }
}

#[test]
fn things_of_another_context_are_refused() {
    for subject in platforms().iter() {
        let bench = Bench::new(subject);
        let other = subject.platform.open(0).unwrap();
        let stream = Stream::new(&other).unwrap();
        let data = bench.region(&[1; BLOCK]);
        let mut digests = bench.region(&[0; 32]);
        let span = data.span(0, 4096).unwrap();
        let mut into = digests.span_mut(0, 32).unwrap();

        let start = HashStart::default();
        let error = bench
            .kernels
            .hash_blocks(&stream, span, 0, start, &mut into)
            .unwrap_err();

        assert!(matches!(error, Error::WrongDevice { .. }), "{error}");
    }
}
