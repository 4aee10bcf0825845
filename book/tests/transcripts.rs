//! Plays every transcript of the book: one test for each, named by its chapter
//! and its place in it, like `03-connect::1`; those of the notes for teachers,
//! like `teaching-03-connect::1`.
//!
//! `cargo test --test transcripts 03-connect` plays those of one chapter. One
//! that needs a tool which is not here is ignored, and the reason is printed;
//! where `CI` is set, that is a failure.

use std::error::Error;
use std::fs;
use std::sync::{Arc, OnceLock};

use book::course::Course;
use book::problem::Problem;
use book::transcript::{self, Programs, Transcript};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// All transcripts, and their programs as soon as the first is played.
struct Book {
    course: Course,
    transcripts: Vec<Transcript>,
    programs: OnceLock<Option<Programs>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = Arguments::from_args();
    // A transcript waits most of its time, for a timeout or a pause.
    arguments.test_threads.get_or_insert(8);
    let course = Course::here()?;
    let mut transcripts = Vec::new();
    let mut names = Vec::new();
    let mut trials = Vec::new();
    for file in transcript::chapters(&course)? {
        let markdown = fs::read_to_string(course.root.join(&file))?;
        let chapter = transcript::page(&file);
        match transcript::find(&markdown, &file) {
            Ok(found) => {
                let places = 1..=found.len();
                names.extend(places.map(|n| format!("{chapter}::{n}")));
                transcripts.extend(found);
            }
            Err(problems) => {
                trials
                    .push(Trial::test(chapter, move || Err(failed(&problems))));
            }
        }
    }
    let book =
        Arc::new(Book { course, transcripts, programs: OnceLock::new() });
    for (index, name) in names.into_iter().enumerate() {
        let book = Arc::clone(&book);
        trials.push(Trial::ignorable_test(name, move || book.play(index)));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    // What chapter 6 says of `exit` holds here, too: it drops nothing.
    drop(book);
    conclusion.exit()
}

impl Book {
    fn play(&self, index: usize) -> Result<Completion, Failed> {
        let transcript = &self.transcripts[index];
        if let Some(why) = transcript.missing() {
            if std::env::var_os("CI").is_some() {
                return Err(why.into());
            }
            return Ok(Completion::ignored_with(why));
        }
        let programs = self.programs.get_or_init(|| {
            match Programs::build(&self.course, &self.transcripts) {
                Ok(programs) => Some(programs),
                Err(problems) => {
                    eprintln!("{}", failed(&problems).message().unwrap_or(""));
                    None
                }
            }
        });
        let Some(programs) = programs else {
            return Err("its programs cannot be built; see above".into());
        };
        transcript::play(transcript, programs, harness::DEADLINE)
            .map_err(|failure| format!("{failure}").into())
            .map(|()| Completion::Completed)
    }
}

fn failed(problems: &[Problem]) -> Failed {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n").into()
}
