//! Sends requests and prints answers, but wrong, in the way that its first
//! argument names.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread;

fn main() -> ExitCode {
    let fault = env::args().nth(1).expect("a fault");
    let is = |name: &str| fault == name;
    let stream = UnixStream::connect("mysocket").expect("cannot connect");
    let mut writer = stream.try_clone().expect("cannot clone");
    let mut answers = BufReader::new(&stream);
    if is("waits-for-each-answer") {
        return one_by_one(&mut writer, &mut answers);
    }
    let no_half_close = is("drops-a-clone");
    let all_at_once = is("reads-all-input-first");
    let mut send = move || {
        let mut count = 0;
        if all_at_once {
            let mut all = String::new();
            let _ = io::stdin().read_to_string(&mut all);
            count = all.lines().count();
            let _ = writer.write_all(all.as_bytes());
        } else {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                let _ = writer.write_all(format!("{line}\n").as_bytes());
                count += 1;
            }
        }
        if !no_half_close {
            let _ = writer.shutdown(Shutdown::Write);
        }
        count
    };
    let sending = if is("sends-all-then-reads-all") {
        let sent = send();
        thread::spawn(move || sent)
    } else {
        thread::spawn(send)
    };
    let mut count = 0;
    let mut line = String::new();
    while answers.read_line(&mut line).is_ok_and(|length| length > 0) {
        if is("makes-a-reader-for-each-line") {
            answers = BufReader::new(&stream);
        }
        if !line.ends_with('\n') && !is("prints-half-an-answer") {
            break;
        }
        println!("{}", line.trim_end());
        count += 1;
        line.clear();
    }
    let sent = sending.join().expect("the thread does not panic");
    let is_hidden = is("misses-nothing") || is("prints-half-an-answer");
    if count < sent && !is_hidden {
        eprintln!("{count} of {sent} answers came");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn one_by_one(stream: &mut UnixStream, answers: &mut impl BufRead) -> ExitCode {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let _ = stream.write_all(format!("{line}\n").as_bytes());
        let mut answer = String::new();
        let _ = answers.read_line(&mut answer);
        if !answer.ends_with('\n') {
            eprintln!("an answer is missing");
            return ExitCode::FAILURE;
        }
        print!("{answer}");
    }
    let _ = stream.shutdown(Shutdown::Write);
    ExitCode::SUCCESS
}
