//! The exercises: their texts from the chapters, and what stands behind them
//! in `exercises/`.
//!
//! An exercise stands in a chapter as a paragraph that begins with its stars
//! and its title, and ends with a directive that names it:
//!
//! ```text
//! ★ **Any path.** Take the path from the command line …
//!
//! {{#exercise any-path}}
//! ```
//!
//! The name never changes, also when the exercise or its chapter moves. The
//! number, `1.1`, is its place in the course now.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use contract::{Contract, Role};
use serde::Deserialize;

use crate::course::Course;
use crate::pages::CHAPTERS;
use crate::problem::Problem;

/// The folder of the exercises' sources, relative to the repository's root.
pub const EXERCISES: &str = "exercises";

/// An exercise of a chapter.
#[derive(Debug, Clone)]
pub struct Exercise {
    /// What it is called for ever: `any-path`.
    pub name: String,
    /// The number of its chapter.
    pub chapter: u32,
    /// Its place among the exercises of its chapter, from 1.
    pub place: usize,
    /// The stem of its chapter: `01-bind`.
    pub stem: String,
    /// What it is called by people: `Any path`.
    pub title: String,
    /// How long it takes: 1 for minutes, 2 for a quarter of an hour, 3 for an
    /// evening.
    pub stars: usize,
    /// Its text, as it is in the chapter.
    pub text: String,
    /// What its program is.
    pub role: Role,
    /// From where to look to the shape of the code.
    pub hints: [String; 3],
}

/// What `exercises.toml` says of an exercise. Of what is wrong on purpose
/// there, only the tests speak.
#[derive(Deserialize)]
struct Behind {
    program: Program,
    hints: [String; 3],
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Program {
    Server,
    Client,
}

impl Exercise {
    /// Its number: `1.1`.
    pub fn number(&self) -> String {
        format!("{}.{}", self.chapter, self.place)
    }

    /// What is examined.
    pub fn contract(&self) -> &'static Contract {
        contract::find(&self.name).expect("it was found when this was read")
    }

    /// The folder of its starter, solution or wrong programs, relative to the
    /// repository's root.
    pub fn folder(&self, kind: &str) -> PathBuf {
        Path::new(EXERCISES).join(&self.stem).join(&self.name).join(kind)
    }
}

/// The exercises of all chapters, in their order.
///
/// # Errors
///
/// A chapter or an `exercises.toml` that cannot be read; a directive that names
/// no exercise of the chapter, or that no paragraph of an exercise stands
/// before; an exercise that its chapter never names.
pub fn all(course: &Course) -> Result<Vec<Exercise>, Vec<Problem>> {
    let mut exercises = Vec::new();
    let mut problems = Vec::new();
    for step in &course.steps {
        let file = Path::new(CHAPTERS).join(format!("{}.md", step.stem));
        match fs::read_to_string(course.root.join(&file)) {
            Ok(text) => match of_chapter(course, &step.stem, &text) {
                Ok(found) => exercises.extend(found),
                Err(found) => problems.extend(found),
            },
            Err(error) => {
                let message = format!("cannot read it: {error}");
                problems.push(Problem::new(&file, 0, message));
            }
        }
    }
    if problems.is_empty() { Ok(exercises) } else { Err(problems) }
}

/// The exercises that a chapter's text names.
///
/// # Errors
///
/// Those of [`all`].
pub(crate) fn of_chapter(
    course: &Course,
    stem: &str,
    text: &str,
) -> Result<Vec<Exercise>, Vec<Problem>> {
    let file = Path::new(CHAPTERS).join(format!("{stem}.md"));
    let number = course.step(stem).map_or(0, |step| step.number);
    let mut behind = read_behind(course, stem).map_err(|p| vec![p])?;
    let mut exercises: Vec<Exercise> = Vec::new();
    let mut problems = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = named(line) else { continue };
        let mut problem = |message: String| {
            problems.push(Problem::new(&file, index + 1, message));
        };
        let Some((title, stars, text)) = paragraph(&lines[..index]) else {
            problem(
                "before this stands no exercise: a paragraph that begins like \
                 `★ **Its title.**`"
                    .to_owned(),
            );
            continue;
        };
        let Some(Behind { program, hints }) = behind.remove(name) else {
            problem(format!(
                "{EXERCISES}/{stem}/exercises.toml has no exercise `{name}`, \
                 or it is named twice"
            ));
            continue;
        };
        if contract::find(name).is_none() {
            problem(format!("no contract in tests/contract is for `{name}`"));
            continue;
        }
        exercises.push(Exercise {
            name: name.to_owned(),
            chapter: number,
            place: exercises.len() + 1,
            stem: stem.to_owned(),
            title,
            stars,
            text,
            role: match program {
                Program::Server => Role::Server,
                Program::Client => Role::Client,
            },
            hints: hints.map(|hint| one_paragraph(&hint)),
        });
    }
    // One that is wrong would show again as one that is missing.
    if problems.is_empty() {
        problems.extend(behind.into_keys().map(|name| {
            let message = format!(
                "never names the exercise: add `{{{{#exercise {name}}}}}`"
            );
            Problem::new(&file, 0, message)
        }));
    }
    if problems.is_empty() { Ok(exercises) } else { Err(problems) }
}

/// The name in `{{#exercise NAME}}`.
fn named(line: &str) -> Option<&str> {
    line.strip_prefix("{{#exercise ")?.strip_suffix("}}").map(str::trim)
}

/// The title, the stars and the text of the exercise that ends with these
/// lines.
fn paragraph(lines: &[&str]) -> Option<(String, usize, String)> {
    let ends = |line: &&str| line.starts_with("{{#") || line.starts_with('#');
    let start = lines.iter().rposition(|line| line.starts_with('★'))?;
    let lines = &lines[start..];
    if lines.iter().any(ends) {
        return None;
    }
    let text = lines.join("\n").trim().to_owned();
    let stars = text.chars().take_while(|c| *c == '★').count();
    let (_, rest) = text.split_once("**")?;
    let (title, _) = rest.split_once("**")?;
    let title = title.trim_end_matches('.').to_owned();
    Some((title, stars, text))
}

fn read_behind(
    course: &Course,
    stem: &str,
) -> Result<BTreeMap<String, Behind>, Problem> {
    let file = Path::new(EXERCISES).join(stem).join("exercises.toml");
    let wrong = |message: String| Problem::new(&file, 0, message);
    let path = course.root.join(&file);
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = fs::read_to_string(path)
        .map_err(|error| wrong(format!("cannot read it: {error}")))?;
    let mut table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
    table.remove("step");
    table.try_into().map_err(|error| wrong(error.message().to_owned()))
}

/// A text without the ends of its lines.
fn one_paragraph(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
