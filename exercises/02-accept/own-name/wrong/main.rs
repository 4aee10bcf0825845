//! Connects under a name of its own, but wrong, in the way that its first
//! argument names.

use std::env;
use std::fs;

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect,
    socket_with,
};

fn main() {
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
    if fault != "binds-nothing" {
        bind(&socket, &own).expect("cannot bind");
    }
    connect(&socket, &server).expect("cannot connect");
    println!("connected as {path}");
    if fault != "forgets-to-remove" && fault != "binds-nothing" {
        fs::remove_file(&name).expect("cannot remove");
    }
}
