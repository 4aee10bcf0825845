//! A server that stops, but wrong, in the way that its first argument names.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use std::{env, fs};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level::pipe};

#[path = "../../small_server.rs"]
mod small_server;

fn main() -> io::Result<()> {
    let fault = env::args().nth(1).expect("a fault");
    let (mut stop, asked) = UnixStream::pair()?;
    let stopping = Arc::new(AtomicBool::new(false));
    let signals: &[i32] = match &*fault {
        "catches-no-hangup" => &[SIGINT, SIGTERM],
        "catches-nothing-else" => &[SIGHUP],
        _ => &[SIGHUP, SIGINT, SIGTERM],
    };
    for &signal in signals {
        if signal == SIGHUP && fault == "ignores-hangups" {
            flag::register(signal, Arc::default())?;
            continue;
        }
        if fault != "ignores-the-second-signal" {
            flag::register_conditional_default(signal, Arc::clone(&stopping))?;
        }
        flag::register(signal, Arc::clone(&stopping))?;
        pipe::register(signal, asked.try_clone()?)?;
    }
    let clients = small_server::start()?;
    stop.read_exact(&mut [0])?;
    if fault != "keeps-its-name" {
        fs::remove_file("mysocket")?;
    }
    println!("stopping");
    if fault != "wakes-nobody" {
        clients.shut_down(Shutdown::Read);
    }
    clients.wait(Duration::from_secs(2));
    Ok(())
}
