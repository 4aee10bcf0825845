//! A server that says who is here, but wrong, in the way that its first
//! argument names.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, thread};

use store::Store;

#[path = "../../../../steps/10-many-clients/src/store.rs"]
mod store;

static STORE: Mutex<Option<Store>> = Mutex::new(None);
static HERE: AtomicU64 = AtomicU64::new(0);

fn main() {
    let fault = env::args().nth(1).expect("a fault");
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");
    for stream in listener.incoming() {
        let stream = stream.expect("cannot accept");
        let fault = fault.clone();
        if fault != "counts-who-asks" {
            HERE.fetch_add(1, Ordering::SeqCst);
        }
        thread::spawn(move || {
            let result = serve(&stream, &fault);
            let forgets = match &*fault {
                "never-counts-down" => true,
                "counts-down-after-a-clean-end" => result.is_none(),
                _ => false,
            };
            if !forgets {
                HERE.fetch_sub(1, Ordering::SeqCst);
            }
        });
    }
}

/// `None` if the client's end was not an orderly one.
fn serve(mut stream: &UnixStream, fault: &str) -> Option<()> {
    let mut has_asked = false;
    let mut requests = BufReader::new(stream);
    loop {
        let mut line = String::new();
        let count = (&mut requests).take(1024).read_line(&mut line).ok()?;
        if count == 0 {
            return Some(());
        }
        if !line.ends_with('\n') {
            stream.write_all(b"ERR no end\n").ok()?;
            return None;
        }
        let mut answer = answer(line.trim_end());
        if line == "COUNT\n" {
            if fault == "counts-who-asks" && !has_asked {
                HERE.fetch_add(1, Ordering::SeqCst);
                has_asked = true;
            }
            let mut count = HERE.load(Ordering::SeqCst);
            if fault == "leaves-out-who-asks" {
                count -= 1;
            }
            let word = if fault == "adds-a-word" { "VALUE " } else { "" };
            answer = format!("{word}{count}\n");
        }
        stream.write_all(answer.as_bytes()).ok()?;
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
