//! The server of chapter 10, but wrong, in the way that its first argument
//! names.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs, process, thread};

use store::Store;

#[path = "../../../../steps/10-many-clients/src/store.rs"]
mod store;

static STORE: Mutex<Option<Store>> = Mutex::new(None);
static THREADS: AtomicUsize = AtomicUsize::new(0);

fn main() {
    let mut arguments = env::args().skip(1);
    let fault = &*arguments.next().expect("a fault");
    let count = arguments.next().map(|text| text.parse::<u64>());
    let count = match count.unwrap_or(Ok(u64::MAX)) {
        Ok(count) => count,
        Err(_) if fault == "takes-anything-for-a-number" => u64::MAX,
        Err(_) => {
            println!("usage: server [COUNT]");
            process::exit(1);
        }
    };
    let in_the_way = match fault {
        "is-in-its-own-way" => false,
        "takes-the-name-from-a-live-server" => true,
        _ if UnixStream::connect("mysocket").is_ok() => {
            println!("there is a server");
            process::exit(1);
        }
        _ => true,
    };
    if in_the_way {
        let _ = fs::remove_file("mysocket");
    }
    let Ok(listener) = UnixListener::bind("mysocket") else {
        println!("cannot bind");
        process::exit(1);
    };
    println!("listening on mysocket");
    thread::scope(|scope| {
        for number in 1..=count {
            let stream = loop {
                match listener.accept() {
                    Ok((stream, _)) => break stream,
                    Err(_) if fault == "ends-when-it-cannot-accept" => {
                        process::exit(1);
                    }
                    Err(_) if fault == "tries-again-at-once" => {}
                    Err(_) => thread::sleep(Duration::from_millis(100)),
                }
            };
            if fault == "ends-when-nobody-reads-its-output" {
                println!("accepted connection {number}");
            }
            let serve = move || {
                while fault == "has-twenty-threads"
                    && THREADS.load(Ordering::SeqCst) >= 20
                {
                    thread::sleep(Duration::from_millis(10));
                }
                THREADS.fetch_add(1, Ordering::SeqCst);
                let result = serve(&stream, fault);
                THREADS.fetch_sub(1, Ordering::SeqCst);
                if result.is_err() && fault == "ends-with-a-client" {
                    process::exit(1);
                }
            };
            match fault {
                "serves-one-at-a-time" => serve(),
                _ => drop(scope.spawn(serve)),
            }
        }
        if fault == "does-not-wait-for-the-last" && count == 3 {
            let _ = fs::remove_file("mysocket");
            process::exit(0);
        }
    });
    if fault != "leaves-its-name" {
        fs::remove_file("mysocket").expect("it is ours");
    }
}

fn serve(mut stream: &UnixStream, fault: &str) -> io::Result<()> {
    let most = match fault {
        "waits-for-the-end-of-a-line" => usize::MAX,
        _ => 1024,
    };
    let mut own = Some(Store::default());
    let mut read = Vec::new();
    loop {
        let line = match read.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let mut line: Vec<u8> = read.drain(..=end).collect();
                line.pop();
                line
            }
            None if read.len() >= most => {
                stream.write_all(b"ERR too long\n")?;
                return Ok(());
            }
            None => {
                let mut piece = [0; 512];
                let count = stream.read(&mut piece)?;
                read.extend_from_slice(&piece[..count]);
                match fault {
                    "takes-a-read-for-a-request" if count > 0 => {
                        let text = String::from_utf8_lossy(&read);
                        let text = text.trim_end().to_owned();
                        read.clear();
                        text.into_bytes()
                    }
                    "does-half-a-request" if count == 0 && !read.is_empty() => {
                        read.push(b'\n');
                        continue;
                    }
                    _ if count == 0 => return Ok(()),
                    _ => continue,
                }
            }
        };
        if fault == "does-not-wait-for-the-lock" {
            let answer = match STORE.try_lock() {
                Ok(mut shared) => {
                    // So long that another finds it locked.
                    thread::sleep(Duration::from_micros(100));
                    answer(&line, &mut shared)
                }
                Err(_) => "ERR busy\n".to_owned(),
            };
            stream.write_all(answer.as_bytes())?;
            continue;
        }
        let mut shared = STORE.lock().expect("no thread panics with it");
        if fault == "has-a-store-for-each" {
            let answer = answer(&line, &mut own);
            drop(shared);
            stream.write_all(answer.as_bytes())?;
            continue;
        }
        let answer = answer(&line, &mut shared);
        match fault {
            "holds-the-lock-while-it-writes" => {
                stream.write_all(answer.as_bytes())?;
            }
            "throws-away-what-does-not-fit" => {
                drop(shared);
                stream.set_nonblocking(true)?;
                let _ = stream.write(answer.as_bytes());
                stream.set_nonblocking(false)?;
            }
            _ => {
                drop(shared);
                stream.write_all(answer.as_bytes())?;
            }
        }
    }
}

fn answer(line: &[u8], store: &mut Option<Store>) -> String {
    let store = store.get_or_insert_default();
    let line = String::from_utf8_lossy(line);
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
