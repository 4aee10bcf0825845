//! Plays the transcripts of the chapters and writes what was printed into
//! them.
//!
//! Recording is where the book learns what happens; the tests prove that it
//! happens again. A line that is the same under the rules of
//! [`compare`](super::compare) stays as it is, and so does all else in the
//! file: a second recording changes nothing.
//!
//! What a command prints to its end is known when it has ended. What a program
//! prints that goes on running is known only by waiting: lines that the
//! transcript has already are waited for, and others for as long as
//! [`QUIET`]. They are written where the next action begins; where they would
//! better be shown earlier, move them: the test plays them in that order, and
//! the next recording leaves them there.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use harness::{Exit, WaitError};

use super::play::{OUTPUT_HELD, Stage, shell_code};
use super::{Entry, Event, Programs, Transcript};
use super::{chapters, compare, find, page};
use crate::course::Course;
use crate::problem::Problem;

/// How long a program that goes on running must have printed nothing, to have
/// printed all.
const QUIET: Duration = Duration::from_millis(400);

/// How long a line that the transcript has, and an end, are waited for.
const LIMIT: Duration = Duration::from_secs(10);

/// What a recording did.
#[derive(Debug)]
pub struct Recording {
    /// The chapters that changed, relative to the repository's root.
    pub rewritten: Vec<PathBuf>,
    /// The transcripts that cannot be played here, and why. They stay as they
    /// are.
    pub skipped: Vec<Problem>,
}

/// Records all transcripts, or those of one chapter (`03-connect`).
///
/// # Errors
///
/// A chapter that does not exist; all that is wrong in the transcripts; a
/// command that does not end; a file that changed while it was recorded. A
/// chapter in which anything is wrong stays as it is.
pub fn record(
    course: &Course,
    chapter: Option<&str>,
) -> Result<Recording, Vec<Problem>> {
    let mut files = chapters(course).map_err(|problem| vec![problem])?;
    if let Some(chapter) = chapter {
        let known: Vec<String> = files.iter().map(|f| page(f)).collect();
        files.retain(|file| page(file) == chapter);
        if files.is_empty() {
            let message = format!(
                "there is no chapter `{chapter}`; there are {}",
                known.join(", ")
            );
            return Err(vec![Problem::new("book/chapters", 0, message)]);
        }
    }
    let mut recording =
        Recording { rewritten: Vec::new(), skipped: Vec::new() };
    let mut problems = Vec::new();
    for file in files {
        match record_chapter(course, &file, &mut recording.skipped) {
            Ok(false) => {}
            Ok(true) => recording.rewritten.push(file),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(recording) } else { Err(problems) }
}

/// Whether the chapter was rewritten.
fn record_chapter(
    course: &Course,
    file: &Path,
    skipped: &mut Vec<Problem>,
) -> Result<bool, Vec<Problem>> {
    let path = course.root.join(file);
    let whole = |message: String| vec![Problem::new(file, 0, message)];
    let read = || {
        fs::read_to_string(&path)
            .map_err(|error| whole(format!("cannot read it: {error}")))
    };
    let text = read()?;
    let transcripts = find(&text, file)?;
    let programs = Programs::build(course, &transcripts)?;

    let mut lines: Vec<String> =
        text.split_inclusive('\n').map(str::to_owned).collect();
    // Recording is mostly waiting: all of a chapter wait at the same time.
    let takes: Vec<_> = thread::scope(|scope| {
        let players: Vec<_> = transcripts
            .iter()
            .filter(|transcript| transcript.missing().is_none())
            .map(|transcript| {
                let programs = &programs;
                let player = scope.spawn(move || take(transcript, programs));
                (transcript, player)
            })
            .collect();
        players
            .into_iter()
            .map(|(transcript, player)| {
                (transcript, player.join().expect("the player panicked"))
            })
            .collect()
    });
    for transcript in &transcripts {
        if let Some(why) = transcript.missing() {
            skipped.push(Problem::new(file, transcript.line, why));
        }
    }
    // From the last to the first, so that the lines above keep their numbers.
    for (transcript, takes) in takes.into_iter().rev() {
        let takes = takes.map_err(|problem| vec![problem])?;
        let first = transcript.line - 1;
        let old = &lines[first..first + transcript.entries.len()];
        // In a list or a quotation something stands before each line.
        let prefix = old[0]
            .split_once(&transcript.notation(&transcript.entries[0]))
            .map_or("", |(prefix, _)| prefix);
        let end = if old[0].ends_with("\r\n") { "\r\n" } else { "\n" };
        let new: Vec<String> = takes
            .into_iter()
            .map(|take| match take {
                Take::Old(index) => old[index].clone(),
                Take::New(entry) => {
                    format!("{prefix}{}{end}", transcript.notation(&entry))
                }
            })
            .collect();
        lines.splice(first..first + transcript.entries.len(), new);
    }
    let recorded = lines.concat();
    if recorded == text {
        return Ok(false);
    }
    if read()? != text {
        return Err(whole(
            "it changed while it was recorded, and stays as it is: record it \
             again"
                .to_owned(),
        ));
    }
    fs::write(&path, recorded)
        .map_err(|error| whole(format!("cannot write it: {error}")))?;
    Ok(true)
}

/// A line of a recorded transcript.
enum Take {
    /// The entry with this index, as it was.
    Old(usize),
    New(Entry),
}

struct Recorder<'a> {
    stage: Stage<'a>,
    takes: Vec<Take>,
}

/// Plays a transcript and takes down what is printed.
fn take(
    transcript: &Transcript,
    programs: &Programs,
) -> Result<Vec<Take>, Problem> {
    let stage = Stage::new(transcript, programs);
    let mut recorder = Recorder { stage, takes: Vec::new() };
    for (index, entry) in transcript.entries.iter().enumerate() {
        recorder.entry(index, entry).map_err(|message| {
            let line = transcript.line_of(index);
            Problem::new(&transcript.file, line, message)
        })?;
    }
    Ok(recorder.takes)
}

impl Recorder<'_> {
    fn entry(&mut self, index: usize, entry: &Entry) -> Result<(), String> {
        let terminal = entry.terminal;
        if self.stage.transcript.is_kernel(index) {
            self.view(index, terminal);
            return Ok(());
        }
        let mut code = None;
        match &entry.event {
            Event::Printed(old) => {
                if let Ok(line) = self.stage.next_line(terminal, LIMIT) {
                    if compare::same(old, &line) {
                        self.takes.push(Take::Old(index));
                    } else {
                        self.push(terminal, Event::Printed(line));
                    }
                }
            }
            Event::ExitCode(old) => code = Some(*old),
            action => {
                self.settle();
                self.stage.act(terminal, action)?;
                self.takes.push(Take::Old(index));
            }
        }
        if !self.stage.transcript.ends_command(index) {
            return Ok(());
        }
        let exit = self.stage.end(terminal, LIMIT)?;
        if self.lines(terminal, LIMIT) == WaitError::TimedOut {
            return Err(OUTPUT_HELD.to_owned());
        }
        self.exit_code(index, terminal, exit, code);
        Ok(())
    }

    /// Takes down what the actions so far have brought about.
    fn settle(&mut self) {
        for terminal in 0..self.stage.transcript.terminals.len() {
            if self.stage.is_running(terminal) {
                self.lines(terminal, QUIET);
            }
        }
    }

    /// Takes down what the kernel holds, where a view begins.
    fn view(&mut self, index: usize, terminal: usize) {
        let Some(view) = self.stage.transcript.view(index) else { return };
        let old = self.stage.transcript.held(view.clone());
        self.settle();
        let found = self.stage.look_until(&old, QUIET);
        for (place, line) in found.into_iter().enumerate() {
            match old.get(place) {
                Some(old) if compare::same(old, &line) => {
                    self.takes.push(Take::Old(view.start + place));
                }
                _ => self.push(terminal, Event::Printed(line)),
            }
        }
    }

    /// Takes down the lines of a terminal until none comes for `limit`, or
    /// none can come.
    fn lines(&mut self, terminal: usize, limit: Duration) -> WaitError {
        loop {
            match self.stage.next_line(terminal, limit) {
                Ok(line) => self.push(terminal, Event::Printed(line)),
                Err(why) => return why,
            }
        }
    }

    fn exit_code(
        &mut self,
        index: usize,
        terminal: usize,
        exit: Exit,
        old: Option<i32>,
    ) {
        let expected = self.stage.is_as_expected(terminal, exit, old);
        match old {
            Some(_) if expected => self.takes.push(Take::Old(index)),
            None if expected => {}
            _ => self.push(terminal, Event::ExitCode(shell_code(exit))),
        }
    }

    fn push(&mut self, terminal: usize, event: Event) {
        self.takes.push(Take::New(Entry { terminal, event }));
    }
}
