//! Says how much fits, but wrong, in the way that its first argument names.

use std::env;
use std::io::Write;
use std::os::unix::net::UnixStream;

fn main() {
    let fault = env::args().nth(1).expect("a fault");
    let connected = || match UnixStream::connect("mysocket") {
        Ok(stream) => stream,
        Err(error) => {
            eprintln!("cannot connect: {error}");
            let code = if fault == "takes-failure-for-success" { 0 } else { 1 };
            std::process::exit(code);
        }
    };
    let mut stream = connected();
    for (number, size) in [1, 100, 4096, 65536].into_iter().enumerate() {
        if number > 0 && fault != "uses-one-connection" {
            stream = connected();
        }
        let blocks = fault == "waits-for-a-reader";
        stream.set_nonblocking(!blocks).expect("cannot set it");
        let piece = vec![b'x'; size];
        let mut total = 0;
        while let Ok(count) = stream.write(&piece) {
            total += match fault.as_str() {
                "counts-pieces" => size,
                "forgets-the-last-part" if count < size => 0,
                _ => count,
            };
        }
        println!("{size} {total}");
    }
}
