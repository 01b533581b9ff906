//! The sections that `run.sh` writes into a text file: a heading, a program's output, how it ended.

const MARK: &str = "##### ";

/// A program's output under its heading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section<'a> {
    pub(crate) title: &'a str,
    pub(crate) lines: Vec<&'a str>,
    /// The exit status and how many seconds it took; `None` if the run was cut short.
    pub(crate) end: Option<(i32, u64)>,
}

/// The sections of a file. Where a stage was run again, the last of that title counts.
pub(crate) fn sections(text: &str) -> Vec<Section<'_>> {
    let mut found: Vec<Section<'_>> = Vec::new();
    for line in text.lines() {
        let marked = line.strip_prefix(MARK);
        let end = marked.and_then(parse_end);
        match (marked, end, found.last_mut()) {
            (Some(_), Some(end), Some(section)) => section.end = Some(end),
            (Some(title), None, _) => {
                found.retain(|section| section.title != title);
                found.push(Section {
                    title,
                    lines: Vec::new(),
                    end: None,
                });
            }
            (None, _, Some(section)) => section.lines.push(line),
            _ => {}
        }
    }
    found
}

fn parse_end(line: &str) -> Option<(i32, u64)> {
    let (status, seconds) = line.strip_prefix("exit status ")?.split_once(" after ")?;
    let seconds = seconds.strip_suffix(" s")?;
    Some((status.parse().ok()?, seconds.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_its_lines_and_its_end() {
        let text =
            "\n##### one\nsaid\nmore\n##### exit status 3 after 12 s\n\n##### two\nstarted\n";

        let found = sections(text);

        assert_eq!(found[0].title, "one");
        assert_eq!(found[0].end, Some((3, 12)));
        assert_eq!(found[0].lines[..2], ["said", "more"]);
        assert_eq!(found[1].end, None, "cut short");
        assert_eq!(found[1].lines, ["started"]);
    }

    #[test]
    fn a_stage_that_was_run_again_counts_once() {
        let text = "##### one\nold\n##### exit status 1 after 1 s\n##### one\nnew\n";

        let found = sections(text);

        assert_eq!(found.len(), 1);
        assert_eq!(found[0].lines, ["new"]);
    }
}
