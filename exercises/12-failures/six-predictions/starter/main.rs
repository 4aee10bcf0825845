//! Shows what `read` and `write` say when this has happened to the peer: its
//! argument is `shut`, `clone`, `stopped`, `ended`, `backlog` or `killed`.
//!
//! Your turn: write down what each will say, and then let it happen.

use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let case = env::args().nth(1).context("which case?")?;
    let (_ours, _theirs) = UnixStream::pair()?;
    let _show = show;
    match case.as_str() {
        "shut" => todo!("the peer shuts down its reading half"),
        "clone" => todo!("the peer closes one of two clones"),
        "stopped" => todo!("the peer is a process, stopped with SIGSTOP"),
        "ended" => todo!("we shut down our own writing half"),
        "backlog" => todo!("the listener is closed with us in its backlog"),
        "killed" => todo!("we have written all that fits; the peer is killed"),
        _ => bail!("there is no case {case}"),
    }
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
