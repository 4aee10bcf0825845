//! The book in a browser: what a reader sees there, and can do.
//!
//! Where there is no Chromium, each test is ignored by name, and those with
//! axe-core where that is missing; where `CI` is set, that is a failure.
//! `cargo test --test browser NAME` runs one.

mod access;
mod anywhere;
mod axe;
mod book;
mod chromium;
mod host;
mod keys;
mod page;
mod play;
mod protocol;
#[path = "../commands/repository.rs"]
#[expect(dead_code, reason = "here, less is done with a repository")]
mod repository;
mod sequence;
mod tests;
mod weight;

use std::env;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Completion, Trial};

use crate::anywhere::Files;
use crate::book::Book;
use crate::chromium::Browser;
use crate::page::Page;

/// What all tests use: one browser, in which each has pages of its own, one
/// server of the real book, and one build of it. Each is there when the first
/// test needs it.
#[derive(Default)]
pub struct Shared {
    browser: OnceLock<Browser>,
    book: OnceLock<Book>,
    files: OnceLock<Files>,
}

impl Shared {
    pub fn browser(&self) -> &Browser {
        // A name that is under somebody else's control, and leads to us.
        let rules = "--host-resolver-rules=MAP evil.example 127.0.0.1";
        self.browser.get_or_init(|| Browser::start(&[rules]))
    }

    pub fn book(&self) -> &Book {
        self.book.get_or_init(|| Book::start(&[]))
    }

    pub fn files(&self) -> &Files {
        self.files.get_or_init(Files::build)
    }

    /// A page of the real book.
    #[track_caller]
    pub fn page(&self, name: &str) -> Page {
        let url = self.book().at(name);
        self.browser().page(&url)
    }
}

/// What is missing on this machine to run a test, if anything is.
type Missing = fn() -> Option<&'static str>;

fn main() {
    let mut arguments = Arguments::from_args();
    // Most of the time, a test waits for the browser.
    arguments.test_threads.get_or_insert(4);
    let shared = Arc::new(Shared::default());
    let tests = [
        tests::TESTS,
        play::TESTS,
        sequence::TESTS,
        access::TESTS,
        anywhere::TESTS,
        weight::TESTS,
    ];
    let in_browser = tests.into_iter().flatten();
    let in_browser =
        in_browser.map(|test| (test, chromium::missing as Missing));
    let with_axe = axe::TESTS.iter().map(|test| (test, axe::missing as _));
    let trials = in_browser.chain(with_axe).map(|(&(name, test), missing)| {
        let shared = Arc::clone(&shared);
        Trial::ignorable_test(name, move || {
            let Some(why) = missing() else {
                test(&shared);
                return Ok(Completion::Completed);
            };
            if env::var_os("CI").is_some() {
                return Err(why.into());
            }
            Ok(Completion::ignored_with(why))
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // `exit` drops nothing, and would leave the browser to the watchdog.
    drop(Arc::into_inner(shared).expect("every test has ended"));
    conclusion.exit()
}
