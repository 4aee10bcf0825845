//! One examination: a folder, the programs, our side of each conversation,
//! and what was noted down.

mod notes;
mod peer;
mod running;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use harness::{Program, Sandbox};

use crate::{Checked, Flaw, Programs, Role};
use notes::Notes;
pub use peer::{Door, Peer};
pub use running::Running;

/// The name that the core steps give their socket.
const SOCKET: &str = "mysocket";

/// An empty folder in which the programs run, and all that can be done to
/// them. Everything ends with it: no program and no file is left.
pub struct Exam<'a> {
    programs: &'a Programs,
    sandbox: Sandbox,
    notes: Notes,
}

impl<'a> Exam<'a> {
    /// A new folder. `limit` is how long a program may take for anything.
    pub fn new(programs: &'a Programs, limit: Duration) -> Self {
        let sandbox = Sandbox::new();
        let notes = Notes::new(sandbox.path(), limit);
        Self { programs, sandbox, notes }
    }

    /// How long a program may take for anything that it must do.
    pub fn limit(&self) -> Duration {
        self.notes.limit()
    }

    /// What was noted down after the flaw that ended the exam: what a program
    /// had printed and nobody had asked for, and that it had ended.
    pub(crate) fn later(&self) -> Vec<String> {
        self.notes.later()
    }

    /// Notes something that we do, for the report: `rm mysocket`.
    pub fn note(&self, what: impl AsRef<str>) {
        self.notes.add(what.as_ref());
    }

    /// That a promise was broken in a way that no other function tells.
    pub fn flaw(
        &self,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Flaw {
        self.notes.flaw(expected, got)
    }

    /// That this machine does not allow to find out, and why.
    pub fn cannot_examine(&self, why: impl Into<String>) -> Flaw {
        self.notes.flaw("", why)
    }

    /// Breaks the promise unless this is so.
    ///
    /// # Errors
    ///
    /// The flaw.
    pub fn expect(
        &self,
        is_so: bool,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Checked {
        if is_so { Ok(()) } else { Err(self.flaw(expected, got)) }
    }

    /// Starts the program in this role, with these arguments.
    ///
    /// # Errors
    ///
    /// That it cannot be started.
    pub fn start(&self, role: Role, arguments: &[&str]) -> Checked<Running> {
        self.start_as(role, role.to_string().as_str(), arguments, |_| {})
    }

    /// The same, under another name in the report, and after `prepare` has
    /// changed what it needs to of the command.
    ///
    /// # Errors
    ///
    /// That it cannot be started.
    pub fn start_as(
        &self,
        role: Role,
        name: &str,
        arguments: &[&str],
        prepare: impl FnOnce(&mut std::process::Command),
    ) -> Checked<Running> {
        let words = self.programs.get(role).expect("what a promise takes");
        let mut command = self.sandbox.command(&words[0]);
        command.args(&words[1..]).args(arguments);
        prepare(&mut command);
        let shown = words.iter().map(|word| short(word));
        let shown = shown.chain(arguments.iter().map(|text| quoted(text)));
        let shown: Vec<String> = shown.collect();
        self.note(format!("{name}$ {}", shown.join(" ")));
        match Program::start(&mut command) {
            Ok(program) => Ok(Running::new(name, program, self.notes.clone())),
            Err(error) => Err(self.flaw(
                "the program to start",
                format!("cannot start {}: {error}", words[0]),
            )),
        }
    }

    /// Starts the program in `folder`, as somebody to whom permissions apply:
    /// root passes every check, so root becomes nobody. For nobody, the
    /// program is copied to where everybody may read it.
    ///
    /// # Errors
    ///
    /// That it cannot be started.
    pub fn start_unprivileged(
        &self,
        role: Role,
        folder: &str,
        arguments: &[&str],
    ) -> Checked<Running> {
        let name = role.to_string();
        self.start_as(role, &name, arguments, |command| {
            let words = std::iter::once(command.get_program())
                .chain(command.get_args())
                .map(|word| {
                    let file = Path::new(word);
                    if file.is_absolute() && file.is_file() {
                        self.sandbox.copy_for_all(file).into_os_string()
                    } else {
                        word.to_owned()
                    }
                });
            let words: Vec<_> = words.collect();
            let mut copied = self.sandbox.command(&words[0]);
            copied.args(&words[1..]).current_dir(self.join(folder));
            harness::drop_privileges(&mut copied);
            *command = copied;
        })
    }

    /// Starts the program after the shell has done something: `umask 077`, or
    /// `ulimit -n 16`.
    ///
    /// # Errors
    ///
    /// That it cannot be started.
    pub fn start_after(
        &self,
        shell: &str,
        role: Role,
        arguments: &[&str],
    ) -> Checked<Running> {
        self.note(format!("$ {shell}"));
        let name = role.to_string();
        self.start_as(role, &name, arguments, |command| {
            let mut started = self.sandbox.command("sh");
            started.args(["-c", &format!("{shell}; exec \"$0\" \"$@\"")]);
            started.arg(command.get_program()).args(command.get_args());
            *command = started;
        })
    }

    /// Starts the server, and waits until it has said that it listens, as all
    /// servers of the book do: `listening on mysocket`, or the path that it
    /// was given.
    ///
    /// # Errors
    ///
    /// That it does not say so, with what may be behind it.
    pub fn server(&self, arguments: &[&str]) -> Checked<Running> {
        self.server_on(SOCKET, arguments)
    }

    /// The same, for a server that listens at `path`.
    ///
    /// # Errors
    ///
    /// That it does not say so, with what may be behind it.
    pub fn server_on(
        &self,
        path: &str,
        arguments: &[&str],
    ) -> Checked<Running> {
        let mut server = self.start(Role::Server, arguments)?;
        let line = format!("listening on {path}");
        server.expect(&line).map_err(|flaw| self.not_ready(flaw, path))?;
        Ok(server)
    }

    /// Why no line came that says that a server listens.
    fn not_ready(&self, mut flaw: Flaw, path: &str) -> Flaw {
        if !flaw.got.starts_with("nothing came") {
            return flaw;
        }
        flaw.hints.clear();
        let file = self.join(path);
        let is_socket = |path: &Path| {
            fs::symlink_metadata(path)
                .is_ok_and(|file| file.file_type().is_socket())
        };
        let hint = match UnixStream::connect(&file) {
            Ok(_) => {
                "it listens, but its line did not arrive: into a pipe, most \
                 languages keep output back until there is much of it. Flush \
                 after each line (Python: `print(…, flush=True)`; C: \
                 `setvbuf(stdout, NULL, _IOLBF, 0)`; Rust does so by itself)"
                    .to_owned()
            }
            Err(_) if is_socket(&file) => format!(
                "{path} is a socket, but nobody listens there: after bind(2) \
                 comes listen(2)"
            ),
            Err(_) => {
                let other = self
                    .files()
                    .into_iter()
                    .find(|name| is_socket(&self.join(name)));
                match other {
                    Some(other) => format!(
                        "the socket is at `{other}`, and should be at `{path}`"
                    ),
                    None => format!(
                        "nothing listens: there is no socket `{path}` in the \
                         folder in which it runs"
                    ),
                }
            }
        };
        flaw.hints.insert(0, hint);
        flaw
    }

    /// Connects to the socket at `path`, as soon as somebody listens there, as
    /// `client`.
    ///
    /// # Errors
    ///
    /// That nobody listens within the limit.
    pub fn connect(&self, path: &str) -> Checked<Peer> {
        self.connect_as("client", path)
    }

    /// The same, as a client of another name.
    ///
    /// # Errors
    ///
    /// That nobody listens within the limit.
    pub fn connect_as(&self, name: &str, path: &str) -> Checked<Peer> {
        let deadline = Instant::now() + self.limit();
        loop {
            match UnixStream::connect(self.join(path)) {
                Ok(stream) => {
                    self.note(format!("{name}: connects to {path}"));
                    return Ok(Peer::new(name, stream, self.notes.clone()));
                }
                Err(error) if Instant::now() > deadline => {
                    self.note(format!("{name}: cannot connect to {path}"));
                    let got = format!("connecting fails: {error}");
                    return Err(
                        self.flaw("a server that accepts connections", got)
                    );
                }
                // No event says that somebody listens.
                Err(_) => thread::park_timeout(Duration::from_millis(1)),
            }
        }
    }

    /// Listens at `path`, as the server that a client connects to.
    ///
    /// # Panics
    ///
    /// If the path is taken: that is a mistake in a contract.
    pub fn listen(&self, path: &str) -> Door {
        let listener =
            UnixListener::bind(self.join(path)).expect("a path that is free");
        self.note(format!("server: listens at {path}"));
        self.door(listener)
    }

    /// Accepts clients from a listener that is special in some way.
    pub fn door(&self, listener: UnixListener) -> Door {
        Door::new(listener, self.notes.clone())
    }

    /// Leaves a socket at `path` at which nobody listens, as a server does
    /// that has ended.
    ///
    /// # Panics
    ///
    /// If the path is taken: that is a mistake in a contract.
    pub fn leave_socket(&self, path: &str) {
        self.note(format!("server: has ended, and left {path} behind"));
        let path = self.join(path);
        drop(UnixListener::bind(&path).expect("a path that is free"));
        // A program that is being started meanwhile has a copy of all that we
        // have open, until it really begins: no event says that it has.
        while UnixStream::connect(&path).is_ok() {
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// The path of a file in the folder.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.sandbox.join(name)
    }

    /// The names of all files in the folder, sorted.
    pub fn files(&self) -> Vec<String> {
        self.sandbox.files()
    }

    /// Expects these files, and no others, in the folder.
    ///
    /// # Errors
    ///
    /// That others are there, or some are not.
    pub fn expect_files(&self, names: &[&str]) -> Checked {
        let files = self.files();
        let list = |names: &[&str]| match names {
            [] => "an empty folder".to_owned(),
            names => format!("in the folder: {}", names.join(", ")),
        };
        let found: Vec<&str> = files.iter().map(String::as_str).collect();
        self.expect(found == names, list(names), list(&found))
    }

    /// The device and the inode of a file in the folder: which file it is.
    pub fn identity(&self, name: &str) -> Option<(u64, u64)> {
        let file = fs::symlink_metadata(self.join(name)).ok()?;
        Some((file.dev(), file.ino()))
    }

    /// Puts a file into the folder.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let content = content.as_ref();
        self.note(format!("$ echo {} > {name}", quoted(&escaped(content))));
        fs::write(self.join(name), content).expect("a place to write");
    }
}

/// A program's path without the folders that say nothing.
fn short(word: &str) -> String {
    let path = Path::new(word);
    match path.file_name() {
        Some(name) if path.is_absolute() => name.to_string_lossy().into_owned(),
        _ => quoted(word),
    }
}

/// An argument as one would type it.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{text}'")
}

/// Bytes for a report: control characters escaped, and not too many.
fn escaped(bytes: &[u8]) -> String {
    const MOST: usize = 80;
    if bytes.len() <= MOST {
        return readable(bytes);
    }
    format!("{}… ({} bytes)", readable(&bytes[..40]), bytes.len())
}

fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let mut shown = String::new();
            for c in text.chars() {
                match c {
                    c if c.is_control() => shown.extend(c.escape_default()),
                    c => shown.push(c),
                }
            }
            shown
        }
        Err(_) => bytes.escape_ascii().to_string(),
    }
}
