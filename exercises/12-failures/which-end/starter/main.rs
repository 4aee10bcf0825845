//! Sends the server each argument as a request, again where it must, and
//! prints the answers.
//!
//! Your turn: send one request, once, and end with a code that says how the
//! conversation ended.

use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context, ensure};

const SOCKET_PATH: &str = "mysocket";

/// How long the server may take to read a request, and to answer it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a request is sent.
const ATTEMPTS: u32 = 5;

/// How long to wait after the first attempt. After the second, twice as long.
const PAUSE: Duration = Duration::from_millis(100);

fn main() -> anyhow::Result<()> {
    for request in env::args_os().skip(1) {
        let request = request.as_bytes();
        // A request with a newline in it would be two.
        ensure!(!request.contains(&b'\n'), "a request is a single line");
        // 64 random bits: no other request has them.
        let id = format!("#{:016x} ", RandomState::new().hash_one(request));
        println!("{}", ask_until_answered(&id, request)?);
    }
    Ok(())
}

fn ask_until_answered(id: &str, request: &[u8]) -> anyhow::Result<String> {
    let mut attempt = 1;
    loop {
        match ask(id, request) {
            Ok(answer) => return Ok(answer),
            Err(error) if attempt == ATTEMPTS => return Err(error),
            Err(error) => eprintln!("attempt {attempt}: {error:#}"),
        }
        thread::sleep(PAUSE * attempt);
        attempt += 1;
    }
}

/// Sends the request once. The errors say how far it came.
fn ask(id: &str, request: &[u8]) -> anyhow::Result<String> {
    let mut stream =
        UnixStream::connect(SOCKET_PATH).context("not sent: no connection")?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let line = [id.as_bytes(), request, b"\n"].concat();
    match stream.write_all(&line) {
        // Who hangs up may have said why.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        result => result.context("perhaps sent: cannot write")?,
    }

    let mut answer = String::new();
    BufReader::new(stream)
        .read_line(&mut answer)
        .context("sent, and no answer: cannot read")?;
    ensure!(!answer.is_empty(), "sent, and no answer: the server ended");
    let answer = answer
        .strip_suffix('\n')
        .context("sent, and half an answer: the server ended")?;
    let answer = answer.strip_prefix(id).with_context(|| {
        format!("sent, and this is no answer to it: {answer:?}")
    })?;
    Ok(answer.to_owned())
}
