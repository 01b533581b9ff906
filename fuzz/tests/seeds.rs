//! Every seed, and every input that once broke something, is answered by every target.

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_target_has_seeds_and_answers_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (name, target) in vram_fuzz::TARGETS {
        let seeds = files(&root.join(name));
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in seeds {
            eprintln!("{}", seed.display());
            target(&fs::read(seed).unwrap());
        }
    }
}

/// A seed of one parser is rubbish to the others.
#[test]
fn every_target_answers_what_is_meant_for_another() {
    let all = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds"));
    for (_, target) in vram_fuzz::TARGETS {
        for seed in &all {
            target(&fs::read(seed).unwrap());
        }
    }
}

/// Each is built as a program of its own.
#[test]
fn every_target_is_a_program_and_every_program_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let mut programs: Vec<_> = files(&folder)
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    programs.sort();
    let mut targets = vram_fuzz::TARGETS.map(|(name, _)| name);
    targets.sort_unstable();
    assert_eq!(programs, targets);
}
