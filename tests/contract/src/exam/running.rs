use std::fs;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::{Exit, Program, Signal, WaitError};

use super::notes::Notes;
use crate::{Checked, Flaw};

/// How long a line may take that only helps to explain another.
const SOON: Duration = Duration::from_millis(100);

/// How many such lines are enough.
const AT_MOST: usize = 20;

/// A program that is being examined. It is killed when this is dropped.
pub struct Running {
    name: String,
    program: Program,
    notes: Notes,
    /// The last signal that we sent it, or 0.
    signal: AtomicI32,
    /// Whether it has printed a line.
    has_printed: bool,
    /// Whether its end has been noted down.
    has_ended: bool,
}

impl Running {
    pub(super) fn new(name: &str, program: Program, notes: Notes) -> Self {
        notes.started(name, program.id());
        Self {
            name: name.to_owned(),
            program,
            notes,
            signal: AtomicI32::new(0),
            has_printed: false,
            has_ended: false,
        }
    }

    /// The program as the harness knows it: its process id, its memory.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Expects that exactly this is the next line that it prints.
    ///
    /// # Errors
    ///
    /// That it is another line, or none.
    pub fn expect(&mut self, line: &str) -> Checked {
        let expected = format!("{}| {line}", self.name);
        self.expect_that(&expected, |printed| printed == line).map(drop)
    }

    /// Expects that the next line begins with this, and returns the line.
    ///
    /// # Errors
    ///
    /// That it is another line, or none.
    pub fn expect_start(&mut self, start: &str) -> Checked<String> {
        let expected = format!("{}| {start}…", self.name);
        self.expect_that(&expected, |printed| printed.starts_with(start))
    }

    /// Expects that this is so of the next line. `expected` says what, in
    /// words or as a line of a transcript.
    ///
    /// # Errors
    ///
    /// That it is not so, or no line comes.
    pub fn expect_that(
        &mut self,
        expected: &str,
        is_so: impl FnOnce(&str) -> bool,
    ) -> Checked<String> {
        match self.next_line() {
            Ok(line) if is_so(&line) => Ok(line),
            Ok(line) => Err(self.printed(expected, &line)),
            Err(error) => Err(self.no_line(expected, error)),
        }
    }

    /// Reads on until a line contains `text`, and returns that line.
    ///
    /// # Errors
    ///
    /// That no such line comes within the limit.
    pub fn find(&mut self, text: &str) -> Checked<String> {
        let expected = format!("{}| … {text} …", self.name);
        let deadline = Instant::now() + self.notes.limit();
        loop {
            match self.next_line() {
                Ok(line) if line.contains(text) => return Ok(line),
                // Lines that never end are no progress either.
                Ok(line) if Instant::now() > deadline => {
                    return Err(self.printed(&expected, &line));
                }
                Ok(_) => {}
                Err(error) => return Err(self.no_line(&expected, error)),
            }
        }
    }

    /// Waits for its end, whatever it prints until then, and returns that.
    ///
    /// # Errors
    ///
    /// That it does not end within the limit.
    pub fn end(&mut self) -> Checked<(Exit, Vec<String>)> {
        let deadline = Instant::now() + self.notes.limit();
        let mut lines = Vec::new();
        let still_runs = |running: &Self| {
            let limit = running.notes.limit();
            running.notes.flaw(
                format!("the {} to end", running.name),
                format!("it still runs after {limit:?}"),
            )
        };
        loop {
            match self.next_line() {
                Ok(line) => lines.push(line),
                Err(WaitError::Ended) => break,
                Err(WaitError::TimedOut) => return Err(still_runs(self)),
            }
            if Instant::now() > deadline {
                return Err(still_runs(self));
            }
        }
        match self.program.wait(self.notes.limit()) {
            Ok(exit) => {
                let code = match exit {
                    Exit::Code(code) => code,
                    Exit::Signal(signal) => 128 + signal,
                };
                self.notes.add(&format!("{}? {code}", self.name));
                self.has_ended = true;
                Ok((exit, lines))
            }
            Err(_) => Err(still_runs(self)),
        }
    }

    /// Waits for its end, and expects this exit code. Returns what it printed
    /// until then.
    ///
    /// # Errors
    ///
    /// That it does not end, or ends in another way.
    pub fn expect_code(&mut self, code: i32) -> Checked<Vec<String>> {
        let expected =
            format!("the {} to end with exit code {code}", self.name);
        let (exit, lines) = self.end()?;
        if exit == Exit::Code(code) {
            return Ok(lines);
        }
        Err(self.ended(&expected, exit, &lines))
    }

    /// Waits for its end, and expects it to say why it could not do what it
    /// was asked to: a line at least, and an exit code that is not 0. Returns
    /// what it printed.
    ///
    /// # Errors
    ///
    /// That it does not end, ends with 0, says nothing, or crashes.
    pub fn expect_failure(&mut self) -> Checked<Vec<String>> {
        let expected = format!(
            "the {} to say what is wrong, and to end with exit code 1",
            self.name
        );
        let (exit, lines) = self.end()?;
        if exit == Exit::Code(1) && !lines.is_empty() {
            return Ok(lines);
        }
        let mut flaw = self.ended(&expected, exit, &lines);
        if lines.is_empty() {
            flaw.got += ", and it printed nothing";
        }
        Err(flaw)
    }

    /// Expects that it has not ended.
    ///
    /// # Errors
    ///
    /// That it has.
    pub fn expect_runs(&mut self) -> Checked {
        match self.program.wait(Duration::ZERO) {
            Err(_) => Ok(()),
            Ok(exit) => {
                let expected = format!("the {} to go on running", self.name);
                Err(self.ended(&expected, exit, &[]))
            }
        }
    }

    /// Types a line into it.
    ///
    /// # Errors
    ///
    /// That it takes no input any more.
    pub fn type_line(&mut self, text: &str) -> Checked {
        self.notes.add(&format!("{}> {text}", self.name));
        self.program.type_line(text).map_err(|error| {
            let expected = format!("the {} to read what is typed", self.name);
            self.notes.flaw(expected, error.to_string())
        })
    }

    /// Ends its input.
    pub fn end_input(&mut self) {
        self.notes.add(&format!("{}^D", self.name));
        self.program.close_input();
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.notes.add(&format!("$ kill -{} ${}", signal.as_raw(), self.name));
        self.signal.store(signal.as_raw(), Ordering::Relaxed);
        // It may have ended: whoever cares expects something next.
        let _ = self.program.signal(signal);
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        self.notes.add(&format!("$ kill -9 ${}", self.name));
        self.program.kill();
    }

    /// Stops it, as Ctrl-Z does, and waits until it has stopped.
    ///
    /// # Errors
    ///
    /// That it goes on.
    pub fn stop(&self) -> Checked {
        self.notes.add(&format!("$ kill -STOP ${}", self.name));
        let _ = self.program.signal(Signal::STOP);
        self.expect_state('T', format!("the {} to stop", self.name))
    }

    /// Lets it go on after [`Running::stop`].
    pub fn go_on(&self) {
        self.notes.add(&format!("$ kill -CONT ${}", self.name));
        let _ = self.program.signal(Signal::CONT);
    }

    /// Expects that it comes to wait in the kernel, where that costs no
    /// processor time.
    ///
    /// # Errors
    ///
    /// That it is busy all the time.
    pub fn expect_asleep(&self) -> Checked {
        self.expect_state('S', format!("the {} to wait, asleep", self.name))
    }

    /// Expects that all its processes come to be in this state of
    /// proc_pid_stat(5). Where there is no `/proc`, nothing is expected.
    fn expect_state(&self, state: char, expected: String) -> Checked {
        let is_in_state = |id| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat"));
            // It may end while we look at it.
            stat.ok().is_none_or(|stat| {
                let fields = stat.rsplit_once(") ").map(|(_, fields)| fields);
                fields.is_some_and(|fields| fields.starts_with(state))
            })
        };
        let deadline = Instant::now() + self.notes.limit();
        while !self.program.process_ids().into_iter().all(is_in_state) {
            if Instant::now() > deadline {
                let limit = self.notes.limit();
                let got = format!("it runs on and on, for {limit:?}");
                return Err(self.notes.flaw(expected, got));
            }
            // No event says that it has come to that.
            thread::park_timeout(Duration::from_millis(1));
        }
        Ok(())
    }

    fn next_line(&mut self) -> Result<String, WaitError> {
        let line = self.program.next_line(self.notes.limit())?;
        self.notes.add(&format!("{}| {line}", self.name));
        self.has_printed = true;
        Ok(line)
    }

    /// Another line than was expected.
    fn printed(&mut self, expected: &str, line: &str) -> Flaw {
        let got = format!("{}| {line}", self.name);
        // What it prints next may explain this line: where it has crashed,
        // the first line is often empty.
        let mut lines = vec![line.to_owned()];
        while lines.len() < AT_MOST
            && let Ok(line) = self.program.next_line(SOON)
        {
            self.notes.add(&format!("{}| {line}", self.name));
            lines.push(line);
        }
        if let Ok(exit) = self.program.wait(SOON)
            && (exit != Exit::Code(0) && lines.iter().any(|l| is_crash(l)))
        {
            return self.ended(expected, exit, &lines);
        }
        self.notes.flaw(expected, got)
    }

    fn no_line(&mut self, expected: &str, error: WaitError) -> Flaw {
        let limit = self.notes.limit();
        match error {
            WaitError::TimedOut => {
                let got = format!("nothing came within {limit:?}");
                let mut flaw = self.notes.flaw(expected, got);
                if !self.has_printed {
                    flaw.hints.push(KEPT_BACK.to_owned());
                }
                flaw
            }
            WaitError::Ended => match self.program.wait(limit) {
                Ok(exit) => self.ended(expected, exit, &[]),
                Err(_) => self.notes.flaw(expected, "it closed its output"),
            },
        }
    }

    /// It has ended where it should not have, or not so.
    fn ended(&mut self, expected: &str, exit: Exit, lines: &[String]) -> Flaw {
        let name = &self.name;
        let mut got = format!("the {name} has ended: {exit}");
        if let Exit::Signal(signal) = exit
            && let Some(text) = name_of(signal)
        {
            got += &format!(" ({text})");
        }
        let mut flaw = self.notes.flaw(expected, got);
        let said = flaw.transcript.iter().chain(lines);
        let said: Vec<&str> = said.map(String::as_str).collect();
        let hint = if said
            .iter()
            .any(|line| line.contains("not yet implemented"))
        {
            Some("there is still a `todo!()` where it stopped".to_owned())
        } else if exit == Exit::Signal(Signal::PIPE.as_raw()) {
            Some(
                "it wrote to a connection that the other side has closed, and \
                 SIGPIPE ended it: ignore that signal and look at the error \
                 of the write, EPIPE (Rust and Python do so by themselves)"
                    .to_owned(),
            )
        } else if exit == Exit::Signal(self.signal.load(Ordering::Relaxed)) {
            // That was we.
            None
        } else if matches!(exit, Exit::Signal(_)) {
            Some("a signal ended it: it has crashed".to_owned())
        } else if said.iter().any(|line| is_crash(line)) {
            Some("it has panicked: an error was not expected there".to_owned())
        } else {
            None
        };
        self.has_ended = true;
        flaw.has_crashed = hint.is_some();
        flaw.hints.extend(hint);
        flaw
    }
}

/// What it has said and nobody has asked for may explain what went wrong.
impl Drop for Running {
    fn drop(&mut self) {
        for _ in 0..AT_MOST {
            let Ok(line) = self.program.next_line(Duration::ZERO) else {
                break;
            };
            self.notes.add(&format!("{}| {line}", self.name));
        }
        if !self.has_ended
            && let Ok(exit) = self.program.wait(Duration::ZERO)
        {
            let code = match exit {
                Exit::Code(code) => code,
                Exit::Signal(signal) => 128 + signal,
            };
            self.notes.add(&format!("{}? {code}", self.name));
        }
    }
}

/// Why a line may not come from a program that has printed it.
const KEPT_BACK: &str = "if it has printed that, it did not arrive: into a \
                         pipe, most languages keep output back until there is \
                         much of it. Flush after each line (Python: `print(…, \
                         flush=True)`; C: `setvbuf(stdout, NULL, _IOLBF, 0)`; \
                         Rust's `println!` does so by itself, `print!` and a \
                         `BufWriter` do not)";

fn is_crash(line: &str) -> bool {
    line.contains("panicked at") || line.contains("Traceback (most recent")
}

fn name_of(signal: i32) -> Option<&'static str> {
    let names = [
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::HUP, "SIGHUP"),
        (Signal::ILL, "SIGILL"),
        (Signal::INT, "SIGINT"),
        (Signal::KILL, "SIGKILL"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::TERM, "SIGTERM"),
    ];
    let (_, name) = names.iter().find(|(s, _)| s.as_raw() == signal)?;
    Some(name)
}
