//! Shows what its clients send, but wrong, in the way that its first argument
//! names.

use std::env;
use std::io::Read;
use std::os::unix::net::UnixListener;
use std::time::Instant;

fn main() {
    let fault = env::args().nth(1).expect("a fault");
    let start = Instant::now();
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");
    for stream in listener.incoming() {
        let mut stream = stream.expect("cannot accept");
        let mut piece = vec![0; 100_000];
        loop {
            let mut length = if fault == "waits-for-the-end" {
                piece.clear();
                stream.read_to_end(&mut piece).expect("cannot read")
            } else {
                stream.read(&mut piece).expect("cannot read")
            };
            if length == 0 {
                break;
            }
            if fault == "shows-the-whole-buffer" {
                length = length.max(512);
            }
            let digits: String = piece[..length]
                .iter()
                .map(|byte| match fault.as_str() {
                    "drops-the-zeros" => format!("{byte:x}"),
                    "shouts" => format!("{byte:02X}"),
                    _ => format!("{byte:02x}"),
                })
                .collect();
            println!("{:.3} {digits}", start.elapsed().as_secs_f64());
        }
        println!("end");
    }
}
