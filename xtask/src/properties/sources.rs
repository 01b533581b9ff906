//! Finding the property tests by reading the sources.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// A test that is tried with many inputs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Property {
    pub(super) package: String,
    /// The function's name, without its module.
    pub(super) name: String,
    /// Whether its block sets a number of cases that the environment can't change.
    pub(super) lowers_cases: bool,
}

/// All of a workspace, in order.
pub(super) fn find(workspace: &Path) -> anyhow::Result<Vec<Property>> {
    let mut properties = Vec::new();
    for package in packages(workspace)? {
        let name = package_name(&package)?;
        for folder in ["src", "tests"] {
            for file in rust_files(&package.join(folder))? {
                let source = fs::read_to_string(&file).with_context(|| shown(&file))?;
                if source.contains("proptest!") {
                    let found = in_source(&name, &source).with_context(|| shown(&file))?;
                    properties.extend(found);
                }
            }
        }
    }
    properties.sort();
    Ok(properties)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The folders of the workspace that have a manifest.
fn packages(workspace: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = vec![
        workspace.join("cuda-kernels"),
        workspace.join("tests"),
        workspace.join("xtask"),
    ];
    let crates = workspace.join("crates");
    for entry in fs::read_dir(&crates).with_context(|| shown(&crates))? {
        folders.push(entry?.path());
    }
    folders.retain(|folder| folder.join("Cargo.toml").is_file());
    Ok(folders)
}

fn package_name(folder: &Path) -> anyhow::Result<String> {
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| shown(&manifest))?;
    let name = text.lines().find_map(|line| {
        let value = line.strip_prefix("name = \"")?;
        value.strip_suffix('"')
    });
    let name = name.with_context(|| format!("{} names no package", shown(&manifest)))?;
    Ok(name.to_owned())
}

fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder).with_context(|| shown(folder))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

/// The properties of one source file.
fn in_source(package: &str, source: &str) -> anyhow::Result<Vec<Property>> {
    let mut finder = Finder {
        package,
        found: Vec::new(),
    };
    finder.visit_file(&syn::parse_file(source)?);
    Ok(finder.found)
}

struct Finder<'a> {
    package: &'a str,
    found: Vec<Property>,
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_macro(&mut self, invoked: &'ast syn::Macro) {
        let last = invoked.path.segments.last();
        if last.is_some_and(|segment| segment.ident == "proptest") {
            let lowers_cases = lowers_cases(invoked.tokens.clone());
            let names = tests(invoked.tokens.clone()).into_iter();
            self.found.extend(names.map(|name| Property {
                package: self.package.to_owned(),
                name,
                lowers_cases,
            }));
        }
        visit::visit_macro(self, invoked);
    }
}

/// The names of the functions after an attribute `test`: their parameters are not Rust's.
fn tests(tokens: TokenStream) -> Vec<String> {
    let mut names = Vec::new();
    let (mut is_test, mut after_fn) = (false, false);
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                is_test |= group.stream().to_string() == "test";
            }
            TokenTree::Ident(word) if word == "fn" => after_fn = true,
            TokenTree::Ident(name) if after_fn => {
                if is_test {
                    names.push(name.to_string());
                }
                (is_test, after_fn) = (false, false);
            }
            _ => {}
        }
    }
    names
}

/// Whether the block has a configuration that isn't made from the default one, which reads the environment.
fn lowers_cases(tokens: TokenStream) -> bool {
    for token in tokens {
        if let TokenTree::Group(group) = token
            && group.delimiter() == Delimiter::Bracket
        {
            let attribute = group.stream().to_string();
            if attribute.starts_with("proptest_config") {
                let sets_cases = attribute.contains("cases");
                let from_default = attribute.replace(' ', "").contains("default().cases");
                return sets_cases && !from_default;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<(String, bool)> {
        let found = in_source("p", source).unwrap().into_iter();
        found
            .map(|property| (property.name, property.lowers_cases))
            .collect()
    }

    #[test]
    fn properties_are_the_tests_inside_the_macro_and_no_others() {
        let source = "
            #[test] fn plain() {}
            mod inner {
                proptest! {
                    /// Something.
                    #[test]
                    fn one(a in 0..3_u8, b: u8) { helper(a); }
                    fn helper(a in 0..1) {}
                    #[test]
                    #[cfg(unix)]
                    fn two(bytes: Vec<u8>) { let f = |x| x; }
                }
            }";

        assert_eq!(
            found(source),
            [("one".to_owned(), false), ("two".to_owned(), false)]
        );
    }

    #[test]
    fn a_number_of_cases_is_told_from_a_least_number() {
        let block = |config: &str| {
            format!("proptest! {{ #![proptest_config({config})] #[test] fn one(a: u8) {{}} }}")
        };
        let lowers = |config: &str| found(&block(config))[0].1;

        assert!(lowers("ProptestConfig::with_cases(16)"));
        assert!(lowers(
            "ProptestConfig { cases: 16, ..ProptestConfig::default() }"
        ));
        assert!(!lowers(
            "ProptestConfig { cases: ProptestConfig::default().cases.max(512), ..ProptestConfig::default() }"
        ));
        assert!(!lowers(
            "ProptestConfig { max_shrink_iters: 0, ..ProptestConfig::default() }"
        ));
    }
}
