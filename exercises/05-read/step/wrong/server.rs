//! The server of chapter 5, but wrong, in the way that its first argument
//! names.

use std::env;
use std::io::Read;
use std::os::unix::net::UnixListener;
use std::process;

fn main() {
    let fault = env::args().nth(1).expect("a fault");
    let is = |name: &str| fault == name;
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");
    let mut kept = Vec::new();
    let most = if is("serves-only-one") { 1 } else { usize::MAX };
    for (stream, number) in listener.incoming().take(most).zip(1..) {
        println!("accepted connection {number}");
        let mut stream = stream.expect("cannot accept");
        let mut message = Vec::new();
        let limit = if is("has-no-limit") { u64::MAX } else { 65537 };
        if is("takes-a-read-for-a-message") {
            message.resize(65537, 0);
            let length = stream.read(&mut message).expect("cannot read");
            message.truncate(length);
        } else if is("takes-the-end-for-try-again") {
            let mut piece = [0; 4096];
            while message.is_empty() {
                let length = stream.read(&mut piece).expect("cannot read");
                message.extend_from_slice(&piece[..length]);
            }
            let rest = (&stream).take(65537).read_to_end(&mut message);
            rest.expect("cannot read");
        } else {
            let read = (&stream).take(limit).read_to_end(&mut message);
            read.expect("cannot read");
        }
        let most = if is("refuses-the-last-byte") { 65535 } else { 65536 };
        if message.len() > most && !is("has-no-limit") {
            eprintln!("connection {number}: the message is too long");
            if is("stops-at-the-first-bad-client") {
                process::exit(1);
            }
            continue;
        }
        if is("never-closes") {
            kept.push(stream.try_clone().expect("a descriptor"));
        }
        if is("drops-who-has-not-closed") {
            kept.push(stream);
        }
        let text = match String::from_utf8(message) {
            Ok(text) => text,
            Err(_) if is("stops-at-the-first-bad-client") => {
                panic!("the message is not text")
            }
            Err(_) if is("hides-what-is-wrong") => continue,
            Err(error) => {
                eprintln!("connection {number}: {error}");
                continue;
            }
        };
        if is("prints-it-raw") {
            println!("received {} bytes: {text}", text.len());
        } else if is("counts-letters") {
            println!("received {} bytes: {text:?}", text.chars().count() + 1);
        } else {
            println!("received {} bytes: {text:?}", text.len());
        }
    }
}
