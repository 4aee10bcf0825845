//! Connects to the server, which may come a little later.

use std::env;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

const SOCKET_PATH: &str = "mysocket";

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

fn main() -> anyhow::Result<()> {
    const USAGE: &str = "usage: client MILLISECONDS";
    let limit = env::args().nth(1).context(USAGE)?;
    let limit = Duration::from_millis(limit.parse().context(USAGE)?);

    let stream = connect_with_retry(SOCKET_PATH, limit)
        .with_context(|| format!("cannot connect to {SOCKET_PATH}"))?;
    println!("connected to {SOCKET_PATH}");
    drop(stream);
    Ok(())
}

fn connect_with_retry(
    path: impl AsRef<Path>,
    limit: Duration,
) -> io::Result<UnixStream> {
    let deadline = Instant::now() + limit;
    loop {
        let error = match UnixStream::connect(path.as_ref()) {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        // After these, a server may still come.
        let may_come = matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::ConnectionRefused
        );
        let left = deadline.saturating_duration_since(Instant::now());
        if !may_come || left.is_zero() {
            return Err(error);
        }
        thread::sleep(PAUSE.min(left));
    }
}
