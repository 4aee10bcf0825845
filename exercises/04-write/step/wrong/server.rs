//! The server of chapter 4, but wrong, in the way that its first argument
//! names.

use std::env;
use std::io::Read;
use std::os::unix::net::UnixListener;

fn main() {
    let fault = env::args().nth(1).expect("a fault");
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");

    let mut streams = Vec::new();
    for (stream, number) in listener.incoming().zip(1..) {
        let mut stream = stream.expect("cannot accept");
        println!("accepted connection {number}");
        match fault.as_str() {
            "hangs-up" => continue,
            "reads-to-the-end" => {
                let _ = stream.read_to_end(&mut Vec::new());
            }
            "serves-one-client" => return,
            fault => panic!("no such fault: {fault}"),
        }
        streams.push(stream);
    }
}
