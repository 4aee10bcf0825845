use std::os::unix::net::{UnixListener, UnixStream};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use crate::DEADLINE;

/// Accepts the next client of a test's own listener, and gives the stream
/// deadlines for reading and writing.
///
/// # Panics
///
/// If no client connects within [`DEADLINE`].
#[track_caller]
pub fn accept(listener: &UnixListener) -> UnixStream {
    let limit = Timespec::try_from(DEADLINE).expect("a deadline is short");
    let mut listeners = [PollFd::new(listener, PollFlags::IN)];
    // A child that ends interrupts us: assert_cmd handles SIGCHLD.
    let ready = retry_on_intr(|| poll(&mut listeners, Some(&limit)))
        .expect("cannot poll");
    assert_eq!(ready, 1, "no client has connected within the deadline");

    let (stream, _) = listener.accept().expect("cannot accept");
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}
