//! Both digests, computed on the host and on the device, beside what `sha256sum` (GNU coreutils) and
//! `fsverity digest` (fsverity-utils) print for the same files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vram_residency::SealRequest;
use vram_seal::{HashPlan, Salt, hash_bytes, hash_reader};

use crate::device_hasher::DeviceHasher;
use crate::noise::Noise;
use crate::outside::{fsverity_digest, sha256sum};
use crate::rig::{MIB, builder, id, machine, platform};

/// How many files are compared.
const FILES: usize = 200;

/// Lengths around everything at which the tree changes its shape: a hash's and a compression block's
/// end, a block's, a hash block's, and the end of the first block of group hashes.
const BOUNDARIES: [usize; 31] = [
    0, 1, 31, 32, 33, 55, 56, 63, 64, 65, 4095, 4096, 4097, 8191, 8192, 8193, 524_287, 524_288,
    524_289, 520_192, 528_384, 1_048_575, 1_048_576, 1_048_577, 4_194_303, 8_388_607, 8_388_608,
    8_388_609, 8_912_897, 67_108_864, 67_108_865,
];

/// A file, and what the independent tools say of it; none where a tool is missing.
struct Case {
    path: PathBuf,
    len: usize,
    salt: Salt,
    content: Option<String>,
    verity: Option<String>,
    verity_salted: Option<String>,
}

/// Files on disk, gone with it.
struct Corpus {
    cases: Vec<Case>,
    _folder: TempDir,
}

impl Corpus {
    /// Writes 200 files and has the tools digest them, each with and without a salt. The salts are of
    /// all lengths from 1 to 32.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut noise = Noise::new(2);
        let salts: Vec<Vec<u8>> = (1..=Salt::MAX_LEN).map(|len| noise.bytes(len)).collect();
        let mut cases: Vec<Case> = lengths(&mut noise)
            .into_iter()
            .enumerate()
            .map(|(number, len)| {
                let path = folder.path().join(format!("{number}"));
                fs::write(&path, noise.bytes(len)).unwrap();
                Case {
                    path,
                    len,
                    salt: Salt::new(&salts[number % salts.len()]).unwrap(),
                    content: None,
                    verity: None,
                    verity_salted: None,
                }
            })
            .collect();
        let contents = sha256sum(paths(&cases));
        fill(&mut cases, contents, |case| &mut case.content);
        // Where the tool is missing, that is said once.
        if let Some(verities) = fsverity_digest(paths(&cases), &[]) {
            fill(&mut cases, Some(verities), |case| &mut case.verity);
            cases.sort_by_key(|case| case.salt.as_bytes().to_vec());
            for same_salt in cases.chunk_by_mut(|a, b| a.salt == b.salt) {
                let salt = same_salt[0].salt;
                let salted = fsverity_digest(paths(same_salt), salt.as_bytes());
                fill(same_salt, salted, |case| &mut case.verity_salted);
            }
        }
        Self {
            cases,
            _folder: folder,
        }
    }
}

/// The boundaries, then random lengths, most of them small.
fn lengths(noise: &mut Noise) -> Vec<usize> {
    let mut lengths = BOUNDARIES.to_vec();
    while lengths.len() < FILES {
        let magnitude = 1 << noise.below(22);
        lengths.push(usize::try_from(noise.below(magnitude)).unwrap());
    }
    lengths
}

fn paths(cases: &[Case]) -> impl Iterator<Item = &Path> {
    cases.iter().map(|case| case.path.as_path())
}

fn fill(
    cases: &mut [Case],
    digests: Option<Vec<String>>,
    slot: impl Fn(&mut Case) -> &mut Option<String>,
) {
    let Some(digests) = digests else { return };
    assert_eq!(digests.len(), cases.len());
    for (case, digest) in cases.iter_mut().zip(digests) {
        *slot(case) = Some(digest);
    }
}

/// Notes where a digest is not the tool's.
#[derive(Default)]
struct Comparison {
    differences: Vec<String>,
    compared: usize,
}

impl Comparison {
    fn compare(&mut self, case: &Case, what: &str, ours: impl ToString, tool: &Option<String>) {
        let Some(tool) = tool else { return };
        self.compared += 1;
        let ours = ours.to_string();
        if ours != *tool {
            let Case { len, salt, .. } = case;
            let difference =
                format!("{what} of {len} bytes ({salt:?}): {ours}, the tool says {tool}");
            self.differences.push(difference);
        }
    }

    /// Fails if anything differs, or less was compared than the tools that are there have answered.
    fn finish(self, corpus: &Corpus, answers: impl Fn(&Case) -> usize) {
        let differences = &self.differences;
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        assert_eq!(corpus.cases.len(), FILES);
        let answered: usize = corpus.cases.iter().map(answers).sum();
        assert_eq!(self.compared, answered);
    }
}

/// How many of the digests the tools gave.
fn given(digests: &[&Option<String>]) -> usize {
    digests.iter().filter(|digest| digest.is_some()).count()
}

#[test]
fn digests_of_the_host_are_those_of_the_tools() {
    let corpus = Corpus::new();
    let mut comparison = Comparison::default();

    for case in &corpus.cases {
        let bytes = fs::read(&case.path).unwrap();
        for (salt, verity) in [
            (Salt::none(), &case.verity),
            (case.salt, &case.verity_salted),
        ] {
            let file = File::open(&case.path).unwrap();
            for (what, digests) in [
                ("bytes", hash_bytes(&bytes, HashPlan::BOTH, &salt)),
                ("file", hash_reader(file, HashPlan::BOTH, &salt).unwrap()),
            ] {
                let content = digests.content.unwrap();
                comparison.compare(case, &format!("content, {what}"), content, &case.content);
                let digest = digests.verity.unwrap().digest();
                comparison.compare(case, &format!("verity, {what}"), digest, verity);
            }
        }
    }

    comparison.finish(&corpus, |case| {
        2 * given(&[
            &case.content,
            &case.content,
            &case.verity,
            &case.verity_salted,
        ])
    });
}

/// Covers: FN-2.3.
#[test]
fn verity_digests_of_the_device_are_those_of_the_tool() {
    let corpus = Corpus::new();
    let device = DeviceHasher::new();
    let mut comparison = Comparison::default();

    // No device memory has 0 bytes: an empty file has nothing to measure there.
    for case in corpus.cases.iter().filter(|case| case.len > 0) {
        let data = device.upload(&fs::read(&case.path).unwrap());
        let plain = device.measure(&data, &Salt::none());
        comparison.compare(case, "verity", plain.digest(), &case.verity);
        let salted = device.measure(&data, &case.salt);
        comparison.compare(case, "verity", salted.digest(), &case.verity_salted);
    }

    comparison.finish(&corpus, |case| {
        usize::from(case.len > 0) * given(&[&case.verity, &case.verity_salted])
    });
}

#[test]
fn content_digests_of_the_device_are_those_of_the_tool() {
    let corpus = Corpus::new();
    let device = DeviceHasher::new();
    let mut comparison = Comparison::default();

    let messages: Vec<Vec<u8>> = corpus
        .cases
        .iter()
        .map(|case| fs::read(&case.path).unwrap())
        .collect();
    let digests = device.hash_messages(&messages);
    for (case, digest) in corpus.cases.iter().zip(digests) {
        comparison.compare(case, "content", digest, &case.content);
    }

    comparison.finish(&corpus, |case| given(&[&case.content]));
}

/// Covers: FN-2.3.
#[test]
fn sealed_shards_have_the_digests_of_the_tools() {
    let corpus = Corpus::new();
    let machine = machine(256 * MIB);
    let manager = builder().build(&platform(&machine)).unwrap();
    let mut comparison = Comparison::default();

    for (number, case) in corpus.cases.iter().enumerate() {
        let request = SealRequest::file(id(&format!("shard-{number}")), &case.path);
        if case.len == 0 {
            let error = manager.seal(request).unwrap_err();
            assert!(error.to_string().contains("0 bytes"), "{error}");
            continue;
        }
        let shard = manager.seal(request).unwrap();
        let content = shard.content_digest().unwrap();
        comparison.compare(case, "content", content, &case.content);
        comparison.compare(case, "verity", shard.verity_digest(), &case.verity);
    }

    comparison.finish(&corpus, |case| {
        usize::from(case.len > 0) * given(&[&case.content, &case.verity])
    });
}
