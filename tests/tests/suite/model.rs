//! A real model, all-MiniLM-L6-v2, from its file to a permit for its tensors.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{env, fs};

use vram_residency::model::ModelFormat;
use vram_residency::{Error, SealRequest};

use crate::outside::{skip, workspace};
use crate::rig::{MIB, id, machine, manager, seal_and_find};

/// What was published with it.
const SIZE: u64 = 90_868_376;
const SHA256: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";
/// What `fsverity digest` prints for it.
const FS_VERITY: &str = "35b370b4d364d2c85a75509fd9aaf87d9efabfc331ad56a8ff454d56d6e436d6";

/// Tensors that anybody can look up in the published file: name, type, shape, byte range.
const KNOWN: [(&str, &str, &[u64], std::ops::Range<u64>); 4] = [
    ("embeddings.position_ids", "I64", &[1, 512], 11_416..15_512),
    ("embeddings.LayerNorm.bias", "F32", &[384], 15_512..17_048),
    (
        "embeddings.position_embeddings.weight",
        "F32",
        &[512, 384],
        18_584..805_016,
    ),
    (
        "pooler.dense.weight",
        "F32",
        &[384, 384],
        90_278_552..90_868_376,
    ),
];

/// The model's path: what `cargo xtask test` sets once it has fetched it, or where it fetches it to.
fn model() -> Option<PathBuf> {
    if let Some(path) = env::var_os("VRAM_TEST_MODEL") {
        return Some(path.into());
    }
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let fetched = workspace()
        .join(target)
        .join("xtask/model/model.safetensors");
    if fetched.is_file() {
        return Some(fetched);
    }
    skip(
        "there is no model to seal; `cargo xtask model` fetches it",
        "VRAM_REQUIRE_MODEL",
    );
    None
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

/// Covers: TE-1.
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
    assert!(machine.addresses().contains(&base));
    for (name, (dtype, shape, start, end)) in &expected {
        let view = verified.permit.tensor(name).unwrap();
        assert_eq!(view.tensor.element().name(), dtype, "{name}");
        assert_eq!(view.tensor.shape(), shape, "{name}");
        assert_eq!(view.tensor.range(), *start..*end, "{name}");
        assert_eq!(view.address.as_raw(), base + start, "{name}");
    }
    for (name, dtype, shape, range) in KNOWN {
        let tensor = table.get(name).unwrap();
        assert_eq!(tensor.element().name(), dtype, "{name}");
        assert_eq!(tensor.shape(), shape, "{name}");
        assert_eq!(tensor.range(), range, "{name}");
    }
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
    let verified = manager.verify(&shard).unwrap();

    machine.flip_bit(allocation, offset, 4).unwrap();

    let error = manager.verify(&shard).unwrap_err();
    let Error::Tampered { difference, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(difference.blocks, [offset / 4096]);
    assert!(error.is_integrity_failure());
    // The manager has stopped: it seals nothing, and the permit given before gives nothing out.
    assert!(manager.stop_reason().is_some());
    let refused = manager.seal(SealRequest::bytes(id("another"), b"bytes"));
    assert!(matches!(refused, Err(Error::Stopped { .. })), "{refused:?}");
    let refused = verified.permit.tensor(tensor.name());
    assert!(matches!(refused, Err(Error::Stopped { .. })), "{refused:?}");
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
