//! Text from outside, as an error may show it.

/// The greatest number of characters that are shown.
const MOST: usize = 120;

/// The text on one line, without control characters, cut where it is too long.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MOST)
        .flat_map(|character| {
            // Quotes and letters of every script as they are; what moves a cursor escaped.
            let plain = !character.is_control() && !is_invisible(character);
            let escaped = (!plain).then(|| character.escape_unicode());
            plain
                .then_some(character)
                .into_iter()
                .chain(escaped.into_iter().flatten())
        })
        .collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

/// Characters that reorder or hide their neighbours.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_one_short_line_that_hides_nothing() {
        assert_eq!(shown("Modèle \"7B\""), "Modèle \"7B\"");
        assert_eq!(shown("a\nb\u{1b}[31m"), r"a\u{a}b\u{1b}[31m");
        assert_eq!(shown("a\u{202e}b"), r"a\u{202e}b");
        assert_eq!(shown(&"x".repeat(500)).chars().count(), MOST + 1);
    }
}
