//! Tests by the ids that cargo-nextest shows, `<binary id> <path>`, and how cargo runs them without it.

use std::collections::BTreeMap;
use std::process::Command;

/// A test binary's id: `vram-seal` for a library's own tests, `vram-seal::suite`, `vram-cli::bin/vram`,
/// or `vram-seal::doc`.
pub(crate) type BinaryId = String;

/// The paths of tests by the binary that they are in. What is no id is left out.
pub(crate) fn by_binary<'a>(
    ids: impl IntoIterator<Item = &'a str>,
) -> BTreeMap<BinaryId, Vec<String>> {
    let mut binaries: BTreeMap<BinaryId, Vec<String>> = BTreeMap::new();
    for id in ids {
        if let Some((binary, path)) = id.split_once(' ') {
            let paths = binaries.entry(binary.to_owned()).or_default();
            paths.push(path.to_owned());
        }
    }
    binaries
}

/// The package that a binary is built from.
pub(crate) fn package(binary: &str) -> &str {
    binary
        .split_once("::")
        .map_or(binary, |(package, _)| package)
}

/// Lets cargo build a binary and run these of its tests, and no other.
pub(crate) fn run_with<'c>(
    cargo: &'c mut Command,
    binary: &str,
    paths: &[String],
) -> &'c mut Command {
    let (package, target) = binary.split_once("::").unwrap_or((binary, ""));
    cargo.args(["test", "--locked", "--all-features", "--package", package]);
    match target.split_once('/') {
        Some(("bin", name)) => cargo.args(["--bin", name]),
        _ if target.is_empty() => cargo.arg("--lib"),
        _ if target == "doc" => cargo.arg("--doc"),
        _ => cargo.args(["--test", target]),
    };
    cargo.args(["--", "--exact"]).args(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(binary: &str) -> String {
        let mut cargo = Command::new("cargo");
        run_with(&mut cargo, binary, &["a::b".to_owned()]);
        let words = cargo.get_args().map(|word| word.to_string_lossy());
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn cargo_is_told_the_binary_that_an_id_names() {
        for (binary, told) in [
            ("vram-seal", "--package vram-seal --lib"),
            ("vram-seal::suite", "--package vram-seal --test suite"),
            ("vram-cli::bin/vram", "--package vram-cli --bin vram"),
            ("vram-seal::doc", "--package vram-seal --doc"),
        ] {
            let expected = format!("test --locked --all-features {told} -- --exact a::b");
            assert_eq!(arguments(binary), expected);
        }
    }

    #[test]
    fn ids_are_gathered_by_binary_and_a_name_may_have_spaces() {
        let ids = ["b::x one", "a two::three", "b::x four five", "nothing"];

        let binaries = by_binary(ids);

        let found: Vec<_> = binaries.iter().collect();
        assert_eq!(found[0], (&"a".to_owned(), &vec!["two::three".to_owned()]));
        let paths = vec!["one".to_owned(), "four five".to_owned()];
        assert_eq!(found[1], (&"b::x".to_owned(), &paths));
        assert_eq!(found.len(), 2);
    }
}
