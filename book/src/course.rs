//! Which steps and chapters there are, and in which order.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

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
    /// The stem of the step that it goes on from, if that is not the one
    /// before it: `follows` under `[package.metadata.book]` in its manifest.
    pub follows: Option<String>,
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
    /// A folder or a manifest that cannot be read, a folder in `steps/` that is
    /// not named like `03-connect`, a gap in the numbers, or a step that
    /// follows none before it.
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
            if let Some(stem) = &step.follows
                && !steps.iter().any(|other| {
                    other.stem == *stem && other.number < step.number
                })
            {
                let message = format!("no step {stem} comes before this one");
                return Err(Problem::new(step.manifest(), 0, message));
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

    /// The step, or the chapter, with this number.
    ///
    /// # Errors
    ///
    /// That there is none; it says which there are.
    pub fn numbered(&self, number: u32) -> anyhow::Result<&Step> {
        let step = self.steps.iter().find(|step| step.number == number);
        step.ok_or_else(|| match self.steps.len() {
            0 => anyhow!("there is no chapter {number}: there are none yet"),
            last => anyhow!(
                "there is no chapter {number}: there are chapters 1 to {last}"
            ),
        })
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

    /// The step that `step` goes on from, if it is not the first.
    pub fn before(&self, step: &Step) -> Option<&Step> {
        match &step.follows {
            Some(stem) => self.step(stem),
            None => {
                self.steps.iter().find(|other| other.number + 1 == step.number)
            }
        }
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
        let stem = stem.to_owned();
        let mut step = Self { number, stem, package, follows: None, files };
        step.follows = step.read_follows(root)?;
        Ok(step)
    }

    /// Its manifest, relative to the repository's root.
    pub fn manifest(&self) -> PathBuf {
        Path::new("steps").join(&self.stem).join("Cargo.toml")
    }

    fn read_follows(&self, root: &Path) -> Result<Option<String>, Problem> {
        let path = self.manifest();
        let cannot_read = |error: String| {
            Problem::new(&path, 0, format!("cannot read this: {error}"))
        };
        let text = fs::read_to_string(root.join(&path))
            .map_err(|error| cannot_read(error.to_string()))?;
        let manifest: toml::Table =
            text.parse().map_err(|error: toml::de::Error| {
                cannot_read(error.message().to_owned())
            })?;
        let follows = manifest
            .get("package")
            .and_then(|package| package.get("metadata"))
            .and_then(|metadata| metadata.get("book"))
            .and_then(|book| book.get("follows"));
        match follows {
            None => Ok(None),
            Some(toml::Value::String(stem)) => Ok(Some(stem.clone())),
            Some(_) => {
                let message = "`follows` is the name of a step's folder";
                Err(Problem::new(&path, 0, message))
            }
        }
    }

    /// What people call it: `Many clients` for `10-many-clients`.
    pub fn title(&self) -> String {
        let name = self.stem.split_once('-').map_or("", |(_, name)| name);
        let mut letters = name.chars().map(|c| if c == '-' { ' ' } else { c });
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect()
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
