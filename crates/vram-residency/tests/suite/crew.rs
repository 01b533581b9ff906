//! Several threads upload one shard: whatever one of them meets, all end, and nothing is left.

use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use vram_residency::{Error, HostHashing, Manager, Progress, SealRequest, SealedShard, Stage};
use vram_seal::VerityDigest;
use vram_sim::{AllocationKind, Machine};
use vram_sys::{CUresult, Function};

use crate::support::*;

const ALL: [HostHashing; 3] = [
    HostHashing::ContentAndVerity,
    HostHashing::Verity,
    HostHashing::Trusted,
];

/// Bytes of each chunk.
const CHUNK: usize = 524_288;

/// A manager whose seals have several threads, each with chunks of one group.
fn crewed(machine: &Machine) -> Manager {
    let builder = builder().staging(64, CHUNK);
    builder.build(&platform(machine)).unwrap()
}

fn seal_so(
    manager: &Manager,
    bytes: &[u8],
    hashing: HostHashing,
    progress: &dyn Progress,
) -> Result<SealedShard, Error> {
    let request = SealRequest::bytes(id("shard"), bytes)
        .hashing(hashing)
        .expect_verity(VerityDigest::of(bytes))
        .progress(progress);
    manager.seal(request)
}

/// Pinned buffers of staging, and how many of them hold anything but zeros. What a measurement brings
/// back is pinned too, in much smaller ones.
fn staged(machine: &Machine) -> (u64, usize) {
    let views = machine.allocations(0).unwrap();
    let pinned = || {
        let staging = |view: &&vram_sim::AllocationView| {
            view.kind == AllocationKind::PinnedHost && view.size >= 512 << 10
        };
        views.iter().filter(staging)
    };
    let holds = |view: &&vram_sim::AllocationView| {
        let len = usize::try_from(view.size).unwrap();
        machine
            .peek(view.id, 0, len)
            .unwrap()
            .iter()
            .any(|byte| *byte != 0)
    };
    (
        pinned().map(|view| view.size).sum(),
        pinned().filter(holds).count(),
    )
}

#[track_caller]
fn require_nothing_left(machine: &Machine, manager: &Manager, bytes: &[u8]) {
    assert_eq!(manager.capacity().unwrap().used.0, 0);
    assert!(manager.shard_ids().is_empty());
    assert_eq!(staged(machine).1, 0, "buffers that hold something");
    // Looking for one takes longer than sealing all: two of them will do.
    for chunk in [&bytes[..CHUNK], &bytes[bytes.len().saturating_sub(CHUNK)..]] {
        let pages = machine.physical_pages_containing(&chunk[..64]);
        assert_eq!(pages.unwrap(), 0);
    }
}

/// Nobody listens.
struct Deaf;

impl Progress for Deaf {
    fn advanced(&self, _: Stage, _: u64, _: u64) {}
}

#[test]
fn a_crew_has_a_thread_for_each_core_as_far_as_there_are_chunks() {
    let bytes = weights(12 * CHUNK);
    let cores = std::thread::available_parallelism().unwrap().get();
    for (hashing, expected) in [
        // The content digest goes through one core at a time: a few threads keep that busy.
        (
            HostHashing::ContentAndVerity,
            cores.saturating_mul(2).min(3),
        ),
        (HostHashing::Verity, cores.min(12)),
        (HostHashing::Trusted, cores.min(12)),
    ] {
        let machine = machine();
        let manager = crewed(&machine);
        let before = machine.calls(Function::cuStreamCreate);

        let _shard = seal_so(&manager, &bytes, hashing, &Deaf).unwrap();

        // Each thread has a stream of its own.
        let streams = machine
            .calls(Function::cuStreamCreate)
            .saturating_sub(before);
        assert_eq!(streams, expected as u64, "{hashing}");
    }
}

#[test]
fn a_copy_that_fails_in_any_thread_ends_the_upload() {
    let bytes = weights(12 * CHUNK);
    let refused = CUresult::CUDA_ERROR_INVALID_VALUE;
    for hashing in ALL {
        for nth in [1, 2, 7, 12] {
            let machine = machine();
            let manager = crewed(&machine);
            machine.fail_nth(Function::cuMemcpyHtoDAsync_v2, nth, refused);

            let error = seal_so(&manager, &bytes, hashing, &Deaf).unwrap_err();

            assert!(
                matches!(error, Error::Memory(vram_alloc::Error::Driver { .. })),
                "{hashing}, copy {nth}: {error:?}"
            );
            require_nothing_left(&machine, &manager, &bytes);
            assert!(seal_so(&manager, &bytes, hashing, &Deaf).is_ok());
        }
    }
}

#[test]
fn whatever_call_fails_once_the_upload_ends_and_leaves_nothing() {
    let bytes = weights(5 * CHUNK);
    for function in [
        Function::cuStreamCreate,
        Function::cuEventCreate,
        Function::cuMemHostAlloc,
        Function::cuEventRecord,
        Function::cuEventSynchronize,
        Function::cuStreamSynchronize,
    ] {
        for nth in 1..6 {
            let machine = machine();
            let manager = crewed(&machine);
            machine.fail_nth(function, nth, CUresult::CUDA_ERROR_INVALID_VALUE);

            let sealed = seal_so(&manager, &bytes, HostHashing::Verity, &Deaf);

            match sealed {
                // It met nothing that mattered, or didn't come to that call.
                Ok(shard) => assert!(manager.verify(&shard).is_ok()),
                Err(error) => {
                    assert!(!error.is_fatal(), "{function} {nth}: {error:?}");
                    machine.clear_faults();
                    require_nothing_left(&machine, &manager, &bytes);
                }
            }
        }
    }
}

/// Does something once, when so many bytes are up.
struct Once<F> {
    at: u64,
    done: AtomicBool,
    act: F,
}

impl<F: Fn() + Send + Sync> Once<F> {
    fn new(at: usize, act: F) -> Self {
        Self {
            at: u64::try_from(at).unwrap(),
            done: AtomicBool::new(false),
            act,
        }
    }
}

impl<F: Fn() + Send + Sync> Progress for Once<F> {
    fn advanced(&self, stage: Stage, done: u64, _: u64) {
        if stage == Stage::Upload && done >= self.at && !self.done.swap(true, Ordering::Relaxed) {
            (self.act)();
        }
    }
}

#[test]
fn a_device_lost_in_the_middle_is_fatal_and_nobody_hangs() {
    let bytes = weights(16 * CHUNK);
    for hashing in ALL {
        let machine = machine();
        let manager = crewed(&machine);
        let lose = Once::new(5 * CHUNK, || machine.lose_context(0).unwrap());

        let error = seal_so(&manager, &bytes, hashing, &lose).unwrap_err();

        assert!(
            matches!(error, Error::Memory(vram_alloc::Error::DeviceLost { .. })),
            "{hashing}: {error:?}"
        );
        assert!(manager.stop_reason().unwrap().contains("lost"));
        assert_eq!(staged(&machine).1, 0, "buffers that hold something");
        let again = seal_so(&manager, &bytes, hashing, &Deaf).unwrap_err();
        assert!(matches!(again, Error::Stopped { .. }), "{again:?}");
    }
}

#[test]
fn a_reader_that_fails_in_the_middle_is_named_with_how_far_it_came() {
    struct Fails<'a>(&'a [u8]);
    impl Read for Fails<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Err(std::io::Error::other("the disk is on fire"));
            }
            self.0.read(buffer)
        }
    }
    let bytes = weights(9 * CHUNK);
    for hashing in ALL {
        let machine = machine();
        let manager = crewed(&machine);
        let size = u64::try_from(bytes.len()).unwrap();
        let mut fails = Fails(&bytes[..2_500_000]);

        let request = SealRequest::reader(id("shard"), &mut fails, size)
            .hashing(hashing)
            .expect_verity(VerityDigest::of(&bytes));
        let error = manager.seal(request).unwrap_err();

        let Error::Read { read, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(read, 2_500_000);
        require_nothing_left(&machine, &manager, &bytes);
        assert!(seal_so(&manager, &bytes, hashing, &Deaf).is_ok());
    }
}

#[test]
fn what_panics_in_one_thread_ends_the_others_and_reaches_the_caller() {
    let bytes = weights(16 * CHUNK);
    for hashing in ALL {
        let machine = machine();
        let manager = crewed(&machine);
        let panics = Once::new(5 * CHUNK, || panic!("the listener panics"));

        let sealed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            seal_so(&manager, &bytes, hashing, &panics).is_ok()
        }));

        let panic = sealed.unwrap_err();
        assert_eq!(*panic.downcast::<&str>().unwrap(), "the listener panics");
        require_nothing_left(&machine, &manager, &bytes);
        assert!(seal_so(&manager, &bytes, hashing, &Deaf).is_ok());
    }
}

#[test]
fn after_a_panic_in_one_thread_the_others_take_no_more_chunks() {
    /// Panics at the fifth chunk, without the time that it takes to print that, and is slow from then on.
    #[derive(Default)]
    struct Panics(AtomicUsize);
    impl Progress for Panics {
        fn advanced(&self, stage: Stage, _: u64, _: u64) {
            assert_eq!(stage, Stage::Upload);
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0..4 => {}
                4 => std::panic::resume_unwind(Box::new("the listener panics")),
                _ => std::thread::sleep(Duration::from_millis(40)),
            }
        }
    }
    let bytes = weights(40 * CHUNK);
    let machine = machine();
    let manager = crewed(&machine);
    let panics = Panics::default();

    let sealed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        seal_so(&manager, &bytes, HostHashing::Verity, &panics).is_ok()
    }));

    sealed.unwrap_err();
    let told = panics.0.into_inner();
    assert!(told < 40, "all {told} chunks were carried");
    require_nothing_left(&machine, &manager, &bytes);
}

/// Covers: HI-2.
#[test]
fn a_file_changed_under_the_threads_hands_is_refused() {
    let bytes = weights(16 * CHUNK);
    type Change = (&'static str, fn(&std::fs::File));
    let changes: [Change; 3] = [
        ("cut short", |file| file.set_len(6 << 20).unwrap()),
        ("grown", |file| file.set_len(16 << 20).unwrap()),
        ("rewritten", |mut file| {
            std::io::Write::write_all(&mut file, b"other").unwrap();
        }),
    ];
    for hashing in ALL {
        for (how, change) in changes {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("weights.bin");
            std::fs::write(&path, &bytes).unwrap();
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            let machine = machine();
            let manager = crewed(&machine);
            let meddler = Once::new(3 * CHUNK, || change(&file));

            let request = SealRequest::file(id("shard"), &path)
                .hashing(hashing)
                .expect_verity(VerityDigest::of(&bytes))
                .progress(&meddler);
            let error = manager.seal(request).unwrap_err();

            assert!(matches!(error, Error::Changed { .. }), "{how}: {error:?}");
            require_nothing_left(&machine, &manager, &bytes);
        }
    }
}

#[test]
fn progress_counts_up_to_the_size_once_for_each_stage() {
    #[derive(Default)]
    struct Heard(Mutex<Vec<(Stage, u64, u64)>>);
    impl Progress for Heard {
        fn advanced(&self, stage: Stage, done: u64, total: u64) {
            self.0.lock().unwrap().push((stage, done, total));
        }
    }
    let bytes = weights(11 * CHUNK + 77);
    let size = u64::try_from(bytes.len()).unwrap();
    for hashing in ALL {
        let machine = machine();
        let heard = Heard::default();

        let _shard = seal_so(&crewed(&machine), &bytes, hashing, &heard).unwrap();

        let heard = heard.0.into_inner().unwrap();
        for stage in [Stage::Upload, Stage::Measure] {
            let done: Vec<u64> = heard
                .iter()
                .filter(|(of, _, total)| *of == stage && *total == size)
                .map(|(_, done, _)| *done)
                .collect();
            assert!(done.is_sorted(), "{hashing}, {stage}: {done:?}");
            assert_eq!(done.last(), Some(&size), "{hashing}, {stage}");
            assert!(done.first() > Some(&0), "{hashing}, {stage}: {done:?}");
        }
        assert_eq!(
            heard.iter().filter(|(of, ..)| *of == Stage::Upload).count(),
            12
        );
    }
}

#[test]
fn a_small_shard_pins_little() {
    let machine = machine();
    let builder = Manager::builder()
        .key(vram_seal::SealKey::from_bytes(&KEY).unwrap())
        .allow_simulated();
    let manager = builder.build(&platform(&machine)).unwrap();
    assert_eq!(staged(&machine), (0, 0), "nothing before the first seal");

    let _shard = seal(&manager, "small", &weights(1 << 20));
    let _other = seal(&manager, "other", &weights(5000));

    assert_eq!(staged(&machine), (2 << 20, 0), "one buffer, used twice");
}

#[test]
fn seals_in_many_threads_share_what_may_be_pinned() {
    let machine = machine();
    let limit = 6;
    let manager = builder()
        .staging(limit, CHUNK)
        .build(&platform(&machine))
        .unwrap();
    let total = manager.capacity().unwrap().available.0;
    let pinned = Once::new(0, || {});

    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (manager, machine, pinned) = (&manager, &machine, &pinned);
            scope.spawn(move || {
                for (round, hashing) in ALL.into_iter().enumerate() {
                    let bytes = weights(700_000 + thread * 1000 + round);
                    let request = SealRequest::bytes(id(&format!("shard-{thread}")), &bytes)
                        .hashing(hashing)
                        .expect_verity(VerityDigest::of(&bytes))
                        .progress(pinned);
                    let shard = manager.seal(request).unwrap();
                    assert!(staged(machine).0 <= (limit * CHUNK) as u64);
                    assert!(manager.verify(&shard).is_ok());
                }
            });
        }
    });

    assert_eq!(manager.capacity().unwrap().available.0, total);
    assert_eq!(staged(&machine).1, 0);
    drop(manager);
    assert!(machine.live().is_empty(), "{:?}", machine.live());
}

#[test]
fn staging_that_makes_no_pair_is_refused_when_the_manager_is_made() {
    let machine = machine();
    for (buffers, len) in [(0, 1), (1, 1 << 20), (2, 0), (2, usize::MAX)] {
        let error = builder()
            .staging(buffers, len)
            .build(&platform(&machine))
            .unwrap_err();

        assert!(
            matches!(error, Error::Memory(vram_alloc::Error::BadSetting { .. })),
            "{error:?}"
        );
        assert!(error.to_string().contains("staging buffers"), "{error}");
    }
}
