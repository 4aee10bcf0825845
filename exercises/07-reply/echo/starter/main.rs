//! Sends the server a text and prints the answer: the client of chapter 7.
//! Let it take the text from the command line, and print the answer alone.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let message = "Hello?";

    let mut stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    println!("connected to {SOCKET_PATH}");

    let mut writer = stream.try_clone().context("cannot clone the stream")?;
    let writing = thread::spawn(move || {
        writer.write_all(message.as_bytes())?;
        writer.shutdown(Shutdown::Write)
    });
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).context("cannot read the answer")?;
    let written = writing.join().expect("the thread does not panic");
    written.context("cannot write the message")?;

    let start = String::from_utf8_lossy(&answer[..answer.len().min(12)]);
    println!("received {} bytes: {start:?}", answer.len());
    Ok(())
}
