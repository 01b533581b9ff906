//! Disks that are slow, full, or fail, as a simulated disk can be.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vram_audit::{
    Appended, Ending, Error, Filter, Options, Overload, Records, Store, Trail, Urgency,
};

use crate::memory::{Disk, OnDisk, key, options, sources, verify};

fn begin(disk: &Arc<Disk>, options: Options) -> Trail {
    Trail::begin_in(OnDisk(Arc::clone(disk)), key(), options).unwrap()
}

fn events(disk: &Disk, name: &str) -> Vec<Value> {
    let filter = Filter {
        event: Some(name.to_owned()),
        ..Filter::default()
    };
    let files = disk.files();
    let records = Records::new(sources(&files)).map(Result::unwrap);
    records
        .filter(|record| filter.wants(record))
        .map(|record| Value::Object(record.event))
        .collect()
}

/// Covers: AU-2.
#[test]
fn a_held_up_disk_drops_routine_events_and_the_chain_counts_them() {
    let disk = Disk::new();
    let trail = begin(
        &disk,
        options()
            .queue(4, 1 << 20)
            .patience(Duration::ZERO)
            .overload(Overload::DropRoutine),
    );
    disk.hold();
    let outcomes: Vec<_> = (0..10)
        .map(|number| {
            trail
                .append(Urgency::Routine, &json!({"event": "e", "n": number}))
                .unwrap()
        })
        .collect();
    assert_eq!(outcomes[..4], [Appended::Queued; 4]);
    assert_eq!(outcomes[4..], [Appended::Dropped; 6]);
    assert_eq!(trail.dropped(), 6);
    disk.release();
    trail
        .append(Urgency::Critical, &json!({"event": "after"}))
        .unwrap();
    trail.close().unwrap();

    let verdict = verify(&disk.files());
    assert!(verdict.is_intact(), "{verdict:?}");
    assert_eq!(verdict.summary().dropped, 6);
    assert_eq!(events(&disk, "e").len(), 4);
    assert_eq!(events(&disk, "after").len(), 1);
    // What is written next to the disk that holds up may be begun while events are still dropped: gaps are one or more.
    let gaps = events(&disk, "gap");
    let counted = gaps.iter().map(|gap| gap["dropped"].as_u64().unwrap());
    assert_eq!(counted.sum::<u64>(), 6, "{gaps:?}");
}

#[test]
fn a_held_up_disk_stops_the_trail_if_it_was_told_to_stop() {
    let disk = Disk::new();
    let trail = begin(&disk, options().queue(2, 1 << 20).patience(Duration::ZERO));
    disk.hold();
    for _ in 0..2 {
        trail
            .append(Urgency::Routine, &json!({"event": "e"}))
            .unwrap();
    }
    let refused = trail
        .append(Urgency::Routine, &json!({"event": "e"}))
        .unwrap_err();
    assert!(
        matches!(refused, Error::Overrun { queued: 2, .. }),
        "{refused}"
    );
    disk.release();
    // For good, although the disk goes on.
    let refused = trail
        .append(Urgency::Critical, &json!({"event": "e"}))
        .unwrap_err();
    assert!(refused.is_final());
    assert!(trail.health().is_err());
    assert!(matches!(trail.close(), Err(Error::Overrun { .. })));
    let verdict = verify(&disk.files());
    assert_eq!(verdict.summary().ending, Ending::Overrun, "{verdict:?}");
    assert_eq!(events(&disk, "e").len(), 2);
}

/// Covers: AU-2.
#[test]
fn bytes_that_wait_are_bounded_as_well() {
    let disk = Disk::new();
    let trail = begin(
        &disk,
        options()
            .queue(1000, 100)
            .patience(Duration::ZERO)
            .overload(Overload::DropRoutine),
    );
    disk.hold();
    // One that is larger than the whole queue is let in where nothing waits.
    let large = json!({"event": "e".repeat(200)});
    assert_eq!(
        trail.append(Urgency::Routine, &large).unwrap(),
        Appended::Queued
    );
    assert_eq!(
        trail.append(Urgency::Routine, &large).unwrap(),
        Appended::Dropped
    );
    disk.release();
    trail.close().unwrap();
}

#[test]
fn a_critical_event_waits_for_the_disk_and_no_longer_than_the_bound() {
    let disk = Disk::new();
    let trail = begin(&disk, options().critical_patience(Duration::ZERO));
    disk.hold();
    let refused = trail
        .append(Urgency::Critical, &json!({"event": "e"}))
        .unwrap_err();
    assert!(matches!(refused, Error::TooSlow { .. }), "{refused}");
    let refused = trail
        .append(Urgency::Routine, &json!({"event": "e"}))
        .unwrap_err();
    assert!(matches!(refused, Error::TooSlow { .. }), "{refused}");
    disk.release();
}

/// Covers: AU-2.
#[test]
fn a_critical_event_returns_only_once_it_is_synced() {
    let disk = Disk::new();
    let trail = Arc::new(begin(&disk, options()));
    disk.hold();
    let waiting = std::thread::spawn({
        let trail = Arc::clone(&trail);
        move || trail.append(Urgency::Critical, &json!({"event": "marker"}))
    });
    disk.wait_until_someone_waits();
    assert!(!waiting.is_finished());
    disk.release();
    assert_eq!(waiting.join().unwrap().unwrap(), Appended::Durable);
    let synced = String::from_utf8(disk.synced().concat()).unwrap();
    assert!(synced.contains("marker"));
    assert!(
        synced
            .trim_end()
            .lines()
            .last()
            .unwrap()
            .contains(r#""reason":"critical""#)
    );
}

#[test]
fn a_routine_event_that_nothing_follows_is_signed_within_the_bound() {
    for bound in [Duration::ZERO, Duration::from_millis(1)] {
        let disk = Disk::new();
        let trail = begin(&disk, options().checkpoint_within(bound));
        for text in ["first", "second"] {
            trail
                .append(Urgency::Routine, &json!({"event": text}))
                .unwrap();
            assert!(disk.is_signed_in_time(text), "{text} within {bound:?}");
        }
        let files = disk.files();
        assert_eq!(
            verify(&files).summary().signed_through,
            verify(&files).summary().head.map(|head| head.seq)
        );
        trail.close().unwrap();
        assert!(verify(&disk.files()).is_intact());
        let checkpoints = events(&disk, "checkpoint");
        let reasons: Vec<_> = checkpoints.iter().map(|one| &one["reason"]).collect();
        assert_eq!(reasons, ["opened", "interval", "interval", "closed"]);
    }
}

#[test]
fn nothing_is_signed_for_the_time_before_the_bound_has_passed() {
    let disk = Disk::new();
    let trail = begin(&disk, options().checkpoint_within(Duration::MAX));
    for urgency in [Urgency::Routine, Urgency::Critical, Urgency::Routine] {
        trail.append(urgency, &json!({"event": "e"})).unwrap();
    }
    trail.close().unwrap();
    let checkpoints = events(&disk, "checkpoint");
    let reasons: Vec<_> = checkpoints.iter().map(|one| &one["reason"]).collect();
    assert_eq!(reasons, ["opened", "critical", "closed"]);
}

/// Covers: AU-2.
#[test]
fn a_full_disk_fails_the_trail_and_leaves_a_torn_line() {
    let disk = Disk::new();
    let trail = begin(&disk, options());
    disk.leave_room_for(100);
    let refused = trail
        .append(Urgency::Critical, &json!({"event": "e"}))
        .unwrap_err();
    assert!(matches!(&refused, Error::WriteFailed { source, .. }
        if source.kind() == std::io::ErrorKind::StorageFull));
    disk.leave_room_for(1 << 20);
    for urgency in [Urgency::Routine, Urgency::Critical] {
        let refused = trail.append(urgency, &json!({"event": "e"})).unwrap_err();
        assert!(matches!(refused, Error::WriteFailed { .. }), "{refused}");
    }
    assert!(trail.close().is_err());
    let verdict = verify(&disk.files());
    assert!(verdict.is_intact(), "{verdict:?}");
    assert_eq!(verdict.summary().ending, Ending::Torn { bytes: 100 });
}

#[test]
fn a_disk_that_cannot_sync_fails_the_trail() {
    let disk = Disk::new();
    let trail = begin(&disk, options());
    let before = trail.head();
    disk.fail_to_sync();
    trail
        .append(Urgency::Critical, &json!({"event": "e"}))
        .unwrap_err();
    assert_eq!(trail.head(), before);
    assert!(matches!(trail.close(), Err(Error::WriteFailed { .. })));
}

#[test]
fn a_writer_that_panics_fails_the_trail() {
    #[derive(Debug, Default)]
    struct Panics(bool);
    impl Store for Panics {
        fn append(&mut self, _: &[u8]) -> std::io::Result<()> {
            assert!(!std::mem::replace(&mut self.0, true), "simulated");
            Ok(())
        }
        fn sync(&mut self) -> std::io::Result<()> {
            Ok(())
        }
        fn next_file(&mut self, _: u32) -> std::io::Result<()> {
            Ok(())
        }
    }
    let trail = Trail::begin_in(Panics::default(), key(), options()).unwrap();
    let refused = trail
        .append(Urgency::Critical, &json!({"event": "e"}))
        .unwrap_err();
    assert!(matches!(refused, Error::WriterGone), "{refused}");
}

#[test]
fn an_event_that_cannot_be_a_record_is_refused_and_the_trail_goes_on() {
    let disk = Disk::new();
    let trail = begin(&disk, options());
    let mut deep = json!({});
    for _ in 0..32 {
        deep = json!({ "a": deep });
    }
    let raw = serde_json::value::RawValue::from_string("{\n}".to_owned()).unwrap();
    trail.append(Urgency::Routine, &json!("text")).unwrap_err();
    trail.append(Urgency::Routine, &deep).unwrap_err();
    trail.append(Urgency::Routine, &*raw).unwrap_err();
    let long = json!({"a": "a".repeat(vram_audit::MAX_EVENT_BYTES)});
    let refused = trail.append(Urgency::Critical, &long).unwrap_err();
    assert!(!refused.is_final(), "{refused}");
    let longest = json!({"a": "a".repeat(vram_audit::MAX_EVENT_BYTES - 8)});
    trail.append(Urgency::Critical, &longest).unwrap();
    trail.append(Urgency::Routine, &deep["a"]).unwrap();
    trail.close().unwrap();
    let verdict = verify(&disk.files());
    assert!(verdict.is_intact(), "{verdict:?}");
}
