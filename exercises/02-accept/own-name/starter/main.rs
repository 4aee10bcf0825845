//! Connects to the server.
//!
//! Your turn: bind the path that is given as the argument before you connect.
//! std cannot do that; `rustix::net` has `socket_with`, `bind` and `connect`.

use std::os::unix::net::UnixStream;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let stream = UnixStream::connect(SOCKET_PATH)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    println!("connected to {SOCKET_PATH}");
    drop(stream);
    Ok(())
}
