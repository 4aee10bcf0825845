//! Finds out how many bytes the kernel keeps for a server that never reads,
//! in pieces of several sizes.

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    for size in [1, 100, 4096, 65536] {
        let stream = UnixStream::connect(SOCKET_PATH)
            .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
        let total = fill(stream, size)?;
        println!("{size} {total}");
    }
    Ok(())
}

/// Writes pieces of this size until the kernel takes no more, and returns how
/// many bytes it took.
fn fill(mut stream: UnixStream, size: usize) -> anyhow::Result<usize> {
    stream.set_nonblocking(true).context("cannot make it non-blocking")?;
    let piece = vec![b'x'; size];
    let mut total = 0;
    loop {
        match stream.write(&piece) {
            // It may be less than the piece.
            Ok(count) => total += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Ok(total);
            }
            Err(error) => return Err(error).context("cannot write"),
        }
    }
}
