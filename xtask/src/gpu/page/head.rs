//! Which run it is, and what it came to.

use super::markdown::{Page, link_text};
use super::number::number;
use super::suites;
use crate::gpu::bench::{Figure, Verdict};
use crate::gpu::results::Results;

pub(super) fn origin(page: &mut Page, results: &Results) {
    page.paragraph(&format!(
        "Commit {}. Everything is in [results.json](results.json).",
        results.commit
    ));
    if results.dirty {
        page.paragraph("**The source differed from that commit.**");
    }
    if results.collected_elsewhere {
        page.paragraph("**This page was made from the tree of another commit.**");
    }
    if results.bench.is_quick() {
        page.paragraph("**A quick run, on little data: no measure of speed.**");
    }
}

pub(super) fn headline(page: &mut Page, results: &Results) {
    let judged: Vec<_> = results.bench.figures.iter().map(Figure::judged).collect();
    let count = |wanted| judged.iter().filter(|verdict| **verdict == wanted).count();
    let (aim, must, missed) = (
        count(Verdict::Aim),
        count(Verdict::Must),
        count(Verdict::Missed),
    );
    page.paragraph(&format!(
        "{} figures: {aim} reach what they aim for, {must} what they must, {missed} missed it, \
         {} have no target.",
        judged.len(),
        count(Verdict::NoTarget),
    ));
    page.line("");
    for peer in &results.bench.peers {
        if let (Some(ratio), Some(figure)) = (peer.ratio, results.bench.figure(&peer.compared_with))
        {
            page.line(&format!(
                "- {}: {} {}, {} times the {} {} of: {}",
                link_text(&figure.title),
                number(figure.value),
                figure.unit,
                number(ratio),
                number(peer.value),
                peer.unit,
                link_text(&peer.title),
            ));
        }
    }
    for suite in &results.suites {
        page.line(&format!("- {}: {}", suite.title, suites::summary(suite)));
    }
    if !results.sanitizers.is_empty() {
        let all = results.sanitizers.len();
        let clean = results.sanitizers.iter().filter(|found| found.is_clean());
        page.line(&format!(
            "- compute-sanitizer: {} of {all} tools found nothing.",
            clean.count()
        ));
    }
}
