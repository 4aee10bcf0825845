//! The server of chapter 7, but wrong, in the way that its first argument
//! names.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::{env, fs};

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let clients = arguments.next().map(|text| text.parse().expect("a number"));
    let listener = UnixListener::bind("mysocket")?;
    println!("listening on mysocket");

    let incoming = listener.incoming().take(clients.unwrap_or(usize::MAX));
    for (stream, number) in incoming.zip(1..) {
        println!("accepted connection {number}");
        match handle_client(&fault, stream?) {
            Ok(total) => println!("answered {total} bytes"),
            Err(error) if fault == "stops-at-the-first-bad-client" => {
                return Err(error);
            }
            Err(_) if fault == "hides-errors" => {}
            Err(error) => eprintln!("connection {number}: {error}"),
        }
    }
    if fault == "forgets-to-remove" {
        return Ok(());
    }
    fs::remove_file("mysocket")
}

fn handle_client(fault: &str, mut stream: UnixStream) -> io::Result<usize> {
    let mut piece = [0; 4096];
    let mut total = 0;
    if fault == "reads-to-the-end-first" {
        let mut all = Vec::new();
        stream.read_to_end(&mut all)?;
        stream.write_all(&all.to_ascii_uppercase())?;
        return Ok(all.len());
    }
    let mut kept = Vec::new();
    loop {
        let length = stream.read(&mut piece)?;
        if length == 0 && fault == "takes-0-bytes-for-try-again" {
            continue;
        }
        if length == 0 {
            return Ok(total);
        }
        total += length;
        match fault {
            "keeps-it-all" => {
                kept.extend_from_slice(&piece[..length]);
                stream.write_all(&piece[..length].to_ascii_uppercase())?;
            }
            "takes-it-for-text" => {
                let text = String::from_utf8_lossy(&piece[..length]);
                stream.write_all(text.to_uppercase().as_bytes())?;
            }
            "answers-the-whole-buffer" => {
                stream.write_all(&piece.to_ascii_uppercase())?;
            }
            "reads-once" => {
                stream.write_all(&piece[..length].to_ascii_uppercase())?;
                return Ok(total);
            }
            "echoes" => stream.write_all(&piece[..length])?,
            _ => stream.write_all(&piece[..length].to_ascii_uppercase())?,
        }
    }
}
