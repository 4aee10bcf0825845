//! Keeps values under names: each line that a client sends is a request.
//!
//! Your turn: serve `at_a_time` clients at most at the same time, and leave
//! the next one in the backlog until one of them has gone.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs, thread};

use anyhow::{Context, bail, ensure};
use store::Store;

mod store;

const SOCKET_PATH: &str = "mysocket";

/// The longest line, in bytes, with the newline that ends it.
const MAX_LINE: u64 = 1024;

/// How long to wait when an `accept` has failed.
const PAUSE: Duration = Duration::from_millis(100);

fn main() -> anyhow::Result<()> {
    let usage = "usage: server HOW-MANY-CLIENTS-TO-SERVE AT-A-TIME";
    let number = |index| -> anyhow::Result<u64> {
        let argument = env::args_os().nth(index).context(usage)?;
        argument.to_string_lossy().parse().context(usage)
    };
    let (clients, at_a_time) = (number(1)?, number(2)?);
    ensure!(at_a_time > 0, "nobody could be served: AT-A-TIME is 0");

    remove_stale_socket()?;
    let listener = UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))?;
    // Declared after the listener, so dropped before it.
    let _name =
        SocketName { identity: identity_of_file().context(SOCKET_PATH)? };
    let _ = at_a_time;
    println!("listening on {SOCKET_PATH}");

    let store = Mutex::new(Store::default());
    thread::scope(|scope| {
        for number in 1..=clients {
            let (stream, address) = accept(&listener);
            log(format!("accepted connection {number} from {address:?}"));
            let store = &store;
            let serve = move || {
                if let Err(error) = handle_client(&stream, store) {
                    log(format!("connection {number}: {error:#}"));
                }
            };
            let started = thread::Builder::new().spawn_scoped(scope, serve);
            if let Err(error) = started {
                log(format!("connection {number}: no thread: {error}"));
            }
        }
    });
    Ok(())
}

/// The next connection, whatever happens until then.
fn accept(listener: &UnixListener) -> (UnixStream, SocketAddr) {
    loop {
        match listener.accept() {
            Ok(connection) => return connection,
            Err(error) => {
                log(format!("cannot accept: {error}"));
                thread::sleep(PAUSE);
            }
        }
    }
}

/// Prints a line, if anybody still reads what we print.
fn log(line: String) {
    let _ = writeln!(io::stdout(), "{line}");
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

/// Answers each line, until the client has no more.
fn handle_client(
    stream: &UnixStream,
    store: &Mutex<Store>,
) -> anyhow::Result<()> {
    let mut requests = BufReader::new(stream);
    loop {
        let line = match read_line(&mut requests) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(error) => {
                // Perhaps the client still reads.
                let _ = send(stream, &format!("ERR {error:#}"));
                return Err(error);
            }
        };
        send(stream, &answer(&line, store)).context("cannot answer")?;
    }
}

fn send(mut stream: &UnixStream, answer: &str) -> io::Result<()> {
    stream.write_all(format!("{answer}\n").as_bytes())
}

/// The next line, without what ends it. `None` if the client has ended.
fn read_line(requests: &mut impl BufRead) -> anyhow::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let length = requests
        .take(MAX_LINE)
        .read_until(b'\n', &mut line)
        .context("cannot read the request")?;
    if length == 0 {
        return Ok(None);
    }
    if line.pop_if(|byte| *byte == b'\n').is_none() {
        ensure!(line.len() < MAX_LINE as usize, "the line is too long");
        bail!("the last line has no end");
    }
    line.pop_if(|byte| *byte == b'\r');
    Ok(Some(line))
}

/// What the server says to a request.
fn answer(line: &[u8], store: &Mutex<Store>) -> String {
    let Ok(request) = str::from_utf8(line) else {
        return "ERR the request is not text".to_owned();
    };
    // A thread that panicked has left the store whole.
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    let mut words = request.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some("SET"), Some(name), Some(value)) => {
            match store.set(name, value) {
                true => "OK".to_owned(),
                false => "ERR the store is full".to_owned(),
            }
        }
        (Some("GET"), Some(name), None) => match store.get(name) {
            Some(value) => format!("VALUE {value}"),
            None => "NONE".to_owned(),
        },
        (Some("DEL"), Some(name), None) => match store.delete(name) {
            true => "OK".to_owned(),
            false => "NONE".to_owned(),
        },
        _ => "ERR I know GET name, SET name value, DEL name".to_owned(),
    }
}
