//! A kernel that touches memory it must not ends its launch, not the process; anything else that does so
//! still ends the process.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};

use rustix::mm::MprotectFlags;
use vram_kernels::cpu::Access;
use vram_kernels::{Message, Row, Sha256BlocksArgs, Sha256MessagesArgs, VerityDigestsArgs};

use crate::memory::{Arena, POISON, changed, launch};
use crate::reference::{block_digest, data};

/// Names the test that a child process was started for.
const CHILD: &str = "VRAM_KERNELS_TEST_CHILD";

/// Where a kernel that reads a block may fault first: a compression's 64 bytes are read in any order.
fn first_chunk(block: u64) -> std::ops::Range<u64> {
    block..block + 64
}

#[test]
fn reading_past_mapped_memory_is_a_read_fault_at_that_address() {
    let bytes = data(8192);
    let (source, at) = Arena::ending_with(&bytes);
    let (target, to) = Arena::ending_with(&[POISON; 96]);
    // One byte more than there is.
    let args = Sha256BlocksArgs::new(source.address(at.start), 8193, target.address(to.start));
    let fault = launch(&args, 1).unwrap_err();
    assert_eq!(fault.access(), Access::Read);
    assert_eq!(fault.address(), source.address(at.end));
    // The blocks before it were done, in the grid's order.
    let digests = &target.bytes()[to];
    assert_eq!(digests[..32], block_digest(&[], &bytes, 0));
    assert_eq!(digests[32..64], block_digest(&[], &bytes, 1));
    assert!(digests[64..].iter().all(|byte| *byte == POISON));
}

#[test]
fn reading_protected_memory_is_a_read_fault() {
    let (source, at) = Arena::starting_with(&data(4 * 4096), 0);
    source.protect_from(source.page(), MprotectFlags::empty());
    let (target, to) = Arena::ending_with(&[POISON; 128]);
    let args = Sha256BlocksArgs::new(source.address(at.start), 4 * 4096, target.address(to.start));
    let fault = launch(&args, 1).unwrap_err();
    assert_eq!(fault.access(), Access::Read);
    assert!(first_chunk(source.address(source.page())).contains(&fault.address()));
    source.protect_from(source.page(), MprotectFlags::READ);
    launch(&args, 1).unwrap();
}

#[test]
fn writing_to_frozen_memory_is_a_write_fault_and_changes_nothing() {
    let (source, at) = Arena::ending_with(&data(4096));
    let (target, to) = Arena::ending_with(&[POISON; 32]);
    target.protect_from(0, MprotectFlags::READ);
    let args = Sha256BlocksArgs::new(source.address(at.start), 4096, target.address(to.start));
    let fault = launch(&args, 1).unwrap_err();
    assert_eq!(fault.access(), Access::Write);
    assert_eq!(fault.address(), target.address(to.start));
    assert!(target.bytes().iter().all(|byte| *byte == POISON));
}

#[test]
fn the_messages_kernel_is_guarded_too() {
    let (source, at) = Arena::ending_with(b"abc");
    let (table, table_at) = Arena::ending_with(
        &Message {
            offset: 0,
            length: 3,
        }
        .to_bytes(),
    );
    let (target, to) = Arena::ending_with(&[POISON; 32]);
    let address = |arena: &Arena, at: std::ops::Range<usize>| arena.address(at.start);
    let good = Sha256MessagesArgs::new(
        address(&source, at),
        3,
        address(&table, table_at),
        1,
        address(&target, to),
    );
    launch(&good, 1).unwrap();
    for (bad, access) in [
        (changed(&good, |args| args.data = 64), Access::Read),
        (changed(&good, |args| args.messages = 64), Access::Read),
        (changed(&good, |args| args.digests = 64), Access::Write),
    ] {
        let fault = launch(&bad, 1).unwrap_err();
        assert_eq!(fault.access(), access);
        assert!((64..96).contains(&fault.address()));
    }
    launch(&good, 1).unwrap();
}

#[test]
fn the_verity_digests_kernel_is_guarded_too() {
    let (root, root_at) = Arena::ending_with(&[7; 32]);
    let row = Row {
        address: root.address(root_at.start),
        length: 3,
    };
    let (table, table_at) = Arena::ending_with(&row.to_bytes());
    let (stray, stray_at) = Arena::ending_with(&Row { address: 64, ..row }.to_bytes());
    let (target, to) = Arena::ending_with(&[POISON; 32]);
    let digests = target.address(to.start);
    let good = VerityDigestsArgs::new(table.address(table_at.start), 1, digests);
    launch(&good, 1).unwrap();
    let astray = stray.address(stray_at.start);
    for (bad, access) in [
        (changed(&good, |args| args.rows = 64), Access::Read),
        (changed(&good, |args| args.rows = astray), Access::Read),
        (changed(&good, |args| args.digests = 64), Access::Write),
    ] {
        let fault = launch(&bad, 1).unwrap_err();
        assert_eq!(fault.access(), access);
        assert!((64..96).contains(&fault.address()));
    }
}

#[test]
fn an_address_that_no_page_can_have_is_a_fault() {
    let (target, to) = Arena::ending_with(&[POISON; 32]);
    for nowhere in [0, 1 << 63, u64::MAX - 4095] {
        let args = Sha256BlocksArgs::new(nowhere, 4096, target.address(to.start));
        launch(&args, 1).expect_err("nothing is mapped there");
    }
}

#[test]
fn memory_without_its_file_is_a_read_fault() {
    let file =
        rustix::fs::memfd_create("vram-kernels-test", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let page = rustix::param::page_size();
    // SAFETY: a fresh mapping that replaces none. The file is empty, so every access to it raises SIGBUS.
    let base = unsafe {
        rustix::mm::mmap(
            std::ptr::null_mut(),
            page,
            rustix::mm::ProtFlags::READ,
            rustix::mm::MapFlags::SHARED,
            &file,
            0,
        )
    }
    .unwrap();
    let (target, to) = Arena::ending_with(&[POISON; 32]);
    let address = base.expose_provenance() as u64;
    let fault = launch(
        &Sha256BlocksArgs::new(address, 4096, target.address(to.start)),
        1,
    )
    .expect_err("the file has no such byte");
    assert_eq!(fault.access(), Access::Read);
    assert!(first_chunk(address).contains(&fault.address()));
    // SAFETY: the mapping made above, which nothing refers to any more.
    unsafe { rustix::mm::munmap(base, page) }.unwrap();
}

#[test]
fn faults_on_many_threads_at_once_stay_with_their_own_launches() {
    let bytes = data(4096);
    let (source, at) = Arena::ending_with(&bytes);
    let (frozen, _) = Arena::starting_with(&[], 0);
    frozen.protect_from(0, MprotectFlags::READ);
    let expected = block_digest(&[], &bytes, 0);
    let good = Sha256BlocksArgs::new(source.address(at.start), 4096, 0);
    let past = changed(&good, |args| args.data = source.address(at.end));
    let into = changed(&good, |args| args.digests = frozen.address(0));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let (target, to) = Arena::ending_with(&[POISON; 32]);
                let digests = target.address(to.start);
                for _ in 0..200 {
                    let past = changed(&past, |args| args.digests = digests);
                    assert_eq!(launch(&past, 1).unwrap_err().access(), Access::Read);
                    assert_eq!(launch(&into, 1).unwrap_err().access(), Access::Write);
                    launch(&changed(&good, |args| args.digests = digests), 1).unwrap();
                    assert_eq!(target.bytes()[to.clone()], expected);
                }
            });
        }
    });
    assert!(frozen.bytes().iter().all(|byte| *byte == POISON));
}

/// A launch that faults, so that the handler is in place and has been used.
fn guarded_fault() {
    launch(&Sha256BlocksArgs::new(64, 4096, 64), 1).expect_err("nothing is mapped there");
}

/// A launch that comes to its end.
fn good_launch() {
    let (source, at) = Arena::ending_with(&data(4096));
    let (target, to) = Arena::ending_with(&[POISON; 32]);
    let args = Sha256BlocksArgs::new(source.address(at.start), 4096, target.address(to.start));
    launch(&args, 1).unwrap();
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the named test of this binary again, in a child process. If that faults over and over instead of
/// dying, it runs out of processor time.
fn child(test: &str) -> Output {
    Command::new("sh")
        .args(["-c", r#"ulimit -t 30; exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap()
}

/// Reads an address that nothing is mapped at.
fn stray_read() {
    let nowhere = std::ptr::without_provenance::<u8>(64);
    // SAFETY: none: this is the mistake whose consequence the test looks at, in a process of its own.
    unsafe { nowhere.read_volatile() };
}

#[test]
fn a_fault_after_a_launch_that_faulted_kills_the_process() {
    if is_child() {
        guarded_fault();
        stray_read();
        return;
    }
    let output = child("faults::a_fault_after_a_launch_that_faulted_kills_the_process");
    assert_eq!(output.status.signal(), Some(11), "{output:?}");
}

#[test]
fn a_fault_after_a_launch_that_succeeded_kills_the_process() {
    if is_child() {
        good_launch();
        stray_read();
        return;
    }
    let output = child("faults::a_fault_after_a_launch_that_succeeded_kills_the_process");
    assert_eq!(output.status.signal(), Some(11), "{output:?}");
}

#[test]
fn a_fault_on_another_thread_is_not_taken_for_a_launchs() {
    if is_child() {
        guarded_fault();
        std::thread::spawn(stray_read).join().unwrap();
        return;
    }
    let output = child("faults::a_fault_on_another_thread_is_not_taken_for_a_launchs");
    assert_eq!(output.status.signal(), Some(11), "{output:?}");
}

/// Uses up the stack.
#[expect(unconditional_recursion, reason = "the overflow is the point")]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    recurse(depth + 1).wrapping_add(frame[0])
}

#[test]
fn a_stack_overflow_is_still_reported_by_the_run_time() {
    if is_child() {
        guarded_fault();
        std::hint::black_box(recurse(0));
        return;
    }
    let output = child("faults::a_stack_overflow_is_still_reported_by_the_run_time");
    assert_eq!(output.status.signal(), Some(6), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("has overflowed its stack"), "{told}");
}
