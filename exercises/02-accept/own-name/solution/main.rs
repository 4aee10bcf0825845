//! Connects to the server under a name of its own.

use std::env;
use std::fs;
use std::os::unix::net::UnixStream;

use anyhow::Context;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect,
    socket_with,
};

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    let path = env::args_os().nth(1).context("usage: client PATH")?;
    let own = SocketAddrUnix::new(path.as_encoded_bytes())
        .context("this cannot be the path of a socket")?;
    let server = SocketAddrUnix::new(SOCKET_PATH)?;

    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)
        .context("cannot make a socket")?;
    bind(&socket, &own)
        .with_context(|| format!("cannot bind {}", path.display()))?;
    let connected = connect(&socket, &server)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"));
    // Whoever binds a name has to remove it. The server knows it already.
    fs::remove_file(&path)
        .with_context(|| format!("cannot remove {}", path.display()))?;
    connected?;

    let _stream = UnixStream::from(socket);
    println!("connected as {}", path.display());
    Ok(())
}
