//! Guards a folder, but wrong, in the way that its first argument names.

use std::process::{self, ExitCode};
use std::{env, fs, io};

struct Folder {
    path: String,
    fault: String,
}

impl Drop for Folder {
    fn drop(&mut self) {
        let path = &self.path;
        match self.fault.as_str() {
            "removes-what-is-in-it" => {
                fs::remove_dir_all(path).expect("it is there");
            }
            "says-nothing" => {
                let _ = fs::remove_dir(path);
            }
            "panics-in-drop" => fs::remove_dir(path).expect("it is empty"),
            _ => {
                if let Err(error) = fs::remove_dir(path) {
                    eprintln!("cannot remove {path}: {error}");
                }
            }
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let path = arguments.next().expect("a path");
    let made = match fault.as_str() {
        "takes-what-is-there" => fs::create_dir_all(&path),
        _ => fs::create_dir(&path),
    };
    let guard = Folder { path: path.clone(), fault: fault.clone() };
    if let Err(error) = made {
        eprintln!("cannot make {path}: {error}");
        if fault != "guards-what-it-has-not-made" {
            std::mem::forget(guard);
        }
        return ExitCode::FAILURE;
    }
    let _guard = match fault.as_str() {
        "drops-the-guard-at-once" => {
            drop(guard);
            None
        }
        "forgets-to-remove" => {
            std::mem::forget(guard);
            None
        }
        _ => Some(guard),
    };
    println!("made {path}");
    let mut line = String::new();
    io::stdin().read_line(&mut line).expect("cannot read");
    if !line.is_empty() {
        if fault == "exits-instead-of-a-panic" {
            process::exit(1);
        }
        panic!("somebody typed {line:?}");
    }
    ExitCode::SUCCESS
}
