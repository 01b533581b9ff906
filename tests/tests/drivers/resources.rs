//! Errors leave everything usable, and nothing piles up.

use vram_alloc::{Error, Event, Kernels, StagingRing, Stream};

use crate::subject::{Subject, platforms};

fn assert_usable(subject: &Subject) {
    let mut region = subject.allocator().allocate(4096).unwrap();
    region.write(0, &[3; 4096]).unwrap();
    let frozen = region.freeze().unwrap();
    let mut read = [0; 4096];
    frozen.read_back(0, &mut read).unwrap();
    assert_eq!(read, [3; 4096]);
    assert!(!subject.device.is_lost());
    assert_eq!(subject.device.release_failures(), 0);
}

/// Covers: FN-3.4.
#[test]
fn after_running_out_of_memory_the_device_is_usable() {
    for subject in platforms().iter() {
        let allocator = subject.allocator();
        let total = subject.device.properties().total_memory.0;

        let error = allocator.allocate(total + 1).unwrap_err();

        assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
        assert_eq!(allocator.capacity().unwrap().regions, 0);
        assert_usable(subject);
    }
}

/// Covers: MS-004.
#[test]
fn after_an_invalid_operation_the_device_is_usable() {
    for subject in platforms().iter() {
        let mut region = subject.allocator().allocate(100).unwrap();

        assert!(region.write(100, &[1]).is_err());
        assert!(region.span(u64::MAX, 1).is_err());
        assert!(subject.allocator().allocate(0).is_err());
        assert!(StagingRing::new(&subject.device, 1, 1).is_err());
        assert!(subject.platform.open(usize::MAX).is_err());

        assert_usable(subject);
    }
}

/// Covers: TS-1.2.
#[test]
fn nothing_piles_up_over_many_rounds() {
    for subject in platforms().iter() {
        let allocator = subject.allocator();
        for _ in 0..20 {
            let stream = Stream::new(&subject.device).unwrap();
            let event = Event::new(&subject.device).unwrap();
            let mut region = allocator.allocate(5000).unwrap();
            region.span_mut(0, 5000).unwrap().fill(&stream, 1).unwrap();
            stream.record(&event).unwrap();
            event.synchronize().unwrap();
            assert!(event.is_done().unwrap());
            drop(region.freeze().unwrap());
        }
        let capacity = allocator.capacity().unwrap();
        assert_eq!((capacity.regions, capacity.frees), (0, 20));
        assert_usable(subject);
    }
}

#[test]
fn handles_keep_the_device_open() {
    for subject in platforms().iter() {
        let device = subject.platform.open(0).unwrap();
        let kernels = Kernels::load(&device).unwrap();
        let stream = Stream::new(&device).unwrap();
        let mut ring = StagingRing::new(&device, 2, 4096).unwrap();
        let allocator = vram_alloc::Allocator::new(&device, subject.config()).unwrap();
        let mut region = allocator.allocate(8192).unwrap();
        drop((device, allocator));

        let mut buffer = ring.acquire().unwrap();
        buffer.bytes_mut().fill(5);
        let sent = ring.send(buffer, 4096, &mut region, 0).unwrap();
        drop(sent);
        drop((ring, stream, kernels));

        let mut read = [0; 4096];
        region.read_back(0, &mut read).unwrap();
        assert_eq!(read, [5; 4096]);
        drop(region);
        assert_usable(subject);
    }
}

#[test]
fn dropping_with_work_still_queued_is_safe() {
    for subject in platforms().iter() {
        let stream = Stream::new(&subject.device).unwrap();
        let allocator = subject.allocator();
        for _ in 0..5 {
            let mut region = allocator.allocate(4 << 20).unwrap();
            region
                .span_mut(0, 4 << 20)
                .unwrap()
                .fill(&stream, 0xee)
                .unwrap();
            drop(region);
        }
        stream.synchronize().unwrap();
        assert_usable(subject);
    }
}
