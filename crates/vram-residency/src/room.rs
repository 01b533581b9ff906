//! Room on the device: what a model needs, what there is, and who holds the rest.

use std::fmt;

use serde::Serialize;
use vram_alloc::{Bytes, Capacity};
use vram_policy::{ManagementFacts, ProcessFacts};

use crate::Error;
use crate::manager::Manager;

/// A model, or a set of them, that doesn't fit on the device.
///
/// It prints as one sentence with all of it; the names of processes are theirs to choose and print
/// escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NoRoom {
    /// Bytes that the request takes, rounded up to the device's granularity.
    pub needed: Bytes,
    /// Bytes that could be taken now.
    pub available: Bytes,
    /// The configured budget.
    pub budget: Option<Bytes>,
    /// Whether the budget stands in the way: without it the device would have had room.
    pub over_budget: bool,
    /// Bytes that this manager's shards hold already, where the driver would say.
    pub used: Option<Bytes>,
    /// The device's memory, where the driver would say.
    pub total: Option<Bytes>,
    /// The processes that have the card open, those that hold most first. `None` where that could not
    /// be observed: [`unobserved`](Self::unobserved) then says why, where that is known.
    pub holders: Option<Vec<ProcessFacts>>,
    /// Why the processes could not be observed.
    pub unobserved: Option<String>,
}

impl NoRoom {
    /// How many processes are named in the text.
    const SHOWN: usize = 8;

    fn holders(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(holders) = &self.holders else {
            f.write_str(". Who holds the rest could not be observed")?;
            return self.unobserved.iter().try_for_each(|why| {
                let why = why.escape_debug();
                write!(f, ": {why}")
            });
        };
        if holders.is_empty() {
            return f.write_str(". No process is known to hold the rest");
        }
        f.write_str(". Held by ")?;
        for (position, holder) in holders.iter().take(Self::SHOWN).enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            let name = holder.name.as_deref().unwrap_or("a process").escape_debug();
            let ours = if holder.ours { ", this process" } else { "" };
            write!(f, "{separator}{name} (pid {}{ours}): ", holder.pid)?;
            match holder.bytes {
                Some(bytes) => write!(f, "{}", Bytes(bytes))?,
                None => f.write_str("an unknown number of bytes")?,
            }
        }
        let more = holders.len().saturating_sub(Self::SHOWN);
        if more > 0 {
            write!(f, " and {more} more")?;
        }
        Ok(())
    }
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            needed, available, ..
        } = self;
        write!(f, "{needed} needed, {available} available")?;
        if let Some(budget) = self.budget {
            write!(f, " of a budget of {budget}")?;
        }
        if let Some(total) = self.total {
            write!(f, " on a device of {total}")?;
        }
        if let Some(used) = self.used {
            write!(f, ", {used} in shards that are sealed")?;
        }
        self.holders(f)?;
        f.write_str(if self.over_budget {
            ". Drop shards, or raise the budget"
        } else {
            ". Drop shards, end other processes, or use a device with more memory"
        })
    }
}

impl Manager {
    /// Says who holds the memory, where there is too little of it.
    pub(crate) fn explain(&self, error: vram_alloc::Error) -> Error {
        let vram_alloc::Error::OutOfMemory {
            needed,
            available,
            budget: in_the_way,
        } = error
        else {
            return error.into();
        };
        // What the driver won't say now is left out: that there is no room is certain.
        let capacity = self.settings().allocator.capacity().ok();
        let (holders, unobserved) = by_bytes(self.settings().watch.management(self.device()));
        let of = |part: fn(Capacity) -> Bytes| capacity.map(part);
        Error::NoRoom(Box::new(NoRoom {
            needed,
            available,
            budget: capacity.and_then(|capacity| capacity.budget).or(in_the_way),
            over_budget: in_the_way.is_some(),
            used: of(|capacity| capacity.used),
            total: of(|capacity| capacity.total),
            holders,
            unobserved,
        }))
    }
}

/// The processes, those that hold most first; what is unknown before what is small.
fn by_bytes(facts: ManagementFacts) -> (Option<Vec<ProcessFacts>>, Option<String>) {
    let Some(mut processes) = facts.processes else {
        return (None, facts.unavailable);
    };
    processes.sort_by_key(|process| {
        let bytes = process.bytes.unwrap_or(u64::MAX);
        (std::cmp::Reverse(bytes), process.pid)
    });
    (Some(processes), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vram_policy::ProcessKind;

    /// What is said of so many processes.
    fn said(processes: u32) -> String {
        let process = |pid| ProcessFacts {
            pid,
            name: Some(format!("p{pid}")),
            bytes: None,
            kind: ProcessKind::Compute,
            ours: pid == 2,
        };
        let room = NoRoom {
            needed: Bytes(2 << 20),
            available: Bytes(0),
            budget: None,
            over_budget: false,
            used: None,
            total: None,
            holders: Some((1..=processes).map(process).collect()),
            unobserved: None,
        };
        room.to_string()
    }

    #[test]
    fn who_holds_the_rest_is_listed_up_to_eight() {
        let unknown = "an unknown number of bytes";
        let one = format!("Held by p1 (pid 1): {unknown}. Drop");
        let two =
            format!("Held by p1 (pid 1): {unknown}, p2 (pid 2, this process): {unknown}. Drop");
        let eighth = format!(", p8 (pid 8): {unknown}");
        for (processes, says) in [
            (0, "No process is known to hold the rest. Drop"),
            (1, &one),
            (2, &two),
            (8, &format!("{eighth}. Drop")),
            (9, &format!("{eighth} and 1 more. Drop")),
            (11, &format!("{eighth} and 3 more. Drop")),
        ] {
            let said = said(processes);
            assert!(said.contains(says), "{processes}: {said}");
        }
    }
}
