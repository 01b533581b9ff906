//! `cargo xtask kernels`: the PTX that vram-kernels carries, made from its CUDA source.
//!
//! The same bytes come out on every machine: the compiler is pinned, and what tells of the run (comments,
//! the compiler's build) is taken out.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::{process, wheels};

/// The compiler: that of CUDA 13.0.
const COMPILER: &[wheels::Pin] = &[
    ("nvidia-cuda-nvcc", "13.0.88"),
    ("nvidia-cuda-crt", "13.0.88"),
    ("nvidia-nvvm", "13.0.88"),
    ("nvidia-cuda-runtime", "13.0.96"),
    ("nvidia-cuda-cccl", "13.0.85"),
];
const RENEW: &str = "cargo xtask kernels";

/// The sources, within `cuda-kernels/cuda` with the ending `cu`. Each gives a PTX file of its name.
const SOURCES: &[&str] = &["vram_kernels", "vram_probes"];
/// The oldest chips served: Turing. The driver compiles the PTX on for any later one.
const TARGET: &str = "75";
/// The PTX version declared, so that older drivers than the compiler's take it: the oldest one served, R525
/// (CUDA 12.0), knows PTX up to 8.0.
const PTX_VERSION: &str = "7.0";
/// Chips that the PTX is assembled for as a check: each generation from Turing on.
const CHIPS: &[&str] = &[
    "sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120",
];
/// Operations that the kernels may use. All are in PTX 7.0, in every form without a `::` qualifier.
const OPERATIONS: &[&str] = &[
    "activemask",
    "add",
    "and",
    "bra",
    "cvt",
    "dp2a",
    "ld",
    "mad",
    "max",
    "min",
    "mov",
    "mul",
    "not",
    "or",
    "prmt",
    "ret",
    "selp",
    "setp",
    "shf",
    "shl",
    "shr",
    "st",
    "sub",
    "vote",
    "xor",
];
/// Directives that the kernels may use. Local memory is not among them, nor is anything global that can be
/// written.
const DIRECTIVES: &[&str] = &[
    ".address_size",
    ".const",
    ".maxntid",
    ".minnctapersm",
    ".param",
    ".pragma",
    ".reg",
    ".target",
    ".version",
    ".visible",
];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail if the committed PTX is stale, and change nothing.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let toolkit = wheels::site(COMPILER)?.join("nvidia/cu13");
    let crate_folder = process::workspace().join("cuda-kernels");
    let scratch = process::scratch().join("kernels");
    std::fs::create_dir_all(&scratch).with_context(|| scratch.display().to_string())?;

    let mut images = Vec::new();
    for name in SOURCES {
        let compiled = compile(&toolkit, &crate_folder.join("cuda"), name, &scratch)?;
        let ptx = normalise(&compiled).with_context(|| format!("{name}.cu"))?;
        let fresh = scratch.join(format!("{name}.ptx"));
        std::fs::write(&fresh, &ptx).with_context(|| fresh.display().to_string())?;
        for chip in CHIPS {
            assemble(&toolkit, &fresh, chip, &scratch)?;
        }
        images.push((name, ptx));
    }
    let committed = crate_folder.join("ptx");
    for (name, ptx) in images {
        let digest =
            hex::encode(ring::digest::digest(&ring::digest::SHA256, ptx.as_bytes())) + "\n";
        let file = |ending: &str| committed.join(format!("{name}.{ending}"));
        process::write_or_check(&file("ptx"), &ptx, options.check, RENEW)?;
        process::write_or_check(&file("ptx.sha256"), &digest, options.check, RENEW)?;
    }
    Ok(())
}

/// The compiler's PTX for one source.
fn compile(
    toolkit: &Path,
    source_folder: &Path,
    name: &str,
    scratch: &Path,
) -> anyhow::Result<String> {
    let compiled = scratch.join("compiled.ptx");
    // Run in the source's folder, so that no checkout's path can get into the output.
    process::run(
        Command::new(toolkit.join("bin/nvcc"))
            .current_dir(source_folder)
            .env_remove("NVCC_PREPEND_FLAGS")
            .env_remove("NVCC_APPEND_FLAGS")
            .args(["-ptx", "-std=c++17", "-allow-unsupported-compiler"])
            .args(["-Werror", "all-warnings"])
            .arg(format!("-arch=compute_{TARGET}"))
            .arg("-o")
            .arg(&compiled)
            .arg(format!("{name}.cu")),
    )
    .context("compiling the kernels needs g++ too (Debian: apt install g++)")?;
    std::fs::read_to_string(&compiled).with_context(|| compiled.display().to_string())
}

/// Lowers the declared version, having checked that nothing newer is used, and takes out comments and
/// blank lines.
fn normalise(compiled: &str) -> anyhow::Result<String> {
    let mut ptx = String::new();
    let (mut versions, mut targets) = (0_usize, 0_usize);
    for (number, line) in (1..).zip(compiled.lines()) {
        let code = line
            .split_once("//")
            .map_or(line, |(code, _)| code)
            .trim_end();
        let mut words = code.split_whitespace();
        let Some(first) = words.next() else {
            continue;
        };
        check_line(first, code).with_context(|| format!("line {number} of the PTX: {code}"))?;
        match first {
            ".version" => {
                versions = versions.saturating_add(1);
                ptx += &format!(".version {PTX_VERSION}\n");
                continue;
            }
            ".target" if words.next() == Some(&format!("sm_{TARGET}")) => {
                targets = targets.saturating_add(1);
            }
            ".target" => bail!("line {number} of the PTX: {code}: expected sm_{TARGET}"),
            _ => {}
        }
        ptx += code;
        ptx.push('\n');
    }
    if (versions, targets) != (1, 1) {
        bail!("the PTX declares {versions} versions and {targets} targets; expected one of each");
    }
    Ok(ptx)
}

/// Refuses a line of PTX that holds something which is not known to be in [`PTX_VERSION`].
fn check_line(first: &str, code: &str) -> anyhow::Result<()> {
    if code.contains("::") {
        bail!("this qualifier may be newer than PTX {PTX_VERSION}");
    }
    if first.starts_with('.') {
        if !DIRECTIVES.contains(&first) {
            bail!("the directive {first} is not among those that the kernels may use");
        }
        return Ok(());
    }
    let structural = first.starts_with(['{', '}', '(', ')']) || first.ends_with(':');
    if structural {
        return Ok(());
    }
    // `@%p1 bra …`: the operation stands after the predicate.
    let operation = if first.starts_with('@') {
        code.split_whitespace().nth(1).unwrap_or_default()
    } else {
        first
    };
    let name = operation.split(['.', ';']).next().unwrap_or_default();
    if !OPERATIONS.contains(&name) {
        bail!("the operation {operation} is not among those known to be in PTX {PTX_VERSION}");
    }
    Ok(())
}

/// Assembles the PTX for a chip, and refuses kernels that don't keep everything in registers.
fn assemble(toolkit: &Path, ptx: &Path, chip: &str, scratch: &Path) -> anyhow::Result<()> {
    let output = Command::new(toolkit.join("bin/ptxas"))
        .args(["-v", "-Werror", "-arch", chip, "-o"])
        .arg(scratch.join(format!("{chip}.cubin")))
        .arg(ptx)
        .output()
        .context("could not start ptxas")?;
    let mut log = String::from_utf8_lossy(&output.stderr).into_owned();
    log.push_str(&String::from_utf8_lossy(&output.stdout));
    if !output.status.success() {
        bail!("ptxas refuses the kernels for {chip}:\n{log}");
    }
    let registers = registers(&log).with_context(|| format!("ptxas for {chip}:\n{log}"))?;
    process::report(&format!("{chip}: {}", registers.join(", ")));
    Ok(())
}

/// What ptxas says each kernel uses, as long as that is registers alone.
fn registers(log: &str) -> anyhow::Result<Vec<String>> {
    const NO_MEMORY: &str = "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads";
    let mut used = Vec::new();
    let (mut kernel, mut in_registers) = ("", false);
    for line in log.lines() {
        if let Some((_, name)) = line.split_once("Function properties for ") {
            (kernel, in_registers) = (name.trim(), false);
        } else if line.contains("bytes stack frame") {
            if line.trim() != NO_MEMORY {
                bail!("{kernel} does not fit into registers: {}", line.trim());
            }
            in_registers = true;
        } else if let Some((_, usage)) = line.split_once("Used ") {
            if !in_registers {
                bail!("no word about the spills of {kernel}");
            }
            used.push(format!(
                "{kernel} {}",
                usage.split(',').next().unwrap_or(usage)
            ));
        }
    }
    if used.is_empty() {
        bail!("no word about any kernel");
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPILED: &str = "\
//
// Compiler Build ID: CL-1
//
.version 9.0
.target sm_75
.address_size 64

\t// .globl\tkernel
.visible .entry kernel(
\t.param .align 8 .b8 kernel_param_0[8]
)
{
\t.reg .pred \t%p<2>;

\tld.param.u64 \t%rd1, [kernel_param_0];
\t@%p1 bra \t$L__BB0_1;
$L__BB0_1: // a label
\tret;
}
";

    #[test]
    fn normalising_lowers_the_version_and_drops_comments_and_blank_lines() {
        let expected = "\
.version 7.0
.target sm_75
.address_size 64
.visible .entry kernel(
\t.param .align 8 .b8 kernel_param_0[8]
)
{
\t.reg .pred \t%p<2>;
\tld.param.u64 \t%rd1, [kernel_param_0];
\t@%p1 bra \t$L__BB0_1;
$L__BB0_1:
\tret;
}
";
        assert_eq!(normalise(COMPILED).unwrap(), expected);
        assert_eq!(
            normalise(expected).unwrap(),
            expected,
            "nothing is left to do"
        );
    }

    #[test]
    fn what_may_be_newer_than_the_declared_version_is_refused() {
        for (written, newer) in [
            ("ret;", "griddepcontrol.wait;"),
            ("@%p1 bra \t$L__BB0_1;", "@%p1 elect.sync _|%p2, 1;"),
            ("ld.param.u64", "ld.global.L2::128B.u64"),
            (".reg .pred", ".local .align 4 .b8"),
            (".visible .entry", ".extern .func"),
            ("sm_75", "sm_80"),
        ] {
            let changed = COMPILED.replace(written, newer);
            assert_ne!(changed, COMPILED);
            let refused = normalise(&changed).expect_err(newer);
            assert!(format!("{refused:#}").contains("line "), "{refused:#}");
        }
    }

    #[test]
    fn ptx_without_one_version_and_one_target_is_refused() {
        for changed in [
            COMPILED.replace(".version 9.0\n", ""),
            COMPILED.replace(".target sm_75\n", ""),
            format!("{COMPILED}.version 9.0\n"),
        ] {
            assert!(normalise(&changed).is_err());
        }
    }

    #[test]
    fn spills_and_stack_frames_are_refused() {
        let log = "ptxas info    : Function properties for kernel
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 65 registers, used 0 barriers\n";
        assert_eq!(registers(log).unwrap(), ["kernel 65 registers"]);
        assert!(registers(&log.replace("0 bytes stack", "8 bytes stack")).is_err());
        assert!(registers(&log.replace("0 bytes spill loads", "4 bytes spill loads")).is_err());
        assert!(registers("").is_err());
    }
}
