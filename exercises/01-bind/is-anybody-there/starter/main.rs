//! Says what is at a path: `live`, `stale`, `not a socket` or `missing`.

use std::env;
use std::ffi::OsStr;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let path = env::args_os().nth(1).context("usage: sockinfo PATH")?;
    println!("{}", what_is_at(&path));
    Ok(())
}

fn what_is_at(_path: &OsStr) -> &'static str {
    todo!("look at the file, then connect to it")
}
