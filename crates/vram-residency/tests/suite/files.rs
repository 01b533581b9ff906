//! Files and folders as sources: what is sealed of them, and every way in which they can be bad.

use std::path::PathBuf;

use vram_residency::model::ModelFormat;
use vram_residency::{Error, Manager, ModelFolder, Progress, SealRequest, Stage, shard_id};

use crate::support::*;

fn with_file(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn seal_file(manager: &Manager, path: &PathBuf) -> Result<vram_residency::SealedShard, Error> {
    manager.seal(SealRequest::file(id("file"), path))
}

/// Covers: VP-004.
#[test]
fn a_file_that_can_not_fit_is_refused_before_its_header_is_read() {
    let (_folder, path) = with_file("huge.safetensors", b"");
    // Not a model at all: reading it would say so.
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(DEVICE + 1).unwrap();
    let machine = machine();

    let error = seal_file(&manager(&machine), &path).unwrap_err();

    assert!(matches!(error, Error::NoRoom(_)), "{error:?}");
}

/// Covers: FN-2.1.
#[test]
fn a_model_file_is_sealed_with_its_tensor_table() {
    let machine = machine();
    let content = sample_safetensors();
    let (_folder, path) = with_file("model.safetensors", &content);

    let shard = seal_file(&manager(&machine), &path).unwrap();

    assert_eq!(shard.format(), ModelFormat::SafeTensors);
    assert_eq!(
        shard.tensors().unwrap().get("weight").unwrap().shape(),
        [4, 4]
    );
    assert_eq!(
        shard.content_digest(),
        Some(vram_seal::Digest::of(&content))
    );
}

#[test]
fn a_file_of_another_kind_is_sealed_as_bytes() {
    let machine = machine();
    let (_folder, path) = with_file("weights.bin", &weights(5000));

    let shard = seal_file(&manager(&machine), &path).unwrap();

    assert_eq!(shard.format(), ModelFormat::Opaque);
    assert!(shard.tensors().is_none());
}

/// Covers: HI-1.
#[test]
fn bad_files_are_refused_by_name_before_anything_is_allocated() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("empty.safetensors"), b"").unwrap();
    let mut truncated = sample_safetensors();
    truncated.pop();
    std::fs::write(at("truncated.safetensors"), &truncated).unwrap();
    std::fs::write(at("lying.safetensors"), u64::MAX.to_le_bytes()).unwrap();
    std::fs::write(
        at("lying.gguf"),
        [b"GGUF\x03\0\0\0".as_slice(), &[0xff; 16]].concat(),
    )
    .unwrap();
    let machine = machine();
    let manager = manager(&machine);
    type Case = (&'static str, fn(&Error) -> bool);
    let cases: [Case; 6] = [
        ("missing.safetensors", |error| {
            matches!(error, Error::File { .. })
        }),
        (".", |error| {
            matches!(
                error,
                Error::NotAFile {
                    found: "a folder",
                    ..
                }
            )
        }),
        ("empty.safetensors", |error| {
            matches!(error, Error::Empty { .. })
        }),
        ("truncated.safetensors", |error| {
            matches!(error, Error::Model { .. })
        }),
        ("lying.safetensors", |error| {
            matches!(error, Error::Model { .. })
        }),
        ("lying.gguf", |error| matches!(error, Error::Model { .. })),
    ];
    for (name, expected) in cases {
        machine.record();
        let error = seal_file(&manager, &at(name)).unwrap_err();
        assert!(expected(&error), "{name}: {error:?}");
        assert!(!error.is_fatal(), "{name}");
        let creates = machine.stop_recording();
        let allocated = |call: &vram_sim::Call| call.function == vram_sys::Function::cuMemCreate;
        assert!(!creates.iter().any(allocated), "{name}");
        if !matches!(error, Error::Empty { .. }) {
            assert!(
                error.to_string().contains(folder.path().to_str().unwrap()),
                "{error}"
            );
        }
    }
    assert!(manager.stop_reason().is_none());
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_without_waiting_for_its_other_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe.safetensors");
    let made = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    let machine = machine();

    let error = seal_file(&manager(&machine), &path).unwrap_err();

    assert!(
        matches!(
            error,
            Error::NotAFile {
                found: "not a regular file",
                ..
            }
        ),
        "{error:?}"
    );
}

/// Changes the file when the upload has come so far.
struct Meddler<F>(u64, F);

impl<F: Fn() + Send + Sync> Progress for Meddler<F> {
    fn advanced(&self, stage: Stage, done: u64, _: u64) {
        if stage == Stage::Upload && done == self.0 {
            (self.1)();
        }
    }
}

/// Covers: HI-2.
#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let content = weights(3 << 20);
    type Change = (&'static str, fn(&PathBuf));
    let changes: [Change; 3] = [
        ("cut short", |path| {
            std::fs::OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(1 << 20)
                .unwrap();
        }),
        ("grown", |path| {
            use std::io::Write as _;
            let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(b"more").unwrap();
        }),
        ("rewritten", |path| {
            use std::io::{Seek as _, SeekFrom, Write as _};
            let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            file.seek(SeekFrom::Start(5)).unwrap();
            file.write_all(b"other").unwrap();
        }),
    ];
    for (how, change) in changes {
        let (_folder, path) = with_file("weights.bin", &content);
        let machine = machine();
        let manager = manager(&machine);
        let meddler = Meddler(1 << 20, || change(&path));

        let sealed = manager.seal(SealRequest::file(id("file"), &path).progress(&meddler));

        let error = sealed.unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{how}: {error:?}");
        assert!(error.is_retriable(), "{how}");
        assert_eq!(manager.capacity().unwrap().used.0, 0, "{how}");
        assert!(
            seal_file(&manager, &path).is_ok(),
            "{how}: and now that it is still, it seals"
        );
    }
}

#[test]
fn a_folder_becomes_a_set_in_the_order_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("model-00002-of-00002.safetensors"), sample_safetensors()).unwrap();
    std::fs::write(at("model-00001-of-00002.safetensors"), sample_safetensors()).unwrap();
    std::fs::write(at("config.json"), b"{}").unwrap();
    std::fs::create_dir(at("nested.safetensors")).unwrap();
    let machine = machine();
    let manager = manager(&machine);

    let set = ModelFolder::open(folder.path()).unwrap();
    let model = "a model".parse().unwrap();
    let shards = manager.seal_folder(&set, Some(&model)).unwrap();

    let names: Vec<_> = shards.iter().map(|shard| shard.id().as_str()).collect();
    assert_eq!(
        names,
        [
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors"
        ]
    );
    let positions: Vec<_> = shards
        .iter()
        .map(|shard| {
            shard
                .position()
                .map(|position| (position.index(), position.total()))
        })
        .collect();
    assert_eq!(positions, [Some((0, 2)), Some((1, 2))]);
    assert!(
        shards
            .iter()
            .all(|shard| shard.model().unwrap().as_str() == "a model")
    );
    assert!(manager.verify_all(&shards).unwrap().passed());
}

/// Covers: SE-2.
#[test]
fn a_folder_is_sealed_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.safetensors"), sample_safetensors()).unwrap();
    std::fs::write(folder.path().join("b.safetensors"), b"not one").unwrap();
    let machine = machine();
    let manager = manager(&machine);
    let set = ModelFolder::open(folder.path()).unwrap();

    let error = manager.seal_folder(&set, None).unwrap_err();

    assert!(matches!(error, Error::Model { .. }), "{error:?}");
    assert!(manager.shard_ids().is_empty());
    assert_eq!(manager.capacity().unwrap().used.0, 0);
}

/// Covers: VP-004.
#[test]
fn a_folder_that_fits_in_pieces_but_not_together_is_refused_before_reading() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.gguf", "b.gguf"] {
        // Not models at all: reading one would say so.
        std::fs::File::create(folder.path().join(name))
            .unwrap()
            .set_len(3 << 20)
            .unwrap();
    }
    let machine = machine();
    let manager = builder()
        .budget((16 << 20) + (6 << 20))
        .build(&platform(&machine))
        .unwrap();
    let set = ModelFolder::open(folder.path()).unwrap();

    let error = manager.seal_folder(&set, None).unwrap_err();

    let Error::NoRoom(room) = error else {
        panic!("{error:?}")
    };
    assert_eq!((room.needed.0, room.available.0), (8 << 20, 6 << 20));
}

#[test]
fn a_folder_without_models_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), b"x").unwrap();

    assert!(matches!(
        ModelFolder::open(folder.path()),
        Err(Error::NoModels { .. })
    ));
    let missing = folder.path().join("nowhere");
    assert!(matches!(
        ModelFolder::open(&missing),
        Err(Error::File { .. })
    ));
}

#[test]
fn ids_are_made_of_file_names() {
    let cases = [
        ("/models/model.safetensors", "model.safetensors"),
        ("a b (1).gguf", "a_b__1_.gguf"),
        ("...hidden.gguf", "hidden.gguf"),
        ("a..b.gguf", "a._b.gguf"),
        ("héé.gguf", "h__.gguf"),
    ];
    for (path, expected) in cases {
        assert_eq!(shard_id(path.as_ref()).unwrap().as_str(), expected);
    }
    assert!(shard_id(format!("{}.gguf", "x".repeat(300)).as_ref()).is_err());
    assert!(shard_id("/".as_ref()).is_err());
}

#[test]
fn names_that_give_one_id_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a b.gguf", "a_b.gguf"] {
        std::fs::write(folder.path().join(name), b"x").unwrap();
    }

    assert!(matches!(
        ModelFolder::open(folder.path()),
        Err(Error::Duplicate { .. })
    ));
}
