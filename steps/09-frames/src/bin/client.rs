//! Sends the server each argument as a request, and prints the answers.

use std::env;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;

use anyhow::Context;

#[path = "../frame.rs"]
mod frame;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let mut stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    let mut unread = Vec::new();

    for request in env::args_os().skip(1) {
        let frame = frame::encode(request.as_bytes())?;
        stream.write_all(&frame).context("cannot write the request")?;

        let answer = frame::read(&mut stream, &mut unread)
            .context("cannot read the answer")?
            .context("the server ended before its answer")?;
        println!("{}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}
