use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::Flaw;

/// The most characters of a line that a report shows.
const WIDEST: usize = 100;

/// What happens in an exam, noted down by all who take part in it.
#[derive(Clone)]
pub struct Notes {
    limit: Duration,
    folder: PathBuf,
    lines: Arc<Mutex<Vec<String>>>,
    /// The programs that were started: name and process id.
    programs: Arc<Mutex<Vec<(String, i32)>>>,
    /// How many lines the last flaw has.
    told: Arc<AtomicUsize>,
}

impl Notes {
    pub fn new(folder: &Path, limit: Duration) -> Self {
        Self {
            limit,
            folder: folder.to_owned(),
            lines: Arc::default(),
            programs: Arc::default(),
            told: Arc::default(),
        }
    }

    pub fn limit(&self) -> Duration {
        self.limit
    }

    pub fn add(&self, line: &str) {
        let folder = format!("{}/", self.folder.display());
        let line = shortened(&harmless(&line.replace(&folder, "")));
        self.lines.lock().expect("nobody panics with it").push(line);
    }

    /// A program of this name was started.
    pub fn started(&self, name: &str, id: i32) {
        let mut programs = self.programs.lock().expect("nobody panics with it");
        programs.push((name.to_owned(), id));
    }

    /// What was noted down since the last flaw was found.
    pub fn later(&self) -> Vec<String> {
        let lines = self.lines.lock().expect("nobody panics with it");
        lines[self.told.load(Ordering::Relaxed)..].to_vec()
    }

    /// What was expected, what happened, and all that led to it.
    pub fn flaw(
        &self,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Flaw {
        let mut transcript =
            self.lines.lock().expect("nobody panics with it").clone();
        self.told.store(transcript.len(), Ordering::Relaxed);
        for (name, id) in
            self.programs.lock().expect("nobody panics with it").iter()
        {
            if is_stopped(*id) {
                transcript.push(format!("{name}: is stopped"));
            } else if let Some(call) = waits_in(*id) {
                transcript.push(format!("{name}: runs, and waits in {call}"));
            }
        }
        let shown = |text: String| {
            let lines: Vec<String> = text.lines().map(harmless).collect();
            shortened(&lines.join("\n"))
        };
        let (expected, got) = (shown(expected.into()), shown(got.into()));
        Flaw {
            expected,
            got,
            hints: Vec::new(),
            transcript,
            has_crashed: false,
        }
    }
}

/// A line that does nothing to the terminal on which it is shown: a program
/// may print what a client has sent.
fn harmless(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => shown.push(c),
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// A line without what is too much of it.
fn shortened(line: &str) -> String {
    if line.chars().count() <= WIDEST {
        return line.to_owned();
    }
    line.chars().take(WIDEST).chain(['…']).collect()
}

/// Whether a program has been stopped, as by Ctrl-Z (see proc_pid_stat(5)).
fn is_stopped(id: i32) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| {
        let fields = stat.rsplit_once(") ").map(|(_, fields)| fields);
        fields.is_some_and(|fields| fields.starts_with('T'))
    })
}

/// The system call in which a program waits, if the kernel tells and it is one
/// of those that this book is about (see proc_pid_syscall(5)).
fn waits_in(id: i32) -> Option<&'static str> {
    let call = fs::read_to_string(format!("/proc/{id}/syscall")).ok()?;
    let number: u32 = call.split(' ').next()?.parse().ok()?;
    let calls: &[(u32, &str)] = if cfg!(target_arch = "x86_64") {
        &[
            (0, "read(2)"),
            (1, "write(2)"),
            (7, "poll(2)"),
            (42, "connect(2)"),
            (43, "accept(2)"),
            (44, "sendto(2)"),
            (45, "recvfrom(2)"),
            (46, "sendmsg(2)"),
            (47, "recvmsg(2)"),
            (202, "futex(2), for another thread"),
            (230, "clock_nanosleep(2)"),
            (270, "select(2)"),
            (271, "poll(2)"),
            (281, "epoll_wait(2)"),
            (288, "accept(2)"),
        ]
    } else if cfg!(target_arch = "aarch64") {
        &[
            (22, "epoll_wait(2)"),
            (63, "read(2)"),
            (64, "write(2)"),
            (72, "select(2)"),
            (73, "poll(2)"),
            (98, "futex(2), for another thread"),
            (115, "clock_nanosleep(2)"),
            (202, "accept(2)"),
            (203, "connect(2)"),
            (206, "sendto(2)"),
            (207, "recvfrom(2)"),
            (211, "sendmsg(2)"),
            (212, "recvmsg(2)"),
            (242, "accept(2)"),
        ]
    } else {
        &[]
    };
    calls.iter().find(|(of, _)| *of == number).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_does_nothing_to_the_terminal() {
        let notes = Notes::new(Path::new("/tmp"), Duration::ZERO);
        notes.add("server| a\x1b[2Jb\u{9b}0m");
        let report = notes.flaw("\x07", "x\r\x1b]0;y\ny").to_string();
        let is_plain = |c: char| c == '\n' || !c.is_control();
        assert!(report.chars().all(is_plain), "{report:?}");
        assert!(report.contains(r"server| a\u{1b}[2Jb\u{9b}0m"), "{report}");
    }

    #[test]
    fn a_report_has_no_endless_lines() {
        let notes = Notes::new(Path::new("/tmp"), Duration::ZERO);
        let long = "a".repeat(100_000);
        notes.add(&format!("server| {long}"));
        let report = notes.flaw(long.clone(), long).to_string();
        assert!(report.lines().all(|line| line.chars().count() < 200));
        assert!(report.contains('…'));
    }
}
