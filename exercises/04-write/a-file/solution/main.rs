//! Connects to the server and sends it a file.

use std::env;
use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let path = env::args_os().nth(1).context("usage: client PATH")?;
    let shown = path.display();
    let mut file =
        File::open(&path).with_context(|| format!("cannot open {shown}"))?;
    let mut stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;

    // A piece at a time, each with `write_all`: a file may be larger than
    // the memory.
    let count = io::copy(&mut file, &mut stream)
        .with_context(|| format!("cannot send {shown}"))?;
    println!("sent {count} bytes");
    Ok(())
}
