//! Accepts every client that connects, and says when each of them came.

use std::os::unix::net::UnixListener;
use std::time::Instant;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    // Not the time of day: that may be set while we run.
    let start = Instant::now();
    let listener = UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))?;
    println!("listening on {SOCKET_PATH}");

    let mut streams = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                streams.push(stream);
                let number = streams.len();
                let seconds = start.elapsed().as_secs_f64();
                println!(
                    "accepted connection {number} after {seconds:.3} seconds"
                );
            }
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}
