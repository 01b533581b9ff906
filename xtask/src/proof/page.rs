//! `index.html` of a bundle: one file that needs no network and no script to be read.
//!
//! Everything is written here, from the model and nothing else; the script only hides and sorts rows. What the
//! page may load is closed by a policy in its head that names its one style and its one script by their hashes.

use base64ct::{Base64, Encoding as _};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::model::Bundle;
use index::Index;

mod benchmarks;
mod campaigns;
mod catalogue;
mod coverage;
mod filter;
mod flags;
mod head;
mod index;
mod parts;
mod results;
mod run;
mod scenarios;
mod summary;
#[cfg(test)]
mod tests;
mod verdict;
mod words;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/behaviour.js");

/// The page of a bundle.
pub(crate) fn render(bundle: &Bundle) -> anyhow::Result<String> {
    let index = Index::new(bundle);
    let style = format!("{STYLE}{}", running_head(&bundle.run.id));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(&style));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (verdict::word(bundle)) ": proof bundle " (bundle.run.id) }
                style { (PreEscaped(&style)) }
            }
            body {
                a.skip href="#results" { "Skip to the results" }
                (head::head(bundle))
                div.frame.body {
                    (contents())
                    main id="results" tabindex="-1" {
                        @for part in &PARTS { ((part.body)(bundle, &index)) }
                    }
                }
                (foot(bundle))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}

/// A section of the page.
struct Part {
    anchor: &'static str,
    name: &'static str,
    body: fn(&Bundle, &Index<'_>) -> Markup,
}

/// In the order in which they stand.
static PARTS: [Part; 9] = [
    Part {
        anchor: "summary",
        name: "Summary",
        body: summary::section,
    },
    Part {
        anchor: "requirements",
        name: "Requirements",
        body: catalogue::requirements,
    },
    Part {
        anchor: "vulnerabilities",
        name: "Vulnerabilities",
        body: catalogue::vulnerabilities,
    },
    Part {
        anchor: "scenarios",
        name: "Scenarios",
        body: scenarios::section,
    },
    Part {
        anchor: "tests",
        name: "Test results",
        body: results::section,
    },
    Part {
        anchor: "coverage",
        name: "Code coverage",
        body: coverage::section,
    },
    Part {
        anchor: "benchmarks",
        name: "Benchmarks",
        body: benchmarks::section,
    },
    Part {
        anchor: "campaigns",
        name: "Beyond the tests",
        body: campaigns::section,
    },
    Part {
        anchor: "run",
        name: "The run",
        body: run::section,
    },
];

fn contents() -> Markup {
    html! {
        nav.contents aria-labelledby="contents" {
            h2 id="contents" { "On this page" }
            ol {
                @for part in &PARTS {
                    li { a href={ "#" (part.anchor) } { (part.name) } }
                }
                li { a href="#verify" { "Check it yourself" } }
            }
        }
    }
}

fn foot(bundle: &Bundle) -> Markup {
    html! {
        footer {
            div.frame {
                "Written by " code { "cargo xtask proof-bundle" } " from the data of run " (bundle.run.id)
                " and from nothing else."
            }
        }
    }
}

/// What stands at the head of each sheet of paper. Characters that could end a string of CSS are left out.
fn running_head(id: &str) -> String {
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '-';
    let id: String = id.chars().filter(plain).collect();
    format!(
        "\n@page {{\n  @top-left {{ content: \"Proof bundle {id}\"; font: 8pt system-ui, sans-serif; color: #5c5953; }}\n  \
         @bottom-right {{ content: counter(page) \" of \" counter(pages); font: 8pt system-ui, sans-serif; color: #5c5953; }}\n}}\n"
    )
}

/// Nothing is loaded from anywhere; of styles and scripts, these two.
fn policy(style: &str) -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(SCRIPT)
    )
}

fn hash(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    format!("sha256-{}", Base64::encode_string(digest.as_ref()))
}
