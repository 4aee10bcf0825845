//! A chat: each line that a client sends goes to all others.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, thread};

use anyhow::{Context, bail, ensure};

const SOCKET_PATH: &str = "mysocket";

/// The longest line, in bytes, with the newline that ends it.
const MAX_LINE: u64 = 1024;

/// The most lines that wait for a client that does not read.
const MAX_QUEUE: usize = 100;

/// How long to wait when an `accept` has failed.
const PAUSE: Duration = Duration::from_millis(100);

fn main() -> anyhow::Result<()> {
    remove_stale_socket()?;
    let listener = UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))?;
    // Declared after the listener, so dropped before it.
    let _name =
        SocketName { identity: identity_of_file().context(SOCKET_PATH)? };
    println!("listening on {SOCKET_PATH}");

    let room = Mutex::new(Room::default());
    thread::scope(|scope| {
        for number in 1_u64.. {
            let (stream, address) = accept(&listener);
            log(format!("accepted connection {number} from {address:?}"));
            let room = &room;
            let serve = move || {
                if let Err(error) = handle_client(number, &stream, room) {
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

/// Who is here: the queue of each client, under the number of its connection.
#[derive(Default)]
struct Room {
    members: BTreeMap<u64, Member>,
}

struct Member {
    queue: SyncSender<Line>,
    stream: UnixStream,
}

/// A line is kept once, however many queues it is in.
type Line = Arc<[u8]>;

impl Room {
    /// Puts a line into the queue of each client but the one that says it, and
    /// drops those whose queue is full. It waits for nobody.
    fn say(&mut self, speaker: u64, line: &Line) {
        self.members.retain(|number, member| {
            if *number == speaker {
                return true;
            }
            let is_taken = member.queue.try_send(Arc::clone(line)).is_ok();
            if !is_taken {
                // This wakes both of its threads.
                let _ = member.stream.shutdown(Shutdown::Both);
            }
            is_taken
        });
    }
}

/// Passes on what a client says, and hands it what the others say, until it
/// has gone or is dropped.
fn handle_client(
    number: u64,
    stream: &UnixStream,
    room: &Mutex<Room>,
) -> anyhow::Result<()> {
    let (queue, lines) = mpsc::sync_channel(MAX_QUEUE);
    let clone = stream.try_clone().context("cannot clone the stream")?;
    thread::scope(|scope| {
        let writer = move || write_lines(stream, &lines);
        thread::Builder::new()
            .spawn_scoped(scope, writer)
            .context("no thread to write")?;
        // Once it is here, its queue is emptied.
        let member = Member { queue, stream: clone };
        lock(room).members.insert(number, member);
        let result = read_lines(number, stream, room);
        lock(room).members.remove(&number);
        // The scope waits for the writer, which may wait for the client.
        let _ = stream.shutdown(Shutdown::Both);
        result
    })
}

fn read_lines(
    number: u64,
    stream: &UnixStream,
    room: &Mutex<Room>,
) -> anyhow::Result<()> {
    let mut lines = BufReader::new(stream);
    while let Some(line) = read_line(&mut lines)? {
        lock(room).say(number, &line.into());
    }
    Ok(())
}

/// Empties a queue into a stream, until there is no sender or no reader.
fn write_lines(mut stream: &UnixStream, lines: &Receiver<Line>) {
    for line in lines {
        if stream.write_all(&line).is_err() {
            // The reading thread finds the end.
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// A thread that panicked has left the room whole.
fn lock(room: &Mutex<Room>) -> MutexGuard<'_, Room> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next line, with its newline. `None` if the client has ended.
fn read_line(lines: &mut impl BufRead) -> anyhow::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let length = lines
        .take(MAX_LINE)
        .read_until(b'\n', &mut line)
        .context("cannot read a line")?;
    if length == 0 {
        return Ok(None);
    }
    if !line.ends_with(b"\n") {
        ensure!(line.len() < MAX_LINE as usize, "the line is too long");
        bail!("the last line has no end");
    }
    Ok(Some(line))
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
