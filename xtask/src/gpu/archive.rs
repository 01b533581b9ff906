//! `cargo xtask gpu archive`: builds the programs of the list and packs them, with what says where they
//! came from.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::contents::{Chosen, Kind, Metadata, PROGRAMS, SCRIPTS};
use super::elf;
use crate::process;

/// What the archive may hold, in bytes.
const LIMIT: u64 = 60 << 20;
const RUN: &str = include_str!("run.sh");
const PROVENANCE: &str = "commit.json";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder to pack into; the packed file gets its name and `.tar.gz`.
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| process::target().join("gpu-archive"));
    let mut provenance = Provenance::of_checkout()?;
    let metadata = Metadata::parse(&output(process::cargo().args([
        "metadata",
        "--locked",
        "--no-deps",
        "--format-version",
        "1",
    ]))?)?;
    provenance.version = metadata.version("vram-cli").unwrap_or_default().to_owned();
    clear(&out)?;

    for program in PROGRAMS {
        let chosen = metadata.choose(program);
        if chosen.is_empty() {
            let name = program.name.unwrap_or("any");
            let missing = format!("{} {}, {name}", program.package, program.kind.name());
            provenance.leave_out(&missing, "the workspace has none");
        }
        for chosen in &chosen {
            match missing_for(chosen) {
                None => pack(&out, chosen, &mut provenance)?,
                Some(why) => provenance.leave_out(&chosen.place, why),
            }
        }
    }
    for (from, ending, to) in SCRIPTS {
        pack_scripts(&out, from, ending, to, &mut provenance)?;
    }
    add(&out, "run.sh", RUN.as_bytes(), true, &mut provenance)?;
    let written = serde_json::to_string_pretty(&provenance)? + "\n";
    fs::write(out.join(PROVENANCE), written)?;

    finish(&out, &provenance)
}

/// Where an archive came from and what is in it: `commit.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Provenance {
    /// The commit that was checked out.
    pub(crate) commit: String,
    /// Whether anything differed from that commit.
    pub(crate) dirty: bool,
    /// When it was packed, in UTC.
    pub(crate) packed: String,
    pub(crate) rustc: String,
    pub(crate) version: String,
    /// The oldest glibc that starts every program.
    pub(crate) glibc: String,
    pub(crate) files: Vec<Packed>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// A file of the archive.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Packed {
    pub(crate) path: String,
    pub(crate) bytes: u64,
}

/// What the list names and the archive has not.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    pub(crate) what: String,
    pub(crate) why: String,
}

impl Provenance {
    fn of_checkout() -> anyhow::Result<Self> {
        let Checkout { commit, dirty } = checkout()?;
        Ok(Self {
            commit,
            dirty,
            packed: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
            rustc: text(Command::new("rustc").arg("--version"))?,
            ..Self::default()
        })
    }

    fn leave_out(&mut self, what: &str, why: &str) {
        process::report(&format!("left out: {what}: {why}"));
        self.left_out.push(LeftOut {
            what: what.to_owned(),
            why: why.to_owned(),
        });
    }
}

/// What is checked out.
#[derive(Debug)]
pub(crate) struct Checkout {
    pub(crate) commit: String,
    /// Whether anything differs from that commit.
    pub(crate) dirty: bool,
}

/// What is checked out, and whether it was changed.
pub(crate) fn checkout() -> anyhow::Result<Checkout> {
    Ok(Checkout {
        commit: head()?,
        dirty: !git(&["status", "--porcelain"])?.is_empty(),
    })
}

/// The commit that is checked out.
pub(crate) fn head() -> anyhow::Result<String> {
    git(&["rev-parse", "HEAD"])
}

fn git(arguments: &[&str]) -> anyhow::Result<String> {
    let mut git = Command::new("git");
    text(git.args(arguments).current_dir(process::workspace()))
        .context("what is built says which commit it is of, and needs a git checkout")
}

fn text(command: &mut Command) -> anyhow::Result<String> {
    Ok(String::from_utf8(output(command)?)?.trim().to_owned())
}

/// What a program printed; its messages are shown.
fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("could not start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} ended with {}", output.status);
    }
    Ok(output.stdout)
}

/// Makes the folder empty, if what is in it is an archive: nothing else is deleted.
fn clear(out: &Path) -> anyhow::Result<()> {
    let shown = out.display();
    if out.exists() {
        let empty = fs::read_dir(out)
            .context(shown.to_string())?
            .next()
            .is_none();
        if !empty && !out.join(PROVENANCE).is_file() {
            bail!("{shown} holds something else than an archive; choose another folder with --out");
        }
        fs::remove_dir_all(out).with_context(|| shown.to_string())?;
    }
    fs::create_dir_all(out).with_context(|| shown.to_string())?;
    // Marks the folder as an archive from the start, so that a run cut short can be repeated.
    fs::write(out.join(PROVENANCE), "{}").with_context(|| shown.to_string())
}

/// Why a program can't be built here.
fn missing_for(chosen: &Chosen) -> Option<&'static str> {
    let links_cuda = chosen.features.iter().any(|feature| feature == "cust");
    // Where cargo's configuration names the folder, that doesn't mean that it is there.
    let library = std::env::var_os("CUDA_LIBRARY_PATH").is_some_and(|folder| {
        let linked = Path::new(&folder).join("lib64");
        process::workspace().join(linked).is_dir()
    });
    (links_cuda && !library)
        .then_some("it links libcuda: CUDA_LIBRARY_PATH must name a CUDA toolkit or a link stub")
}

fn pack(out: &Path, chosen: &Chosen, provenance: &mut Provenance) -> anyhow::Result<()> {
    process::report(&format!("building {} {}", chosen.package, chosen.name));
    let built = build(chosen)?;
    let program = fs::read(&built).with_context(|| built.display().to_string())?;
    add(out, &chosen.place, &program, true, provenance)
}

/// Builds a program, and returns where cargo put it.
fn build(chosen: &Chosen) -> anyhow::Result<PathBuf> {
    let mut cargo = process::cargo();
    cargo
        .args([
            "build",
            "--locked",
            "--message-format=json-render-diagnostics",
        ])
        .args(["--profile", chosen.profile, "--package", &chosen.package])
        .args([format!("--{}", chosen.kind.name()), chosen.name.clone()]);
    if !chosen.features.is_empty() {
        cargo.args(["--features", &chosen.features.join(",")]);
    }
    executable(&output(&mut cargo)?, chosen.kind, &chosen.name).with_context(|| {
        let (package, name) = (&chosen.package, &chosen.name);
        format!("cargo built {package} {name}, and did not say where it is")
    })
}

/// Finds a program among cargo's messages.
fn executable(messages: &[u8], kind: Kind, name: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        target: Target,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        kind: Vec<String>,
        name: String,
    }
    messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Message>(line).ok())
        .filter(|message| message.target.name == name)
        .filter(|message| message.target.kind.iter().any(|found| found == kind.name()))
        .find_map(|message| message.executable)
}

fn pack_scripts(
    out: &Path,
    from: &str,
    ending: &str,
    to: &str,
    provenance: &mut Provenance,
) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(process::workspace().join(from)) else {
        provenance.leave_out(from, "the workspace has none");
        return Ok(());
    };
    let mut scripts = BTreeSet::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == ending) {
            scripts.insert(path);
        }
    }
    for script in scripts {
        let name = script.file_name().unwrap_or_default().to_string_lossy();
        let content = fs::read(&script).with_context(|| script.display().to_string())?;
        add(out, &format!("{to}/{name}"), &content, false, provenance)?;
    }
    Ok(())
}

/// Writes a file of the archive and notes it.
fn add(
    out: &Path,
    place: &str,
    content: &[u8],
    executable: bool,
    provenance: &mut Provenance,
) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let path = out.join(place);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, content).with_context(|| path.display().to_string())?;
    let mode = if executable { 0o755 } else { 0o644 };
    fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    let named = parse_version(&provenance.glibc).max(elf::glibc_needed(content));
    if let Some((major, minor)) = named {
        provenance.glibc = format!("{major}.{minor}");
    }
    provenance.files.push(Packed {
        path: place.to_owned(),
        bytes: u64::try_from(content.len())?,
    });
    Ok(())
}

fn parse_version(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Refuses what is too large, and makes one file of the folder.
fn finish(out: &Path, provenance: &Provenance) -> anyhow::Result<()> {
    let size = checked_size(&provenance.files)?;
    let (Some(folder), Some(name)) = (out.parent(), out.file_name()) else {
        bail!("{} has no name to give the packed file", out.display());
    };
    let packed = out.with_extension("tar.gz");
    process::run(
        Command::new("tar")
            .args([
                "--sort=name",
                "--owner=0",
                "--group=0",
                "--numeric-owner",
                "-czf",
            ])
            .args([&packed, Path::new("-C"), folder, Path::new(name)]),
    )?;
    for file in &provenance.files {
        process::report(&format!("{:>10}  {}", shown_size(file.bytes), file.path));
    }
    let mark = if provenance.dirty {
        ", with changes"
    } else {
        ""
    };
    process::report(&format!(
        "{}: {} of at most {}, commit {}{mark}, needs glibc {}",
        out.display(),
        shown_size(size),
        shown_size(LIMIT),
        provenance.commit,
        provenance.glibc,
    ));
    let size = fs::metadata(&packed)?.len();
    process::report(&format!("{}: {}", packed.display(), shown_size(size)));
    Ok(())
}

/// The archive's size in bytes, unless it is over the limit.
fn checked_size(files: &[Packed]) -> anyhow::Result<u64> {
    let size = files
        .iter()
        .fold(0, |sum: u64, file| sum.saturating_add(file.bytes));
    if size > LIMIT {
        let largest = files.iter().max_by_key(|file| file.bytes);
        let path = largest.map_or("", |file| file.path.as_str());
        bail!(
            "the archive holds {}, more than the {} that it may; the largest file is {path}",
            shown_size(size),
            shown_size(LIMIT),
        );
    }
    Ok(size)
}

fn shown_size(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10).div_ceil(1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(path: &str, bytes: u64) -> Packed {
        Packed {
            path: path.to_owned(),
            bytes,
        }
    }

    #[test]
    fn an_archive_up_to_the_limit_is_accepted() {
        let files = [packed("one", LIMIT - 1), packed("two", 1)];

        assert_eq!(checked_size(&files).unwrap(), LIMIT);
    }

    #[test]
    fn an_archive_over_the_limit_is_refused_with_its_size_and_largest_file() {
        let refusal = checked_size(&[packed("small", 1), packed("large", LIMIT)])
            .unwrap_err()
            .to_string();

        assert!(
            refusal.contains("60.1 MiB, more than the 60.0 MiB"),
            "{refusal}"
        );
        assert!(refusal.ends_with("the largest file is large"), "{refusal}");
    }

    #[test]
    fn a_folder_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis"), "years of work").unwrap();

        let refusal = clear(folder.path()).unwrap_err().to_string();

        assert!(
            refusal.contains("something else than an archive"),
            "{refusal}"
        );
        assert!(folder.path().join("thesis").is_file());
    }

    #[test]
    fn an_older_archive_makes_way() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(PROVENANCE), "{}").unwrap();
        fs::write(folder.path().join("vram"), "old").unwrap();

        clear(folder.path()).unwrap();

        assert!(!folder.path().join("vram").exists());
    }

    #[test]
    fn the_program_is_found_among_what_cargo_says() {
        let messages = br#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"drivers"},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["test"],"name":"suite"},"executable":"/t/suite-1"}
{"reason":"compiler-artifact","target":{"kind":["test"],"name":"drivers"},"executable":"/t/drivers-2"}
{"reason":"build-finished","success":true}
"#;

        let found = executable(messages, Kind::Test, "drivers");

        assert_eq!(found, Some(PathBuf::from("/t/drivers-2")));
        assert_eq!(executable(messages, Kind::Bench, "drivers"), None);
    }

    #[test]
    fn the_newest_glibc_of_all_programs_is_stated() {
        let folder = tempfile::tempdir().unwrap();
        let mut provenance = Provenance::default();
        for (place, version) in [("a", "2.28"), ("b", "2.34"), ("c", "2.9")] {
            let program = format!("\0GLIBC_{version}\0");
            add(
                folder.path(),
                place,
                program.as_bytes(),
                true,
                &mut provenance,
            )
            .unwrap();
        }

        assert_eq!(provenance.glibc, "2.34");
    }
}
