//! Waits for a server, but wrong, in the way that its first argument names.

use std::env;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let limit = arguments.next().expect("a limit").parse().expect("a number");
    let deadline = Instant::now() + Duration::from_millis(limit);
    loop {
        let error = match UnixStream::connect("mysocket") {
            Ok(_stream) => {
                println!("connected to mysocket");
                return ExitCode::SUCCESS;
            }
            Err(error) => error,
        };
        let may_come = match fault.as_str() {
            "retries-everything" => true,
            "never-retries" => false,
            "waits-for-a-name-only" => error.kind() == ErrorKind::NotFound,
            _ => matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ),
        };
        let is_over = Instant::now() > deadline && fault != "never-gives-up";
        if !may_come || is_over {
            eprintln!("cannot connect: {error}");
            return ExitCode::FAILURE;
        }
        if fault != "spins" {
            thread::sleep(Duration::from_millis(20));
        }
    }
}
