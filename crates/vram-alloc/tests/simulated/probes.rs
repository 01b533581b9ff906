//! The probes, the stopwatch and pinned buffers: what is timed was done, and nothing else.

use std::time::Duration;

use sha2::block_api::compress256;
use vram_alloc::{
    Error, OpenRegion, PinnedBuffer, Probes, ReadSum, StagingRing, Stopwatch, Stream,
};

use crate::rig::{Rig, noise, staged_leftovers, two_devices};

struct Bench {
    rig: Rig,
    probes: Probes,
    stream: Stream,
}

impl Bench {
    fn new() -> Self {
        let rig = Rig::new();
        let probes = Probes::load(&rig.device).unwrap();
        let stream = Stream::new(&rig.device).unwrap();
        Self {
            rig,
            probes,
            stream,
        }
    }

    fn region(&self, bytes: &[u8]) -> OpenRegion {
        let mut region = self.rig.allocator.allocate(bytes.len() as u64).unwrap();
        region.write(0, bytes).unwrap();
        region
    }

    fn contents(region: &OpenRegion) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(region.len()).unwrap()];
        region.read_back(0, &mut bytes).unwrap();
        bytes
    }
}

#[test]
fn every_thread_that_has_room_for_its_state_compresses() {
    let bench = Bench::new();
    let mut states = bench.region(&[0x5a; 32 * 3 + 8]);

    let mut room = states.span_mut(0, 32 * 3 + 8).unwrap();
    let done = bench.probes.compress(&bench.stream, 1, &mut room).unwrap();
    bench.stream.synchronize().unwrap();

    assert_eq!(done, 3);
    let written = Bench::contents(&states);
    assert_eq!(written[96..], [0x5a; 8]);
    for (thread, state) in (0_u32..).zip(written[..96].chunks(32)) {
        // The first message: the thread's index, and a constant more with each word.
        let block: Vec<u8> = (0..16_u32)
            .map(|word| thread.wrapping_add(word.wrapping_mul(0x9e37_79b9)))
            .flat_map(u32::to_be_bytes)
            .collect();
        let mut expected = vram_kernels::SHA256_INITIAL_STATE;
        compress256(&mut expected, &[block.try_into().unwrap()]);
        let words: Vec<u8> = expected
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        assert_eq!(state, words, "thread {thread}");
    }
}

#[test]
fn reading_shows_every_byte_and_nothing_outside() {
    let bench = Bench::new();
    for len in [1, 15, 16, 4097, 100_000] {
        let bytes = noise(3, len + 64);
        let data = bench.region(&bytes);
        let mut sums = bench.region(&[0xff; 16 * 50 + 3]);

        let span = data.span(16, len as u64).unwrap();
        let mut room = sums.span_mut(0, 16 * 50 + 3).unwrap();
        let read = bench.probes.read(&bench.stream, span, &mut room).unwrap();
        bench.stream.synchronize().unwrap();

        assert_eq!(read, len as u64);
        let written = Bench::contents(&sums);
        assert_eq!(
            ReadSum::of_sums(&written[..16 * 50]),
            ReadSum::of_data(&bytes[16..16 + len]),
            "{len} bytes"
        );
        assert_eq!(written[16 * 50..], [0xff; 3]);
    }
}

#[test]
fn frozen_memory_can_be_read() {
    let bench = Bench::new();
    let bytes = noise(4, 5000);
    let frozen = bench.region(&bytes).freeze().unwrap();
    let mut sums = bench.region(&[0; 160]);

    let mut room = sums.span_mut(0, 160).unwrap();
    let span = frozen.span(0, 5000).unwrap();
    bench.probes.read(&bench.stream, span, &mut room).unwrap();
    bench.stream.synchronize().unwrap();

    let written = Bench::contents(&sums);
    assert_eq!(ReadSum::of_sums(&written), ReadSum::of_data(&bytes));
}

#[test]
fn room_for_the_whole_device_is_in_proportion_to_it() {
    let bench = Bench::new();
    let multiprocessors = u64::try_from(bench.rig.device.properties().multiprocessors).unwrap();

    let (states, sums) = (bench.probes.states_lens(), bench.probes.sums_len());

    assert!(multiprocessors > 0);
    for states in states {
        assert!(states > 0 && states % (multiprocessors * 128 * 32) == 0);
    }
    assert!(states.is_sorted() && states[0] < states[3]);
    assert!(sums > 0 && sums % (multiprocessors * 128 * 16) == 0);
}

#[test]
fn ranges_that_are_not_aligned_are_refused() {
    let bench = Bench::new();
    let data = bench.region(&[1; 64]);
    let mut sums = bench.region(&[0; 64]);
    let refused = |result: Result<u64, Error>| {
        assert!(matches!(result, Err(Error::BadSetting { value: 8, .. })));
    };

    let mut askew = sums.span_mut(8, 48).unwrap();
    refused(bench.probes.compress(&bench.stream, 1, &mut askew));
    let span = data.span(0, 64).unwrap();
    refused(bench.probes.read(&bench.stream, span, &mut askew));
    let mut straight = sums.span_mut(0, 64).unwrap();
    let span = data.span(8, 16).unwrap();
    refused(bench.probes.read(&bench.stream, span, &mut straight));
}

#[test]
fn room_for_no_thread_is_no_work() {
    let bench = Bench::new();
    let data = bench.region(&[1; 64]);
    let mut region = bench.region(&[7; 64]);
    let mut room = region.span_mut(0, 15).unwrap();

    let span = data.span(0, 64).unwrap();
    assert_eq!(
        bench.probes.read(&bench.stream, span, &mut room).unwrap(),
        0
    );
    assert_eq!(
        bench.probes.compress(&bench.stream, 1, &mut room).unwrap(),
        0
    );
    assert_eq!(Bench::contents(&region), [7; 64]);
}

#[test]
fn things_of_another_device_are_refused() {
    let machine = two_devices();
    let one = Rig::on(machine, vram_alloc::AllocatorConfig::default());
    let other = one.platform.open(1).unwrap();
    let probes = Probes::load(&one.device).unwrap();
    let (here, there) = (
        Stream::new(&one.device).unwrap(),
        Stream::new(&other).unwrap(),
    );
    let data = one.secret_region(64);
    let mut region = one.secret_region(64);
    let mut room = region.span_mut(0, 64).unwrap();
    let wrong = |result: Result<(), Error>| {
        assert!(matches!(result, Err(Error::WrongDevice { .. })));
    };

    wrong(probes.compress(&there, 1, &mut room).map(drop));
    let span = data.span(0, 64).unwrap();
    wrong(probes.read(&there, span, &mut room).map(drop));
    let mut buffer = PinnedBuffer::new(&other, 64).unwrap();
    wrong(buffer.upload(&here, &mut room));
    wrong(buffer.download(&there, span));
    wrong(Stopwatch::new(&other).unwrap().start(&here));
}

#[test]
fn a_stopwatch_times_what_lies_between_its_marks() {
    let bench = Bench::new();
    let mut region = bench.region(&vec![0; 8 << 20]);
    let mut watch = Stopwatch::new(&bench.rig.device).unwrap();

    watch.start(&bench.stream).unwrap();
    let mut span = region.span_mut(0, 8 << 20).unwrap();
    span.fill(&bench.stream, 1).unwrap();
    watch.stop(&bench.stream).unwrap();
    let filled = watch.elapsed().unwrap();

    assert!(filled > Duration::ZERO);
    assert_eq!(filled, watch.elapsed().unwrap(), "it can be read again");
    assert!(Bench::contents(&region).iter().all(|byte| *byte == 1));
}

#[test]
fn a_stopwatch_that_was_not_stopped_has_nothing_to_say() {
    let bench = Bench::new();
    let mut watch = Stopwatch::new(&bench.rig.device).unwrap();
    let refused = |watch: &Stopwatch, marks: u64| {
        let refusal = watch.elapsed();
        assert!(
            matches!(refusal, Err(Error::BadSetting { value, .. }) if value == marks),
            "{refusal:?}"
        );
    };

    refused(&watch, 0);
    watch.stop(&bench.stream).unwrap();
    refused(&watch, 0);
    watch.start(&bench.stream).unwrap();
    refused(&watch, 1);
    watch.stop(&bench.stream).unwrap();
    watch.elapsed().unwrap();
    watch.start(&bench.stream).unwrap();
    refused(&watch, 1);
}

#[test]
fn pinned_copies_arrive_both_ways_in_order() {
    let bench = Bench::new();
    let bytes = noise(5, 9000);
    let mut region = bench.region(&vec![0; 10_000]);
    let mut buffer = PinnedBuffer::new(&bench.rig.device, 9000).unwrap();
    assert_eq!(buffer.len(), 9000);
    buffer.bytes_mut().unwrap().copy_from_slice(&bytes);

    let mut span = region.span_mut(100, 9000).unwrap();
    buffer.upload(&bench.stream, &mut span).unwrap();
    // On another stream, which has to wait for the first.
    let second = Stream::new(&bench.rig.device).unwrap();
    let mut span = region.span_mut(0, 4).unwrap();
    buffer.upload(&second, &mut span).unwrap();
    buffer.bytes_mut().unwrap().fill(0xee);
    let span = region.span(100, 5000).unwrap();
    buffer.download(&second, span).unwrap();

    let held = buffer.bytes().unwrap();
    assert_eq!(held[..5000], bytes[..5000]);
    assert!(held[5000..].iter().all(|byte| *byte == 0xee));
    assert_eq!(Bench::contents(&region)[..4], bytes[..4]);
}

#[test]
fn a_buffer_is_wiped_once_what_goes_up_from_it_has_gone() {
    let bench = Bench::new();
    let bytes = noise(6, 4096);
    let mut region = bench.region(&[0; 4096]);
    let mut buffer = PinnedBuffer::new(&bench.rig.device, 4096).unwrap();
    buffer.bytes_mut().unwrap().copy_from_slice(&bytes);
    let mut span = region.span_mut(0, 4096).unwrap();
    buffer.upload(&bench.stream, &mut span).unwrap();
    let queued = bench.rig.machine.live().queued_work;
    assert!(queued > 0, "the copy is to be pending");

    drop(buffer);

    assert_eq!(Bench::contents(&region), bytes);
}

#[test]
fn a_range_longer_than_the_buffer_is_refused() {
    let bench = Bench::new();
    let mut region = bench.region(&[0; 65]);
    let mut buffer = PinnedBuffer::new(&bench.rig.device, 64).unwrap();

    let mut span = region.span_mut(0, 65).unwrap();
    let up = buffer.upload(&bench.stream, &mut span);
    let span = region.span(0, 65).unwrap();
    let down = buffer.download(&bench.stream, span);

    assert!(matches!(up, Err(Error::OutOfBounds { .. })));
    assert!(matches!(down, Err(Error::OutOfBounds { .. })));
    let none = PinnedBuffer::new(&bench.rig.device, 0);
    assert!(matches!(none, Err(Error::BadSetting { .. })));
}

#[test]
fn a_dropped_pinned_buffer_leaves_nothing() {
    let bench = Bench::new();
    let region = bench.rig.secret_region(4096);
    let mut buffer = PinnedBuffer::new(&bench.rig.device, 4096).unwrap();
    let span = region.span(0, 4096).unwrap();
    buffer.download(&bench.stream, span).unwrap();
    assert!(buffer.bytes().unwrap().iter().any(|byte| *byte != 0));

    drop(region);
    drop(buffer);

    assert_eq!(staged_leftovers(&bench.rig.machine), 0);
    assert_eq!(bench.rig.secret_pages(), 0);
}

#[test]
fn page_locked_memory_is_counted_with_the_most_there_was() {
    let bench = Bench::new();
    let device = &bench.rig.device;
    let counted = || {
        let pinned = device.pinned_host();
        (pinned.now.0, pinned.most.0)
    };
    assert_eq!(counted(), (0, 0));

    let buffer = PinnedBuffer::new(device, 4096).unwrap();
    let ring = StagingRing::new(device, 2, 8192).unwrap();
    assert_eq!(counted(), (20_480, 20_480));
    drop(ring);
    assert_eq!(counted(), (4096, 20_480));
    drop(buffer);
    assert_eq!(counted(), (0, 20_480));
}
