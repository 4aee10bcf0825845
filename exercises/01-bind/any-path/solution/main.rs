//! Binds a listening socket to the path that it is given, and says so.

use std::env;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

use anyhow::Context;

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    let path = match (arguments.next(), arguments.next()) {
        // The kernel takes an empty path for "choose a name yourself".
        (Some(path), None) if !path.is_empty() => path,
        _ => {
            eprintln!("usage: server PATH");
            return Ok(ExitCode::from(2));
        }
    };
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot bind {}", path.display()))?;
    let address = listener.local_addr().context("cannot ask for the name")?;
    let path = address.as_pathname().context("the socket has no path")?;
    println!("listening on {}", path.display());
    Ok(ExitCode::SUCCESS)
}
