//! The teacher's edition: the reader's book, and pages for teachers in it.
//!
//! Their sources are in `book/teaching/`: a page of notes for each step, by the
//! step's stem, and a part about workshops. They are added to the book when it
//! is built for a teacher. `SUMMARY.md` does not name them, so no other build
//! knows of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mdbook_preprocessor::book::{Book, BookItem, Chapter as Page};

use crate::course::Course;
use crate::pages::Chapter;
use crate::problem::Problem;
use crate::schedule::Schedule;

/// The folder of the sources in `book/`, and of the pages in the built book.
pub const FOLDER: &str = "teaching";

/// The part about workshops: its pages, in order.
const WORKSHOPS: [&str; 2] = ["prepare.md", AGENDAS];

/// The page to which the agendas are added.
const AGENDAS: &str = "agendas.md";

/// The agendas on that page: their lengths, in minutes.
const LENGTHS: [u32; 5] = [90, 120, 180, 240, 420];

/// When they begin.
const START: &str = "09:30";

/// The pages for teachers, each with its path in the built book.
///
/// # Errors
///
/// A page that is missing or cannot be read, one that belongs to no step, and
/// what is wrong in the timings.
pub fn chapters(course: &Course) -> Result<Vec<Chapter>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut chapters = Vec::new();
    let notes = course.steps.iter().map(|step| format!("{}.md", step.stem));
    let names: Vec<String> =
        WORKSHOPS.map(str::to_owned).into_iter().chain(notes).collect();
    let folder = Path::new("book").join(FOLDER);
    for name in &names {
        let file = folder.join(name);
        match fs::read_to_string(course.root.join(&file)) {
            Ok(text) => {
                let file = Path::new(FOLDER).join(name);
                chapters.push(Chapter { file, text });
            }
            Err(error) => {
                let message = format!("cannot read this page: {error}");
                problems.push(Problem::new(file, 0, message));
            }
        }
    }
    let known: BTreeSet<&Path> = names.iter().map(Path::new).collect();
    let entries = fs::read_dir(course.root.join(&folder));
    for entry in entries.into_iter().flatten().flatten() {
        let name = PathBuf::from(entry.file_name());
        let is_page = name.extension().is_some_and(|end| end == "md");
        if is_page && !known.contains(&*name) {
            let message = "no step has this name, so nobody will read it";
            problems.push(Problem::new(folder.join(name), 0, message));
        }
    }
    match Schedule::read(course) {
        Ok(schedule) => {
            for chapter in &mut chapters {
                let stem = chapter.file.file_stem().unwrap_or_default();
                let notes = schedule.notes(&stem.to_string_lossy());
                if chapter.file.ends_with(AGENDAS) {
                    chapter.text += &agendas(&schedule);
                }
                chapter.text += &notes.unwrap_or_default();
            }
        }
        Err(problem) => problems.push(problem),
    }
    problems.sort();
    if problems.is_empty() { Ok(chapters) } else { Err(problems) }
}

/// The agendas, in Markdown, each under a heading of its own.
fn agendas(schedule: &Schedule) -> String {
    let start = START.parse().expect("this is a time of day");
    let mut text = String::new();
    for length in LENGTHS {
        // A schedule with few steps has no agenda for a day.
        if let Ok(agenda) = schedule.plan(length, None) {
            text += &format!("\n## {}\n", agenda.markdown(start));
        }
    }
    text
}

/// Puts the pages for teachers into a book: the notes below their chapters,
/// and the part about workshops before the first part.
pub fn add(course: &Course, chapters: Vec<Chapter>, book: &mut Book) {
    let mut part = vec![BookItem::PartTitle("Teaching".to_owned())];
    for chapter in chapters {
        let stem = chapter.file.file_stem().unwrap_or_default();
        let stem = stem.to_string_lossy().into_owned();
        if course.step(&stem).is_none() {
            let title = chapter.text.lines().next().unwrap_or_default();
            let title = title.trim_start_matches('#').trim().to_owned();
            let page =
                Page::new(&title, chapter.text, chapter.file, Vec::new());
            part.push(BookItem::Chapter(page));
            continue;
        }
        let above = PathBuf::from(format!("{stem}.md"));
        book.for_each_chapter_mut(|page| {
            if page.source_path.as_ref() != Some(&above) {
                return;
            }
            let mut parents = page.parent_names.clone();
            parents.push(page.name.clone());
            let mut notes = Page::new(
                "For the teacher",
                chapter.text.clone(),
                &chapter.file,
                parents,
            );
            // Without one, mdBook shows it beside its chapter.
            notes.number = page.number.clone();
            if let Some(number) = &mut notes.number {
                number.push(1);
            }
            page.sub_items.push(BookItem::Chapter(notes));
        });
    }
    let is_part = |item: &BookItem| matches!(item, BookItem::PartTitle(_));
    let first = book.items.iter().position(is_part);
    let at = first.unwrap_or(book.items.len());
    book.items.splice(at..at, part);
}
