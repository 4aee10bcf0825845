use std::fmt;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, kill_process_group, test_kill_process_group,
};

use crate::{DEADLINE, interrupt, watchdog};

/// A program that runs, as somebody at a terminal sees it: its standard output
/// and error come as one sequence of lines, and its input is typed.
///
/// It runs in a process group of its own, as it would when started from a
/// shell, and signals go to the whole group, as Ctrl-C does. Dropping it kills
/// the group and reaps the program.
pub struct Program {
    /// The process group; its number is the program's process id.
    group: Pid,
    input: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    /// Its end, once: from the thread that waits for it.
    end: Receiver<Exit>,
    exit: Option<Exit>,
    name: String,
    /// What it has printed so far, for messages about failures.
    seen: Vec<String>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It returned from `main` or called exit(3), with this code.
    Code(i32),
    /// A signal killed it.
    Signal(i32),
}

/// Why a wait came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitError {
    /// Nothing happened within the deadline.
    TimedOut,
    /// Its output has ended: nothing that could still print is running.
    Ended,
}

impl Program {
    /// Starts `command` with its input, output and error connected to us.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`]: above all, that there is no such program.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        interrupt::let_interrupts_through();
        // One pipe for both keeps the order in which the lines were printed.
        let (reader, writer) = io::pipe()?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        // The command holds the pipe's write ends; without them we would never
        // see the end of the output.
        command.stdout(Stdio::null()).stderr(Stdio::null());

        let group = Pid::from_child(&child);
        watchdog::watch(group.as_raw_nonzero());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(reader);
            loop {
                let mut line = Vec::new();
                match reader.read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) if line.ends_with(b"\n") => {
                        line.truncate(line.len() - 1)
                    }
                    Ok(_) => {}
                }
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        let (sender, end) = mpsc::channel();
        thread::spawn(move || {
            let status = child.wait().expect("nobody else waits for it");
            // Nobody listens any more when the program was dropped.
            let _ = sender.send(status.into());
        });
        let program = Path::new(command.get_program());
        let name = program.file_name().unwrap_or(program.as_os_str());
        Ok(Self {
            group,
            input,
            lines,
            end,
            exit: None,
            name: name.to_string_lossy().into_owned(),
            seen: Vec::new(),
        })
    }

    /// The program's process id.
    pub fn id(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// Waits for the next line that is printed, without its line feed.
    ///
    /// Bytes that are not UTF-8 come as the replacement character U+FFFD.
    ///
    /// # Errors
    ///
    /// [`WaitError::Ended`] when no line can come any more, and
    /// [`WaitError::TimedOut`] when none came within `limit`.
    pub fn next_line(&mut self, limit: Duration) -> Result<String, WaitError> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => {
                let line = String::from_utf8_lossy(&line).into_owned();
                self.seen.push(line.clone());
                Ok(line)
            }
            Err(RecvTimeoutError::Timeout) => Err(WaitError::TimedOut),
            Err(RecvTimeoutError::Disconnected) => Err(WaitError::Ended),
        }
    }

    /// Waits for the next line and expects it to be exactly `line`.
    ///
    /// # Panics
    ///
    /// If it is another line, or none.
    #[track_caller]
    pub fn expect(&mut self, line: &str) {
        match self.next_line(DEADLINE) {
            Ok(printed) if printed == line => {}
            Ok(_) => self.fail(&format!("expected the line {line:?}")),
            Err(error) => {
                self.fail(&format!("expected the line {line:?}, but {error}"))
            }
        }
    }

    /// Reads on until a line contains `text`, and returns that line.
    ///
    /// # Panics
    ///
    /// If no such line comes.
    #[track_caller]
    pub fn expect_containing(&mut self, text: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            // Lines that never end are no progress either.
            if Instant::now() > deadline {
                self.fail(&format!("expected a line with {text:?} by now"));
            }
            match self.next_line(DEADLINE) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(error) => self.fail(&format!(
                    "expected a line with {text:?}, but {error}"
                )),
            }
        }
    }

    /// Waits for its end, and expects it to print nothing more until then.
    ///
    /// # Panics
    ///
    /// If it prints a line, or does not end.
    #[track_caller]
    pub fn expect_end(&mut self) -> Exit {
        match self.next_line(DEADLINE) {
            Err(WaitError::Ended) => {}
            Ok(line) => self.fail(&format!("expected its end, not {line:?}")),
            Err(error) => self.fail(&format!("expected its end, but {error}")),
        }
        match self.wait(DEADLINE) {
            Ok(exit) => exit,
            Err(error) => self.fail(&format!("expected its end, but {error}")),
        }
    }

    #[track_caller]
    fn fail(&self, what: &str) -> ! {
        let seen: String =
            self.seen.iter().map(|line| format!("\n  | {line}")).collect();
        panic!("{}: {what}; it has printed:{seen}\n", self.name)
    }

    /// Types a line: `text` and a line feed.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` if the program has closed its input or ended.
    pub fn type_line(&mut self, text: &str) -> io::Result<()> {
        match &mut self.input {
            Some(input) => input.write_all(format!("{text}\n").as_bytes()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Ends its input, as Ctrl-D on an empty line does.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Sends a signal to the program and to all that it started.
    ///
    /// # Errors
    ///
    /// ESRCH if all of them have ended.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process_group(self.group, signal)?)
    }

    /// Waits at most `limit` for the program to end. What it printed before
    /// can still be read afterwards.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`] when it still runs.
    pub fn wait(&mut self, limit: Duration) -> Result<Exit, WaitError> {
        if self.exit.is_none() {
            self.exit = self.end.recv_timeout(limit).ok();
        }
        self.exit.ok_or(WaitError::TimedOut)
    }

    /// Whether anything that it started, or it itself, is still running.
    pub fn left_something_running(&self) -> bool {
        !self.left_running().is_empty()
    }

    /// What of its process group is still running: a name and a process id
    /// each, as `sleep (4711)`. Where there is no `/proc`, the group's number
    /// stands for all of them.
    pub fn left_running(&self) -> Vec<String> {
        if test_kill_process_group(self.group).is_err() {
            return Vec::new();
        }
        let group = self.id();
        match members(group) {
            Ok(members) => members
                .into_iter()
                .map(|(id, name)| format!("{name} ({id})"))
                .collect(),
            Err(_) => vec![format!("process group {group}")],
        }
    }

    /// The process ids of all that runs in its process group; none where there
    /// is no `/proc`.
    pub fn process_ids(&self) -> Vec<i32> {
        let members = members(self.id()).unwrap_or_default();
        members.into_iter().map(|(id, _)| id).collect()
    }

    /// The inodes of the sockets that its process group holds open, as `ss -x`
    /// shows them (see proc_pid_fd(5)); none where there is no `/proc`.
    pub fn socket_inodes(&self) -> Vec<String> {
        let mut inodes = Vec::new();
        for id in self.process_ids() {
            // It may end while we look at it.
            let Ok(descriptors) = fs::read_dir(format!("/proc/{id}/fd")) else {
                continue;
            };
            for descriptor in descriptors.flatten() {
                let target = fs::read_link(descriptor.path());
                let target = target.unwrap_or_default();
                let target = target.to_string_lossy();
                let inode = target.strip_prefix("socket:[");
                if let Some(inode) = inode {
                    inodes.push(inode.trim_end_matches(']').to_owned());
                }
            }
        }
        inodes
    }

    /// Waits at most `limit` until nothing of its process group runs.
    ///
    /// A group that Ctrl-C ends does not end all at once: the shell may be
    /// gone a moment before the program that it had started.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`] when something still runs.
    pub fn wait_for_all(&self, limit: Duration) -> Result<(), WaitError> {
        let deadline = Instant::now() + limit;
        // No event says that somebody else's child has ended.
        while self.left_something_running() {
            if Instant::now() > deadline {
                return Err(WaitError::TimedOut);
            }
            thread::park_timeout(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Kills it and all that it started, as `kill -9` does, and reaps it.
    pub fn kill(&mut self) {
        // An error says that the group is gone: there is nothing to kill.
        let _ = self.signal(Signal::KILL);
        self.input = None;
        if self.exit.is_none() {
            self.exit = self.end.recv().ok();
        }
    }
}

/// The processes of `group` that run, from proc_pid_stat(5): `pid (name) state
/// parent group …`. One that has ended and was not reaped yet (a zombie, state
/// Z) does not run: who reaps an orphan, and when, is not the program's doing.
fn members(group: i32) -> io::Result<Vec<(i32, String)>> {
    let mut members = Vec::new();
    for entry in fs::read_dir("/proc")? {
        // A process may end while we look at it.
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else {
            continue;
        };
        // The name may hold anything, parentheses included.
        let Some((pid_and_name, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        let fields: Vec<&str> = rest.split(' ').collect();
        let runs = !matches!(fields.first(), Some(&"Z" | &"X"));
        let is_member = fields.get(2).and_then(|text| text.parse().ok());
        if runs
            && is_member == Some(group)
            && let Some((id, name)) = pid_and_name.split_once(" (")
            && let Ok(id) = id.parse()
        {
            members.push((id, name.to_owned()));
        }
    }
    Ok(members)
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        watchdog::forget(self.id());
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => unreachable!("wait(2) reports only an end"),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(signal) => write!(f, "killed by signal {signal}"),
        }
    }
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            WaitError::TimedOut => "nothing came within the deadline",
            WaitError::Ended => "its output has ended",
        })
    }
}

impl std::error::Error for WaitError {}
