//! Says how a conversation has ended, but wrong, in the way that its first
//! argument names.

use std::env;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::exit;

fn main() {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let request = arguments.next().expect("a request");
    let mut code = ask(&request, &fault);
    if fault == "tries-again" && code == 11 {
        code = ask(&request, &fault);
    }
    exit(code);
}

fn ask(request: &str, fault: &str) -> i32 {
    let Ok(mut stream) = UnixStream::connect("mysocket") else {
        return if fault == "has-one-code" { 1 } else { 10 };
    };
    let _ = stream.write_all(format!("#k1 {request}\n").as_bytes());
    let mut answer = String::new();
    while !answer.ends_with('\n') {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1..) => answer.push(char::from(byte[0])),
            Ok(_) => break,
            Err(_) if fault == "panics-at-a-reset" => panic!("a reset"),
            Err(_) if fault == "looks-at-the-error-alone" => return 11,
            Err(_) => break,
        }
    }
    let is_mine = match fault {
        "takes-any-answer" => true,
        "compares-the-beginning" => answer.starts_with("#k1"),
        _ => answer.starts_with("#k1 "),
    };
    if answer.is_empty() {
        11
    } else if !answer.ends_with('\n') && fault != "takes-an-end-for-a-newline" {
        12
    } else if is_mine {
        println!("{}", answer.trim_start_matches("#k1 ").trim_end());
        0
    } else {
        13
    }
}
