//! A server that says whom it cut, but wrong, in the way that its first
//! argument names.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use std::{env, fs, thread};

use signal_hook::consts::SIGTERM;
use signal_hook::low_level::pipe;

#[path = "../../small_server.rs"]
mod small_server;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [fault, _, grace] = &arguments[..] else {
        panic!("a fault, MILLISECONDS and GRACE");
    };
    let grace = match fault.as_str() {
        "has-a-grace-of-its-own" => Duration::from_secs(10),
        "is-in-a-hurry" => Duration::from_millis(100),
        _ => Duration::from_millis(grace.parse().expect("a number")),
    };
    let (mut stop, asked) = UnixStream::pair()?;
    pipe::register(SIGTERM, asked)?;
    let clients = small_server::start()?;
    stop.read_exact(&mut [0])?;
    fs::remove_file("mysocket")?;
    println!("stopping");
    let connected = clients.shut_down(match fault.as_str() {
        "ends-the-conversations" => Shutdown::Both,
        _ => Shutdown::Read,
    });
    if fault == "pauses" {
        thread::sleep(grace);
    }
    clients.wait(grace);
    let cut = clients.shut_down(Shutdown::Both);
    match fault.as_str() {
        "counts-all-who-were-there" => println!("cut {connected}"),
        "counts-to-one" => println!("cut {}", cut.min(1)),
        "says-nothing" => {}
        _ => println!("cut {cut}"),
    }
    Ok(())
}
