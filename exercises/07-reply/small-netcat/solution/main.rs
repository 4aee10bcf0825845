//! Copies the standard input to the socket and the socket to the standard
//! output, at the same time.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let mut stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    let mut writer = stream.try_clone().context("cannot clone the stream")?;

    // Nobody waits for it: it may be waiting for somebody who types.
    thread::spawn(move || {
        let sent = copy(&mut io::stdin(), &mut writer)
            .and_then(|()| writer.shutdown(Shutdown::Write));
        if let Err(error) = sent {
            eprintln!("cannot send the input: {error}");
        }
    });
    copy(&mut stream, &mut io::stdout()).context("cannot print what comes")
}

/// Copies each piece as it comes, until the end.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut piece = [0; 65_536];
    loop {
        let length = from.read(&mut piece)?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&piece[..length])?;
        // The standard output keeps back a line that has not ended.
        to.flush()?;
    }
}
