//! Makes a folder, and removes it at its end, whichever way that comes.
//!
//! Your turn: `make` and `drop`.

use std::path::PathBuf;
use std::{env, io};

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let path = env::args_os().nth(1).context("usage: client FOLDER")?;
    let folder = Folder::make(path.into())?;
    println!("made {}", folder.path.display());

    let mut line = String::new();
    if io::stdin().read_line(&mut line).context("cannot read a line")? > 0 {
        panic!("somebody typed {line:?}");
    }
    Ok(())
}

/// An empty folder of our own: dropping it removes the folder.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn make(path: PathBuf) -> anyhow::Result<Self> {
        // Nothing is made yet.
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        todo!("remove {}", self.path.display())
    }
}
