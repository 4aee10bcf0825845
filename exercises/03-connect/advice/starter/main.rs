//! Connects to the server, and hangs up.
//!
//! Your turn: say what to do where it cannot connect, and end with the code.

use std::os::unix::net::UnixStream;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    println!("connected to {SOCKET_PATH}");

    drop(stream);
    Ok(())
}
