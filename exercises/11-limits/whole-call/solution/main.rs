//! Sends the server a request and prints the answer, all of it in a limited
//! time.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context, bail, ensure};

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let [option, milliseconds, request] = &arguments[..] else {
        bail!("usage: client --timeout MILLISECONDS REQUEST");
    };
    ensure!(option == "--timeout", "the only option is --timeout");
    let milliseconds: u32 = milliseconds
        .to_string_lossy()
        .parse()
        .context("the timeout is a number of milliseconds")?;
    let request = request.as_bytes().to_owned();
    // A request with a newline in it would be two.
    ensure!(!request.contains(&b'\n'), "a request is a single line");

    // No call in there has a timeout. The wait for all of them has one, and
    // when this program ends, the thread does.
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || sender.send(ask(&request)));
    let answer = answer
        .recv_timeout(Duration::from_millis(milliseconds.into()))
        .context("the time is up")??;
    println!("{answer}");
    Ok(())
}

/// What the server answers, however long it takes.
fn ask(request: &[u8]) -> anyhow::Result<String> {
    let mut stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    match stream.write_all(&[request, b"\n"].concat()) {
        // Who hangs up may have said why.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        result => result.context("cannot write the request")?,
    }
    let mut answer = String::new();
    BufReader::new(stream)
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    let answer = answer
        .strip_suffix('\n')
        .context("the server ended before its answer was complete")?;
    Ok(answer.to_owned())
}
