//! The client of chapter 9, but wrong, in the way that its first argument
//! names.

use std::env;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let mut stream = match UnixStream::connect("mysocket") {
        Ok(stream) => stream,
        Err(error) => {
            eprintln!("cannot connect to mysocket: {error}");
            return ExitCode::FAILURE;
        }
    };
    for request in arguments {
        match ask(&fault, &mut stream, &request) {
            Ok(answer) => println!("{}", String::from_utf8_lossy(&answer)),
            Err(error) => {
                eprintln!("{error}");
                let is_hidden = fault == "hides-errors";
                return ExitCode::from(if is_hidden { 0 } else { 1 });
            }
        }
    }
    ExitCode::SUCCESS
}

fn ask(
    fault: &str,
    stream: &mut UnixStream,
    request: &str,
) -> Result<Vec<u8>, String> {
    let bytes = request.as_bytes();
    if bytes.len() > 65_536 && fault != "sends-anything" {
        return Err("the request is too long".to_owned());
    }
    let length = match fault {
        "counts-letters" => request.chars().count(),
        "counts-the-length-itself" => bytes.len() + 4,
        _ => bytes.len(),
    };
    let length = match fault {
        "writes-the-lowest-first" => (length as u32).to_le_bytes(),
        _ => (length as u32).to_be_bytes(),
    };
    let _ = stream.write_all(&[&length, bytes].concat());
    if fault == "takes-a-read-for-a-frame" {
        let mut piece = [0; 65_540];
        let length = stream.read(&mut piece).unwrap_or(0);
        let payload = piece[..length].get(4..);
        return payload.map(<[u8]>::to_vec).ok_or("no answer".to_owned());
    }
    let length = read(fault, stream, 4)?;
    let length: [u8; 4] = match length.try_into() {
        Ok(length) => length,
        Err(_) => return Ok(Vec::new()),
    };
    let length = u32::from_be_bytes(length) as usize;
    if length > 65_536 && fault != "trusts-the-length" {
        return Err("the answer is too long".to_owned());
    }
    read(fault, stream, length)
}

fn read(
    fault: &str,
    stream: &mut UnixStream,
    count: usize,
) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; count];
    if fault == "takes-the-end-for-an-answer" {
        bytes.clear();
        let read = stream.take(count as u64).read_to_end(&mut bytes);
        return read.map(|_| bytes).map_err(|error| error.to_string());
    }
    let read = stream.read_exact(&mut bytes);
    read.map(|()| bytes).map_err(|error| error.to_string())
}
