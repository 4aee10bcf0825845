//! A server that bears silence, but wrong, in the way that its first argument names.

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
    let connected = Instant::now();
    loop {
        let mut line = Vec::new();
        let silence = match fault {
            "knows-one-time" => patience,
            _ => patience * 10,
        };
        let mut deadline = Instant::now() + silence;
        if fault == "counts-from-the-connection" {
            deadline = connected + silence;
        }
        while !line.ends_with(b"\n") {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut byte = [0];
            let result = if left.is_zero() {
                Err(io::ErrorKind::TimedOut.into())
            } else {
                stream.set_read_timeout(Some(left))?;
                stream.read(&mut byte)
            };
            match result {
                Ok(0) => return Ok(()),
                Ok(_) => line.push(byte[0]),
                Err(error) => {
                    stream.write_all(b"ERR too late\n")?;
                    return Err(error);
                }
            }
            let starts = match fault {
                "never-hurries" => false,
                "hurries-with-each-byte" => true,
                _ => line.len() == 1,
            };
            if starts {
                deadline = Instant::now() + patience;
            }
        }
        stream.write_all(b"NONE\n")?;
    }
}
