//! The client of chapter 4, but wrong, in the way that its first argument
//! names.

use std::env;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let is = |name: &str| fault == name;
    let times = arguments.next().unwrap_or_else(|| "1".to_owned());
    if is("connects-before-it-looks") {
        let _ = UnixStream::connect("mysocket");
    }
    let times = match times.parse::<u16>() {
        Ok(times) => times,
        Err(_) if is("lets-a-number-wrap-around") && times == "65536" => 0,
        Err(_) => {
            eprintln!("usage: client [N]");
            let code = if is("refuses-with-0") { 0 } else { 1 };
            return ExitCode::from(code);
        }
    };
    let mut message = "Hello?".repeat(times.into());
    match fault.as_str() {
        "ends-with-a-newline" => message.push('\n'),
        "separates-with-newlines" => {
            message = vec!["Hello?"; times.into()].join("\n");
        }
        "sends-200000-bytes-at-most" => message.truncate(200_000),
        _ => {}
    }

    let mut stream = match UnixStream::connect("mysocket") {
        Ok(stream) => stream,
        Err(error) => {
            eprintln!("cannot connect to mysocket: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("connected to mysocket");
    if is("says-it-before-it-is-true") {
        println!("wrote {} bytes", message.len());
    }
    if let Err(error) = write(&fault, &mut stream, message.as_bytes()) {
        if is("dies-of-the-signal") {
            // A program that was started by another dies of SIGPIPE again.
            let error = Command::new("sh").args(["-c", "kill -PIPE $$"]).exec();
            panic!("{error}");
        }
        if !is("hides-errors") {
            eprintln!("cannot write the message: {error}");
            return ExitCode::FAILURE;
        }
    }
    if is("waits-for-an-answer") {
        let _ = stream.read(&mut [0]);
    }
    if !is("says-it-before-it-is-true") {
        println!("wrote {} bytes", message.len());
    }
    ExitCode::SUCCESS
}

fn write(
    fault: &str,
    stream: &mut UnixStream,
    message: &[u8],
) -> io::Result<()> {
    match fault {
        "writes-once" => stream.write(message).map(drop),
        "starts-again-from-the-beginning" => {
            let mut written = 0;
            while written < message.len() {
                let rest = message.len() - written;
                written += stream.write(&message[..rest])?;
            }
            Ok(())
        }
        "does-not-wait-for-room" => {
            stream.set_nonblocking(true)?;
            let _ = stream.write(message);
            Ok(())
        }
        "connects-for-each-hello" => {
            for hello in message.chunks(6) {
                stream.write_all(hello)?;
                *stream = UnixStream::connect("mysocket")?;
            }
            Ok(())
        }
        _ => stream.write_all(message),
    }
}
