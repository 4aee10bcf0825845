//! What the wrong servers of this chapter have in common: a server that keeps
//! the chapter's contract as far as frames and values go, in few lines.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use serde_json::{Value, json};

pub type Values = BTreeMap<String, String>;

/// Serves one client after the other, as `client` does.
pub fn serve(
    clients: usize,
    mut client: impl FnMut(&UnixStream, &mut Values) -> Result<(), String>,
) {
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");
    let mut values = Values::new();
    for (stream, number) in listener.incoming().take(clients).zip(1..) {
        let stream = stream.expect("cannot accept");
        println!("accepted connection {number}");
        if let Err(error) = client(&stream, &mut values) {
            let answer = json!({ "error": error }).to_string();
            let _ = (&stream).write_all(&framed(answer.as_bytes()));
            eprintln!("connection {number}: {error}");
        }
    }
}

pub fn framed(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_be_bytes(), payload].concat()
}

/// The frames that come from a stream.
pub struct Frames<'a> {
    stream: &'a UnixStream,
    pub unread: Vec<u8>,
}

impl<'a> Frames<'a> {
    pub fn new(stream: &'a UnixStream) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// The next payload. None at the end.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            if let Some((length, rest)) = self.unread.split_first_chunk() {
                let length = u32::from_be_bytes(*length) as usize;
                if length > 65_536 {
                    return Err("the frame is too long".to_owned());
                }
                if let Some(payload) = rest.get(..length) {
                    let payload = payload.to_vec();
                    self.unread.drain(..4 + length);
                    return Ok(Some(payload));
                }
            }
            let mut piece = [0; 4096];
            let length = self.stream.read(&mut piece);
            match length.map_err(|error| error.to_string())? {
                0 if self.unread.is_empty() => return Ok(None),
                0 => return Err("the frame has no end".to_owned()),
                length => self.unread.extend(&piece[..length]),
            }
        }
    }
}

/// What to say to a request.
pub fn answer(request: &[u8], values: &mut Values) -> Value {
    let Ok(Value::Object(request)) = serde_json::from_slice(request) else {
        return json!({"error": "no request"});
    };
    let request: Vec<(&str, &Value)> =
        request.iter().map(|(key, value)| (key.as_str(), value)).collect();
    match request.as_slice() {
        [("set", Value::Array(words))] => match words.as_slice() {
            [Value::String(name), Value::String(value)] => {
                let room = values.len() < 1000 || values.contains_key(name);
                if room {
                    values.insert(name.clone(), value.clone());
                }
                json!({ "done": room })
            }
            _ => json!({"error": "set takes two strings"}),
        },
        [("get", Value::String(name))] => json!({"value": values.get(name)}),
        [("del", Value::String(name))] => {
            json!({"done": values.remove(name).is_some()})
        }
        _ => json!({"error": "unknown request"}),
    }
}
