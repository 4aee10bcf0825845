//! Asks a program, a file system or the network, and does not wait for ever.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// What was found, or in one line why nothing was.
pub(super) type Answer<T = String> = Result<T, String>;

/// Does `work` in a thread of its own. A thread that hangs, as on a network
/// file system whose server is gone, is left behind: it ends with us.
///
/// # Errors
///
/// Those of `work`, or that it has not ended within `limit`.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    match answer.recv_timeout(limit) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(no_answer(limit)),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err("the check itself has failed".to_owned())
        }
    }
}

fn no_answer(limit: Duration) -> String {
    format!("no answer within {} s", limit.as_secs())
}

/// Runs `command` to its end, in a process group of its own and without input;
/// returns what it prints on its standard output.
///
/// # Errors
///
/// That it cannot be started, has not ended within `limit` (then it is killed
/// with all that it started), or fails: the first line that it says about it.
pub(super) fn ask(command: &mut Command, limit: Duration) -> Answer {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "not found".to_owned(),
            _ => format!("cannot be started: {error}"),
        })?;
    let group = Pid::from_child(&child);
    let output = within(limit, move || {
        child.wait_with_output().map_err(|error| error.to_string())
    });
    let output = output.inspect_err(|_| {
        // An error says that it has ended meanwhile.
        let _ = kill_process_group(group, Signal::KILL);
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().map(str::trim).find(|line| !line.is_empty());
    Err(match first {
        Some(line) => format!("{}: {line}", output.status),
        None => output.status.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[test]
    fn gives_up_on_what_hangs() {
        // It waits for a message of a sender that this test holds.
        let (_sender, never) = mpsc::channel::<()>();
        let hangs = move || Ok(never.recv().is_err());
        assert_eq!(within(SOON, hangs), Err(no_answer(SOON)));
    }

    #[test]
    fn says_that_a_check_has_failed() {
        let fails = || -> Answer { panic!("on purpose") };
        let says = within(Duration::from_secs(20), fails);
        assert_eq!(says, Err("the check itself has failed".to_owned()));
    }
}
