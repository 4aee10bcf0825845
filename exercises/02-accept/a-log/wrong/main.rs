//! Says when its clients came, but wrong, in the way that its first argument
//! names.

use std::env;
use std::os::unix::net::UnixListener;
use std::time::{Instant, SystemTime};

fn main() {
    let fault = env::args().nth(1).expect("a fault");
    let start = Instant::now();
    let mut last = start;
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");
    let mut streams = Vec::new();
    for stream in listener.incoming() {
        streams.push(stream);
        let number = match fault.as_str() {
            "counts-from-0" => streams.len() - 1,
            _ => streams.len(),
        };
        let seconds = match fault.as_str() {
            "whole-seconds" => start.elapsed().as_secs() as f64,
            "since-the-last" => last.elapsed().as_secs_f64() / 10.0,
            "the-time-of-day" => SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .expect("now")
                .as_secs_f64(),
            _ => start.elapsed().as_secs_f64(),
        };
        last = Instant::now();
        match fault.as_str() {
            "milliseconds" => {
                let time = start.elapsed().as_millis();
                println!("accepted connection {number} after {time} ms");
            }
            _ => println!(
                "accepted connection {number} after {seconds:.3} seconds"
            ),
        }
    }
}
