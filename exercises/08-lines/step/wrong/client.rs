//! The client of chapter 8, but wrong, in the way that its first argument
//! names.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let is = |name: &str| fault == name;
    let mut stream = match UnixStream::connect("mysocket") {
        Ok(stream) => stream,
        Err(error) => {
            eprintln!("cannot connect to mysocket: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut answers = BufReader::new(stream.try_clone().expect("a clone"));
    for request in arguments {
        if request.contains('\n') && !is("sends-two-lines") {
            eprintln!("a request is a single line");
            return ExitCode::FAILURE;
        }
        let end = if is("sends-no-newline") { "" } else { "\n" };
        let line = format!("{request}{end}");
        stream.write_all(line.as_bytes()).expect("cannot write");
        if is("makes-a-reader-for-each-answer") {
            answers = BufReader::new(stream.try_clone().expect("a clone"));
        }
        let mut answer = String::new();
        if is("takes-a-read-for-an-answer") {
            let mut bytes = [0; 1024];
            let length = stream.read(&mut bytes).expect("cannot read");
            answer = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if length == 0 {
                eprintln!("no answer");
                return ExitCode::FAILURE;
            }
        } else {
            answers.read_line(&mut answer).expect("cannot read");
        }
        if !answer.ends_with('\n')
            && !is("prints-half-an-answer")
            && !is("takes-a-read-for-an-answer")
        {
            eprintln!("the answer has no end");
            return ExitCode::from(if is("hides-errors") { 0 } else { 1 });
        }
        println!("{}", answer.trim_end_matches('\n'));
    }
    ExitCode::SUCCESS
}
