//! Sends the server each argument as a request, and prints the answers.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;

use anyhow::{Context, ensure};

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let mut stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    let mut answers =
        BufReader::new(stream.try_clone().context("cannot clone the stream")?);

    for request in env::args_os().skip(1) {
        let request = request.as_bytes();
        // A request with a newline in it would be two.
        ensure!(!request.contains(&b'\n'), "a request is a single line");
        let line = [request, b"\n"].concat();
        stream.write_all(&line).context("cannot write the request")?;

        let mut answer = String::new();
        answers.read_line(&mut answer).context("cannot read the answer")?;
        let answer = answer
            .strip_suffix('\n')
            .context("the server ended before its answer was complete")?;
        println!("{answer}");
    }
    Ok(())
}
