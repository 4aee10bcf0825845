//! The steps' programs, as Cargo has just built them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;

use harness::Sandbox;
use regex::{Captures, Regex};
use serde_json::Value;

use super::{Event, TOOLS, Transcript};
use crate::course::Course;
use crate::problem::Problem;

/// How a command names a program of a step: by `cargo run`, or by its path
/// under the repository.
static PROGRAM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        \bcargo\ run (?:\ -q|\ --quiet)? \ -p\ (?<package>step[0-9]+)\b
            (?:\ --bin\ (?<bin>[a-z0-9-]+))? (?:\ --(?<end>\ |$))?
        | (?:\./)? \btarget/debug/(?<path>(?<of>step[0-9]+)-[a-z0-9-]+)",
    )
    .expect("the pattern is right")
});

/// Whether all programs in a command are named as [`PROGRAM`] says.
pub fn check(command: &str) -> Result<(), String> {
    let rest = PROGRAM.replace_all(command, "");
    if rest.contains("cargo ") || rest.contains("target/") {
        return Err("a program of a step is run by `cargo run [-q] -p stepN \
                    [--bin stepN-NAME] [-- ARGUMENTS]` or \
                    `target/debug/stepN-NAME`"
            .to_owned());
    }
    Ok(())
}

/// The package and the binary that a match of [`PROGRAM`] names.
fn named<'c>(program: &'c Captures) -> (&'c str, String) {
    if let (Some(package), Some(path)) =
        (program.name("of"), program.name("path"))
    {
        return (package.as_str(), path.as_str().to_owned());
    }
    let package = &program["package"];
    let binary = match program.name("bin") {
        Some(binary) => binary.as_str().to_owned(),
        None => format!("{package}-server"),
    };
    (package, binary)
}

/// The programs that some transcripts name, built and ready to run.
pub struct Programs {
    /// A directory with a symbolic link to each, so that a command can name
    /// them without quotes, wherever the repository lies.
    links: Sandbox,
    /// Where Cargo puts them: `…/target/debug`.
    target: Option<String>,
}

impl Programs {
    /// Builds all programs that `transcripts` name, in one run of Cargo, which
    /// knows what is stale.
    ///
    /// # Errors
    ///
    /// A step or a program that does not exist, with the place where it is
    /// named; or what the compiler says.
    pub fn build(
        course: &Course,
        transcripts: &[Transcript],
    ) -> Result<Self, Vec<Problem>> {
        Self::build_telling(course, transcripts, &mut |_| {})
    }

    /// The same, and tells each line that Cargo prints while it builds.
    ///
    /// # Errors
    ///
    /// Those of [`Programs::build`].
    pub fn build_telling(
        course: &Course,
        transcripts: &[Transcript],
        tell: &mut dyn FnMut(&str),
    ) -> Result<Self, Vec<Problem>> {
        let mut packages = BTreeSet::new();
        // Those that somebody runs who may not enter the target folder.
        let mut copied = BTreeSet::new();
        let mut problems = Vec::new();
        for transcript in transcripts {
            for (index, entry) in transcript.entries.iter().enumerate() {
                let Event::Command(command) = &entry.event else { continue };
                for program in PROGRAM.captures_iter(command) {
                    let (package, binary) = named(&program);
                    if course.has(package, &binary) {
                        packages.insert(package.to_owned());
                        if transcript.unprivileged {
                            copied.insert(binary);
                        }
                    } else {
                        problems.push(Problem::new(
                            &transcript.file,
                            transcript.line_of(index),
                            format!("no step has the program {binary}"),
                        ));
                    }
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let built = if packages.is_empty() {
            BTreeMap::new()
        } else {
            build(&course.root, &packages, tell).map_err(|message| {
                vec![Problem::new("Cargo.toml", 0, message)]
            })?
        };
        let links = Sandbox::new();
        for (binary, file) in &built {
            if copied.contains(binary) {
                links.copy_for_all(file);
            } else {
                symlink(file, links.join(binary))
                    .expect("cannot make a link in the sandbox");
            }
        }
        let target = built
            .values()
            .next()
            .and_then(|file| Path::new(file).parent()?.to_str())
            .map(str::to_owned);
        Ok(Self { links, target })
    }

    /// A command as the shell gets it.
    pub(super) fn resolve(&self, command: &str) -> String {
        let resolved = PROGRAM.replace_all(command, |program: &Captures| {
            let (_, binary) = named(program);
            let file = self.links.join(binary);
            // The ` --` before a program's own arguments was for Cargo.
            let end = program.name("end").map_or("", |end| end.as_str());
            format!("{}{end}", file.display())
        });
        // Where the command is one program and no more, the shell makes way
        // for it, so that the process we know is the program itself.
        let first = resolved.split(' ').next().unwrap_or_default();
        let is_program = Path::new(first).starts_with(self.links.path())
            || TOOLS.contains(&first);
        if is_program && !resolved.contains(['|', '&', ';', '`', '(']) {
            return format!("exec {resolved}");
        }
        resolved.into_owned()
    }

    /// A printed line in which programs have the paths that a reader would
    /// see.
    pub(super) fn restore(&self, line: &str) -> String {
        let line = line
            .replace(&self.links.path().display().to_string(), "target/debug");
        match &self.target {
            Some(target) => line.replace(target, "target/debug"),
            None => line,
        }
    }
}

/// Builds `packages` in the workspace at `root`; gives the files of their
/// programs, by name.
fn build(
    root: &Path,
    packages: &BTreeSet<String>,
    tell: &mut dyn FnMut(&str),
) -> Result<BTreeMap<String, String>, String> {
    let cannot_run = |error| format!("cannot run cargo: {error}");
    // Set by Cargo for all that it runs: `cargo book`, `cargo test`.
    let cargo = std::env::var_os("CARGO").unwrap_or(OsString::from("cargo"));
    let mut child = Command::new(cargo)
        .current_dir(root)
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(packages.iter().flat_map(|package| ["-p", package]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot_run)?;
    let mut stdout = child.stdout.take().expect("it is piped");
    let messages = thread::spawn(move || {
        let mut messages = String::new();
        stdout.read_to_string(&mut messages).map(|_| messages)
    });
    let mut said = String::new();
    let stderr = child.stderr.take().expect("it is piped");
    for line in BufReader::new(stderr).lines() {
        let line = line.map_err(cannot_run)?;
        tell(&line);
        said += &format!("{line}\n");
    }
    let status = child.wait().map_err(cannot_run)?;
    let messages =
        messages.join().expect("it does not panic").map_err(cannot_run)?;
    if !status.success() {
        return Err(format!("cannot build the steps:\n{}", said.trim_end()));
    }
    let mut built = BTreeMap::new();
    for message in messages.lines() {
        let message: Value = serde_json::from_str(message)
            .map_err(|error| format!("cargo printed no JSON: {error}"))?;
        if let (Some(file), Some(name)) =
            (message["executable"].as_str(), message["target"]["name"].as_str())
        {
            built.insert(name.to_owned(), file.to_owned());
        }
    }
    Ok(built)
}
