//! What a running program uses, as Linux tells it, and a limit to it.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::{DEADLINE, Program};

/// The processor time that all threads of `program` have used, those that have
/// ended included (see proc_pid_stat(5)).
///
/// # Panics
///
/// If it has ended.
pub fn processor_time(program: &Program) -> Duration {
    let file = format!("/proc/{}/stat", program.id());
    let stat = fs::read_to_string(file).expect("the program has ended");
    // The second field is a name, and may itself hold parentheses.
    let (_, fields) = stat.rsplit_once(") ").expect("fields after a name");
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks: u64 = ticks.map(|field| field.parse::<u64>().unwrap()).sum();
    // A tick is a hundredth of a second wherever Rust's std runs on Linux.
    Duration::from_millis(ticks * 10)
}

/// The most memory, in KiB, that `program` has ever had at a time.
///
/// # Panics
///
/// If it has ended.
pub fn peak_memory(program: &Program) -> u64 {
    status(program, "VmHWM:")
}

/// The most memory, in KiB, that `program` has ever asked for. Much of it may
/// never have been used, and costs nothing until then.
///
/// # Panics
///
/// If it has ended.
pub fn peak_address_space(program: &Program) -> u64 {
    status(program, "VmPeak:")
}

/// Waits until every thread of `program` is asleep, that is, blocked in a
/// system call.
///
/// # Panics
///
/// If it does not come to that within [`DEADLINE`], or the program has ended.
#[track_caller]
pub fn wait_for_sleep(program: &Program) {
    let deadline = Instant::now() + DEADLINE;
    while !is_asleep(program) {
        assert!(Instant::now() < deadline, "it never falls asleep");
        thread::yield_now();
    }
}

/// Waits until `program` has `count` threads, the main one included.
///
/// # Panics
///
/// If it does not come to that within [`DEADLINE`], or the program has ended.
#[track_caller]
pub fn wait_for_threads(program: &Program, count: u64) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let now = status(program, "Threads:");
        if now == count {
            return;
        }
        assert!(Instant::now() < deadline, "{now} threads, not {count}");
        thread::yield_now();
    }
}

/// Leaves `program` no room for the stack of another thread, and room enough
/// for all else: starting a thread fails with EAGAIN.
///
/// # Panics
///
/// If it has ended.
pub fn forbid_threads(program: &Program) {
    const HALF_A_STACK: u64 = 1024 * 1024;
    let size = status(program, "VmSize:") * 1024;
    limit_memory(program, Some(size + HALF_A_STACK));
}

/// Takes back what [`forbid_threads`] has done.
///
/// # Panics
///
/// If it has ended.
pub fn allow_threads(program: &Program) {
    limit_memory(program, getrlimit(Resource::As).maximum);
}

fn limit_memory(program: &Program, limit: Option<u64>) {
    let maximum = getrlimit(Resource::As).maximum;
    let limit = Rlimit { current: limit, maximum };
    prlimit(Pid::from_raw(program.id()), Resource::As, limit)
        .expect("the program has ended");
}

fn is_asleep(program: &Program) -> bool {
    let tasks = format!("/proc/{}/task", program.id());
    let tasks = fs::read_dir(tasks).expect("the program has ended");
    tasks.flatten().all(|task| {
        // A thread that has ended meanwhile is no obstacle.
        let stat = fs::read_to_string(task.path().join("stat"));
        stat.map_or(true, |stat| {
            stat.rsplit_once(") ").is_some_and(|(_, f)| f.starts_with('S'))
        })
    })
}

/// A number from proc_pid_status(5), such as `VmHWM:     2436 kB`.
fn status(program: &Program, name: &str) -> u64 {
    let file = format!("/proc/{}/status", program.id());
    let status = fs::read_to_string(file).expect("the program has ended");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).expect("a number in status")
}
