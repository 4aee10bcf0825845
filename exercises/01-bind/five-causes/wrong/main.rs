//! Binds a path, but wrong, in the way that its first argument names.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let path = arguments.next().expect("a path");
    if fault == "removes-what-is-in-the-way" {
        let _ = fs::remove_file(&path);
    }
    let Err(error) = UnixListener::bind(&path) else {
        return ExitCode::SUCCESS;
    };
    if fault != "says-nothing" {
        println!("it cannot be done: {error}");
    }
    if fault == "one-code-for-all" {
        return ExitCode::from(1);
    }
    ExitCode::from(match error.kind() {
        ErrorKind::AddrInUse => 10,
        ErrorKind::NotFound => 11,
        ErrorKind::PermissionDenied => 12,
        ErrorKind::InvalidInput => 13,
        _ => 1,
    })
}
