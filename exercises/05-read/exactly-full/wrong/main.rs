//! Has a limit, but wrong, in the way that its first argument names.

use std::env;
use std::io::Read;
use std::os::unix::net::UnixListener;

fn main() {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let limit: usize =
        arguments.next().expect("a limit").parse().expect("a number");
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");
    for (stream, number) in listener.incoming().zip(1..) {
        println!("accepted connection {number}");
        let stream = stream.expect("cannot accept");
        let most = match fault.as_str() {
            "cuts-in-silence" => limit,
            "reads-it-all-first" => usize::MAX - 1,
            _ => limit + 1,
        };
        let mut message = Vec::new();
        let read = stream.take(most as u64).read_to_end(&mut message);
        read.expect("cannot read");
        let is_too_long = match fault.as_str() {
            "refuses-the-last-byte" => message.len() >= limit.max(1),
            _ => message.len() > limit,
        };
        if is_too_long {
            println!("connection {number}: longer than {limit} bytes");
            continue;
        }
        println!("received {} bytes: {:?}", message.len(), message.len());
    }
}
