//! A small model to seal when no file is given.

use std::io::{self, BufWriter, Write};

use tempfile::NamedTempFile;

/// The shard id of the sample.
pub(super) const ID: &str = "sample.safetensors";

/// Elements of each of the two matrices.
const ELEMENTS: usize = 2048 * 2048;
/// Bytes of a BF16 element.
const ELEMENT: usize = 2;

/// Writes the sample to a temporary file, which is gone when the value is dropped. Its bytes are the
/// same every time, and so are its digests.
pub(super) fn make() -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new()
        .prefix("vram-sample-")
        .suffix(".safetensors")
        .tempfile()?;
    let mut to = BufWriter::with_capacity(1 << 20, file.as_file());
    write(&mut to)?;
    to.flush()?;
    drop(to);
    Ok(file)
}

fn write(to: &mut impl Write) -> io::Result<()> {
    let header = header();
    let len = u64::try_from(header.len()).map_err(io::Error::other)?;
    to.write_all(&len.to_le_bytes())?;
    to.write_all(header.as_bytes())?;
    let mut noise = Noise(0x9e37_79b9);
    for _ in 0..ELEMENTS.saturating_mul(2) {
        to.write_all(&noise.bf16().to_le_bytes())?;
    }
    Ok(())
}

/// The SafeTensors header: two square matrices, padded with blanks so that the data is aligned.
fn header() -> String {
    let bytes = ELEMENTS.saturating_mul(ELEMENT);
    let matrix = |name: &str, begin: usize| {
        let end = begin.saturating_add(bytes);
        format!(r#""{name}":{{"dtype":"BF16","shape":[2048,2048],"data_offsets":[{begin},{end}]}}"#)
    };
    let header = format!(
        r#"{{"__metadata__":{{"made_by":"vram seal"}},{},{}}}"#,
        matrix("layers.0.weight", 0),
        matrix("layers.1.weight", bytes)
    );
    let padded = header.len().next_multiple_of(64).saturating_sub(8);
    let padded = if padded < header.len() {
        padded.saturating_add(64)
    } else {
        padded
    };
    format!("{header:padded$}")
}

/// Marsaglia's xorshift generator of 32 bits: noise that is the same everywhere.
struct Noise(u32);

impl Noise {
    /// A weight between 2^-7 and 2^-3, or its negative.
    fn bf16(&mut self) -> u16 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        let [low, high, ..] = self.0.to_be_bytes();
        let random = u16::from_be_bytes([low, high]);
        // Sign and mantissa as they come; the exponent is 120 and two random bits.
        0x3c00 | (random & 0x81ff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_16_mib_of_the_same_bytes_every_time() {
        let read = || std::fs::read(make().unwrap().path()).unwrap();

        let sample = read();

        assert_eq!(sample.len() - 8 - header().len(), 16 << 20);
        assert_eq!((8 + header().len()) % 64, 0);
        assert!(sample == read());
    }

    #[test]
    fn its_weights_are_small_numbers_and_differ() {
        let mut noise = Noise(1);
        let weights: Vec<f32> = (0..1000)
            .map(|_| f32::from_bits(u32::from(noise.bf16()) << 16))
            .collect();

        assert!(
            weights
                .iter()
                .all(|weight| (0.0078..0.125).contains(&weight.abs()))
        );
        assert!(weights.iter().any(|weight| *weight < 0.0));
        assert!(weights.iter().any(|weight| *weight > 0.0));
    }
}
