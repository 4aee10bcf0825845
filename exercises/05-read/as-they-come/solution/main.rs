//! Shows each piece of what its clients send, and when it came.

use std::fmt::Write;
use std::io::{self, ErrorKind, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Instant;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let start = Instant::now();
    let listener = UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))?;
    println!("listening on {SOCKET_PATH}");

    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                if let Err(error) = show(stream, start) {
                    eprintln!("cannot read: {error}");
                }
            }
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}

fn show(mut stream: UnixStream, start: Instant) -> io::Result<()> {
    let mut piece = [0; 4096];
    loop {
        let length = match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            // A signal came first; nothing was read.
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let mut digits = String::new();
        for byte in &piece[..length] {
            write!(digits, "{byte:02x}").expect("a string takes everything");
        }
        println!("{:.3} {digits}", start.elapsed().as_secs_f64());
    }
    println!("end");
    Ok(())
}
