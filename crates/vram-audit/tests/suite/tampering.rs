//! Whatever is done to a closed trail is found, at the right record.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;
use vram_audit::{Ending, Fault, Head, Records, Trail, Urgency, Verdict, Verifier, Why};

use crate::memory::{Disk, OnDisk, key, key_of, options, public_key, sources, verify};

/// A closed trail, in one file or in several, and its head.
fn trail(rotate_at: u64, events: u32) -> (Vec<Vec<u8>>, Head) {
    let disk = Disk::new();
    let options = options().checkpoint_every(7).rotate_at(rotate_at);
    let trail = Trail::begin_in(OnDisk(Arc::clone(&disk)), key(), options).unwrap();
    for number in 0..events {
        let urgency = Urgency::critical_if(number % 11 == 3);
        let event =
            json!({"event": "e", "n": number, "rate": -0.5e-7, "text": "é\"\\\u{1}{[", "no": null});
        trail.append(urgency, &event).unwrap();
    }
    let head = trail.close().unwrap();
    (disk.files(), head)
}

static TRAIL: LazyLock<(Vec<u8>, Head)> = LazyLock::new(|| {
    let (files, head) = trail(1 << 20, 24);
    (files.concat(), head)
});

fn lines() -> Vec<Vec<u8>> {
    let lines = TRAIL.0.split_inclusive(|byte| *byte == b'\n');
    lines.map(<[u8]>::to_vec).collect()
}

fn fault(bytes: Vec<u8>) -> Fault {
    match verify(&[bytes]) {
        Verdict::Broken { fault, .. } => *fault,
        Verdict::Intact(summary) => panic!("found nothing: {summary:?}"),
    }
}

fn seq(index: usize) -> u64 {
    u64::try_from(index).unwrap()
}

/// Which line a byte of the trail belongs to.
fn line_of(byte: usize) -> usize {
    TRAIL.0[..byte]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

#[test]
fn an_untouched_trail_is_intact_closed_and_signed_to_its_end() {
    let verdict = verify(std::slice::from_ref(&TRAIL.0));
    let summary = verdict.summary();
    assert!(verdict.is_intact(), "{verdict:?}");
    assert_eq!(summary.ending, Ending::Closed);
    assert_eq!(summary.head, Some(TRAIL.1));
    assert_eq!(summary.signed_through, Some(TRAIL.1.seq));
    assert_eq!(summary.trail.as_deref(), Some("tests"));
}

#[test]
fn records_are_verified_and_handed_out_in_one_reading() {
    let (files, head) = trail(6000, 40);
    let expected: Vec<_> = Records::new(sources(&files)).map(Result::unwrap).collect();
    let mut handed_out = Vec::new();
    // Each of these sources can be read once only.
    let verdict = Verifier::new([public_key()])
        .verify_each(sources(&files), |record| handed_out.push(record))
        .unwrap();
    assert!(verdict.is_intact(), "{verdict:?}");
    assert_eq!(verdict.summary().head, Some(head));
    assert_eq!(handed_out, expected);

    let mut files = files;
    let edited = String::from_utf8(files[0].clone()).unwrap();
    files[0] = edited.replacen(r#""n":2,"#, r#""n":7,"#, 1).into_bytes();
    let mut handed_out = Vec::new();
    let verdict = Verifier::new([public_key()])
        .verify_each(sources(&files), |record| handed_out.push(record))
        .unwrap();
    assert!(!verdict.is_intact());
    assert!(handed_out.len() < expected.len());
}

/// Covers: AU-1.
#[test]
fn a_removed_line_is_found_at_its_place() {
    for index in 0..lines().len() - 1 {
        let mut lines = lines();
        lines.remove(index);
        let fault = fault(lines.concat());
        assert_eq!((fault.line, fault.seq), (seq(index) + 1, seq(index)));
        assert_eq!(
            fault.why,
            Why::Removed {
                found: seq(index) + 1
            }
        );
    }
}

#[test]
fn a_line_written_twice_is_found_at_its_place() {
    for index in 0..lines().len() {
        let mut lines = lines();
        lines.insert(index, lines[index].clone());
        let fault = fault(lines.concat());
        assert_eq!(fault.line, seq(index) + 2, "{fault}");
        assert_eq!(fault.why, Why::Repeated { found: seq(index) });
    }
}

#[test]
fn a_cut_at_any_byte_is_a_torn_line_or_no_close() {
    let (files, head) = trail(1 << 20, 5);
    let bytes = files.concat();
    for len in 0..bytes.len() {
        let cut = &bytes[..len];
        let files = [cut.to_vec()];
        let verdict = verify(&files);
        let last_newline = cut.iter().rposition(|byte| *byte == b'\n');
        let Some(last_newline) = last_newline else {
            assert_eq!(fault(cut.to_vec()).why, Why::Empty, "{len}");
            continue;
        };
        let torn = seq(len - last_newline - 1);
        assert!(verdict.is_intact(), "{len}: {verdict:?}");
        let expected = match torn {
            0 => Ending::Open,
            bytes => Ending::Torn { bytes },
        };
        assert_eq!(verdict.summary().ending, expected);
        if len % 50 == 0 {
            let anchored = Verifier::new([public_key()]).expect_head(head);
            let verdict = anchored.verify(sources(&files)).unwrap();
            assert!(
                matches!(&verdict, Verdict::Broken { fault, .. }
                    if matches!(fault.why, Why::Truncated { .. })),
                "{verdict:?}"
            );
        }
    }
}

#[test]
fn a_torn_line_with_a_changed_beginning_is_no_torn_line() {
    let mut bytes = TRAIL.0.clone();
    bytes.truncate(bytes.len() - 20);
    let last = bytes.iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    bytes[last + 20] ^= 1;
    let fault = fault(bytes);
    assert!(matches!(fault.why, Why::Edited { .. }), "{fault}");
}

/// Covers: AU-1.
#[test]
fn another_key_is_foreign_at_the_first_checkpoint() {
    let other = key_of(8).verifying_key().clone();
    let verdict = Verifier::new([other])
        .verify(sources(std::slice::from_ref(&TRAIL.0)))
        .unwrap();
    let Verdict::Broken { fault, .. } = verdict else {
        panic!("accepted");
    };
    assert_eq!(
        (fault.seq, fault.why),
        (
            1,
            Why::ForeignKey {
                key: public_key().id()
            }
        )
    );
}

#[test]
fn a_later_version_is_named() {
    let text = String::from_utf8(lines()[5].clone()).unwrap();
    let mut lines = lines();
    lines[5] = text
        .replacen(r#""version":1,"#, r#""version":2,"future":[],"#, 1)
        .into_bytes();
    let fault = fault(lines.concat());
    assert_eq!(
        (fault.seq, fault.why),
        (5, Why::UnknownVersion { found: 2 })
    );
}

/// Covers: AU-1.
#[test]
fn a_chain_made_anew_after_an_edit_does_not_pass_the_next_checkpoint() {
    let mut lines: Vec<String> = lines()
        .into_iter()
        .map(|line| String::from_utf8(line).unwrap())
        .collect();
    lines[3] = lines[3].replace(r#""event":"e""#, r#""event":"f""#);
    for index in 4..lines.len() {
        let prev = lines[index - 1].trim_end().as_bytes();
        let prev = hex::encode(ring::digest::digest(&ring::digest::SHA256, prev));
        let at = lines[index].find(r#""prev":""#).unwrap() + 8;
        lines[index].replace_range(at..at + 64, &prev);
    }
    let fault = fault(lines.concat().into_bytes());
    assert_eq!(
        fault.why,
        Why::Forged {
            signed_through: Some(1)
        },
        "{fault}"
    );
}

#[test]
fn a_line_without_end_and_one_nested_without_end_are_refused() {
    let endless = std::io::repeat(b'[');
    let source = vram_audit::Source::reader("endless", endless);
    let verdict = Verifier::new([public_key()]).verify([source]).unwrap();
    assert!(matches!(verdict, Verdict::Broken { fault, .. } if fault.why == Why::TooLong));

    let mut lines = lines();
    let deep = format!("{}\n", r#"{"a":"#.repeat(100_000));
    lines.insert(4, deep.into_bytes());
    assert_eq!(fault(lines.concat()).seq, 4);
}

#[test]
fn rotated_files_verify_together_and_in_order_only() {
    let (files, head) = trail(6000, 40);
    assert!(files.len() > 3);
    assert!(files.iter().all(|file| file.len() <= 6000));
    let verdict = verify(&files);
    assert!(verdict.is_intact(), "{verdict:?}");
    assert_eq!(verdict.summary().head, Some(head));

    let verdict = verify(&files[..2]);
    assert_eq!(verdict.summary().ending, Ending::Rotated);

    for missing in 0..files.len() - 1 {
        let mut files = files.clone();
        files.remove(missing);
        let verdict = verify(&files);
        assert!(
            matches!(&verdict, Verdict::Broken { fault, .. }
                if matches!(fault.why, Why::Removed { .. })),
            "{verdict:?}"
        );
    }
    let mut swapped = files.clone();
    swapped.swap(1, 2);
    assert!(!verify(&swapped).is_intact());

    for end in [1, 40] {
        let mut cut = files.clone();
        let len = cut[1].len();
        cut[1].truncate(len - end);
        let Verdict::Broken { fault, .. } = verify(&cut) else {
            panic!("accepted");
        };
        assert!(matches!(fault.why, Why::Truncated { .. }), "{fault}");
    }
    let mut cut = files.clone();
    let len = cut[1].len() - 1;
    let last_line = cut[1][..len]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    cut[1].truncate(last_line);
    let Verdict::Broken { fault, .. } = verify(&cut) else {
        panic!("accepted");
    };
    assert!(matches!(fault.why, Why::Truncated { .. }), "{fault}");

    let later = Verifier::new([public_key()]).from_continuation();
    assert!(later.verify(sources(&files[1..])).unwrap().is_intact());
    assert!(!verify(&files[1..]).is_intact());
}

#[test]
fn an_expected_head_that_lies_before_a_continuation_is_a_fault() {
    let (files, head) = trail(6000, 40);
    let continued = |from: usize, head| {
        let verifier = Verifier::new([public_key()]).from_continuation();
        let verifier = verifier.expect_head(head);
        verifier.verify(sources(&files[from..])).unwrap()
    };
    let later = Verifier::new([public_key()]).from_continuation();
    let first_seq = later.verify(sources(&files[2..])).unwrap();
    let first_seq = first_seq.summary().first_seq;
    let archived = verify(&files[..2]).summary().head.unwrap();
    assert_eq!(archived.seq + 1, first_seq);
    for seq in [0, first_seq - 1] {
        let Verdict::Broken { fault, .. } = continued(2, Head { seq, ..archived }) else {
            panic!("record {seq} is not there, and was not missed");
        };
        assert_eq!(fault.seq, seq);
        assert_eq!(fault.why, Why::Removed { found: first_seq });
    }
    assert!(continued(1, archived).is_intact());
    assert!(continued(2, head).is_intact());
}

#[test]
fn a_file_of_another_trail_with_the_same_name_and_key_does_not_fit() {
    let ((mut one, _), (other, _)) = (trail(6000, 40), trail(6000, 40));
    one[1].clone_from(&other[1]);
    assert!(!verify(&one).is_intact());
}

proptest! {
    /// Covers: AU-1.
    #[test]
    fn a_changed_byte_is_found_at_its_record(at: Index, flip in 1..=255_u8) {
        let mut bytes = TRAIL.0.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let fault = fault(bytes);
        prop_assert_eq!(fault.seq, seq(line_of(at)), "{}", fault);
        prop_assert_eq!(fault.line, seq(line_of(at)) + 1, "{}", fault);
    }

    /// Covers: AU-1.
    #[test]
    fn two_swapped_lines_are_found_at_the_first(one: Index, other: Index) {
        let mut lines = lines();
        let (one, other) = (one.index(lines.len()), other.index(lines.len()));
        prop_assume!(one != other);
        lines.swap(one, other);
        let (first, second) = (one.min(other), one.max(other));
        let fault = fault(lines.concat());
        prop_assert_eq!(fault.seq, seq(first), "{}", fault);
        prop_assert_eq!(fault.why, Why::Reordered { found: seq(second) });
    }

    /// Covers: AU-1.
    #[test]
    fn an_inserted_copy_is_found_where_it_stands(line: Index, place: Index) {
        let mut lines = lines();
        let (line, place) = (line.index(lines.len()), place.index(lines.len() + 1));
        prop_assume!(place != line && place != line + 1);
        lines.insert(place, lines[line].clone());
        let fault = fault(lines.concat());
        prop_assert_eq!(fault.line, seq(place) + 1, "{}", fault);
        prop_assert_eq!(fault.why, Why::Repeated { found: seq(line) });
    }

    #[test]
    fn an_inserted_record_that_claims_a_place_is_found(place: Index) {
        let mut lines = lines();
        let place = 2 + place.index(lines.len() - 4);
        let forged = String::from_utf8(lines[place].clone()).unwrap();
        let at = forged.find(r#""time":"#).unwrap();
        let forged = format!(
            "{}\"time\":\"2026-01-02T03:04:05.000000006Z\",\"critical\":false,\"kind\":\"event\",\"event\":{{}}}}\n",
            &forged[..at]
        );
        lines.insert(place, forged.into_bytes());
        let fault = fault(lines.concat());
        prop_assert_eq!(fault.line, seq(place) + 1, "{}", fault);
        prop_assert_eq!(fault.why, Why::Inserted);
    }

    /// Covers: HI-3.
    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
        prop_assert!(!verify(&[bytes]).is_intact());
    }

    #[test]
    fn any_bytes_after_the_close_are_refused(bytes in prop::collection::vec(any::<u8>(), 1..50)) {
        let first = bytes[0];
        let zeros = bytes.iter().all(|byte| *byte == 0);
        prop_assume!(first != b'{' && !zeros);
        let verdict = verify(&[[TRAIL.0.as_slice(), &bytes].concat()]);
        prop_assert!(!verdict.is_intact());
    }
}
