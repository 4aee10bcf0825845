//! Sends the server a text and prints the answer, but wrong, in the way that
//! its first argument names.

use std::env;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let is = |name: &str| fault == name;
    let mut text = arguments.next().expect("a text");
    let mut stream = match UnixStream::connect("mysocket") {
        Ok(stream) => stream,
        Err(error) => {
            let path = if is("names-no-path") { "it" } else { "mysocket" };
            eprintln!("cannot connect to {path}: {error}");
            return ExitCode::FAILURE;
        }
    };
    if is("takes-one-word") {
        text.truncate(text.find(' ').unwrap_or(text.len()));
    }
    if is("sends-a-newline") {
        text.push('\n');
    }
    stream.write_all(text.as_bytes()).expect("cannot write");
    if !is("does-not-half-close") {
        stream.shutdown(Shutdown::Write).expect("cannot half-close");
    }
    let mut answer = Vec::new();
    if is("reads-once") {
        answer.resize(65_536, 0);
        let length = stream.read(&mut answer).expect("cannot read");
        answer.truncate(length);
    } else if is("expects-its-own-length") {
        answer.resize(text.len(), 0);
        // Whatever else comes stays in the kernel.
        let _ = stream.read_exact(&mut answer);
    } else {
        stream.read_to_end(&mut answer).expect("cannot read");
    }
    let answer = String::from_utf8_lossy(&answer);
    if is("says-more") {
        println!("connected to mysocket");
    }
    if is("capitalizes-by-itself") {
        println!("{}", text.to_uppercase());
    } else {
        println!("{answer}");
    }
    ExitCode::SUCCESS
}
