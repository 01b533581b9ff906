//! The kernels on a device, against an independent SHA-256.

use sha2::block_api::compress256;
use vram_alloc::{
    Allocator, AllocatorConfig, Error, Event, HashStart, Kernels, OpenRegion, Platform, RowTables,
    SELF_TEST_SCRATCH, Stream, message_row,
};
use vram_sys::{CUresult, Function};

use crate::rig::{BOTH, Rig, noise, two_devices};

const BLOCK: usize = 4096;

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().try_into().unwrap()
}

/// The digests of all blocks of the data, each after the prefix, the last padded with zeros.
pub(crate) fn expected(prefix: &[u8], data: &[u8]) -> Vec<[u8; 32]> {
    let blocks = data.chunks(BLOCK).map(|block| {
        let mut message = prefix.to_vec();
        message.extend_from_slice(block);
        message.resize(prefix.len() + BLOCK, 0);
        sha256(&message)
    });
    blocks.collect()
}

/// A salt padded to one compression block, and the state that it leaves.
fn salted(salt: &[u8]) -> ([u8; 64], HashStart) {
    let mut block = [0; 64];
    block[..salt.len()].copy_from_slice(salt);
    let mut words = HashStart::default().words;
    compress256(&mut words, &[block]);
    let prefix_len = 64;
    (block, HashStart { words, prefix_len })
}

pub(crate) struct Bench {
    pub(crate) rig: Rig,
    pub(crate) kernels: Kernels,
    pub(crate) stream: Stream,
}

impl Bench {
    pub(crate) fn new(rig: Rig) -> Self {
        let kernels = Kernels::load(&rig.device).unwrap();
        Self::with(rig, kernels)
    }

    /// Where few blocks are few, and where they are many.
    fn both() -> [Self; 2] {
        [u64::MAX, 0].map(|many| {
            let rig = Rig::new();
            let kernels = Kernels::load(&rig.device).unwrap();
            Self::with(rig, kernels.with_many_blocks(many))
        })
    }

    fn with(rig: Rig, kernels: Kernels) -> Self {
        let stream = Stream::new(&rig.device).unwrap();
        Self {
            rig,
            kernels,
            stream,
        }
    }

    pub(crate) fn region(&self, bytes: &[u8]) -> OpenRegion {
        let len = bytes.len().max(1) as u64;
        let mut region = self.rig.allocator.allocate(len).unwrap();
        region.write(0, bytes).unwrap();
        region
    }

    /// Hashes a window of data at an offset of its region.
    fn hash(&self, data: &[u8], at: u64, first: u64, start: HashStart, room: u64) -> Vec<[u8; 32]> {
        let mut placed = vec![0xee; usize::try_from(at).unwrap()];
        placed.extend_from_slice(data);
        // What follows the data must not count.
        placed.extend_from_slice(&[0xff; 5000]);
        let region = self.region(&placed);
        let mut digests = self.region(&vec![0x5a; usize::try_from(room).unwrap() + 64]);
        let span = region.span(at, data.len() as u64).unwrap();
        let mut into = digests.span_mut(0, room).unwrap();
        let count = self
            .kernels
            .hash_blocks(&self.stream, span, first, start, &mut into)
            .unwrap();
        self.stream.synchronize().unwrap();
        let written = usize::try_from(count).unwrap() * 32;
        let mut bytes = vec![0; usize::try_from(room).unwrap() + 64];
        digests.read_back(0, &mut bytes).unwrap();
        assert!(
            bytes[written..].iter().all(|byte| *byte == 0x5a),
            "wrote past its end"
        );
        bytes[..written]
            .chunks(32)
            .map(|digest| digest.try_into().unwrap())
            .collect()
    }
}

/// Covers: FN-2.3.
#[test]
fn every_boundary_length_hashes_as_the_reference_does() {
    for bench in Bench::both() {
        for len in [
            1, 55, 56, 63, 64, 65, 4095, 4096, 4097, 8191, 8192, 8193, 524_287, 524_288, 524_289,
        ] {
            let data = noise(len as u64, len);
            let room = (len.div_ceil(BLOCK) * 32) as u64;

            let digests = bench.hash(&data, 0, 0, HashStart::default(), room);

            assert!(digests == expected(&[], &data), "{len} bytes");
        }
    }
}

#[test]
fn a_salt_counts_before_every_block() {
    for bench in Bench::both() {
        for salt in [&b"s"[..], &[0; 32], b"a challenge of thirty-two bytes!"] {
            let (prefix, start) = salted(salt);
            for len in [1, 4096, 10_000] {
                let data = noise(7, len);
                let room = (len.div_ceil(BLOCK) * 32) as u64;

                let digests = bench.hash(&data, 0, 0, start, room);

                assert!(digests == expected(&prefix, &data), "{len} bytes");
                assert!(digests != expected(&[], &data));
            }
        }
    }
}

#[test]
fn a_launch_of_as_many_blocks_as_are_many_is_anothers() {
    let data = noise(4, 4 * BLOCK);
    let launches = |many: u64| {
        let rig = Rig::new();
        let kernels = Kernels::load(&rig.device).unwrap().with_many_blocks(many);
        let bench = Bench::with(rig, kernels);
        bench.hash(&data, 0, 0, HashStart::default(), 4 * 32);
        let kernels = [c"vram_sha256_few_blocks", c"vram_sha256_blocks"];
        kernels.map(|kernel| bench.rig.machine.launches(kernel))
    };
    assert_eq!(launches(5), [1, 0]);
    assert_eq!(launches(4), [0, 1]);
}

#[test]
fn windows_together_are_the_whole() {
    let bench = Bench::new(Rig::new());
    let data = noise(3, 10 * BLOCK + 1);
    let whole = expected(&[], &data);
    assert_eq!(whole.len(), 11);

    for (first, room, count) in [
        (0, 3, 3),
        (3, 7, 7),
        (10, 9, 1),
        (11, 4, 0),
        (u64::MAX, 4, 0),
        (2, 0, 0),
    ] {
        let digests = bench.hash(&data, 0, first, HashStart::default(), room * 32);
        assert_eq!(digests.len(), count, "from {first}");
        let start = usize::try_from(first)
            .unwrap_or(usize::MAX)
            .min(whole.len());
        assert!(digests == whole[start..start + count], "from {first}");
    }
    // Room for a part of a digest is no room.
    assert_eq!(bench.hash(&data, 0, 0, HashStart::default(), 95).len(), 2);
    assert_eq!(bench.hash(&[], 0, 0, HashStart::default(), 32).len(), 0);
}

#[test]
fn data_may_lie_at_any_offset() {
    let bench = Bench::new(Rig::new());
    let data = noise(9, 9000);
    for at in [1, 3, 15, 16, 17, 4095] {
        let digests = bench.hash(&data, at, 0, HashStart::default(), 96);
        assert!(digests == expected(&[], &data), "at {at}");
    }
}

#[test]
fn frozen_regions_hash_as_open_ones() {
    for mechanism in BOTH {
        let bench = Bench::new(Rig::with_mechanism(mechanism));
        let data = noise(4, 5 * BLOCK);
        let frozen = bench.region(&data).freeze().unwrap();
        let mut digests = bench.rig.allocator.allocate_scratch(160).unwrap();
        let mut into = digests.span_mut(0, 160).unwrap();
        let span = frozen.span(0, frozen.len()).unwrap();

        let start = HashStart::default();
        let count = bench
            .kernels
            .hash_blocks(&bench.stream, span, 0, start, &mut into)
            .unwrap();

        bench.stream.synchronize().unwrap();
        let mut bytes = [0; 160];
        digests.read_back(0, &mut bytes).unwrap();
        assert_eq!(count, 5);
        assert!(bytes[..] == *expected(&[], &data).concat());
    }
}

/// Covers: CI-004.
#[test]
fn messages_of_any_length_hash_as_the_reference_does() {
    let bench = Bench::new(Rig::new());
    let lens = [0_usize, 1, 55, 56, 63, 64, 65, 119, 120, 1000];
    let messages: Vec<_> = lens.iter().map(|len| noise(*len as u64, *len)).collect();
    let mut table = Vec::new();
    let mut text: Vec<u8> = Vec::new();
    for message in &messages {
        table.extend_from_slice(&message_row(text.len() as u64, message.len() as u64));
        text.extend_from_slice(message);
    }
    let table_len = table.len() as u64;
    table.extend_from_slice(&text);
    let input = bench.region(&table);
    let mut output = bench.region(&[0x5a; 400]);

    let hash = |room: u64, output: &mut OpenRegion| {
        let (rows, data) = (
            input.span(0, table_len).unwrap(),
            input.span(table_len, text.len() as u64).unwrap(),
        );
        let mut into = output.span_mut(0, room).unwrap();
        let count = bench
            .kernels
            .hash_messages(&bench.stream, data, rows, &mut into)
            .unwrap();
        bench.stream.synchronize().unwrap();
        count
    };
    assert_eq!(hash(31, &mut output), 0);
    assert_eq!(hash(400, &mut output), 10);

    let mut bytes = [0; 400];
    output.read_back(0, &mut bytes).unwrap();
    for (message, digest) in messages.iter().zip(bytes.chunks(32)) {
        assert!(digest == sha256(message), "{} bytes", message.len());
    }
    assert_eq!(bytes[320..], [0x5a; 80]);
}

#[test]
fn a_table_that_is_not_aligned_is_refused() {
    let bench = Bench::new(Rig::new());
    let input = bench.region(&[0; 4096]);
    let mut output = bench.region(&[0; 64]);
    let before = bench.rig.machine.calls(Function::cuLaunchKernel);

    let error = bench
        .kernels
        .hash_messages(
            &bench.stream,
            input.span(0, 64).unwrap(),
            input.span(1, 16).unwrap(),
            &mut output.span_mut(0, 32).unwrap(),
        )
        .unwrap_err();

    assert!(
        matches!(error, Error::BadSetting { value: 1, .. }),
        "{error}"
    );
    assert_eq!(bench.rig.machine.calls(Function::cuLaunchKernel), before);
}

#[test]
fn a_start_that_no_salt_gives_is_refused() {
    let bench = Bench::new(Rig::new());
    let input = bench.region(&[0; 4096]);
    let mut output = bench.region(&[0; 64]);

    for prefix_len in [1, 32, 63, 65, 128, u64::MAX] {
        let words = HashStart::default().words;
        let start = HashStart { words, prefix_len };
        let span = input.span(0, 4096).unwrap();
        let mut into = output.span_mut(0, 32).unwrap();
        let result = bench
            .kernels
            .hash_blocks(&bench.stream, span, 0, start, &mut into);
        assert!(
            matches!(result, Err(Error::BadSetting { value, .. }) if value == prefix_len),
            "{prefix_len}"
        );
    }
    assert_eq!(bench.rig.machine.calls(Function::cuLaunchKernel), 0);
}

#[test]
fn things_of_two_devices_are_refused() {
    let machine = two_devices();
    let platform = Platform::with_driver(machine.driver()).unwrap();
    let (first, second) = (platform.open(0).unwrap(), platform.open(1).unwrap());
    let here = Allocator::new(&first, AllocatorConfig::default()).unwrap();
    let there = Allocator::new(&second, AllocatorConfig::default()).unwrap();
    let kernels = Kernels::load(&first).unwrap();
    let (stream, far_stream) = (Stream::new(&first).unwrap(), Stream::new(&second).unwrap());
    let near = here.allocate(64).unwrap();
    let far = there.allocate(64).unwrap();
    let (mut near_out, mut far_out) = (here.allocate(64).unwrap(), there.allocate(64).unwrap());
    let start = HashStart::default();
    let span = |region: &'static str| -> vram_alloc::Span<'_> {
        let region = if region == "near" { &near } else { &far };
        region.span(0, 64).unwrap()
    };

    let mut refusals = Vec::new();
    let mut out = near_out.span_mut(0, 64).unwrap();
    refusals.push(kernels.hash_blocks(&stream, span("far"), 0, start, &mut out));
    refusals.push(kernels.hash_blocks(&far_stream, span("near"), 0, start, &mut out));
    refusals.push(kernels.hash_messages(&stream, span("far"), span("near"), &mut out));
    refusals.push(kernels.hash_messages(&stream, span("near"), span("far"), &mut out));
    refusals.push(kernels.hash_messages(&far_stream, span("near"), span("near"), &mut out));
    refusals.push(out.fill(&far_stream, 1).map(|()| 0));
    let mut tables = RowTables::new(&here, 1, 2).unwrap();
    let far_root = [(far.span(0, 32).unwrap(), 1)];
    let refusal = kernels.verity_digests(&stream, &mut tables, 0, &far_root, &[], &mut out);
    refusals.push(refusal.map(|()| 0));
    let mut out = far_out.span_mut(0, 64).unwrap();
    refusals.push(kernels.hash_blocks(&stream, span("near"), 0, start, &mut out));
    refusals.push(kernels.hash_messages(&stream, span("near"), span("near"), &mut out));
    let far_event = Event::new(&second).unwrap();
    refusals.push(stream.record(&far_event).map(|()| 0));
    refusals.push(stream.wait_for(&far_event).map(|()| 0));

    for (index, refusal) in refusals.into_iter().enumerate() {
        assert!(
            matches!(refusal, Err(Error::WrongDevice { .. })),
            "{index}: {refusal:?}"
        );
    }
    assert_eq!(machine.calls(Function::cuLaunchKernel), 0);
}

fn scratch(bench: &Bench) -> (OpenRegion, OpenRegion) {
    let allocator = &bench.rig.allocator;
    let region = || allocator.allocate_scratch(SELF_TEST_SCRATCH).unwrap();
    (region(), region())
}

#[test]
fn a_device_that_computes_sha256_passes_the_self_test() {
    let bench = Bench::new(Rig::new());
    let (mut input, mut output) = scratch(&bench);
    for _ in 0..2 {
        bench
            .kernels
            .self_test(&bench.stream, &mut input, &mut output)
            .unwrap();
    }
    assert_eq!(bench.rig.machine.calls(Function::cuLaunchKernel), 12);
}

#[test]
fn a_device_that_computes_nothing_fails_the_self_test() {
    for (nth, vector) in [
        (1, "the empty message"),
        (2, "few blocks"),
        (3, "few blocks"),
        (4, "many blocks"),
        (5, "many blocks"),
        (6, "an fs-verity descriptor"),
    ] {
        let bench = Bench::new(Rig::new());
        let (mut input, mut output) = scratch(&bench);
        // Right digests lie there from before: a launch without effect must not pass by them.
        let messages = [
            &b""[..],
            b"abc",
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        ];
        output.write(0, &messages.map(sha256).concat()).unwrap();
        let success = CUresult::CUDA_SUCCESS;
        bench
            .rig
            .machine
            .fail_nth(Function::cuLaunchKernel, nth, success);

        let error = bench
            .kernels
            .self_test(&bench.stream, &mut input, &mut output)
            .unwrap_err();

        assert!(
            matches!(error, Error::SelfTest { vector: named } if named == vector),
            "{error}"
        );
        assert!(error.is_fatal());
    }
}

#[test]
fn a_device_that_hashes_other_bytes_fails_the_self_test() {
    // The input of the second message test doesn't arrive: what is hashed is what was there before.
    let bench = Bench::new(Rig::new());
    let (mut input, mut output) = scratch(&bench);
    bench
        .kernels
        .self_test(&bench.stream, &mut input, &mut output)
        .unwrap();
    input.write(0, &[0; 256]).unwrap();
    let success = CUresult::CUDA_SUCCESS;
    bench
        .rig
        .machine
        .fail_nth(Function::cuMemcpyHtoDAsync_v2, 1, success);

    let error = bench
        .kernels
        .self_test(&bench.stream, &mut input, &mut output)
        .unwrap_err();

    assert!(matches!(error, Error::SelfTest { .. }), "{error}");
}

#[test]
fn scratch_that_is_too_small_for_the_self_test_is_an_error() {
    let bench = Bench::new(Rig::new());
    let (mut input, mut output) = scratch(&bench);
    let mut small = bench.rig.allocator.allocate_scratch(100).unwrap();
    for result in [
        bench
            .kernels
            .self_test(&bench.stream, &mut small, &mut output),
        bench.kernels.self_test(&bench.stream, &mut input, &mut {
            bench.rig.allocator.allocate_scratch(50).unwrap()
        }),
    ] {
        assert!(
            matches!(result, Err(Error::OutOfBounds { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn a_driver_without_lazy_loading_control_is_enough() {
    use vram_sim::{DeviceModel, Machine};

    let builder = Machine::builder()
        .device(DeviceModel::small(64 << 20))
        .driver_version(12_000);
    let bench = Bench::new(Rig::on(
        builder.build().unwrap(),
        AllocatorConfig::default(),
    ));
    let data = noise(1, 4096);

    let digests = bench.hash(&data, 0, 0, HashStart::default(), 32);

    assert!(digests == expected(&[], &data));
    assert_eq!(bench.rig.device.properties().driver_version, 12_000);
    assert_eq!(bench.rig.machine.calls(Function::cuFuncLoad), 0);
}

#[test]
fn events_order_streams_and_tell_when_work_is_done() {
    let bench = Bench::new(Rig::new());
    let other = Stream::new(&bench.rig.device).unwrap();
    let done = Event::new(&bench.rig.device).unwrap();
    assert!(done.is_done().unwrap(), "nothing was recorded");
    let mut first = bench.region(&[1; 4096]);
    let mut digests = bench.region(&[0; 32]);

    // On one stream the data, on the other its digest.
    first
        .span_mut(0, 4096)
        .unwrap()
        .fill(&bench.stream, 7)
        .unwrap();
    bench.stream.record(&done).unwrap();
    other.wait_for(&done).unwrap();
    let span = first.span(0, 4096).unwrap();
    let mut into = digests.span_mut(0, 32).unwrap();
    bench
        .kernels
        .hash_blocks(&other, span, 0, HashStart::default(), &mut into)
        .unwrap();
    assert!(!done.is_done().unwrap(), "nobody has waited yet");
    other.synchronize().unwrap();

    assert!(done.is_done().unwrap());
    done.synchronize().unwrap();
    let mut digest = [0; 32];
    digests.read_back(0, &mut digest).unwrap();
    assert!(digest == sha256(&[7; 4096]));
}

#[test]
fn kernels_may_go_before_their_work_is_done() {
    let bench = Bench::new(Rig::new());
    let data = noise(2, 4096);
    let region = bench.region(&data);
    let mut digests = bench.region(&[0; 32]);
    let kernels = Kernels::load(&bench.rig.device).unwrap();
    let stream = Stream::new(&bench.rig.device).unwrap();
    let span = region.span(0, 4096).unwrap();
    let mut into = digests.span_mut(0, 32).unwrap();
    kernels
        .hash_blocks(&stream, span, 0, HashStart::default(), &mut into)
        .unwrap();

    drop((kernels, stream));

    bench.rig.device.synchronize().unwrap();
    let mut digest = [0; 32];
    digests.read_back(0, &mut digest).unwrap();
    assert!(digest == sha256(&data));
}
