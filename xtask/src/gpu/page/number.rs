//! Figures as a person reads them.

/// A value in three digits, or all digits of a larger one, in groups of three.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        magnitude if magnitude >= 100.0 => 0,
        magnitude if magnitude >= 10.0 => 1,
        magnitude if magnitude >= 1.0 || magnitude == 0.0 => 2,
        magnitude if magnitude >= 0.1 => 3,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let part = part.trim_end_matches('0');
    let (sign, digits) = whole
        .strip_prefix('-')
        .map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let point = if part.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{point}{part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_or_groups_of_them() {
        let cases = [
            (932.4, "932"),
            (1_234_567.0, "1,234,567"),
            (54.63, "54.6"),
            (1.5, "1.5"),
            (0.333, "0.333"),
            (0.0421, "0.0421"),
            (0.0, "0"),
            (-1000.0, "-1,000"),
            (100.0, "100"),
            (99.96, "100"),
        ];
        for (value, shown) in cases {
            assert_eq!(number(value), shown, "{value}");
        }
    }
}
