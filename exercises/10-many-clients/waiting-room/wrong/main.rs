//! A server with a waiting room, but wrong, in the way that its first argument
//! names.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Condvar, Mutex};
use std::time::Duration;
use std::{env, fs, hint, process, thread};

use store::Store;

#[path = "../../../../steps/10-many-clients/src/store.rs"]
mod store;

static STORE: Mutex<Option<Store>> = Mutex::new(None);
static HERE: Mutex<u64> = Mutex::new(0);
static LEFT: Condvar = Condvar::new();

fn main() {
    let mut arguments = env::args().skip(1);
    let fault = &*arguments.next().expect("a fault");
    let mut number =
        || arguments.next().and_then(|text| text.parse::<u64>().ok());
    let (Some(count), Some(mut n)) = (number(), number()) else {
        println!("usage: server COUNT N");
        process::exit(1);
    };
    if n == 0 && fault != "takes-0" {
        println!("nobody could come in");
        process::exit(1);
    }
    match fault {
        "lets-one-more-in" => n += 1,
        "lets-one-less-in" if n > 1 => n -= 1,
        "knows-no-limit" => n = u64::MAX,
        _ => {}
    }
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");
    thread::scope(|scope| {
        for _ in 0..count {
            if fault == "looks-again-and-again" {
                while *HERE.lock().expect("no panic") >= n {
                    hint::spin_loop();
                }
            } else if fault != "sends-the-next-one-away" {
                let here = HERE.lock().expect("no panic");
                drop(LEFT.wait_while(here, |here| *here >= n));
            }
            let (stream, _) = listener.accept().expect("a client");
            let mut here = HERE.lock().expect("no panic");
            if *here >= n {
                continue;
            }
            *here += 1;
            scope.spawn(move || {
                let result = serve(&stream);
                if result.is_none() && fault == "counts-down-after-a-clean-end"
                {
                    return;
                }
                if fault == "sends-the-next-one-away" {
                    thread::sleep(Duration::from_millis(200));
                }
                *HERE.lock().expect("no panic") -= 1;
                if fault != "wakes-nobody" {
                    LEFT.notify_one();
                }
            });
        }
    });
    fs::remove_file("mysocket").expect("it is ours");
}

/// `None` if the client's end was not an orderly one.
fn serve(mut stream: &UnixStream) -> Option<()> {
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
        stream.write_all(answer(line.trim_end()).as_bytes()).ok()?;
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
