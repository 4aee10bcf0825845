//! Finds out how many bytes the kernel keeps for a server that never reads,
//! in pieces of several sizes.

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
fn fill(_stream: UnixStream, _size: usize) -> anyhow::Result<usize> {
    todo!("write without waiting, and count")
}
