//! `cargo xtask public-api`: the public API of each published library, as text that is committed.
//!
//! A change of the API shows in the diff of `docs/public-api`, where a reviewer sees it, or fails. The text is
//! made from what rustdoc says of a crate with all its features. rustdoc says it as JSON, a format that isn't
//! stable and so is only given out by a nightly compiler, or by a stable one that is told to. It is the pinned one
//! here: its format and its words don't change before the pin does.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::summary::{LeftOut, Summary};
use crate::{link_stub, process};

const BLESS: &str = "cargo xtask public-api --bless";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Accept the API as it is: write it where it differs from what is committed.
    #[arg(long)]
    bless: bool,
    /// Print what was done as JSON on standard output.
    #[arg(long)]
    json: bool,
}

const LEFT_OUT: [LeftOut; 2] = [
    LeftOut {
        what: "implementations of auto traits, and blanket ones",
        why: "every type has them, and the compiler's tests of what is Send and Sync say it better",
    },
    LeftOut {
        what: "crates without a library, and those that are not published",
        why: "nobody can depend on them",
    },
];

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let libraries = libraries()?;
    let mut summary = Summary::new("rustdoc", rustdoc_version()?, &LEFT_OUT);
    describe()?;
    let folder = process::workspace().join("docs").join("public-api");
    for library in &libraries {
        let api = api(library)?;
        let outcome = settle(&folder, &library.package, &api, options.bless)?;
        summary.add(&library.package, outcome);
    }
    for stray in strays(&folder, &libraries)? {
        let shown = stray.display().to_string();
        if options.bless {
            fs::remove_file(&stray).with_context(|| shown.clone())?;
        }
        let why = format!("no published library has this API: `{BLESS}` removes it");
        summary.add(
            &shown,
            if options.bless {
                Ok("removed".to_owned())
            } else {
                Err(why)
            },
        );
    }
    summary.finish(options.json)
}

/// A library that others can depend on.
#[derive(Debug, PartialEq, Eq)]
struct Library {
    package: String,
    /// Its name in code, which its JSON is named by.
    name: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    publish: Option<Vec<String>>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

fn libraries() -> anyhow::Result<Vec<Library>> {
    let mut command = process::cargo();
    command
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .current_dir(process::workspace());
    published(&process::output(&mut command)?)
}

fn published(metadata: &str) -> anyhow::Result<Vec<Library>> {
    let metadata: Metadata = serde_json::from_str(metadata)?;
    let mut found: Vec<_> = metadata
        .packages
        .into_iter()
        .filter(|package| package.publish != Some(Vec::new()))
        .filter_map(|package| {
            let is_library = |target: &Target| target.kind.iter().any(|kind| kind == "lib");
            let library = package.targets.into_iter().find(is_library)?;
            Some(Library {
                package: package.name,
                name: library.name.replace('-', "_"),
            })
        })
        .collect();
    found.sort_by(|one, other| one.package.cmp(&other.package));
    if found.is_empty() {
        bail!("the workspace has no library that is published");
    }
    Ok(found)
}

fn rustdoc_version() -> anyhow::Result<String> {
    let said = process::output(Command::new("rustdoc").arg("--version"))?;
    Ok(said.trim().to_owned())
}

/// Has rustdoc describe every crate of the workspace.
///
/// It is asked as the documentation is, so that nothing is compiled for this alone, and only rustdoc is told that
/// it may do what is not stable: build scripts look for that variable, and would build all again.
fn describe() -> anyhow::Result<()> {
    let stub = link_stub::generate()?;
    let rustdoc = wrapper()?;
    process::run(
        process::cargo()
            .args(["doc", "--workspace", "--lib", "--no-deps", "--all-features"])
            .arg("--locked")
            .env(link_stub::VARIABLE, stub)
            .env("RUSTDOC", rustdoc)
            .env("RUSTDOCFLAGS", "-Zunstable-options --output-format=json")
            .current_dir(process::workspace()),
    )
}

/// rustdoc, allowed what is not stable.
fn wrapper() -> anyhow::Result<PathBuf> {
    let path = process::scratch().join("public-api").join("rustdoc");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// The API of a library, an item a line.
fn api(library: &Library) -> anyhow::Result<String> {
    let json = process::target()
        .join("doc")
        .join(format!("{}.json", library.name));
    let api = public_api::Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()
        .with_context(|| {
            format!(
                "could not read what rustdoc says of {}: the format of its JSON changes with the compiler, and the \
                 crate `public-api` has to know it",
                library.package
            )
        })?;
    Ok(api.to_string())
}

/// Compares an API with what is committed, or accepts it.
fn settle(
    folder: &Path,
    package: &str,
    api: &str,
    bless: bool,
) -> anyhow::Result<Result<String, String>> {
    let path = folder.join(format!("{package}.txt"));
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let items = format!("{} items", api.lines().count());
    if committed == api {
        return Ok(Ok(items));
    }
    let difference = difference(&committed, api);
    if bless {
        fs::create_dir_all(folder)?;
        fs::write(&path, api).with_context(|| path.display().to_string())?;
        return Ok(Ok(format!("{items}, accepted:\n{difference}")));
    }
    Ok(Err(format!(
        "the public API is not what is committed:\n{difference}If that is meant, `{BLESS}` accepts it, and the \
         change log says what users have to do"
    )))
}

/// The items that went and those that came, in their order.
fn difference(before: &str, after: &str) -> String {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) =
        (before.lines().collect(), after.lines().collect());
    let went = before.lines().filter(|line| !new.contains(line));
    let came = after.lines().filter(|line| !old.contains(line));
    let went = went.map(|line| format!("  - {line}\n"));
    let lines: String = went
        .chain(came.map(|line| format!("  + {line}\n")))
        .collect();
    if lines.is_empty() {
        "  the same items in another order\n".to_owned()
    } else {
        lines
    }
}

/// Files that are the API of nothing.
fn strays(folder: &Path, libraries: &[Library]) -> anyhow::Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut strays = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_api = |library: &Library| {
            path.file_name()
                .is_some_and(|name| name == &*format!("{}.txt", library.package))
        };
        if !libraries.iter().any(is_api) {
            strays.push(path);
        }
    }
    strays.sort();
    Ok(strays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_what_went_and_what_came() {
        let shown = difference("pub fn a()\npub fn b()\n", "pub fn a()\npub fn c()\n");
        assert_eq!(shown, "  - pub fn b()\n  + pub fn c()\n");
        assert_eq!(
            difference("a\nb\n", "b\na\n"),
            "  the same items in another order\n"
        );
    }

    #[test]
    fn an_api_that_changed_is_refused_until_it_is_blessed() {
        let folder = tempfile::tempdir().unwrap();
        let settle = |api, bless| settle(folder.path(), "a-crate", api, bless).unwrap();

        let refused = settle("pub fn a()\n", false).unwrap_err();
        assert!(
            refused.contains("+ pub fn a()") && refused.contains("--bless"),
            "{refused}"
        );
        assert!(settle("pub fn a()\n", true).is_ok());
        assert_eq!(settle("pub fn a()\n", false), Ok("1 items".to_owned()));
        let refused = settle("", false).unwrap_err();
        assert!(refused.contains("- pub fn a()"), "{refused}");
    }

    #[test]
    fn published_libraries_are_found_and_no_programs() {
        let metadata = r#"{"packages": [
            {"name": "b-lib", "publish": null, "targets": [{"name": "b-lib", "kind": ["lib"]}]},
            {"name": "a-program", "publish": null, "targets": [{"name": "a", "kind": ["bin"]}]},
            {"name": "c-private", "publish": [], "targets": [{"name": "c", "kind": ["lib"]}]}]}"#;
        let found = published(metadata).unwrap();
        let library = Library {
            package: "b-lib".to_owned(),
            name: "b_lib".to_owned(),
        };
        assert_eq!(found, [library]);
    }

    #[test]
    fn an_api_of_nothing_is_a_stray() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library {
            package: "a-crate".to_owned(),
            name: "a_crate".to_owned(),
        };
        for name in ["a-crate.txt", "gone.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let strays = strays(folder.path(), &[library]).unwrap();
        assert_eq!(strays, [folder.path().join("gone.txt")]);
    }
}
