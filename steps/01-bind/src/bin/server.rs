//! Creates a listening Unix socket and gives it a name in the file system.

use std::os::unix::net::UnixListener;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let listener = UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))?;
    println!("listening on {SOCKET_PATH}");

    // This closes the socket. It does not remove its name.
    drop(listener);
    Ok(())
}
