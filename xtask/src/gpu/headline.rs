//! `cargo xtask gpu headline`: the newest run's main figures, in a marked block of the README.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::bench::{Bench, Figure};
use super::page::{link_text, number};
use super::results::Results;
use crate::process;

/// Where the pages are, within the workspace.
pub(crate) const BENCHMARKS: &str = "docs/benchmarks";
const BEGIN: &str = "<!-- headline:begin -->";
const END: &str = "<!-- headline:end -->";
const RENEW: &str = "cargo xtask gpu headline";
/// The figures shown, by id; where a run has few of them, its first ones follow.
const SHOWN: &[&str] = &[
    "verify-large",
    "verify-64m",
    "verify-all-1000x1m",
    "verify-card",
    "seal-both-16",
    "seal-trusted-1",
];
const LIMIT: usize = 6;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail if the README is stale, and change nothing.
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let workspace = process::workspace();
    let readme = workspace.join("README.md");
    let text = std::fs::read_to_string(&readme).context("README.md")?;
    let fresh = renewed(&text, &workspace.join(BENCHMARKS))?;
    process::write_or_check(&readme, &fresh, options.check, RENEW)
}

/// The README with the block of the newest results; an empty block where there are none.
fn renewed(readme: &str, benchmarks: &Path) -> anyhow::Result<String> {
    let block = Results::newest(benchmarks)?.map_or_else(String::new, |(folder, results)| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        block(&results, &format!("{BENCHMARKS}/{name}/README.md"))
    });
    let (before, rest) = readme
        .split_once(BEGIN)
        .with_context(|| format!("README.md has no line {BEGIN}"))?;
    let Some((_, after)) = rest.split_once(END) else {
        bail!("README.md has no line {END}");
    };
    Ok(format!("{before}{BEGIN}\n{block}{END}{after}"))
}

fn block(results: &Results, page: &str) -> String {
    let bench = &results.bench;
    let mut text = format!(
        "Measured on one {} on {}, beside a ceiling: what the machine itself did in the same run.\n\n\
         | | measured | ceiling | part of it | target |\n| --- | --- | --- | --- | --- |\n",
        link_text(&results.gpu),
        results.date
    );
    for figure in shown(bench) {
        let ceiling = bench.ceiling(figure.ceiling.as_deref());
        text += &format!(
            "| {} | {} {} | {} | {} | {} |\n",
            link_text(&figure.title),
            number(figure.value),
            figure.unit,
            ceiling.map_or_else(String::new, |ceiling| format!(
                "{} {}",
                number(ceiling.value),
                ceiling.unit
            )),
            figure
                .of_ceiling
                .map_or_else(String::new, |part| format!("{} %", number(part * 100.0))),
            figure.judged().shown(),
        );
    }
    text += &peers(bench);
    text + &format!(
        "\n[All figures, targets and tests of that run]({page}), at commit {:.12}{}.\n",
        results.commit,
        if results.dirty { ", with changes" } else { "" },
    )
}

/// How the figures stand to what others do, the slowest of them first.
fn peers(bench: &Bench) -> String {
    let mut peers: Vec<_> = bench
        .peers
        .iter()
        .filter_map(|peer| Some((peer.ratio?, peer)))
        .collect();
    if peers.is_empty() {
        return String::new();
    }
    peers.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let mut text = "\n| the same check as others do it | measured | compared with | which is |\n\
                    | --- | --- | --- | --- |\n"
        .to_owned();
    for (ratio, peer) in peers {
        let figure = bench.figure(&peer.compared_with);
        let figure = figure.map_or(peer.compared_with.as_str(), |figure| &figure.title);
        text += &format!(
            "| {} | {} {} | {} | {} times as fast |\n",
            link_text(&peer.title),
            number(peer.value),
            peer.unit,
            link_text(figure),
            number(ratio),
        );
    }
    text
}

fn shown(bench: &Bench) -> Vec<&Figure> {
    let mut shown: Vec<&Figure> = SHOWN.iter().filter_map(|id| bench.figure(id)).collect();
    for figure in &bench.figures {
        if shown.len() < 4 && !shown.iter().any(|other| other.id == figure.id) {
            shown.push(figure);
        }
    }
    shown.truncate(LIMIT);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::collect::tests::collected;

    const README: &str = "# Title\n\n<!-- headline:begin -->\n<!-- headline:end -->\n\nMore.\n";

    #[test]
    fn the_block_shows_the_newest_figures_and_links_their_page() {
        let (benchmarks, _) = collected();

        let fresh = renewed(README, benchmarks.path()).unwrap();

        assert!(
            fresh
                .contains("| Verify one large shard | 900 GB/s | 1,000 GB/s | 90 % | **missed** |")
        );
        assert!(fresh.contains("(docs/benchmarks/2026-01-31-test-9000/README.md)"));
        assert!(fresh.contains(
            "| Copy and hash | 0.45 GB/s | Verify one large shard | 2,000 times as fast |"
        ));
        assert!(fresh.starts_with("# Title\n") && fresh.ends_with("\n\nMore.\n"));
    }

    #[test]
    fn a_fresh_readme_stays_as_it_is() {
        let (benchmarks, _) = collected();
        let fresh = renewed(README, benchmarks.path()).unwrap();

        assert_eq!(renewed(&fresh, benchmarks.path()).unwrap(), fresh);
    }

    #[test]
    fn a_figure_that_changed_makes_the_readme_stale() {
        let (benchmarks, page) = collected();
        let fresh = renewed(README, benchmarks.path()).unwrap();
        let file = page.join(crate::gpu::results::FILE);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("900.0", "901.0")).unwrap();

        assert_ne!(renewed(&fresh, benchmarks.path()).unwrap(), fresh);
    }

    #[test]
    fn without_results_the_block_is_empty() {
        let nothing = tempfile::tempdir().unwrap();

        assert_eq!(renewed(README, nothing.path()).unwrap(), README);
    }

    #[test]
    fn a_readme_without_the_marks_is_refused() {
        let nothing = tempfile::tempdir().unwrap();

        let refusal = renewed("# Title\n", nothing.path()).unwrap_err();

        assert_eq!(
            refusal.to_string(),
            "README.md has no line <!-- headline:begin -->"
        );
    }
}
