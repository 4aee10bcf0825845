//! The client of chapter 7, but wrong, in the way that its first argument
//! names.

use std::env;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let times = arguments.next().map_or(1, |text| text.parse().expect("N"));
    let message = "Hello?".repeat(times).into_bytes();
    let mut stream = match UnixStream::connect("mysocket") {
        Ok(stream) => stream,
        Err(error) => {
            eprintln!("cannot connect to mysocket: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("connected to mysocket");
    let mut writer = stream.try_clone().expect("cannot clone the stream");
    let mut answer = Vec::new();
    let mut send = {
        let fault = fault.clone();
        move || {
            let _ = writer.write_all(&message);
            match fault.as_str() {
                "drops-a-clone" => {}
                "closes-both-halves" => {
                    let _ = writer.shutdown(Shutdown::Both);
                }
                _ => {
                    let _ = writer.shutdown(Shutdown::Write);
                }
            }
        }
    };
    match fault.as_str() {
        "writes-all-then-reads-all" => {
            send();
            let _ = stream.read_to_end(&mut answer);
        }
        "reads-once" => {
            let sending = thread::spawn(send);
            answer.resize(65_536, 0);
            let length = stream.read(&mut answer).unwrap_or(0);
            answer.truncate(length);
            let _ = sending.join();
        }
        _ => {
            let sending = thread::spawn(send);
            let _ = stream.read_to_end(&mut answer);
            let _ = sending.join();
        }
    }
    let start = String::from_utf8_lossy(&answer[..answer.len().min(12)]);
    match fault.as_str() {
        "counts-what-it-sent" => {
            println!("received {} bytes: {start:?}", 6 * times);
        }
        "prints-all-of-it" => {
            let all = String::from_utf8_lossy(&answer);
            println!("received {} bytes: {all:?}", answer.len());
        }
        _ => println!("received {} bytes: {start:?}", answer.len()),
    }
    ExitCode::SUCCESS
}
