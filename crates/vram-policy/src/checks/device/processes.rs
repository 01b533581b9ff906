//! Lists of the processes that use a card.

use crate::clause::{Clause, shown};
use crate::facts::ProcessFacts;

/// A clause that wants none of these processes, and shows each and what it holds.
pub(super) fn listed(
    attribute: &'static str,
    processes: Option<&[ProcessFacts]>,
    which: impl Fn(&ProcessFacts) -> bool,
) -> Clause {
    let found: Option<Vec<&ProcessFacts>> =
        processes.map(|all| all.iter().filter(|process| which(process)).collect());
    Clause::that(
        attribute,
        found,
        "none",
        |found| found.is_empty(),
        |found| match &found[..] {
            [] => "none".to_owned(),
            found => {
                let each: Vec<String> = found.iter().map(|process| line(process)).collect();
                each.join("; ")
            }
        },
    )
}

fn line(process: &ProcessFacts) -> String {
    let ProcessFacts {
        pid,
        name,
        bytes,
        kind,
        ours,
    } = process;
    let name = name
        .as_deref()
        .map_or_else(String::new, |name| format!(" {}", shown(name)));
    let ours = if *ours { ", this process" } else { "" };
    let held = match bytes {
        Some(bytes) => format!("{bytes} bytes"),
        None => "an unknown amount".to_owned(),
    };
    format!("pid {pid}{name} ({kind}{ours}) holds {held}")
}
