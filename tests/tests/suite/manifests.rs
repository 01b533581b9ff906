//! What the manifests say and the tests of no single crate can: lints, unsafe code, and what needs CUDA.

use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

use crate::outside::workspace;

/// The crates in which unsafe code may stand.
const WITH_UNSAFE_CODE: [&str; 5] = [
    "vram-alloc",
    "vram-kernels",
    "vram-secret",
    "vram-sim",
    "vram-sys",
];

/// The reasons for which sources compute unchecked: none of them is that of library code.
const EXCUSES: [&str; 2] = [
    "tests compute on known values",
    "generated: the names are the header's",
];

fn manifest(folder: &Path) -> Table {
    let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    text.parse().unwrap()
}

/// The folders of the crates that others use.
fn libraries() -> Vec<PathBuf> {
    let crates = fs::read_dir(workspace().join("crates")).unwrap();
    let mut folders: Vec<_> = crates.map(|entry| entry.unwrap().path()).collect();
    folders.push(workspace().join("cuda-kernels"));
    folders.sort();
    folders
}

fn name(manifest: &Table) -> &str {
    manifest["package"]["name"].as_str().unwrap()
}

/// The file that a crate begins with.
fn root_source(folder: &Path) -> String {
    let library = folder.join("src/lib.rs");
    let root = if library.is_file() {
        library
    } else {
        folder.join("src/main.rs")
    };
    fs::read_to_string(root).unwrap()
}

/// Every Rust source below a folder.
fn sources_below(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources.extend(sources_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
    sources
}

/// Covers: MS-006.
#[test]
fn unchecked_arithmetic_is_denied_in_every_crate_and_excused_in_tests_and_bindings_alone() {
    let root = manifest(&workspace());
    let lints = &root["workspace"]["lints"]["clippy"];
    for lint in [
        "arithmetic_side_effects",
        "cast_possible_truncation",
        "cast_sign_loss",
    ] {
        assert_eq!(lints[lint].as_str(), Some("deny"), "{lint}");
    }

    for folder in libraries() {
        let manifest = manifest(&folder);
        let inherited = manifest["lints"]["workspace"].as_bool();
        assert_eq!(inherited, Some(true), "{}", name(&manifest));
        for (path, source) in sources_below(&folder.join("src")) {
            for (at, _) in source.match_indices("clippy::arithmetic_side_effects") {
                let reason = source[at..].split(")]").next().unwrap();
                let excused = EXCUSES.iter().any(|excuse| reason.contains(excuse));
                assert!(excused, "{}: {reason}", path.display());
            }
        }
    }
}

/// Covers: QA-3.
#[test]
fn unsafe_code_stands_in_the_crates_that_may_have_it_and_in_no_other() {
    for folder in libraries() {
        let manifest = manifest(&folder);
        let forbidden = root_source(&folder).contains("#![forbid(unsafe_code)]");

        assert_eq!(
            forbidden,
            !WITH_UNSAFE_CODE.contains(&name(&manifest)),
            "{}",
            name(&manifest)
        );
    }
}

/// Covers: TS-1.4.
#[test]
fn nothing_that_links_cuda_is_built_unless_it_is_asked_for() {
    for folder in libraries() {
        let manifest = manifest(&folder);
        let name = name(&manifest);
        let cust = manifest.get("dependencies").and_then(|all| all.get("cust"));
        if let Some(cust) = cust {
            assert_eq!(cust["optional"].as_bool(), Some(true), "{name}");
        }
        let default = manifest.get("features").and_then(|all| all.get("default"));
        assert!(default.is_none(), "{name} turns features on by itself");
        let built = folder.join("build.rs");
        let build = fs::read_to_string(built).unwrap_or_default();
        for needed in ["CUDA_PATH", "nvcc", "rustc-link-lib=cuda"] {
            assert!(
                !build.contains(needed),
                "{name}: its build script needs {needed}"
            );
        }
    }
}

/// Covers: TS-1.4.
#[test]
#[cfg(target_os = "linux")]
fn a_program_that_has_not_asked_for_a_device_has_no_library_of_cuda_in_it() {
    let mapped = fs::read_to_string("/proc/self/maps").unwrap();

    assert!(mapped.contains("libc.so"), "{mapped}");
    for library in ["libcuda", "libnvidia", "libcudart"] {
        assert!(!mapped.contains(library), "{library}: {mapped}");
    }
}
