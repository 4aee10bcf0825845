//! Reads one message from each client that connects, and prints it.
//!
//! Your turn: print each piece as it comes, in hexadecimal, with its time.

use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};

use anyhow::{Context, ensure};

const SOCKET_PATH: &str = "mysocket";
const MAX_MESSAGE: u64 = 64 * 1024;

fn main() -> anyhow::Result<()> {
    let listener = UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))?;
    println!("listening on {SOCKET_PATH}");

    let mut number = 0u64;
    loop {
        match listener.accept() {
            Ok((stream, address)) => {
                number += 1;
                println!("accepted connection {number} from {address:?}");
                if let Err(error) = handle_client(stream) {
                    eprintln!("connection {number}: {error:#}");
                }
            }
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}

/// A message is all that a client writes until it closes its end.
fn handle_client(stream: UnixStream) -> anyhow::Result<()> {
    let mut message = Vec::new();
    // One byte more than allowed tells "too long" from "exactly full".
    stream
        .take(MAX_MESSAGE + 1)
        .read_to_end(&mut message)
        .context("cannot read the message")?;
    ensure!(
        message.len() as u64 <= MAX_MESSAGE,
        "the message is longer than {MAX_MESSAGE} bytes"
    );

    let text = str::from_utf8(&message).context("the message is not text")?;
    println!("received {} bytes: {text:?}", text.len());
    Ok(())
}
