//! Sends a file, but wrong, in the way that its first argument names.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let path = arguments.next().expect("a path");
    match send(&fault, &path) {
        Ok(count) => {
            println!("sent {count} bytes");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let path = if fault == "names-no-path" { "it" } else { &path };
            eprintln!("cannot send {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn send(fault: &str, path: &str) -> io::Result<usize> {
    let mut stream = UnixStream::connect("mysocket")?;
    let mut file = File::open(path)?;
    if fault == "sends-whole-buffers" {
        let mut buffer = [0; 4096];
        while file.read(&mut buffer)? > 0 {
            stream.write_all(&buffer)?;
        }
        return Ok(fs::metadata(path)?.len() as usize);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    match fault {
        "takes-it-for-text" => {
            bytes = String::from_utf8_lossy(&bytes).into_owned().into_bytes();
        }
        "ends-with-a-newline" => bytes.push(b'\n'),
        "takes-0-bytes-for-a-failure" if bytes.is_empty() => {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        "does-not-wait" => {
            stream.set_nonblocking(true)?;
            return stream.write(&bytes).or(Ok(0));
        }
        "does-not-look-at-the-error" => {
            let _ = stream.write_all(&bytes);
            return Ok(bytes.len());
        }
        _ => {}
    }
    stream.write_all(&bytes)?;
    Ok(bytes.len())
}
