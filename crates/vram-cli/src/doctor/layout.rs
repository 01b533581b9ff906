//! Lines of a report: cut, or wrapped and indented.

use crate::output::FAINT;
use crate::shown::shown;

/// The text in lines of at most `width` characters, broken between words where that is possible.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        let used = length(&line);
        if used > 0 && used.saturating_add(1).saturating_add(length(&word)) <= width {
            line.push(' ');
            line.push_str(&word);
            continue;
        }
        if used > 0 {
            lines.push(std::mem::take(&mut line));
        }
        while length(&word) > width {
            let rest = word.chars().skip(width).collect();
            lines.push(word.chars().take(width).collect());
            word = rest;
        }
        line = word;
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// The text if it fits, or its beginning and an ellipsis.
pub(super) fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let kept = text.chars().take(width.saturating_sub(1));
    let kept: String = kept.collect();
    format!("{}…", kept.trim_end())
}

/// The text, and blanks up to `width`.
pub(super) fn padded(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(length(text));
    format!("{text}{}", " ".repeat(blanks))
}

/// Writes a label and a value that is wrapped beside it, both indented.
pub(super) fn labelled(text: &mut String, indent: usize, label: &str, value: &str, width: usize) {
    const LABEL_WIDTH: usize = 8;
    let margin = indent.saturating_add(LABEL_WIDTH);
    let mut label = label;
    for line in wrap(&shown(value), width.saturating_sub(margin)) {
        let blanks = " ".repeat(LABEL_WIDTH.saturating_sub(length(label)));
        let margin = " ".repeat(indent);
        text.push_str(&format!("{margin}{FAINT}{label}{FAINT:#}{blanks}{line}\n"));
        label = "";
    }
}

pub(super) fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("one two", 7), ["one two"]);
    }

    #[test]
    fn a_word_longer_than_a_line_is_broken_and_nothing_of_it_is_lost() {
        assert_eq!(
            wrap("a /very/long/path b", 6),
            ["a", "/very/", "long/p", "ath b"]
        );
    }

    #[test]
    fn no_text_is_one_empty_line() {
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn what_is_cut_says_so_and_has_the_width_asked_for() {
        assert_eq!(cut("INTEGRATED 0", 12), "INTEGRATED 0");
        assert_eq!(cut("INTEGRATED 0", 5), "INTE…");
    }

    #[test]
    fn a_value_is_wrapped_beside_its_label() {
        let mut text = String::new();

        labelled(&mut text, 2, "fix", "turn it off", 18);

        let plain = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(plain, "  fix     turn it\n          off\n");
    }
}
