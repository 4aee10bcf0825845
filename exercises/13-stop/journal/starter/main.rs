//! Keeps values under names: each line that a client sends is a request.
//!
//! Your turn: write down what changes the store before you answer, and read it
//! at the start.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{env, fs, iter, num, thread};

use anyhow::{Context, bail, ensure};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level::pipe};
use store::Store;

mod store;

const SOCKET_PATH: &str = "mysocket";

/// The longest line, in bytes, with the newline that ends it.
const MAX_LINE: u64 = 1024;

/// The most clients that we serve at a time.
const MAX_CLIENTS: usize = 256;

/// How long a client may take for a request, and to accept an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait when an `accept` has failed.
const PAUSE: Duration = Duration::from_millis(100);

/// How long clients have to take their answers when we stop.
const GRACE: Duration = Duration::from_secs(2);

fn main() -> anyhow::Result<()> {
    let patience = match env::args_os().nth(1) {
        Some(milliseconds) => {
            let milliseconds: num::NonZero<u32> = milliseconds
                .to_string_lossy()
                .parse()
                .context("usage: server [MILLISECONDS FOR A REQUEST]")?;
            Duration::from_millis(milliseconds.get().into())
        }
        None => PATIENCE,
    };

    let stop = stop_signal().context("cannot catch signals")?;
    remove_stale_socket()?;
    let listener = UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))?;
    listener.set_nonblocking(true)?;
    // Declared after the listener, so dropped before it.
    let mut name =
        Some(SocketName { identity: identity_of_file().context(SOCKET_PATH)? });
    println!("listening on {SOCKET_PATH}");

    let store = Mutex::new(Store::default());
    thread::scope(|scope| {
        let mut clients: Vec<Weak<UnixStream>> = Vec::new();
        let (working, all_done) = mpsc::channel::<()>();
        let connections = iter::from_fn(|| accept(&listener, &stop, &mut name));
        for (number, (stream, address)) in (1u64..).zip(connections) {
            log(format!("accepted connection {number} from {address:?}"));
            clients.retain(|client| client.strong_count() > 0);
            if clients.len() == MAX_CLIENTS {
                log(format!("connection {number}: too many clients"));
                let _ = send(&stream, "ERR busy");
                continue;
            }
            let stream = Arc::new(stream);
            clients.push(Arc::downgrade(&stream));
            let store = &store;
            let working = working.clone();
            let serve = move || {
                if let Err(error) = handle_client(&stream, store, patience) {
                    log(format!("connection {number}: {error:#}"));
                }
                drop(working);
            };
            let started = thread::Builder::new().spawn_scoped(scope, serve);
            if let Err(error) = started {
                log(format!("connection {number}: no thread: {error}"));
            }
        }
        shut_down(&clients, Shutdown::Read);
        drop(working);
        // Nobody ever sends: the wait ends when the last sender is dropped.
        if all_done.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) {
            shut_down(&clients, Shutdown::Both);
        }
    });
    Ok(())
}

/// Readable once we are asked to stop. Asked again, the program ends at once.
fn stop_signal() -> io::Result<UnixStream> {
    let (stop, asked) = UnixStream::pair()?;
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag not yet set.
        flag::register_conditional_default(signal, Arc::clone(&stopping))?;
        flag::register(signal, Arc::clone(&stopping))?;
        pipe::register(signal, asked.try_clone()?)?;
    }
    Ok(stop)
}

/// The next connection. After `stop`, those that wait already, and no more.
fn accept(
    listener: &UnixListener,
    stop: &UnixStream,
    name: &mut Option<SocketName>,
) -> Option<(UnixStream, SocketAddr)> {
    loop {
        let mut ready = [
            PollFd::new(listener, PollFlags::IN),
            PollFd::new(stop, PollFlags::IN),
        ];
        let polled = retry_on_intr(|| poll(&mut ready, None));
        if polled.is_ok() && !ready[1].revents().is_empty() {
            // From now on nobody finds us.
            if name.take().is_some() {
                log("stopping".to_owned());
            }
            return listener.accept().ok();
        }
        match listener.accept() {
            Ok(connection) => return Some(connection),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                log(format!("cannot accept: {error}"));
                thread::sleep(PAUSE);
            }
        }
    }
}

fn shut_down(clients: &[Weak<UnixStream>], how: Shutdown) {
    for client in clients.iter().filter_map(Weak::upgrade) {
        // It fails if the client has closed already, which is as good.
        let _ = client.shutdown(how);
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
    patience: Duration,
) -> anyhow::Result<()> {
    // Linux makes it so anyway; macOS passes on what the listener has.
    stream.set_nonblocking(false).context("cannot make the stream block")?;
    let _ = stream.set_write_timeout(Some(patience));
    let mut requests = BufReader::new(Deadline { stream, at: Instant::now() });
    loop {
        requests.get_mut().at = Instant::now() + patience;
        let line = match read_line(&mut requests) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(error) => {
                // Perhaps the client still reads.
                let _ = send(stream, &format!("ERR {error:#}"));
                return Err(error);
            }
        };
        send(stream, &answer_once(&line, store)).context("cannot answer")?;
    }
}

/// Reads from a stream until a moment, however the bytes come.
struct Deadline<'a> {
    stream: &'a UnixStream,
    at: Instant,
}

impl Read for Deadline<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        // macOS refuses once the client has gone, and then no read waits.
        let _ = self.stream.set_read_timeout(Some(left));
        match self.stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Err(ErrorKind::TimedOut.into())
            }
            result => result,
        }
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

/// What the server says to a line: the answer to a request, or, if the line
/// starts with `#` and an id that it knows, the answer that it gave before.
fn answer_once(line: &[u8], store: &Mutex<Store>) -> String {
    let Ok(line) = str::from_utf8(line) else {
        return "ERR the request is not text".to_owned();
    };
    // A thread that panicked has left the store whole.
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((id, request)) =
        line.strip_prefix('#').and_then(|rest| rest.split_once(' '))
    else {
        return answer(line, &mut store);
    };
    if let Some(answer) = store.answer_to(id) {
        return answer.to_owned();
    }
    let answer = format!("#{id} {}", answer(request, &mut store));
    store.remember(id, &answer);
    answer
}

/// What the server says to a request.
fn answer(request: &str, store: &mut Store) -> String {
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
        (Some("ADD"), Some(name), Some(number)) => {
            match number.parse().ok().and_then(|n| store.add(name, n)) {
                Some(sum) => format!("VALUE {sum}"),
                None => "ERR cannot add".to_owned(),
            }
        }
        _ => "ERR I know GET name, SET name value, DEL name, ADD name number"
            .to_owned(),
    }
}
