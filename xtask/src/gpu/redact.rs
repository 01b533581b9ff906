//! Takes out of a run's text what names one card or one machine: nothing of that is published.

use std::sync::LazyLock;

use regex::Regex;

/// What is taken out, and what is written instead.
static RULES: LazyLock<Result<Vec<(Regex, &str)>, regex::Error>> = LazyLock::new(|| {
    let rules = [
        // A GPU's or a MIG instance's UUID, as the driver writes it.
        (
            r"(GPU|MIG)-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
            "$1-…",
        ),
        (
            r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
            "…",
        ),
        // A place on the PCI bus.
        (
            r"\b([0-9a-fA-F]{4}|[0-9a-fA-F]{8}):[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]\b",
            "…",
        ),
        // An address, of the device or of the host.
        (r"\b0x[0-9a-fA-F]{7,16}\b", "0x…"),
        (r"([Ss]erial(?:[ _][Nn]umber)?\W{1,4})[0-9]{6,}", "$1…"),
    ];
    rules
        .into_iter()
        .map(|(pattern, instead)| Ok((Regex::new(pattern)?, instead)))
        .collect()
});

/// The text without identifiers and addresses.
pub(crate) fn redact(text: &str) -> anyhow::Result<String> {
    // Were one rule left out, its identifiers would be published.
    let rules = RULES.as_ref()?;
    Ok(rules
        .iter()
        .fold(text.to_owned(), |text, (pattern, instead)| {
            pattern.replace_all(&text, *instead).into_owned()
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_addresses_are_taken_out() {
        let text = "GPU-0a1b2c3d-0001-0002-0003-00000000abcd at 00000000:3B:00.0 \
            holds 0x7f3a00000000; Serial Number: 1234567890";

        assert_eq!(
            redact(text).unwrap(),
            "GPU-… at … holds 0x…; Serial Number: …"
        );
    }

    #[test]
    fn figures_digests_and_times_stay() {
        let text = "driver 580.159.04, 982.5 GB/s, 2026-01-02T03:04:05Z, code 0x1f, \
            35b370b4d364d2c85a75509fd9aaf87d9efabfc331ad56a8ff454d56d6e436d6";

        assert_eq!(redact(text).unwrap(), text);
    }
}
