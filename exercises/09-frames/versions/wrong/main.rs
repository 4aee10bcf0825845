//! Versions, but wrong, in the way that its first argument names.

use std::env;
use std::io::Write;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use small_server::{Frames, Values, answer, framed, serve};

#[path = "../../small_server.rs"]
mod small_server;

fn main() {
    let fault = env::args().nth(1).expect("a fault");
    serve(usize::MAX, |stream, values| client(&fault, stream, values));
}

fn client(
    fault: &str,
    stream: &UnixStream,
    values: &mut Values,
) -> Result<(), String> {
    let mut frames = Frames::new(stream);
    let send = |answer: &Value| {
        let mut stream = stream;
        stream
            .write_all(&framed(answer.to_string().as_bytes()))
            .map_err(|error| error.to_string())
    };
    let greeting = match frames.next()? {
        Some(greeting) => greeting,
        None if fault == "stops-at-the-first-silence" => panic!("no greeting"),
        None => return Ok(()),
    };
    let version = serde_json::from_slice::<Value>(&greeting)
        .ok()
        .and_then(|greeting| greeting.get("version").cloned());
    let is_ours = match fault {
        "takes-every-version" => version.is_some(),
        "serves-who-does-not-greet" => {
            version.is_none() || version == Some(json!(1))
        }
        _ => version == Some(json!(1)),
    };
    if !is_ours {
        match fault {
            "hangs-up-in-silence" => return Ok(()),
            "waits-for-a-better-one" => {
                send(&json!({"error": "the version"}))?;
                return client(fault, stream, values);
            }
            _ => return Err("the version".to_owned()),
        }
    }
    if version.is_none() {
        send(&answer(&greeting, values))?;
    } else if fault != "does-not-greet-back" {
        send(&json!({"version": 1}))?;
    }
    if fault == "reads-the-rest-anew" {
        frames = Frames::new(stream);
    }
    while let Some(request) = frames.next()? {
        send(&answer(&request, values))?;
    }
    Ok(())
}
