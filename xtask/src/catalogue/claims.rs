//! The line by which a test claims rows: `Covers: FN-2.1, EX-1.1.`, the last of its doc comment.

use std::collections::BTreeSet;

use syn::{Attribute, Expr, Lit, Meta};

const BEGINNING: &str = "Covers:";

/// The doc comment of an item, line by line.
fn doc_lines(attributes: &[Attribute]) -> Vec<String> {
    let texts = attributes.iter().filter_map(doc_text);
    texts
        .flat_map(|text| {
            text.lines()
                .map(|line| line.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .filter(|line| !line.is_empty())
        .collect()
}

/// What a `///` comment or a `#[doc = "…"]` says.
pub(super) fn doc_text(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    let Expr::Lit(literal) = &pair.value else {
        return None;
    };
    match &literal.lit {
        Lit::Str(text) if pair.path.is_ident("doc") => Some(text.value()),
        _ => None,
    }
}

/// How many lines of a text begin as a claim does.
pub(super) fn lines_that_claim(text: &str) -> usize {
    let lines = text.lines().map(str::trim_start);
    lines.filter(|line| line.starts_with(BEGINNING)).count()
}

/// How many lines of an item's doc comment begin as a claim does.
pub(super) fn in_attributes(attributes: &[Attribute]) -> usize {
    let texts = attributes.iter().filter_map(doc_text);
    texts.map(|text| lines_that_claim(&text)).sum()
}

/// The rows that a doc comment claims. An error says what is wrong with the claim.
pub(super) fn of(attributes: &[Attribute]) -> Result<Vec<String>, String> {
    let lines = doc_lines(attributes);
    let Some(position) = lines.iter().position(|line| line.starts_with(BEGINNING)) else {
        return Ok(Vec::new());
    };
    let claim = lines.get(position).map(String::as_str).unwrap_or_default();
    if position.saturating_add(1) != lines.len() {
        return Err(format!("`{claim}` is not the last line of the doc comment"));
    }
    rows(claim).ok_or_else(|| {
        format!("`{claim}` names no rows: write it as `{BEGINNING} FN-2.1, EX-1.1.`, each row once")
    })
}

fn rows(claim: &str) -> Option<Vec<String>> {
    let list = claim
        .strip_prefix(BEGINNING)?
        .strip_prefix(' ')?
        .strip_suffix('.')?;
    let rows: Vec<&str> = list.split(", ").collect();
    let distinct: BTreeSet<_> = rows.iter().collect();
    let whole = distinct.len() == rows.len() && rows.iter().all(|row| is_row_id(row));
    whole.then(|| rows.into_iter().map(str::to_owned).collect())
}

/// Whether a word is built as a row's id is: two capital letters, a hyphen, digits, perhaps with full stops.
pub(super) fn is_row_id(word: &str) -> bool {
    let Some((letters, number)) = word.split_once('-') else {
        return false;
    };
    let parts = || number.split('.');
    letters.len() == 2
        && letters.bytes().all(|letter| letter.is_ascii_uppercase())
        && parts().all(|part| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use syn::ItemFn;

    use super::*;

    fn claim(source: &str) -> Result<Vec<String>, String> {
        let item: ItemFn = syn::parse_str(source).unwrap();
        of(&item.attrs)
    }

    #[test]
    fn a_claim_is_the_last_line_of_a_doc_comment() {
        assert_eq!(
            claim("/// Why.\n///\n/// Covers: FN-2.1, VU-7.\nfn x() {}").unwrap(),
            ["FN-2.1", "VU-7"]
        );
        assert_eq!(
            claim("/** Why.\n * \n */\n#[doc = \"Covers: MS-006.\"]\nfn x() {}").unwrap(),
            ["MS-006"]
        );
        assert_eq!(
            claim("/// Covers what is left.\nfn x() {}").unwrap(),
            [""; 0]
        );

        let problem = claim("/// Covers: FN-2.1.\n/// More.\nfn x() {}").unwrap_err();
        assert!(problem.contains("not the last line"), "{problem}");
    }

    #[test]
    fn a_comment_that_is_no_documentation_claims_nothing() {
        assert_eq!(claim("// Covers: FN-2.1.\nfn x() {}").unwrap(), [""; 0]);
        assert_eq!(claim("/* Covers: FN-2.1. */\nfn x() {}").unwrap(), [""; 0]);
    }

    #[test]
    fn a_claim_that_cannot_be_read_is_an_error_that_says_how_to_write_it() {
        for wrong in [
            "FN-2.1",
            "FN-2.1,EX-1.1.",
            "FN-2.1 and EX-1.1.",
            "fn-2.1.",
            "FN-2..",
            "FN.",
            "FN-2.1, FN-2.1.",
            ".",
            "",
        ] {
            let problem = claim(&format!("/// Covers: {wrong}\nfn x() {{}}")).unwrap_err();

            assert!(
                problem.contains("Covers: FN-2.1, EX-1.1."),
                "{wrong}: {problem}"
            );
        }
    }
}
