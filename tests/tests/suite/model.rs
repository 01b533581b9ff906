//! A real model, all-MiniLM-L6-v2, from its file to a permit for its tensors.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use vram_residency::model::ModelFormat;
use vram_residency::{Error, SealRequest};

use crate::outside::skip;
use crate::rig::{MIB, id, machine, manager, seal_and_find};

/// What was published with it.
const SIZE: u64 = 90_868_376;
const SHA256: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";
/// What `fsverity digest` prints for it.
const FS_VERITY: &str = "35b370b4d364d2c85a75509fd9aaf87d9efabfc331ad56a8ff454d56d6e436d6";

/// The model's path, which `cargo xtask test` sets once it has fetched it.
fn model() -> Option<PathBuf> {
    let path = std::env::var_os("VRAM_TEST_MODEL").map(PathBuf::from);
    if path.is_none() {
        skip(
            "no model to seal: VRAM_TEST_MODEL is not set",
            "VRAM_REQUIRE_MODEL",
        );
    }
    path
}

/// Name, type, shape and absolute byte range of each tensor, read without the code under test.
fn independent_table(file: &[u8]) -> BTreeMap<String, (String, Vec<u64>, u64, u64)> {
    let header_len = u64::from_le_bytes(file[..8].try_into().unwrap());
    let data = 8 + header_len;
    let header = &file[8..usize::try_from(data).unwrap()];
    let header: serde_json::Value = serde_json::from_slice(header).unwrap();
    let numbers = |value: &serde_json::Value| -> Vec<u64> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|number| number.as_u64().unwrap())
            .collect()
    };
    let tensors = header
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != "__metadata__");
    tensors
        .map(|(name, tensor)| {
            let offsets = numbers(&tensor["data_offsets"]);
            let dtype = tensor["dtype"].as_str().unwrap().to_owned();
            let shape = numbers(&tensor["shape"]);
            (
                name.clone(),
                (dtype, shape, data + offsets[0], data + offsets[1]),
            )
        })
        .collect()
}

#[test]
fn a_real_model_is_sealed_verified_and_its_tensors_are_reached_by_name() {
    let Some(path) = model() else { return };
    let machine = machine(256 * MIB);
    let manager = manager(&machine);

    let shard = manager
        .seal(SealRequest::file(id("minilm"), &path))
        .unwrap();

    assert_eq!(shard.size().0, SIZE);
    assert_eq!(shard.content_digest().unwrap().to_string(), SHA256);
    assert_eq!(shard.verity_digest().to_string(), FS_VERITY);
    assert_eq!(shard.format(), ModelFormat::SafeTensors);
    let expected = independent_table(&fs::read(&path).unwrap());
    assert_eq!(expected.len(), 104);
    let table = shard.tensors().unwrap();
    assert_eq!(table.len(), expected.len());
    let verified = manager.verify(&shard).unwrap();
    let base = verified.permit.device_address().unwrap().as_raw();
    for (name, (dtype, shape, start, end)) in &expected {
        let view = verified.permit.tensor(name).unwrap();
        assert_eq!(view.tensor.element().name(), dtype, "{name}");
        assert_eq!(view.tensor.shape(), shape, "{name}");
        assert_eq!(view.tensor.range(), *start..*end, "{name}");
        assert_eq!(view.address.as_raw(), base + start, "{name}");
    }
    assert_eq!(
        expected["embeddings.word_embeddings.weight"].1,
        [30522, 384]
    );
}

#[test]
fn a_bit_flipped_in_one_tensor_of_a_real_model_is_found_there() {
    let Some(path) = model() else { return };
    let machine = machine(256 * MIB);
    let manager = manager(&machine);
    let before = fs::metadata(&path).unwrap();
    let (shard, allocation) =
        seal_and_find(&machine, &manager, SealRequest::file(id("minilm"), &path));
    let tensor = shard
        .tensors()
        .unwrap()
        .get("encoder.layer.3.output.dense.weight")
        .unwrap();
    let offset = tensor.range().start + tensor.size() / 2;

    machine.flip_bit(allocation, offset, 4).unwrap();

    let error = manager.verify(&shard).unwrap_err();
    let Error::Tampered { difference, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(difference.blocks, [offset / 4096]);
    assert!(manager.stop_reason().is_some());
    let after = fs::metadata(&path).unwrap();
    assert_eq!(
        before.modified().unwrap(),
        after.modified().unwrap(),
        "the file is untouched"
    );
    assert_eq!(
        vram_seal::Digest::of(&fs::read(&path).unwrap()).to_string(),
        SHA256
    );
}
