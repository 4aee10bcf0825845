//! Sends the server each argument as a request, and prints the answers.
//!
//! Your turn: `client --timeout MILLISECONDS REQUEST` ends when the time is up,
//! whatever it is waiting for.

use std::env;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, ensure};

const SOCKET_PATH: &str = "mysocket";

/// How long the server may take to read a request, and to answer it.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() -> anyhow::Result<()> {
    let mut stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut answers =
        BufReader::new(stream.try_clone().context("cannot clone the stream")?);

    for request in env::args_os().skip(1) {
        let request = request.as_bytes();
        // A request with a newline in it would be two.
        ensure!(!request.contains(&b'\n'), "a request is a single line");
        let line = [request, b"\n"].concat();
        match stream.write_all(&line) {
            // Who hangs up may have said why.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            result => result.context("cannot write the request")?,
        }

        let mut answer = String::new();
        answers.read_line(&mut answer).context("cannot read the answer")?;
        let answer = answer
            .strip_suffix('\n')
            .context("the server ended before its answer was complete")?;
        println!("{answer}");
    }
    Ok(())
}
