//! Copies the standard input to the socket. Let it copy the socket to the
//! standard output, too, at the same time, and half-close when the input ends.

use std::io;
use std::os::unix::net::UnixStream;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let mut stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    io::copy(&mut io::stdin(), &mut stream).context("cannot copy the input")?;
    Ok(())
}
