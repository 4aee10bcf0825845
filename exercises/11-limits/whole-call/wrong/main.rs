//! Makes a call in a limited time, but wrong, in the way that its first
//! argument names.

use std::env;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let number = arguments.nth(1).expect("--timeout MILLISECONDS");
    let timeout = Duration::from_millis(number.parse().expect("a number"));
    let request = arguments.next().expect("a request");
    let connecting = connect(&fault, timeout);
    let answer = connecting.and_then(|stream| {
        let limit = match &*fault {
            "has-a-timeout-for-each-call" => Duration::from_secs(60),
            _ => timeout,
        };
        let fault = fault.clone();
        let (sender, answer) = mpsc::channel();
        thread::spawn(move || {
            sender.send(ask(stream, &request, timeout, &fault))
        });
        answer
            .recv_timeout(limit)
            .unwrap_or(Err(io::ErrorKind::TimedOut.into()))
    });
    match answer {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(_) if fault == "ends-with-0" => ExitCode::SUCCESS,
        Err(error) => {
            println!("no answer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn connect(fault: &str, timeout: Duration) -> io::Result<UnixStream> {
    if fault == "connects-without-a-limit" {
        return UnixStream::connect("mysocket");
    }
    let (sender, stream) = mpsc::channel();
    thread::spawn(move || sender.send(UnixStream::connect("mysocket")));
    stream.recv_timeout(timeout).unwrap_or(Err(io::ErrorKind::TimedOut.into()))
}

fn ask(
    mut stream: UnixStream,
    request: &str,
    timeout: Duration,
    fault: &str,
) -> io::Result<String> {
    stream.write_all(format!("{request}\n").as_bytes())?;
    stream.set_read_timeout(Some(timeout))?;
    let mut answer = String::new();
    while !answer.ends_with('\n') {
        let mut piece = [0; 100];
        match stream.read(&mut piece) {
            Ok(count) => {
                answer += &String::from_utf8_lossy(&piece[..count]);
            }
            Err(error) => return Err(error),
        }
        if fault == "prints-what-comes" && !answer.ends_with('\n') {
            println!("{answer}");
        }
        if fault == "takes-a-read-for-an-answer" {
            break;
        }
    }
    Ok(answer.trim_end().to_owned())
}
