//! `cargo book check`: examines a learner's programs by a contract, and tells
//! what it found.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use contract::{Contract, Flaw, Programs, Promise, Role, Verdict, examine};
use notify::{RecursiveMode, Watcher};
use serde_json::Value;

use crate::contracts::roles;
use crate::course::Course;
use crate::exercise::Exercise;
use crate::progress::{Progress, today};
use crate::terminal::{self, colored, wrapped};
use crate::work::{PROJECT, Work};

/// How long a learner's program may take for anything that it must do.
pub const LIMIT: Duration = Duration::from_secs(2);

/// How long nothing must change before programs are examined again.
const QUIET: Duration = Duration::from_millis(100);

/// The terminal's colors for what is right, and for what is wrong.
const GREEN: u8 = 2;
const RED: u8 = 1;

/// What can be checked.
pub enum Subject<'a> {
    /// The programs of a step.
    Step { stem: &'a str, number: u32 },
    /// The program of an exercise.
    Exercise(&'a Exercise),
}

impl Subject<'_> {
    /// What people call it: `Step 3`, `Exercise 1.1, Any path`.
    fn title(&self) -> String {
        match self {
            Self::Step { number, .. } => format!("Step {number}"),
            Self::Exercise(exercise) => {
                format!("Exercise {}, {}", exercise.number(), exercise.title)
            }
        }
    }

    /// What progress calls it.
    fn name(&self) -> &str {
        match self {
            Self::Step { stem, .. } => stem,
            Self::Exercise(exercise) => &exercise.name,
        }
    }

    /// The number to write in a command.
    fn number(&self) -> String {
        match self {
            Self::Step { number, .. } => number.to_string(),
            Self::Exercise(exercise) => exercise.number(),
        }
    }

    fn contract(&self) -> anyhow::Result<&'static Contract> {
        let name = self.name();
        contract::find(name)
            .with_context(|| format!("there is no contract for {name} yet"))
    }
}

/// How the learner said that their programs are started.
pub struct Given {
    pub server: Option<String>,
    pub client: Option<String>,
    /// How long a program may take for anything.
    pub limit: Duration,
}

/// Examines the programs, prints what was found, and keeps it if all is right.
/// Returns whether it is.
///
/// # Errors
///
/// That there is no program to examine, or it cannot be built.
pub fn check(
    course: &Course,
    subject: &Subject,
    given: &Given,
) -> anyhow::Result<bool> {
    let contract = subject.contract()?;
    let found = find_programs(course, subject, contract, given)?;
    let mut text = subject.title();
    for role in [Role::Server, Role::Client] {
        if found.examined.contains(&role)
            && let Some(words) = found.programs.get(role)
        {
            text += &format!(" · {role}: {}", shown(words, course));
        }
    }
    terminal::print(&format!("{text}\n\n"))?;

    let mut report = Report::default();
    let promises = contract.promises.iter().filter(|promise| {
        promise.takes.iter().any(|role| found.examined.contains(role))
    });
    let others = contract.promises.len() - promises.clone().count();
    let mut printed = Ok(());
    examine(promises, &found.programs, given.limit, &mut |promise, verdict| {
        let text = report.add(promise, verdict);
        if printed.is_ok() {
            printed = terminal::print(&text);
        }
    });
    printed?;
    let mut text = format!("\n{}\n", report.summary());
    let role = found.partner();
    if found.own_partner {
        text += &format!(
            "Where it takes a {role} as well, that was the book's own.\n"
        );
    }
    if others > 0 {
        text += &format!(
            "Promises about the {role} alone: {others}. `cargo book check {} \
             --{role} CMD` examines them.\n",
            subject.number()
        );
    }
    terminal::print(&text)?;
    let is_right = report.broken == 0 && report.kept > 0;
    if is_right {
        let keep = || {
            Progress::read(course)?.change(subject.name(), |entry| {
                entry.passed.get_or_insert_with(today);
            })
        };
        // What was found stands all the same.
        if let Err(error) = keep() {
            eprintln!("this is not kept: {error:#}");
        }
    } else if let Subject::Exercise(exercise) = subject {
        println!("`cargo book hint {}` helps.", exercise.number());
    }
    Ok(is_right)
}

/// Checks again whenever a file changes that the programs are made of, until
/// it is interrupted.
///
/// # Errors
///
/// That the files cannot be watched.
pub fn watch(
    course: &Course,
    subject: &Subject,
    given: &Given,
) -> anyhow::Result<()> {
    let (sender, changes) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(
        move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            let is_source = |path: &PathBuf| {
                !path.components().any(|part| part.as_os_str() == "target")
                    && !path.to_string_lossy().contains("/.")
            };
            if !event.kind.is_access() && event.paths.iter().any(is_source) {
                // Nobody listens any more when this ends.
                let _ = sender.send(());
            }
        },
    )?;
    let mut watched = BTreeSet::new();
    loop {
        if io::stdout().is_terminal() {
            // Clear the screen, and go to its first line.
            print!("\x1b[2J\x1b[H");
        }
        // Each time: what is there to watch may have been made meanwhile.
        for path in sources(course, subject, given) {
            if !watched.contains(&path) && path.exists() {
                watcher.watch(&path, RecursiveMode::Recursive).with_context(
                    || format!("cannot watch {}", path.display()),
                )?;
                watched.insert(path);
            }
        }
        ensure!(!watched.is_empty(), "there is no file to watch");
        if let Err(error) = check(course, subject, given) {
            println!("{error:#}");
        }
        println!("\nwaiting for a change (Ctrl-C ends this)");
        changes.recv().expect("the watcher lives as long as this");
        while changes.recv_timeout(QUIET).is_ok() {}
    }
}

/// What the programs are made of: folders and files to watch.
fn sources(course: &Course, subject: &Subject, given: &Given) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for command in [&given.server, &given.client].into_iter().flatten() {
        for word in shlex::split(command).unwrap_or_default() {
            if let Ok(path) = Path::new(&word).canonicalize()
                && (path.is_dir() || path.is_file())
            {
                paths.push(match path.is_dir() && path.join("src").is_dir() {
                    true => path.join("src"),
                    false => path,
                });
            }
        }
    }
    if given.server.is_none() && given.client.is_none() {
        paths.push(own_folder(course, subject));
    }
    paths
}

/// What was found out so far.
#[derive(Default)]
struct Report {
    kept: usize,
    broken: usize,
    /// Those that cannot be examined on this machine.
    open: usize,
    /// What was told already.
    told: Vec<Flaw>,
}

impl Report {
    /// What to print about a promise.
    fn add(&mut self, promise: &Promise, verdict: Verdict) -> String {
        let says = wrapped(promise.says, "  ");
        match verdict {
            Verdict::Kept => {
                self.kept += 1;
                format!("{} {says}\n", colored("✓", GREEN))
            }
            Verdict::NotExamined(why) => {
                self.open += 1;
                format!("– {says}\n  not examined: {why}\n")
            }
            Verdict::Broken(flaw) => {
                self.broken += 1;
                let mut text = format!("{} {says}\n", colored("✗", RED));
                // Often one mistake breaks many promises.
                if self.told.iter().any(|told| is_same(told, &flaw)) {
                    return text + &format!("  as above: {}\n", flaw.got);
                }
                for line in &flaw.transcript {
                    text += &format!("    {line}\n");
                }
                text += &format!("  expected: {}\n", flaw.expected);
                text += &format!("  but:      {}\n", flaw.got);
                for hint in &flaw.hints {
                    text += &format!("  → {}\n", wrapped(hint, "    "));
                }
                self.told.push(flaw);
                text
            }
        }
    }

    fn summary(&self) -> String {
        let all = self.kept + self.broken;
        let mut text = match (self.broken, self.kept) {
            (0, 0) => "Nothing could be examined.".to_owned(),
            (0, _) => format!("All {all} promises are kept."),
            (1, _) => format!("1 of {all} promises is broken."),
            (broken, _) => format!("{broken} of {all} promises are broken."),
        };
        if self.open > 0 {
            text += &format!(" {} could not be examined here.", self.open);
        }
        text
    }
}

/// Whether there is nothing more to say about one than about the other.
fn is_same(one: &Flaw, other: &Flaw) -> bool {
    let crashed = one.has_crashed && other.has_crashed;
    one.got == other.got
        && one.hints == other.hints
        && (crashed || one.expected == other.expected)
}

/// The programs to examine.
struct Found {
    programs: Programs,
    /// Which of them are the learner's.
    examined: Vec<Role>,
    /// Whether the other one is the book's.
    own_partner: bool,
}

impl Found {
    /// The role that is not examined, or the server.
    fn partner(&self) -> Role {
        match self.examined.contains(&Role::Server) {
            true => Role::Client,
            false => Role::Server,
        }
    }
}

fn find_programs(
    course: &Course,
    subject: &Subject,
    contract: &Contract,
    given: &Given,
) -> anyhow::Result<Found> {
    let roles = roles(contract);
    let mut programs = Programs::default();
    let mut examined = Vec::new();
    for (role, command) in
        [(Role::Server, &given.server), (Role::Client, &given.client)]
    {
        let Some(command) = command else { continue };
        ensure!(
            roles.contains(&role),
            "{} is about a {}: give it as --{}",
            subject.title(),
            roles[0],
            roles[0]
        );
        let words = words(command, role)
            .with_context(|| format!("--{role} {command:?}"))?;
        *slot(&mut programs, role) = Some(words);
        examined.push(role);
    }
    if examined.is_empty() {
        let folder = own_folder(course, subject);
        if !folder.exists() {
            let folder = folder.strip_prefix(&course.root).unwrap_or(&folder);
            bail!(nothing_to_check(subject, &roles, folder));
        }
        let script = folder.join("main.py");
        if script.is_file() {
            let words = vec!["python3".to_owned(), utf8(&script)?];
            *slot(&mut programs, roles[0]) = Some(words);
            return Ok(Found { programs, examined: roles, own_partner: false });
        }
        let built = build(&folder)?;
        for &role in &roles {
            match pick(&built, role) {
                Ok(program) => {
                    *slot(&mut programs, role) = Some(vec![program]);
                    examined.push(role);
                }
                // One after the other: the client comes in chapter 3.
                Err(_) if roles.len() > 1 => {}
                Err(error) => return Err(error),
            }
        }
        ensure!(
            !examined.is_empty(),
            "{} has no program that is called server or client",
            folder.display()
        );
    }
    let mut own_partner = false;
    if let (Subject::Step { number, .. }, Some(&partner)) =
        (subject, roles.iter().find(|role| !examined.contains(role)))
        && contract.promises.iter().any(|promise| promise.takes.len() > 1)
    {
        let name = format!("step{number}-{partner}");
        let package = format!("step{number}");
        let built = cargo_build(&course.root, &["-p", &package])?;
        let program = built.into_iter().find(|(binary, _)| *binary == name);
        let (_, program) = program.context("the step has no such program")?;
        *slot(&mut programs, partner) = Some(vec![program]);
        own_partner = true;
    }
    Ok(Found { programs, examined, own_partner })
}

fn slot(programs: &mut Programs, role: Role) -> &mut Option<Vec<String>> {
    match role {
        Role::Server => &mut programs.server,
        Role::Client => &mut programs.client,
    }
}

/// Where a learner's program is looked for who names none.
fn own_folder(course: &Course, subject: &Subject) -> PathBuf {
    let work = Work::of(course);
    match subject {
        Subject::Step { .. } => work.path().join(PROJECT),
        Subject::Exercise(exercise) => work.path().join(&exercise.name),
    }
}

fn nothing_to_check(
    subject: &Subject,
    roles: &[Role],
    folder: &Path,
) -> String {
    let number = subject.number();
    let begin = match subject {
        Subject::Step { .. } => {
            format!("`cargo book catch-up {number}` puts a project there, or")
        }
        Subject::Exercise(_) => {
            format!("`cargo book start {number}` puts a start there, or")
        }
    };
    format!(
        "there is no {}: {begin} say how your program is started: `cargo book \
         check {number} --{} \"./mine\"`",
        folder.display(),
        roles[0]
    )
}

/// How a program is started, from what the learner typed: with absolute
/// paths, since it runs in a folder of its own. A folder is a Cargo package,
/// and built first.
fn words(command: &str, role: Role) -> anyhow::Result<Vec<String>> {
    let words = shlex::split(command).context("a quote is not closed")?;
    let Some((program, arguments)) = words.split_first() else {
        bail!("this is empty: say how the program is started");
    };
    let path = Path::new(program);
    let mut found = Vec::new();
    if path.is_dir() {
        ensure!(
            path.join("Cargo.toml").is_file(),
            "this is a folder without a Cargo.toml: name the program in it"
        );
        found.push(pick(&build(path)?, role)?);
    } else if program.contains('/') {
        let file = path.canonicalize().map_err(|error| {
            anyhow::anyhow!("there is no program {program}: {error}")
        })?;
        ensure!(
            is_executable(&file),
            "{program} cannot be run: `chmod +x {program}`, or put its \
             interpreter first, as in \"python3 {program}\""
        );
        found.push(utf8(&file)?);
    } else {
        let folders = env::var_os("PATH").unwrap_or_default();
        let is_installed = env::split_paths(&folders)
            .any(|folder| is_executable(&folder.join(program)));
        ensure!(
            is_installed,
            "there is no program {program} on your PATH; a file in this \
             folder is called ./{program}"
        );
        found.push(program.clone());
    }
    for argument in arguments {
        match Path::new(argument).canonicalize() {
            Ok(file) if file.is_file() => found.push(utf8(&file)?),
            _ => found.push(argument.clone()),
        }
    }
    Ok(found)
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|file| {
        file.is_file() && file.permissions().mode() & 0o111 != 0
    })
}

fn utf8(path: &Path) -> anyhow::Result<String> {
    match path.to_str() {
        Some(path) => Ok(path.to_owned()),
        None => bail!("{} is not UTF-8", path.display()),
    }
}

/// The program for a role among those of a package: the one that is called so,
/// or the only one.
fn pick(built: &[(String, String)], role: Role) -> anyhow::Result<String> {
    let name = role.to_string();
    let found = match built {
        [(_, only)] => Some(only),
        all => {
            let named = all.iter().find(|(binary, _)| {
                *binary == name || binary.ends_with(&format!("-{name}"))
            });
            named.map(|(_, file)| file)
        }
    };
    found.cloned().with_context(|| {
        let names: Vec<&str> =
            built.iter().map(|(name, _)| name.as_str()).collect();
        format!(
            "none of its programs ({}) is called {name}: it is \
             src/bin/{name}.rs",
            names.join(", ")
        )
    })
}

/// Builds the package in a folder; gives its programs, by name.
fn build(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let built = cargo_build(folder, &[])?;
    ensure!(
        !built.is_empty(),
        "{} has no program: it needs a src/main.rs, or files in src/bin",
        folder.display()
    );
    Ok(built)
}

/// Runs `cargo build` in a folder. What Cargo and the compiler say goes to the
/// standard error, where it is read.
fn cargo_build(
    folder: &Path,
    arguments: &[&str],
) -> anyhow::Result<Vec<(String, String)>> {
    let cargo = env::var_os("CARGO").unwrap_or(OsString::from("cargo"));
    let mut child = Command::new(cargo)
        .current_dir(folder)
        .args(["build", "--quiet"])
        .arg("--message-format=json-render-diagnostics")
        .args(arguments)
        // What is set for the book's own package is not for the learner's.
        .env_remove("CARGO_MANIFEST_DIR")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    let mut messages = String::new();
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_to_string(&mut messages).context("cannot read from cargo")?;
    let status = child.wait().context("cannot wait for cargo")?;
    ensure!(status.success(), "{} does not build", folder.display());
    let mut built = Vec::new();
    for message in messages.lines() {
        let message: Value =
            serde_json::from_str(message).context("cargo printed no JSON")?;
        if let (Some(name), Some(file)) =
            (message["target"]["name"].as_str(), message["executable"].as_str())
        {
            built.push((name.to_owned(), file.to_owned()));
        }
    }
    Ok(built)
}

/// A program as one would type it in the repository.
fn shown(words: &[String], course: &Course) -> String {
    let root = format!("{}/", course.root.display());
    let words = words.iter().map(|word| word.replace(&root, ""));
    shlex::try_join(words.collect::<Vec<_>>().iter().map(String::as_str))
        .unwrap_or_default()
}
