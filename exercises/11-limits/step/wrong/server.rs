//! The server of chapter 11, but wrong, in the way that its first argument
//! names.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use store::Store;

#[path = "../../../../steps/11-limits/src/store.rs"]
mod store;

static STORE: Mutex<Option<Store>> = Mutex::new(None);
static CLIENTS: AtomicUsize = AtomicUsize::new(0);

#[derive(Clone)]
struct Settings {
    fault: String,
    patience: Duration,
}

impl Settings {
    fn has(&self, fault: &str) -> bool {
        self.fault == fault
    }
}

fn main() {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let number = arguments.next().map(|text| text.parse::<u32>());
    let number = match number.unwrap_or(Ok(60_000)) {
        Ok(number) if number > 0 || fault == "takes-0-for-a-time" => number,
        _ => {
            println!("usage: server [MILLISECONDS]");
            process::exit(1);
        }
    };
    let unit = if fault == "counts-in-seconds" { 1000 } else { 1 };
    let patience = Duration::from_millis(number.into()) * unit;
    let settings = Settings { fault, patience };
    let _ = fs::remove_file("mysocket");
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");
    for stream in listener.incoming() {
        let mut stream = stream.expect("cannot accept");
        let count = CLIENTS.fetch_add(1, Ordering::SeqCst);
        let most = if settings.has("serves-255") { 255 } else { 256 };
        if count >= most && !settings.has("counts-nobody") {
            if !settings.has("turns-away-in-silence") {
                let _ = stream.write_all(b"ERR busy\n");
            }
            CLIENTS.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        let its = settings.clone();
        let serve = move || {
            let _ = serve(&stream, &its);
            if !its.has("forgets-to-count-down") {
                CLIENTS.fetch_sub(1, Ordering::SeqCst);
            }
        };
        if settings.has("serves-one-at-a-time") {
            serve();
        } else {
            thread::spawn(serve);
        }
    }
}

fn serve(mut stream: &UnixStream, settings: &Settings) -> io::Result<()> {
    if !settings.has("waits-for-the-deaf") {
        stream.set_write_timeout(Some(settings.patience))?;
    }
    let mut read = Vec::new();
    let mut deadline = Instant::now() + settings.patience;
    loop {
        if !settings.has("has-one-time-for-all") {
            deadline = Instant::now() + settings.patience;
        }
        let line = match read_line(stream, &mut read, deadline, settings) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(error) => {
                if !settings.has("cuts-without-a-word") {
                    stream.write_all(b"ERR too late\n")?;
                }
                if settings.has("says-so-and-stays") {
                    continue;
                }
                return Err(error);
            }
        };
        let written = stream.write_all(answer(&line).as_bytes());
        if !settings.has("goes-on-after-a-failed-write") {
            written?;
        }
    }
}

fn read_line(
    mut stream: &UnixStream,
    read: &mut Vec<u8>,
    deadline: Instant,
    settings: &Settings,
) -> io::Result<Option<String>> {
    loop {
        if let Some(end) = read.iter().position(|byte| *byte == b'\n') {
            let mut line: Vec<u8> = read.drain(..=end).collect();
            line.pop();
            if settings.has("drops-what-follows-a-line") {
                read.clear();
            }
            return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = match &*settings.fault {
            "waits-forever" => None,
            "gives-each-read-the-time" => Some(settings.patience),
            _ if left.is_zero() => return Err(ErrorKind::TimedOut.into()),
            _ => Some(left),
        };
        stream.set_read_timeout(timeout)?;
        let mut piece = [0; 4096];
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            count => read.extend_from_slice(&piece[..count]),
        }
        if settings.has("takes-a-read-for-a-request") {
            let text = String::from_utf8_lossy(read).trim_end().to_owned();
            read.clear();
            return Ok(Some(text));
        }
    }
}

fn answer(line: &str) -> String {
    let mut store = STORE.lock().expect("no thread panics with it");
    let store = store.get_or_insert_default();
    match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
        ["SET", name, value] if store.set(name, value) => "OK\n".to_owned(),
        ["GET", name] => match store.get(name) {
            Some(value) => format!("VALUE {value}\n"),
            None => "NONE\n".to_owned(),
        },
        ["DEL", name] if store.delete(name) => "OK\n".to_owned(),
        ["DEL", _] => "NONE\n".to_owned(),
        _ => "ERR cannot do that\n".to_owned(),
    }
}
