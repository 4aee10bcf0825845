//! Tries a request for long, but wrong, in the way that its first argument
//! names.

use std::env;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    for (number, request) in arguments.enumerate() {
        let attempts = if fault == "tries-five-times" { 5 } else { 100 };
        let mut answer = Err(io::ErrorKind::Other.into());
        for attempt in 0..attempts {
            let id = match &*fault {
                "makes-an-id-for-each-attempt" => {
                    format!("#{number}.{attempt}")
                }
                _ => format!("#{number}"),
            };
            answer = ask(&id, &request, &fault);
            let kind = answer.as_ref().err().map(io::Error::kind);
            match kind {
                None => break,
                Some(ErrorKind::UnexpectedEof)
                    if fault == "gives-up-at-an-end" =>
                {
                    break;
                }
                Some(ErrorKind::NotFound)
                    if fault == "gives-up-without-a-name" =>
                {
                    break;
                }
                _ => thread::sleep(Duration::from_millis(100)),
            }
        }
        match answer {
            Ok(answer) => println!("{answer}"),
            Err(error) => {
                println!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn ask(id: &str, request: &str, fault: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect("mysocket")?;
    stream.write_all(format!("{id} {request}\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    let is_whole = match fault {
        "takes-half-an-answer" => !answer.is_empty(),
        _ => answer.ends_with('\n'),
    };
    match is_whole {
        true => Ok(answer.replace(&format!("{id} "), "").trim().to_owned()),
        false => Err(ErrorKind::UnexpectedEof.into()),
    }
}
