//! Whether the chapters show and explain all that the steps do.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::course::{Course, Step};
use crate::listing::Source;
use crate::pages::{CHAPTERS, Page};
use crate::problem::Problem;

/// A listing shows at most this many lines that its chapter has not shown
/// before.
///
/// Exempt are, because they ask nothing new of the reader: lines that an
/// earlier listing of the chapter showed (so a whole file at the end is free),
/// lines that the step before has, too, and blank lines.
pub const MAX_NEW_LINES: usize = 25;

/// The same for a file that the step before does not have: its head, imports
/// and `main` come together, and there is no smaller program to start with.
pub const MAX_LINES_OF_NEW_FILE: usize = 40;

/// What the chapters hold, and what they owe the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many chapters there are.
    pub chapters: usize,
    /// How many listings they have.
    pub listings: usize,
    /// How many transcripts they have.
    pub transcripts: usize,
    /// The lines that a step adds and no listing of its chapter shows.
    pub unexplained: Vec<Problem>,
    /// The listings that show too much at once.
    pub over_budget: Vec<Problem>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{} chapters, {} listings, {} transcripts, {} unexplained lines",
            self.chapters,
            self.listings,
            self.transcripts,
            self.unexplained.len()
        )
    }
}

/// Counts what the pages hold, and compares their listings with the steps.
///
/// # Errors
///
/// A source file that cannot be read, and one that a step adds or changes and
/// its chapter never lists. (What a step leaves as it was needs no listing.)
pub(crate) fn report(
    course: &Course,
    pages: &[Page],
) -> Result<Report, Vec<Problem>> {
    let mut report = Report {
        chapters: pages.len(),
        listings: pages.iter().map(|page| page.listings.len()).sum(),
        transcripts: pages.iter().map(|page| page.transcripts).sum(),
        unexplained: Vec::new(),
        over_budget: Vec::new(),
    };
    let mut problems = Vec::new();
    for step in &course.steps {
        let name = PathBuf::from(format!("{}.md", step.stem));
        let page = pages.iter().find(|page| page.file == name);
        let mut shown = HashSet::new();
        if let Some(page) = page {
            let over_budget = show(step, page, &mut shown);
            report.over_budget.extend(over_budget);
        }
        for file in &step.files {
            let source = match Source::read(course, step, file) {
                Ok(source) => source,
                Err(message) => {
                    problems.push(Problem::new(&file.path, 0, message));
                    continue;
                }
            };
            let is_listed = page.is_none_or(|page| {
                page.listings.iter().any(|(_, l)| l.source.path == file.path)
            });
            if !is_listed && !source.is_unchanged() {
                problems.push(Problem::new(
                    Path::new(CHAPTERS).join(&name),
                    0,
                    format!(
                        "never shows {}: add `{{{{#listing {} {}}}}}`",
                        file.path.display(),
                        step.stem,
                        file.name
                    ),
                ));
            }
            for line in source.new_lines() {
                if !shown.contains(&(file.path.clone(), line)) {
                    report.unexplained.push(Problem::new(
                        &file.path,
                        line + 1,
                        format!(
                            "no listing of {CHAPTERS}/{} shows this line: `{}`",
                            name.display(),
                            source.line(line).trim()
                        ),
                    ));
                }
            }
        }
    }
    if problems.is_empty() { Ok(report) } else { Err(problems) }
}

/// Notes the new lines that a step's chapter shows; returns the listings that
/// show too many of them.
fn show(
    step: &Step,
    page: &Page,
    shown: &mut HashSet<(PathBuf, usize)>,
) -> Vec<Problem> {
    let mut over_budget = Vec::new();
    for (line, listing) in &page.listings {
        let path = &listing.source.path;
        // What another step changed, its own chapter explains.
        if step.files.iter().all(|file| &file.path != path) {
            continue;
        }
        let before = shown.len();
        shown.extend(listing.new_lines().map(|line| (path.clone(), line)));
        let count = shown.len() - before;
        let limit = match listing.source.is_new_file {
            true => MAX_LINES_OF_NEW_FILE,
            false => MAX_NEW_LINES,
        };
        if count > limit {
            over_budget.push(Problem::new(
                Path::new(CHAPTERS).join(&page.file),
                *line,
                format!(
                    "this listing shows {count} new lines at once, more than \
                     {limit}: show parts of it first"
                ),
            ));
        }
    }
    over_budget
}

/// Looks for directives that were left over in the pages of a built book,
/// above all by the theme.
///
/// # Errors
///
/// The directives, and pages that cannot be read.
pub fn built(book: &Path) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut folders = vec![book.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                let message = format!("cannot read this folder: {error}");
                problems.push(Problem::new(folder, 0, message));
                continue;
            }
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "html") {
                problems.extend(left_over(&path));
            }
        }
    }
    problems.sort();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn left_over(page: &Path) -> Vec<Problem> {
    let text = match fs::read_to_string(page) {
        Ok(text) => text,
        Err(error) => {
            return vec![Problem::new(
                page,
                0,
                format!("cannot read: {error}"),
            )];
        }
    };
    text.lines()
        .zip(1..)
        .filter(|(line, _)| line.contains("{{#"))
        .map(|(_, number)| {
            let message = "a directive was left over: `{{#` means nothing \
                           to a browser";
            Problem::new(page, number, message)
        })
        .collect()
}
