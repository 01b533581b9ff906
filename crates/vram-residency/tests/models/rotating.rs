//! Another key, while shards are sealed and verified.

use std::time::Duration;

use vram_residency::{Error, Secret};
use vram_seal::SealKey;

use crate::explore::explore;
use crate::rig::Rig;

const NEXT: [u8; 32] = *b"the key after it, for tests only";
const HOUR: Duration = Duration::from_secs(3600);

fn next() -> Secret {
    SealKey::from_bytes(&NEXT).unwrap().into()
}

#[test]
fn no_rotation_breaks_a_seal_that_is_being_made_or_verified() {
    explore(|| {
        let rig = Rig::new();
        let old = rig.seal("old");
        let rotates = rig.on_a_thread(|rig| rig.manager.rotate(next(), HOUR).unwrap());
        let seals = rig.on_a_thread(|rig| {
            let new = rig.seal("new");
            drop(rig.manager.verify(&new).unwrap());
        });
        for _ in 0..2 {
            drop(rig.manager.verify(&old).unwrap());
        }
        let key = rotates.join().unwrap();
        seals.join().unwrap();
        assert_eq!(rig.manager.key_id(), key);
        assert_eq!(rig.manager.stop_reason(), None);
    });
}

#[test]
fn a_key_that_is_ended_at_once_refuses_and_alarms_nobody() {
    explore(|| {
        let rig = Rig::new();
        let old = rig.seal("old");
        let rotates = rig.on_a_thread(|rig| rig.manager.rotate(next(), Duration::ZERO).unwrap());
        match rig.manager.verify(&old) {
            Ok(_) | Err(Error::KeyExpired { .. } | Error::KeyUnknown { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        rotates.join().unwrap();
        let refused = rig.manager.verify(&old).map(drop);
        assert!(
            matches!(
                refused,
                Err(Error::KeyExpired { .. } | Error::KeyUnknown { .. })
            ),
            "{refused:?}"
        );
        assert_eq!(rig.manager.stop_reason(), None);
    });
}
