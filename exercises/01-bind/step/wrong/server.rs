//! The server of chapter 1, but wrong, in the way that its first argument
//! names.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{self, ExitCode};
use std::thread;

fn main() -> ExitCode {
    let fault = env::args().nth(1).expect("a fault");
    let name =
        if fault == "uses-another-name" { "my.sock" } else { "mysocket" };
    match fault.as_str() {
        "removes-what-is-in-its-way" => {
            let _ = fs::remove_file(name);
        }
        "makes-a-file" => {
            if let Err(error) = fs::write(name, "") {
                eprintln!("cannot write {name}: {error}");
                return ExitCode::FAILURE;
            }
            println!("listening on mysocket");
            return ExitCode::SUCCESS;
        }
        "binds-a-socket-for-datagrams" => {
            // Such a socket does not listen.
            let Ok(_socket) = UnixDatagram::bind(name) else {
                eprintln!("cannot bind {name}");
                return ExitCode::FAILURE;
            };
            println!("listening on mysocket");
            return ExitCode::SUCCESS;
        }
        "does-nothing-yet" => todo!(),
        _ => {}
    }
    let _listener = match UnixListener::bind(name) {
        Ok(listener) => listener,
        Err(error) => {
            if fault == "panics-when-refused" {
                panic!("{error}");
            }
            if fault != "says-nothing-when-refused" {
                eprintln!("cannot bind {name}: {error}");
            }
            let code = if fault == "refused-with-0" { 0 } else { 1 };
            return ExitCode::from(code);
        }
    };
    if fault == "lets-everybody-connect" {
        let all = Permissions::from_mode(0o777);
        fs::set_permissions(name, all).expect("cannot set the mode");
    }
    if fault == "keeps-its-output-back" {
        // As a program in another language does whose output is a pipe.
        loop {
            thread::park();
        }
    }
    println!("listening on mysocket");
    match fault.as_str() {
        "goes-on-running" => loop {
            thread::park();
        },
        "removes-its-name" => fs::remove_file(name).expect("it is there"),
        "crashes" => process::abort(),
        _ => {}
    }
    ExitCode::SUCCESS
}
