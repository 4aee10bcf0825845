//! Binds a listening socket to the path that it is given.
//!
//! Your turn: give each cause of a failure its advice and its exit code.

use std::env;
use std::os::unix::net::UnixListener;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let path = env::args_os().nth(1).context("usage: server PATH")?;
    UnixListener::bind(&path)
        .with_context(|| format!("cannot bind {}", path.display()))?;
    println!("listening on {}", path.display());
    Ok(())
}
