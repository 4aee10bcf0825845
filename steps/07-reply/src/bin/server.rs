//! Sends each client its text back in capitals.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::{env, fs};

use anyhow::{Context, bail};

const SOCKET_PATH: &str = "mysocket";

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

/// Answers each piece of text as it comes, in capitals.
fn handle_client(mut stream: UnixStream) -> anyhow::Result<()> {
    let mut piece = [0; 4096];
    let mut total = 0;
    loop {
        let length = stream.read(&mut piece).context("cannot read the text")?;
        if length == 0 {
            break;
        }
        piece[..length].make_ascii_uppercase();
        stream.write_all(&piece[..length]).context("cannot answer")?;
        total += length;
    }
    println!("answered {total} bytes");
    Ok(())
}
