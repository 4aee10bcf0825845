//! Kills what a test leaves running when the test itself is killed.
//!
//! A `Drop` does not run on SIGINT or SIGKILL. The watchdog is one small shell
//! process that reads from a pipe which only this process writes to. However
//! this process ends, the kernel closes the pipe, and the watchdog kills the
//! process groups that were still running.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use rustix::process::Pid;

/// `+ GROUP` is started, `- GROUP` has ended; end of input: kill the rest.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
running=
while read -r change group; do
    if [ "$change" = + ]; then
        running="$running $group"
    else
        rest=
        for other in $running; do
            [ "$other" = "$group" ] || rest="$rest $other"
        done
        running=$rest
    fi
done
for group in $running; do
    kill -s KILL -- "-$group" 2>/dev/null
done
"#;

static PIPE: OnceLock<Mutex<ChildStdin>> = OnceLock::new();

/// Says that `group` runs now.
pub fn watch(group: Pid) {
    say('+', group);
}

/// Says that `group` has ended. From now on its number may mean another.
pub fn forget(group: Pid) {
    say('-', group);
}

#[expect(clippy::zombie_processes, reason = "the watchdog outlives us")]
fn say(change: char, group: Pid) {
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
    let line = format!("{change} {}\n", group.as_raw_nonzero());
    let mut pipe = pipe.lock().unwrap_or_else(|error| error.into_inner());
    // Without its watchdog a test still reaps what it starts.
    let _ = pipe.write_all(line.as_bytes());
}
