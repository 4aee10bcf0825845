//! Waits for a server, but wrong, in the way that its first argument names.

use std::env;
use std::os::unix::net::UnixStream;
use std::process::{self, ExitCode};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

fn main() -> ExitCode {
    let fault = env::args().nth(1).expect("a fault");
    if fault == "says-so-in-any-case" {
        println!("still waiting");
    }
    let (sender, connected) = mpsc::channel();
    thread::spawn(move || sender.send(UnixStream::connect("mysocket")));
    let mut first = connected.recv_timeout(Duration::from_secs(1));
    if first.is_err() && fault != "says-nothing" {
        println!("still waiting");
        if fault == "gives-up" {
            process::exit(1);
        }
    }
    while first.is_err() {
        first = connected.recv_timeout(Duration::from_secs(1));
        if first.is_err() && fault == "says-so-every-second" {
            println!("still waiting");
        }
    }
    match first.expect("it has come") {
        Ok(_stream) => {
            println!("connected to mysocket");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot connect to mysocket: {error}");
            ExitCode::FAILURE
        }
    }
}
