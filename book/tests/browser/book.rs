//! The book, as `cargo book` serves it.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use assert_cmd::cargo::cargo_bin;
use harness::{DEADLINE, Program, Sandbox, Signal};

/// The names of the chapters' pages, in their order.
pub fn pages() -> Vec<String> {
    let chapters = Path::new(env!("CARGO_MANIFEST_DIR")).join("chapters");
    let summary = fs::read_to_string(chapters.join("SUMMARY.md")).unwrap();
    let names = summary.split(".md)").filter_map(|text| {
        let (_, name) = text.rsplit_once('(')?;
        Some(format!("{name}.html"))
    });
    let names: Vec<_> = names.collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

/// A `cargo book` that serves. Dropping it ends it.
pub struct Book {
    /// `http://127.0.0.1:PORT/`
    pub url: String,
    /// What it says to open: the same, and perhaps more.
    pub link: String,
    pub port: u16,
    /// Locked, so that tests can share a book.
    program: Mutex<Program>,
    /// Where its temporary files are, if they are ours to remove.
    sandbox: Option<Sandbox>,
}

impl Book {
    /// Serves this repository's book on any free port; with these arguments
    /// besides.
    pub fn start(arguments: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut command = sandbox.command(cargo_bin!("book"));
        command
            .args(["--no-open", "--port", "0", "--root"])
            .arg(root)
            .args(arguments)
            .env("TMPDIR", sandbox.path());
        let mut book = Self::of(&mut command);
        book.sandbox = Some(sandbox);
        book
    }

    /// Starts this command, and waits until it says where the book is.
    pub fn of(command: &mut Command) -> Self {
        // It builds the steps that are played.
        for name in ["CARGO", "CARGO_HOME", "HOME", "RUSTUP_HOME"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        let mut program = Program::start(command).unwrap();
        let line = program.expect_containing("the book is at http://");
        let link = line.split(' ').find(|word| word.starts_with("http://"));
        let link = link.unwrap().to_owned();
        let (_, rest) = link.split_once("http://127.0.0.1:").unwrap();
        let (port, _) = rest.split_once('/').unwrap();
        let url = format!("http://127.0.0.1:{port}/");
        let port = port.parse().unwrap();
        Self { url, link, port, program: Mutex::new(program), sandbox: None }
    }

    /// Its process id.
    pub fn id(&self) -> i32 {
        self.program.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// The URL of a page.
    pub fn at(&self, page: &str) -> String {
        format!("{}{page}", self.url)
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        // It removes its folder, and ends; if it does not, it is killed.
        let program = self.program.get_mut();
        let program = program.unwrap_or_else(PoisonError::into_inner);
        let _ = program.signal(Signal::TERM);
        let _ = program.wait(DEADLINE);
    }
}
