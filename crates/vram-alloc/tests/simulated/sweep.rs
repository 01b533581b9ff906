//! Every driver call of a whole path is made to fail once: each on a fresh machine, with each of
//! several codes.
//!
//! Each time there is no panic; the path ends in an error that names the call, or goes on where
//! [`tolerated`] says so; and once everything is dropped, nothing is held but what [`left_by`] says,
//! and no byte of the secret is anywhere.

use std::slice;

use vram_alloc::{
    Allocator, AllocatorConfig, Device, Error, Event, HashStart, Kernels, Mechanism, PinnedBuffer,
    Platform, Probes, ReadSum, Readback, RowTables, SELF_TEST_SCRATCH, StagingRing, Stopwatch,
    Stream,
};
use vram_raw::Raw;
use vram_sim::{Call, DeviceModel, Execution, Live, Machine};
use vram_sys::{CUresult, Function};

use crate::rig::{PAGE, SECRET, secret};

/// Page-locked memory that the machine has: what the path needs, to the page.
const PINNABLE: usize = 5 * 4096;

const INVALID: CUresult = CUresult::CUDA_ERROR_INVALID_VALUE;
const OUT_OF_MEMORY: CUresult = CUresult::CUDA_ERROR_OUT_OF_MEMORY;
/// Ends the context.
const STICKY: CUresult = CUresult::CUDA_ERROR_ILLEGAL_ADDRESS;

/// Device memory that it has: what the path needs, too.
const MEMORY: u64 = 4 * PAGE;

/// Work runs when somebody waits for it. A failure that only says that the device is lost leaves a
/// device that works, and must not leave it work on memory that is gone.
fn machine(code: CUresult) -> Machine {
    let execution = if code == STICKY {
        Execution::Eager
    } else {
        Execution::Lazy
    };
    let builder = Machine::builder().device(DeviceModel::small(MEMORY));
    let builder = builder.pinnable_memory(PINNABLE as u64).threads(1);
    builder.execution(execution).build().unwrap()
}

/// What outlives a path, to look at the books afterwards; and where its parts began.
#[derive(Default)]
struct Kept {
    device: Option<Device>,
    allocator: Option<Allocator>,
    parts: Vec<(&'static str, usize)>,
}

/// Everything that the crate does, once.
fn path(machine: &Machine, mechanism: Mechanism, kept: &mut Kept) -> Result<(), Error> {
    let mut part = |name| kept.parts.push((name, machine.call_log().len()));
    part("opening");
    let platform = Platform::with_driver(machine.driver())?;
    platform.devices()?;
    let device = platform.open(0)?;
    kept.device = Some(device.clone());
    part("allocating");
    let config = AllocatorConfig::default().with_mechanism(mechanism);
    let allocator = Allocator::new(&device, config)?;
    kept.allocator = Some(allocator.clone());
    allocator.check_all([1, 2])?;
    let mut region = allocator.allocate(9000)?;
    let mut input = allocator.allocate_scratch(SELF_TEST_SCRATCH)?;
    let mut output = allocator.allocate_scratch(SELF_TEST_SCRATCH)?;
    let mut tables = RowTables::new(&allocator, 1, 3)?;
    assert_eq!(allocator.capacity()?.regions, 4);
    assert_eq!(machine.bytes_in_use(0).unwrap(), 4 * PAGE);
    part("staging");
    let bytes = secret(9000);
    let mut ring = StagingRing::new(&device, 2, 4096)?;
    region.write(8192, &bytes[8192..])?;
    for (index, piece) in bytes[..8192].chunks(4096).enumerate() {
        let mut buffer = ring.acquire()?;
        buffer.bytes_mut().copy_from_slice(piece);
        let sent = ring.send(buffer, 4096, &mut region, (index * 4096) as u64)?;
        ring.give_back(sent);
    }
    let third = ring.acquire()?;
    let sent = ring.send(third, 1, &mut region, 0)?;
    ring.wipe()?;
    ring.give_back(sent);
    ring.drain()?;
    part("kernels");
    let stream = Stream::urgent(&device)?;
    let mut readback = Readback::new(&device, 64)?;
    let event = Event::new(&device)?;
    let kernels = Kernels::load(&device)?;
    kernels.self_test(&stream, &mut input, &mut output)?;
    part("freezing");
    let frozen = region.freeze()?;
    part("observing");
    frozen.observe()?;
    part("measuring");
    let mut digests = output.span_mut(0, 96)?;
    digests.fill(ring.stream(), 0xa5)?;
    ring.stream().record(&event)?;
    stream.wait_for(&event)?;
    event.is_done()?;
    event.synchronize()?;
    let (start, data) = (HashStart::default(), frozen.span(0, 9000)?);
    kernels.hash_blocks(&stream, data, 0, start, &mut digests)?;
    stream.synchronize()?;
    let mut measured = [0; 96];
    output.read_back(0, &mut measured)?;
    let mut read = vec![0; 9000];
    frozen.read_back(0, &mut read)?;
    assert!(read == bytes);
    let first = ring::digest::digest(&ring::digest::SHA256, &bytes[..4096]);
    assert!(measured[..32] == *first.as_ref());
    let pieces = [frozen.span(0, 4096)?, frozen.span(4096, 4096)?];
    let mut digests = output.span_mut(0, 64)?;
    kernels.hash_rows(&stream, &mut tables, 0, &pieces, 1, start, &mut digests)?;
    readback.start(&stream, output.span(0, 64)?)?;
    assert!(readback.bytes()? == &measured[..64]);
    let roots = [(output.span(0, 32)?, 4096)];
    let mut digests = input.span_mut(0, 32)?;
    kernels.verity_digests(&stream, &mut tables, 0, &roots, &[], &mut digests)?;
    stream.synchronize()?;
    part("probing");
    let probes = Probes::load(&device)?;
    let mut watch = Stopwatch::new(&device)?;
    let mut pinned = PinnedBuffer::new(&device, 4096)?;
    watch.start(&stream)?;
    probes.compress(&stream, 1, &mut output.span_mut(0, 64)?)?;
    probes.read(&stream, frozen.span(0, 9000)?, &mut output.span_mut(0, 64)?)?;
    pinned.download(&stream, frozen.span(0, 4096)?)?;
    pinned.upload(&stream, &mut input.span_mut(0, 4096)?)?;
    watch.stop(&stream)?;
    watch.elapsed()?;
    assert!(pinned.bytes()? == &bytes[..4096]);
    let mut sums = [0; 64];
    output.read_back(0, &mut sums)?;
    assert_eq!(ReadSum::of_sums(&sums), ReadSum::of_data(&bytes));
    part("wiping");
    let open = frozen.wipe()?;
    part("dropping");
    drop((open, ring, kernels, stream, event, input, output));
    drop((tables, readback));
    drop((probes, watch, pinned));
    part("closing");
    Ok(())
}

/// A call as it is made to fail.
#[derive(Clone, Copy, Debug)]
struct Struck {
    /// Its place among all calls, from 1.
    place: usize,
    function: Function,
    /// The function itself, or, of entering a context, what it is entered for.
    purpose: Function,
    part: &'static str,
    code: CUresult,
}

impl Struck {
    fn is_sticky(self) -> bool {
        self.code == STICKY
    }

    /// The calls of a path that nothing failed in.
    fn all(mechanism: Mechanism, code: CUresult) -> Vec<Self> {
        let machine = machine(code);
        machine.record();
        let mut kept = Kept::default();
        path(&machine, mechanism, &mut kept).unwrap();
        let parts = core::mem::take(&mut kept.parts);
        drop(kept);
        let calls = machine.stop_recording();
        assert!(machine.live().is_empty(), "{:?}", machine.live());
        assert_eq!(machine.physical_pages_containing(SECRET).unwrap(), 0);
        let struck = |(index, call): (usize, &Call)| {
            let enters = call.function == Function::cuCtxPushCurrent_v2;
            Self {
                place: index + 1,
                function: call.function,
                purpose: calls[index + usize::from(enters)].function,
                part: parts.iter().rfind(|(_, from)| *from <= index).unwrap().0,
                code,
            }
        };
        calls.iter().enumerate().map(struck).collect()
    }
}

/// How a path goes on after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tolerated {
    /// It ends in an error that names the call.
    No,
    /// As if nothing had happened.
    Yes,
    /// Some calls of the function, or where nothing follows that would notice.
    Perhaps,
}

/// Which failures a path goes on after.
fn tolerated(struck: Struck) -> Tolerated {
    // Drops can't report; what they try once more succeeds.
    if matches!(struck.part, "dropping" | "closing") {
        return Tolerated::Yes;
    }
    match struck.purpose {
        // Observations may be missing. The attributes of a device that may not are the minority.
        Function::cuDeviceGetPCIBusId => Tolerated::Yes,
        Function::cuDeviceGetAttribute => Tolerated::Perhaps,
        // The context can't be left: logged, counted, and no reason to stop, unless it is lost.
        Function::cuCtxPopCurrent_v2 if struck.is_sticky() => Tolerated::Perhaps,
        Function::cuCtxPopCurrent_v2 => Tolerated::Yes,
        _ if struck.is_sticky() => Tolerated::No,
        // Older devices have no answer; the granularity is 2 MiB everywhere.
        Function::cuMemGetAllocationGranularity if struck.function == struck.purpose => {
            Tolerated::Yes
        }
        // Observations may be missing here too, and identities of plain allocations.
        Function::cuPointerGetAttribute | Function::cuPointerGetAttributes
            if struck.function == struck.purpose =>
        {
            Tolerated::Yes
        }
        Function::cuMemGetAccess if struck.part == "observing" => Tolerated::Yes,
        _ => Tolerated::No,
    }
}

/// What a failure may leave behind: only ever the one thing that the failing call was to release.
fn left_by(struck: Struck) -> Live {
    let mut left = Live::default();
    match struck.purpose {
        // The context's last release destroys these, which counts as left behind.
        Function::cuStreamDestroy_v2
        | Function::cuEventDestroy_v2
        | Function::cuModuleUnload
        | Function::cuMemFreeHost => left.left_behind = 1,
        Function::cuDevicePrimaryCtxRelease_v2 => left.contexts = 1,
        // The driver may have freed it: of a lost device nobody can find out, so it isn't freed again. It goes
        // with its context.
        Function::cuMemFree_v2 if struck.is_sticky() => left.left_behind = 1,
        _ => {}
    }
    left
}

/// How many releases are counted as failed while the device is still open.
fn counted(struck: Struck, left: Live) -> u64 {
    let left_the_context = struck.function == Function::cuCtxPopCurrent_v2;
    u64::from(left_the_context || !left.is_empty())
}

fn check(struck: Struck, mechanism: Mechanism) {
    let machine = machine(struck.code);
    machine.fail_call(struck.place as u64, struck.code);
    let mut kept = Kept::default();

    let result = path(&machine, mechanism, &mut kept);

    let expected = tolerated(struck);
    match &result {
        Ok(()) => assert_ne!(expected, Tolerated::No, "{struck:?} was not noticed"),
        Err(error) => {
            assert_ne!(expected, Tolerated::Yes, "{struck:?}: {error}");
            assert_names(error, struck);
            assert_shows_no_address(error, &machine);
        }
    }
    let left = left_by(struck);
    if let Some(device) = &kept.device
        && machine.pending_faults() == 0
    {
        let failures = counted(struck, left);
        assert_eq!(device.release_failures(), failures, "{struck:?}");
    }
    if let Some(allocator) = &kept.allocator
        && machine.pending_faults() == 0
        && !allocator.device().is_lost()
    {
        let capacity = allocator.capacity().unwrap();
        assert_eq!((capacity.used.0, capacity.scratch.0), (0, 0), "{struck:?}");
        assert_eq!(capacity.unreleased.0, 0, "{struck:?}");
        assert_eq!(capacity.available, capacity.total, "{struck:?}");
        assert_eq!(capacity.allocations, capacity.frees, "{struck:?}");
    }
    drop(kept);
    assert_eq!(machine.pending_faults(), 0, "{struck:?} was not struck");
    assert_eq!(machine.live(), left, "{struck:?}");
    let held = PAGE * left.plain_allocations as u64;
    assert_eq!(machine.bytes_in_use(0).unwrap(), held, "{struck:?}");
    assert_nothing_left(&machine, struck);
    assert_eq!(machine.bugs(), Vec::<String>::new());
}

fn assert_names(error: &Error, struck: Struck) {
    match error {
        Error::Driver { function, code, .. } => {
            assert_eq!((*function, *code), (struck.function, struck.code.0));
            assert!(!struck.is_sticky(), "{struck:?}: {error}");
        }
        Error::OutOfMemory { .. } => {
            let allocating = [Function::cuMemCreate, Function::cuMemAlloc_v2];
            assert!(allocating.contains(&struck.function), "{struck:?}: {error}");
            assert_eq!(struck.code, OUT_OF_MEMORY);
        }
        Error::DeviceLost { function, .. } => {
            assert_eq!(*function, struck.function);
            assert!(struck.is_sticky(), "{struck:?}: {error}");
        }
        other => panic!("{struck:?}: {other}"),
    }
}

fn assert_shows_no_address(error: &Error, machine: &Machine) {
    let text = format!("{error} {error:?}");
    for address in machine.addresses() {
        let shown = text.contains(&format!("{address}")) || text.contains(&format!("{address:x}"));
        assert!(!shown, "{text}");
    }
}

/// No byte of the secret is in memory that the next owner gets. (The machine could search all its
/// memory for it; this is faster, and the sweeps do it thousands of times.)
fn assert_nothing_left(machine: &Machine, struck: Struck) {
    let raw = Raw::new(machine.driver());
    let pinned = raw.take_host(PINNABLE);
    // SAFETY: the driver has given so many bytes there, which the simulator has initialised.
    let bytes = unsafe { slice::from_raw_parts(pinned.start(), PINNABLE) };
    assert!(!holds_secret(bytes), "{struck:?}");
    raw.free_host(pinned);
    // Of a lost device, memory is released as it is: the driver clears what it gives to others.
    if struck.is_sticky() {
        return;
    }
    let address = raw.take_all();
    assert_eq!(machine.bytes_in_use(0).unwrap(), MEMORY);
    for view in machine.allocations(0).unwrap() {
        for offset in (0..view.size).step_by(PIECE) {
            let piece = machine.peek(view.id, offset, PIECE).unwrap();
            assert!(!holds_secret(&piece), "{struck:?}");
        }
    }
    raw.free(address);
}

/// Bytes looked at together; device memory comes in multiples of it.
const PIECE: usize = 64 << 10;

fn holds_secret(bytes: &[u8]) -> bool {
    let suspect = |page: &&[u8]| page.contains(&SECRET[0]);
    let mut pages = bytes.chunks(4096).filter(suspect);
    pages.any(|page| page.windows(8).any(|window| window == &SECRET[..8]))
}

fn sweep(mechanism: Mechanism, code: CUresult) {
    let all = Struck::all(mechanism, code);
    assert!(all.len() > 200, "{} calls", all.len());
    for struck in all {
        check(struck, mechanism);
    }
}

/// Covers: MS-004.
#[test]
fn every_call_refused_once() {
    sweep(Mechanism::Auto, INVALID);
}

/// Covers: MS-004.
#[test]
fn every_call_out_of_memory_once() {
    sweep(Mechanism::Auto, OUT_OF_MEMORY);
}

/// Covers: MS-004.
#[test]
fn every_call_seeing_the_device_lost_once() {
    sweep(Mechanism::Auto, STICKY);
}

#[test]
fn every_call_refused_once_with_plain_memory() {
    sweep(Mechanism::Plain, INVALID);
}

#[test]
fn every_call_out_of_memory_once_with_plain_memory() {
    sweep(Mechanism::Plain, OUT_OF_MEMORY);
}

#[test]
fn every_call_seeing_the_device_lost_once_with_plain_memory() {
    sweep(Mechanism::Plain, STICKY);
}

/// Covers: MS-004.
#[test]
fn the_sweep_reaches_every_function_that_the_crate_calls() {
    let mut called: Vec<Function> = [Mechanism::Auto, Mechanism::Plain]
        .into_iter()
        .flat_map(|mechanism| Struck::all(mechanism, INVALID))
        .map(|struck| struck.function)
        .collect();
    called.sort_unstable();
    called.dedup();
    // Managed and registered memory is for tests, mapped memory to tell what it looks like, and memory that
    // others allocated has its own tests, with copies of it.
    let unused = [
        // Joining starts from a context that its caller made current: `devices` refuses its calls.
        Function::cuCtxGetCurrent,
        Function::cuCtxGetDevice,
        // Asked where there is another device: `devices` refuses its calls.
        Function::cuDeviceCanAccessPeer,
        // Called only once something has failed.
        Function::cuGetErrorName,
        Function::cuGetErrorString,
        Function::cuMemHostGetDevicePointer_v2,
        Function::cuMemHostRegister_v2,
        Function::cuMemHostUnregister,
        Function::cuMemAllocManaged,
        Function::cuMemcpyDtoDAsync_v2,
        Function::cuFuncGetAttribute,
    ];
    for function in Function::ALL {
        let expected = !unused.contains(function);
        assert_eq!(called.contains(function), expected, "{function}");
    }
}
