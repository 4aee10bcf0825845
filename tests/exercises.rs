//! The exercises examine themselves: each solution keeps its contract, each
//! starter does not, and each program that is wrong on purpose breaks the
//! promises that it should, with the words that it should, and no others.
//!
//! This file belongs to the exercises of all chapters. Those that it is built
//! for are known by their folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;
use std::time::Duration;

use contract::{Contract, Programs, Role, Verdict, examine};
use libtest_mimic::{Arguments, Failed, Trial};
use serde::Deserialize;

/// How long a program may take for anything: a learner's.
const LIMIT: Duration = Duration::from_secs(2);

/// How many programs are examined at the same time, unless Cargo is told.
const AT_ONCE: usize = 8;

/// What `exercises.toml` says of an exercise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exercise {
    /// `server` or `client`: what the program is.
    program: String,
    /// Three, from where to look to the shape of the code.
    hints: [String; 3],
    #[serde(default)]
    wrong: BTreeMap<String, Wrong>,
}

/// What a program does not do that is wrong on purpose.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Wrong {
    /// The promises that it breaks.
    breaks: BTreeSet<String>,
    /// Words in the report of one of them.
    says: String,
}

/// The wrong programs of the step, `step/wrong/server.rs` and `client.rs`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    server: BTreeMap<String, Wrong>,
    #[serde(default)]
    client: BTreeMap<String, Wrong>,
}

#[derive(Deserialize)]
struct Chapter {
    #[serde(default)]
    step: Step,
    #[serde(flatten)]
    exercises: BTreeMap<String, Exercise>,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // These tests wait more than they work.
    arguments.test_threads.get_or_insert(AT_ONCE);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let stem = folder.file_name().and_then(|stem| stem.to_str());
    let stem = stem.expect("the folder of a chapter's exercises");
    let file = folder.join("exercises.toml");
    let text = std::fs::read_to_string(&file).expect("exercises.toml");
    let chapter: Chapter = toml::from_str(&text)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));

    let mut trials = Vec::new();
    let of_step = contract::find(stem).expect("each step has a contract");
    let package = env!("CARGO_PKG_NAME");
    let number = package.trim_start_matches(char::is_alphabetic).to_owned();
    for (role, wrongs) in [
        (Role::Server, chapter.step.server),
        (Role::Client, chapter.step.client),
    ] {
        for (fault, wrong) in wrongs {
            let binary = format!("step{number}-wrong-{role}");
            trials.push(Trial::test(
                format!("the step's {role} is wrong: {fault}"),
                move || {
                    let words = vec![program(&binary)?, fault];
                    expect_flaws(of_step, role, words, &wrong)
                },
            ));
        }
    }
    let contracts = contract::CHAPTERS
        .iter()
        .find(|contracts| contracts[0].id == stem)
        .expect("each chapter has contracts");
    let names = contracts[1..].iter().map(|contract| contract.id);
    assert_eq!(
        names.collect::<BTreeSet<_>>(),
        chapter.exercises.keys().map(String::as_str).collect(),
        "the exercises in {} and those with a contract",
        file.display()
    );
    for (name, exercise) in chapter.exercises {
        let contract = contract::find(&name).expect("it was compared");
        let role = match exercise.program.as_str() {
            "server" => Role::Server,
            "client" => Role::Client,
            other => panic!("{name}: no program is a {other}"),
        };
        assert!(exercise.hints.iter().all(|hint| !hint.is_empty()), "{name}");
        assert!(!exercise.wrong.is_empty(), "{name}: what may be wrong?");
        let folder = folder.join(&name);
        let first = trials.len();
        let solution = command(&folder.join("solution"), &name);
        trials.push(Trial::test(format!("{name}: the solution"), move || {
            let flaws = flaws(contract, role, solution?, harness::DEADLINE)?;
            match flaws.is_empty() {
                true => Ok(()),
                false => Err(Failed::from(list(&flaws))),
            }
        }));
        let starter = command(&folder.join("starter"), &name);
        trials.push(Trial::test(format!("{name}: the starter"), move || {
            match flaws(contract, role, starter?, LIMIT)?.is_empty() {
                true => Err(Failed::from("it keeps the contract already")),
                false => Ok(()),
            }
        }));
        for (fault, wrong) in exercise.wrong {
            let wrong_program = command(&folder.join("wrong"), &name);
            trials.push(Trial::test(
                format!("{name}: wrong: {fault}"),
                move || {
                    let mut words = wrong_program?;
                    words.push(fault);
                    expect_flaws(contract, role, words, &wrong)
                },
            ));
        }
        if folder.join("solution/main.py").is_file()
            && python().is_err()
            && std::env::var_os("CI").is_none()
        {
            let skipped = trials.drain(first..).map(|trial| {
                trial.with_kind("needs python3").with_ignored_flag(true)
            });
            let skipped: Vec<_> = skipped.collect();
            trials.extend(skipped);
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// How the program in a folder is started, `main.rs` or `main.py`.
fn command(folder: &Path, exercise: &str) -> Result<Vec<String>, String> {
    let script = folder.join("main.py");
    if script.is_file() {
        return Ok(vec![python()?, utf8(script)]);
    }
    let kind = folder.file_name().and_then(|name| name.to_str());
    let kind = kind.expect("starter, solution or wrong");
    Ok(vec![program(&format!("{exercise}-{kind}"))?])
}

/// The interpreter itself: `python3` may be a script that looks for it, which
/// takes longer than a learner's program may take for anything.
fn python() -> Result<String, String> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let script = "import sys; print(sys.executable, end='')";
        let output = Command::new("python3").args(["-c", script]).output();
        let output = output.ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    });
    found.clone().ok_or_else(|| "it needs python3".to_owned())
}

/// A binary of this package: Cargo has built it before this test, and put it
/// one folder above.
fn program(name: &str) -> Result<String, String> {
    let test = std::env::current_exe().expect("this test is a file");
    let folder = test.parent().and_then(Path::parent);
    let file = folder.expect("target/debug").join(name);
    match file.is_file() {
        true => Ok(utf8(file)),
        false => Err(format!("no [[bin]] of this package is called {name}")),
    }
}

fn utf8(path: PathBuf) -> String {
    path.into_os_string().into_string().expect("a path that is UTF-8")
}

/// The promises that a program does not keep, each with its report.
fn flaws(
    contract: &Contract,
    role: Role,
    words: Vec<String>,
    limit: Duration,
) -> Result<BTreeMap<&'static str, String>, Failed> {
    let mut programs = Programs::default();
    match role {
        Role::Server => programs.server = Some(words),
        Role::Client => programs.client = Some(words),
    }
    let mut flaws = BTreeMap::new();
    let mut unknown = Vec::new();
    examine(contract.promises, &programs, limit, &mut |promise, verdict| {
        match verdict {
            Verdict::Kept => {}
            Verdict::Broken(flaw) => {
                flaws.insert(promise.id, flaw.to_string());
            }
            // A step's promises about the other program.
            Verdict::NotExamined(_) if !promise.takes.contains(&role) => {}
            Verdict::NotExamined(_) if promise.takes.len() > 1 => {}
            Verdict::NotExamined(why) => unknown.push((promise.id, why)),
        }
    });
    match unknown.is_empty() {
        true => Ok(flaws),
        false => Err(Failed::from(format!("not examined: {unknown:?}"))),
    }
}

fn expect_flaws(
    contract: &Contract,
    role: Role,
    words: Vec<String>,
    wrong: &Wrong,
) -> Result<(), Failed> {
    let flaws = flaws(contract, role, words, LIMIT)?;
    let broken: BTreeSet<String> =
        flaws.keys().map(|id| id.to_string()).collect();
    if broken != wrong.breaks {
        return Err(Failed::from(format!(
            "it should break {:?}, and breaks {broken:?}\n{}",
            wrong.breaks,
            list(&flaws)
        )));
    }
    if !flaws.values().any(|report| report.contains(&wrong.says)) {
        return Err(Failed::from(format!(
            "no report says {:?}:\n{}",
            wrong.says,
            list(&flaws)
        )));
    }
    Ok(())
}

fn list(flaws: &BTreeMap<&str, String>) -> String {
    flaws.iter().map(|(id, flaw)| format!("{id}\n{flaw}")).collect()
}
