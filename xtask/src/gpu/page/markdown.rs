//! A page of Markdown as it is written: lines, titles, tables and images.

use crate::gpu::plots::Plot;

#[derive(Default)]
pub(super) struct Page {
    pub(super) text: String,
}

impl Page {
    pub(super) fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.line("");
        self.line(text);
    }

    pub(super) fn title(&mut self, level: usize, text: &str) {
        self.paragraph(&format!("{} {text}", "#".repeat(level)));
    }

    pub(super) fn table(&mut self, head: &[&str]) {
        self.line("");
        self.row(head);
        self.line(&format!("|{}", " --- |".repeat(head.len())));
    }

    pub(super) fn row<T: AsRef<str>>(&mut self, cells: &[T]) {
        let cells: Vec<_> = cells.iter().map(|cell| link_text(cell.as_ref())).collect();
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    pub(super) fn image(&mut self, plots: &[Plot], file: &str) {
        if let Some(plot) = plots.iter().find(|plot| plot.file == file) {
            self.paragraph(&format!("![{}]({})", plot.title, plot.file));
        }
    }
}

/// Text that can't be taken for a column's end.
pub(crate) fn link_text(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
