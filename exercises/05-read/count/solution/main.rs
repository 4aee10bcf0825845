//! Counts what each client sends, and keeps nothing of it.

use std::io;
use std::os::unix::net::UnixListener;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let listener = UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))?;
    println!("listening on {SOCKET_PATH}");

    let mut number = 0u64;
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => {
                eprintln!("cannot accept: {error}");
                continue;
            }
        };
        number += 1;
        // `copy` reads to the end, a piece at a time, and says how much it was.
        match io::copy(&mut stream, &mut io::sink()) {
            Ok(count) => println!("connection {number}: {count} bytes"),
            Err(error) => eprintln!("connection {number}: {error}"),
        }
    }
}
