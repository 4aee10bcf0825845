//! Connects to the server, or says what to do.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

const SOCKET_PATH: &str = "mysocket";

/// EPROTOTYPE, for which `ErrorKind` has no name.
const WRONG_TYPE: i32 = if cfg!(target_os = "linux") { 91 } else { 41 };

fn main() -> ExitCode {
    match UnixStream::connect(SOCKET_PATH) {
        Ok(_stream) => {
            println!("connected to {SOCKET_PATH}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let (code, advice) = advice(&error);
            eprintln!("cannot connect to {SOCKET_PATH}: {error}");
            eprintln!("{advice}");
            ExitCode::from(code)
        }
    }
}

/// The exit code, and what to do.
fn advice(error: &io::Error) -> (u8, &'static str) {
    match error.kind() {
        ErrorKind::NotFound => (2, "Start the server, and in the same folder."),
        ErrorKind::ConnectionRefused => {
            (3, "The server has ended: start it again.")
        }
        ErrorKind::PermissionDenied => {
            (4, "Ask the socket's owner for permission to write to it.")
        }
        _ if error.raw_os_error() == Some(WRONG_TYPE) => {
            (5, "This socket takes datagrams: ask for a stream elsewhere.")
        }
        _ => (1, "Look what is there (ls -l)."),
    }
}
