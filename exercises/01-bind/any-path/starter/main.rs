//! Binds a listening socket to the name `mysocket`, says so, and ends.
//!
//! Your turn: bind the path that is given as an argument.

use std::os::unix::net::UnixListener;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let _listener =
        UnixListener::bind("mysocket").context("cannot bind mysocket")?;
    println!("listening on mysocket");
    Ok(())
}
