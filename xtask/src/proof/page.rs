//! `index.html`.

use super::model::Bundle;

/// The page.
pub(crate) fn render(bundle: &Bundle) -> anyhow::Result<String> {
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Proof bundle {}</title>\n<p>{}</p>\n",
        bundle.run.id,
        bundle.conclusion.verdict.shown()
    ))
}
