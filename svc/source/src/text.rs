//! The texts that were read, and places in them.

/// A file among [`Sources`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct FileId(pub usize);

/// A piece of a file's text, in bytes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct At {
    pub file: FileId,
    pub start: usize,
    pub end: usize,
}

impl At {
    /// What no file says: defaults and built-in services.
    pub const NOWHERE: Self = Self { file: FileId(usize::MAX), start: 0, end: 0 };

    /// A file as a whole: its first character.
    pub const fn top_of(file: FileId) -> Self {
        Self { file, start: 0, end: 0 }
    }
}

/// One file.
#[derive(Clone, Debug)]
struct Source {
    path: String,
    text: String,
}

/// All files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    files: Vec<Source>,
}

/// A place as people count: from 1.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub path: String,
    pub line: usize,
    pub column: usize,
    /// In characters, within the line.
    pub length: usize,
    /// The whole line.
    pub text: String,
}

impl Sources {
    /// Adds a file.
    pub fn add(&mut self, path: String, text: String) -> FileId {
        let id = FileId(self.files.len());
        self.files.push(Source { path, text });
        id
    }

    /// A file's path, for messages.
    pub fn path(&self, file: FileId) -> &str {
        self.files.get(file.0).map_or("(built in)", |source| &source.path)
    }

    /// A file's text.
    pub fn text(&self, file: FileId) -> &str {
        self.files.get(file.0).map_or("", |source| &source.text)
    }

    /// The rest of the line after `at`.
    pub fn rest_of_line(&self, at: At) -> &str {
        let rest = self.text(at.file).get(at.end..).unwrap_or_default();
        rest.lines().next().unwrap_or_default()
    }

    /// Where `at` is.
    pub fn place(&self, at: At) -> Place {
        let text = self.text(at.file);
        let before = text.get(..at.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
        let line = text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let marked = text.get(at.start..at.end).unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default();
        Place {
            path: self.path(at.file).to_string(),
            line: before.matches('\n').count().saturating_add(1),
            column: before.get(line_start..).unwrap_or_default().chars().count().saturating_add(1),
            length: marked.chars().count().max(1),
            text: line.to_string(),
        }
    }
}
