//! The token that the seal key is derived from: random for each run, or from a file.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use ring::rand::{SecureRandom as _, SystemRandom};
use vram_seal::Token;
use zeroize::Zeroizing;

/// The longest token that is read, in bytes. A file that is longer was not meant.
const LONGEST: usize = 4096;

/// The token of a file, or a random one.
pub(crate) fn token(file: Option<&Path>) -> anyhow::Result<Token> {
    match file {
        Some(path) => {
            read(path).with_context(|| format!("the token file {} can't be used", path.display()))
        }
        None => random(),
    }
}

fn random() -> anyhow::Result<Token> {
    let mut bytes = Zeroizing::new([0; Token::MIN_LEN]);
    SystemRandom::new()
        .fill(bytes.as_mut_slice())
        .map_err(|_| anyhow::anyhow!("the system gave no random bytes for a token"))?;
    Ok(Token::new(bytes.as_slice())?)
}

/// All of the file but one line break at its end, which editors add.
fn read(path: &Path) -> anyhow::Result<Token> {
    // Never moved by growing, so that nothing is left behind unwiped.
    let mut room = Zeroizing::new([0; LONGEST.saturating_add(1)]);
    let mut file = File::open(path)?;
    let mut len = 0;
    while let Some(rest) = room.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => len = len.saturating_add(read),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::ensure!(len <= LONGEST, "it holds more than {LONGEST} bytes");
    let bytes = room.get(..len).unwrap_or_default();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    Ok(Token::new(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_of(bytes: &[u8]) -> anyhow::Result<Token> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        token(Some(file.path()))
    }

    #[test]
    fn a_line_break_at_the_end_is_no_part_of_the_token() {
        token_of(&[7; 32]).unwrap();

        for padding in ["\n", "\r\n"] {
            let short = [&[7; 31], padding.as_bytes()].concat();
            let error = token_of(&short).unwrap_err();
            assert!(format!("{error:#}").contains("31 bytes long"), "{error:#}");
        }
    }

    #[test]
    fn a_file_that_is_no_token_is_refused() {
        assert!(token_of(&[7; LONGEST]).is_ok());
        assert!(token_of(&[7; LONGEST + 1]).is_err());
        assert!(token(Some(Path::new("no/such/token"))).is_err());
    }
}
