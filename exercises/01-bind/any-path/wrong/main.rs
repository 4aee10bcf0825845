//! Binds a path, but wrong, in the way that its first argument names.

use std::env;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let Some(mut path) = arguments.next() else {
        eprintln!("usage: server PATH");
        return ExitCode::from(2);
    };
    if path.is_empty() && fault != "takes-an-empty-path" {
        eprintln!("usage: server PATH");
        return ExitCode::from(2);
    }
    if fault == "adds-a-suffix" {
        path = path.replace(".sock", "-1.sock");
    }
    let _listener = UnixListener::bind(&path).expect("cannot bind");
    println!("listening on {path}");
    ExitCode::SUCCESS
}
