//! Sends the server a request, once, and says by its exit code how the
//! conversation has ended.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

/// How long the server may take to read a request, and to answer it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a conversation can end without an answer; the number is the exit code.
enum End {
    NoConnection = 10,
    NoAnswer = 11,
    HalfAnAnswer = 12,
    AnotherAnswer = 13,
}

fn main() -> anyhow::Result<ExitCode> {
    let request = env::args_os().nth(1).context("usage: client REQUEST")?;
    // 64 random bits: no other request has them.
    let id = format!("#{:016x} ", RandomState::new().hash_one(&request));
    match ask(&id, request.as_bytes()) {
        Ok(answer) => {
            println!("{answer}");
            Ok(ExitCode::SUCCESS)
        }
        Err((end, why)) => {
            eprintln!("{why}");
            Ok(ExitCode::from(end as u8))
        }
    }
}

fn ask(id: &str, request: &[u8]) -> Result<String, (End, String)> {
    let mut stream = UnixStream::connect(SOCKET_PATH).map_err(|error| {
        (End::NoConnection, format!("cannot connect: {error}"))
    })?;
    let no_answer = |error| (End::NoAnswer, format!("no answer: {error}"));
    stream.set_write_timeout(Some(PATIENCE)).map_err(no_answer)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(no_answer)?;
    match stream.write_all(&[id.as_bytes(), request, b"\n"].concat()) {
        // Who hangs up may have said why.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        result => result.map_err(no_answer)?,
    }

    let mut answer = Vec::new();
    // What was read before an error is in the answer all the same.
    let result = BufReader::new(stream).read_until(b'\n', &mut answer);
    if answer.is_empty() {
        let why =
            result.map_or_else(|error| error.to_string(), |_| "end".into());
        return Err((End::NoAnswer, format!("no answer: {why}")));
    }
    let answer = String::from_utf8_lossy(&answer);
    let Some(line) = answer.strip_suffix('\n') else {
        return Err((End::HalfAnAnswer, format!("half of one: {answer:?}")));
    };
    // With its blank: `#1` is not the beginning of `#12`.
    match line.strip_prefix(id) {
        Some(answer) => Ok(answer.to_owned()),
        None => {
            let why = format!("the answer to something else: {line:?}");
            Err((End::AnotherAnswer, why))
        }
    }
}
