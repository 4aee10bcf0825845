//! Keeps values under names: each frame that a client sends is a request, and the
//! first one says which version of this protocol the client speaks.

use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::{env, fs};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use store::Store;

mod frame;
mod store;

const SOCKET_PATH: &str = "mysocket";

/// The version of the protocol that is spoken here.
const VERSION: u64 = 1;

/// The first frame of each side.
#[derive(Serialize, Deserialize)]
struct Greeting {
    version: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Request {
    Set(String, String),
    Get(String),
    Del(String),
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Done(bool),
    Value(Option<String>),
    Error(String),
}

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

    let mut store = Store::default();
    let mut number = 0u64;
    while number < clients {
        match listener.accept() {
            Ok((stream, address)) => {
                number += 1;
                println!("accepted connection {number} from {address:?}");
                if let Err(error) = handle_client(&stream, &mut store) {
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

/// Answers each frame, until the client has no more.
fn handle_client(stream: &UnixStream, store: &mut Store) -> anyhow::Result<()> {
    // For the greeting and all requests: what it has read ahead is theirs.
    let mut unread = Vec::new();
    let Some(greeting) = read(stream, &mut unread)? else { return Ok(()) };
    let is_ours = serde_json::from_slice(&greeting)
        .is_ok_and(|Greeting { version }| version == VERSION);
    if !is_ours {
        let error = format!("begin with {{\"version\":{VERSION}}}");
        // Perhaps the client still reads.
        let _ = send(stream, &Answer::Error(error));
        bail!("it does not speak version {VERSION}");
    }
    send(stream, &Greeting { version: VERSION }).context("cannot greet")?;

    while let Some(request) = read(stream, &mut unread)? {
        send(stream, &answer(&request, store)).context("cannot answer")?;
    }
    Ok(())
}

/// What the next frame carries. An error is told to the client.
fn read(
    mut stream: &UnixStream,
    unread: &mut Vec<u8>,
) -> anyhow::Result<Option<Vec<u8>>> {
    frame::read(&mut stream, unread)
        .inspect_err(|error| {
            // Perhaps the client still reads.
            let _ = send(stream, &Answer::Error(error.to_string()));
        })
        .context("cannot read the request")
}

fn send(mut stream: &UnixStream, answer: &impl Serialize) -> io::Result<()> {
    let payload = serde_json::to_vec(answer)?;
    stream.write_all(&frame::encode(&payload)?)
}

/// What the server says to a request.
fn answer(request: &[u8], store: &mut Store) -> Answer {
    match serde_json::from_slice(request) {
        Ok(Request::Set(name, value)) => Answer::Done(store.set(&name, &value)),
        Ok(Request::Get(name)) => {
            Answer::Value(store.get(&name).map(str::to_owned))
        }
        Ok(Request::Del(name)) => Answer::Done(store.delete(&name)),
        Err(error) => {
            // It may quote the request, and be too long for a frame.
            Answer::Error(error.to_string().chars().take(200).collect())
        }
    }
}
