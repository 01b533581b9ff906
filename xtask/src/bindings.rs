//! `cargo xtask bindings`: vram-sys's types, constants and function signatures, read off NVIDIA's
//! `cuda.h`. No signature is typed by hand.

mod functions;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use quote::quote;

use crate::{process, wheels};

/// The header: the one of CUDA 13.0, whose driver branch the project is tested on.
const HEADER: &[wheels::Pin] = &[("nvidia-cuda-runtime", "13.0.96")];
/// The parser that bindgen loads at run time.
const LIBCLANG: &[wheels::Pin] = &[("libclang", "18.1.1")];
const RENEW: &str = "cargo xtask bindings";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail if the committed bindings are stale, and change nothing.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    // bindgen finds libclang through the environment, which a process can't safely change for itself.
    if std::env::var_os("LIBCLANG_PATH").is_none() {
        let libclang = wheels::site(LIBCLANG)?.join("clang/native");
        let mut again = Command::new(std::env::current_exe()?);
        again.env("LIBCLANG_PATH", libclang).arg("bindings");
        if options.check {
            again.arg("--check");
        }
        return process::run(&mut again);
    }
    let include = wheels::site(HEADER)?.join("nvidia/cu13/include");
    let bound = bind(&include.join("cuda.h"))?;
    let (types, signatures) = split(&bound)?;
    let generated = process::workspace().join("crates/vram-sys/src/generated");
    let types = process::formatted(&types)?;
    process::write_or_check(&generated.join("types.rs"), &types, options.check, RENEW)?;
    process::write_or_check(
        &generated.join("functions.rs"),
        &signatures,
        options.check,
        RENEW,
    )
}

/// Runs bindgen over the header, comments left behind: they are NVIDIA's, not ours.
fn bind(header: &Path) -> anyhow::Result<String> {
    let mut builder = bindgen::Builder::default()
        .header(header.display().to_string())
        // The declarations of every symbol version, not just of those the newest driver prefers.
        .clang_arg("-D__CUDA_API_VERSION_INTERNAL")
        .clang_args([
            "-isystem".to_owned(),
            compiler_headers()?.display().to_string(),
        ])
        .generate_comments(false)
        .layout_tests(true)
        .derive_default(true)
        .default_enum_style(bindgen::EnumVariation::NewType {
            is_bitfield: false,
            is_global: false,
        })
        .allowlist_recursively(true)
        .blocklist_type("max_align_t")
        .use_core()
        .formatter(bindgen::Formatter::None)
        .disable_header_comment();
    for name in functions::REQUIRED
        .iter()
        .chain(functions::OPTIONAL.iter().map(|(_, name)| name))
    {
        builder = builder.allowlist_function(format!("^{name}$"));
    }
    for name in functions::TYPES {
        builder = builder.allowlist_type(format!("^{name}$"));
    }
    Ok(builder
        .generate()
        .context("bindgen could not read cuda.h")?
        .to_string())
}

/// Where the machine's C compiler keeps `stddef.h`, which the libclang wheel comes without.
fn compiler_headers() -> anyhow::Result<PathBuf> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let output = Command::new(&compiler)
        .arg("-print-file-name=include")
        .output()
        .with_context(|| format!("could not ask {compiler} for its headers"))?;
    let folder = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    if !folder.join("stddef.h").is_file() {
        bail!("{compiler} has no stddef.h in {}", folder.display());
    }
    Ok(folder)
}

/// Takes the function declarations out of what bindgen wrote, and makes of them the list that the
/// table, the loader and the simulated driver are all expanded from.
fn split(bound: &str) -> anyhow::Result<(String, String)> {
    let mut file = syn::parse_file(bound)?;
    let mut declared = std::collections::BTreeMap::new();
    for item in &file.items {
        if let syn::Item::ForeignMod(foreign) = item {
            for item in &foreign.items {
                if let syn::ForeignItem::Fn(function) = item {
                    declared.insert(function.sig.ident.to_string(), function.sig.clone());
                }
            }
        }
    }
    file.items
        .retain(|item| !matches!(item, syn::Item::ForeignMod(_)));

    let signature = |name: &str| -> anyhow::Result<String> {
        let found = declared
            .get(name)
            .with_context(|| format!("cuda.h declares no {name}"))?;
        if !quote!(#found).to_string().ends_with("-> CUresult") {
            bail!("{name} does not return a CUresult");
        }
        let parameters = found
            .inputs
            .iter()
            .map(parameter)
            .collect::<anyhow::Result<Vec<_>>>()?;
        Ok(format!("fn {name}({});", parameters.join(", ")))
    };
    let mut list = NOTE.to_owned() + LIST_HEAD;
    for name in functions::REQUIRED {
        list += &format!("                {}\n", signature(name)?);
    }
    list += "            }\n            optional {\n";
    for (since, name) in functions::OPTIONAL {
        list += &format!("                since {since} {}\n", signature(name)?);
    }
    list += LIST_TAIL;
    Ok((NOTE.to_owned() + &prettyplease::unparse(&file), list))
}

const NOTE: &str =
    "// Generated by `cargo xtask bindings` from cuda.h of CUDA 13.0; don't edit.\n\n";

const LIST_HEAD: &str = "\
/// Hands every driver function of the table, with its signature, to the macro named.
///
/// The macro receives `required { fn name(parameters); … } optional { since version fn name(parameters); … }`.
/// Each function returns a [`CUresult`](crate::CUresult); versions are CUDA's own form, 1000 × major + 10 × minor.
#[macro_export]
macro_rules! driver_functions {
    ($then:path) => {
        $then! {
            required {
";

const LIST_TAIL: &str = "            }
        }
    };
}
";

/// A parameter with its type's path written out, so that the list expands in any crate.
fn parameter(parameter: &syn::FnArg) -> anyhow::Result<String> {
    let syn::FnArg::Typed(parameter) = parameter else {
        bail!("a driver function has no self");
    };
    let name = &parameter.pat;
    Ok(format!(
        "{}: {}",
        snake_case(&quote!(#name).to_string()),
        type_path(&parameter.ty)?
    ))
}

/// `hStream` becomes `h_stream`: parameter names are not part of the interface.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn type_path(kind: &syn::Type) -> anyhow::Result<String> {
    const PRIMITIVE: &[&str] = &["usize", "u8", "u16", "u32", "u64", "i32", "i64", "f32"];
    match kind {
        syn::Type::Ptr(pointer) => {
            let constness = match pointer.mutability {
                syn::PointerMutability::Mut(_) => "mut",
                syn::PointerMutability::Const(_) => "const",
            };
            Ok(format!("*{constness} {}", type_path(&pointer.elem)?))
        }
        syn::Type::Path(path) => {
            let written = quote!(#path).to_string().replace(' ', "");
            let complete = written.starts_with("::") || PRIMITIVE.contains(&written.as_str());
            Ok(if complete {
                written
            } else {
                format!("$crate::{written}")
            })
        }
        other => bail!("no rule for the parameter type {}", quote!(#other)),
    }
}
