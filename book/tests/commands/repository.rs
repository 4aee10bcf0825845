use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::{DEADLINE, Exit, Program, Sandbox};

const SUMMARY: &str = "\
# Summary

[Preface](preface.md)

- [One](01-one.md)
";

const MANIFEST: &str = "[package]\nname = \"step1\"\nedition = \"2024\"\n";

const SERVER: &str = "\
//! Serves.

fn main() {
    println!(\"hello\");
}
";

/// A repository with one step and two chapters, the settings and the theme of
/// the real one, and a folder for temporary files, in a sandbox.
pub struct Repository {
    pub sandbox: Sandbox,
}

impl Repository {
    pub fn new() -> Self {
        let repository = Self { sandbox: Sandbox::new() };
        let real = Path::new(env!("CARGO_MANIFEST_DIR"));
        let copy = |name: &str| {
            let text = fs::read_to_string(real.join(name)).unwrap();
            repository.write(&format!("book/{name}"), &text);
        };
        copy("book.toml");
        for entry in fs::read_dir(real.join("theme")).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&format!("theme/{}", name.to_str().unwrap()));
        }
        repository.write("book/chapters/SUMMARY.md", SUMMARY);
        repository.preface("The first text.");
        repository.write(
            "book/chapters/01-one.md",
            "# One\n\n{{#listing 01-one server}}\n",
        );
        repository.write("steps/01-one/Cargo.toml", MANIFEST);
        repository.write("steps/01-one/src/bin/server.rs", SERVER);
        fs::create_dir(repository.path("tmp")).unwrap();
        repository
    }

    /// A path in the repository.
    pub fn path(&self, name: &str) -> PathBuf {
        self.sandbox.join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name))
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a file as an editor does: beside it, and then in its place.
    pub fn write_by_rename(&self, name: &str, text: &str) {
        let beside = format!("{name}~");
        self.write(&beside, text);
        fs::rename(self.path(&beside), self.path(name)).unwrap();
    }

    pub fn link(&self, target: impl AsRef<Path>, name: &str) {
        symlink(target, self.path(name)).unwrap();
    }

    pub fn preface(&self, text: &str) {
        self.write("book/chapters/preface.md", &preface(text));
    }

    /// A command that will run `cargo book` with these arguments, in the
    /// repository's folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command =
            self.sandbox.command(assert_cmd::cargo::cargo_bin!("book"));
        command
            .args(arguments)
            .arg("--root")
            .arg(self.sandbox.path())
            .env("TMPDIR", self.path("tmp"));
        command
    }

    /// Runs `cargo book` with these arguments to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        assert_cmd::Command::from_std(self.command(arguments))
            .timeout(DEADLINE)
            .output()
            .unwrap()
    }

    /// Expects `cargo book` to end with exit code 1, to print nothing, and to
    /// say exactly this.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str], says: &str) {
        let output = self.run(arguments);
        assert_eq!(String::from_utf8_lossy(&output.stderr), says);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        assert_eq!(output.status.code(), Some(1));
    }

    /// Expects `cargo book build --dest DEST` to succeed; returns what it
    /// prints.
    #[track_caller]
    pub fn builds(&self, dest: &str) -> String {
        let output = self.run(&["build", "--dest", dest]);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts `cargo book` on any free port, without a browser.
    pub fn serve(&self) -> Server {
        Server::start(&mut self.command(&["--port", "0", "--no-open"]))
    }

    /// How many files there are for temporary use.
    pub fn temporary(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("tmp")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// Writes a program, for the shell.
pub fn write_script(path: &Path, script: &str) {
    // Not fs::write: a program that is started by another thread meanwhile
    // would hold the file open for writing, and it could not be run.
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" >\"$0\"; chmod +x \"$0\"";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", write]).arg(path).arg(script);
    assert!(shell.status().unwrap().success());
}

/// The text of a chapter.
pub fn preface(text: &str) -> String {
    format!("# Preface\n\n{text}\n")
}

/// A `cargo book` that serves.
pub struct Server {
    pub program: Program,
    pub port: u16,
    /// What a page needs to start a program.
    pub token: String,
}

impl Server {
    /// Starts it, and waits until it says where the book is.
    pub fn start(command: &mut Command) -> Self {
        let mut program = Program::start(command).unwrap();
        let line = program.expect_containing("the book is at");
        let (_, port) = line.split_once("http://127.0.0.1:").unwrap();
        let (port, rest) = port.split_once("/#play=").unwrap();
        let (token, _) = rest.split_once(' ').unwrap();
        let port = port.parse().unwrap();
        Self { program, port, token: token.to_owned() }
    }

    /// Ends it as Ctrl-C does.
    #[track_caller]
    pub fn end(mut self) {
        self.program.signal(harness::Signal::INT).unwrap();
        assert_eq!(self.program.wait(DEADLINE), Ok(Exit::Code(0)));
    }
}
