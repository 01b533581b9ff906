//! A digest that the command line says a file must have.

use std::str::FromStr;

use vram_seal::{Digest, VerityDigest};

/// `sha256:HEX` or `fsverity:HEX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Content(Digest),
    Verity(VerityDigest),
}

impl Expected {
    /// Whether it is a content digest.
    pub(crate) const fn is_content(&self) -> bool {
        matches!(self, Self::Content(_))
    }

    /// Whether both are of one kind.
    pub(crate) const fn is_like(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::Content(_), Self::Content(_)) | (Self::Verity(_), Self::Verity(_))
        )
    }
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sha256", hex)) => hex.parse().map(Self::Content).map_err(said),
            Some(("fsverity", hex)) => hex.parse().map(Self::Verity).map_err(said),
            _ => Err("give sha256:HEX or fsverity:HEX".to_owned()),
        }
    }
}

fn said(error: vram_seal::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_and_told_apart() {
        let hex = "ab".repeat(32);

        let content: Expected = format!("sha256:{hex}").parse().unwrap();
        let verity: Expected = format!("fsverity:{hex}").parse().unwrap();

        assert_eq!(content, Expected::Content(hex.parse().unwrap()));
        assert_eq!(verity, Expected::Verity(hex.parse().unwrap()));
        assert!(content.is_like(&content) && !content.is_like(&verity));
    }

    #[test]
    fn anything_else_is_refused_with_what_is_wrong() {
        let refused = |text: &str| text.parse::<Expected>().unwrap_err();

        assert!(refused(&"ab".repeat(32)).contains("sha256:HEX"));
        assert!(refused("md5:00").contains("sha256:HEX"));
        assert!(refused("sha256:00").contains("has 2 characters"));
        assert!(refused(&format!("fsverity:{}", "xy".repeat(32))).contains("'x'"));
    }
}
