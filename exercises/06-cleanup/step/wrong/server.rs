//! The server of chapter 6, but wrong, in the way that its first argument
//! names.

use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{self, ExitCode};
use std::{env, fs};

const PATH: &str = "mysocket";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let is = |name: &str| fault == name;
    let mut clients = match arguments.next().map(|text| text.parse::<u64>()) {
        None => u64::MAX,
        Some(Ok(clients)) => clients,
        Some(Err(_)) if is("serves-many-if-it-is-no-number") => u64::MAX,
        Some(Err(_)) => {
            eprintln!("usage: server [HOW MANY CLIENTS TO SERVE]");
            return ExitCode::FAILURE;
        }
    };
    if is("serves-one-more") {
        clients = clients.saturating_add(1);
    }
    if is("serves-one-if-not-told") && clients == u64::MAX {
        clients = 1;
    }
    if let Err(why) = make_way(&fault) {
        eprintln!("mysocket: {why}");
        return ExitCode::from(if is("refuses-with-0") { 0 } else { 1 });
    }
    let listener = match UnixListener::bind(PATH) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot bind {PATH}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let own = fs::symlink_metadata(PATH).expect("it is ours").ino();
    println!("listening on {PATH}");

    let (mut number, mut served) = (0, 0);
    while served < clients {
        let (stream, _) = listener.accept().expect("cannot accept");
        number += 1;
        println!("accepted connection {number}");
        let mut message = Vec::new();
        let read = stream.take(65537).read_to_end(&mut message);
        read.expect("cannot read");
        served += 1;
        if is("removes-its-name-too-early") && !message.is_empty() {
            clean_up(&fault, own);
        }
        match String::from_utf8(message) {
            Ok(text) if text.len() <= 65536 => {
                println!("received {} bytes: {text:?}", text.len());
            }
            _ => {
                eprintln!("connection {number}: too long, or no text");
                if is("counts-only-good-clients") {
                    served -= 1;
                }
            }
        }
    }
    if is("exits-without-the-guard") {
        process::exit(0);
    }
    clean_up(&fault, own);
    ExitCode::from(if is("ends-with-1") { 1 } else { 0 })
}

/// Makes way for bind, or says why not.
fn make_way(fault: &str) -> Result<(), &'static str> {
    let is = |name: &str| fault == name;
    if is("starts-over-nothing") {
        return Ok(());
    }
    if is("removes-what-is-in-its-way") {
        let _ = fs::remove_file(PATH);
        return Ok(());
    }
    let file = match fault {
        "follows-links" => fs::metadata(PATH),
        _ => fs::symlink_metadata(PATH),
    };
    let Ok(file) = file else {
        return Ok(());
    };
    if !file.file_type().is_socket() && !is("asks-before-it-looks") {
        return Err("it is in the way, and it is not a socket");
    }
    match UnixStream::connect(PATH).map_err(|error| error.kind()) {
        _ if is("asks-nobody") => {}
        Err(ErrorKind::ConnectionRefused) => {}
        Err(_) if is("takes-any-error-for-stale") => {}
        Ok(_) => return Err("a server listens there"),
        Err(_) => return Err("it cannot be told whether a server listens"),
    }
    fs::remove_file(PATH).map_err(|_| "it cannot be removed")
}

fn clean_up(fault: &str, own: u64) {
    match (fault, fs::symlink_metadata(PATH)) {
        ("forgets-to-remove", _) => {}
        ("removes-by-name", _) => {
            let _ = fs::remove_file(PATH);
        }
        ("removes-any-socket", Ok(file)) if file.file_type().is_socket() => {
            fs::remove_file(PATH).expect("it is there");
        }
        ("expects-its-name-to-be-there", file) => {
            let file = file.expect("its name is gone");
            if file.ino() == own {
                fs::remove_file(PATH).expect("it is there");
            }
        }
        (_, Ok(file)) if file.ino() == own => {
            fs::remove_file(PATH).expect("it is there");
        }
        _ => {}
    }
}
