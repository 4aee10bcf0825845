//! A small netcat, but wrong, in the way that its first argument names.

use std::env;
use std::io::{self, BufRead, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread;

fn main() -> ExitCode {
    let fault = env::args().nth(1).expect("a fault");
    let mut stream = match UnixStream::connect("mysocket") {
        Ok(stream) => stream,
        Err(error) => {
            eprintln!("cannot connect to mysocket: {error}");
            let is_hidden = fault == "hides-errors";
            return ExitCode::from(if is_hidden { 0 } else { 1 });
        }
    };
    let mut writer = stream.try_clone().expect("cannot clone the stream");
    if fault == "takes-turns" {
        for line in io::stdin().lock().lines() {
            let line = line.unwrap_or_default() + "\n";
            let _ = writer.write_all(line.as_bytes());
            let mut answer = [0; 4096];
            let length = stream.read(&mut answer).unwrap_or(0);
            let _ = io::stdout().write_all(&answer[..length]);
            let _ = io::stdout().flush();
        }
        let _ = writer.shutdown(Shutdown::Write);
        let _ = io::copy(&mut stream, &mut io::stdout());
        return ExitCode::SUCCESS;
    }
    let sending = thread::spawn({
        let fault = fault.clone();
        move || send(&fault, &mut writer)
    });
    match fault.as_str() {
        "takes-it-for-text" => {
            let mut piece = [0; 65_536];
            while let Ok(length) = stream.read(&mut piece) {
                if length == 0 {
                    break;
                }
                let text = String::from_utf8_lossy(&piece[..length]);
                let _ = io::stdout().write_all(text.as_bytes());
                let _ = io::stdout().flush();
            }
        }
        "prints-at-the-end" => {
            let mut all = Vec::new();
            let _ = stream.read_to_end(&mut all);
            let _ = io::stdout().write_all(&all);
        }
        _ => {
            let _ = io::copy(&mut stream, &mut io::stdout());
        }
    }
    let _ = io::stdout().flush();
    if fault == "waits-for-the-input" {
        let _ = sending.join();
    }
    ExitCode::SUCCESS
}

fn send(fault: &str, writer: &mut UnixStream) {
    match fault {
        "sends-at-the-end" => {
            let mut all = Vec::new();
            let _ = io::stdin().read_to_end(&mut all);
            let _ = writer.write_all(&all);
        }
        "sends-lines" => {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                let _ = writeln!(writer, "{line}");
            }
        }
        _ => {
            let _ = io::copy(&mut io::stdin(), writer);
        }
    }
    match fault {
        "drops-a-clone" => {}
        "closes-both-halves" => {
            let _ = writer.shutdown(Shutdown::Both);
        }
        _ => {
            let _ = writer.shutdown(Shutdown::Write);
        }
    }
}
