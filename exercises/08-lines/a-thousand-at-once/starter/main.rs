//! Sends each line of the standard input as a request, and prints the answers:
//! the client of chapter 8, with another source of requests.
//!
//! Your turn: do not wait for an answer before the next request is sent.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let mut stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    let mut answers =
        BufReader::new(stream.try_clone().context("cannot clone the stream")?);

    for request in io::stdin().lock().lines() {
        let request = request.context("cannot read the requests")?;
        let line = format!("{request}\n");
        stream.write_all(line.as_bytes()).context("cannot write")?;

        let mut answer = String::new();
        answers.read_line(&mut answer).context("cannot read the answer")?;
        let answer = answer
            .strip_suffix('\n')
            .context("the server ended before its answer was complete")?;
        println!("{answer}");
    }
    Ok(())
}
