//! Writes a message with a `write_all` of its own, but wrong, in the way that
//! its first argument names.

#[path = "../solution/stingy.rs"]
mod stingy;

use std::env;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use stingy::Stingy;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let message = arguments.next().expect("a message");
    let mut writer = Stingy { calls: arguments };
    match write_all(&fault, &mut writer, message.as_bytes()) {
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

fn write_all(
    fault: &str,
    writer: &mut impl Write,
    bytes: &[u8],
) -> io::Result<()> {
    let is = |name: &str| fault == name;
    let mut rest = bytes;
    while !rest.is_empty() || is("writes-even-nothing") {
        match writer.write(rest) {
            Ok(0) if is("tries-for-ever") => {}
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(_) if is("takes-one-write-for-all") => return Ok(()),
            Ok(count) => rest = &rest[count..],
            Err(_) if is("takes-no-error-seriously") => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => match fault
            {
                "gives-up-when-interrupted" => return Err(error),
                "begins-again-when-interrupted" => rest = bytes,
                _ => {}
            },
            Err(error) => return Err(error),
        }
        if rest.is_empty() {
            break;
        }
    }
    Ok(())
}
