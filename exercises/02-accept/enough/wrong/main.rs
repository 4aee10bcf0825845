//! Ends after some clients, but wrong, in the way that its first argument
//! names.

use std::env;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let mut enough: usize =
        arguments.next().expect("how many").parse().expect("a number");
    match fault.as_str() {
        "one-too-few" => enough -= 1,
        "one-too-many" => enough += 1,
        _ => {}
    }
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");
    for (_stream, number) in listener.incoming().take(enough).zip(1..) {
        println!("accepted connection {number}");
    }
    match fault.as_str() {
        "ends-with-1" => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
