//! The teacher's edition: what is in it, and in no other.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::DEADLINE;

use crate::repository::{Repository, Server};

const TIMINGS: &str = r#"longest = 75
pause = 10
lunch = 60

[[block]]
chapter = "preface"
parts = [{ minutes = 5, keep = 1, how = "show", where = "Preface" }]

[[block]]
chapter = "01-one"
parts = [
    { minutes = 30, keep = 1, how = "run", where = "One" },
    { minutes = 40, keep = 2, how = "ask", where = "One", say = "why?" },
]

[[block]]
chapter = "preface"
parts = [{ minutes = 5, keep = 1, how = "show", where = "Preface" }]
"#;

const LATE: &str = "Wrong socks, said the giraffe.";

/// A repository with pages for teachers.
fn repository() -> Repository {
    let repository = Repository::new();
    repository.write("book/teaching/schedule.toml", TIMINGS);
    repository.write("book/teaching/prepare.md", "# Prepare\n");
    repository.write("book/teaching/agendas.md", "# Agendas\n");
    note(&repository, LATE);
    repository
}

fn note(repository: &Repository, text: &str) {
    let text = format!("# Teaching *One*\n\n{text}\n\n[One](../01-one.md)\n");
    repository.write("book/teaching/01-one.md", &text);
}

/// The files in a folder and below it that hold this text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(holding(&path, text));
        } else if String::from_utf8_lossy(&fs::read(&path).unwrap())
            .to_lowercase()
            .contains(&text.to_lowercase())
        {
            names.push(path.display().to_string());
        }
    }
    names
}

#[test]
fn has_notes_below_each_chapter_and_the_readers_edition_has_no_byte_of_them() {
    let repository = repository();
    repository.builds("reader");
    let output = repository.run(&["build", "--teacher", "--dest", "teacher"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "5 chapters, 1 listings, 0 transcripts, 0 unexplained lines\n\
         written to teacher\n"
    );
    let page = repository.read("teacher/teaching/01-one.html");
    assert!(page.contains(LATE), "{page}");
    assert!(page.contains("<a href=\"../01-one.html\">One</a>"), "{page}");
    assert!(page.contains("30 minutes at the least"), "{page}");
    let page = repository.read("teacher/teaching/agendas.html");
    assert!(page.contains("09:35, 70 min"), "{page}");
    // The page, the print, the index of the search.
    let teacher = repository.path("teacher");
    assert_eq!(holding(&teacher, "giraffe").len(), 3);

    let reader = repository.path("reader");
    for text in ["giraffe", "teaching", "teacher"] {
        assert_eq!(holding(&reader, text), [""; 0], "{text}");
    }
}

#[test]
fn has_a_folder_of_its_own() {
    let repository = repository();
    assert!(repository.run(&["build"]).status.success());
    assert!(repository.run(&["build", "--teacher"]).status.success());
    assert!(!repository.path("target/book/teaching").exists());
    assert!(repository.path("target/teachers-book/teaching").exists());
}

#[test]
fn is_served_and_shows_every_edit() {
    let repository = repository();
    let server = Server::start(&mut repository.command(&[
        "--teacher",
        "--port",
        "0",
        "--no-open",
    ]));
    let page = || server.get("/teaching/01-one.html").body;
    assert!(page().contains(LATE));
    note(&repository, "Right socks.");
    let deadline = Instant::now() + DEADLINE;
    while !page().contains("Right socks.") {
        assert!(Instant::now() < deadline, "the edit is not shown");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    server.end();
}

#[test]
fn the_readers_server_has_none() {
    let repository = repository();
    let server = repository.serve();
    assert_eq!(server.get("/teaching/01-one.html").status, 404);
    server.end();
}

/// A repository in which this file has this text, and what the teacher's
/// edition says to it.
#[track_caller]
fn refuses(file: &str, text: &str, says: &str) {
    let repository = repository();
    repository.write(file, text);
    let build = ["build", "--teacher", "--dest", "site"];
    repository.fails(&build, says);
    assert!(!repository.path("site").exists());
}

#[test]
fn a_mistake_in_the_notes_has_its_place() {
    refuses(
        "book/teaching/01-one.md",
        "# One\n\n[Two](../02-two.md)\n",
        "book/teaching/01-one.md:3: `../02-two.md` leads nowhere: the book \
         has no 02-two.md\n",
    );
    refuses(
        "book/teaching/01-one.md",
        "# One\n\n```console\nhello\n```\n",
        "book/teaching/01-one.md:4: this is not a line of a transcript: a line \
         is NAME$ COMMAND, NAME| PRINTED, NAME> TYPED, NAME^C, NAME^D or \
         NAME? EXIT CODE, and a name is like `server`\n",
    );
    refuses(
        "book/teaching/02-two.md",
        "# Two\n",
        "book/teaching/02-two.md: no step has this name, so nobody will read \
         it\n",
    );
    let repository = repository();
    fs::remove_file(repository.path("book/teaching/01-one.md")).unwrap();
    repository.fails(
        &["build", "--teacher", "--dest", "site"],
        "book/teaching/01-one.md: cannot read this page: No such file or \
         directory (os error 2)\n",
    );
}

#[test]
fn each_step_has_timings_and_none_is_unknown() {
    let file = "book/teaching/schedule.toml";
    let build = ["build", "--teacher", "--dest", "site"];
    let must = |block: u32, stem: &str| {
        format!(
            "{file}: block {block} must be that of {stem}: an opening, a \
             block for each step in order, a closing\n"
        )
    };
    let none = TIMINGS.replace("01-one", "preface").replace("One", "Preface");
    refuses(file, &none, &must(2, "01-one"));
    let (_, block) = TIMINGS.split_once("\n\n").unwrap();
    let (block, _) = block.split_once("\n\n").unwrap();
    let more = format!("{TIMINGS}\n{block}\n");
    refuses(file, &more, &format!("{file}: it has more blocks than steps\n"));

    let repository = repository();
    repository.write("steps/02-two/Cargo.toml", "[package]\n");
    repository.write("steps/02-two/src/bin/server.rs", "fn main() {}\n");
    repository.write("book/teaching/02-two.md", "# Two\n");
    repository.write(
        "book/chapters/02-two.md",
        "# Two\n\n{{#listing 02-two server}}\n",
    );
    let summary = "[Preface](preface.md)\n[One](01-one.md)\n[Two](02-two.md)";
    repository.write("book/chapters/SUMMARY.md", summary);
    repository.fails(&build, &must(3, "02-two"));
}

#[test]
fn a_mistake_in_the_timings_has_its_place() {
    let file = "book/teaching/schedule.toml";
    let refuses = |from: &str, to: &str, says: &str| {
        assert!(TIMINGS.contains(from), "{from}");
        let text = TIMINGS.replacen(from, to, 1);
        refuses(file, &text, &format!("{file}{says}\n"));
    };
    refuses(
        "chapter = \"01-one\"",
        "chapter = \"07-one\"",
        ":10: cannot read book/chapters/07-one.md: No such file or directory \
         (os error 2)",
    );
    refuses(
        "chapter = \"01-one\"",
        "chapter = \"preface\"",
        ":12: book/chapters/preface.md has no heading or exercise `One`; it \
         has: Preface",
    );
    refuses(
        "where = \"One\", say",
        "where = \"Two\", say",
        ":13: book/chapters/01-one.md has no heading or exercise `Two`; it \
         has: One",
    );
    refuses("= 30", "= 31", ":12: 31 minutes are no multiple of five");
    refuses("keep = 2", "keep = 5", ":13: `keep` is 1 to 4, not 5");
    refuses(
        "40",
        "75",
        ": 01-one takes 105 minutes without a pause, more than 75",
    );
    refuses(
        "pause = 10",
        "pauses = 10",
        ":2: unknown field `pauses`, expected one of `longest`, `pause`, `lunch`, `block`",
    );
}
