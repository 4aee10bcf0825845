//! Kills what a test leaves running when the test itself is killed, and then
//! removes its directories.
//!
//! A `Drop` does not run on SIGINT or SIGKILL. The watchdog is one small shell
//! process that reads from a pipe which only this process writes to. However
//! this process ends, the kernel closes the pipe, and the watchdog clears away
//! what was still there.

use std::fmt::Display;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// `+ GROUP` is started, `- GROUP` has ended; `+ /DIRECTORY` is made, `-
/// /DIRECTORY` is removed; end of input: kill and remove the rest.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
left=
while read -r change thing; do
    if [ "$change" = + ]; then
        left="$left $thing"
    else
        rest=
        for other in $left; do
            [ "$other" = "$thing" ] || rest="$rest $other"
        done
        left=$rest
    fi
done
for thing in $left; do
    case $thing in /*) ;; *) kill -s KILL -- "-$thing" 2>/dev/null ;; esac
done
for thing in $left; do
    case $thing in /tmp/sock*) rm -rf -- "$thing" ;; esac
done
"#;

static PIPE: OnceLock<Mutex<ChildStdin>> = OnceLock::new();

/// Says that a process group runs now, or that a directory was made: one of a
/// sandbox, with a path without spaces.
pub fn watch(thing: impl Display) {
    say('+', thing);
}

/// Says that it has ended, or was removed. From now on its number or name may
/// mean another.
pub fn forget(thing: impl Display) {
    say('-', thing);
}

#[expect(clippy::zombie_processes, reason = "the watchdog outlives us")]
fn say(change: char, thing: impl Display) {
    let pipe = PIPE.get_or_init(|| {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in the terminal reaches our group, and not this one.
            .process_group(0)
            .spawn()
            .expect("cannot start sh");
        Mutex::new(shell.stdin.take().expect("stdin is a pipe"))
    });
    let line = format!("{change} {thing}\n");
    let mut pipe = pipe.lock().unwrap_or_else(|error| error.into_inner());
    // Without its watchdog a test still reaps what it starts.
    let _ = pipe.write_all(line.as_bytes());
}
