//! Starts at `mysocket`, over nothing but a socket at which nobody listens.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};

use anyhow::{Context, bail, ensure};

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

/// Binds first, and asks only if something is in the way.
fn own_the_name() -> anyhow::Result<UnixListener> {
    match UnixListener::bind(SOCKET_PATH) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {}
        result => {
            return result
                .with_context(|| format!("cannot bind {SOCKET_PATH}"));
        }
    }
    expect_stale().with_context(|| format!("{SOCKET_PATH} is in the way"))?;
    fs::remove_file(SOCKET_PATH)
        .with_context(|| format!("cannot remove {SOCKET_PATH}"))?;
    // Once more, and not again and again: if something is there now, somebody
    // else has started at the same moment.
    UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))
}

/// Succeeds only where a dead server has left its socket.
fn expect_stale() -> anyhow::Result<()> {
    // The entry itself, and not what a link leads to. Connecting to a regular
    // file is refused as well, so this comes first.
    let file = fs::symlink_metadata(SOCKET_PATH)?;
    ensure!(file.file_type().is_socket(), "it is not a socket");
    match UnixStream::connect(SOCKET_PATH) {
        Ok(_) => bail!("a server listens there"),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => {
            Err(error).context("it cannot be told whether a server listens")
        }
    }
}
