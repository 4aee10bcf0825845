//! Reads one message from each client, and cleans up when it has finished.
//!
//! Your turn: end when a client sends `quit`, and not after so many clients.

use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::{env, fs};

use anyhow::{Context, bail, ensure};

const SOCKET_PATH: &str = "mysocket";
const MAX_MESSAGE: u64 = 64 * 1024;

fn main() -> anyhow::Result<()> {
    let clients = match env::args_os().nth(1) {
        Some(clients) => clients
            .to_string_lossy()
            .parse()
            .context("usage: server [HOW MANY CLIENTS TO SERVE]")?,
        None => u64::MAX,
    };

    remove_stale_socket()?;
    let listener = UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))?;
    // Declared after the listener, so dropped before it.
    let _name =
        SocketName { identity: identity_of_file().context(SOCKET_PATH)? };
    println!("listening on {SOCKET_PATH}");

    let mut number = 0u64;
    while number < clients {
        match listener.accept() {
            Ok((stream, address)) => {
                number += 1;
                println!("accepted connection {number} from {address:?}");
                if let Err(error) = handle_client(stream) {
                    eprintln!("connection {number}: {error:#}");
                }
            }
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
    Ok(())
}

/// Makes way for `bind`, if all that is in the way is a dead server's socket.
fn remove_stale_socket() -> anyhow::Result<()> {
    match fs::symlink_metadata(SOCKET_PATH) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Ok(file) if file.file_type().is_socket() => {}
        Ok(_) => bail!("{SOCKET_PATH} is in the way, and it is not a socket"),
        Err(error) => return Err(error).context(SOCKET_PATH),
    }
    match UnixStream::connect(SOCKET_PATH) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(SOCKET_PATH)
                .with_context(|| format!("cannot remove {SOCKET_PATH}"))
        }
        Ok(_) => bail!("a server is already listening on {SOCKET_PATH}"),
        Err(error) => Err(error).with_context(|| {
            format!("cannot tell whether a server listens on {SOCKET_PATH}")
        }),
    }
}

/// The name of our socket: dropping it removes the name, if it is still ours.
struct SocketName {
    identity: (u64, u64),
}

impl Drop for SocketName {
    fn drop(&mut self) {
        if identity_of_file().is_ok_and(|now| now == self.identity)
            && let Err(error) = fs::remove_file(SOCKET_PATH)
        {
            eprintln!("cannot remove {SOCKET_PATH}: {error}");
        }
    }
}

/// Device and inode: two files that exist at once never share both.
fn identity_of_file() -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(SOCKET_PATH)?;
    Ok((file.dev(), file.ino()))
}

/// A message is all that a client writes until it closes its end.
fn handle_client(stream: UnixStream) -> anyhow::Result<()> {
    let mut message = Vec::new();
    // One byte more than allowed tells "too long" from "exactly full".
    stream
        .take(MAX_MESSAGE + 1)
        .read_to_end(&mut message)
        .context("cannot read the message")?;
    ensure!(
        message.len() as u64 <= MAX_MESSAGE,
        "the message is longer than {MAX_MESSAGE} bytes"
    );

    let text = str::from_utf8(&message).context("the message is not text")?;
    println!("received {} bytes: {text:?}", text.len());
    Ok(())
}
