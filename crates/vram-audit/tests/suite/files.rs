//! Trails in files: created closed, locked, continued, cut where they are torn.
#![cfg(unix)]

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use proptest::{prelude::*, sample::Index};
use serde_json::json;
use tempfile::TempDir;
use vram_audit::{
    Ending, Error, Filter, Options, Records, SigningKey, Source, Summary, Trail, Urgency, Verdict,
    Verifier, files_of,
};
use vram_seal::SignatureAlgorithm;

use crate::memory::{key, key_of, options, public_key};

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    (dir, path)
}

fn open(path: &Path) -> Result<Trail, Error> {
    Trail::open(path, key(), options())
}

fn write(trail: &Trail, count: u32) {
    for number in 0..count {
        trail
            .append(Urgency::Routine, &json!({"event": "e", "n": number}))
            .unwrap();
    }
}

fn intact(path: &Path) -> Summary {
    let files = files_of(path).unwrap();
    match Verifier::new([public_key()]).verify_files(&files).unwrap() {
        Verdict::Intact(summary) => summary,
        Verdict::Broken { fault, .. } => panic!("{fault}"),
    }
}

fn last_opened(path: &Path) -> serde_json::Map<String, serde_json::Value> {
    let records = Records::new(files_of(path).unwrap().into_iter().map(Source::file));
    let opened = records
        .map(Result::unwrap)
        .filter(|record| record.name() == "opened");
    opened.last().unwrap().event
}

/// Covers: XK-1.
#[test]
fn a_trail_is_created_for_its_owner_alone() {
    let (_dir, path) = place();
    let trail = open(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    trail.close().unwrap();
}

#[test]
fn a_closed_trail_goes_on_where_it_ended() {
    let (_dir, path) = place();
    let trail = open(&path).unwrap();
    let id = trail.id();
    write(&trail, 3);
    let head = trail.close().unwrap();
    let trail = open(&path).unwrap();
    assert_eq!(trail.id(), id);
    write(&trail, 3);
    trail.close().unwrap();
    let summary = intact(&path);
    assert_eq!((summary.ending, summary.crashes), (Ending::Closed, 0));
    assert!(summary.head.unwrap().seq > head.seq + 3);
    assert_eq!(last_opened(&path)["was_closed"], true);
}

/// Covers: AU-3.
#[test]
fn a_torn_line_is_cut_off_and_the_chain_says_so() {
    let (_dir, path) = place();
    let trail = open(&path).unwrap();
    write(&trail, 3);
    trail.close().unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 30]).unwrap();
    let Ending::Torn { bytes } = intact(&path).ending else {
        panic!("not torn");
    };
    let trail = open(&path).unwrap();
    write(&trail, 3);
    trail.close().unwrap();
    let summary = intact(&path);
    assert_eq!((summary.ending, summary.crashes), (Ending::Closed, 1));
    let opened = last_opened(&path);
    assert_eq!(opened["cut_bytes"], bytes);
    assert_eq!(opened["was_closed"], false);
}

#[test]
fn zeros_that_a_loss_of_power_left_are_cut_off_and_the_chain_says_so() {
    // After the last newline, and after a torn line; few, and more than a line may have.
    for (kept, zeros) in [(0, 1), (0, 3 << 20), (30, 4096), (30, 3 << 20)] {
        let (_dir, path) = place();
        let trail = open(&path).unwrap();
        write(&trail, 3);
        trail.close().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes[..bytes.len() - 1]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .unwrap()
            + 1;
        bytes.truncate(last + kept);
        bytes.resize(last + kept + zeros, 0);
        fs::write(&path, &bytes).unwrap();
        let tail = u64::try_from(kept + zeros).unwrap();
        assert_eq!(intact(&path).ending, Ending::Zeroed { bytes: tail });
        let shown = Records::new([Source::file(&path)]).map(Result::unwrap);
        assert_eq!(shown.count(), 5);

        let trail = open(&path).unwrap();
        write(&trail, 3);
        trail.close().unwrap();

        let summary = intact(&path);
        assert_eq!((summary.ending, summary.crashes), (Ending::Closed, 1));
        assert_eq!(last_opened(&path)["cut_bytes"], tail);
    }
}

#[test]
fn a_first_file_of_zeros_begins_the_trail_anew_and_the_chain_says_so() {
    let (_dir, path) = place();
    open(&path).unwrap().close().unwrap();
    fs::write(&path, [0; 4096]).unwrap();
    open(&path).unwrap().close().unwrap();
    assert_eq!(intact(&path).ending, Ending::Closed);
    assert_eq!(last_opened(&path)["cut_bytes"], 4096);
}

#[test]
fn zeros_that_anything_follows_are_no_loss_of_power() {
    let (_dir, path) = place();
    open(&path).unwrap().close().unwrap();
    let whole = fs::read(&path).unwrap();
    for zeros in [1, 4096, 3 << 20] {
        for after in [b"{".as_slice(), b"\n", &whole] {
            let edited = [whole.as_slice(), &vec![0; zeros], after].concat();
            fs::write(&path, &edited).unwrap();
            assert!(matches!(open(&path), Err(Error::NotIntact { .. })));
            assert_eq!(fs::read(&path).unwrap(), edited);
        }
    }
}

#[test]
fn a_copy_is_verified_in_a_directory_that_others_may_write_to() {
    let (dir, path) = place();
    open(&path).unwrap().close().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    assert_eq!(intact(&path).ending, Ending::Closed);
    // To be written there it is refused as before.
    assert!(matches!(open(&path), Err(Error::Unsafe { .. })));
}

#[test]
fn a_torn_first_line_begins_the_trail_anew_and_the_chain_says_so() {
    let (_dir, path) = place();
    open(&path).unwrap().close().unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..40]).unwrap();
    open(&path).unwrap().close().unwrap();
    assert_eq!(intact(&path).ending, Ending::Closed);
    assert_eq!(last_opened(&path)["cut_bytes"], 40);
}

/// Covers: AU-1.
#[test]
fn a_trail_that_was_tampered_with_is_not_continued_and_not_changed() {
    let (_dir, path) = place();
    let trail = open(&path).unwrap();
    write(&trail, 3);
    trail.close().unwrap();
    let edited = fs::read_to_string(&path)
        .unwrap()
        .replace(r#""n":1"#, r#""n":2"#);
    fs::write(&path, &edited).unwrap();
    assert!(matches!(open(&path), Err(Error::NotIntact { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), edited);
}

#[test]
fn what_is_no_torn_record_is_not_cut_off() {
    let (_dir, path) = place();
    open(&path).unwrap().close().unwrap();
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"something else").unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(open(&path), Err(Error::NotIntact { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn files_rotate_and_the_newest_goes_on() {
    let (_dir, path) = place();
    let rotating = || options().rotate_at(Options::MIN_ROTATE_AT);
    for _ in 0..3 {
        let trail = Trail::open(&path, key(), rotating()).unwrap();
        write(&trail, 40);
        trail.close().unwrap();
    }
    let files = files_of(&path).unwrap();
    assert!(files.len() > 3, "{files:?}");
    assert!(files[1].to_str().unwrap().ends_with("audit.jsonl.000001"));
    assert_eq!(intact(&path).ending, Ending::Closed);
    let filter = Filter {
        event: Some("e".to_owned()),
        ..Filter::default()
    };
    let records = Records::new(files.into_iter().map(Source::file)).map(Result::unwrap);
    assert_eq!(records.filter(|record| filter.wants(record)).count(), 120);
}

#[test]
fn a_crash_between_two_files_is_mended() {
    let (_dir, path) = place();
    let rotating = || options().rotate_at(Options::MIN_ROTATE_AT);
    let trail = Trail::open(&path, key(), rotating()).unwrap();
    write(&trail, 40);
    trail.close().unwrap();
    let newest = files_of(&path).unwrap().pop().unwrap();
    let first_line = fs::read(&newest)
        .unwrap()
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap();
    let content = fs::read(&newest).unwrap();
    // The next file missing, empty, with a torn first line, with its first line alone.
    for kept in [None, Some(0), Some(50), Some(first_line + 1)] {
        fs::remove_file(&newest).unwrap();
        if let Some(kept) = kept {
            fs::write(&newest, &content[..kept]).unwrap();
            fs::set_permissions(&newest, Permissions::from_mode(0o600)).unwrap();
        }
        let trail = Trail::open(&path, key(), options()).unwrap();
        write(&trail, 1);
        trail.close().unwrap();
        assert_eq!(intact(&path).ending, Ending::Closed, "{kept:?}");
    }
}

#[test]
fn a_second_writer_is_refused_until_the_first_has_closed() {
    let (_dir, path) = place();
    let first = open(&path).unwrap();
    assert!(matches!(open(&path), Err(Error::Locked { .. })));
    // Not even where the lock's own file was taken away.
    fs::remove_file(path.with_extension("jsonl.lock")).unwrap();
    assert!(matches!(open(&path), Err(Error::Locked { .. })));
    first.close().unwrap();
    open(&path).unwrap();
}

#[test]
fn links_loose_files_and_open_directories_are_refused() {
    let (dir, path) = place();
    open(&path).unwrap().close().unwrap();
    let refused = |path: &Path| matches!(open(path), Err(Error::Unsafe { .. }));

    let link = dir.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(refused(&link));
    let dangling = dir.path().join("dangling");
    symlink(dir.path().join("nothing"), &dangling).unwrap();
    assert!(refused(&dangling));
    assert!(refused(Path::new("..")));
    let hard = dir.path().join("hard");
    fs::hard_link(&path, &hard).unwrap();
    assert!(refused(&path));
    fs::remove_file(&hard).unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    assert!(refused(&dir.path().join("folder")));

    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    assert!(refused(&path));
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    open(&path).unwrap().close().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o770)).unwrap();
    assert!(refused(&path));
}

#[test]
fn another_name_is_refused_and_another_key_unless_it_is_told() {
    let (_dir, path) = place();
    open(&path).unwrap().close().unwrap();
    let other = Options::new("other").unwrap();
    assert!(matches!(
        Trail::open(&path, key(), other),
        Err(Error::OtherTrail { .. })
    ));
    let new_key = || key_of(9);
    assert!(matches!(
        Trail::open(&path, new_key(), options()),
        Err(Error::NotIntact { .. })
    ));
    let told = options().former_keys([public_key()]);
    Trail::open(&path, new_key(), told)
        .unwrap()
        .close()
        .unwrap();
    let both = Verifier::new([public_key(), new_key().verifying_key().clone()]);
    assert!(both.verify_files(&[&path]).unwrap().is_intact());
}

#[test]
fn a_trail_may_be_signed_with_either_algorithm_and_change_from_one_to_the_other() {
    let (_dir, path) = place();
    let p256 = SigningKey::generate(SignatureAlgorithm::EcdsaP256Sha256).unwrap();
    let p256_public = p256.verifying_key().clone();
    let trail = Trail::open(&path, p256, options()).unwrap();
    for shard in 0..50 {
        let event = json!({"event": "verified", "shard": shard.to_string()});
        trail.append(Urgency::Critical, &event).unwrap();
    }
    trail.close().unwrap();
    let alone = Verifier::new([p256_public.clone()]);
    assert!(alone.verify_files(&[&path]).unwrap().is_intact());

    let told = options().former_keys([p256_public.clone()]);
    Trail::open(&path, key(), told).unwrap().close().unwrap();

    assert!(!alone.verify_files(&[&path]).unwrap().is_intact());
    let both = Verifier::new([p256_public, public_key()]);
    assert!(both.verify_files(&[&path]).unwrap().is_intact());
}

#[test]
fn records_are_filtered_by_name_shard_time_and_urgency() {
    let (_dir, path) = place();
    let trail = open(&path).unwrap();
    trail
        .append(
            Urgency::Routine,
            &json!({"event": "sealed", "record": {"shard_id": "a"}}),
        )
        .unwrap();
    trail
        .append(
            Urgency::Routine,
            &json!({"event": "verified", "shard": "a"}),
        )
        .unwrap();
    trail
        .append(
            Urgency::Critical,
            &json!({"event": "verification_failed", "shard": "b"}),
        )
        .unwrap();
    trail.close().unwrap();
    let all: Vec<_> = Records::new([Source::file(&path)])
        .map(Result::unwrap)
        .collect();
    let count = |filter: &Filter| all.iter().filter(|record| filter.wants(record)).count();
    let any = Filter::default;
    assert_eq!(
        count(&Filter {
            shard: Some("a".into()),
            ..any()
        }),
        2
    );
    assert_eq!(
        count(&Filter {
            event: Some("sealed".into()),
            ..any()
        }),
        1
    );
    assert_eq!(
        count(&Filter {
            event: Some("genesis".into()),
            ..any()
        }),
        1
    );
    let failed = all
        .iter()
        .find(|record| record.name() == "verification_failed")
        .unwrap();
    let (since, until) = (Some(failed.time), Some(failed.time));
    assert_eq!(
        count(&Filter {
            critical: true,
            since,
            ..any()
        }),
        1
    );
    assert_eq!(
        count(&Filter {
            since,
            until,
            ..any()
        }),
        0
    );
    assert_eq!(
        count(&Filter { since, ..any() }) + count(&Filter { until, ..any() }),
        all.len()
    );
}

#[test]
fn only_regular_files_are_verified() {
    let dir = tempfile::tempdir().unwrap();
    let verifier = Verifier::new([public_key()]);
    assert!(matches!(
        verifier.verify_files(&[dir.path()]),
        Err(Error::Unsafe { .. })
    ));
    let missing = dir.path().join("missing");
    assert!(matches!(
        verifier.verify_files(&[missing]),
        Err(Error::Io { .. })
    ));
}

proptest! {
    /// A process may end at any byte that it was writing. What was whole stays, what was torn is cut off and told, and
    /// the trail goes on.
    #[test]
    fn a_trail_that_ends_at_any_byte_goes_on_with_all_that_was_whole(events in 0..12_u32, at: Index, more in 0..4_u32) {
        let (_dir, path) = place();
        let trail = open(&path).unwrap();
        write(&trail, events);
        trail.close().unwrap();
        let whole = fs::read(&path).unwrap();
        let end = at.index(whole.len()) + 1;
        fs::write(&path, &whole[..end]).unwrap();
        let lines = whole[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);

        let trail = open(&path).unwrap();
        write(&trail, more);
        trail.close().unwrap();

        let now = fs::read(&path).unwrap();
        prop_assert!(now.starts_with(&whole[..lines]), "a whole line was lost");
        prop_assert_eq!(intact(&path).ending, Ending::Closed);
        let opened = last_opened(&path);
        if end < whole.len() {
            let cut = u64::try_from(end - lines).unwrap();
            prop_assert_eq!(opened.get("cut_bytes").and_then(serde_json::Value::as_u64).unwrap_or(0), cut);
        }
    }
}
