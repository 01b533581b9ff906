//! Text from a file, made fit for an error message.

/// Characters of a file's text that a message shows.
const SHOWN: usize = 80;

/// Escapes control characters and quotes, and cuts what is long: a file does not get to write a
/// terminal's control sequences or a hundred megabytes into a log.
pub(super) fn shown(text: &str) -> String {
    let mut characters = text.chars();
    let mut shown: String = characters
        .by_ref()
        .take(SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_shown_as_it_is() {
        assert_eq!(shown("model.layers.0.weight"), "model.layers.0.weight");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(shown("a\u{1b}[2J\n\0"), r"a\u{1b}[2J\n\0");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(shown(&"x".repeat(1_000_000)).chars().count(), SHOWN + 1);
        assert_eq!(shown(&"x".repeat(SHOWN)).chars().count(), SHOWN);
    }
}
