//! The client of chapter 10, but wrong, in the way that its first argument
//! names.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

fn main() {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let mut stream = UnixStream::connect("mysocket").expect("a server");
    let mut answers = BufReader::new(stream.try_clone().expect("a clone"));
    for request in arguments {
        let end = if fault == "ends-no-line" { "" } else { "\n" };
        let line = format!("{request}{end}");
        stream.write_all(line.as_bytes()).expect("a server");
        if fault == "takes-a-read-for-an-answer" {
            let mut piece = [0; 1024];
            let count = answers.read(&mut piece).expect("an answer");
            println!("{}", String::from_utf8_lossy(&piece[..count]).trim_end());
            continue;
        }
        let mut answer = String::new();
        answers.read_line(&mut answer).expect("an answer");
        if fault == "prints-the-request-too" {
            println!("{request}");
        }
        print!("{answer}");
    }
}
