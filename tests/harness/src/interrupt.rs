//! Makes Ctrl-C end what we start, wherever we were started ourselves.

use std::fs;
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGINT;

static ONCE: Once = Once::new();

/// A program inherits which signals are ignored, and a shell ignores SIGINT in
/// what it starts in the background (`cargo test &` in a script). A signal
/// that we handle, even by doing nothing, is back at its default in what we
/// start: execve(2) resets it, and leaves ignored ones alone.
pub fn let_interrupts_through() {
    ONCE.call_once(|| {
        if is_ignored() {
            signal_hook::flag::register(
                SIGINT,
                Arc::new(AtomicBool::new(false)),
            )
            .expect("SIGINT can be handled");
        }
    });
}

/// Whether SIGINT is ignored in this process, from proc_pid_status(5). Where
/// there is no `/proc`, we leave things as they are.
fn is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The lowest bit is signal 1.
    mask.is_some_and(|mask| mask >> (SIGINT - 1) & 1 == 1)
}
