//! Keys that replace each other over time, beside a model of them.

use std::time::Duration;

use proptest::prelude::*;
use vram_seal::{
    DeviceId, Error, ExpectedFrom, Freezing, SealKey, SealKeys, SealRecord, SealedRecord,
    VerityDigest,
};

/// What is done with the keys.
#[derive(Clone, Debug)]
enum Step {
    Rotate { key: u8, until: u64 },
    AcceptPrevious { key: u8, until: u64 },
    Retire,
    Seal,
    Verify { key: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    // Few keys and few times, so that they meet.
    let (key, until) = (0..24_u8, 0..40_u64);
    prop_oneof![
        4 => (key.clone(), until.clone()).prop_map(|(key, until)| Step::Rotate { key, until }),
        3 => (key.clone(), until).prop_map(|(key, until)| Step::AcceptPrevious { key, until }),
        1 => Just(Step::Retire),
        1 => Just(Step::Seal),
        6 => key.prop_map(|key| Step::Verify { key }),
    ]
}

/// The keys as they ought to be: in seconds, and by the byte that they are made of.
#[derive(Debug)]
struct Model {
    current: u8,
    former: Vec<(u8, u64)>,
    latest: u64,
}

/// What ought to be said of a key.
#[derive(Debug, PartialEq)]
enum Said {
    Accepted,
    Expired,
    Unknown,
    Repeated,
    TooMany,
}

impl Said {
    fn of<T>(outcome: &Result<T, Error>) -> Self {
        match outcome {
            Ok(_) => Self::Accepted,
            Err(Error::KeyExpired { .. }) => Self::Expired,
            Err(Error::KeyUnknown { .. }) => Self::Unknown,
            Err(Error::KeyRepeated { .. }) => Self::Repeated,
            Err(Error::TooManyKeys { .. }) => Self::TooMany,
            Err(other) => panic!("{other}"),
        }
    }
}

impl Model {
    /// The former keys whose time is not over.
    fn held(&self) -> impl Iterator<Item = (u8, u64)> {
        let latest = self.latest;
        let former = self.former.iter().copied();
        former.filter(move |(_, until)| latest <= *until)
    }

    fn refusal_of_new(&self, key: u8) -> Option<Said> {
        if key == self.current || self.former.iter().any(|(former, _)| *former == key) {
            return Some(Said::Repeated);
        }
        (self.held().count() >= SealKeys::MAX_PREVIOUS).then_some(Said::TooMany)
    }

    fn rotate(&mut self, key: u8, until: u64) -> Said {
        if let Some(refusal) = self.refusal_of_new(key) {
            return refusal;
        }
        self.former.push((self.current, until));
        self.current = key;
        Said::Accepted
    }

    fn accept_previous(&mut self, key: u8, until: u64) -> Said {
        if let Some(refusal) = self.refusal_of_new(key) {
            return refusal;
        }
        if self.latest > until {
            return Said::Expired;
        }
        self.former.push((key, until));
        Said::Accepted
    }

    fn verify(&self, key: u8) -> Said {
        if key == self.current {
            return Said::Accepted;
        }
        match self.former.iter().find(|(former, _)| *former == key) {
            None => Said::Unknown,
            Some((_, until)) if self.latest <= *until => Said::Accepted,
            Some(_) => Said::Expired,
        }
    }
}

fn key(byte: u8) -> SealKey {
    SealKey::from_bytes(&[byte + 1; 32]).unwrap()
}

fn sealed_with(byte: u8) -> SealedRecord {
    SealedRecord::seal(&key(byte), record()).unwrap()
}

fn record() -> SealRecord {
    SealRecord {
        shard_id: "a".parse().unwrap(),
        size: 1,
        content: None,
        verity: VerityDigest::of(b"a"),
        device: DeviceId {
            uuid: [7; 16],
            simulated: true,
        },
        sealed_at_unix_nanos: 0,
        freezing: Freezing::Mmu,
        position: None,
        model: None,
        nonce: [9; 16],
        key_id: key(0).id(),
        expected_from: ExpectedFrom::None,
    }
}

proptest! {
    /// Whatever is done, and however the clock is set, each key is accepted exactly as long as was said.
    #[test]
    fn keys_are_accepted_as_long_as_was_said_and_no_longer(
        steps in prop::collection::vec((step(), 0..45_u64), 1..60),
    ) {
        let mut keys = SealKeys::new(key(0));
        let mut model = Model { current: 0, former: Vec::new(), latest: 0 };
        for (step, now) in steps {
            // The clock may be set back; the latest time that was ever given counts.
            let time = Duration::from_secs(now);
            if !matches!(step, Step::Seal) {
                model.latest = model.latest.max(now);
            }
            match step {
                Step::Rotate { key: byte, until } => {
                    let replaced = keys.current_id();
                    let outcome = keys.rotate(key(byte), Duration::from_secs(until), time);
                    prop_assert_eq!(Said::of(&outcome), model.rotate(byte, until));
                    if let Ok(id) = outcome {
                        prop_assert_eq!(id, replaced);
                    }
                }
                Step::AcceptPrevious { key: byte, until } => {
                    let outcome = keys.accept_previous(key(byte), Duration::from_secs(until), time);
                    prop_assert_eq!(Said::of(&outcome), model.accept_previous(byte, until));
                }
                Step::Retire => {
                    for (id, until) in keys.retire(time) {
                        prop_assert!(until < Duration::from_secs(model.latest), "{}", id);
                    }
                    let held: Vec<_> = keys.previous().map(|(_, until)| until.as_secs()).collect();
                    let expected: Vec<_> = model.held().map(|(_, until)| until).collect();
                    prop_assert_eq!(held, expected);
                }
                Step::Seal => {
                    let sealed = keys.seal(record()).unwrap();
                    prop_assert_eq!(sealed.record.key_id, key(model.current).id());
                    prop_assert!(sealed.verify(&key(model.current)).is_ok());
                }
                Step::Verify { key: byte } => {
                    let sealed = sealed_with(byte);
                    let outcome = keys.verify(&sealed, time);
                    prop_assert_eq!(Said::of(&outcome), model.verify(byte));
                }
            }
            prop_assert_eq!(keys.current_id(), key(model.current).id());
        }
    }

    /// The name of a key that is held does not help a record that another one signed.
    #[test]
    fn a_record_that_names_a_held_key_needs_its_tag(held in 0..8_u8, forger in 8..16_u8) {
        let mut keys = SealKeys::new(key(0));
        if held != 0 {
            let soon = Duration::from_secs(10);
            keys.accept_previous(key(held), soon, Duration::ZERO).unwrap();
        }
        let mut sealed = sealed_with(forger);
        sealed.record.key_id = key(held).id();

        let outcome = keys.verify(&sealed, Duration::ZERO);

        prop_assert!(matches!(outcome, Err(Error::TagMismatch)), "{outcome:?}");
    }
}
