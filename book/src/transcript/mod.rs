//! Transcripts: what is typed and printed in one or more terminals.
//!
//! A transcript is written once, as a `console` block of a chapter, and is at
//! the same time what the reader sees and a test that it is true:
//!
//! ````text
//! ```console
//! server$ cargo run -p step3
//! server| listening on mysocket
//! client$ cargo run -p step3 --bin step3-client
//! client| connected to mysocket
//! server| accepted connection 1 from (unnamed)
//! server^C
//! ```
//! ````
//!
//! # The notation
//!
//! | line            | what happens                                          |
//! |-----------------|-------------------------------------------------------|
//! | `name$ command` | the command is typed at the prompt of this terminal   |
//! | `name\| text`   | a line is printed                                     |
//! | `name> text`    | a line is typed into the running program              |
//! | `name^C`        | Ctrl-C: SIGINT to all that the command started        |
//! | `name^D`        | Ctrl-D: the end of the program's input                |
//! | `name? 1`       | the exit code; 128 + the signal where a signal killed |
//!
//! A name is made of `a-z`, `0-9` and `-`, and begins with a letter. In a
//! transcript with one terminal, it is left out: `$ ls`, `| mysocket`, `^C`.
//! An empty line that is printed is `server|` and no more. Options follow
//! `console` after commas: `needs=socat` (once for each tool), `linux`, and
//! `unprivileged` for what root would see otherwise.
//!
//! `kernel| text` is no terminal: consecutive lines of this name say all that
//! the kernel holds at that moment for the transcript's programs, the names in
//! the folder first.
//!
//! ```text
//! kernel| srwxr-xr-x mysocket
//! kernel| server 3 listens at mysocket, 0 connections wait
//! kernel| server 4 ⇄ client 3, 6 bytes wait for server 4
//! ```
//!
//! A transcript that traces its programs with `strace` can be drawn as a
//! sequence diagram as well: the line `{{#sequence CAPTION}}` somewhere below
//! it shows what the kernel saw. See `sequence/mod.rs` for what must be traced
//! how, and what the picture promises. So that its lines come in the same
//! order each time, write those of two programs in the order of cause and
//! effect, and end a server that waits with `^C` under `strace -qz`.
//!
//! # What it means
//!
//! Entries are played in order, in an empty directory, with umask 022, and
//! each waits for the one before it: a printed line until it is printed. What
//! is typed or interrupted has no such sign of having arrived; where the next
//! entry depends on it, the transcript must show a line that says so; and
//! before Ctrl-C, one that says that the program runs.
//!
//! A command runs until its last entry. When that has been played, the command
//! must end by itself, before the next entry is played: that is why a client
//! that has been shown to the end is done when the next line begins. A program
//! that goes on while others act has a later entry, `server^C` for example, or
//! `server? 0` where it ends by itself and prints nothing.
//!
//! What the kernel holds is looked at until it is as written, so write it where
//! things have come to rest, and nothing goes on by itself.
//!
//! Its exit code must then be 0, or it must have ended by the Ctrl-C of the
//! transcript, or `name? 1` says otherwise.
//!
//! Each command has a shell of its own (`sh -c`), so `cd` and the like would
//! have no effect on the next command and are refused outside of parentheses.
//! The process id of what runs in the terminal `server` is `$server` in the
//! commands of the other terminals: `other$ kill -9 $server`. (A `-` in a name
//! becomes `_`.) Readers put the number there. It is the program's own where
//! the command is one program of a step, or one tool, and no more; else it is
//! the shell's.
//!
//! Of what `ss` and `lsof` tell about the machine, only the rows about the
//! transcript's own programs count: others may have a `mysocket` as well.
//!
//! `cargo run -p step3 …` and `target/debug/step3-server` mean the program as
//! Cargo has just built it; what Cargo itself would print is left out.
//!
//! White space at the end of a printed line, which nobody can see, does not
//! count. Control characters are shown as `cat -v` shows them.

pub mod compare;
mod html;
mod kernel;
mod live;
mod parse;
mod play;
mod programs;
mod record;
mod sequence;
#[cfg(target_os = "linux")]
mod sock_diag;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

pub use kernel::Kernel;
pub use live::{Ask, Key, News, live};
pub use parse::find;
pub use play::{Failure, play};
pub use programs::Programs;
pub use record::{Recording, record};

use crate::course::Course;
use crate::problem::Problem;

/// The tools that a transcript may need besides the POSIX utilities. One that
/// is used and not declared is an error, and so is one that is declared and
/// not used.
pub(crate) const TOOLS: &[&str] = &[
    "curl",
    "logger",
    "lsof",
    "nc",
    "python3",
    "setpriv",
    "socat",
    "ss",
    "strace",
    "systemd-notify",
    "systemd-socket-activate",
    "unshare",
];

/// What the lines about the kernel have in the place of a terminal's name.
const KERNEL: &str = "kernel";

/// What is typed and printed in one or more terminals, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// The file that it stands in, relative to the repository's root.
    pub file: PathBuf,
    /// The line in the file at which its first entry stands, from 1.
    pub line: usize,
    /// The tools that it needs (`needs=socat`), as they were declared.
    pub needs: Vec<String>,
    /// Whether it is true on Linux only (`linux`).
    pub linux: bool,
    /// Whether it is untrue for root, who passes every check of permissions
    /// (`unprivileged`). Root plays it as nobody.
    pub unprivileged: bool,
    /// The names of its terminals, in the order in which they appear. A single
    /// terminal may have the empty name. If there are lines about the kernel,
    /// the last one is `kernel`, in which nothing runs.
    pub terminals: Vec<String>,
    /// What happens, one entry for each line. Never empty.
    pub entries: Vec<Entry>,
}

/// One line of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The terminal in which it happens: an index into
    /// [`Transcript::terminals`].
    pub terminal: usize,
    /// What happens.
    pub event: Event,
}

/// What happens in a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `$ command`: a command is typed at the prompt.
    Command(String),
    /// `| text`: a line is printed.
    Printed(String),
    /// `> text`: a line is typed into the running program.
    Typed(String),
    /// `^C`: all that the command started is interrupted.
    Interrupt,
    /// `^D`: the program's input ends.
    EndOfInput,
    /// `? 1`: the command has ended with this code.
    ExitCode(i32),
}

impl Transcript {
    /// Where the entry with this index stands.
    pub fn line_of(&self, entry: usize) -> usize {
        self.line + entry
    }

    /// Why it cannot be played on this machine: `needs socat`, if there is no
    /// such tool here.
    pub fn missing(&self) -> Option<String> {
        // What is printed was recorded on Linux. Elsewhere the numbers of
        // errors differ, and the words of `ls`.
        if !cfg!(target_os = "linux") {
            return Some("recorded on Linux".to_owned());
        }
        if self.terminals.iter().any(|name| name == KERNEL) && !kernel::tells()
        {
            return Some("needs a kernel with sock_diag(7)".to_owned());
        }
        let tool = self.needs.iter().find(|tool| !is_installed(tool))?;
        Some(format!("needs {tool}"))
    }

    /// Whether the entry with this index says what the kernel holds.
    fn is_kernel(&self, entry: usize) -> bool {
        self.terminals[self.entries[entry].terminal] == KERNEL
    }

    /// Whether a command uses this tool.
    fn types(&self, tool: &str) -> bool {
        self.entries.iter().any(|entry| {
            let Event::Command(command) = &entry.event else { return false };
            parse::words(command).any(|word| word == tool)
        })
    }

    /// If a view of the kernel begins with the entry with this index: the
    /// entries of that view. None if it belongs to one that began before.
    fn view(&self, entry: usize) -> Option<Range<usize>> {
        if entry > 0 && self.is_kernel(entry - 1) {
            return None;
        }
        let later = entry..self.entries.len();
        let length = later.take_while(|&later| self.is_kernel(later)).count();
        Some(entry..entry + length)
    }

    /// What a view says that the kernel holds.
    fn held(&self, view: Range<usize>) -> Vec<String> {
        let lines = self.entries[view].iter().map(|entry| match &entry.event {
            Event::Printed(text) => text.clone(),
            event => unreachable!("no {event:?} is about the kernel"),
        });
        lines.collect()
    }

    /// The names of the terminals in which commands run.
    fn real_terminals(&self) -> &[String] {
        match self.terminals.split_last() {
            Some((last, rest)) if last == KERNEL => rest,
            _ => &self.terminals,
        }
    }

    /// Whether the entry with this index is the last of its command: after it,
    /// the command must end.
    fn ends_command(&self, entry: usize) -> bool {
        if self.is_kernel(entry) {
            return false;
        }
        let terminal = self.entries[entry].terminal;
        let mut later = self.entries[entry + 1..]
            .iter()
            .filter(|later| later.terminal == terminal);
        match later.next() {
            Some(next) => matches!(next.event, Event::Command(_)),
            None => true,
        }
    }

    /// Whether any line was printed since the command began to which this
    /// entry belongs. A shell that is about to start a program may lose an
    /// interrupt (dash does).
    fn shows_it_runs(&self, entry: usize) -> bool {
        let terminal = self.entries[entry].terminal;
        self.entries[..entry]
            .iter()
            .rev()
            .take_while(|earlier| {
                let is_command = matches!(earlier.event, Event::Command(_));
                earlier.terminal != terminal || !is_command
            })
            .any(|earlier| matches!(earlier.event, Event::Printed(_)))
    }

    /// An entry in the notation, without a line feed.
    fn notation(&self, entry: &Entry) -> String {
        format!("{}{}", self.terminals[entry.terminal], entry.event)
    }
}

/// Prints the entries in the notation in which they were written.
impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for entry in &self.entries {
            writeln!(f, "{}", self.notation(entry))?;
        }
        Ok(())
    }
}

/// Prints an entry in the notation, without the name of its terminal.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Event::Command(command) => write!(f, "$ {command}"),
            Event::Printed(text) if text.is_empty() => write!(f, "|"),
            Event::Printed(text) => write!(f, "| {text}"),
            Event::Typed(text) if text.is_empty() => write!(f, ">"),
            Event::Typed(text) => write!(f, "> {text}"),
            Event::Interrupt => write!(f, "^C"),
            Event::EndOfInput => write!(f, "^D"),
            Event::ExitCode(code) => write!(f, "? {code}"),
        }
    }
}

/// The files of all chapters and of the notes for teachers, sorted, relative to
/// the repository's root. None where there is no folder for them.
///
/// # Errors
///
/// A folder that cannot be read.
pub fn chapters(course: &Course) -> Result<Vec<PathBuf>, Problem> {
    let mut files = Vec::new();
    for folder in ["book/chapters", "book/teaching"].map(Path::new) {
        let cannot_read = |error| {
            Problem::new(folder, 0, format!("cannot read this folder: {error}"))
        };
        let entries = match fs::read_dir(course.root.join(folder)) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries.map_err(cannot_read)?,
        };
        for entry in entries {
            let file = folder.join(entry.map_err(cannot_read)?.file_name());
            if file.extension().is_some_and(|extension| extension == "md") {
                files.push(file);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// What the page of one of these files is called in the ids of its
/// transcripts: `03-connect`, or `teaching-03-connect` for its notes.
pub fn page(file: &Path) -> String {
    let chapters = file.strip_prefix("book/chapters");
    let page = chapters.or(file.strip_prefix("book")).unwrap_or(file);
    let page = page.with_extension("");
    page.to_string_lossy().replace('/', "-")
}

/// The id of the figure that shows a page's transcript with this number, from
/// 1: `transcript-03-connect-1`.
pub fn id(page: &str, number: usize) -> String {
    format!("transcript-{page}-{number}")
}

/// All transcripts of the book, by the ids of their figures.
///
/// # Errors
///
/// A chapter that cannot be read, or what is wrong in a transcript.
pub fn by_id(
    course: &Course,
) -> Result<HashMap<String, Transcript>, Vec<Problem>> {
    let mut all = HashMap::new();
    for file in chapters(course).map_err(|problem| vec![problem])? {
        let markdown = fs::read_to_string(course.root.join(&file))
            .map_err(|error| vec![Problem::new(&file, 0, error.to_string())])?;
        let page = page(&file);
        let found = find(&markdown, &file)?;
        all.extend(
            (1..)
                .zip(found)
                .map(|(number, transcript)| (id(&page, number), transcript)),
        );
    }
    Ok(all)
}

/// Whether a program of this name is found through `PATH`.
pub(crate) fn is_installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}
