//! Answers `PING`, but wrong, in the way that its first argument names.

use std::env;
use std::io::{BufReader, Read};

use small_server::{answer, line, send, serve};

#[path = "../../small_server.rs"]
mod small_server;

fn main() {
    let fault = env::args().nth(1).expect("a fault");
    serve(usize::MAX, |mut stream, values| {
        let mut requests = BufReader::new(stream);
        if fault == "takes-a-read-for-a-line" {
            let mut bytes = [0; 1024];
            loop {
                let length = stream.read(&mut bytes).unwrap_or(0);
                if length == 0 {
                    return Ok(());
                }
                let text = bytes[..length].trim_ascii_end();
                let answer = match text {
                    b"PING" => "PONG".to_owned(),
                    text => answer(text, values),
                };
                send(stream, &answer)?;
            }
        }
        while let Some(line) = line(&mut requests)? {
            let answer = match (fault.as_str(), line.as_slice()) {
                ("takes-any-beginning", [b'P', b'I', b'N', b'G', ..])
                | (_, b"PING") => "PONG".to_owned(),
                ("takes-small-letters", b"ping") => "PONG".to_owned(),
                ("forgets-the-rest", _) => "ERR unknown".to_owned(),
                (_, line) => answer(line, values),
            };
            let is_pong = answer == "PONG";
            send(stream, &answer)?;
            if fault == "hangs-up-after-it" && is_pong {
                return Ok(());
            }
        }
        Ok(())
    });
}
