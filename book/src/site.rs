//! From the chapters to a folder of static pages, by mdBook.

use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail, ensure};
use mdbook_driver::MDBook;
use mdbook_driver::config::{Config, HtmlConfig};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::check::{self, Report};
use crate::course::Course;
use crate::finish::finish;
use crate::fork::Fork;
use crate::pages::{self, Problems, Sockets, line_of};
use crate::problem::Problem;
use crate::teaching;

/// Whom the book is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// The book.
    Reader,
    /// The book, and the pages for teachers in it (see [`teaching`]).
    Teacher,
}

impl Edition {
    /// Where it is written, if nothing else is said, relative to the
    /// repository's root.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Reader => "target/book",
            Self::Teacher => "target/teachers-book",
        }
    }
}

/// In each folder that [`write()`] has written: the names of all files in it,
/// one to a line. It may replace them, and nothing else.
const MARK: &str = ".written-by-cargo-book";

/// Builds the book into `folder`, which must be empty or not exist.
///
/// `assets` are scripts and style sheets that every page loads besides those
/// that `book.toml` names; they are relative to the book's folder.
///
/// # Errors
///
/// Problems in the chapters, one to a line, each with file and line, and all
/// that mdBook reports, warnings included.
pub fn build(
    course: &Course,
    edition: Edition,
    folder: &Path,
    assets: &[&str],
) -> anyhow::Result<Report> {
    let mut chapters = pages::chapters(course).map_err(Problems)?;
    let for_teachers = match edition {
        Edition::Reader => Vec::new(),
        Edition::Teacher => teaching::chapters(course).map_err(Problems)?,
    };
    chapters.extend_from_slice(&for_teachers);
    let pages = pages::process(course, &chapters).map_err(Problems)?;
    let report = pages.report.clone();
    let root = course.root.join("book");
    let mut config = settings(course, edition)?;
    config.build.build_dir = folder.to_owned();
    let fork = Fork::read(&config)?;
    let html = config.html_config().unwrap_or_default();
    for (key, named, extension) in [
        ("additional-css", html.additional_css, "css"),
        ("additional-js", html.additional_js, "js"),
    ] {
        let added = assets.iter().map(PathBuf::from);
        let added = added
            .filter(|file| file.extension().is_some_and(|e| e == extension));
        let all: Vec<PathBuf> = named.into_iter().chain(added).collect();
        config.set(format!("output.html.{key}"), all)?;
    }

    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        let mut book = MDBook::load_with_config(root, config)?;
        if edition == Edition::Teacher {
            teaching::add(course, for_teachers, &mut book.book);
        }
        // It takes the place of the command of the same name in book.toml.
        let sockets = Sockets::prepared(course.clone(), &chapters, pages);
        book.with_preprocessor(sockets);
        book.build()
    })
    .map_err(with_place)?;
    let warnings = warnings.0.lock().unwrap_or_else(PoisonError::into_inner);
    ensure!(warnings.is_empty(), "mdBook warns:\n{}", warnings.join("\n"));
    check::built(folder).map_err(Problems)?;
    finish(folder, &chapters, &fork).with_context(|| {
        format!("cannot finish the pages in {}", folder.display())
    })?;
    Ok(report)
}

/// What `book/book.toml` says, with the title of the edition.
///
/// # Errors
///
/// A file that is missing or wrong, and one that it names and that is missing.
pub(crate) fn settings(
    course: &Course,
    edition: Edition,
) -> anyhow::Result<Config> {
    let file = "book/book.toml";
    let text = fs::read_to_string(course.root.join(file)).map_err(|error| {
        Problem::new(file, 0, format!("cannot read this file: {error}"))
    })?;
    let mut config: Config = text.parse().map_err(|error: anyhow::Error| {
        match error.downcast_ref::<toml::de::Error>() {
            Some(error) => {
                let at = error.span().map(|span| line_of(&text, span.start));
                Problem::new(file, at.unwrap_or(0), error.message()).into()
            }
            None => error.context(file),
        }
    })?;
    // mdBook itself only warns of an error here, and does not say where.
    let html = config.get::<HtmlConfig>("output.html").map_err(|error| {
        let message = format!("{error:#}").trim().replace('\n', " ");
        Problem::new(file, 0, message)
    })?;
    let html = html.unwrap_or_default();
    for name in html.additional_css.iter().chain(&html.additional_js) {
        if !course.root.join("book").join(name).is_file() {
            let name = name.display().to_string();
            let at = text.find(&name).map_or(0, |at| line_of(&text, at));
            let message = format!("there is no file book/{name}");
            return Err(Problem::new(file, at, message).into());
        }
    }
    if edition == Edition::Teacher {
        let title = config.book.title.unwrap_or_default();
        config.book.title = Some(format!("{title}: teacher's edition"));
    }
    Ok(config)
}

/// The same error, with its place in front as in all others. mdBook 0.5.4 says
/// "failed to parse SUMMARY.md line 20, column 1: …".
fn with_place(error: anyhow::Error) -> anyhow::Error {
    let cause = error.root_cause().to_string();
    let problem = || {
        let place = cause.strip_prefix("failed to parse SUMMARY.md line ")?;
        let (line, place) = place.split_once(", column ")?;
        let (_, message) = place.split_once(": ")?;
        let file = Path::new(pages::CHAPTERS).join("SUMMARY.md");
        Some(Problem::new(file, line.parse().ok()?, message))
    };
    problem().map_or(error, Into::into)
}

/// Builds the book and puts it at `folder`, where an earlier build is
/// replaced. If the build fails, the earlier one stays.
///
/// # Errors
///
/// Those of [`build`], a `folder` in which there is anything that no earlier
/// build has put there, and one that cannot be written.
pub fn write(
    course: &Course,
    edition: Edition,
    folder: &Path,
) -> anyhow::Result<Report> {
    let cannot_write = || format!("cannot write {}", folder.display());
    // What a link leads to is replaced, and not the link.
    let target = match folder.canonicalize() {
        Ok(target) => target,
        Err(_) if folder.symlink_metadata().is_err() => {
            std::path::absolute(folder)?
        }
        Err(error) => return Err(error).with_context(cannot_write),
    };
    refuse_foreign(&target).with_context(cannot_write)?;
    refuse_source(course, &target).with_context(cannot_write)?;

    let beside = target.parent().with_context(cannot_write)?;
    fs::create_dir_all(beside).with_context(cannot_write)?;
    let new = tempfile::Builder::new()
        .prefix(".book-")
        .tempdir_in(beside)
        .with_context(cannot_write)?;
    // mdBook empties the folder that it builds into, so one level deeper.
    let (built, old) = (new.path().join("new"), new.path().join("old"));
    let report = build(course, edition, &built, &[])?;
    let mut names = files(&built)?.join("\n");
    names.push('\n');
    fs::write(built.join(MARK), names)?;
    if target.exists() {
        fs::rename(&target, &old).with_context(cannot_write)?;
    }
    if let Err(error) = fs::rename(&built, &target) {
        // There is no earlier build, or it goes back to its place.
        let _ = fs::rename(&old, &target);
        return Err(error).with_context(cannot_write);
    }
    Ok(report)
}

/// Refuses a folder in which there is something that [`write()`] would
/// destroy.
fn refuse_foreign(folder: &Path) -> anyhow::Result<()> {
    let names = match files(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        names => names?,
    };
    let ours = fs::read_to_string(folder.join(MARK)).unwrap_or_default();
    let ours: HashSet<&str> = ours.lines().chain([MARK]).collect();
    match names.iter().find(|name| !ours.contains(name.as_str())) {
        Some(name) => bail!(
            "`{name}` in it was not put there by an earlier build; move it \
             away, or name another folder with --dest"
        ),
        None => Ok(()),
    }
}

/// Refuses a folder whose pages would be part of the next build, or of this
/// one: mdBook copies what lies beside the chapters.
fn refuse_source(course: &Course, folder: &Path) -> anyhow::Result<()> {
    let root = course.root.canonicalize()?;
    for source in ["book", "steps"] {
        ensure!(
            !folder.starts_with(root.join(source)),
            "the book is made from what is in {source}/; name another folder \
             with --dest"
        );
    }
    Ok(())
}

/// The files and links in a folder and the folders in it, sorted: their paths
/// from there. An empty folder in it counts as a file.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let inside = match entry.file_type()?.is_dir() {
            true => files(&entry.path())?,
            false => Vec::new(),
        };
        match inside.as_slice() {
            [] => names.push(name),
            _ => names.extend(inside.iter().map(|n| format!("{name}/{n}"))),
        }
    }
    names.sort();
    Ok(names)
}

/// Collects what mdBook would print as a warning or an error.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata) -> bool {
        *metadata.level() <= Level::WARN
            && metadata.target().starts_with("mdbook")
    }

    fn event(&self, event: &Event) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(text.0);
    }

    fn new_span(&self, _: &Attributes) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The message of a warning.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            write!(self.0, "{value:?}").expect("a String takes everything");
        }
    }
}
