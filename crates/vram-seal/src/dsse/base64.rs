//! Bytes as base64 in JSON (RFC 4648).

use std::borrow::Cow;

use base64ct::{Base64, Base64Url, Encoding};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes that are written in the standard alphabet and read in either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base64Bytes(pub(crate) Vec<u8>);

impl Serialize for Base64Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Base64::encode_string(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let url_safe = text.contains(['-', '_']);
        let bytes = if url_safe {
            Base64Url::decode_vec(&text)
        } else {
            Base64::decode_vec(&text)
        };
        bytes.map(Self).map_err(|_| {
            de::Error::custom(
                "a value is not base64 as RFC 4648 defines it: one alphabet, with padding",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<u8>> {
        let json = serde_json::to_string(text).unwrap();
        serde_json::from_str::<Base64Bytes>(&json)
            .ok()
            .map(|bytes| bytes.0)
    }

    #[test]
    fn both_alphabets_are_read_and_the_standard_one_is_written() {
        let bytes = vec![0xfb, 0xff, 0xfe, 0x3e, 0x3f];
        assert_eq!(read("+//+Pj8="), Some(bytes.clone()));
        assert_eq!(read("-__-Pj8="), Some(bytes.clone()));
        assert_eq!(
            serde_json::to_string(&Base64Bytes(bytes)).unwrap(),
            "\"+//+Pj8=\""
        );
        assert_eq!(read(""), Some(vec![]));
    }

    #[test]
    fn base64_that_could_be_written_otherwise_is_refused() {
        for text in [
            "+__+Pj8=", // two alphabets
            "+//+Pj8",  // no padding
            "+//+Pj8==",
            "+//+Pj9=", // bits that decoding drops
            "+//+ Pj8=",
            "+//+\nPj8=",
            "+//+Pj8=\n",
            "=",
            "====",
            "A",
            "AAA\u{e9}",
            "+//+Pj8=AAAA",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert!(serde_json::from_str::<Base64Bytes>("[1]").is_err());
    }
}
