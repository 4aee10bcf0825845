//! Writes a message with a `write_all` of its own.

mod stingy;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use stingy::Stingy;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let Some(message) = arguments.next() else {
        eprintln!("usage: client MESSAGE CALL…");
        return ExitCode::from(2);
    };
    let mut writer = Stingy { calls: arguments };
    match write_all(&mut writer, message.as_bytes()) {
        Ok(()) => {
            println!("ok");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes all of the bytes, in as many calls of `write` as it takes.
fn write_all(_writer: &mut impl Write, _bytes: &[u8]) -> io::Result<()> {
    todo!("not with the writer's own write_all")
}
