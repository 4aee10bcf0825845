//! What the wrong servers of this chapter have in common: a server that keeps
//! the chapter's contract as far as lines and values go, in few lines.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

pub type Values = BTreeMap<String, Vec<u8>>;

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
            let _ = (&stream).write_all(format!("ERR {error}\n").as_bytes());
            eprintln!("connection {number}: {error}");
        }
    }
}

/// The next line, without its end, of at most 1024 bytes with it.
pub fn line(
    requests: &mut BufReader<&UnixStream>,
) -> Result<Option<Vec<u8>>, String> {
    let mut line = Vec::new();
    let length = requests.take(1024).read_until(b'\n', &mut line);
    if length.map_err(|error| error.to_string())? == 0 {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err("the line has no end".to_owned());
    }
    line.pop_if(|byte| *byte == b'\r');
    Ok(Some(line))
}

/// What to say to a line.
pub fn answer(line: &[u8], values: &mut Values) -> String {
    let Ok(text) = str::from_utf8(line) else {
        return "ERR no text".to_owned();
    };
    let mut words = text.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some("SET"), Some(name), Some(value)) => {
            if values.len() >= 1000 && !values.contains_key(name) {
                return "ERR full".to_owned();
            }
            values.insert(name.to_owned(), value.into());
            "OK".to_owned()
        }
        (Some("GET"), Some(name), None) => match values.get(name) {
            None => "NONE".to_owned(),
            Some(value) => match str::from_utf8(value) {
                Ok(text) if !text.contains('\n') => format!("VALUE {text}"),
                _ => "ERR no line".to_owned(),
            },
        },
        (Some("DEL"), Some(name), None) => match values.remove(name) {
            Some(_) => "OK".to_owned(),
            None => "NONE".to_owned(),
        },
        _ => "ERR unknown".to_owned(),
    }
}

pub fn send(mut stream: &UnixStream, answer: &str) -> Result<(), String> {
    let sent: io::Result<()> =
        stream.write_all(format!("{answer}\n").as_bytes());
    sent.map_err(|error| error.to_string())
}
