//! What every test of a step needs, and every transcript of the book: a
//! sandbox, running programs, and a deadline on every wait.
//!
//! Nothing here sleeps. A test waits for the line that a program prints, for
//! its end, or for a connection, and a wait that lasts longer than
//! [`DEADLINE`] is a failure. Nothing that is started outlives its test: a
//! [`Program`] that is dropped is killed with its whole process group, and a
//! watchdog does the same for a test that is killed itself.

mod accept;
mod conversation;
mod interrupt;
#[cfg(target_os = "linux")]
mod linux;
mod program;
mod sandbox;
mod unprivileged;
#[cfg(target_os = "linux")]
mod usage;
mod watchdog;

pub use accept::accept;
pub use conversation::{Conversation, ask, next_line, rest};
#[cfg(target_os = "linux")]
pub use linux::{limit_descriptors, wait_for_state};
pub use program::{Exit, Program, WaitError};
pub use rustix::process::Signal;
pub use sandbox::Sandbox;
pub use unprivileged::{drop_privileges, unprivileged};
#[cfg(target_os = "linux")]
pub use usage::{
    allow_threads, forbid_threads, peak_address_space, peak_memory,
    processor_time, wait_for_sleep, wait_for_threads,
};

use std::time::Duration;

/// How long any wait may last before it counts as a hang.
///
/// Far longer than anything takes, so that a busy machine is no failure.
pub const DEADLINE: Duration = Duration::from_secs(20);
