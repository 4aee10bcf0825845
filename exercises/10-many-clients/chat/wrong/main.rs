//! A chat, but wrong, in the way that its first argument names.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Mutex;
use std::sync::mpsc::{self, SyncSender};
use std::time::Duration;
use std::{env, process, thread};

type Member = (SyncSender<Vec<u8>>, UnixStream);

static ROOM: Mutex<BTreeMap<u64, Member>> = Mutex::new(BTreeMap::new());

fn main() {
    let fault = env::args().nth(1).expect("a fault");
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");
    for (number, stream) in (1..).zip(listener.incoming()) {
        let stream = stream.expect("cannot accept");
        let most = match &*fault {
            "has-a-queue-without-a-limit" => 1_000_000,
            "has-a-short-queue" => 1,
            _ => 100,
        };
        let (queue, lines) = mpsc::sync_channel::<Vec<u8>>(most);
        let mut writer = stream.try_clone().expect("a clone");
        thread::spawn(move || {
            for line in lines {
                if writer.write_all(&line).is_err() {
                    let _ = writer.shutdown(Shutdown::Both);
                    return;
                }
            }
        });
        let clone = stream.try_clone().expect("a clone");
        ROOM.lock().expect("no panic").insert(number, (queue, clone));
        let fault = fault.clone();
        thread::spawn(move || {
            let result = serve(number, &stream, &fault);
            if result.is_err() && fault == "ends-with-a-client" {
                process::exit(1);
            }
            ROOM.lock().expect("no panic").remove(&number);
            let _ = stream.shutdown(Shutdown::Both);
        });
    }
}

fn serve(number: u64, mut stream: &UnixStream, fault: &str) -> io::Result<()> {
    let most = match fault {
        "waits-for-the-end-of-a-line" => usize::MAX,
        _ => 1024,
    };
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.iter().position(|byte| *byte == b'\n') {
            say(number, read.drain(..=end).collect(), fault);
            continue;
        }
        if read.len() >= most {
            return Ok(());
        }
        let mut piece = [0; 1024];
        let count = stream.read(&mut piece)?;
        if count == 0 && read.is_empty() {
            return Ok(());
        }
        if count == 0 {
            if fault == "passes-on-half-a-line" {
                say(number, read, fault);
            }
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if fault == "passes-on-what-it-reads" {
            say(number, piece[..count].to_vec(), fault);
            continue;
        }
        read.extend_from_slice(&piece[..count]);
    }
}

fn say(speaker: u64, mut line: Vec<u8>, fault: &str) {
    // Not the long ones: of these, there are too many to take so long.
    let is_apart = line.len() < 500 && line.len() > 1 && line.ends_with(b"\n");
    if fault == "takes-a-line-apart" && is_apart {
        line.pop();
        say(speaker, line, fault);
        // So long that another speaks meanwhile.
        thread::sleep(Duration::from_millis(1));
        line = b"\n".to_vec();
    }
    let mut room = ROOM.lock().expect("no panic");
    room.retain(|number, (queue, stream)| {
        if *number == speaker && fault != "sends-it-back-too" {
            return true;
        }
        match fault {
            "writes-with-the-lock-in-its-hand" => {
                return stream.write_all(&line).is_ok();
            }
            "waits-for-room-in-a-queue" => {
                return queue.send(line.clone()).is_ok();
            }
            _ => {}
        }
        let is_taken = queue.try_send(line.clone()).is_ok();
        if !is_taken && fault == "loses-lines-in-silence" {
            return true;
        }
        if !is_taken && fault != "forgets-to-shut-down" {
            let _ = stream.shutdown(Shutdown::Both);
        }
        is_taken
    });
}
