//! Says what is at a path, but wrong, in the way that its first argument
//! names.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};

fn main() {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let path = arguments.next().expect("a path");
    if fault == "binds-to-find-out" {
        match UnixListener::bind(&path) {
            Ok(_) => println!("nobody"),
            Err(_) => println!("somebody"),
        }
        return;
    }
    if let Ok(file) = fs::metadata(&path)
        && !file.file_type().is_socket()
        && fault != "only-connects"
    {
        println!("not a socket");
        return;
    }
    if fault == "only-looks" && fs::metadata(&path).is_ok() {
        println!("live");
        return;
    }
    match UnixStream::connect(&path) {
        Ok(_) => println!("live"),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("missing");
        }
        Err(_) => {
            if fault == "tidies-up" {
                let _ = fs::remove_file(&path);
            }
            println!("stale");
        }
    }
}
