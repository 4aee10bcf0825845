//! The client of chapter 3, but wrong, in the way that its first argument
//! names.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::thread;

fn main() -> ExitCode {
    let fault = env::args().nth(1).expect("a fault");
    let is = |name: &str| fault == name;
    if is("looks-before-it-connects")
        && let Ok(file) = fs::symlink_metadata("mysocket")
        && !file.file_type().is_socket()
    {
        eprintln!("mysocket is no socket");
        return ExitCode::FAILURE;
    }
    let mut stream = match UnixStream::connect("mysocket") {
        Ok(stream) => stream,
        Err(error) => {
            if is("makes-what-is-missing") {
                let _ = UnixListener::bind("mysocket");
            }
            if is("removes-what-refuses") {
                let _ = fs::remove_file("mysocket");
            }
            if is("waits-for-a-server") {
                loop {
                    thread::park();
                }
            }
            if is("panics") {
                panic!("{error}");
            }
            if is("one-sentence-for-all") {
                eprintln!("cannot connect to mysocket");
            } else if !is("says-nothing") {
                eprintln!("cannot connect to mysocket: {error}");
            }
            return if is("fails-with-0") {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
        }
    };
    if is("waits-to-be-greeted") {
        let _ = stream.read(&mut [0]);
    }
    if is("says-hello") {
        let _ = stream.write_all(b"Hello?");
    }
    println!("connected to mysocket");
    ExitCode::SUCCESS
}
