//! What only Linux tells about a running program, and lets us do to it.

use std::fs;
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::{DEADLINE, Program};

/// Waits until the kernel says that `program` is in `state`: `S` asleep, that
/// is, blocked in a system call, or `T` stopped (see proc_pid_stat(5)).
///
/// # Panics
///
/// If it does not come to that within [`DEADLINE`].
#[track_caller]
pub fn wait_for_state(program: &Program, state: char) {
    let file = format!("/proc/{}/stat", program.id());
    let deadline = Instant::now() + DEADLINE;
    loop {
        let stat = fs::read_to_string(&file).expect("the program has ended");
        // The second field is a name, and may itself hold parentheses.
        let (_, fields) = stat.rsplit_once(") ").expect("fields after a name");
        if fields.starts_with(state) {
            return;
        }
        assert!(Instant::now() < deadline, "never came to {state}: {stat}");
        thread::yield_now();
    }
}

/// Lets `program` have only descriptors below `limit`; those that it has above
/// stay open. A call that would need another one fails with EMFILE.
///
/// # Panics
///
/// If it has ended.
pub fn limit_descriptors(program: &Program, limit: u64) {
    let pid = Pid::from_raw(program.id());
    let own = getrlimit(Resource::Nofile);
    let limit = Rlimit { current: Some(limit), maximum: own.maximum };
    prlimit(pid, Resource::Nofile, limit).expect("the program has ended");
}
