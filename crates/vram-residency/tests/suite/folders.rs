//! Folders of many files, several of which are sealed at a time: all of them, or none.

use std::path::Path;
use std::sync::Mutex;

use vram_residency::{Error, HostHashing, Manager, ModelFolder, Progress, SealRequest, Stage};
use vram_seal::Digest;
use vram_sim::Machine;

use crate::support::*;

const FILES: usize = 16;

/// A SafeTensors file of one tensor, of about so many bytes that look like nothing else.
fn model(data: usize) -> Vec<u8> {
    let header = format!(r#"{{"w":{{"dtype":"U8","shape":[{data}],"data_offsets":[0,{data}]}}}}"#);
    let mut file = u64::try_from(header.len()).unwrap().to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend(weights(data));
    file
}

fn name(number: usize) -> String {
    format!("model-{number:02}.safetensors")
}

/// Models of different sizes, the larger ones first.
fn models(folder: &Path) -> Vec<Vec<u8>> {
    let sizes = (0..FILES).zip((250_000..=1_300_000).rev().step_by(70_000));
    let write = |(number, size)| {
        let bytes = model(size);
        std::fs::write(folder.join(name(number)), &bytes).unwrap();
        bytes
    };
    sizes.map(write).collect()
}

fn crewed(machine: &Machine) -> Manager {
    let builder = builder().staging(64, 1);
    builder.build(&platform(machine)).unwrap()
}

fn nothing_left(machine: &Machine, manager: &Manager, models: &[Vec<u8>]) {
    let capacity = manager.capacity().unwrap();
    assert_eq!((capacity.used.0, capacity.unreleased.0), (0, 0));
    assert!(manager.shard_ids().is_empty());
    // Looking for one takes longer than sealing it: some will do.
    for model in models.iter().step_by(5) {
        let piece = &model[5000..5064];
        assert_eq!(machine.physical_pages_containing(piece).unwrap(), 0);
    }
}

/// Hears of everything.
#[derive(Default)]
struct Heard(Mutex<Vec<(Stage, u64, u64)>>);

impl Progress for Heard {
    fn advanced(&self, stage: Stage, done: u64, total: u64) {
        self.0.lock().unwrap().push((stage, done, total));
    }
}

#[test]
fn the_shards_are_in_the_files_order_whichever_was_sealed_first() {
    let folder = tempfile::tempdir().unwrap();
    let models = models(folder.path());
    let set = ModelFolder::open(folder.path()).unwrap();
    for hashing in [HostHashing::ContentAndVerity, HostHashing::Verity] {
        let machine = machine();
        let manager = crewed(&machine);
        let heard = Heard::default();

        let shards = manager
            .seal_folder_hashing(&set, None, hashing, &heard)
            .unwrap();

        assert_eq!(shards.len(), FILES);
        for (number, (shard, model)) in shards.iter().zip(&models).enumerate() {
            assert_eq!(shard.id().as_str(), name(number));
            let position = shard.position().unwrap();
            assert_eq!(usize::try_from(position.index()).unwrap(), number);
            assert_eq!(usize::try_from(position.total()).unwrap(), FILES);
            assert_eq!(shard.verity_digest(), vram_seal::VerityDigest::of(model));
            let both = hashing == HostHashing::ContentAndVerity;
            assert_eq!(shard.content_digest(), both.then(|| Digest::of(model)));
            assert_eq!(shard.hashing(), hashing);
        }
        assert!(manager.verify_all(&shards).unwrap().passed());
        let total: u64 = models.iter().map(|model| model.len() as u64).sum();
        let heard = heard.0.into_inner().unwrap();
        for stage in [Stage::Upload, Stage::Measure] {
            let of_stage = heard.iter().filter(|(of, ..)| *of == stage);
            let done: Vec<u64> = of_stage.map(|(_, done, _)| *done).collect();
            assert!(done.is_sorted(), "{stage}: {done:?}");
            assert_eq!(done.last(), Some(&total), "{stage}");
        }
        assert!(heard.iter().all(|(.., of)| *of == total));
    }
}

/// Covers: SE-2.
#[test]
fn one_bad_file_among_sixteen_leaves_nothing() {
    for bad in [0, 7, FILES - 1] {
        let folder = tempfile::tempdir().unwrap();
        let models = models(folder.path());
        std::fs::write(folder.path().join(name(bad)), b"not a model").unwrap();
        let set = ModelFolder::open(folder.path()).unwrap();
        let machine = machine();
        let recorder = Recorder::new();
        let manager = builder()
            .staging(64, 1)
            .observer(recorder.clone())
            .build(&platform(&machine))
            .unwrap();

        let error = manager.seal_folder(&set, None).unwrap_err();

        let Error::Model { path, .. } = &error else {
            panic!("{error:?}")
        };
        assert!(path.ends_with(name(bad)), "{error}");
        nothing_left(&machine, &manager, &models);
        assert_eq!(recorder.count("allocated"), recorder.count("freed"));
        assert!(manager.stop_reason().is_none());
        assert!(seal_fits(&manager), "and the manager goes on");
    }
}

#[test]
fn of_two_bad_files_the_first_is_told() {
    for _ in 0..8 {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..2 {
            std::fs::write(folder.path().join(name(number)), b"not a model").unwrap();
        }
        let set = ModelFolder::open(folder.path()).unwrap();
        let machine = machine();

        let error = crewed(&machine).seal_folder(&set, None).unwrap_err();

        assert!(error.to_string().contains(&name(0)), "{error}");
    }
}

/// Covers: SE-2.
#[test]
fn a_file_that_changes_gives_the_others_up() {
    struct Meddler<'a>(&'a Path, Mutex<bool>);
    impl Progress for Meddler<'_> {
        fn advanced(&self, stage: Stage, done: u64, _: u64) {
            let mut acted = self.1.lock().unwrap();
            if stage == Stage::Upload && done > 2_000_000 && !*acted {
                *acted = true;
                std::fs::write(self.0, b"gone").unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let models = models(folder.path());
    let set = ModelFolder::open(folder.path()).unwrap();
    let machine = machine();
    let manager = crewed(&machine);
    let path = folder.path().join(name(FILES - 1));
    let meddler = Meddler(&path, Mutex::new(false));

    let error = manager.seal_folder_with(&set, None, &meddler).unwrap_err();

    // Found when it was opened: the others may have been under way.
    assert!(!matches!(error, Error::Cancelled { .. }), "{error:?}");
    assert!(error.to_string().contains("model-15"), "{error}");
    nothing_left(&machine, &manager, &models);
}

#[test]
fn a_device_lost_under_a_folder_stops_the_manager_and_nobody_hangs() {
    struct Loses<'a>(&'a Machine);
    impl Progress for Loses<'_> {
        fn advanced(&self, stage: Stage, done: u64, _: u64) {
            if stage == Stage::Upload && done > 2_000_000 {
                self.0.lose_context(0).unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    models(folder.path());
    let set = ModelFolder::open(folder.path()).unwrap();
    let machine = machine();
    let manager = crewed(&machine);

    let error = manager
        .seal_folder_with(&set, None, &Loses(&machine))
        .unwrap_err();

    assert!(error.is_fatal(), "{error:?}");
    assert!(manager.stop_reason().is_some());
    assert!(manager.shard_ids().is_empty());
}

#[test]
fn a_folder_has_no_digests_to_trust() {
    let folder = tempfile::tempdir().unwrap();
    models(folder.path());
    let set = ModelFolder::open(folder.path()).unwrap();
    let machine = machine();
    let manager = crewed(&machine);
    machine.record();

    let error = manager
        .seal_folder_hashing(&set, None, HostHashing::Trusted, &Heard::default())
        .unwrap_err();

    assert!(matches!(error, Error::Hashing { .. }), "{error:?}");
    assert!(machine.stop_recording().is_empty());
}

#[test]
fn an_id_that_is_taken_fails_the_folder_and_stays_taken() {
    let folder = tempfile::tempdir().unwrap();
    let models = models(folder.path());
    let set = ModelFolder::open(folder.path()).unwrap();
    let machine = machine();
    let manager = crewed(&machine);
    let held = manager
        .seal(SealRequest::bytes(id(&name(3)), b"another shard"))
        .unwrap();

    let error = manager.seal_folder(&set, None).unwrap_err();

    assert!(matches!(error, Error::Duplicate { .. }), "{error:?}");
    assert_eq!(manager.shard_ids(), [id(&name(3))]);
    assert!(manager.verify(&held).is_ok());
    drop(held);
    nothing_left(&machine, &manager, &models);
}
