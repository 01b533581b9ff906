//! No address shows in anything that can be printed.

use std::fmt::Debug;

use vram_alloc::{
    AllocatorConfig, Bytes, Event, HashStart, Kernels, MappedBuffer, MemoryKind, PinnedBuffer,
    Probes, Readback, RowTables, StagingRing, Stopwatch, Stream,
};
use vram_raw::Raw;
use vram_sys::{CUresult, Function};

use crate::rig::{BOTH, Rig};

fn shown(value: &dyn Debug) -> [String; 4] {
    [
        format!("{value:?}"),
        format!("{value:#?}"),
        format!("{value:x?}"),
        format!("{value:#X?}"),
    ]
}

/// Every form in which a number could be recognised.
fn forms(address: u64) -> [String; 3] {
    [
        format!("{address}"),
        format!("{address:x}"),
        format!("{address:X}"),
    ]
}

/// Covers: MS-001.
#[test]
fn no_address_is_in_any_debug_output() {
    for mechanism in BOTH {
        let rig = Rig::with_mechanism(mechanism);
        let device = &rig.device;
        let kernels = Kernels::load(device).unwrap();
        let stream = Stream::new(device).unwrap();
        let event = Event::new(device).unwrap();
        let mut ring = StagingRing::new(device, 3, 4096).unwrap();
        let mut open = rig.allocator.allocate(4096).unwrap();
        let mut other = rig.allocator.allocate(4096).unwrap();
        let buffer = ring.acquire().unwrap();
        let sent = ring.acquire().unwrap();
        let sent = ring.send(sent, 5, &mut open, 0).unwrap();
        let frozen = rig.allocator.allocate(1).unwrap().freeze().unwrap();
        let address = frozen.expose_address(0, 1).unwrap();
        let addresses = rig.machine.addresses();
        assert!(
            addresses.contains(&address.as_raw()),
            "the search would find nothing"
        );
        assert!(addresses.len() >= 6, "{}", addresses.len());

        let mut texts: Vec<String> = Vec::new();
        let span = open.span(8, 16).unwrap();
        let observed = frozen.observe().unwrap();
        let printed: [&dyn Debug; 24] = [
            &rig.platform,
            device,
            device.properties(),
            &device.memory().unwrap(),
            &rig.allocator,
            &rig.allocator.capacity().unwrap(),
            &AllocatorConfig::default(),
            &mechanism,
            &open,
            &frozen,
            &frozen.freezing(),
            &span,
            &other.span_mut(8, 16).unwrap(),
            &stream,
            &event,
            &ring,
            &buffer,
            &sent,
            &kernels,
            &HashStart::default(),
            &address,
            &observed,
            &MemoryKind::Device,
            &Bytes(7),
        ];
        texts.extend(printed.into_iter().flat_map(shown));
        let serialised = [
            serde_json::to_string(device.properties()).unwrap(),
            serde_json::to_string(&rig.allocator.capacity().unwrap()).unwrap(),
            serde_json::to_string(&observed).unwrap(),
        ];
        texts.extend(serialised);
        for function in Function::ALL {
            rig.machine
                .fail_always(*function, CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let errors = [
            open.write(0, &[1]).unwrap_err(),
            open.write(u64::MAX, &[1]).unwrap_err(),
            frozen.span(1, 1).unwrap_err(),
            rig.allocator.allocate(1).unwrap_err(),
            rig.platform.open(0).unwrap_err(),
        ];
        rig.machine.clear_faults();
        for error in &errors {
            texts.push(error.to_string());
            texts.extend(shown(error));
        }

        for text in &texts {
            for form in addresses.iter().flat_map(|address| forms(*address)) {
                assert!(!text.contains(&form), "{form} is in {text}");
            }
        }
        assert_eq!(format!("{address:?}"), "DeviceAddress(..)");
        drop((buffer, sent));
    }
}

/// What has no field worth printing says at least what it is, and what is loaded or held says how much.
#[test]
fn every_type_says_what_it_is() {
    let rig = Rig::new();
    let device = &rig.device;
    let stream = Stream::new(device).unwrap();
    let mut ring = StagingRing::new(device, 2, 4096).unwrap();
    let mut open = rig.allocator.allocate(4096).unwrap();
    let buffer = ring.acquire().unwrap();
    let sent = ring.acquire().unwrap();
    let sent = ring.send(sent, 5, &mut open, 0).unwrap();
    let raw = Raw::new(rig.machine.driver());
    let foreign = raw.take(2 << 20);
    // SAFETY: the test frees it after dropping what adopted it, and uses nothing of it.
    let adopted = unsafe { device.adopt(foreign, 2 << 20) }.unwrap();
    let fate = open.fate();

    let expected: [(&dyn Debug, &str); 15] = [
        (
            &Kernels::load(device).unwrap(),
            "Kernels { lost: false, .. }",
        ),
        (&Probes::load(device).unwrap(), "Probes { lost: false, .. }"),
        (&stream, "Stream { .. }"),
        (&Event::new(device).unwrap(), "Event { .. }"),
        (
            &Stopwatch::new(device).unwrap(),
            "Stopwatch { running: Idle, .. }",
        ),
        (
            &PinnedBuffer::new(device, 7).unwrap(),
            "PinnedBuffer { len: 7, .. }",
        ),
        (
            &Readback::new(device, 7).unwrap(),
            "Readback { room: 7, .. }",
        ),
        (
            &RowTables::new(&rig.allocator, 2, 3).unwrap(),
            "RowTables { tables: 2, rows: 3, .. }",
        ),
        (
            &MappedBuffer::new(device, 7).unwrap(),
            "MappedBuffer { len: Bytes(7), device: ",
        ),
        (&adopted, "ExternalRegion { len: Bytes(2097152), device: "),
        (
            &buffer,
            "StagingBuffer { buffer: Buffer { len: 4096, .. } }",
        ),
        (&sent, "Sent { len: 5, .. }"),
        (&open.span(8, 16).unwrap(), "Span { len: 16, .. }"),
        (&fate, "Fate(None)"),
        (&open, "OpenRegion { len: Bytes(4096), "),
    ];
    for (value, says) in expected {
        let shown = format!("{value:?}");
        assert!(shown.starts_with(says), "{shown}");
    }
    assert_eq!(
        format!("{:?}", open.span_mut(8, 16).unwrap()),
        "SpanMut { len: 16, .. }"
    );
    drop((buffer, sent, adopted));
    raw.free(foreign);
    drop(open);
    assert_eq!(format!("{fate:?}"), "Fate(Some(Wiped))");
}

#[test]
fn debug_output_still_says_something() {
    let rig = Rig::new();
    let region = rig.allocator.allocate(5).unwrap();

    let text = format!("{region:?}");

    assert!(
        text.starts_with("OpenRegion { len: Bytes(5), mapped: Bytes(2097152)"),
        "{text}"
    );
    assert!(text.contains("Simulated GPU"), "{text}");
    assert!(format!("{:?}", region.freeze().unwrap()).starts_with("FrozenRegion"));
}
