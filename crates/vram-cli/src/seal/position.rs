//! Which of a set a single file is, as people count.

use std::str::FromStr;

use vram_seal::SetPosition;

/// A position as people count: from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position(pub(crate) SetPosition);

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give a number from 1 and how many there are, as 1/4".to_owned();
        let (number, total) = text.split_once('/').ok_or_else(wrong)?;
        let read = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse::<u32>().ok()).flatten()
        };
        let (number, total) = read(number).zip(read(total)).ok_or_else(wrong)?;
        let index = number.checked_sub(1).ok_or_else(wrong)?;
        let position = SetPosition::new(index, total);
        position.map(Self).map_err(|_| {
            format!("{number} is more than {total}: give a number from 1 and how many there are")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one() {
        let read = |text: &str| text.parse::<Position>().map(|Position(position)| position);

        assert_eq!(read("1/4"), Ok(SetPosition::new(0, 4).unwrap()));
        assert_eq!(read("4/4"), Ok(SetPosition::new(3, 4).unwrap()));
        assert_eq!(read("1/1"), Ok(SetPosition::new(0, 1).unwrap()));
        for bad in [
            "", "1", "/", "1/", "/4", "0/4", "5/4", "+1/4", "1/4/4", "1 / 4", "a/b",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        assert!(read("4294967296/4294967296").is_err());
        assert!(read("5/4").unwrap_err().contains("5 is more than 4"));
    }
}
