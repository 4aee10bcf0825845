//! `cargo book catch-up`: the learner's project as it is at the start of a
//! chapter.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::course::{Course, Step};
use crate::problem::Problem;
use crate::work::{self, Files, PROJECT, Replaced, Work, shown};

/// What `cargo new` gives.
const HELLO: &str = "\
fn main() {
    println!(\"Hello, world!\");
}
";

/// What was done, in words.
#[derive(Debug)]
pub struct CaughtUp {
    chapter: u32,
    folder: PathBuf,
    done: Done,
}

#[derive(Debug)]
enum Done {
    /// It was so before.
    Nothing,
    /// It is new.
    Made,
    /// What was there is in the folder `before` now.
    Replaced {
        before: PathBuf,
        /// What it depends on, and the new one does not.
        dependencies: Vec<String>,
    },
}

/// Puts the programs from the start of a chapter into `work/unix_sockets`:
/// those of the step that the chapter's step goes on from, or what `cargo new`
/// gives for chapter 1. What was there is kept, see [`Work::replace`].
///
/// Nothing is changed if `Cargo.toml` and `src` are so already.
///
/// # Errors
///
/// That there is no such chapter, its sources cannot be read, and the errors of
/// [`Work::replace`].
pub fn catch_up(course: &Course, chapter: u32) -> anyhow::Result<CaughtUp> {
    let step = course.numbered(chapter)?;
    let files = project(course, course.before(step))?;
    let work = Work::of(course);
    let folder = work.path().join(PROJECT);
    if is_same(&folder, &files) {
        return Ok(CaughtUp { chapter, folder, done: Done::Nothing });
    }
    let Replaced { new, before } = work.replace(PROJECT, &files)?;
    let done = match before {
        None => Done::Made,
        Some(before) => Done::Replaced {
            dependencies: dependencies_of(&before)
                .difference(&dependencies_of(&new))
                .cloned()
                .collect(),
            before,
        },
    };
    Ok(CaughtUp { chapter, folder: new, done })
}

/// The project at the end of a step, or before the first.
fn project(course: &Course, step: Option<&Step>) -> anyhow::Result<Files> {
    let Some(step) = step else {
        let hello = (PathBuf::from("src/main.rs"), HELLO.into());
        return Ok(work::package(course, PROJECT, &[], vec![hello])?);
    };
    let manifest = read(course, &step.manifest())?;
    let manifest = String::from_utf8_lossy(&manifest);
    let dependencies = dependencies(&manifest)
        .map_err(|message| Problem::new(step.manifest(), 0, message))?;
    let dependencies: Vec<&str> =
        dependencies.iter().map(String::as_str).collect();
    let sources = sources(course, step)?;
    Ok(work::package(course, PROJECT, &dependencies, sources)?)
}

/// The sources of a step, with their paths in its folder.
///
/// # Errors
///
/// That one cannot be read.
pub(crate) fn sources(course: &Course, step: &Step) -> anyhow::Result<Files> {
    let folder = Path::new("steps").join(&step.stem);
    let mut sources = Files::new();
    for file in &step.files {
        let path = file.path.strip_prefix(&folder);
        let path = path.context("a step's file is in its folder")?;
        sources.push((path.to_owned(), read(course, &file.path)?));
    }
    Ok(sources)
}

fn read(course: &Course, path: &Path) -> Result<Vec<u8>, Problem> {
    fs::read(course.root.join(path)).map_err(|error| {
        Problem::new(path, 0, format!("cannot read this file: {error}"))
    })
}

/// The names under `[dependencies]` in a manifest.
fn dependencies(manifest: &str) -> Result<BTreeSet<String>, String> {
    let manifest = work::table(manifest)?;
    let dependencies = manifest.get("dependencies");
    let dependencies = dependencies.and_then(toml::Value::as_table);
    Ok(dependencies.into_iter().flat_map(toml::Table::keys).cloned().collect())
}

/// What the package in a folder depends on; nothing if it has no manifest that
/// can be read.
fn dependencies_of(folder: &Path) -> BTreeSet<String> {
    let manifest = read_file(&folder.join("Cargo.toml")).unwrap_or_default();
    dependencies(&String::from_utf8_lossy(&manifest)).unwrap_or_default()
}

/// Whether the project in a folder is made of these files. `Cargo.lock`, which
/// Cargo may have changed, and what is in neither of them do not count.
fn is_same(folder: &Path, files: &Files) -> bool {
    let counts = |path: &Path| path != Path::new("Cargo.lock");
    let mut wanted = files.iter().filter(|(path, _)| counts(path));
    let has_all = wanted.all(|(path, content)| {
        read_file(&folder.join(path)).as_ref() == Some(content)
    });
    has_all
        && paths(folder, Path::new("src")).is_some_and(|paths| {
            let mut paths = paths.iter();
            paths.all(|path| files.iter().any(|(known, _)| known == path))
        })
}

/// The content of a file; `None` for all that is no file: it may have no end,
/// or wait for a writer.
fn read_file(path: &Path) -> Option<Vec<u8>> {
    path.metadata().ok()?.is_file().then(|| fs::read(path).ok())?
}

/// The paths of all that is in `inner` and the folders in it, from `folder` on.
/// Links are not followed.
fn paths(folder: &Path, inner: &Path) -> Option<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder.join(inner)).ok()? {
        let entry = entry.ok()?;
        let path = inner.join(entry.file_name());
        match entry.file_type().ok()?.is_dir() {
            true => paths.extend(self::paths(folder, &path)?),
            false => paths.push(path),
        }
    }
    Some(paths)
}

impl fmt::Display for CaughtUp {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { chapter, folder, done } = self;
        let name = shown(folder);
        match done {
            Done::Nothing => {
                return write!(
                    f,
                    "nothing to do: {name} is as at the start of chapter \
                     {chapter}"
                );
            }
            Done::Made => {}
            Done::Replaced { before, dependencies } => {
                writeln!(f, "what was in {name} is in {}", shown(before))?;
                if !dependencies.is_empty() {
                    writeln!(
                        f,
                        "its Cargo.toml, which is there too, depends on {}; \
                         the new one does not",
                        dependencies.join(", ")
                    )?;
                }
            }
        }
        let run = match chapter {
            1 => "cargo run",
            _ => "cargo run --bin server",
        };
        writeln!(f, "{name} is as at the start of chapter {chapter}")?;
        write!(f, "next: cd {name} && {run}")
    }
}
