//! Sends each line of the standard input as a request, and prints the answers,
//! both at once.

use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;

use anyhow::{Context, ensure};

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    let writer = stream.try_clone().context("cannot clone the stream")?;
    let sending = thread::spawn(move || send_requests(&writer));

    let mut answers = BufReader::new(stream);
    let mut output = io::stdout().lock();
    let mut count = 0;
    let mut answer = Vec::new();
    loop {
        answer.clear();
        answers
            .read_until(b'\n', &mut answer)
            .context("cannot read the answer")?;
        if answer.last() != Some(&b'\n') {
            break;
        }
        count += 1;
        output.write_all(&answer).context("cannot print the answer")?;
    }
    let sent = sending.join().expect("the thread does not panic");
    let sent = sent.context("cannot send the requests")?;
    ensure!(count == sent, "the server answered {count} of {sent} requests");
    Ok(())
}

/// Sends all requests, and says that there are no more. Returns how many there
/// were.
fn send_requests(mut stream: &UnixStream) -> io::Result<usize> {
    let mut count = 0;
    for request in io::stdin().lock().lines() {
        let line = format!("{}\n", request?);
        stream.write_all(line.as_bytes())?;
        count += 1;
    }
    // The server answers what it has, and then closes.
    stream.shutdown(Shutdown::Write)?;
    Ok(count)
}
