use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use crate::{DEADLINE, Program, watchdog};

/// An empty directory of one test's own, removed with all that is in it when
/// the value is dropped.
///
/// It lies directly in `/tmp`: a socket's path must fit into 107 bytes (103 on
/// macOS, whose default temporary directory is 49 bytes long; see unix(7)).
pub struct Sandbox {
    directory: tempfile::TempDir,
}

impl Sandbox {
    /// Makes the directory, readable by its owner alone (mode 0700).
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("sock")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in("/tmp")
            .expect("cannot make a directory in /tmp");
        watchdog::watch(directory.path().display());
        Self { directory }
    }

    /// The directory's absolute path.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The path of a file in the directory.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// The names of all files in the directory, sorted.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("the sandbox is gone");
        let mut names: Vec<String> = entries
            .map(|entry| {
                let entry = entry.expect("cannot read the sandbox");
                entry.file_name().to_string_lossy().into_owned()
            })
            .collect();
        names.sort();
        names
    }

    /// A command that will run `program` in the directory, in an environment
    /// that is the same on every machine: `PATH` and nothing else of ours, no
    /// backtraces, the C locale with UTF-8, UTC.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(self.path()).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs([
            ("HOME", self.path().as_os_str()),
            ("LC_ALL", "C.UTF-8".as_ref()),
            ("TERM", "dumb".as_ref()),
            ("TZ", "UTC".as_ref()),
        ]);
        command
    }

    /// Starts `program` in the directory, with `arguments`.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start(
        &self,
        program: impl AsRef<Path>,
        arguments: &[&str],
    ) -> Program {
        let program = program.as_ref();
        Program::start(self.command(program).args(arguments))
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
    }

    /// Connects to the socket `name`, as soon as somebody listens there.
    ///
    /// That the file exists is not enough: between bind(2) and listen(2) a
    /// connection is refused.
    ///
    /// # Panics
    ///
    /// If nobody listens within [`DEADLINE`].
    pub fn connect(&self, name: impl AsRef<Path>) -> UnixStream {
        let path = self.join(name);
        let deadline = Instant::now() + DEADLINE;
        loop {
            match UnixStream::connect(&path) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(DEADLINE)).unwrap();
                    stream.set_write_timeout(Some(DEADLINE)).unwrap();
                    return stream;
                }
                Err(error) if Instant::now() > deadline => {
                    panic!("cannot connect to {}: {error}", path.display())
                }
                Err(_) => thread::yield_now(),
            }
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        watchdog::forget(self.path().display());
    }
}
