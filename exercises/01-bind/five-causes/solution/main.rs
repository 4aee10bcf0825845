//! Binds a listening socket to the path that it is given, or says what to do.

use std::env;
use std::io::ErrorKind;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = env::args_os().nth(1) else {
        eprintln!("usage: server PATH");
        return ExitCode::from(1);
    };
    match UnixListener::bind(&path) {
        Ok(_) => {
            println!("listening on {}", path.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let (code, advice) = advice(error.kind());
            eprintln!("cannot bind {}: {error}", path.display());
            eprintln!("{advice}");
            ExitCode::from(code)
        }
    }
}

/// The exit code, and what to do.
fn advice(cause: ErrorKind) -> (u8, &'static str) {
    match cause {
        ErrorKind::AddrInUse => (
            10,
            "Look what it is (ls -l). Remove it only if it is a socket and \
             its server has ended.",
        ),
        ErrorKind::NotFound => (11, "Make its folder first (mkdir -p)."),
        ErrorKind::PermissionDenied => {
            (12, "Choose a folder in which you may make files.")
        }
        ErrorKind::InvalidInput => {
            (13, "Choose a path of at most 107 bytes, without NUL.")
        }
        _ => (1, "Look at the path and its folders (ls -ld)."),
    }
}
