//! Reads one message from each client, which may be as long as it is told.

use std::env;
use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};

use anyhow::{Context, ensure};

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    const USAGE: &str = "usage: server LIMIT";
    let limit = env::args().nth(1).context(USAGE)?;
    let limit: u32 = limit.parse().context(USAGE)?;

    let listener = UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))?;
    println!("listening on {SOCKET_PATH}");

    let mut number = 0u64;
    loop {
        match listener.accept() {
            Ok((stream, address)) => {
                number += 1;
                println!("accepted connection {number} from {address:?}");
                if let Err(error) = handle_client(stream, limit.into()) {
                    eprintln!("connection {number}: {error:#}");
                }
            }
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}

fn handle_client(stream: UnixStream, limit: u64) -> anyhow::Result<()> {
    let mut message = Vec::new();
    // One byte more than allowed tells "too long" from "exactly full".
    stream
        .take(limit + 1)
        .read_to_end(&mut message)
        .context("cannot read the message")?;
    ensure!(
        message.len() as u64 <= limit,
        "the message is longer than {limit} bytes"
    );

    let text = str::from_utf8(&message).context("the message is not text")?;
    println!("received {} bytes: {text:?}", text.len());
    Ok(())
}
