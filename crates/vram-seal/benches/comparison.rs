//! Times comparisons with values that differ in different places, for `cargo xtask timing` to judge.
//!
//! This is the measuring half of dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?",
//! DATE 2017). Each measurement compares with one of two classes of values, drawn by a coin: a fixed one, and fresh
//! random ones. Whatever else may differ between the classes is kept the same: the values are drawn beforehand, lie
//! at one address while they are compared, and go through the same instructions. (A function for each class is
//! what not to do: two copies of the same code differ by hundredths of a nanosecond in where they lie.)
//!
//! Two subjects are controls. One stops at the first difference: who judges must find that it leaks. One does not
//! look at the value at all: who judges must find nothing.
//!
//! Written for each subject: eight bytes a measurement in little-endian order, twice the nanoseconds, plus one for
//! the random class. `subjects` lists the files, with how many calls one measurement times.
#![expect(clippy::print_stdout, reason = "it says who judges")]

use std::{
    env,
    error::Error,
    fs::{self, File},
    hint::black_box,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use ring::rand::{SecureRandom as _, SystemRandom};
use vram_seal::{
    DeviceId, Digest, ExpectedFrom, Freezing, SealKey, SealRecord, SealTag, VerityDigest, sign,
    verify,
};

/// A value that is compared, before it has a type.
type Value = [u8; 32];
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// How many values are drawn at a time.
const DRAWN: usize = 8192;
/// How many comparisons are timed together: one alone is shorter than the clock's step.
const CALLS: u32 = 16;

/// What of the reference the fixed class has.
#[derive(Clone, Copy)]
enum Fixed {
    /// All of it.
    Equal,
    /// All but one bit of the last byte: what somebody has who guesses byte by byte, at the end.
    Almost,
}

/// One measurement's input: which class it is of, and the value.
struct Drawn {
    random: bool,
    value: Value,
}

fn main() -> Outcome {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let after = |name: &str| {
        let mut rest = arguments.iter().skip_while(|argument| *argument != name);
        rest.nth(1)
    };
    let Some(folder) = after("--folder").map(PathBuf::from) else {
        println!("this measures for `cargo xtask timing`; `--folder FOLDER` says where to");
        return Ok(());
    };
    fs::create_dir_all(&folder)?;
    File::create(folder.join("subjects"))?;
    let count: usize = after("--measurements").map_or(Ok(100_000), |count| count.parse())?;
    let only = after("--subject");
    let session = Session {
        folder,
        count,
        only: only.cloned(),
        random: SystemRandom::new(),
    };
    session.controls()?;
    session.comparisons()
}

struct Session {
    folder: PathBuf,
    count: usize,
    only: Option<String>,
    random: SystemRandom,
}

impl Session {
    fn controls(&self) -> Outcome {
        let reference: Value = self.bytes()?;
        let byte_by_byte = |value: &Value| {
            let pairs = black_box(&reference).iter().zip(value);
            pairs.map(black_box).all(|(one, other)| one == other)
        };
        let name = "control-stops-at-the-first-difference";
        self.time(
            name,
            CALLS,
            (reference, Fixed::Almost),
            |value| value,
            byte_by_byte,
        )?;
        let name = "control-looks-at-nothing";
        self.time(
            name,
            CALLS,
            (reference, Fixed::Equal),
            |value| value,
            |_| black_box(true),
        )
    }

    fn comparisons(&self) -> Outcome {
        let reference: Value = self.bytes()?;
        for (suffix, fixed) in [("equal", Fixed::Equal), ("almost-equal", Fixed::Almost)] {
            let digest = Digest::from_bytes(reference);
            self.time(
                &format!("digest-{suffix}"),
                CALLS,
                (reference, fixed),
                Digest::from_bytes,
                |value| *black_box(&digest) == *value,
            )?;
            let verity = VerityDigest::from_bytes(reference);
            self.time(
                &format!("verity-digest-{suffix}"),
                CALLS,
                (reference, fixed),
                VerityDigest::from_bytes,
                |value| *black_box(&verity) == *value,
            )?;
            let tag = SealTag::from_bytes(&reference)?;
            self.time(
                &format!("seal-tag-{suffix}"),
                CALLS,
                (reference, fixed),
                |value| SealTag::from_bytes(&value).unwrap_or(tag),
                |value| *black_box(&tag) == *value,
            )?;
        }
        // Of the whole verification only a wrong tag counts: that a right one is accepted, everybody sees.
        let key = SealKey::from_bytes(&self.bytes::<32>()?)?;
        let record = record(&key)?;
        let right = sign(&key, &record);
        self.time(
            "verify-tag-almost-equal",
            1,
            (*right.as_bytes(), Fixed::Almost),
            |value| SealTag::from_bytes(&value).unwrap_or(right),
            |value| verify(black_box(&key), black_box(&record), value).is_ok(),
        )
    }

    /// Measures one subject: values are `prepare`d, then timed while `compare`d.
    fn time<T>(
        &self,
        name: &str,
        calls: u32,
        (reference, fixed): (Value, Fixed),
        prepare: impl Fn(Value) -> T,
        compare: impl Fn(&T) -> bool,
    ) -> Outcome {
        if self.only.as_ref().is_some_and(|only| only != name) {
            return Ok(());
        }
        let mut fixed_value = reference;
        if let (Fixed::Almost, Some(last)) = (fixed, fixed_value.last_mut()) {
            *last ^= 1;
        }
        let mut samples = Samples::create(&self.folder, name)?;
        let mut left = self.count;
        while left > 0 {
            for Drawn { random, value } in self.draw(fixed_value, left.min(DRAWN))? {
                let prepared = prepare(value);
                let started = Instant::now();
                for _ in 0..calls {
                    black_box(compare(black_box(&prepared)));
                }
                samples.add(started.elapsed().as_nanos(), random)?;
            }
            left = left.saturating_sub(DRAWN);
        }
        samples.finish()?;
        let list = self.folder.join("subjects");
        let mut list = File::options().create(true).append(true).open(list)?;
        Ok(writeln!(list, "{name} {calls}")?)
    }

    /// Draws the classes, and the values of the random one.
    fn draw(&self, fixed: Value, count: usize) -> Outcome<Vec<Drawn>> {
        let mut bytes = vec![0; count.saturating_mul(33)];
        self.random
            .fill(&mut bytes)
            .map_err(|_| "no random bytes")?;
        let drawn = |bytes: &[u8]| {
            let (coin, value) = bytes.split_first()?;
            let random = coin & 1 == 1;
            // Both classes are copied from somewhere, so that neither comes cheaper.
            let from = if random { value } else { &fixed };
            let value = from.try_into().ok()?;
            Some(Drawn { random, value })
        };
        Ok(bytes.chunks_exact(33).filter_map(drawn).collect())
    }

    fn bytes<const N: usize>(&self) -> Outcome<[u8; N]> {
        let mut bytes = [0; N];
        self.random
            .fill(&mut bytes)
            .map_err(|_| "no random bytes")?;
        Ok(bytes)
    }
}

/// The file that a subject's measurements go to.
struct Samples(BufWriter<File>);

impl Samples {
    fn create(folder: &Path, name: &str) -> Outcome<Self> {
        Ok(Self(BufWriter::new(File::create(folder.join(name))?)))
    }

    fn add(&mut self, nanos: u128, random: bool) -> Outcome {
        let nanos = u64::try_from(nanos)?.saturating_mul(2);
        let sample = nanos | u64::from(random);
        Ok(self.0.write_all(&sample.to_le_bytes())?)
    }

    fn finish(mut self) -> Outcome {
        Ok(self.0.flush()?)
    }
}

fn record(key: &SealKey) -> Outcome<SealRecord> {
    Ok(SealRecord {
        shard_id: "timed".parse()?,
        size: 3,
        content: None,
        verity: VerityDigest::of(b"abc"),
        device: DeviceId {
            uuid: [0xd0; 16],
            simulated: true,
        },
        sealed_at_unix_nanos: 0,
        freezing: Freezing::Software,
        position: None,
        model: None,
        nonce: [0; 16],
        key_id: key.id(),
        expected_from: ExpectedFrom::None,
    })
}
