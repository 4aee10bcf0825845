//! Ends at `quit`, but wrong, in the way that its first argument names.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::process;
use std::{env, fs};

fn main() {
    let fault = env::args().nth(1).expect("a fault");
    let is = |name: &str| fault == name;
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    let inode = || fs::symlink_metadata("mysocket").map_or(0, |f| f.ino());
    let own = inode();
    println!("listening on mysocket");
    for (stream, number) in listener.incoming().zip(1..) {
        println!("accepted connection {number}");
        let mut stream = stream.expect("cannot accept");
        let mut message = Vec::new();
        if is("takes-a-read-for-a-message") {
            message.resize(100, 0);
            let length = stream.read(&mut message).expect("cannot read");
            message.truncate(length);
        } else {
            stream.read_to_end(&mut message).expect("cannot read");
        }
        let text = String::from_utf8_lossy(&message).into_owned();
        println!("received {} bytes: {text:?}", message.len());
        let quits = match fault.as_str() {
            "trims" => text.trim() == "quit",
            "looks-at-the-beginning" => text.starts_with("quit"),
            "looks-for-it-anywhere" => text.contains("quit"),
            "wants-a-newline" => text == "quit\n",
            _ => text == "quit",
        };
        if quits {
            if is("exits-with-1") {
                fs::remove_file("mysocket").expect("it is there");
                process::exit(1);
            }
            break;
        }
    }
    if !is("leaves-its-name") && (inode() == own || is("removes-by-name")) {
        fs::remove_file("mysocket").expect("it is there");
    }
}
