//! The controls over a list. They are hidden until the script that answers them runs.

use maud::{Markup, html};

pub(super) struct Filter<'a> {
    /// Before its values in the page's address.
    pub(super) key: &'a str,
    /// The anchor of the region that it filters.
    pub(super) region: &'a str,
    /// What its rows are.
    pub(super) things: &'a str,
    /// What one may search for.
    pub(super) search: &'a str,
    pub(super) choices: Vec<Choice>,
}

/// A list to choose from.
pub(super) struct Choice {
    /// The attribute `data-…` of the rows.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// Values and what they are called.
    pub(super) options: Vec<(String, String)>,
}

impl Filter<'_> {
    pub(super) fn controls(&self) -> Markup {
        html! {
            search.filter aria-label={ "Filter the " (self.things) } hidden
                data-filter=(self.key) data-region=(self.region) data-things=(self.things) {
                label.grow { "Search"
                    input type="search" name="q" placeholder=(self.search) autocomplete="off" spellcheck="false";
                }
                @for choice in &self.choices {
                    label { (choice.label)
                        select name=(choice.name) {
                            option value="" { "all" }
                            @for (value, name) in &choice.options {
                                option value=(value) { (name) }
                            }
                        }
                    }
                }
                button type="button" { "Show all" }
                p.count role="status" aria-live="polite" data-count {}
            }
        }
    }
}
