//! The profiler's counters, from the table that `ncu --csv` writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How long a launch took, by the name of its counter.
pub(crate) const DURATION: &str = "gpu__time_duration.sum";

/// The launch that took longest: the others are the self-test's, or smaller.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) kernel: String,
    /// How many launches were profiled.
    pub(crate) launches: usize,
    pub(crate) counters: BTreeMap<String, Counter>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counter {
    pub(crate) value: f64,
    pub(crate) unit: String,
}

impl Profile {
    /// Reads the table; `None` if no launch is in it.
    pub(crate) fn parse(csv: &str) -> Option<Self> {
        let mut rows = csv.lines().filter(|line| line.starts_with('"')).map(fields);
        let head = rows.next()?;
        let column = |name: &str| head.iter().position(|found| found == name);
        let (id, kernel) = (column("ID")?, column("Kernel Name")?);
        let (name, unit) = (column("Metric Name")?, column("Metric Unit")?);
        let value = column("Metric Value")?;

        let mut launches: BTreeMap<String, Self> = BTreeMap::new();
        for row in rows {
            let field = |column: usize| row.get(column).map(String::as_str);
            let (Some(id), Some(kernel), Some(name)) = (field(id), field(kernel), field(name))
            else {
                continue;
            };
            // Thousands are set apart; a counter that couldn't be read says `n/a`.
            let number = field(value).and_then(|value| value.replace(',', "").parse().ok());
            let launch = launches.entry(id.to_owned()).or_insert_with(|| Self {
                kernel: kernel.to_owned(),
                launches: 0,
                counters: BTreeMap::new(),
            });
            if let Some(value) = number {
                let unit = field(unit).unwrap_or_default().to_owned();
                launch
                    .counters
                    .insert(name.to_owned(), Counter { value, unit });
            }
        }
        let count = launches.len();
        let duration = |launch: &Self| launch.value(DURATION).unwrap_or(0.0);
        let mut longest = launches
            .into_values()
            .max_by(|one, other| duration(one).total_cmp(&duration(other)))?;
        longest.launches = count;
        Some(longest)
    }

    pub(crate) fn value(&self, counter: &str) -> Option<f64> {
        self.counters.get(counter).map(|counter| counter.value)
    }
}

/// The fields of a row in which every field is quoted.
fn fields(row: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = row.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                push(&mut fields, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => push(&mut fields, letter),
        }
    }
    fields
}

fn push(fields: &mut [String], letter: char) {
    if let Some(field) = fields.last_mut() {
        field.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = r#"==PROF== Connected to process 7
"ID","Process ID","Host Name","Kernel Name","Metric Name","Metric Unit","Metric Value"
"0","7","box","hash(Args, int)","gpu__time_duration.sum","ns","90,000"
"0","7","box","hash(Args, int)","sm__inst_executed_pipe_alu.avg","%","5.00"
"1","7","box","hash(Args, int)","gpu__time_duration.sum","ns","4,500,000.5"
"1","7","box","hash(Args, int)","sm__inst_executed_pipe_alu.avg","%","88.25"
"1","7","box","hash(Args, int)","sm__inst_executed_pipe_fma.avg","%","n/a"
==PROF== Disconnected
"#;

    #[test]
    fn the_longest_launch_is_taken() {
        let profile = Profile::parse(CSV).unwrap();

        assert_eq!(profile.kernel, "hash(Args, int)");
        assert_eq!(profile.launches, 2);
        assert_eq!(profile.value(DURATION), Some(4_500_000.5));
        assert_eq!(profile.value("sm__inst_executed_pipe_alu.avg"), Some(88.25));
    }

    #[test]
    fn a_counter_that_was_not_read_is_absent() {
        let profile = Profile::parse(CSV).unwrap();

        assert_eq!(profile.value("sm__inst_executed_pipe_fma.avg"), None);
    }

    #[test]
    fn a_table_without_launches_is_no_profile() {
        let refused = "==ERROR== no permission to read the counters\n";

        assert_eq!(Profile::parse(refused), None);
        assert_eq!(Profile::parse(""), None);
    }
}
