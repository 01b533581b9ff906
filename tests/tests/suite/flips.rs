//! One bit, anywhere, is found; and in a shard it is found where it is.

use proptest::prelude::*;
use vram_residency::{Error, SealRequest};
use vram_seal::{SealRecord, SealTag, SealedRecord};

use crate::noise::weights;
use crate::rig::{MIB, id, machine, manager, seal_and_find};

proptest! {
    /// Covers: EX-2.1.
    #[test]
    fn one_bit_flipped_in_a_shard_is_located_in_its_block(
        size in prop_oneof![1_usize..9000, 500_000_usize..1_200_000, Just(4096), Just(524_288), Just(3_000_000)],
        position in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let machine = machine(32 * MIB);
        let manager = manager(&machine);
        let bytes = weights(7, size);
        let request = SealRequest::bytes(id("shard"), &bytes);
        let (shard, allocation) = seal_and_find(&machine, &manager, request);
        let offset = u64::try_from(position.index(size)).unwrap();

        machine.flip_bit(allocation, offset, bit).unwrap();

        let error = manager.verify(&shard).unwrap_err();
        let Error::Tampered { difference, .. } = &error else { panic!("{error:?}") };
        prop_assert_eq!(&difference.blocks, &[offset / 4096]);
        prop_assert_eq!(difference.changed_groups, 1);
        prop_assert!(difference.unpinned.is_empty());
        prop_assert!(manager.stop_reason().is_some());
    }

    /// Covers: EX-2.1.
    #[test]
    fn one_bit_flipped_in_a_record_is_refused(
        position in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let machine = machine(32 * MIB);
        let manager = manager(&machine);
        let bytes = weights(8, 5000);
        let shard = manager.seal(SealRequest::bytes(id("shard"), &bytes)).unwrap();
        let SealedRecord { record, tag } = shard.sealed_record().clone();
        let mut encoded = record.encode();
        let byte = position.index(encoded.len());

        encoded[byte] ^= 1 << bit;

        // Either it is no record any more, or it is one that the tag is not of.
        if let Ok(record) = SealRecord::decode(&encoded) {
            let presented = SealedRecord { record, tag };
            let error = manager.verify_record(&shard, &presented).unwrap_err();
            prop_assert!(matches!(error, Error::SealBroken { .. }), "{:?}", error);
            prop_assert!(manager.stop_reason().is_some());
        }
    }

    /// Covers: EX-2.2.
    #[test]
    fn one_bit_flipped_in_a_tag_is_refused(byte in 0_usize..32, bit in 0_u8..8) {
        let machine = machine(32 * MIB);
        let manager = manager(&machine);
        let bytes = weights(9, 5000);
        let shard = manager.seal(SealRequest::bytes(id("shard"), &bytes)).unwrap();
        let SealedRecord { record, tag } = shard.sealed_record().clone();
        let mut flipped = *tag.as_bytes();
        flipped[byte] ^= 1 << bit;

        let tag = SealTag::from_bytes(&flipped).unwrap();
        let error = manager.verify_record(&shard, &SealedRecord { record, tag }).unwrap_err();

        prop_assert!(matches!(error, Error::SealBroken { .. }), "{:?}", error);
        prop_assert!(manager.stop_reason().is_some());
    }
}
