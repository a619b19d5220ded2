//! Tables for people: columns as wide as what is in them, the last one as wide as the terminal
//! has room for.

use super::Colour;

/// Between two columns.
const GAP: usize = 2;

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    colour: Colour,
}

impl Cell {
    /// In a colour.
    pub fn new(colour: Colour, text: impl Into<String>) -> Self {
        Self { text: text.into(), colour }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Colour::Plain, text)
    }
}

/// Rows of equally many cells.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<Cell>>,
    /// These columns are aligned at their right side: numbers.
    right: &'static [usize],
}

impl Table {
    /// With a row of column names.
    pub fn new(columns: &[&str]) -> Self {
        let names = columns.iter().map(|name| Cell::new(Colour::Strong, *name)).collect();
        Self { rows: vec![names], right: &[] }
    }

    /// Without column names.
    pub fn bare() -> Self {
        Self::default()
    }

    /// Aligns these columns at their right side.
    pub const fn align_right(mut self, columns: &'static [usize]) -> Self {
        self.right = columns;
        self
    }

    /// Appends a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines; with `width`, none is longer.
    pub fn text(&self, width: Option<usize>, colours: bool) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(|column| self.width_of(column)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = Line { text: String::new(), used: 0, width };
            for (column, cell) in row.iter().enumerate() {
                let wanted = widths.get(column).copied().unwrap_or(0);
                let fill = wanted.saturating_sub(count(&cell.text));
                let is_last = column.saturating_add(1) == row.len();
                if self.right.contains(&column) {
                    line.space(fill);
                }
                line.push(cell, colours);
                if !is_last {
                    let after = if self.right.contains(&column) { 0 } else { fill };
                    line.space(after.saturating_add(GAP));
                }
            }
            text.push_str(line.text.trim_end());
            text.push('\n');
        }
        text
    }

    fn width_of(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| count(&cell.text)).max().unwrap_or(0)
    }
}

/// A line that is being filled.
struct Line {
    text: String,
    used: usize,
    width: Option<usize>,
}

impl Line {
    fn space(&mut self, count: usize) {
        self.text.extend(std::iter::repeat_n(' ', count));
        self.used = self.used.saturating_add(count);
    }

    /// Appends as much of a cell as there is room for; `…` stands for the rest.
    fn push(&mut self, cell: &Cell, colours: bool) {
        let room = self.width.map_or(usize::MAX, |width| width.saturating_sub(self.used));
        let length = count(&cell.text);
        self.used = self.used.saturating_add(length.min(room));
        if length <= room {
            self.text.push_str(&cell.colour.paint(&cell.text, colours));
        } else if let Some(kept) = room.checked_sub(1) {
            let mut cut: String = cell.text.chars().take(kept).collect();
            cut.push('…');
            self.text.push_str(&cell.colour.paint(&cut, colours));
        }
    }
}

fn count(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&["SERVICE", "STATE", "WHY"]);
        table.row(["sshd".into(), Cell::new(Colour::Good, "ready"), "".into()]);
        table.row(["kubelet".into(), Cell::new(Colour::Busy, "waiting"), "for containerd".into()]);
        table
    }

    /// Columns are as wide as their widest cell; lines have no spaces at their ends.
    #[test]
    fn columns_are_aligned() {
        let expected = "\
SERVICE  STATE    WHY
sshd     ready
kubelet  waiting  for containerd
";
        assert_eq!(sample().text(None, false), expected);
    }

    /// A line never gets longer than the terminal is wide, with colours or without.
    #[test]
    fn lines_are_cut_to_the_width() {
        let text = sample().text(Some(24), false);
        assert_eq!(text.lines().last(), Some("kubelet  waiting  for c…"));
        for width in 0..40 {
            let text = sample().text(Some(width), false);
            assert!(text.lines().all(|line| count(line) <= width), "{width}: {text}");
        }
    }

    #[test]
    fn colours_surround_the_text_only() {
        let text = sample().text(None, true);
        assert!(text.contains("sshd     \x1b[32mready\x1b[0m\n"), "{text:?}");
    }

    #[test]
    fn numbers_are_aligned_at_their_right_side() {
        let mut table = Table::bare().align_right(&[0]);
        table.row(["7 ms".into(), "a".into()]);
        table.row(["120 ms".into(), "b".into()]);
        assert_eq!(table.text(None, false), "  7 ms  a\n120 ms  b\n");
    }
}
