//! Says what is at a path: `live`, `stale`, `not a socket` or `missing`.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let path = env::args_os().nth(1).context("usage: sockinfo PATH")?;
    let answer = what_is_at(&path)
        .with_context(|| format!("cannot say what {} is", path.display()))?;
    println!("{answer}");
    Ok(())
}

fn what_is_at(path: &OsStr) -> io::Result<&'static str> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok("missing");
        }
        Err(error) => return Err(error),
        // Connecting to a file of another kind is refused as well.
        Ok(file) if !file.file_type().is_socket() => {
            return Ok("not a socket");
        }
        Ok(_) => {}
    }
    // The server that we ask accepts a client that leaves at once.
    match UnixStream::connect(path) {
        Ok(_) => Ok("live"),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            Ok("stale")
        }
        Err(error) => Err(error),
    }
}
