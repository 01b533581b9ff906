//! Statements with a good signature that are not what they have to be.

use ring::digest::{Context, SHA256};
use serde_json::{Value, json};
use vram_provenance::{Error, Manifest};

use crate::vectors::{Own, verify};

/// A statement over these entries, whose root digest is right.
fn statement(serialization: Value, resources: &[(&str, &str, &str)]) -> Value {
    let mut context = Context::new(&SHA256);
    for (.., digest) in resources {
        // What is not even hexadecimal is refused before it matters.
        let bytes = (0..digest.len() / 2)
            .filter_map(|at| u8::from_str_radix(digest.get(at * 2..at * 2 + 2)?, 16).ok());
        context.update(&bytes.collect::<Vec<_>>());
    }
    let root = context.finish();
    let root: String = root
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let resources: Vec<_> = resources
        .iter()
        .map(|(name, algorithm, digest)| json!({"name": name, "algorithm": algorithm, "digest": digest}))
        .collect();
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {"serialization": serialization, "resources": resources},
    })
}

fn files(ignored: &[&str]) -> Value {
    json!({"method": "files", "hash_type": "sha256", "allow_symlinks": false, "ignore_paths": ignored})
}

fn shards(size: &Value) -> Value {
    json!({"method": "shards", "hash_type": "sha256", "allow_symlinks": false, "shard_size": size})
}

fn verified(statement: &Value) -> Result<Manifest, Error> {
    let signed = Own::new().verify(statement.to_string().as_bytes())?;
    Ok(signed.manifest().clone())
}

#[track_caller]
fn refused(statement: &Value, said: &str) {
    let error = verified(statement).unwrap_err().to_string();
    assert!(error.contains(said), "{error}");
}

fn hex() -> String {
    "ab".repeat(32)
}

#[test]
fn hash_methods_other_than_sha256_are_refused_by_name() {
    for (name, said) in [("blake2.sig", "blake2b"), ("blake3.sig", "blake3")] {
        let error = verify(name, "p256.pub").unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    }
    let hex = hex();
    refused(&statement(files(&[]), &[("a", "blake3", &hex)]), "blake3");
    let mut other = statement(files(&[]), &[("a", "sha256", &hex)]);
    other["predicate"]["serialization"]["hash_type"] = "sha512".into();
    refused(&other, "sha512");
}

#[test]
fn other_statements_are_refused_by_name() {
    let hex = hex();
    let good = || statement(files(&[]), &[("a", "sha256", &hex)]);
    assert!(verified(&good()).is_ok());
    for (member, value) in [
        ("_type", "https://in-toto.io/Statement/v0.1"),
        // Of releases before 1.0.
        ("predicateType", "https://model_signing/Digests/v0.1"),
        ("predicateType", "https://slsa.dev/provenance/v1"),
    ] {
        let mut other = good();
        other[member] = value.into();
        refused(&other, value);
    }
    let mut method = good();
    method["predicate"]["serialization"]["method"] = "tensors".into();
    refused(&method, "tensors");
    for subjects in [
        json!([]),
        json!([good()["subject"][0], good()["subject"][0]]),
    ] {
        let mut other = good();
        other["subject"] = subjects;
        refused(&other, "number of subjects");
    }
    let own = Own::new();
    let bundle = own
        .sign("application/json", good().to_string().as_bytes())
        .to_string();
    let bundle = vram_provenance::Bundle::from_json(bundle.as_bytes()).unwrap();
    let error = bundle
        .verify(&vram_provenance::Trust::Key(&own.public))
        .unwrap_err();
    assert!(matches!(error, Error::PayloadType { .. }), "{error:?}");
}

#[test]
fn what_later_releases_may_add_is_ignored() {
    let hex = hex();
    let mut more = statement(files(&[]), &[("a", "sha256", &hex)]);
    more["predicate"]["model_card"] = json!({"any": ["thing"]});
    more["predicate"]["serialization"]["more"] = true.into();
    more["predicate"]["resources"][0]["more"] = 1.into();

    assert_eq!(verified(&more).unwrap().files().len(), 1);
}

/// Covers: PR-2.
#[test]
fn a_manifest_that_does_not_add_up_is_refused() {
    let hex = hex();
    let mut less = statement(files(&[]), &[("a", "sha256", &hex), ("b", "sha256", &hex)]);
    less["predicate"]["resources"].as_array_mut().unwrap().pop();
    let mut none = statement(files(&[]), &[("a", "sha256", &hex)]);
    none["subject"][0]["digest"] = json!({"sha512": hex});

    let error = verified(&less).unwrap_err();
    assert!(matches!(error, Error::RootDigest { .. }), "{error:?}");
    refused(&none, "subject digest");
}

/// Covers: VU-5.
#[test]
fn paths_that_lead_out_of_the_model_are_refused() {
    let hex = hex();
    for path in [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../a",
        "a/../../b",
        "a/..",
        "./a",
        "a/./b",
        "a//b",
        "a/",
        "a\0b",
    ] {
        refused(
            &statement(files(&[]), &[(path, "sha256", &hex)]),
            "is refused",
        );
        let piece = format!("{path}:0:1");
        refused(
            &statement(shards(&8.into()), &[(&piece, "sha256-sharded-8", &hex)]),
            "is refused",
        );
    }
    let long = "x".repeat(Manifest::MAX_PATH_LEN + 1);
    refused(
        &statement(files(&[]), &[(&long, "sha256", &hex)]),
        "too long",
    );
    for path in ["..a", "a..", "a:b", "a\\b", "\u{e9}", " "] {
        assert!(
            verified(&statement(files(&[]), &[(path, "sha256", &hex)])).is_ok(),
            "{path:?}"
        );
    }
}

#[test]
fn a_path_is_listed_once_and_not_ignored_too() {
    let hex = hex();
    let entry = |path| (path, "sha256", &*hex);
    refused(&statement(files(&[]), &[entry("a"), entry("a")]), "twice");
    for ignored in ["a", "a/b", "a/b/", "."] {
        refused(
            &statement(files(&[ignored]), &[entry("a/b")]),
            "both listed and ignored",
        );
    }
    for ignored in ["a/bc", "b", "../a", "/a", "a/b/c", ""] {
        let manifest = verified(&statement(files(&[ignored]), &[entry("a/b")])).unwrap();
        assert!(!manifest.is_ignored("a/b"), "{ignored}");
    }
    refused(
        &statement(files(&[]), &[entry("."), entry("a")]),
        "one file",
    );
}

#[test]
fn digests_that_are_none_are_refused() {
    for digest in [
        "",
        "ab",
        &"ab".repeat(31),
        &"xy".repeat(32),
        &"ab".repeat(64),
    ] {
        refused(
            &statement(files(&[]), &[("a", "sha256", digest)]),
            "is refused",
        );
    }
}

#[test]
fn pieces_have_no_gap_no_overlap_and_the_stated_size() {
    let hex = hex();
    let pieces = |names: &[&str]| {
        let resources: Vec<_> = names
            .iter()
            .map(|name| (*name, "sha256-sharded-8", &*hex))
            .collect();
        verified(&statement(shards(&8.into()), &resources))
    };
    assert!(pieces(&["a:0:8", "b:0:3", "a:8:16", "a:16:17"]).is_ok());
    for bad in [
        &["a:1:8"][..],
        &["a:8:16"],
        &["a:0:9"],
        &["a:0:0"],
        &["a:0:8", "a:0:8"],
        &["a:0:8", "a:7:15"],
        &["a:0:8", "a:9:16"],
        &["a:0:7", "a:7:15"],
        &["a:8:16", "a:0:8"],
        &["a:8:16", "a:8:16"],
        &["a:0:08"],
        &["a:+0:8"],
        &["a:0:-1"],
        &["a:0"],
        &["a"],
        &["a:b:0:8"],
        &["a:0:18446744073709551616"],
    ] {
        assert!(matches!(pieces(bad), Err(Error::Entry { .. })), "{bad:?}");
    }
    refused(
        &statement(shards(&8.into()), &[("a:0:8", "sha256-sharded-9", &hex)]),
        "algorithm",
    );
    refused(
        &statement(files(&[]), &[("a", "sha256-sharded-8", &hex)]),
        "hash algorithm",
    );
}

#[test]
fn shard_sizes_are_whole_numbers_however_they_are_written() {
    let hex = hex();
    let size = |size: Value| {
        verified(&statement(
            shards(&size),
            &[("a:0:8", "sha256-sharded-8", &hex)],
        ))
    };
    for good in [json!(8), json!(8.0)] {
        assert!(size(good).is_ok());
    }
    for bad in [
        json!(0),
        json!(-8),
        json!(8.5),
        json!(1e300),
        json!(0.0),
        Value::Null,
    ] {
        assert!(size(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn names_that_come_twice_and_what_follows_the_end_are_refused() {
    let hex = hex();
    let good = statement(files(&[]), &[("a", "sha256", &hex)]).to_string();
    let own = Own::new();
    let twice = good.replacen("{", r#"{"predicateType":"x","#, 1);
    for bad in [twice, format!("{good}{{}}"), format!("{good}x")] {
        let error = own.verify(bad.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Statement(_)), "{error:?}");
    }
}
