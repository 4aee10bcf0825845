//! Counts what clients send, but wrong, in the way that its first argument
//! names.

use std::env;
use std::io::Read;
use std::os::unix::net::UnixListener;

fn main() {
    let fault = env::args().nth(1).expect("a fault");
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");
    for (stream, number) in listener.incoming().zip(1..) {
        let mut stream = stream.expect("cannot accept");
        let mut count = 0;
        if fault == "keeps-it-all" {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("cannot read");
            count = all.len();
        } else if fault == "counts-letters" {
            let mut text = String::new();
            if stream.read_to_string(&mut text).is_err() {
                continue;
            }
            count = text.chars().count();
        } else {
            let mut piece = [0; 4096];
            loop {
                match stream.read(&mut piece) {
                    Ok(0) if count == 0 && fault == "waits-for-a-byte" => {}
                    Ok(0) | Err(_) => break,
                    Ok(_) if fault == "counts-buffers" => count += piece.len(),
                    Ok(length) => count += length,
                }
            }
        }
        println!("connection {number}: {count} bytes");
    }
}
