//! Makes a folder, and removes it at its end, whichever way that comes.

use std::path::PathBuf;
use std::{env, fs, io};

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
        // Unlike `create_dir_all`, it is an error if there is one already. So
        // what the guard removes is what we have made.
        fs::create_dir(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Only if it is empty: what somebody put there is not ours.
        if let Err(error) = fs::remove_dir(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}
