//! The client of chapter 12, but wrong, in the way that its first argument
//! names.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    for request in arguments {
        match insist(&request, &fault) {
            Ok(answer) => println!("{answer}"),
            Err(error) => {
                println!("no answer: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn insist(request: &str, fault: &str) -> io::Result<String> {
    let new = || format!("#{:016x}", RandomState::new().hash_one(request));
    let id = match fault {
        "has-one-id-for-all" => "#1".to_owned(),
        _ => new(),
    };
    let attempts = match fault {
        "asks-only-once" => 1,
        "asks-ten-times" => 10,
        _ => 5,
    };
    let mut attempt = 1;
    loop {
        let id = match fault {
            "makes-an-id-for-each-attempt" => new(),
            _ => id.clone(),
        };
        let error = match ask(&id, request, fault) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let is_final = match error.kind() {
            ErrorKind::NotFound => fault == "needs-a-server-at-once",
            ErrorKind::ConnectionReset => fault == "gives-up-at-a-reset",
            _ => false,
        };
        if attempt == attempts || is_final {
            return Err(error);
        }
        println!("attempt {attempt}: {error}");
        thread::sleep(Duration::from_millis(100) * attempt.min(4));
        attempt += 1;
    }
}

fn ask(id: &str, request: &str, fault: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect("mysocket")?;
    let patience = match fault {
        "waits-forever" => None,
        "is-in-a-hurry" => Some(Duration::from_millis(200)),
        _ => Some(Duration::from_secs(2)),
    };
    stream.set_read_timeout(patience)?;
    stream.write_all(&match fault {
        "sends-no-id" => format!("{request}\n").into_bytes(),
        _ => format!("{id} {request}\n").into_bytes(),
    })?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    if answer.is_empty()
        || !answer.ends_with('\n') && fault != "takes-half-an-answer"
    {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let answer = answer.trim_end();
    match answer.strip_prefix(&format!("{id} ")) {
        Some(_) if fault == "prints-the-id" => Ok(answer.to_owned()),
        Some(answer) => Ok(answer.to_owned()),
        None if fault == "takes-any-answer" => Ok(answer.to_owned()),
        None => Err(ErrorKind::InvalidData.into()),
    }
}
