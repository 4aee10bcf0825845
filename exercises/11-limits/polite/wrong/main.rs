//! A polite server, but wrong, in the way that its first argument names.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};
use std::{env, thread};

fn main() {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let number = arguments.next().expect("MILLISECONDS");
    let patience = Duration::from_millis(number.parse().expect("a number"));
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");
    for stream in listener.incoming() {
        let stream = stream.expect("cannot accept");
        let fault = fault.clone();
        thread::spawn(move || serve(&stream, patience, &fault));
    }
}

fn serve(
    mut stream: &UnixStream,
    patience: Duration,
    fault: &str,
) -> io::Result<()> {
    let mut read = Vec::new();
    let mut value = String::new();
    loop {
        let deadline = Instant::now() + patience;
        // Whether the last read returned anything.
        let mut came = false;
        let line = loop {
            if let Some(end) = read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = read.drain(..=end).collect();
                break String::from_utf8_lossy(&line).trim_end().to_owned();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let left = if fault == "gives-each-read-the-time" {
                patience
            } else {
                left
            };
            let mut piece = [0; 4096];
            let result = if left.is_zero() {
                Err(io::ErrorKind::TimedOut.into())
            } else {
                stream.set_read_timeout(Some(left))?;
                stream.read(&mut piece)
            };
            match result {
                Ok(0) => return Ok(()),
                Ok(count) => read.extend_from_slice(&piece[..count]),
                Err(error) => {
                    let nothing = match fault {
                        "says-idle-to-all" => true,
                        "says-slow-to-all" => false,
                        "looks-at-the-last-read" => !came,
                        _ => read.is_empty(),
                    };
                    let word = if nothing { "idle" } else { "slow" };
                    stream.write_all(format!("ERR {word}\n").as_bytes())?;
                    if fault == "leaves-it-open" {
                        continue;
                    }
                    return Err(error);
                }
            }
            came = true;
        };
        let answer = match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
            ["SET", _, new] => {
                value = new.to_owned();
                "OK\n".to_owned()
            }
            _ if value.is_empty() => "NONE\n".to_owned(),
            _ => format!("VALUE {value}\n"),
        };
        stream.write_all(answer.as_bytes())?;
    }
}
