//! Text from outside, made fit for a terminal.

/// Escapes what would move the cursor, change colours or turn the direction of writing: a file's
/// name does not get to draw on the screen.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if misleads(character) {
            shown.extend(character.escape_debug());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Control characters, line and paragraph separators, and those that change the direction.
fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_of_any_language_is_left_alone() {
        for text in ["model.safetensors", r"C:\models", "weights 重み ‘x’ é"] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn what_would_draw_on_the_screen_is_escaped() {
        assert_eq!(shown("a\u{1b}[2Jb\r\n"), r"a\u{1b}[2Jb\r\n");
        assert_eq!(shown("\u{202e}gpj.exe"), r"\u{202e}gpj.exe");
        assert_eq!(shown("\u{9b}31m"), r"\u{9b}31m");
    }
}
