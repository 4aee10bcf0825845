//! Starts at `mysocket`, over nothing but a socket at which nobody listens.
//!
//! Your turn: all that has to be found out before it binds.

use std::os::unix::net::UnixListener;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let listener = own_the_name()?;
    println!("listening on {SOCKET_PATH}");
    loop {
        match listener.accept() {
            Ok(_) => println!("accepted a client, and hung up"),
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}

fn own_the_name() -> anyhow::Result<UnixListener> {
    UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))
}
