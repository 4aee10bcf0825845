//! Accepts every client that connects, and keeps its connection open.
//!
//! Your turn: say when each of them came.

use std::os::unix::net::UnixListener;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let listener = UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))?;
    println!("listening on {SOCKET_PATH}");

    // A stream that is dropped hangs up on its client.
    let mut streams = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, address)) => {
                streams.push(stream);
                let number = streams.len();
                println!("accepted connection {number} from {address:?}");
            }
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}
