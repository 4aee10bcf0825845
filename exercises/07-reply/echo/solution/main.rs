//! Sends the server a text and prints the answer.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::{env, thread};

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let text = env::args_os().nth(1).context("usage: client TEXT")?;

    let mut stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    let mut writer = stream.try_clone().context("cannot clone the stream")?;
    let writing = thread::spawn(move || {
        writer.write_all(&text.into_vec())?;
        writer.shutdown(Shutdown::Write)
    });
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).context("cannot read the answer")?;
    let written = writing.join().expect("the thread does not panic");
    written.context("cannot write the text")?;

    // It may be no text: the terminal is given the bytes as they came.
    answer.push(b'\n');
    io::stdout().write_all(&answer).context("cannot print the answer")
}
