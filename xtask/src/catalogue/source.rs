//! The tests of one target, found the way the compiler finds them: by its modules, from its root file on.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemMacro, ItemMod, Macro};

use super::claims;
use super::conditions;
use super::property::{self, Properties};
use super::targets::Target;

/// What kind of test it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Beside the code that it tests.
    Unit,
    /// In a `tests` folder: it sees what users see.
    Integration,
    /// Run over random cases.
    Property,
    /// A scenario of a feature file.
    Scenario,
}

/// A test, and the rows that it claims.
#[derive(Debug, Clone)]
pub(super) struct Test {
    /// As nextest shows it: the binary, a space, the path.
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) ignored: bool,
    pub(super) claims: Vec<String>,
}

impl Test {
    /// The function's name, or the scenario's.
    pub(super) fn name(&self) -> &str {
        let path = self
            .id
            .split_once(' ')
            .map_or(self.id.as_str(), |(_, path)| path);
        path.rsplit("::").next().unwrap_or(path)
    }

    /// The claims that count: a test that is ignored shows nothing.
    pub(super) fn counted(&self) -> impl Iterator<Item = &str> {
        let counts = !self.ignored;
        self.claims
            .iter()
            .filter(move |_| counts)
            .map(String::as_str)
    }
}

/// Tests, and the claims that can't be counted.
#[derive(Debug, Default)]
pub(super) struct Claimed {
    pub(super) tests: Vec<Test>,
    pub(super) problems: Vec<String>,
}

impl Claimed {
    pub(super) fn extend(&mut self, more: Self) {
        self.tests.extend(more.tests);
        self.problems.extend(more.problems);
    }
}

/// The tests of a target.
pub(super) fn read(root: &Path, target: &Target) -> anyhow::Result<Claimed> {
    let mut walk = Walk {
        root,
        target,
        claimed: Claimed::default(),
    };
    let folder = target.root.parent().unwrap_or(root);
    walk.file(&target.root, folder, &[])?;
    Ok(walk.claimed)
}

struct Walk<'w> {
    root: &'w Path,
    target: &'w Target,
    claimed: Claimed,
}

/// Where a module stands.
struct Place<'p> {
    /// The file that it is written in.
    file: &'p Path,
    /// The folder that its child modules' files are looked for in.
    folder: PathBuf,
    /// The folder that `#[path]` in it starts from.
    path_folder: PathBuf,
    /// The module's path in the crate.
    modules: Vec<String>,
}

impl Walk<'_> {
    fn file(&mut self, path: &Path, folder: &Path, modules: &[String]) -> anyhow::Result<()> {
        let source = std::fs::read_to_string(path)
            .with_context(|| format!("could not read {}", path.display()))?;
        let file: File =
            syn::parse_file(&source).with_context(|| format!("{} is no Rust", path.display()))?;
        if !conditions::hold(&file.attrs) {
            return Ok(());
        }
        let place = Place {
            file: path,
            folder: folder.to_path_buf(),
            path_folder: path.parent().unwrap_or(folder).to_path_buf(),
            modules: modules.to_vec(),
        };
        let mut on_tests = 0_usize;
        self.items(&file.items, &place, &mut on_tests)?;

        let mut all = Claims::default();
        all.visit_file(&file);
        if all.0 != on_tests {
            let shown = self.shown(path);
            self.claimed.problems.push(format!(
                "{shown}: {} of its {} claims stand on something that is not a test",
                all.0.saturating_sub(on_tests),
                all.0
            ));
        }
        Ok(())
    }

    fn items(
        &mut self,
        items: &[Item],
        place: &Place<'_>,
        on_tests: &mut usize,
    ) -> anyhow::Result<()> {
        for item in items {
            match item {
                Item::Fn(function) if is_test(&function.attrs) => {
                    let cases = property::runs_cases(function.block.to_token_stream());
                    self.test(
                        &function.attrs,
                        &function.sig.ident.to_string(),
                        cases,
                        place,
                        on_tests,
                    );
                }
                Item::Mod(module) if conditions::hold(&module.attrs) => {
                    self.module(module, place, on_tests)?;
                }
                Item::Macro(call) if is_proptest(call) => {
                    let properties: Properties = call
                        .mac
                        .parse_body()
                        .with_context(|| format!("a `proptest!` of {}", place.file.display()))?;
                    for (attributes, name) in properties.0 {
                        if is_test(&attributes) {
                            self.test(&attributes, &name.to_string(), true, place, on_tests);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn test(
        &mut self,
        attributes: &[Attribute],
        name: &str,
        cases: bool,
        place: &Place<'_>,
        on_tests: &mut usize,
    ) {
        *on_tests = on_tests.saturating_add(claims::in_attributes(attributes));
        if !conditions::hold(attributes) {
            return;
        }
        let path: Vec<&str> = place
            .modules
            .iter()
            .map(String::as_str)
            .chain([name])
            .collect();
        let id = format!("{} {}", self.target.binary_id, path.join("::"));
        let claims = claims::of(attributes).unwrap_or_else(|problem| {
            self.claimed.problems.push(format!("{id}: {problem}"));
            Vec::new()
        });
        let ignored = conditions::is_ignored(attributes);
        if ignored && !claims.is_empty() {
            let problem = format!(
                "{id}: it is ignored, so what it claims ({}) is not shown",
                claims.join(", ")
            );
            self.claimed.problems.push(problem);
        }
        let kind = match (cases, self.target.beside_the_code) {
            (true, _) => Kind::Property,
            (false, true) => Kind::Unit,
            (false, false) => Kind::Integration,
        };
        self.claimed.tests.push(Test {
            id,
            kind,
            ignored,
            claims,
        });
    }

    fn module(
        &mut self,
        module: &ItemMod,
        place: &Place<'_>,
        on_tests: &mut usize,
    ) -> anyhow::Result<()> {
        let name = module.ident.to_string();
        let mut modules = place.modules.clone();
        modules.push(name.clone());
        let folder = place.folder.join(&name);
        if let Some((_, items)) = &module.content {
            let path_folder = folder.clone();
            let place = Place {
                file: place.file,
                folder,
                path_folder,
                modules,
            };
            return self.items(items, &place, on_tests);
        }
        if let Some(path) = path_attribute(&module.attrs) {
            let file = place.path_folder.join(path);
            let folder = file.parent().unwrap_or(self.root).to_path_buf();
            return self.file(&file, &folder, &modules);
        }
        let beside = place.folder.join(format!("{name}.rs"));
        let within = folder.join("mod.rs");
        match (beside.is_file(), within.is_file()) {
            (true, _) => self.file(&beside, &folder, &modules),
            (false, true) => self.file(&within, &folder, &modules),
            (false, false) => bail!("{}: no file of the module {name}", self.shown(place.file)),
        }
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}

/// `#[test]`, or another crate's attribute of that name.
fn is_test(attributes: &[Attribute]) -> bool {
    let mut names = attributes
        .iter()
        .map(|attribute| attribute.path().segments.last());
    names.any(|name| name.is_some_and(|name| name.ident == "test"))
}

fn is_proptest(call: &ItemMacro) -> bool {
    let name = call.mac.path.segments.last();
    name.is_some_and(|name| name.ident == "proptest") && conditions::hold(&call.attrs)
}

fn path_attribute(attributes: &[Attribute]) -> Option<PathBuf> {
    attributes
        .iter()
        .find_map(|attribute| match &attribute.meta {
            syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(path),
                    ..
                }) => Some(path.value().into()),
                _ => None,
            },
            _ => None,
        })
}

/// How many claims there are in a file, wherever they stand.
#[derive(Default)]
struct Claims(usize);

impl Claims {
    fn add(&mut self, text: &str) {
        self.0 = self.0.saturating_add(claims::lines_that_claim(text));
    }

    /// A macro's tokens hold doc comments as `#[doc = "…"]`.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut documentation = false;
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(name) => documentation = name == "doc",
                TokenTree::Literal(literal) if documentation => {
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                        self.add(&text.value());
                    }
                }
                TokenTree::Literal(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Claims {
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Some(text) = claims::doc_text(attribute) {
            self.add(&text);
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.tokens(call.tokens.clone());
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if conditions::hold(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }
}
