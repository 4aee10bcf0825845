//! `cargo book build`, and what every command says about bad input.

use std::fs;
use std::time::Instant;

use harness::{DEADLINE, Exit, Program, Signal};

use crate::forbidden::without_unix_sockets;
use crate::repository::Repository;

#[test]
fn writes_the_book_and_says_what_and_where() {
    let repository = Repository::new();
    let report = repository.builds("site");
    assert_eq!(
        report,
        "2 chapters, 1 listings, 0 transcripts, 0 unexplained lines\n\
         written to site\n"
    );
    let page = repository.read("site/preface.html");
    assert!(page.contains("The first text."));
    assert_eq!(repository.temporary(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn writes_into_the_repository_from_wherever_it_is_called() {
    let repository = Repository::new();
    let elsewhere = repository.path("steps");
    let output = repository.command(&["build"]).current_dir(elsewhere).output();
    assert!(output.unwrap().status.success());
    assert!(repository.path("target/book/index.html").exists());
}

#[test]
fn pages_for_a_web_host_ask_nobody_for_anything() {
    let repository = Repository::new();
    repository.builds("site");
    let page = repository.read("site/preface.html");
    assert!(!page.contains("live"), "{page}");
    assert!(!repository.path("site/theme/live.js").exists());
    assert!(!page.contains("src=\"http"), "{page}");
}

#[test]
fn replaces_an_earlier_build_as_a_whole() {
    let repository = Repository::new();
    repository.builds("site");
    assert!(repository.path("site/01-one.html").exists());
    repository.write(
        "book/chapters/SUMMARY.md",
        "[Preface](preface.md)\n[Two](01-two.md)\n",
    );
    fs::remove_file(repository.path("book/chapters/01-one.md")).unwrap();
    fs::remove_dir_all(repository.path("steps/01-one")).unwrap();
    repository.write("book/chapters/01-two.md", "# Two\n");
    repository.builds("site");
    assert!(!repository.path("site/01-one.html").exists());
    assert!(repository.path("site/01-two.html").exists());
    assert_eq!(
        repository.sandbox.files(),
        ["book", "site", "steps", "tmp"],
        "something was left beside it"
    );
}

#[test]
fn a_failed_build_leaves_the_earlier_one() {
    let repository = Repository::new();
    repository.builds("site");
    repository.preface("{{#oops}}");
    let output = repository.run(&["build", "--dest", "site"]);
    assert_eq!(output.status.code(), Some(1));
    let page = repository.read("site/preface.html");
    assert!(page.contains("The first text."));
    assert_eq!(repository.sandbox.files(), ["book", "site", "steps", "tmp"]);
}

#[test]
fn refuses_a_folder_that_holds_something_else() {
    let repository = Repository::new();
    repository.write("site/deep/thesis.txt", "years of work");
    repository.fails(
        &["build", "--dest", "site"],
        "cannot write site: `deep/thesis.txt` in it was not put there by an \
         earlier build; move it away, or name another folder with --dest\n",
    );
    assert_eq!(repository.read("site/deep/thesis.txt"), "years of work");
    assert_eq!(repository.sandbox.files(), ["book", "site", "steps", "tmp"]);
}

#[test]
fn refuses_an_earlier_build_to_which_something_was_added() {
    let repository = Repository::new();
    repository.builds("site");
    repository.write("site/CNAME", "sockets.example\n");
    repository.fails(
        &["build", "--dest", "site"],
        "cannot write site: `CNAME` in it was not put there by an earlier \
         build; move it away, or name another folder with --dest\n",
    );
    assert_eq!(repository.read("site/CNAME"), "sockets.example\n");
}

#[test]
fn refuses_the_repository_itself() {
    let repository = Repository::new();
    let output = repository.run(&["build", "--dest", "."]);
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(says.starts_with("cannot write .: `book/book.toml`"), "{says}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(repository.sandbox.files(), ["book", "steps", "tmp"]);
}

#[test]
fn refuses_a_folder_that_the_book_is_made_from() {
    let repository = Repository::new();
    for (dest, source) in
        [("book/chapters/site", "book"), ("steps/site", "steps")]
    {
        repository.fails(
            &["build", "--dest", dest],
            &format!(
                "cannot write {dest}: the book is made from what is in \
                 {source}/; name another folder with --dest\n"
            ),
        );
        assert!(!repository.path(dest).exists());
    }
}

#[test]
fn leaves_nothing_when_it_is_interrupted() {
    let repository = Repository::new();
    let site = repository.path("site");
    fs::create_dir(&site).unwrap();
    let mut command = repository.command(&["build", "--dest", "site/book"]);
    let mut program = Program::start(&mut command).unwrap();
    let names = || -> Vec<_> {
        let entries = fs::read_dir(&site).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        // What it had begun, it may have finished.
        names.filter(|name| name != "book").collect()
    };
    let deadline = Instant::now() + DEADLINE;
    while names().is_empty() {
        assert!(Instant::now() < deadline, "no build");
        std::thread::yield_now();
    }
    program.signal(Signal::INT).unwrap();
    program.expect("interrupted");
    assert_eq!(program.expect_end(), Exit::Code(1));
    assert_eq!(names(), [""; 0]);
}

#[test]
fn fills_an_empty_folder() {
    let repository = Repository::new();
    fs::create_dir(repository.path("site")).unwrap();
    repository.builds("site");
    assert!(repository.path("site/index.html").exists());
}

#[test]
fn replaces_what_a_link_leads_to_and_not_the_link() {
    let repository = Repository::new();
    repository.builds("site");
    repository.link("site", "link");
    repository.preface("The second text.");
    repository.builds("link");
    assert!(repository.path("link").is_symlink());
    let page = repository.read("site/preface.html");
    assert!(page.contains("The second text."));
}

#[test]
fn refuses_what_is_no_folder() {
    let repository = Repository::new();
    repository.write("file", "text");
    repository.link("nowhere", "link");
    repository.fails(
        &["build", "--dest", "file"],
        "cannot write file: Not a directory (os error 20)\n",
    );
    repository.fails(
        &["build", "--dest", "file/site"],
        "cannot write file/site: Not a directory (os error 20)\n",
    );
    repository.fails(
        &["build", "--dest", "link"],
        "cannot write link: No such file or directory (os error 2)\n",
    );
    assert_eq!(repository.read("file"), "text");
    assert!(repository.path("link").is_symlink());
}

/// The first build of a server fails in the same words.
#[track_caller]
fn no_command_accepts(repository: &Repository, says: &str) {
    repository.fails(&["build", "--dest", "site"], says);
    repository.fails(&["--no-open", "--port", "0"], says);
    assert_eq!(repository.sandbox.files(), ["book", "steps", "tmp"]);
    assert_eq!(repository.temporary(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn names_the_line_of_a_missing_chapter() {
    let repository = Repository::new();
    fs::remove_file(repository.path("book/chapters/preface.md")).unwrap();
    no_command_accepts(
        &repository,
        "book/chapters/SUMMARY.md:3: cannot read book/chapters/preface.md: \
         No such file or directory (os error 2)\n",
    );
}

#[test]
fn names_the_line_of_a_chapter_that_is_not_text() {
    let repository = Repository::new();
    fs::write(repository.path("book/chapters/preface.md"), b"\xff").unwrap();
    no_command_accepts(
        &repository,
        "book/chapters/SUMMARY.md:3: cannot read book/chapters/preface.md: \
         stream did not contain valid UTF-8\n",
    );
}

#[test]
fn names_the_line_of_a_broken_directive() {
    let repository = Repository::new();
    repository.preface("{{#listing 01-one client}}");
    let output = repository.run(&["build", "--dest", "site"]);
    let says = String::from_utf8(output.stderr).unwrap();
    assert!(says.starts_with("book/chapters/preface.md:3: "), "{says}");
    assert_eq!(says.lines().count(), 1, "{says}");
    no_command_accepts(&repository, &says);
}

#[test]
fn names_the_line_of_a_chapter_that_comes_twice() {
    let repository = Repository::new();
    let summary = repository.read("book/chapters/SUMMARY.md");
    let summary = format!("{summary}- [Again](./01-one.md)\n");
    repository.write("book/chapters/SUMMARY.md", &summary);
    no_command_accepts(
        &repository,
        "book/chapters/SUMMARY.md:6: `./01-one.md` is named a second time\n",
    );
}

#[test]
fn names_the_line_of_a_chapter_from_elsewhere() {
    let repository = Repository::new();
    repository.write("book/notes.md", "# Notes\n");
    let summary = repository.read("book/chapters/SUMMARY.md");
    let absolute = repository.path("book/notes.md");
    let absolute = absolute.to_str().unwrap();
    for path in ["../notes.md", absolute] {
        let summary = format!("{summary}- [Notes]({path})\n");
        repository.write("book/chapters/SUMMARY.md", &summary);
        no_command_accepts(
            &repository,
            &format!(
                "book/chapters/SUMMARY.md:6: `{path}` is not in \
                 book/chapters: move the chapter there\n"
            ),
        );
    }
}

#[test]
fn names_the_line_of_a_broken_summary() {
    let repository = Repository::new();
    repository.write(
        "book/chapters/SUMMARY.md",
        "# Summary\n\n- [One](01-one.md)\n\n[Preface](preface.md)\n\n- Two\n",
    );
    no_command_accepts(
        &repository,
        "book/chapters/SUMMARY.md:7: Suffix chapters cannot be followed by a \
         list\n",
    );
}

#[test]
fn names_the_line_of_broken_settings() {
    let repository = Repository::new();
    let settings = repository.read("book/book.toml");
    let line = settings.lines().position(|line| line.starts_with("create-"));
    let line = line.unwrap() + 1;
    let settings = settings.replace("create-missing", "creat-missing");
    repository.write("book/book.toml", &settings);
    no_command_accepts(
        &repository,
        &format!(
            "book/book.toml:{line}: unknown field `creat-missing`, expected \
             one of `build-dir`, `create-missing`, \
             `use-default-preprocessors`, `extra-watch-dirs`\n"
        ),
    );
    fs::remove_file(repository.path("book/book.toml")).unwrap();
    no_command_accepts(
        &repository,
        "book/book.toml: cannot read this file: No such file or directory \
         (os error 2)\n",
    );
}

#[test]
fn names_a_style_that_is_missing_and_a_setting_that_is_wrong() {
    let repository = Repository::new();
    let settings = repository.read("book/book.toml");
    let html = "[output.html]\n";
    assert!(settings.contains(html));
    let line = settings.lines().position(|line| line.contains("/copy.js"));
    let line = line.unwrap() + 1;
    let script = repository.path("book/theme/copy.js");
    let text = fs::read_to_string(&script).unwrap();
    fs::remove_file(&script).unwrap();
    no_command_accepts(
        &repository,
        &format!(
            "book/book.toml:{line}: there is no file book/theme/copy.js\n"
        ),
    );
    repository.write("book/theme/copy.js", &text);

    let wrong = "[output.html]\nno-section-label = 3\n";
    repository.write("book/book.toml", &settings.replace(html, wrong));
    no_command_accepts(
        &repository,
        "book/book.toml: Failed to deserialize `output.html`: invalid type: \
         integer `3`, expected a boolean in `no-section-label`\n",
    );
}

#[test]
fn names_a_folder_that_cannot_be_read() {
    let repository = Repository::new();
    fs::remove_dir_all(repository.path("steps")).unwrap();
    repository.write("steps", "");
    no_command_accepts(
        &repository,
        "steps: cannot read this folder: Not a directory (os error 20)\n",
    );
}

#[test]
fn takes_a_warning_of_mdbook_for_an_error() {
    let repository = Repository::new();
    repository.preface("<div>");
    no_command_accepts(
        &repository,
        "mdBook warns:\nunclosed HTML tag `<div>` found in `preface.md`\n",
    );
}

#[test]
fn is_a_preprocessor_for_pages_and_for_nothing_else() {
    let repository = Repository::new();
    let code = |renderer| {
        repository.run(&["preprocess", "supports", renderer]).status.code()
    };
    assert_eq!(code("html"), Some(0));
    assert_eq!(code("latex"), Some(1));
}

#[test]
fn explains_itself() {
    let repository = Repository::new();
    let help = String::from_utf8(repository.run(&["--help"]).stdout).unwrap();
    for part in ["--port", "--no-open", "build", "record", "Examples:"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    for part in ["preprocess", "--root"] {
        assert!(!help.contains(part), "{part}: {help}");
    }
    let wrong = repository.run(&["--port", "many"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn can_be_read_where_unix_sockets_are_forbidden() {
    let Some(without) = without_unix_sockets() else { return };
    let repository = Repository::new();
    let run = |arguments: &[&str]| {
        let book = repository.command(arguments);
        let mut command = repository.sandbox.command(&without[0]);
        command.args(&without[1..]).arg(book.get_program());
        command.args(book.get_args()).output().unwrap()
    };
    let output = run(&["build", "--dest", "site"]);
    assert!(output.status.success(), "{output:?}");
    assert!(repository.path("site/preface.html").exists());
    let output = run(&["--no-open"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("Unix sockets cannot be made here"), "{error}");
    assert!(error.contains("`cargo book doctor`"), "{error}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_fork_s_pages_lead_to_its_files() {
    let repository = Repository::new();
    let settings = repository.read("book/book.toml");
    repository.builds("site");
    let page = repository.read("site/01-one.html");
    assert!(!page.contains("Edit this page"), "{page}");
    assert!(!page.contains("Report a mistake"), "{page}");

    // As README says: the three lines that are prepared.
    let of_fork = ["edit-url", "report-url", "file-url"]
        .iter()
        .fold(settings, |text, key| text.replace(&format!("# {key}"), key))
        .replace("OWNER/REPOSITORY", "ada/sockets");
    repository.write("book/book.toml", &of_fork);
    repository.builds("site");
    let page = repository.read("site/01-one.html");
    let at = "https://github.com/ada/sockets";
    for link in [
        format!("{at}/edit/main/book/chapters/01-one.md\">Edit this page"),
        format!("{at}/issues/new?title=One&amp;body=In+book/chapters/01-one"),
        format!("{at}/blob/main/steps/01-one/src/bin/server.rs\">steps/"),
    ] {
        assert!(page.contains(&link), "{page}\nwithout {link}");
    }
    let first = repository.read("site/index.html");
    assert!(first.contains("/edit/main/book/chapters/preface.md\""));

    let wrong = of_fork.replace("edit-url", "edit-uri");
    repository.write("book/book.toml", &wrong);
    let output = repository.run(&["build", "--dest", "site"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("unknown field `edit-uri`"), "{error}");
}
