//! Says what to do, but wrong, in the way that its first argument names.

use std::env;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    let fault = env::args().nth(1).expect("a fault");
    let Err(error) = UnixStream::connect("mysocket") else {
        println!("connected to mysocket");
        return ExitCode::SUCCESS;
    };
    if fault != "says-nothing" {
        println!("it cannot be done: {error}");
    }
    ExitCode::from(match error.kind() {
        ErrorKind::NotFound => 2,
        ErrorKind::ConnectionRefused if fault == "refused-is-missing" => 2,
        ErrorKind::ConnectionRefused => 3,
        ErrorKind::PermissionDenied => 4,
        _ if fault == "knows-kinds-only" => 1,
        _ => 5,
    })
}
