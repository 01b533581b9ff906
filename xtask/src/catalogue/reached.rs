//! Which public functions no test so much as names.
//!
//! Being named is the least that can be asked: whether a test would notice that a function is wrong is for mutation
//! testing to say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, ItemFn, ItemMacro, ItemMod, Visibility};

use super::claims;

/// The names of a source's public functions, and all names in the code of its tests.
#[derive(Default)]
struct Names {
    public: BTreeSet<String>,
    tested: BTreeSet<String>,
    /// Modules in files of their own that are for tests alone.
    test_modules: BTreeSet<String>,
}

impl Names {
    fn public(&mut self, visibility: &Visibility, name: &syn::Ident) {
        if matches!(visibility, Visibility::Public(_)) {
            self.public.insert(name.to_string());
        }
    }

    fn tested(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.tested(group.stream()),
                TokenTree::Ident(name) => {
                    self.tested.insert(name.to_string());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let shown = attribute.to_token_stream().to_string();
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg") && shown.contains("test"))
    })
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        } else if module.content.is_some() {
            self.tested(module.to_token_stream());
        } else {
            self.test_modules.insert(module.ident.to_string());
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.public(&function.vis, &function.sig.ident);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.public(&function.vis, &function.sig.ident);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_item_macro(&mut self, _: &'ast ItemMacro) {}

    /// The examples of documentation are tests too.
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let text = claims::doc_text(attribute).unwrap_or_default();
        let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        self.tested
            .extend(words.filter(|word| word.contains('_')).map(str::to_owned));
    }
}

/// Every Rust source below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Whether a file is one of these modules, or below one.
fn belongs_to(path: &Path, modules: &BTreeSet<String>) -> bool {
    let stem = path.with_extension("");
    let mut parts = stem
        .components()
        .rev()
        .map(|part| part.as_os_str().to_string_lossy());
    parts
        .by_ref()
        .take_while(|part| part != "src")
        .any(|part| modules.contains(part.as_ref()))
}

/// The public functions below the `src` of these crates that nothing in their tests names.
fn unnamed(libraries: &[PathBuf], suites: &[PathBuf]) -> BTreeSet<String> {
    let mut names = Names::default();
    let files: Vec<(PathBuf, syn::File)> = libraries
        .iter()
        .flat_map(|library| sources(&library.join("src")))
        .map(|path| {
            let source = std::fs::read_to_string(&path).unwrap();
            let file = syn::parse_file(&source).unwrap();
            (path, file)
        })
        .collect();
    for (_, file) in &files {
        names.visit_file(file);
    }
    let modules = names.test_modules.clone();
    for (_, file) in files.iter().filter(|(path, _)| belongs_to(path, &modules)) {
        names.tested(file.to_token_stream());
    }
    let folders = libraries.iter().map(|library| library.join("tests"));
    for path in folders
        .chain(suites.iter().cloned())
        .flat_map(|folder| sources(&folder))
    {
        let source = std::fs::read_to_string(path).unwrap();
        names.tested(source.parse().unwrap());
    }
    names.public.difference(&names.tested).cloned().collect()
}

/// Covers: TS-1.1.
#[test]
fn every_public_function_of_the_libraries_is_named_by_a_test() {
    let root = crate::process::workspace();
    let crates = std::fs::read_dir(root.join("crates")).unwrap();
    let mut libraries: Vec<_> = crates.map(|entry| entry.unwrap().path()).collect();
    libraries.retain(|library| library.join("src/lib.rs").is_file());
    libraries.push(root.join("cuda-kernels"));

    let unnamed = unnamed(
        &libraries,
        &[root.join("tests/tests"), root.join("crates/vram-cli/tests")],
    );

    assert_eq!(
        unnamed,
        BTreeSet::new(),
        "no test names these public functions"
    );
}

#[test]
fn a_public_function_that_no_test_names_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "src/lib.rs",
        "/// See `shown_in_an_example`.
        pub fn named() {} pub fn shown_in_an_example() {} pub(crate) fn inner() {} fn private() {}
        pub struct X; impl X { pub fn method(&self) { unnamed() } pub fn unnamed(&self) {} }
        #[cfg(test)] mod tests { fn x() { named(); } }
        #[cfg(test)] mod apart;",
    );
    write("src/apart.rs", "fn x() { X.method() }");

    let unnamed = unnamed(&[folder.path().to_path_buf()], &[]);

    assert_eq!(unnamed, BTreeSet::from(["unnamed".to_owned()]));
}
