use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
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
    let program = program.as_ref();
    let copy = sandbox.join(program.file_name().expect("a file has a name"));
    let for_all = Permissions::from_mode(0o755);
    fs::set_permissions(sandbox.path(), for_all.clone()).unwrap();

    // Not fs::copy: a program that is started by another thread meanwhile
    // would hold the copy open for writing, and such a file cannot be run.
    let copied = Command::new("cp").arg(program).arg(&copy).status();
    assert!(copied.expect("cannot start cp").success(), "cp has failed");
    fs::set_permissions(&copy, for_all).unwrap();

    let mut command = sandbox.command(copy);
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
