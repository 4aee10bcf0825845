//! What is wrong in the book's text or code, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// Something that would make a page untrue or incomplete. It stops the build.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, relative to the repository's root.
    pub file: PathBuf,
    /// The line in it, counted from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// What is wrong and what to do about it, in one sentence.
    pub message: String,
}

impl Problem {
    /// A problem at a line of a file.
    pub fn new(
        file: impl AsRef<Path>,
        line: usize,
        message: impl Into<String>,
    ) -> Self {
        let file = file.as_ref().to_owned();
        Self { file, line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Problem {}
