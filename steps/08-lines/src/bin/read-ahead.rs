//! Shows what a `BufReader` has read beyond the line that it was asked for.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

fn main() -> anyhow::Result<()> {
    let (mut writer, stream) = UnixStream::pair()?;
    writer.write_all(b"one\ntwo\n")?;

    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    println!("asked for a line: {line:?}");
    println!("read ahead: {:?}", String::from_utf8_lossy(reader.buffer()));

    let mut stream = reader.into_inner();
    // So that a read says that there is nothing, and does not wait for it.
    stream.set_nonblocking(true)?;
    println!("left in the stream: {:?}", stream.read(&mut [0; 99]));
    Ok(())
}
