//! Seals side by side: ids, staging and the crews of their uploads.

use vram_residency::{Error, SealRequest};
use vram_seal::Digest;

use crate::explore::explore;
use crate::rig::{Rig, id, weights};

#[test]
fn an_id_is_given_to_one_shard_at_a_time() {
    explore(|| {
        let rig = Rig::new();
        let seal = |rig: &Rig| match rig
            .manager
            .seal(SealRequest::bytes(id("one"), &weights("one")))
        {
            Ok(shard) => Some(shard),
            Err(Error::Duplicate { .. }) => None,
            Err(error) => panic!("{error}"),
        };
        let other = rig.on_a_thread(seal);
        let sealed = [seal(&rig), other.join().unwrap()];
        assert_eq!(sealed.iter().flatten().count(), 1);
        assert_eq!(rig.manager.shard_ids(), [id("one")]);
        drop(sealed);
        assert!(rig.manager.shard_ids().is_empty());
        assert_eq!(rig.manager.capacity().unwrap().used.0, 0);
    });
}

/// There is one pair of buffers: two of the three wait, and none for ever.
#[test]
fn seals_that_wait_for_staging_all_get_it() {
    explore(|| {
        let rig = Rig::new();
        let others = ["a", "b"].map(|name| rig.on_a_thread(|rig| drop(rig.seal(name))));
        drop(rig.seal("c"));
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(rig.manager.staging().lent.0, 0);
        assert_eq!(rig.manager.capacity().unwrap().used.0, 0);
    });
}

/// Three chunks and several threads, which hash the content in turn.
#[test]
fn a_crew_hashes_in_order_and_comes_to_its_end() {
    explore(|| {
        let rig = Rig::with(|builder| builder.staging(6, 1 << 19));
        let bytes: Vec<u8> = (0..(1_u32 << 20) + 9).map(|n| n.to_le_bytes()[1]).collect();
        let shard = rig
            .manager
            .seal(SealRequest::bytes(id("crew"), &bytes))
            .unwrap();
        assert_eq!(shard.content_digest(), Some(Digest::of(&bytes)));
        drop(rig.manager.verify(&shard).unwrap());
    });
}
