//! From the chapters to a folder of static pages, by mdBook.

use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail, ensure};
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::check::{self, Report};
use crate::course::Course;
use crate::pages::{self, Problems, Sockets};

/// In each folder that [`write()`] has written, so that it may replace it.
const MARK: &str = ".written-by-cargo-book";

/// Builds the book into `folder`, which must be empty or not exist.
///
/// `scripts` are loaded by every page, besides those that `book.toml` names;
/// they are relative to the book's folder.
///
/// # Errors
///
/// Problems in the chapters, one to a line, each with file and line, and all
/// that mdBook reports, warnings included.
pub fn build(
    course: &Course,
    folder: &Path,
    scripts: &[&str],
) -> anyhow::Result<Report> {
    let report = pages::check(course).map_err(Problems)?;
    let root = course.root.join("book");
    let mut config = Config::from_disk(root.join("book.toml"))
        .context("book/book.toml cannot be used")?;
    config.build.build_dir = folder.to_owned();
    if !scripts.is_empty() {
        let html = config.html_config().unwrap_or_default();
        let named = html.additional_js.into_iter();
        let all: Vec<PathBuf> =
            named.chain(scripts.iter().map(PathBuf::from)).collect();
        config.set("output.html.additional-js", all)?;
    }

    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        let mut book = MDBook::load_with_config(root, config)?;
        // It takes the place of the command of the same name in book.toml.
        book.with_preprocessor(Sockets::new(course.clone()));
        book.build()
    })?;
    let warnings = warnings.0.lock().unwrap_or_else(PoisonError::into_inner);
    ensure!(warnings.is_empty(), "mdBook warns:\n{}", warnings.join("\n"));
    check::built(folder).map_err(Problems)?;
    Ok(report)
}

/// Builds the book and puts it at `folder`, where an earlier build is
/// replaced. If the build fails, the earlier one stays.
///
/// # Errors
///
/// Those of [`build`], and a `folder` that holds something else.
pub fn write(course: &Course, folder: &Path) -> anyhow::Result<Report> {
    let is_empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => bail!("cannot read {}: {error}", folder.display()),
    };
    if !is_empty && !folder.join(MARK).exists() {
        bail!(
            "{} is not empty, and no earlier build of the book: nothing was \
             written; name another folder with --dest",
            folder.display()
        );
    }
    let beside = match folder.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(beside)
        .with_context(|| format!("cannot make {}", beside.display()))?;
    let new = tempfile::Builder::new()
        .prefix(".book-")
        .tempdir_in(beside)
        .with_context(|| format!("cannot write in {}", beside.display()))?;
    // mdBook empties the folder that it builds into, so one level deeper.
    let built = new.path().join("new");
    let absolute = std::path::absolute(&built)?;
    let report = build(course, &absolute, &[])?;
    fs::write(built.join(MARK), "cargo book build may replace this folder\n")?;
    if folder.exists() {
        fs::rename(folder, new.path().join("old"))
            .with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    fs::rename(&built, folder)
        .with_context(|| format!("cannot write {}", folder.display()))?;
    Ok(report)
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
