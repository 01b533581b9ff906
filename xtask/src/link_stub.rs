//! `cargo xtask link-stub`: something to link the feature `cust` against where there is no CUDA.
//!
//! cust's build script looks for libcuda below `CUDA_LIBRARY_PATH`, in `lib64`. What this task puts there
//! is for the linker alone: a script of one line that names a library of another name, which exports
//! every function that cust declares. The library calls itself `libcuda.so.1`, so that a program linked
//! against it asks for the driver by its own name when it starts; and since neither file is called that,
//! nothing that looks for a driver at run time can take the stub for one, whatever its search path.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process;

/// What cust's build script reads.
pub(crate) const VARIABLE: &str = "CUDA_LIBRARY_PATH";
/// The package that declares the driver's functions for cust.
const DECLARING: &str = "cust_raw";
/// The library that is linked, which no program ever loads.
const LIBRARY: &str = "driver-link-stub.so";
/// The driver's name, which programs load it by.
const DRIVER: &str = "libcuda.so.1";
/// What each function would answer: `CUDA_ERROR_STUB_LIBRARY`.
const ANSWER: u32 = 34;

#[derive(clap::Args)]
pub(crate) struct Options {}

pub(crate) fn run(_: &Options) -> anyhow::Result<()> {
    print(&generate()?);
    Ok(())
}

/// The folder alone on standard output, so that `CUDA_LIBRARY_PATH=$(cargo xtask link-stub)` works.
#[expect(
    clippy::print_stdout,
    reason = "the folder is what the task is run for"
)]
fn print(folder: &Path) {
    println!("{}", folder.display());
}

/// Returns the folder to give to cust's build script, filled if it isn't yet.
pub(crate) fn generate() -> anyhow::Result<PathBuf> {
    if !cfg!(target_os = "linux") {
        bail!("the link stub is for Linux; elsewhere the feature `cust` needs the CUDA toolkit");
    }
    let declarations = declarations()?;
    let text = std::fs::read_to_string(&declarations)
        .with_context(|| declarations.display().to_string())?;
    let source = source(&functions(&text)?);

    let folder = process::scratch().join("cuda-stub");
    let linked = folder.join("lib64");
    std::fs::create_dir_all(&linked).with_context(|| linked.display().to_string())?;
    let library = folder.join(LIBRARY);
    let kept = folder.join("stub.c");
    if !library.is_file() || std::fs::read_to_string(&kept).is_ok_and(|kept| kept != source) {
        std::fs::write(&kept, &source).with_context(|| kept.display().to_string())?;
        compile(&kept, &library)?;
    }
    let script = format!("INPUT({})\n", library.display());
    let placed = linked.join("libcuda.so");
    std::fs::write(&placed, script).with_context(|| placed.display().to_string())?;
    Ok(folder)
}

/// The file in which cust's sources, as the lock file has them, declare the driver's functions.
fn declarations() -> anyhow::Result<PathBuf> {
    let output = process::cargo()
        .args(["metadata", "--format-version", "1", "--all-features"])
        .arg("--locked")
        .current_dir(process::workspace())
        .output()
        .context("could not start cargo metadata")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("cargo metadata ended with {}: {said}", output.status);
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata.get("packages").and_then(|all| all.as_array());
    let field = |package: &serde_json::Value, name| -> Option<String> {
        Some(package.get(name)?.as_str()?.to_owned())
    };
    let manifest = packages
        .into_iter()
        .flatten()
        .find(|package| field(package, "name").as_deref() == Some(DECLARING))
        .and_then(|package| field(package, "manifest_path"))
        .with_context(|| format!("{DECLARING} is not among the dependencies"))?;
    Ok(Path::new(&manifest).with_file_name("src").join("cuda.rs"))
}

/// The names of the functions that bindings declare, each once, in their order.
fn functions(bindings: &str) -> anyhow::Result<Vec<&str>> {
    let mut names = Vec::new();
    for line in bindings.lines() {
        let Some(declared) = line.trim_start().strip_prefix("pub fn ") else {
            continue;
        };
        let name = declared.split('(').next().unwrap_or_default();
        if !name.starts_with("cu") || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        bail!("{DECLARING} declares no function of the driver where it was looked for");
    }
    Ok(names)
}

fn source(functions: &[&str]) -> String {
    let mut source =
        format!("/* For the linker: each answers CUDA_ERROR_STUB_LIBRARY, {ANSWER}. */\n");
    for name in functions {
        source += &format!("int {name}(void) {{ return {ANSWER}; }}\n");
    }
    source
}

fn compile(source: &Path, library: &Path) -> anyhow::Result<()> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    // Renamed when it is whole: a build beside this one links the old one or the new one.
    let partial = library.with_extension("partial");
    process::run(
        Command::new(compiler)
            .args(["-shared", "-fPIC", "-nostdlib"])
            .arg(format!("-Wl,-soname,{DRIVER}"))
            .arg("-o")
            .args([&partial, source]),
    )
    .context("compiling the link stub needs a C compiler")?;
    std::fs::rename(&partial, library).with_context(|| library.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDINGS: &str = r#"
pub fn helper(count: u32) -> u32;
extern "C" {
    pub fn cuInit(Flags: ::std::os::raw::c_uint) -> CUresult;
}
extern "C" {
    pub fn cuMemFree_v2(dptr: CUdeviceptr) -> CUresult;
    pub fn cuInit(Flags: ::std::os::raw::c_uint) -> CUresult;
}
"#;

    #[test]
    fn every_declared_function_is_stubbed_once() {
        let functions = functions(BINDINGS).unwrap();
        assert_eq!(functions, ["cuInit", "cuMemFree_v2"]);

        let source = source(&functions);
        assert!(source.contains("int cuMemFree_v2(void) { return 34; }"));
    }

    #[test]
    fn bindings_without_functions_are_refused() {
        assert!(functions("pub struct CUctx;").is_err());
    }
}
