//! Connects under a name of its own, but wrong, in the way that its first
//! argument names.

use std::env;
use std::fs;
use std::process::ExitCode;

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect,
    socket_with,
};

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let path = arguments.next().expect("a path");
    let name = match fault.as_str() {
        "mends-the-name" => path.replace(';', "_"),
        _ => path.clone(),
    };
    let own = SocketAddrUnix::new(name.as_str()).expect("a path");
    let server = SocketAddrUnix::new("mysocket").expect("a path");
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)
        .expect("cannot make a socket");
    if fault == "removes-what-is-in-its-way" {
        let _ = fs::remove_file(&name);
    }
    if fault != "binds-nothing"
        && let Err(error) = bind(&socket, &own)
    {
        eprintln!("cannot bind {name}: {error}");
        if fault == "removes-what-it-did-not-bind" {
            let _ = fs::remove_file(&name);
        }
        return ExitCode::FAILURE;
    }
    let connected = connect(&socket, &server);
    let removes = match fault.as_str() {
        "forgets-to-remove" | "binds-nothing" => false,
        "removes-after-success" => connected.is_ok(),
        _ => true,
    };
    if removes {
        fs::remove_file(&name).expect("cannot remove");
    }
    if let Err(error) = connected {
        eprintln!("cannot connect to mysocket: {error}");
        return ExitCode::FAILURE;
    }
    println!("connected as {path}");
    ExitCode::SUCCESS
}
