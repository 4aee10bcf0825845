//! Accepts as many clients as it is told to, and ends.

use std::env;
use std::os::unix::net::UnixListener;

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

fn main() -> anyhow::Result<()> {
    const USAGE: &str = "usage: server HOW MANY CLIENTS";
    let enough = env::args().nth(1).context(USAGE)?;
    let enough: usize = enough.parse().context(USAGE)?;

    let listener = UnixListener::bind(SOCKET_PATH)
        .with_context(|| format!("cannot bind {SOCKET_PATH}"))?;
    println!("listening on {SOCKET_PATH}");

    let mut streams = Vec::new();
    // An `accept` that failed has served nobody.
    while streams.len() < enough {
        match listener.accept() {
            Ok((stream, address)) => {
                streams.push(stream);
                let number = streams.len();
                println!("accepted connection {number} from {address:?}");
            }
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
    Ok(())
}
