//! Starts at `mysocket`, but wrong, in the way that its first argument names.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::{env, fs};

const PATH: &str = "mysocket";

fn main() -> ExitCode {
    let fault = env::args().nth(1).expect("a fault");
    let is_refused = || {
        let kind = UnixStream::connect(PATH).map_err(|error| error.kind());
        matches!(kind, Err(ErrorKind::ConnectionRefused))
    };
    let is_socket = || {
        fs::symlink_metadata(PATH)
            .is_ok_and(|file| file.file_type().is_socket())
    };
    match fault.as_str() {
        "removes-what-is-there" => {
            let _ = fs::remove_file(PATH);
        }
        "only-connects" if is_refused() => {
            fs::remove_file(PATH).expect("it is there");
        }
        "only-looks" if is_socket() => {
            fs::remove_file(PATH).expect("it is there");
        }
        "puts-it-aside" => {
            let _ = fs::rename(PATH, "mysocket.old");
        }
        _ => {}
    }
    let listener = match UnixListener::bind(PATH) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot bind {PATH}: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("listening on {PATH}");
    for stream in listener.incoming() {
        println!("accepted {}", stream.is_ok());
    }
    ExitCode::SUCCESS
}
