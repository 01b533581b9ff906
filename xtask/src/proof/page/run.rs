//! The stages of the run, what it ran on, and how to check the bundle.

use maud::{Markup, html};

use super::index::Index;
use super::parts::{date, mark, scroll};
use super::words::{Said, Say};
use crate::proof::figures::{count, seconds};
use crate::proof::model::{Bundle, DataFile, Environment, GpuRun, GpuSuite, Stage, StageOutcome};

pub(super) fn section(bundle: &Bundle, _: &Index<'_>) -> Markup {
    html! {
        section id="run" aria-labelledby="run-title" {
            h2 id="run-title" { "The run" }
            p { "What was done, in this order, and how long each part took." }
            (stages("Stages of this run", &bundle.run.stages))
            @if let Some(run) = &bundle.gpu_run { (elsewhere(run)) }
            h3 { "What it ran on" }
            (environment(&bundle.environment))
        }
        (verify(bundle))
    }
}

fn stages(caption: &str, stages: &[Stage]) -> Markup {
    let time: f64 = stages.iter().map(|stage| stage.seconds).sum();
    let table = html! {
        table {
            caption { (caption) }
            thead {
                tr {
                    th scope="col" { "Stage" }
                    th scope="col" { "Outcome" }
                    th scope="col" { "Why" }
                    th.number scope="col" { "Time" }
                }
            }
            tbody {
                @for stage in stages {
                    tr {
                        th scope="row" { (stage.name) }
                        td.status { (mark(stage.outcome)) }
                        td.wrap.why { (stage.why.as_deref().unwrap_or_default()) }
                        td.number {
                            @if stage.outcome == StageOutcome::Skipped { "–" } @else { (seconds(stage.seconds)) }
                        }
                    }
                }
            }
            tfoot {
                tr { th scope="row" { "All" } td {} td {} td.number { (seconds(time)) } }
            }
        }
    };
    scroll(caption, table)
}

fn elsewhere(run: &GpuRun) -> Markup {
    let table = html! {
        table {
            caption { "Test programs of the run on the GPU" }
            thead {
                tr {
                    th scope="col" { "Program" }
                    th scope="col" { "Outcome" }
                    th scope="col" { "Exit status" }
                    th.number scope="col" { "Never reported" }
                }
            }
            tbody {
                @for suite in &run.suites {
                    tr {
                        th scope="row" { (suite.title) }
                        td.status { (mark(Ended::of(suite))) }
                        td { @match suite.status { Some(status) => { (status) }, None => { "cut short" } } }
                        td.number { (count(suite.unfinished)) }
                    }
                }
            }
        }
    };
    html! {
        h3 { "The run on a GPU that was merged in" }
        dl.facts {
            div { dt { "GPU" } dd { (run.gpu.name) } }
            div { dt { "Driver" } dd { (run.gpu.driver) } }
            div { dt { "Begun" } dd { (date(&run.date)) } }
            div {
                dt { "Commit" }
                dd {
                    code { (run.commit) }
                    @if run.dirty { " with changes" }
                    @if run.other_commit { ", another than this run's" }
                }
            }
            @if let Some(system) = &run.system { div { dt { "System" } dd { (system) } } }
            @if let Some(cpu) = &run.cpu { div { dt { "Processor" } dd { (cpu) } } }
        }
        @if !run.stages.is_empty() { (stages("Stages of the run on the GPU", &run.stages)) }
        @if !run.suites.is_empty() { (scroll("Test programs of the run on the GPU", table)) }
    }
}

/// How a test program ended.
struct Ended(StageOutcome);

impl Ended {
    fn of(suite: &GpuSuite) -> Self {
        Self(if suite.status == Some(0) && suite.unfinished == 0 {
            StageOutcome::Passed
        } else {
            StageOutcome::Failed
        })
    }
}

impl Say for Ended {
    fn said(self) -> Said {
        self.0.said()
    }

    fn key(self) -> &'static str {
        self.0.key()
    }
}

fn environment(environment: &Environment) -> Markup {
    let fact = |name: &str, value: Option<String>| {
        html! {
            @if let Some(value) = value { div { dt { (name) } dd { (value) } } }
        }
    };
    let gpu = environment
        .gpu
        .as_ref()
        .map(|gpu| format!("{}, driver {}", gpu.name, gpu.driver));
    html! {
        dl.facts {
            (fact("GPU", Some(gpu.unwrap_or_else(|| "none: the simulated driver".to_owned()))))
            (fact("Processor", environment.cpu.clone()))
            (fact("Cores", environment.cores.map(count)))
            (fact("Memory", environment.memory.map(memory)))
            (fact("Architecture", Some(environment.architecture.clone())))
            (fact("System", environment.system.clone()))
            (fact("Kernel", environment.kernel.clone()))
            (fact("Compiler", Some(environment.rustc.clone())))
            (fact("Cargo", Some(environment.cargo.clone())))
            @for (tool, version) in &environment.tools { (fact(tool, Some(version.clone()))) }
        }
    }
}

/// In whole GiB, rounded down.
fn memory(bytes: u64) -> String {
    format!("{} GiB", count(bytes.checked_shr(30).unwrap_or_default()))
}

fn verify(bundle: &Bundle) -> Markup {
    let signer = &bundle.run.signer;
    html! {
        section id="verify" aria-labelledby="verify-title" {
            h2 id="verify-title" { "Check it yourself" }
            p {
                "In a clone of the source at this commit, given the folder that this page lies in:"
            }
            pre.command tabindex="0" {
                "git checkout " (bundle.run.commit) "\n"
                "cargo xtask proof-bundle --verify path/to/" (bundle.run.id)
            }
            p {
                "It hashes every file again, checks the signature of the manifest, takes " code { "results.ndjson" }
                " again from what the test runners wrote, computes every status again from that, writes the pages "
                "again, compares these and the results byte for byte, and names what does not add up. "
                @if bundle.run.dirty {
                    "As the source had changes, its copies of the catalogue, the scenarios, the lock file and "
                    "nextest's settings are compared with no commit. "
                } @else {
                    "The catalogue, the scenarios, the lock file and nextest's settings are compared with the commit. "
                }
                "It needs no secret."
            }
            p {
                "It runs no test. What the test runners wrote, and what is said of the stages, the machine, coverage, "
                "benchmarks and reports, is the word of whoever signed."
            }
            p {
                "The signature shows that nothing was changed since this key signed, and not whose key it is: whoever "
                "changes a bundle can sign it anew with another. Who signed is shown by "
                code { "--key" } " with a public key that you have from elsewhere."
            }
            dl.facts {
                div { dt { "Signed by the key with SHA-256" } dd { code { (signer.key_id) } } }
                div {
                    dt { "By the maker's own word" }
                    dd {
                        @if signer.given {
                            "the key was given to the run. Nothing here can show it."
                        } @else {
                            "the key was made for the run and not kept. Nothing here can show it."
                        }
                    }
                }
            }
            h3 { "Files" }
            p {
                "What this page was computed from. The pages themselves and all of these stand in "
                code { "manifest.json" } ", whose hash is signed with the commit and what each test came to."
            }
            (files(&bundle.files))
        }
    }
}

fn files(files: &[DataFile]) -> Markup {
    let table = html! {
        table.stacked {
            caption.hidden-text { "Data files" }
            thead {
                tr {
                    th scope="col" { "File" }
                    th.number scope="col" { "Bytes" }
                    th scope="col" { "SHA-256" }
                }
            }
            tbody {
                @for file in files {
                    tr {
                        th.wide scope="row" { code { (file.name) } }
                        td.number data-head="Bytes" { (count(file.bytes)) }
                        td.wide { code { (file.sha256) } }
                    }
                }
            }
        }
    };
    scroll("Data files", table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::fixture;

    fn shown(change: impl FnOnce(&mut Bundle)) -> String {
        let mut bundle = fixture::bundle();
        change(&mut bundle);
        verify(&bundle).into_string()
    }

    #[test]
    fn where_the_key_is_from_is_said_to_be_the_maker_s_own_word() {
        for (given, said) in [
            (true, "the key was given to the run."),
            (false, "the key was made for the run and not kept."),
        ] {
            let page = shown(|bundle| bundle.run.signer.given = given);

            let (_, word) = page.split_once("By the maker's own word").unwrap();
            assert!(
                word.contains(&format!("{said} Nothing here can show it.")),
                "{page}"
            );
        }
    }

    #[test]
    fn copies_of_changed_source_are_not_said_to_be_compared_with_the_commit() {
        let clean = shown(|bundle| bundle.run.dirty = false);
        let changed = shown(|bundle| bundle.run.dirty = true);

        assert!(clean.contains("are compared with the commit."), "{clean}");
        assert!(
            changed.contains("are compared with no commit."),
            "{changed}"
        );
    }
}
