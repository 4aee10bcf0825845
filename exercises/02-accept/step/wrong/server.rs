//! The server of chapter 2, but wrong, in the way that its first argument
//! names.

use std::env;
use std::fs;
use std::io::Write;
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
            Ok((mut stream, _)) => {
                println!("accepted connection {number}");
                number += 1;
                if is("greets") {
                    stream.write_all(b"welcome\n").expect("cannot greet");
                }
                if is("leaves-with-its-client") {
                    let mut all = Vec::new();
                    std::io::Read::read_to_end(&mut stream, &mut all)
                        .expect("cannot read");
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
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}
