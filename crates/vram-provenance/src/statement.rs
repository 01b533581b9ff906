//! Reading the signed statement.

use std::{collections::BTreeMap, num::NonZeroU64};

use ring::digest::{Context, SHA256};
use serde::Deserialize;
use serde_json::Number;
use vram_seal::{
    Digest,
    json::{self, Limits},
};

use crate::manifest::is_under_any;
use crate::shown::shown;
use crate::{Error, FileDigest, Layout, Manifest, PieceDigests, Result};

const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";

/// The greatest length of a statement, in bytes.
pub(crate) const MAX_LEN: usize = 48 << 20;

const LIMITS: Limits = Limits {
    bytes: MAX_LEN,
    depth: 8,
    // Four for each entry, and something for the rest.
    values: 1_000_000,
};

/// What kind of statement it is: looked at first, as the rest depends on it. Here and below, members that are not
/// named are ignored, as the format demands.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

#[derive(Deserialize)]
struct Statement {
    subject: Vec<Subject>,
    predicate: Predicate,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    name: String,
    digest: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Predicate {
    serialization: Serialization,
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Serialization {
    method: String,
    hash_type: String,
    allow_symlinks: bool,
    #[serde(default)]
    ignore_paths: Vec<String>,
    shard_size: Option<Number>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    algorithm: String,
    digest: String,
}

/// Reads a statement about a model.
pub(crate) fn read(payload: &[u8]) -> Result<Manifest> {
    let kind: Kind = json::read(payload, LIMITS).map_err(Error::Statement)?;
    require("type", &kind.kind, STATEMENT_TYPE)?;
    require("predicate type", &kind.predicate_type, PREDICATE_TYPE)?;
    let statement: Statement =
        serde_json::from_slice(payload).map_err(|why| Error::Statement(why.into()))?;
    let predicate = statement.predicate;
    let [subject] = statement.subject.as_slice() else {
        return Err(Error::Unsupported {
            what: "number of subjects",
            found: statement.subject.len().to_string(),
            read: "1",
        });
    };
    require_root(subject, &predicate.resources)?;
    let layout = layout(&predicate.serialization)?;
    let ignored = ignored(predicate.serialization.ignore_paths)?;
    let files = files(layout, &predicate.resources)?;
    if let Some(both) = files.keys().find(|path| is_under_any(&ignored, path)) {
        return Err(entry(both, "it is both listed and ignored"));
    }
    Ok(Manifest {
        model: subject.name.clone(),
        layout,
        follows_links: predicate.serialization.allow_symlinks,
        ignored,
        files,
    })
}

fn require(what: &'static str, found: &str, read: &'static str) -> Result<()> {
    if found == read {
        return Ok(());
    }
    Err(Error::Unsupported {
        what,
        found: shown(found),
        read,
    })
}

/// The subject's digest is the hash of all the digests, in the order of the list.
fn require_root(subject: &Subject, resources: &[Resource]) -> Result<()> {
    limit(
        "a manifest",
        resources.len(),
        "entries",
        Manifest::MAX_ENTRIES,
    )?;
    let stated = subject.digest.get("sha256").map(String::as_str);
    let stated = stated.ok_or_else(|| Error::Unsupported {
        what: "subject digest",
        found: String::new(),
        read: "one named sha256",
    })?;
    let stated = stated
        .parse::<Digest>()
        .map_err(|why| entry(&subject.name, &why.to_string()))?;
    let mut context = Context::new(&SHA256);
    for resource in resources {
        context.update(digest(resource)?.as_bytes());
    }
    let mut computed = [0; 32];
    computed.copy_from_slice(context.finish().as_ref());
    let computed = Digest::from_bytes(computed);
    if computed == stated {
        return Ok(());
    }
    Err(Error::RootDigest { computed, stated })
}

fn digest(resource: &Resource) -> Result<Digest> {
    // Before its length is looked at: another algorithm's digest may have another.
    let algorithm = resource.algorithm.split_once("-sharded-");
    let algorithm = algorithm.map_or(resource.algorithm.as_str(), |(name, _)| name);
    require("hash algorithm", algorithm, "sha256")?;
    let digest = resource.digest.parse();
    digest.map_err(|why: vram_seal::Error| entry(&resource.name, &why.to_string()))
}

fn layout(serialization: &Serialization) -> Result<Layout> {
    require("hash algorithm", &serialization.hash_type, "sha256")?;
    match serialization.method.as_str() {
        "files" => Ok(Layout::WholeFiles),
        "shards" => Ok(Layout::Pieces {
            size: piece_size(serialization.shard_size.as_ref())?,
        }),
        other => Err(Error::Unsupported {
            what: "serialization method",
            found: shown(other),
            read: "files or shards",
        }),
    }
}

/// The signer's library writes every number as floating-point: `3.0`.
fn piece_size(number: Option<&Number>) -> Result<NonZeroU64> {
    /// Up to which a double holds every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = |number: &Number| {
        let float = number.as_f64()?;
        let whole = float.fract() == 0.0 && (1.0..=EXACT).contains(&float);
        // Written out, as no cast is exact for all values.
        whole.then(|| format!("{float:.0}"))?.parse::<u64>().ok()
    };
    number
        .and_then(|number| number.as_u64().or_else(|| whole(number)))
        .and_then(NonZeroU64::new)
        .ok_or_else(|| Error::Unsupported {
            what: "shard size",
            found: number.map(ToString::to_string).unwrap_or_default(),
            read: "a whole number of bytes from 1 to 2^53",
        })
}

/// The ignored paths that mean something: a path that leads out of the folder can't be met in it.
fn ignored(paths: Vec<String>) -> Result<Vec<String>> {
    limit(
        "a list of ignored paths",
        paths.len(),
        "entries",
        Manifest::MAX_IGNORED,
    )?;
    let mut kept = Vec::new();
    for path in paths {
        limit(
            "an ignored path",
            path.len(),
            "bytes",
            Manifest::MAX_PATH_LEN,
        )?;
        let path = path.trim_end_matches('/');
        if path == Manifest::SINGLE || refusal_of_path(path).is_none() {
            kept.push(path.to_owned());
        }
    }
    Ok(kept)
}

fn files(layout: Layout, resources: &[Resource]) -> Result<BTreeMap<String, FileDigest>> {
    let files = match layout {
        Layout::WholeFiles => whole_files(resources)?,
        Layout::Pieces { size } => pieces(size, resources)?,
    };
    if files.contains_key(Manifest::SINGLE) && files.len() > 1 {
        return Err(entry(
            Manifest::SINGLE,
            "it stands for a model that is one file, and there are others",
        ));
    }
    Ok(files)
}

fn whole_files(resources: &[Resource]) -> Result<BTreeMap<String, FileDigest>> {
    let mut files = BTreeMap::new();
    for resource in resources {
        require("hash algorithm", &resource.algorithm, "sha256")?;
        require_path(&resource.name)?;
        let digest = FileDigest::Whole(digest(resource)?);
        if files.insert(resource.name.clone(), digest).is_some() {
            return Err(entry(&resource.name, "it is listed twice"));
        }
    }
    Ok(files)
}

fn pieces(piece_size: NonZeroU64, resources: &[Resource]) -> Result<BTreeMap<String, FileDigest>> {
    let algorithm = format!("sha256-sharded-{piece_size}");
    let mut gathered: BTreeMap<String, (u64, Vec<Digest>)> = BTreeMap::new();
    for resource in resources {
        let name = &resource.name;
        if resource.algorithm != algorithm {
            return Err(entry(
                name,
                &format!("its algorithm is not {algorithm}, as the statement says of all"),
            ));
        }
        let (path, start, end) = range(name)
            .ok_or_else(|| entry(name, "it is not PATH:START:END, with a path without colons"))?;
        require_path(path)?;
        let (size, digests) = gathered.entry(path.to_owned()).or_default();
        // Each piece starts where the one before ended, and only the last may be short.
        let in_turn = start == *size && start.checked_rem(piece_size.get()) == Some(0);
        let len = end.checked_sub(start).filter(|len| *len > 0);
        if !in_turn || len.is_none_or(|len| len > piece_size.get()) {
            return Err(entry(
                name,
                "it leaves a gap, overlaps another, or is not of the stated shard size",
            ));
        }
        *size = end;
        digests.push(digest(resource)?);
    }
    let whole = |(path, (size, digests)): (String, _)| {
        let pieces = PieceDigests::new(size, piece_size, digests)
            .ok_or_else(|| entry(&path, "its pieces don't make up a file"))?;
        Ok((path, FileDigest::Pieces(pieces)))
    };
    gathered.into_iter().map(whole).collect()
}

/// `PATH:START:END`, the numbers as they are written without need.
fn range(name: &str) -> Option<(&str, u64, u64)> {
    let (path, range) = name.split_once(':')?;
    let (start, end) = range.split_once(':')?;
    let number = |text: &str| {
        let number: u64 = text.parse().ok()?;
        (number.to_string() == text).then_some(number)
    };
    Some((path, number(start)?, number(end)?))
}

fn require_path(path: &str) -> Result<()> {
    if path == Manifest::SINGLE {
        return Ok(());
    }
    match refusal_of_path(path) {
        Some(why) => Err(entry(path, why)),
        None => Ok(()),
    }
}

/// What keeps a path from being one of a file within a folder.
pub(crate) fn refusal_of_path(path: &str) -> Option<&'static str> {
    if path.len() > Manifest::MAX_PATH_LEN {
        return Some("it is too long to be a path");
    }
    if path.contains('\0') {
        return Some("a path holds no NUL");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some("it is not a relative path within the model: no part may be empty, . or ..");
    }
    None
}

fn limit(what: &'static str, found: usize, unit: &'static str, limit: usize) -> Result<()> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::TooMuch {
        what,
        found,
        unit,
        limit,
    })
}

fn entry(name: &str, why: &str) -> Error {
    Error::Entry {
        name: shown(name),
        why: why.to_owned(),
    }
}
