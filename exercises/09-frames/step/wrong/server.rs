//! The server of chapter 9, but wrong, in the way that its first argument
//! names.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use small_server::{Frames, Values, answer, framed, serve};

#[path = "../../small_server.rs"]
mod small_server;

fn main() {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let clients = arguments.next().map(|text| text.parse().expect("a number"));
    serve(clients.unwrap_or(usize::MAX), |stream, values| {
        let served = client(&fault, stream, values);
        if fault == "forgets-its-values" {
            values.clear();
        }
        if fault == "stops-at-the-first-bad-client" {
            served.clone().expect("a good client");
        }
        served
    });
    if fault != "forgets-to-remove" {
        fs::remove_file("mysocket").expect("cannot remove");
    }
}

fn client(
    fault: &str,
    stream: &UnixStream,
    values: &mut Values,
) -> Result<(), String> {
    let mut frames = Frames::new(stream);
    let send = |answer: &Value| {
        let payload = answer.to_string();
        let mut frame = framed(payload.as_bytes());
        match fault {
            "writes-the-lowest-first" => frame[..4].reverse(),
            "counts-the-length-itself" => {
                frame = framed(format!("{payload}    ").as_bytes());
                frame.truncate(4 + payload.len());
            }
            "answers-without-a-frame" => frame = payload.into_bytes(),
            _ => {}
        }
        let mut stream = stream;
        stream.write_all(&frame).map_err(|error| error.to_string())
    };
    loop {
        let request = match fault {
            "takes-a-read-for-a-frame" => {
                let mut bytes = [0; 65_540];
                let mut stream = stream;
                match stream.read(&mut bytes).unwrap_or(0) {
                    0 => Ok(None),
                    length if length < 4 || bytes[1] > 1 => {
                        Err("the frame is too long".to_owned())
                    }
                    length => Ok(Some(bytes[4..length].to_vec())),
                }
            }
            "trusts-the-length" => trusting(stream),
            "reads-each-frame-anew" => Frames::new(stream).next(),
            _ => frames.next(),
        };
        let request = match request {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(error)
                if fault == "takes-any-end" && error.contains("no end") =>
            {
                return Ok(());
            }
            Err(error)
                if fault == "goes-on-after-a-long-frame"
                    && error.contains("too long") =>
            {
                frames.unread.drain(..4);
                send(&json!({ "error": error }))?;
                continue;
            }
            Err(error) => return Err(error),
        };
        if fault == "hangs-up-on-nothing" && request.is_empty() {
            return Ok(());
        }
        let mut said = answer(&request, values);
        if fault == "keeps-everything" && said == json!({"done": false}) {
            values.pop_last();
            said = answer(&request, values);
        }
        if fault == "hangs-up-on-nonsense" && said.get("error").is_some() {
            return Err("nonsense".to_owned());
        }
        if fault == "keeps-one-line"
            && let Some(Value::String(text)) = said.get("value")
        {
            said = json!({"value": text.lines().next()});
        }
        send(&said)?;
    }
}

/// Makes room for what is announced.
fn trusting(mut stream: &UnixStream) -> Result<Option<Vec<u8>>, String> {
    let mut length = [0; 4];
    if stream.read_exact(&mut length).is_err() {
        return Ok(None);
    }
    let length = u32::from_be_bytes(length) as usize;
    // All of it would take this machine's memory.
    let mut payload = vec![b'x'; length.min(32 << 20)];
    match stream.read_exact(&mut payload) {
        Ok(()) => Ok(Some(payload)),
        Err(error) => Err(error.to_string()),
    }
}
