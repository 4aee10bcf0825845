//! The commands for learners who do the exercises: `start`, `hint`,
//! `solution` and `progress`.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::course::{Course, Step};
use crate::examine::Subject;
use crate::exercise::{self, Exercise};
use crate::pages::Problems;
use crate::progress::{Entry, Progress, today};
use crate::terminal::{self, wrapped};
use crate::work::{self, Work};

/// The exercises of the book.
///
/// # Errors
///
/// Those of [`exercise::all`].
pub fn exercises(course: &Course) -> anyhow::Result<Vec<Exercise>> {
    Ok(exercise::all(course).map_err(Problems)?)
}

/// What a learner calls `3`, `03-connect`, `3.1` or `any-path`.
///
/// # Errors
///
/// That nothing is called so.
pub fn subject<'a>(
    course: &'a Course,
    exercises: &'a [Exercise],
    name: &str,
) -> anyhow::Result<Subject<'a>> {
    let step = course
        .steps
        .iter()
        .find(|step| step.stem == name || step.number.to_string() == name);
    if let Some(step) = step {
        return Ok(Subject::Step { stem: &step.stem, number: step.number });
    }
    match find(exercises, name) {
        Some(exercise) => Ok(Subject::Exercise(exercise)),
        None => bail!(
            "there is no step or exercise {name}: a step is a number from 1 \
             to {}, an exercise one such as {} (`cargo book progress` lists \
             them)",
            course.steps.len(),
            exercises.first().map_or("1.1".to_owned(), Exercise::number)
        ),
    }
}

/// The exercise that a learner calls `1.1` or `any-path`.
///
/// # Errors
///
/// That none is called so.
pub fn exercise<'a>(
    exercises: &'a [Exercise],
    name: &str,
) -> anyhow::Result<&'a Exercise> {
    find(exercises, name).with_context(|| {
        format!(
            "there is no exercise {name}: `cargo book progress` lists them, \
             with numbers such as 1.1"
        )
    })
}

fn find<'a>(exercises: &'a [Exercise], name: &str) -> Option<&'a Exercise> {
    exercises
        .iter()
        .find(|exercise| exercise.name == name || exercise.number() == name)
}

/// Puts the exercise's starter into `work/`.
///
/// # Errors
///
/// That something is there already, which stays as it is; or it cannot be
/// written.
pub fn start(course: &Course, exercise: &Exercise) -> anyhow::Result<()> {
    let sources = files(&course.root.join(exercise.folder("starter")))?;
    let is_rust = sources.iter().any(|(path, _)| path == "main.rs");
    let files = if is_rust {
        let sources = sources.into_iter();
        let sources =
            sources.map(|(path, text)| (Path::new("src").join(path), text));
        let dependencies = dependencies(course, exercise)?;
        let dependencies: Vec<&str> =
            dependencies.iter().map(String::as_str).collect();
        let name = &exercise.name;
        work::package(course, name, &dependencies, sources.collect())?
    } else {
        sources
    };
    let folder = Work::of(course).create(&exercise.name, &files)?;
    Progress::read(course)?.change(&exercise.name, |entry| {
        entry.started.get_or_insert_with(today);
    })?;
    let folder = folder.strip_prefix(&course.root).unwrap_or(&folder);
    println!("{}\n", exercise.text);
    println!(
        "It begins in {}. When you think that it is right:\n  cargo book \
         check {}",
        folder.join(if is_rust { "src/main.rs" } else { "main.py" }).display(),
        exercise.number()
    );
    Ok(())
}

/// Shows the next hint, after those that were shown already.
///
/// # Errors
///
/// That it cannot be kept how many were shown.
pub fn hint(course: &Course, exercise: &Exercise) -> anyhow::Result<()> {
    let mut progress = Progress::read(course)?;
    let all = exercise.hints.len();
    let shown = (progress.of(&exercise.name).hints + 1).min(all);
    for (hint, number) in exercise.hints[..shown].iter().zip(1..) {
        let hint = wrapped(hint, "        ");
        println!("{number} of {all}: {hint}\n");
    }
    if shown == all {
        println!(
            "These are all; `cargo book solution {}` shows the solution.",
            exercise.number()
        );
    }
    progress.change(&exercise.name, |entry| entry.hints = shown)
}

/// Shows the solution, to a learner who has solved it, or insists.
///
/// # Errors
///
/// That they do not, or it cannot be read.
pub fn solution(
    course: &Course,
    exercise: &Exercise,
    insists: bool,
) -> anyhow::Result<()> {
    let mut progress = Progress::read(course)?;
    let Entry { passed, solution, hints, .. } = progress.of(&exercise.name);
    let number = exercise.number();
    if passed.is_none() && solution.is_none() && !insists {
        let left = exercise.hints.len().saturating_sub(hints);
        let hint = match left {
            0 => String::new(),
            1 => format!(" One hint is left: `cargo book hint {number}`."),
            left => {
                format!(" {left} hints are left: `cargo book hint {number}`.")
            }
        };
        let warning = format!(
            "Exercise {number} is not solved yet, and a solution that one has \
             seen cannot be found any more.{hint}"
        );
        eprintln!("{}", wrapped(&warning, ""));
        if !confirmed()? {
            bail!("not shown; `cargo book solution {number} --yes` shows it");
        }
    }
    let folder = exercise.folder("solution");
    let mut text = String::new();
    for (path, content) in files(&course.root.join(&folder))? {
        let content = String::from_utf8_lossy(&content);
        let path = folder.join(path);
        text += &format!("{}:\n\n{content}\n", path.display());
    }
    terminal::print(&text)?;
    progress.change(&exercise.name, |entry| {
        entry.solution.get_or_insert_with(today);
    })
}

/// Whether somebody at a terminal says yes.
fn confirmed() -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("Show it? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Prints what was done and what is left, chapter by chapter.
///
/// # Errors
///
/// That it cannot be read what was done.
pub fn progress(course: &Course, exercises: &[Exercise]) -> anyhow::Result<()> {
    let progress = Progress::read(course)?;
    let mut passed = 0;
    let mut text = String::new();
    for step in &course.steps {
        let state = match &progress.of(&step.stem).passed {
            Some(day) => format!("✓ {day}, with a program of your own"),
            None => "·".to_owned(),
        };
        let Step { number, .. } = step;
        text += &format!("{number:>2}  {:<32} {state}\n", step.title());
        for exercise in exercises.iter().filter(|e| e.stem == step.stem) {
            let entry = progress.of(&exercise.name);
            passed += usize::from(entry.passed.is_some());
            text += &format!(
                "    {:<5}{:<4}{:<24}{}\n",
                exercise.number(),
                "★".repeat(exercise.stars),
                exercise.title,
                state_of(&entry)
            );
        }
    }
    text +=
        &format!("\n{passed} of {} exercises are solved.\n", exercises.len());
    terminal::print(&text)
}

fn state_of(entry: &Entry) -> String {
    let mut words = match (&entry.passed, &entry.started) {
        (Some(day), _) => vec![format!("✓ {day}")],
        (None, Some(day)) => vec![format!("begun {day}")],
        (None, None) => Vec::new(),
    };
    match entry.hints {
        0 => {}
        1 => words.push("1 hint".to_owned()),
        hints => words.push(format!("{hints} hints")),
    }
    if entry.solution.is_some() {
        words.push("solution seen".to_owned());
    }
    match words.is_empty() {
        true => "·".to_owned(),
        false => words.join(", "),
    }
}

/// The files in a folder of the book, with their paths in it, sorted.
fn files(folder: &Path) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().expect("an entry has a name");
        let content = fs::read(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        files.push((PathBuf::from(name), content));
    }
    files.sort();
    Ok(files)
}

/// The names of the packages that a chapter's exercises use.
fn dependencies(
    course: &Course,
    exercise: &Exercise,
) -> anyhow::Result<Vec<String>> {
    let chapter = Path::new(exercise::EXERCISES).join(&exercise.stem);
    let file = course.root.join(chapter.join("Cargo.toml"));
    let read = || -> anyhow::Result<toml::Table> {
        Ok(fs::read_to_string(&file)?.parse()?)
    };
    let manifest =
        read().with_context(|| format!("cannot read {}", file.display()))?;
    let dependencies = manifest.get("dependencies");
    let dependencies = dependencies.and_then(toml::Value::as_table);
    Ok(dependencies.into_iter().flat_map(toml::Table::keys).cloned().collect())
}
