//! Which lines of a transcript are strace's, and about whom they are.

use std::collections::HashMap;

use super::super::{Event, Transcript, parse};
use super::strace::{self, Line};
use crate::problem::Problem;

/// A line of a trace.
pub struct Traced {
    /// The terminal of the program that it is about.
    pub terminal: usize,
    /// The entry at which it stands.
    pub entry: usize,
    /// The command that is traced: its entry.
    pub command: usize,
    /// Whether it is printed as it happens, and not read from a file later.
    pub is_live: bool,
    pub line: Line,
}

/// What a command prints.
#[derive(Clone, Copy)]
enum Source {
    /// The calls that it makes, as it makes them.
    Live,
    /// Those of the program in this terminal, which this command has started:
    /// they were in a file.
    Reads { terminal: usize, command: usize },
    /// None: they go to a file, or nobody traces it.
    Nothing,
}

impl Transcript {
    /// The lines of its traces, and the Ctrl-C of who is traced.
    ///
    /// # Errors
    ///
    /// Lines of strace's that cannot be read.
    pub(super) fn traced(&self) -> Result<Vec<Traced>, Vec<Problem>> {
        let mut traced = Vec::new();
        let mut problems = Vec::new();
        // For each terminal, its last command: the entry, and what it prints.
        let mut commands = vec![(0, Source::Nothing); self.terminals.len()];
        // The traces in files: who is traced, and by which command.
        let mut files: HashMap<&str, (usize, usize)> = HashMap::new();
        for (entry, now) in self.entries.iter().enumerate() {
            let at = now.terminal;
            let (command, source) = commands[at];
            let is_live = matches!(source, Source::Live);
            let (terminal, command) = match source {
                Source::Reads { terminal, command } => (terminal, command),
                _ => (at, command),
            };
            let line = match &now.event {
                Event::Command(text) => {
                    if let Some(file) = trace_file(text) {
                        files.insert(file, (at, entry));
                    }
                    commands[at] = (entry, source_of(text, &files));
                    continue;
                }
                _ if matches!(source, Source::Nothing) => continue,
                Event::Printed(text) => match strace::parse(text) {
                    Ok(None) => continue,
                    Ok(Some(line)) => line,
                    Err(why) => {
                        problems.push(Problem::new(
                            &self.file,
                            self.line_of(entry),
                            format!("cannot read this line of strace's: {why}"),
                        ));
                        continue;
                    }
                },
                Event::Interrupt if is_live && self.ends_command(entry) => {
                    Line::Ended("Ctrl-C".to_owned())
                }
                Event::Interrupt if is_live => {
                    Line::Signal("Ctrl-C".to_owned())
                }
                _ => continue,
            };
            traced.push(Traced { terminal, entry, command, is_live, line });
        }
        if problems.is_empty() { Ok(traced) } else { Err(problems) }
    }

    /// What to call the program in a terminal: the terminal's name, or the
    /// program's, if it has none.
    pub(super) fn program(&self, terminal: usize, command: usize) -> String {
        let name = &self.terminals[terminal];
        if !name.is_empty() {
            return name.clone();
        }
        let Event::Command(command) = &self.entries[command].event else {
            unreachable!("a trace belongs to a command");
        };
        let path = parse::words(command).find(|word| word.contains('/'));
        let name = path.and_then(|path| path.rsplit('/').next());
        name.unwrap_or("program").to_owned()
    }
}

/// The file of `strace -o FILE …`.
fn trace_file(command: &str) -> Option<&str> {
    let mut words = parse::words(command);
    words.find(|word| *word == "strace")?;
    words.find(|word| *word == "-o")?;
    words.next()
}

/// What a command prints; `files` are the traces that it may read.
fn source_of(command: &str, files: &HashMap<&str, (usize, usize)>) -> Source {
    if parse::words(command).any(|word| word == "strace") {
        return match trace_file(command) {
            Some(_) => Source::Nothing,
            None => Source::Live,
        };
    }
    match parse::words(command).find_map(|word| files.get(word)) {
        Some(&(terminal, command)) => Source::Reads { terminal, command },
        None => Source::Nothing,
    }
}
