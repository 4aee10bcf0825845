//! Which steps and chapters there are, and in which order.

use std::fs;
use std::path::{Path, PathBuf};

use crate::problem::Problem;

/// The repository: its steps and its chapters.
#[derive(Debug, Clone)]
pub struct Course {
    /// The repository's root.
    pub root: PathBuf,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// A crate in `steps/`.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its place in the course, from 1.
    pub number: u32,
    /// The name of its folder, its chapter and its test: `03-connect`.
    pub stem: String,
    /// The name of its package: `step3`.
    pub package: String,
    /// Its source files, sorted by name.
    pub files: Vec<SourceFile>,
}

/// A source file of a step.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// How a listing calls it: `client` for `src/bin/client.rs`, `frame` for
    /// `src/frame.rs`.
    pub name: String,
    /// The file, relative to the repository's root.
    pub path: PathBuf,
    /// The binary that it is the root of, if it is one: `step3-client`.
    pub binary: Option<String>,
}

impl Course {
    /// Reads which steps the repository at `root` has.
    ///
    /// # Errors
    ///
    /// A folder that cannot be read, one in `steps/` that is not named like
    /// `03-connect`, or a gap in the numbers.
    pub fn read(root: impl Into<PathBuf>) -> Result<Self, Problem> {
        let root = root.into();
        let mut steps = Vec::new();
        for stem in names(&root, Path::new("steps"))? {
            steps.push(Step::read(&root, &stem)?);
        }
        for (step, number) in steps.iter().zip(1..) {
            if step.number != number {
                let message = format!("step {number} is missing before it");
                let folder = Path::new("steps").join(&step.stem);
                return Err(Problem::new(folder, 0, message));
            }
        }
        Ok(Self { root, steps })
    }

    /// The repository that this program was built from.
    ///
    /// # Errors
    ///
    /// Those of [`Course::read`]; above all that the repository was moved
    /// after this program was built.
    pub fn here() -> Result<Self, Problem> {
        let book = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self::read(book.parent().expect("the book has a folder of its own"))
    }

    /// The step in the folder `steps/STEM`.
    pub fn step(&self, stem: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.stem == stem)
    }

    /// Whether the step with this package has this binary.
    pub fn has(&self, package: &str, binary: &str) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| {
            step.package == package
                && step
                    .files
                    .iter()
                    .any(|file| file.binary.as_deref() == Some(binary))
        })
    }

    /// The step before `step`, if it is not the first.
    pub fn before(&self, step: &Step) -> Option<&Step> {
        self.steps.iter().find(|other| other.number + 1 == step.number)
    }
}

impl Step {
    fn read(root: &Path, stem: &str) -> Result<Self, Problem> {
        let folder = Path::new("steps").join(stem);
        let Some(number) = number_of(stem) else {
            let message = "a step's folder is named like 03-connect";
            return Err(Problem::new(folder, 0, message));
        };
        let package = format!("step{number}");
        let mut files = Vec::new();
        for (folder, is_binary) in [("src/bin", true), ("src", false)] {
            let folder = Path::new("steps").join(stem).join(folder);
            for file in names(root, &folder)? {
                let Some(name) = file.strip_suffix(".rs") else { continue };
                files.push(SourceFile {
                    name: name.to_owned(),
                    path: folder.join(&file),
                    binary: is_binary.then(|| format!("{package}-{name}")),
                });
            }
        }
        Ok(Self { number, stem: stem.to_owned(), package, files })
    }

    /// The source file that a listing calls `name`.
    pub fn file(&self, name: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.name == name)
    }
}

/// 3 for `03-connect`.
fn number_of(stem: &str) -> Option<u32> {
    let (number, name) = stem.split_once('-')?;
    if number.len() != 2 || name.is_empty() {
        return None;
    }
    number.parse().ok()
}

/// The names in a folder of the repository, sorted, hidden ones left out.
fn names(root: &Path, folder: &Path) -> Result<Vec<String>, Problem> {
    let cannot_read = |error| {
        Problem::new(folder, 0, format!("cannot read this folder: {error}"))
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join(folder)).map_err(cannot_read)? {
        let name = entry.map_err(cannot_read)?.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') {
            names.push(name.into_owned());
        }
    }
    names.sort();
    Ok(names)
}
