//! Shows what `read` and `write` say when this has happened to the peer: its
//! argument is `shut`, `clone`, `stopped`, `ended`, `backlog` or `killed`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command};
use std::{env, fs};

use anyhow::{Context, bail, ensure};

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let case = env::args().nth(1).context("which case?")?;
    let (mut ours, theirs) = UnixStream::pair()?;
    match case.as_str() {
        "shut" => {
            theirs.shutdown(Shutdown::Read)?;
            show(&ours)
        }
        "clone" => {
            drop(theirs.try_clone()?);
            show(&ours)
        }
        "stopped" => {
            let mut peer = process(theirs)?;
            stop(&peer)?;
            show(&ours)?;
            end(&mut peer)
        }
        "ended" => {
            ours.shutdown(Shutdown::Write)?;
            show(&ours)
        }
        "backlog" => {
            let listener = UnixListener::bind(SOCKET_PATH)?;
            let ours = UnixStream::connect(SOCKET_PATH)?;
            drop(listener);
            fs::remove_file(SOCKET_PATH)?;
            show(&ours)
        }
        "killed" => {
            let mut peer = process(theirs)?;
            ours.set_nonblocking(true)?;
            while ours.write(&[b'x'; 4096]).is_ok() {}
            end(&mut peer)?;
            show(&ours)
        }
        _ => bail!("there is no case {case}"),
    }
}

/// A process whose input is this stream, and which never reads it.
///
/// We have no descriptor of it any more: the command is dropped with what it
/// was given.
fn process(input: UnixStream) -> anyhow::Result<Child> {
    Command::new("sleep")
        .arg("60")
        .stdin(OwnedFd::from(input))
        .spawn()
        .context("cannot start sleep")
}

fn stop(process: &Child) -> anyhow::Result<()> {
    let id = process.id().to_string();
    let status = Command::new("sh").args(["-c", "kill -STOP $0", &id]).status();
    ensure!(status?.success(), "cannot stop process {id}");
    Ok(())
}

fn end(process: &mut Child) -> anyhow::Result<()> {
    process.kill()?;
    // When it was waited for, the kernel has closed all that it had.
    process.wait()?;
    Ok(())
}

/// Reads once and writes a byte, without waiting, and prints what they say.
fn show(mut stream: &UnixStream) -> anyhow::Result<()> {
    stream.set_nonblocking(true)?;
    println!("read: {}", word(stream.read(&mut [0; 99])));
    println!("write: {}", word(stream.write(b"x")));
    Ok(())
}

fn word(result: io::Result<usize>) -> String {
    match result {
        Ok(0) => "end".to_owned(),
        Ok(count) => count.to_string(),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock => "would block".to_owned(),
            ErrorKind::ConnectionReset => "reset".to_owned(),
            ErrorKind::BrokenPipe => "broken pipe".to_owned(),
            _ => error.to_string(),
        },
    }
}
