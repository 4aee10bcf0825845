//! Ends conversations in several ways, and prints what the other side sees.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

fn main() -> anyhow::Result<()> {
    let (ours, theirs) = UnixStream::pair()?;
    drop(theirs);
    show("closed", &ours);

    let (ours, mut theirs) = UnixStream::pair()?;
    theirs.write_all(b"half an ans")?;
    drop(theirs);
    show("closed in the middle of an answer", &ours);

    let (mut ours, theirs) = UnixStream::pair()?;
    ours.write_all(b"question")?;
    drop(theirs);
    show("closed, with our question unread", &ours);

    let (mut ours, mut theirs) = UnixStream::pair()?;
    ours.write_all(b"question")?;
    theirs.write_all(b"busy")?;
    drop(theirs);
    show("answered and closed, with our question unread", &ours);

    let (ours, theirs) = UnixStream::pair()?;
    theirs.shutdown(Shutdown::Write)?;
    show("half-closed", &ours);
    Ok(())
}

/// Reads to the end, then writes a byte.
fn show(how: &str, mut stream: &UnixStream) {
    println!("{how}");
    loop {
        let read = stream.read(&mut [0; 99]).map_err(|error| error.kind());
        println!("  read: {read:?}");
        if read == Ok(0) {
            break;
        }
    }
    let written = stream.write(b"x").map_err(|error| error.kind());
    println!("  write: {written:?}");
}
