//! Source code shown in a chapter: which lines, which of them are new, and
//! how it looks. A listing always comes from a file of a step.
//!
//! A listing shows a whole file or some of its items, named like this:
//!
//! | name | what it means |
//! |---|---|
//! | `main`, `MAX_MESSAGE`, `SocketName` | that function, constant, static, type, trait, macro or module |
//! | `SocketName::drop` | that method, wherever it is implemented |
//! | `SocketName::impl` | the block `impl SocketName { … }` |
//! | `SocketName::Drop` | the block `impl Drop for SocketName { … }` |
//! | `SocketName::Drop::drop` | that method in that block |
//! | `frame::read` | that item in the module `frame` of this file |
//! | `use` | all `use` declarations at the top of the file |
//! | `//!` | the comment and attributes at the head of the file |
//!
//! An item's attributes, its documentation and the comment that stands
//! directly above it belong to it.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::course::{Course, SourceFile, Step};

mod changes;
mod highlight;
mod html;
mod items;

use changes::{Changes, Version, changes};
use items::{Item, Items, items};

pub(crate) use html::escaped;
pub use html::hand_typed_html;

/// A source file of a step, and what the step changes in it.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file, relative to the repository's root.
    pub path: PathBuf,
    /// Whether the step before has no such file.
    pub is_new_file: bool,
    lines: Vec<String>,
    items: Items,
    changes: Changes,
}

/// Source code shown in a chapter.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Where it comes from.
    pub source: Source,
    /// Whether it shows the file from its first to its last line.
    pub is_whole_file: bool,
    /// The lines that it shows, counted from 0, in the order of the file.
    pub pieces: Vec<Range<usize>>,
}

impl Source {
    /// Reads a file of a step, and compares it with the file of the same name
    /// in the step before.
    ///
    /// # Errors
    ///
    /// That the file cannot be read, is empty or is not Rust.
    pub fn read(
        course: &Course,
        step: &Step,
        file: &SourceFile,
    ) -> Result<Self, String> {
        let text = read(course, file)?;
        if text.trim().is_empty() {
            return Err(format!("{} is empty", file.path.display()));
        }
        let before =
            course.before(step).and_then(|before| before.file(&file.name));
        let old = before.map(|before| read(course, before)).transpose()?;
        let versions = (old, text);
        if let Some((known, source)) = known().get(&file.path)
            && *known == versions
        {
            return Ok(source.clone());
        }
        let (old, text) = &versions;
        let found = parse(file, text)?;
        let lines: Vec<&str> = text.lines().collect();
        let changes = match before.zip(old.as_ref()) {
            Some((before, old)) => {
                let old_items = parse(before, old)?;
                let old_lines: Vec<&str> = old.lines().collect();
                changes(
                    Version { lines: &old_lines, items: &old_items.items },
                    Version { lines: &lines, items: &found.items },
                )
            }
            None => {
                Changes { is_new: vec![true; lines.len()], removed: Vec::new() }
            }
        };
        let source = Self {
            path: file.path.clone(),
            is_new_file: before.is_none(),
            lines: lines.into_iter().map(str::to_owned).collect(),
            items: found,
            changes,
        };
        known().insert(file.path.clone(), (versions, source.clone()));
        Ok(source)
    }

    /// The lines, counted from 0, that the step adds to the file. Blank ones
    /// say nothing and are left out.
    pub fn new_lines(&self) -> impl Iterator<Item = usize> {
        let is_new = |line: &usize| {
            self.changes.is_new[*line] && !self.lines[*line].trim().is_empty()
        };
        (0..self.lines.len()).filter(is_new)
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// A line, counted from 0.
    pub fn line(&self, number: usize) -> &str {
        &self.lines[number]
    }

    /// Whether the step leaves the file as it was.
    pub fn is_unchanged(&self) -> bool {
        !self.is_new_file
            && self.changes.removed.is_empty()
            && self.new_lines().next().is_none()
    }
}

impl Listing {
    /// Finds the source code that a chapter names: a step's file, or items in
    /// it, named as [this module](self) says.
    ///
    /// # Errors
    ///
    /// That there is no such step, file or item, which there are instead, or
    /// what is wrong with the file.
    pub fn read(
        course: &Course,
        step: &str,
        file: &str,
        items: &[&str],
    ) -> Result<Self, String> {
        let Some(step) = course.step(step) else {
            let steps = course.steps.iter().map(|step| step.stem.as_str());
            return Err(format!(
                "there is no step `{step}`; there are {}",
                steps.collect::<Vec<_>>().join(" ")
            ));
        };
        let Some(file) = step.file(file) else {
            let files = step.files.iter().map(|file| file.name.as_str());
            return Err(format!(
                "step {} has no file `{file}`; it has {}",
                step.stem,
                files.collect::<Vec<_>>().join(" ")
            ));
        };
        let source = Source::read(course, step, file)?;
        let mut pieces = Vec::new();
        for name in items {
            let found = source.items.find(name).map_err(|message| {
                format!("{} {message}", source.path.display())
            })?;
            pieces.extend(found);
        }
        if items.is_empty() {
            pieces.push(0..source.lines.len());
        }
        let pieces = joined(pieces, &source.lines);
        Ok(Self { source, is_whole_file: items.is_empty(), pieces })
    }

    /// The lines, counted from 0, that the step adds and this listing shows.
    pub fn new_lines(&self) -> impl Iterator<Item = usize> {
        self.source
            .new_lines()
            .filter(|line| self.pieces.iter().any(|piece| piece.contains(line)))
    }

    /// The lines of a piece, without the indentation that they share.
    fn text(&self, piece: &Range<usize>) -> Vec<&str> {
        let lines = &self.source.lines[piece.clone()];
        let depth = lines
            .iter()
            .filter(|line| !line.trim().is_empty())
            .map(|line| indentation(line))
            .min()
            .unwrap_or(0);
        lines.iter().map(|line| line.get(depth..).unwrap_or("")).collect()
    }

    /// The items that a piece shows as a whole.
    fn items(&self, piece: &Range<usize>) -> impl Iterator<Item = &Item> {
        self.source.items.items.iter().filter(|item| {
            item.lines.start >= piece.start && item.lines.end <= piece.end
        })
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Puts pieces in the order of the file, and joins those that overlap or
/// have nothing but blank lines between them.
fn joined(
    mut pieces: Vec<Range<usize>>,
    lines: &[String],
) -> Vec<Range<usize>> {
    pieces.sort_by_key(|piece| piece.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for piece in pieces {
        if let Some(last) = joined.last_mut() {
            let between = last.end..piece.start;
            let is_near = between.is_empty()
                || lines[between].iter().all(|line| line.trim().is_empty());
            if is_near {
                last.end = last.end.max(piece.end);
                continue;
            }
        }
        joined.push(piece);
    }
    joined
}

/// The text of the file in the step before, if it has it, and in this step;
/// and what was found in them.
type Known = HashMap<PathBuf, ((Option<String>, String), Source)>;

/// What was read last of each file. A chapter shows the same file many times,
/// and a rebuild after an edit shows all files again.
fn known() -> MutexGuard<'static, Known> {
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(course: &Course, file: &SourceFile) -> Result<String, String> {
    fs::read_to_string(course.root.join(&file.path)).map_err(|error| {
        format!("cannot read {}: {error}", file.path.display())
    })
}

fn parse(file: &SourceFile, text: &str) -> Result<Items, String> {
    items(text).map_err(|(line, error)| {
        format!("{}:{line} is not Rust: {error}", file.path.display())
    })
}
