//! The client of chapter 11, but wrong, in the way that its first argument
//! names.

use std::env;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let mut stream = UnixStream::connect("mysocket").expect("no server");
    let patience = match fault.as_str() {
        "waits-forever" => None,
        "is-in-a-hurry" => Some(Duration::from_millis(200)),
        _ => Some(Duration::from_secs(2)),
    };
    stream.set_read_timeout(patience).expect("a timeout");
    for request in arguments {
        let end = if fault == "ends-no-line" { "" } else { "\n" };
        if let Err(error) =
            stream.write_all(format!("{request}{end}").as_bytes())
            && (error.kind() != ErrorKind::BrokenPipe
                || fault == "hears-no-last-word")
        {
            println!("cannot write: {error}");
            return ExitCode::FAILURE;
        }
        let mut answer = String::new();
        while !answer.ends_with('\n') {
            let mut piece = [0; 1];
            match stream.read(&mut piece) {
                Ok(1..) => answer.push(char::from(piece[0])),
                Ok(_) => break,
                Err(error) => {
                    if fault == "prints-half-an-answer" {
                        println!("{answer}");
                    }
                    if fault == "takes-silence-for-an-end" {
                        break;
                    }
                    println!("cannot read: {error}");
                    return ExitCode::FAILURE;
                }
            }
        }
        println!("{}", answer.trim_end());
    }
    ExitCode::SUCCESS
}
