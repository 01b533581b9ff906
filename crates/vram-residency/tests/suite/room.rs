//! Sizes and room: what is refused before a byte is read, and what just fits.

use std::io::Read;
use std::sync::Arc;

use crate::support::*;
use crate::witness::{blind, card, process, unsound};
use vram_alloc::Error as Memory;
use vram_residency::{Error, Manager, SealRequest};
use vram_sim::fleet::Kind;
use vram_sim::{Machine, SimulatedWitness};

/// Covers: MS-003, RP-004, EX-1.4.
#[test]
fn test_seal_model_zero_size_rejected() {
    let machine = machine();
    let manager = manager(&machine);
    machine.record();

    let error = manager
        .seal(SealRequest::bytes(id("nothing"), &[]))
        .unwrap_err();

    assert!(matches!(error, Error::Empty { .. }), "{error:?}");
    assert!(error.to_string().contains("nothing has 0 bytes"), "{error}");
    assert!(!error.is_retriable() && !error.is_fatal());
    assert!(
        machine.stop_recording().is_empty(),
        "the driver was not called"
    );
}

/// Covers: FN-4.3, IV-001.
#[test]
fn test_valid_model_size() {
    let machine = machine();
    let manager = builder()
        .max_shard_size(4096)
        .build(&platform(&machine))
        .unwrap();

    assert!(manager.seal(SealRequest::bytes(id("one"), &[1])).is_ok());
    assert!(
        manager
            .seal(SealRequest::bytes(id("all"), &weights(4096)))
            .is_ok()
    );
    assert!(
        manager
            .seal(SealRequest::bytes(id("over"), &weights(4097)))
            .is_err()
    );
    assert_eq!(
        vram_residency::DEFAULT_MAX_SHARD_SIZE,
        100 * 1024 * 1024 * 1024
    );
}

/// Covers: IV-001.
#[test]
fn the_default_maximum_is_100_gib_to_the_byte() {
    let machine = machine();
    let manager = manager(&machine);
    let seal_of = |size| {
        let mut never_read = Unreadable;
        manager.seal(SealRequest::reader(id("huge"), &mut never_read, size))
    };

    let at_most = seal_of(100 << 30).unwrap_err();
    let over = seal_of((100 << 30) + 1).unwrap_err();

    assert!(matches!(at_most, Error::NoRoom(_)), "{at_most:?}");
    assert!(matches!(over, Error::TooLarge { .. }), "{over:?}");
}

/// Covers: RP-003.
#[test]
fn test_size_exceeds_max_rejected() {
    let machine = machine();
    let manager = builder()
        .max_shard_size(1 << 20)
        .build(&platform(&machine))
        .unwrap();
    let mut never_read = Unreadable;
    machine.record();

    let request = SealRequest::reader(id("huge"), &mut never_read, (1 << 20) + 1);
    let error = manager.seal(request).unwrap_err();

    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("1048577") && text.contains("1048576"),
        "{text}"
    );
    assert!(text.contains("max_shard_size"), "{text}");
    assert!(
        machine.stop_recording().is_empty(),
        "the driver was not called"
    );
}

/// Covers: VP-004.
#[test]
fn a_model_that_cannot_fit_is_refused_before_a_byte_is_read() {
    let machine = machine();
    let manager = manager(&machine);
    let available = manager.capacity().unwrap().available.0;

    let mut never_read = Unreadable;
    let request = SealRequest::reader(id("huge"), &mut never_read, available + 1);
    let error = manager.seal(request).unwrap_err();

    let Error::NoRoom(room) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (room.needed.0, room.available.0),
        (available + (2 << 20), available)
    );
    assert!(error.is_retriable());
    assert!(seal_fits(&manager), "the next one that fits is sealed");
}

/// Covers: FN-4.3.
#[test]
fn a_size_that_overflows_when_rounded_up_is_refused() {
    let machine = machine();
    let manager = builder()
        .max_shard_size(u64::MAX)
        .build(&platform(&machine))
        .unwrap();

    for size in [u64::MAX, u64::MAX - 1, u64::MAX / 2 + 1] {
        let error = manager.seal(SealRequest::reader(id("huge"), &mut Unreadable, size));
        let error = error.unwrap_err();
        assert!(
            matches!(error, Error::Memory(Memory::SizeOverflow { .. })),
            "{error:?}"
        );
    }
}

/// Covers: FN-4.3.
#[test]
fn a_model_that_fills_the_capacity_exactly_is_sealed() {
    let machine = machine();
    let manager = manager(&machine);
    let available = manager.capacity().unwrap().available.0;
    let mut zeros = std::io::repeat(1).take(available);

    let shard = manager
        .seal(SealRequest::reader(id("full"), &mut zeros, available))
        .unwrap();

    assert_eq!(manager.capacity().unwrap().available.0, 0);
    let _verified = manager.verify(&shard).unwrap();
    assert!(!seal_fits(&manager), "nothing more fits");
    drop(shard);
    assert_eq!(manager.capacity().unwrap().available.0, available);
}

#[test]
fn the_budget_covers_scratch_and_shards() {
    let machine = machine();
    let manager = builder()
        .budget(20 << 20)
        .build(&platform(&machine))
        .unwrap();
    let capacity = manager.capacity().unwrap();
    assert_eq!(
        (capacity.scratch.0, capacity.available.0),
        (16 << 20, 4 << 20)
    );

    let _shard = seal(&manager, "one", &weights(4 << 20));

    let error = manager
        .seal(SealRequest::bytes(id("two"), &[1]))
        .unwrap_err();
    assert!(
        error.to_string().contains("of a budget of 20971520 bytes"),
        "{error}"
    );
}

/// Asks for so much room, for bytes that nobody may read.
fn refused(manager: &Manager, size: u64) -> Error {
    let mut never_read = Unreadable;
    let request = SealRequest::reader(id("huge"), &mut never_read, size);
    manager.seal(request).unwrap_err()
}

/// A card that others have filled but for 4 MiB beside the library's scratch.
fn shared(witness: SimulatedWitness) -> (Machine, Manager) {
    let machine = card();
    let builder = builder().witness(Arc::new(witness));
    let manager = builder.build(&platform(&machine)).unwrap();
    let available = manager.capacity().unwrap().available.0;
    let others = available.saturating_sub(4 << 20);
    machine.set_other_use(0, others).unwrap();
    (machine, manager)
}

/// Covers: VP-004.
#[test]
fn who_holds_the_memory_is_named_with_those_that_hold_most_first() {
    let witness = unsound(|card| {
        card.processes = Some(vec![
            process(11, Some("small"), Some(1 << 20)),
            process(12, Some("gre\u{1b}[31medy\n"), Some(30 << 20)),
            process(13, None, None),
        ]);
    });
    let (_machine, manager) = shared(witness);

    let error = refused(&manager, 10 << 20);

    let Error::NoRoom(room) = &error else {
        panic!("{error:?}")
    };
    assert_eq!((room.needed.0, room.available.0), (10 << 20, 4 << 20));
    assert_eq!((room.budget, room.over_budget), (None, false));
    assert_eq!(room.total.unwrap().0, DEVICE);
    assert_eq!(room.used.unwrap().0, 0);
    let holders = room.holders.as_deref().unwrap();
    let pids: Vec<_> = holders.iter().map(|holder| holder.pid).collect();
    assert_eq!(pids, [13, 12, 11], "unknown first: it may be the most");
    let text = error.to_string();
    for part in [
        "10485760",
        "4194304",
        "small (pid 11): 1048576",
        "a process (pid 13): an unknown number",
        r"gre\u{1b}[31medy\n (pid 12)",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains('\u{1b}') && !text.contains('\n'), "{text}");
    assert!(error.is_retriable() && !error.is_fatal() && !error.is_policy_refusal());
    assert_eq!(manager.stop_reason(), None);
    assert!(seal_fits(&manager));
}

#[test]
fn that_nobody_knows_who_holds_the_memory_is_said() {
    let (_machine, manager) = shared(blind());

    let error = refused(&manager, 10 << 20);

    let Error::NoRoom(room) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(room.holders, None);
    let text = error.to_string();
    assert!(text.contains("could not be observed: "), "{text}");
}

#[test]
fn a_budget_that_stands_in_the_way_is_said_to() {
    let machine = machine();
    let manager = builder()
        .budget(24 << 20)
        .build(&platform(&machine))
        .unwrap();
    let _shard = seal(&manager, "one", &weights(4 << 20));

    let error = refused(&manager, 6 << 20);

    let Error::NoRoom(room) = &error else {
        panic!("{error:?}")
    };
    assert_eq!((room.needed.0, room.available.0), (6 << 20, 4 << 20));
    assert_eq!((room.budget.unwrap().0, room.over_budget), (24 << 20, true));
    assert_eq!(room.used.unwrap().0, 4 << 20);
    assert!(error.to_string().ends_with("raise the budget"), "{error}");
}

#[test]
fn a_folder_that_cannot_fit_says_what_all_of_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    for (name, size) in [("a.gguf", 3 << 20), ("b.gguf", 30 << 20)] {
        // Not models at all: reading one would say so.
        let file = std::fs::File::create(folder.path().join(name)).unwrap();
        file.set_len(size).unwrap();
    }
    let witness = unsound(|card| {
        card.processes = Some(vec![process(12, Some("trainer"), Some(40 << 20))]);
    });
    let (_machine, manager) = shared(witness);
    let set = vram_residency::ModelFolder::open(folder.path()).unwrap();

    let error = manager.seal_folder(&set, None).unwrap_err();

    let Error::NoRoom(room) = &error else {
        panic!("{error:?}")
    };
    assert_eq!((room.needed.0, room.available.0), (34 << 20, 4 << 20));
    assert!(error.to_string().contains("trainer (pid 12)"), "{error}");
}

/// Covers: VP-004.
#[test]
fn on_a_card_that_three_others_use_each_of_them_is_named() {
    let shared = Kind::Shared.build().unwrap();
    let builder = builder().witness(shared.witness.clone());
    let manager = builder.build(&platform(&shared.machine)).unwrap();
    let available = manager.capacity().unwrap().available.0;

    let error = refused(&manager, available + 1);

    let Error::NoRoom(room) = &error else {
        panic!("{error:?}")
    };
    let others = room.holders.iter().flatten().filter(|holder| !holder.ours);
    let pids: Vec<_> = others.map(|holder| holder.pid).collect();
    assert_eq!(pids.len(), 3, "{error}");
    for pid in pids {
        assert!(
            error.to_string().contains(&format!("(pid {pid})")),
            "{error}"
        );
    }
}
