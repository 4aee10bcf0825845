//! `cargo book compare`: the learner's programs, and those of a step.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::repository::Repository;
use crate::work::{SERVER, catches_up, fifo, workshop};

const NO_RUSTFMT: &str = "  there is no rustfmt: formatting counts as \
                          well (rustup component add rustfmt)\n";

/// Runs `cargo book compare 2` where there is no rustfmt, so that it says
/// the same everywhere; returns what it prints.
#[track_caller]
fn compares(repository: &Repository, code: i32) -> String {
    let mut command = repository.command(&["compare", "2"]);
    let output = command.env("PATH", repository.path("tmp")).output();
    let output = output.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(code));
    String::from_utf8(output.stdout).unwrap()
}

/// A workshop in which the learner has the programs of chapter 2, with this
/// server.
fn with_server(server: &str) -> Repository {
    let repository = workshop();
    catches_up(&repository, "3");
    repository.write("work/unix_sockets/src/bin/server.rs", server);
    repository
}

const SERVER_IS: &str = "src/bin/client.rs: as in the book\n\
                         src/bin/server.rs: ";
const STORE_IS: &str = "src/store.rs: as in the book\n";

#[test]
fn says_that_all_is_as_in_the_book() {
    let repository = with_server(SERVER);
    assert_eq!(
        compares(&repository, 0),
        format!("{SERVER_IS}as in the book\n{STORE_IS}")
    );
}

#[test]
fn shows_the_lines_that_differ() {
    let server = SERVER.replace("\"one\", 2", "\"two\", 2");
    let repository = with_server(&server);
    let shown = compares(&repository, 1);
    assert_eq!(
        shown,
        format!(
            "{SERVER_IS}1 line differs\n{NO_RUSTFMT}  from line 6 of yours:\n        \
             | fn main() -> anyhow::Result<()> {{\n        |     \
             println!(\"{{}}\", store::NAME);\n   book |     let count = \
             store::count(\"one\", 2)?;\n  yours |     let count = \
             store::count(\"two\", 2)?;\n        |     \
             println!(\"{{count}}\");\n        |     Ok(())\n{STORE_IS}"
        )
    );
}

#[test]
fn counts_no_comments_and_no_formatting() {
    let server = SERVER
        .replace("// Where it goes.", "/* mine */ // Some\n\n")
        .replace("//! Serves.", "//! My server.\n//! It is mine.")
        .replace("count(\"one\", 2)?", "count(\n\"one\",\n     2)\n?")
        .replace("fn main", "/// Starts.\nfn   main");
    let repository = with_server(&server);
    let alike = "as in the book, but for comments and formatting\n";
    let expected = format!("{SERVER_IS}{alike}{STORE_IS}");
    assert_eq!(compares(&repository, 0), expected);
}

/// A comma at the end of a list is a token, and rustfmt adds and removes
/// it.
#[test]
fn evens_out_formatting_with_rustfmt_and_says_if_it_cannot() {
    let server =
        SERVER.replace("count(\"one\", 2)?", "count(\n\"one\",\n2,\n)?");
    let repository = with_server(&server);
    let text = compares(&repository, 1);
    assert!(text.contains(NO_RUSTFMT), "{text}");

    let mut rustfmt = Command::new("rustfmt");
    rustfmt.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    if !rustfmt.status().is_ok_and(|status| status.success()) {
        eprintln!("skipped in part: there is no rustfmt");
        return;
    }
    let mut command = repository.command(&["compare", "2"]);
    // Where rustup finds the toolchain.
    for name in ["HOME", "RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("but for comments and formatting"), "{text}");
    assert_eq!(output.status.code(), Some(0));

    // With a difference besides: no number of a line that is not there.
    let server = server.replace("two", "three").replace("NAME", "TITLE");
    repository.write("work/unix_sockets/src/bin/server.rs", &server);
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(text.contains(": 1 line differs\n"), "{text}");
    assert!(text.contains("  in yours, formatted:\n"), "{text}");
}

#[test]
fn says_which_files_one_of_the_two_does_not_have() {
    let repository = with_server(SERVER);
    let extra = "src/bin/extra.rs: you have it, the book does not\n";
    repository.write("work/unix_sockets/src/bin/extra.rs", "");
    let all = format!("{SERVER_IS}as in the book\n{STORE_IS}{extra}");
    assert_eq!(compares(&repository, 1), all);

    let src = repository.path("work/unix_sockets/src");
    fs::remove_file(src.join("store.rs")).unwrap();
    let missing = "src/store.rs: the book has it, you do not\n";
    assert_eq!(compares(&repository, 1), all.replace(STORE_IS, missing));
    fs::remove_dir_all(&src).unwrap();
    assert_eq!(compares(&repository, 1).matches("you do not").count(), 3);
}

#[test]
fn shows_what_is_not_rust_yet_as_it_is() {
    for (broken, line) in [("    Ok(()", 12), ("    let = 3;\nOk(())", 11)] {
        let server = SERVER.replace("    Ok(())", broken);
        let repository = with_server(&server);
        let text = compares(&repository, 1);
        let note = format!("  yours is not Rust yet (line {line}): ");
        assert!(text.contains(&note), "{text}");
        let yours = broken.lines().next().unwrap();
        assert!(text.contains(&format!("\n  yours | {yours}\n")), "{text}");
        assert!(!text.contains("Where it goes"), "{text}");
    }
}

#[test]
fn compares_another_folder() {
    let repository = with_server("");
    fs::rename(
        repository.path("work/unix_sockets"),
        repository.path("tmp/mine"),
    )
    .unwrap();
    let output = repository.run(&["compare", "2", "--dir", "tmp/mine"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("server.rs: 8 lines differ\n"), "{text}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn says_why_it_cannot_compare() {
    let repository = workshop();
    let cannot = |arguments: &[&str], says: &str| {
        let output = repository.run(arguments);
        assert_eq!(String::from_utf8_lossy(&output.stderr), says);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        assert_eq!(output.status.code(), Some(2));
    };
    cannot(
        &["compare", "9"],
        "there is no chapter 9: there are chapters 1 to 3\n",
    );
    cannot(
        &["compare", "2"],
        "there is no folder work/unix_sockets: write your programs there, \
         or name their folder with --dir\n",
    );
    cannot(
        &["compare", "2", "--dir", "Cargo.toml"],
        "Cargo.toml is no folder: name that of your programs with --dir\n",
    );
    catches_up(&repository, "3");
    let client = repository.path("work/unix_sockets/src/bin/client.rs");
    fs::remove_file(&client).unwrap();
    fifo(&client);
    cannot(
        &["compare", "2"],
        "cannot read work/unix_sockets/src/bin/client.rs: it is no file\n",
    );
    fs::remove_file(&client).unwrap();
    symlink("client.rs", &client).unwrap();
    let output = repository.run(&["compare", "2"]);
    let says = String::from_utf8(output.stderr).unwrap();
    let loops = "cannot read work/unix_sockets/src/bin/client.rs: Too many ";
    assert!(says.starts_with(loops), "{says}");
    assert_eq!(output.status.code(), Some(2));
    fs::remove_dir_all(repository.path("steps")).unwrap();
    cannot(
        &["compare", "2"],
        "steps: cannot read this folder: No such file or directory (os \
         error 2)\n",
    );
}
