//! Plays a transcript with the real programs and tells where it is not true.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use harness::{Exit, Program, Sandbox, Signal, WaitError, drop_privileges};

use super::{Entry, Event, Programs, Transcript, compare, kernel};
use crate::problem::Problem;

/// The signal of Ctrl-C, as a shell shows it in an exit code.
const INTERRUPTED: i32 = 128 + Signal::INT.as_raw();

/// What a command gets: the same modes on every machine, a minute of processor
/// time, and files of 64 MiB. (dash takes one limit in a call.)
const LIMITS: &str = "set -e\numask 022\nulimit -t 60\n\
    ulimit -f 131072\nset +e\n";

/// How long to wait before another look into the kernel.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What [`Stage::end`] cannot see: who leaves the process group.
pub const OUTPUT_HELD: &str = "the command has ended, but something that it \
    started has left its process group and can still print";

/// A transcript that is not true.
#[derive(Debug)]
pub struct Failure {
    /// The line that is not true, and what happened instead.
    pub problem: Problem,
    /// The transcript as it is in the book, and as it ran.
    pub report: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}\n\n{}", self.problem, self.report)
    }
}

impl std::error::Error for Failure {}

/// Plays `transcript` from its first entry to its last, and compares what is
/// printed. No single wait lasts longer than `limit`. Nothing that was started
/// runs any more afterwards.
///
/// # Errors
///
/// The first entry that is not true.
pub fn play(
    transcript: &Transcript,
    programs: &Programs,
    limit: Duration,
) -> Result<(), Box<Failure>> {
    let mut stage = Stage::new(transcript, programs);
    for (index, entry) in transcript.entries.iter().enumerate() {
        let played = match transcript.is_kernel(index) {
            true => play_view(&mut stage, index, limit),
            false => play_entry(&mut stage, index, entry, limit),
        };
        if let Err(message) = played {
            return Err(stage.failure(index, &message));
        }
    }
    Ok(())
}

/// Waits until the kernel holds what a view says that begins with this entry.
fn play_view(
    stage: &mut Stage,
    index: usize,
    limit: Duration,
) -> Result<(), String> {
    let Some(view) = stage.transcript.view(index) else { return Ok(()) };
    let terminal = stage.transcript.entries[index].terminal;
    let expected = stage.transcript.held(view);
    let found = stage.look_until(&expected, limit);
    let is_there = compare::all_same(&expected, &found);
    for line in found {
        stage.ran(terminal, Event::Printed(line));
    }
    match is_there {
        true => Ok(()),
        false => Err("the kernel holds something else".to_owned()),
    }
}

fn play_entry(
    stage: &mut Stage,
    index: usize,
    entry: &Entry,
    limit: Duration,
) -> Result<(), String> {
    let terminal = entry.terminal;
    let mut code = None;
    match &entry.event {
        Event::Printed(expected) => {
            let printed = match stage.next_line(terminal, limit) {
                Ok(printed) => printed,
                Err(error) => {
                    if error == WaitError::Ended {
                        // A program closes its output before it has ended.
                        let _ = stage.program(terminal).wait(limit);
                    }
                    let now = stage.state_of(terminal);
                    return Err(format!(
                        "expected the line {expected:?}, but {error}; {now}"
                    ));
                }
            };
            if !compare::same(expected, &printed) {
                stage.ran(terminal, Event::Printed(printed.clone()));
                return Err(format!(
                    "expected the line {expected:?}, and {printed:?} was \
                     printed"
                ));
            }
        }
        Event::ExitCode(expected) => code = Some(*expected),
        Event::Interrupt if !stage.transcript.shows_it_runs(index) => {
            return Err("Ctrl-C could come before the program runs: show a \
                        line that is printed before"
                .to_owned());
        }
        action => stage.act(terminal, action)?,
    }
    if code.is_none() {
        stage.ran(terminal, entry.event.clone());
    }
    if !stage.transcript.ends_command(index) {
        return Ok(());
    }
    let exit = stage.end(terminal, limit)?;
    match stage.next_line(terminal, limit) {
        Err(WaitError::Ended) => {}
        Ok(line) => {
            stage.ran(terminal, Event::Printed(line.clone()));
            return Err(format!("expected its end, and {line:?} was printed"));
        }
        Err(WaitError::TimedOut) => return Err(OUTPUT_HELD.to_owned()),
    }
    if !stage.is_as_expected(terminal, exit, code) {
        stage.ran(terminal, Event::ExitCode(shell_code(exit)));
        return Err(match code {
            Some(code) => {
                format!("expected exit code {code}, and it is {exit}")
            }
            None => format!("expected exit code 0, and it is {exit}"),
        });
    }
    if code.is_some() {
        stage.ran(terminal, entry.event.clone());
    }
    Ok(())
}

/// The exit code that a shell shows.
pub fn shell_code(exit: Exit) -> i32 {
    match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => 128 + signal,
    }
}

/// The terminals of a transcript, and what runs in them.
pub struct Stage<'a> {
    pub transcript: &'a Transcript,
    programs: &'a Programs,
    /// Dropped, and so ended, before their directory.
    terminals: Vec<Terminal>,
    sandbox: Sandbox,
    /// What has happened, in the notation.
    ran: Vec<String>,
}

#[derive(Default)]
struct Terminal {
    /// What was started in it last.
    program: Option<Program>,
    /// Whether Ctrl-C was pressed since.
    interrupted: bool,
}

impl<'a> Stage<'a> {
    /// Empty terminals in an empty directory.
    pub fn new(transcript: &'a Transcript, programs: &'a Programs) -> Self {
        let terminals =
            transcript.terminals.iter().map(|_| Terminal::default()).collect();
        let sandbox = Sandbox::new();
        if transcript.unprivileged {
            sandbox.hand_over();
        }
        Self { transcript, programs, terminals, sandbox, ran: Vec::new() }
    }

    /// Does what a person would do: types, or presses a key.
    pub fn act(
        &mut self,
        terminal: usize,
        event: &Event,
    ) -> Result<(), String> {
        if let Event::Command(command) = event {
            let program = self.start(terminal, command)?;
            self.terminals[terminal] =
                Terminal { program: Some(program), interrupted: false };
            return Ok(());
        }
        let terminal = &mut self.terminals[terminal];
        let program = terminal.program.as_mut().expect("a command was parsed");
        let ended = "but the program has ended";
        match event {
            Event::Typed(text) => program
                .type_line(text)
                .map_err(|error| format!("cannot type this line: {error}")),
            Event::EndOfInput => {
                program.close_input();
                Ok(())
            }
            Event::Interrupt => {
                terminal.interrupted = true;
                program
                    .signal(Signal::INT)
                    .map_err(|_| format!("Ctrl-C was to end it, {ended}"))
            }
            _ => unreachable!("nobody does this: {event:?}"),
        }
    }

    fn start(&self, terminal: usize, command: &str) -> Result<Program, String> {
        let script = format!("{LIMITS}{}", self.programs.resolve(command));
        let mut shell = self.sandbox.command("sh");
        shell.args(["-c", &script]);
        if self.transcript.unprivileged {
            drop_privileges(&mut shell);
        }
        // Python keeps back what it prints unless it prints to a terminal.
        shell.env("PYTHONUNBUFFERED", "1");
        for (other, name) in self.transcript.terminals.iter().enumerate() {
            if other != terminal
                && let Some(program) = &self.terminals[other].program
            {
                shell.env(name.replace('-', "_"), program.id().to_string());
            }
        }
        Program::start(&mut shell)
            .map_err(|error| format!("cannot start sh: {error}"))
    }

    /// Sends a signal to all that the command in a terminal has started.
    pub fn signal(
        &mut self,
        terminal: usize,
        signal: Signal,
    ) -> Result<(), String> {
        self.program(terminal)
            .signal(signal)
            .map_err(|error| format!("cannot send it a signal: {error}"))
    }

    /// The directory in which the commands run.
    pub fn folder(&self) -> &Path {
        self.sandbox.path()
    }

    /// What the kernel holds, as soon as it is as `expected`, or after `limit`.
    pub fn look_until(
        &self,
        expected: &[String],
        limit: Duration,
    ) -> Vec<String> {
        let deadline = Instant::now() + limit;
        loop {
            let found = kernel::look(self).lines();
            if compare::all_same(expected, &found) || Instant::now() > deadline
            {
                return found;
            }
            // No event says that the kernel holds something else now.
            thread::park_timeout(LOOK_AGAIN);
        }
    }

    /// What was started last in each terminal.
    pub fn running(&self) -> impl Iterator<Item = (usize, &Program)> {
        let programs = self.terminals.iter().map(|t| t.program.as_ref());
        programs.enumerate().filter_map(|(n, program)| Some((n, program?)))
    }

    /// Waits for the next line that is printed in a terminal, as the book
    /// would print it.
    pub fn next_line(
        &mut self,
        terminal: usize,
        limit: Duration,
    ) -> Result<String, WaitError> {
        loop {
            let line = self.program(terminal).next_line(limit)?;
            if !self.is_about_others(&line) {
                let line = self.programs.restore(line.trim_end());
                return Ok(visible(&line));
            }
        }
    }

    /// Whether a line is a row of `ss -x` or of `lsof -U` about what this
    /// transcript has not started. Those of the reader, of a server that
    /// somebody has forgotten, and of another transcript that is played at the
    /// same time, all have the same relative name `mysocket`.
    fn is_about_others(&self, line: &str) -> bool {
        let needs =
            |tool: &str| self.transcript.needs.iter().any(|name| name == tool);
        let mut programs =
            self.terminals.iter().filter_map(|t| t.program.as_ref());
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields[..] {
            // Each address is followed by its inode.
            ["u_str" | "u_dgr" | "u_seq", _, _, _, _, one, _, other, ..]
                if needs("ss") =>
            {
                !programs.any(|program| {
                    let inodes = program.socket_inodes();
                    inodes.iter().any(|inode| inode == one || inode == other)
                })
            }
            [_, id, _, _, "unix", ..] if needs("lsof") => {
                !programs.any(|program| {
                    program.process_ids().iter().any(|p| p.to_string() == id)
                })
            }
            _ => false,
        }
    }

    /// Waits until the command in a terminal has ended, and all that it
    /// started.
    pub fn end(
        &mut self,
        terminal: usize,
        limit: Duration,
    ) -> Result<Exit, String> {
        let program = self.program(terminal);
        let Ok(exit) = program.wait(limit) else {
            return Err("this is the command's last line here, but it still \
                        runs: end it with ^C or ^D, or by another terminal \
                        and `? 0`"
                .to_owned());
        };
        if program.wait_for_all(limit).is_err() {
            let left = program.left_running().join(", ");
            return Err(format!("the command has ended, but left {left}"));
        }
        Ok(exit)
    }

    /// Whether a command may end so. `code` is what the transcript says.
    pub fn is_as_expected(
        &self,
        terminal: usize,
        exit: Exit,
        code: Option<i32>,
    ) -> bool {
        let ended = shell_code(exit);
        match code {
            Some(code) => ended == code,
            None => {
                ended == 0
                    || self.terminals[terminal].interrupted
                        && ended == INTERRUPTED
            }
        }
    }

    /// Whether a command runs in a terminal.
    pub fn is_running(&mut self, terminal: usize) -> bool {
        match &mut self.terminals[terminal].program {
            Some(program) => program.wait(Duration::ZERO).is_err(),
            None => false,
        }
    }

    fn program(&mut self, terminal: usize) -> &mut Program {
        let program = &mut self.terminals[terminal].program;
        program.as_mut().expect("the parser wants a command first")
    }

    fn ran(&mut self, terminal: usize, event: Event) {
        let line = self.transcript.notation(&Entry { terminal, event });
        self.ran.push(line);
    }

    /// What a program is doing now, for a message.
    fn state_of(&mut self, terminal: usize) -> String {
        match self.program(terminal).wait(Duration::ZERO) {
            Ok(exit) => format!("it has ended: {exit}"),
            Err(_) => "it still runs".to_owned(),
        }
    }

    /// Ends everything and tells what happened, from the first entry to the
    /// one that is not true.
    fn failure(mut self, index: usize, message: &str) -> Box<Failure> {
        let entries = &self.transcript.entries;
        let terminal = entries[index].terminal;
        // The output in which it failed is compared to its end.
        let end = entries[index + 1..]
            .iter()
            .position(|entry| {
                entry.terminal != terminal
                    || !matches!(
                        entry.event,
                        Event::Printed(_) | Event::ExitCode(_)
                    )
            })
            .map_or(entries.len(), |length| index + 1 + length);
        let book: Vec<String> = entries[..end]
            .iter()
            .map(|entry| self.transcript.notation(entry))
            .collect();

        let mut states = HashMap::new();
        for other in 0..self.terminals.len() {
            if self.terminals[other].program.is_some() {
                states.insert(other, self.state_of(other));
            }
        }
        // First what else was printed where it failed.
        let mut order: Vec<usize> = states.keys().copied().collect();
        order.sort_by_key(|&other| (other != terminal, other));
        for &other in &order {
            self.program(other).kill();
            let limit = Duration::from_secs(1);
            while let Ok(line) = self.next_line(other, limit) {
                self.ran(other, Event::Printed(line));
            }
        }
        let mut report = "  - as in the book, + as it ran:\n".to_owned()
            + &compare::difference(&book, &self.ran);
        if end < entries.len() {
            let rest = entries.len() - end;
            report += &format!("    ({rest} more not played)\n");
        }
        order.sort();
        for other in order {
            let name = self.name(other);
            report += &format!("  {name}: {}\n", states[&other]);
        }
        let message = format!("{}: {message}", self.name(terminal));
        Box::new(Failure {
            problem: Problem::new(
                &self.transcript.file,
                self.transcript.line_of(index),
                message,
            ),
            report,
        })
    }

    /// What to call a terminal in a message.
    fn name(&self, terminal: usize) -> &str {
        match self.transcript.terminals[terminal].as_str() {
            "" => "the terminal",
            name => name,
        }
    }
}

/// A line with its control characters as `cat -v` shows them.
fn visible(line: &str) -> String {
    let mut text = String::new();
    for c in line.chars() {
        match c {
            '\t' => text.push(c),
            '\0'..='\x1f' => text.extend(['^', (c as u8 + b'@') as char]),
            '\x7f' => text.push_str("^?"),
            c if c.is_control() => text.extend(c.escape_unicode()),
            c => text.push(c),
        }
    }
    text
}
