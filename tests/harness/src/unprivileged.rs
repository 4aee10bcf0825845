use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;

use crate::Sandbox;

/// The user and the group that own nothing, by convention.
const NOBODY: u32 = 65534;

/// A command that will run `program` in the sandbox as somebody to whom
/// permissions apply: root passes every check, so root becomes nobody.
///
/// Everybody may enter the sandbox from now on, and `program` is copied into
/// it, because nobody may not be allowed to enter the folder that holds it.
///
/// # Panics
///
/// If `program` cannot be copied.
pub fn unprivileged(sandbox: &Sandbox, program: impl AsRef<Path>) -> Command {
    let mut command = sandbox.command(sandbox.copy_for_all(program));
    drop_privileges(&mut command);
    command
}

/// Makes a command run as nobody if it would run as root.
pub fn drop_privileges(command: &mut Command) {
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
}

impl Sandbox {
    /// Gives the directory to the user that [`drop_privileges`] makes of us.
    ///
    /// # Panics
    ///
    /// If it cannot be given away.
    pub fn hand_over(&self) {
        if geteuid().is_root() {
            chown(self.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    /// Copies `program` into the directory, for all to run, and lets all enter
    /// the directory.
    ///
    /// # Panics
    ///
    /// If it cannot be copied.
    pub fn copy_for_all(&self, program: impl AsRef<Path>) -> PathBuf {
        let program = program.as_ref();
        let copy = self.join(program.file_name().expect("a file has a name"));
        let for_all = Permissions::from_mode(0o755);
        fs::set_permissions(self.path(), for_all.clone()).unwrap();

        // Not fs::copy: a program that is started by another thread meanwhile
        // would hold the copy open for writing, and such a file cannot be run.
        let copied = Command::new("cp").arg(program).arg(&copy).status();
        assert!(copied.expect("cannot start cp").success(), "cp has failed");
        fs::set_permissions(&copy, for_all).unwrap();
        copy
    }
}
