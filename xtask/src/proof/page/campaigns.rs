//! Work that looks for what tests miss.

use maud::{Markup, html};

use super::index::Index;
use super::parts::mark;
use crate::proof::model::{Bundle, Campaign};

pub(super) fn section(bundle: &Bundle, _: &Index<'_>) -> Markup {
    html! {
        section id="campaigns" aria-labelledby="campaigns-title" {
            h2 id="campaigns-title" { "Beyond the tests" }
            p { "Changing the code, the input and the bits on purpose, to see whether anything notices." }
            @if bundle.campaigns.is_empty() {
                p.nothing { "Nothing of the kind was run." }
            } @else {
                ul.cards { @for campaign in &bundle.campaigns { (card(campaign)) } }
            }
        }
    }
}

fn card(campaign: &Campaign) -> Markup {
    html! {
        li {
            h3 { (campaign.title) }
            p.outcome { (mark(campaign.outcome)) }
            @if let Some(why) = &campaign.why { p.wrap { (why) } }
            @if !campaign.facts.is_empty() {
                dl {
                    @for fact in &campaign.facts {
                        dt { (fact.name) }
                        dd { (fact.value) }
                    }
                }
            }
            @if let Some(file) = &campaign.file { p.muted { "From " code { (file) } } }
        }
    }
}
