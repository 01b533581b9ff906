//! What somebody stands for: a signed folder is sealed whole or not at all, and the seal says where the digests came from.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding as _};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use vram_provenance::checksums::Checksums;
use vram_provenance::{Bundle, Manifest, PieceDigests, PublicKey, SignedManifest, Trust};
use vram_residency::{
    Error, Expectation, ExpectedDigest, FolderDifference, HostHashing, ModelFolder, SealRequest,
    SignedFolder,
};
use vram_seal::dsse::pae;
use vram_seal::{Digest, ExpectedFrom, VerityDigest};

use crate::support::*;

/// Signs entries as the package `model-signing` lays them down, with a key made for it.
fn signed(serialization: &Value, entries: &[(String, String, Digest)]) -> SignedManifest {
    let all: Vec<u8> = entries
        .iter()
        .flat_map(|(.., digest)| *digest.as_bytes())
        .collect();
    let resources: Vec<_> = entries
        .iter()
        .map(|(name, algorithm, digest)| json!({"name": name, "algorithm": algorithm, "digest": digest}))
        .collect();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "m", "digest": {"sha256": Digest::of(&all)}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {"serialization": serialization, "resources": resources},
    })
    .to_string();
    let kind = "application/vnd.in-toto+json";
    let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let signature = pair
        .sign(&random, &pae(kind, statement.as_bytes()))
        .unwrap();
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {}},
        "dsseEnvelope": {
            "payload": Base64::encode_string(statement.as_bytes()),
            "payloadType": kind,
            "signatures": [{"sig": Base64::encode_string(signature.as_ref())}],
        },
    })
    .to_string();
    // A P-256 SubjectPublicKeyInfo is its point behind the same bytes always.
    let mut der = vec![
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    der.extend(pair.public_key().as_ref());
    let key = PublicKey::from_spki_der(&der).unwrap();
    let bundle = Bundle::from_json(bundle.as_bytes()).unwrap();
    bundle.verify(&Trust::Key(&key)).unwrap()
}

fn whole(files: &BTreeMap<&str, Vec<u8>>) -> SignedManifest {
    let entry = |(name, bytes): (&&str, &Vec<u8>)| {
        ((*name).to_owned(), "sha256".to_owned(), Digest::of(bytes))
    };
    let entries: Vec<_> = files.iter().map(entry).collect();
    let serialization = json!({
        "method": "files", "hash_type": "sha256", "allow_symlinks": false, "ignore_paths": [".git", "left-out.gguf"],
    });
    signed(&serialization, &entries)
}

fn in_pieces(files: &BTreeMap<&str, Vec<u8>>, size: usize) -> SignedManifest {
    let mut entries = Vec::new();
    for (name, bytes) in files {
        for (at, piece) in (0_usize..).step_by(size).zip(bytes.chunks(size)) {
            let name = format!("{name}:{at}:{}", at.saturating_add(piece.len()));
            entries.push((name, format!("sha256-sharded-{size}"), Digest::of(piece)));
        }
    }
    let serialization = json!({"method": "shards", "hash_type": "sha256", "allow_symlinks": false, "shard_size": size});
    signed(&serialization, &entries)
}

/// A SafeTensors file of one tensor.
fn model(data: usize) -> Vec<u8> {
    let header = format!(r#"{{"w":{{"dtype":"U8","shape":[{data}],"data_offsets":[0,{data}]}}}}"#);
    let mut file = u64::try_from(header.len()).unwrap().to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend(weights(data));
    file
}

fn files() -> BTreeMap<&'static str, Vec<u8>> {
    BTreeMap::from([
        ("a.safetensors", model(700_000)),
        ("b.safetensors", model(300_000)),
        ("config.json", b"{}".to_vec()),
        ("deep/er/notes", b"notes".to_vec()),
    ])
}

fn written(files: &BTreeMap<&str, Vec<u8>>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

fn open(folder: &Path, signed: &SignedManifest) -> Result<SignedFolder, Error> {
    ModelFolder::open_signed(folder, signed, Path::new("elsewhere/model.sig"), false)
}

fn differences(refused: Result<SignedFolder, Error>) -> Vec<FolderDifference> {
    let error = refused.unwrap_err();
    assert!(error.is_integrity_failure(), "{error:?}");
    let Error::NotAsSigned { differences, .. } = error else {
        panic!("{error:?}")
    };
    differences
}

/// Covers: PR-3.
#[test]
fn a_signed_folder_is_sealed_by_either_layout_and_the_record_says_so() {
    let files = files();
    let folder = written(&files);
    for signed in [
        whole(&files),
        in_pieces(&files, 100_000),
        in_pieces(&files, 1 << 30),
    ] {
        let machine = machine();
        let manager = manager(&machine);
        let opened = open(folder.path(), &signed).unwrap();
        assert_eq!(opened.checked(), ["config.json", "deep/er/notes"]);
        assert!(opened.uncovered().is_empty());

        let shards = manager.seal_folder(opened.folder(), None).unwrap();

        assert_eq!(shards.len(), 2);
        for (shard, bytes) in shards.iter().zip(files.values()) {
            assert_eq!(shard.expected_from(), ExpectedFrom::ModelSignature);
            assert_eq!(shard.content_digest(), Some(Digest::of(bytes)));
            assert_eq!(
                manager.verify(shard).unwrap().permit.shard().id(),
                shard.id()
            );
        }
    }
}

/// Covers: PR-2.
#[test]
fn bytes_that_change_after_the_folder_was_opened_give_everything_back() {
    let files = files();
    for (at, signed) in [
        (699_000, whole(&files)),
        (0, whole(&files)),
        (150_000, in_pieces(&files, 100_000)),
    ] {
        let folder = written(&files);
        let machine = machine();
        let manager = manager(&machine);
        let opened = open(folder.path(), &signed).unwrap();
        let mut changed = files["a.safetensors"].clone();
        // Within the tensor's bytes.
        changed[at + 100] ^= 1;
        std::fs::write(folder.path().join("a.safetensors"), changed).unwrap();

        let error = manager.seal_folder(opened.folder(), None).unwrap_err();

        assert!(matches!(error, Error::Unexpected { .. }), "{error:?}");
        assert!(error.is_integrity_failure() && !error.is_fatal());
        let capacity = manager.capacity().unwrap();
        assert_eq!((capacity.used.0, capacity.unreleased.0), (0, 0));
        assert!(manager.shard_ids().is_empty());
        assert!(manager.stop_reason().is_none());
        let piece = &files["b.safetensors"][5000..5064];
        assert_eq!(machine.physical_pages_containing(piece).unwrap(), 0);
        assert!(seal_fits(&manager), "and the manager goes on");
    }
}

/// Covers: PR-2.
#[test]
fn a_folder_that_is_not_as_signed_is_told_file_by_file() {
    let files = files();
    let signed = whole(&files);
    let folder = written(&files);
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("new.bin"), b"new").unwrap();
    std::fs::write(path("deep/er/new.safetensors"), b"new").unwrap();
    std::fs::remove_file(path("b.safetensors")).unwrap();
    std::os::unix::fs::symlink("a.safetensors", path("b.safetensors")).unwrap();
    std::fs::rename(path("config.json"), path("Config.json")).unwrap();
    std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    std::os::unix::fs::symlink("deep", path("shallow")).unwrap();
    std::fs::write(path("left-out.gguf"), b"model").unwrap();
    std::fs::create_dir(path(".git")).unwrap();
    std::fs::write(path(".git/HEAD"), b"ref").unwrap();

    let differences = differences(open(folder.path(), &signed));

    let said = |name: &str| name.to_owned();
    assert_eq!(
        differences,
        [
            FolderDifference::Unlisted(said("Config.json")),
            FolderDifference::Unlisted(said("deep/er/new.safetensors")),
            FolderDifference::Unlisted(said("new.bin")),
            FolderDifference::Missing(said("config.json")),
            FolderDifference::Link(said("b.safetensors")),
            FolderDifference::Link(said("shallow")),
            FolderDifference::Special(said("socket")),
            FolderDifference::Ignored(said("left-out.gguf")),
        ]
    );
}

#[test]
fn many_differences_are_counted_and_not_all_listed() {
    let files = files();
    let folder = written(&files);
    for number in 0..40 {
        std::fs::write(folder.path().join(format!("extra-{number:02}")), b"x").unwrap();
    }

    let error = open(folder.path(), &whole(&files)).unwrap_err();

    let said = error.to_string();
    assert!(said.contains("\"extra-00\" was not signed"), "{said}");
    assert!(said.contains("and 24 more"), "{said}");
}

#[test]
fn the_other_files_bytes_are_compared_before_anything_is_sealed() {
    let files = files();
    for signed in [whole(&files), in_pieces(&files, 1000)] {
        for changed in [&b"notez"[..], b"note", b"notes!", b""] {
            let folder = written(&files);
            std::fs::write(folder.path().join("deep/er/notes"), changed).unwrap();
            // An empty file is one that pieces don't list: here it is listed.
            let differences = differences(open(folder.path(), &signed));
            assert_eq!(
                differences,
                [FolderDifference::Changed("deep/er/notes".to_owned())]
            );
        }
    }
}

#[test]
fn the_signature_itself_need_not_be_signed_wherever_its_link_leads() {
    let files = files();
    let signed = whole(&files);
    let folder = written(&files);
    let open =
        |signature: PathBuf| ModelFolder::open_signed(folder.path(), &signed, &signature, false);
    std::fs::write(folder.path().join("deep/model.sig"), b"{}").unwrap();

    assert_eq!(
        open(folder.path().join("deep/../deep/model.sig"))
            .unwrap()
            .uncovered(),
        ["deep/model.sig"]
    );
    assert!(
        open(folder.path().join("model.sig")).is_err(),
        "another of that name is a file like any"
    );

    let apart = tempfile::tempdir().unwrap();
    std::fs::rename(
        folder.path().join("deep/model.sig"),
        apart.path().join("blob"),
    )
    .unwrap();
    std::os::unix::fs::symlink(
        apart.path().join("blob"),
        folder.path().join("deep/model.sig"),
    )
    .unwrap();
    let signature = folder.path().join("deep/model.sig");
    assert_eq!(
        differences(open(signature.clone())),
        [FolderDifference::Link("deep/model.sig".to_owned())]
    );
    let followed = ModelFolder::open_signed(folder.path(), &signed, &signature, true);
    assert_eq!(followed.unwrap().uncovered(), ["deep/model.sig"]);
}

#[test]
fn a_model_that_is_given_as_a_link_is_refused_unless_links_are_followed() {
    let files = files();
    let (folder, signed) = (written(&files), whole(&files));
    let beside = tempfile::tempdir().unwrap();
    let link = beside.path().join("link");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    let the_model = [FolderDifference::Link(".".to_owned())];

    for given in [link.clone(), link.join(""), link.join(".")] {
        assert_eq!(differences(open(&given, &signed)), the_model, "{given:?}");
    }
    let signature = Path::new("elsewhere/model.sig");
    assert!(ModelFolder::open_signed(&link, &signed, signature, true).is_ok());

    let content = Digest::of(&files["a.safetensors"]);
    let serialization = json!({"method": "files", "hash_type": "sha256", "allow_symlinks": false});
    let alone = [(".".to_owned(), "sha256".to_owned(), content)];
    let alone = self::signed(&serialization, &alone);
    let file = folder.path().join("a.safetensors");
    let link = beside.path().join("a.safetensors");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert!(Expectation::signed_alone(&alone, &file, false).is_ok());
    assert!(Expectation::signed_alone(&alone, &link, true).is_ok());
    let error = Expectation::signed_alone(&alone, &link, false).unwrap_err();
    assert!(error.is_integrity_failure(), "{error:?}");
}

#[test]
fn links_and_special_files_are_refused_under_ignored_paths_too() {
    let files = files();
    let signed = whole(&files);
    let follow = |folder: &Path| {
        ModelFolder::open_signed(folder, &signed, Path::new("elsewhere/model.sig"), true)
    };

    let folder = written(&files);
    std::fs::create_dir_all(folder.path().join(".git/hooks")).unwrap();
    std::fs::write(folder.path().join(".git/hooks/plain"), b"x").unwrap();
    assert_eq!(open(folder.path(), &signed).unwrap().uncovered(), [".git"]);

    let link = folder.path().join(".git/hooks/link");
    std::os::unix::fs::symlink("plain", &link).unwrap();
    let refused = [FolderDifference::Link(".git/hooks/link".to_owned())];
    assert_eq!(differences(open(folder.path(), &signed)), refused);
    assert_eq!(follow(folder.path()).unwrap().uncovered(), [".git"]);
    std::fs::remove_file(link).unwrap();

    let _socket =
        std::os::unix::net::UnixListener::bind(folder.path().join(".git/socket")).unwrap();
    let refused = [FolderDifference::Special(".git/socket".to_owned())];
    assert_eq!(differences(open(folder.path(), &signed)), refused);
    assert_eq!(differences(follow(folder.path())), refused);
}

#[test]
fn what_was_found_to_be_the_whole_model_is_what_is_sealed_whatever_comes_and_goes() {
    use std::sync::atomic::{AtomicBool, Ordering};

    let files = BTreeMap::from([("a.safetensors", model(10)), ("b.safetensors", model(20))]);
    let (folder, signed) = (written(&files), whole(&files));
    let (there, away) = (
        folder.path().join("b.safetensors"),
        tempfile::tempdir().unwrap(),
    );
    let away = away.path().join("b");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                std::fs::rename(&there, &away).unwrap();
                std::fs::rename(&away, &there).unwrap();
            }
        });
        let opened: Vec<_> = (0..400)
            .filter_map(|_| open(folder.path(), &signed).ok())
            .map(|opened| opened.folder().files().len())
            .collect();
        done.store(true, Ordering::Relaxed);
        assert!(opened.iter().all(|files| *files == 2), "{opened:?}");
    });
    assert_eq!(
        open(folder.path(), &signed).unwrap().folder().files().len(),
        2
    );
}

#[test]
fn a_folder_with_more_in_it_than_a_manifest_can_list_is_refused() {
    let files = files();
    let (folder, signed) = (written(&files), whole(&files));
    let too_large = |error: Error, limit| {
        let found = matches!(&error, Error::FolderTooLarge { limit: found, .. } if *found == limit);
        assert!(found, "{error:?}");
    };
    let deep = |depth: usize| {
        let deep: PathBuf = (0..depth).map(|_| "d").collect();
        std::fs::create_dir_all(folder.path().join(deep)).unwrap();
        open(folder.path(), &signed)
    };
    assert!(deep(64).is_ok());
    too_large(deep(65).unwrap_err(), 64);
    std::fs::remove_dir_all(folder.path().join("d")).unwrap();

    let ignored = folder.path().join(".git");
    std::fs::create_dir(&ignored).unwrap();
    for number in 0..=Manifest::MAX_ENTRIES {
        std::fs::File::create(ignored.join(number.to_string())).unwrap();
    }
    too_large(
        open(folder.path(), &signed).unwrap_err(),
        Manifest::MAX_ENTRIES,
    );
    too_large(
        ModelFolder::open(&ignored).unwrap_err(),
        Manifest::MAX_ENTRIES,
    );
}

/// A checksum file, read.
fn list(lines: &[(&str, &[u8])]) -> Checksums {
    let line = |(name, bytes): &(&str, &[u8])| format!("{}  {name}\n", Digest::of(bytes));
    let lines: String = lines.iter().map(line).collect();
    Checksums::parse(lines.as_bytes()).unwrap()
}

#[test]
fn a_file_in_a_linked_folder_is_looked_up_by_its_whole_name() {
    let (beside, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("m.gguf"), b"bytes").unwrap();
    std::os::unix::fs::symlink(folder.path(), beside.path().join("model")).unwrap();
    let at = beside.path().join("SHA256SUMS");
    let path = beside.path().join("model/m.gguf");
    let both = list(&[("m.gguf", b"another"), ("model/m.gguf", b"bytes")]);

    let found = Expectation::listed(&both, &at, &path).unwrap();

    let expected = ExpectedDigest::Content(Digest::of(b"bytes"));
    assert_eq!(*found.digest(), expected);
    // Where the link leads, the list's folder is elsewhere: its names are of paths, not of this file.
    let real = folder.path().join("m.gguf");
    for names in [&both, &list(&[("m.gguf", b"bytes"), ("x/y", b"")])] {
        let error = Expectation::listed(names, &at, &real).unwrap_err();
        assert!(matches!(error, Error::NothingExpected { .. }), "{error:?}");
    }
    let bare = list(&[("m.gguf", b"bytes")]);
    assert!(Expectation::listed(&bare, &at, &path).is_err());
    assert_eq!(
        *Expectation::listed(&bare, &at, &real).unwrap().digest(),
        expected
    );
    // A path that leads back into the list's folder lies there.
    let back = beside.path().join("model/../SHA256SUMS");
    assert!(Expectation::listed(&bare, &at, &back).is_err());
}

#[test]
fn a_list_whose_folder_can_not_be_found_lists_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.gguf"), b"bytes").unwrap();
    let bare = list(&[("m.gguf", b"bytes")]);
    let gone = folder.path().join("gone/SHA256SUMS");

    let error = Expectation::listed(&bare, &gone, &folder.path().join("m.gguf")).unwrap_err();

    assert!(matches!(error, Error::File { .. }), "{error:?}");
}

#[test]
fn empty_files_are_uncovered_where_no_manifest_can_list_them() {
    let mut files = files();
    let signed = in_pieces(&files, 1000);
    files.insert("empty", Vec::new());
    let folder = written(&files);

    assert_eq!(open(folder.path(), &signed).unwrap().uncovered(), ["empty"]);
    assert_eq!(
        differences(open(folder.path(), &whole(&self::files()))),
        [FolderDifference::Unlisted("empty".to_owned())]
    );
}

#[test]
fn pieces_of_another_size_are_refused_before_a_byte_is_read() {
    let machine = machine();
    let manager = manager(&machine);
    let bytes = weights(5000);
    let size = NonZeroU64::new(1000).unwrap();
    let digests = |bytes: &[u8]| {
        let pieces = bytes.chunks(1000).map(Digest::of).collect();
        PieceDigests::new(bytes.len() as u64, size, pieces).unwrap()
    };
    let request = |name: &str, digests| SealRequest::bytes(id(name), &bytes).expect_pieces(digests);

    let mut unreadable = Unreadable;
    let longer =
        SealRequest::reader(id("longer"), &mut unreadable, 5001).expect_pieces(digests(&bytes));
    let error = manager.seal(longer).unwrap_err();
    assert!(matches!(error, Error::UnexpectedSize { .. }), "{error:?}");
    assert!(error.is_integrity_failure());

    let verity = request("verity", digests(&bytes)).hashing(HostHashing::Verity);
    assert!(matches!(
        manager.seal(verity).unwrap_err(),
        Error::Hashing { .. }
    ));

    let sealed = manager.seal(request("good", digests(&bytes))).unwrap();
    assert_eq!(sealed.expected_from(), ExpectedFrom::Caller);
    for at in [0, 999, 1000, 4999] {
        let mut other = bytes.clone();
        other[at] ^= 1;
        let error = manager.seal(request("bad", digests(&other))).unwrap_err();
        assert!(matches!(error, Error::Unexpected { .. }), "{at}: {error:?}");
    }
    assert_eq!(manager.shard_ids(), [id("good")]);
}

#[test]
fn a_kernels_digest_is_trusted_only_if_the_device_measures_it() {
    let machine = machine();
    let manager = manager(&machine);
    let folder = written(&files());
    let models = ModelFolder::open(folder.path()).unwrap();
    // What the kernel would say, where fs-verity is enabled: here it is computed.
    let verity = |path: &Path| VerityDigest::of(&std::fs::read(path).unwrap());
    let seal = |name: &str, digest| {
        let request = SealRequest::file(id(name), &models.files()[0].path)
            .hashing(HostHashing::Trusted)
            .expect_verity(digest)
            .expected_from(ExpectedFrom::Kernel);
        manager.seal(request)
    };

    let good = seal("good", verity(&models.files()[0].path)).unwrap();
    let bad = seal("bad", verity(&models.files()[1].path)).unwrap_err();

    assert_eq!(
        (good.expected_from(), good.content_digest()),
        (ExpectedFrom::Kernel, None)
    );
    assert!(matches!(bad, Error::NotAsTrusted { .. }), "{bad:?}");
    let error = Expectation::of_kernel(&models.files()[0].path);
    if let Ok(expectation) = error {
        // A file system that enables it by itself.
        assert!(matches!(expectation.digest(), ExpectedDigest::Verity(_)));
    } else {
        assert!(
            matches!(error, Err(Error::NothingExpected { .. })),
            "{error:?}"
        );
    }
    assert!(Expectation::of_kernel(folder.path()).is_err());
}
