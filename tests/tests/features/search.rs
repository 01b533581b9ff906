//! Looks for values in text, in every notation in which they could have got there.

use base64ct::{Base64, Base64Url};

/// The shortest run of a secret that counts as shown, in bytes.
const RUN: usize = 8;

/// The notations of a value, and where it begins, in which a run of it is found in the text.
pub(crate) fn bytes_in(text: &str, value: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, run) in value.windows(RUN).enumerate() {
        let listed = |separator: &str, show: fn(&u8) -> String| {
            run.iter().map(show).collect::<Vec<_>>().join(separator)
        };
        let forms = [
            ("hexadecimal", hex::encode(run)),
            ("hexadecimal capitals", hex::encode_upper(run)),
            (
                "hexadecimal list",
                listed(", ", |byte| format!("{byte:#x}")),
            ),
            ("list", listed(", ", u8::to_string)),
            ("list without blanks", listed(",", u8::to_string)),
            ("text", String::from_utf8_lossy(run).into_owned()),
            ("base64", base64::<Base64>(run)),
            ("base64 for addresses", base64::<Base64Url>(run)),
        ];
        for (notation, form) in forms {
            if text.contains(&form) {
                found.push(format!("{notation} from byte {at}"));
            }
        }
    }
    found
}

/// The characters that stand for the run alone, wherever in groups of three it begins: some window of a longer
/// value begins at a group, and its first two groups depend on nothing else.
fn base64<E: base64ct::Encoding>(run: &[u8]) -> String {
    E::encode_string(&run[..RUN / 3 * 3])
}

/// The notations in which a number is found in the text.
pub(crate) fn number_in(text: &str, number: u64) -> Vec<String> {
    let forms = [
        ("hexadecimal", format!("{number:x}")),
        ("hexadecimal capitals", format!("{number:X}")),
        ("decimal", number.to_string()),
        ("bytes, last first", hex::encode(number.to_le_bytes())),
    ];
    let found = forms.into_iter().filter(|(_, form)| text.contains(form));
    found.map(|(notation, _)| notation.to_owned()).collect()
}
