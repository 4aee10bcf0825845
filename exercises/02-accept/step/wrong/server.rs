//! The server of chapter 2, but wrong, in the way that its first argument
//! names.

use std::env;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixListener;
use std::thread;

fn main() {
    let fault = env::args().nth(1).expect("a fault");
    let is = |name: &str| fault == name;
    if is("removes-a-live-servers-socket") {
        let _ = fs::remove_file("mysocket");
    }
    let listener = match UnixListener::bind("mysocket") {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot bind mysocket: {error}");
            std::process::exit(1);
        }
    };
    if is("has-a-backlog-of-1") {
        rustix::net::listen(&listener, 1).expect("cannot listen");
    }
    if is("asks-again-and-again") {
        listener.set_nonblocking(true).expect("cannot set it");
    }
    println!("listening on mysocket");
    if is("accepts-nobody") {
        loop {
            thread::park();
        }
    }
    let mut streams = Vec::new();
    let mut number = if is("counts-from-0") { 0 } else { 1 };
    loop {
        match listener.accept() {
            Ok((mut stream, address)) => {
                match address.as_pathname() {
                    Some(_) if is("does-not-look-who-it-is") => {
                        println!("accepted connection {number}");
                    }
                    Some(name) if is("prints-a-name-as-it-is") => {
                        let name = name.display();
                        println!("accepted connection {number} from {name}");
                    }
                    _ => println!(
                        "accepted connection {number} from {address:?}"
                    ),
                }
                number += 1;
                if is("greets") {
                    let _ = stream.write_all(b"welcome\n");
                }
                if is("leaves-with-its-client") {
                    let _ = stream.read_to_end(&mut Vec::new());
                    return;
                }
                if is("serves-only-one") {
                    streams.push(stream);
                    loop {
                        thread::park();
                    }
                }
                if !is("hangs-up") {
                    streams.push(stream);
                }
            }
            Err(error) if is("stops-at-an-error") => {
                eprintln!("cannot accept: {error}");
                std::process::exit(1);
            }
            Err(_) if is("hides-errors") => {}
            Err(error)
                if is("asks-again-and-again")
                    && error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}
