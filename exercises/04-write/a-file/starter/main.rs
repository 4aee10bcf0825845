//! Connects to the server and sends it a message.
//!
//! Your turn: send the file whose path is given.

use std::env;
use std::io::Write;
use std::os::unix::net::UnixStream;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let times: u16 = match env::args_os().nth(1) {
        Some(times) => times
            .to_string_lossy()
            .parse()
            .context("usage: client [HOW MANY TIMES TO SAY HELLO]")?,
        None => 1,
    };
    let message = "Hello?".repeat(times.into());

    let mut stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    println!("connected to {SOCKET_PATH}");

    stream.write_all(message.as_bytes()).context("cannot write the message")?;
    println!("wrote {} bytes", message.len());
    Ok(())
}
