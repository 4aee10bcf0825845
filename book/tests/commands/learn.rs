//! `cargo book check`, `start`, `hint`, `solution` and `progress`, with the
//! exercises of chapter 1.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::{Exit, Program, Signal};

use crate::repository::Repository;

const CHAPTER: &str = "\
# Bind

{{#listing 01-bind server}}

{{#contract}}

★ **Any path.** Take the path
from the command line.

{{#exercise any-path}}

★★ **Five causes.** Say what to do.

{{#exercise five-causes}}

★★★ **Is anybody there?** Say what is at a path.

{{#exercise is-anybody-there}}
";

/// The real repository.
fn real() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A repository with the exercises of chapter 1.
fn course() -> Repository {
    let repository = Repository::new();
    let copy = |name: &str| {
        repository.write(name, &fs::read_to_string(real().join(name)).unwrap());
    };
    copy("Cargo.toml");
    copy("Cargo.lock");
    for file in ["exercises.toml", "Cargo.toml"] {
        copy(&format!("exercises/01-bind/{file}"));
    }
    for exercise in ["any-path", "five-causes", "is-anybody-there"] {
        for kind in ["starter", "solution"] {
            copy(&format!("exercises/01-bind/{exercise}/{kind}/main.rs"));
        }
    }
    fs::remove_dir_all(repository.path("steps/01-one")).unwrap();
    fs::remove_file(repository.path("book/chapters/01-one.md")).unwrap();
    copy("steps/01-bind/Cargo.toml");
    copy("steps/01-bind/src/bin/server.rs");
    repository.write(
        "book/chapters/SUMMARY.md",
        "[Preface](preface.md)\n[Bind](01-bind.md)\n",
    );
    repository.write("book/chapters/01-bind.md", CHAPTER);
    repository
}

/// A command that may build: with Cargo's own folders, but without a network.
fn command(repository: &Repository, arguments: &[&str]) -> Command {
    let mut command = repository.command(arguments);
    let home = std::env::var_os("HOME").unwrap_or_default();
    for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")]
    {
        let own = std::env::var_os(name).map(PathBuf::from);
        command.env(name, own.unwrap_or(Path::new(&home).join(folder)));
    }
    command.env("CARGO_NET_OFFLINE", "true");
    command
}

/// What a command prints, and its exit code.
fn run(repository: &Repository, arguments: &[&str]) -> (String, i32) {
    let output = command(repository, arguments).output().unwrap();
    let Output { status, stdout, stderr } = output;
    let text = String::from_utf8([stdout, stderr].concat()).unwrap();
    (text, status.code().unwrap())
}

/// Expects a command to end with this code and to print these things.
#[track_caller]
fn expect(
    repository: &Repository,
    arguments: &[&str],
    code: i32,
    says: &[&str],
) -> String {
    let (text, ended) = run(repository, arguments);
    for part in says {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert_eq!(ended, code, "{text}");
    text
}

/// A program in the repository, made of these lines for the shell.
fn script(repository: &Repository, name: &str, lines: &str) {
    repository.write(name, &format!("#!/bin/sh\n{lines}\n"));
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(repository.path(name), mode).unwrap();
}

/// The server of step 1.
fn step1() -> String {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "step1"])
        .current_dir(real())
        .status();
    assert!(built.unwrap().success());
    let book = assert_cmd::cargo::cargo_bin!("book");
    let program = book.with_file_name("step1-server");
    program.to_str().unwrap().to_owned()
}

#[test]
fn a_program_that_keeps_every_promise_passes() {
    let course = course();
    let check = ["check", "1", "--server", &step1()];
    let says = [
        "Step 1 · server: ",
        "✓ The server prints `listening on mysocket`",
        "All 10 promises are kept.",
    ];
    let text = expect(&course, &check, 0, &says);
    assert!(!text.contains('✗'), "{text}");
    // By its stem and by a path from where it is called, too.
    fs::copy(step1(), course.path("mine")).unwrap();
    expect(&course, &["check", "01-bind", "--server", "./mine"], 0, &[]);
    expect(&course, &["progress"], 0, &["1  Bind", "with a program of your"]);
}

#[test]
fn a_report_says_what_was_done_and_expected_and_what_came() {
    let course = course();
    script(&course, "mine", "echo listening on mysocket; echo and more");
    let says = [
        "✗ The server prints `listening on mysocket`, nothing else",
        "    server$ mine\n    server| listening on mysocket\n    \
         server| and more\n    server? 0\n",
        "  expected: one line, and no more\n",
        "  but:      server| and more\n",
        "promises are broken.",
    ];
    let check = ["check", "1", "--server", "./mine"];
    expect(&course, &check, 1, &says);
    expect(
        &course,
        &["progress"],
        0,
        &["1  Bind                             ·\n"],
    );
}

#[test]
fn special_cases_have_words_of_their_own() {
    let course = course();
    let cases = [
        ("exec sleep 60", "nothing listens: there is no socket `mysocket`"),
        ("echo listening on mysocket; exec sleep 60", "it still runs after"),
        ("echo >&2; echo >&2 not yet implemented; exit 101", "a `todo!()`"),
        ("kill -SEGV $$", "killed by signal 11 (SIGSEGV)"),
        ("kill -PIPE $$", "and SIGPIPE ended"),
        ("exit 3", "the server has ended: exit code 3"),
    ];
    for (lines, says) in cases {
        script(&course, "mine", lines);
        // What is not printed soon is not printed at all.
        let check = ["check", "1", "--limit", "0.5", "--server", "./mine"];
        let text = expect(&course, &check, 1, &[says]);
        assert!(text.contains("server$ mine"), "{text}");
    }
}

#[test]
fn what_cannot_be_examined_is_said_with_what_to_do() {
    let course = course();
    course.write("file", "no program");
    fs::create_dir(course.path("folder")).unwrap();
    let cases: [(&[&str], &str); 12] = [
        (&["1"], "there is no work/unix_sockets: `cargo book catch-up 1`"),
        (&["1.1"], "there is no work/any-path: `cargo book start 1.1`"),
        (&["2"], "a step is a number from 1 to 1"),
        (&["1.4"], "an exercise one such as 1.1"),
        (&["1", "--server", "./none"], "there is no program ./none"),
        (&["1", "--server", "./file"], "`chmod +x ./file`"),
        (&["1", "--server", "none-such"], "no program none-such on your PATH"),
        (&["1", "--server", "folder"], "a folder without a Cargo.toml"),
        (&["1", "--server", "'"], "a quote is not closed"),
        (&["1", "--server", ""], "this is empty"),
        (&["1", "--client", "true"], "is about a server: give it as --server"),
        (&["1", "--limit", "0"], "--limit is a number of seconds"),
    ];
    for (arguments, says) in cases {
        expect(&course, &[&["check"], arguments].concat(), 2, &[says]);
    }
    assert!(!course.path("work").exists());
}

#[test]
fn an_exercise_is_started_examined_and_solved() {
    let course = course();
    let main = "work/is-anybody-there/src/main.rs";
    let start = ["start", "1.3"];
    let says = ["★★★ **Is anybody there?** Say what is", main, "check 1.3"];
    expect(&course, &start, 0, &says);
    let starter = course.read(main);
    expect(
        &course,
        &["progress"],
        0,
        &["1.3  ★★★ Is anybody there?       begun"],
    );

    let says = ["there is still a `todo!()`", "4 of 4 promises are broken"];
    expect(&course, &["check", "1.3"], 1, &says);
    // A second start, by its name, takes nothing away.
    course.write(main, "mine");
    let says = ["work/is-anybody-there exists already"];
    expect(&course, &["start", "is-anybody-there"], 1, &says);
    assert_eq!(course.read(main), "mine");
    let says = ["work/is-anybody-there does not build", "error: "];
    expect(&course, &["check", "1.3"], 2, &says);

    let solution = "exercises/01-bind/is-anybody-there/solution/main.rs";
    let solution = course.read(solution);
    assert_ne!(starter, solution);
    course.write(main, &solution);
    expect(&course, &["check", "1.3"], 0, &["All 4 promises are kept."]);
    let says = ["Is anybody there?       ✓ 2", "1 of 3 exercises are solved."];
    expect(&course, &["progress"], 0, &says);
    // Somebody who has solved it may see how we did.
    expect(
        &course,
        &["solution", "1.3"],
        0,
        &["fn what_is_at(", "Ok(\"live\")"],
    );
    assert!(!course.read("work/progress.toml").contains("hints"));
}

#[test]
fn hints_come_one_by_one_and_the_solution_after_a_warning() {
    let course = course();
    let warning = "Exercise 1.2 is not solved yet";
    let solution = ["solution", "1.2"];
    expect(&course, &solution, 1, &[warning, "3 hints are left"]);
    let hint = ["hint", "five-causes"];
    let first = expect(&course, &hint, 0, &["1 of 3: "]);
    assert!(!first.contains("2 of 3"), "{first}");
    let second = expect(&course, &hint, 0, &[first.trim_end(), "2 of 3: "]);
    assert!(!second.contains("3 of 3"), "{second}");
    expect(&course, &solution, 1, &["One hint is left"]);
    let says = ["3 of 3: ", "`cargo book solution 1.2`"];
    let third = expect(&course, &hint, 0, &says);
    assert_eq!(expect(&course, &hint, 0, &[]), third);

    let text = expect(&course, &solution, 1, &[warning]);
    assert!(!text.contains("fn advice"), "{text}");
    let insists = ["solution", "1.2", "--yes"];
    expect(&course, &insists, 0, &["solution/main.rs:", "fn advice"]);
    let says = ["Five causes             3 hints, solution seen"];
    expect(&course, &["progress"], 0, &says);
    expect(&course, &["hint", "9.9"], 1, &["there is no exercise 9.9"]);
}

#[test]
fn a_record_that_cannot_be_read_is_left_alone() {
    let course = course();
    for wrong in ["[any-path", "[any-path]\nfinished = 1\n"] {
        course.write("work/progress.toml", wrong);
        let says = ["work/progress.toml: ", "mend it, or move it away"];
        expect(&course, &["progress"], 1, &says);
        expect(&course, &["hint", "1.1"], 1, &says);
        // What was found out about the program stands.
        let check = ["check", "1", "--server", &step1()];
        let says = [says[0], says[1], "All 10 promises", "this is not kept"];
        expect(&course, &check, 0, &says);
        assert_eq!(course.read("work/progress.toml"), wrong);
    }
}

#[test]
fn a_change_is_examined_at_once() {
    let course = course();
    script(&course, "mine", "exit 3");
    let check = ["check", "1", "--watch", "--server", "./mine"];
    let mut watch = Program::start(&mut command(&course, &check)).unwrap();
    watch.expect_containing("exit code 3");
    watch.expect_containing("waiting for a change");
    script(&course, "mine", "exit 4");
    watch.expect_containing("exit code 4");
    watch.expect_containing("waiting for a change");
    // It may be gone for a moment, as when it is compiled.
    fs::remove_file(course.path("mine")).unwrap();
    watch.expect_containing("there is no program ./mine");
    watch.signal(Signal::INT).unwrap();
    assert_eq!(watch.wait(harness::DEADLINE), Ok(Exit::Signal(2)));
}

#[test]
fn the_pages_say_what_is_checked_and_served_ones_what_is_done() {
    let course = course();
    course.builds("site");
    let page = course.read("site/01-bind.html");
    for part in [
        "id=\"exercise-any-path\" data-name=\"any-path\"",
        "<li>1: anything else. A folder in the path is a file.</li>",
        "id=\"contract-1\"",
        "<code>cargo book start 1.3</code>",
    ] {
        assert!(page.contains(part), "{part} is not in the page");
    }
    assert!(!page.contains("progress.js"));

    let server = course.serve();
    assert_eq!(server.get("/_progress").body, "{}");
    expect(&course, &["hint", "1.1"], 0, &[]);
    let done = r#"{"any-path":{"hints":1}}"#;
    assert_eq!(server.get("/_progress").body, done);
    course.write("work/progress.toml", "[");
    assert_eq!(server.get("/_progress").status, 500);
    server.end();
}

#[test]
fn an_exercise_and_what_stands_behind_it_agree() {
    let chapter = "book/chapters/01-bind.md";
    let course = course();
    let cases = [
        (
            CHAPTER.replace("{{#exercise any-path}}\n", ""),
            "book/chapters/01-bind.md: never names the exercise: add \
             `{{#exercise any-path}}`\n",
        ),
        (
            CHAPTER.replace("any-path", "no-path"),
            "exercises/01-bind/exercises.toml has no exercise `no-path`",
        ),
        (CHAPTER.replace("five-causes", "any-path"), "or it is named twice"),
        (
            CHAPTER.replace("★ **Any path.**", "Any path."),
            "01-bind.md:10: before this stands no exercise",
        ),
        (
            CHAPTER.replace("{{#contract}}", "{{#contract 1}}"),
            "`contract` is not a directive",
        ),
    ];
    for (text, says) in cases {
        course.write(chapter, &text);
        expect(&course, &["build", "--dest", "site"], 1, &[says]);
    }
    course.write(chapter, CHAPTER);
    course.preface("{{#contract}}");
    let says = ["there is no step preface that could have a contract"];
    expect(&course, &["build", "--dest", "site"], 1, &says);
}
