//! Connects to the server, and says so if that takes long.

use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

const LONG: Duration = Duration::from_secs(1);

fn main() -> anyhow::Result<()> {
    // While `connect` blocks, this thread can look at the clock.
    let (sender, connected) = mpsc::channel();
    thread::spawn(move || sender.send(UnixStream::connect(SOCKET_PATH)));

    let result = match connected.recv_timeout(LONG) {
        Err(RecvTimeoutError::Timeout) => {
            println!("still waiting");
            connected.recv().context("the thread has panicked")?
        }
        result => result.context("the thread has panicked")?,
    };
    let stream =
        result.with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    println!("connected to {SOCKET_PATH}");
    drop(stream);
    Ok(())
}
