//! What a learner has done, kept in `work/progress.toml`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use jiff::Zoned;
use serde::{Deserialize, Serialize};

use crate::course::Course;
use crate::work::Work;

/// What a learner has done, by the names of exercises (`any-path`) and the
/// stems of steps (`01-bind`).
#[derive(Debug)]
pub struct Progress {
    path: PathBuf,
    entries: BTreeMap<String, Entry>,
}

/// What a learner has done of an exercise or a step.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The day on which it was started, such as `2026-11-23`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// The day on which all of it was right for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<String>,
    /// How many hints were shown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hints: usize,
    /// The day on which the solution was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<String>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Progress {
    /// Reads what was kept; nothing, if nothing was.
    ///
    /// # Errors
    ///
    /// That the file cannot be read or understood. It stays as it is.
    pub fn read(course: &Course) -> anyhow::Result<Self> {
        let path = Work::of(course).path().join("progress.toml");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::NotADirectory
                ) =>
            {
                String::new()
            }
            Err(error) => {
                return Err(error).with_context(|| {
                    format!("cannot read {}", path.display())
                });
            }
        };
        let entries = match toml::from_str(&text) {
            Ok(entries) => entries,
            Err(error) => bail!(
                "{}: {}: mend it, or move it away to begin again",
                path.display(),
                error.to_string().trim_end()
            ),
        };
        Ok(Self { path, entries })
    }

    /// What was done of this exercise or step.
    pub fn of(&self, name: &str) -> Entry {
        self.entries.get(name).cloned().unwrap_or_default()
    }

    /// All that was done, by name.
    pub fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }

    /// Changes what was done of an exercise or a step, and keeps it.
    ///
    /// # Errors
    ///
    /// That the file cannot be written. The old one stays as it was.
    pub fn change(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Entry),
    ) -> anyhow::Result<()> {
        change(self.entries.entry(name.to_owned()).or_default());
        self.write()
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn write(&self) -> anyhow::Result<()> {
        let mut text = String::from(
            "# What you have done: kept by `cargo book`, shown by `cargo book \
             progress`.\n",
        );
        for (name, entry) in &self.entries {
            let Entry { started, passed, hints, solution } = entry;
            writeln!(text, "\n[{name}]")?;
            let days = [
                ("started", started),
                ("passed", passed),
                ("solution", solution),
            ];
            for (key, day) in days {
                if let Some(day) = day {
                    writeln!(text, "{key} = {day:?}")?;
                }
            }
            if *hints > 0 {
                writeln!(text, "hints = {hints}")?;
            }
        }
        let folder = self.path.parent().expect("it is a file in work/");
        fs::create_dir_all(folder)?;
        // Whole or not at all, also when the disk is full.
        let mut file = tempfile::Builder::new()
            .prefix(".unfinished-progress-")
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }
}

/// Today, as it is kept: `2026-11-23`.
pub fn today() -> String {
    Zoned::now().date().to_string()
}
