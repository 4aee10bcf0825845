//! Keeps any bytes, but wrong, in the way that its first argument names.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use small_server::{Values, answer, line, send, serve};

#[path = "../../small_server.rs"]
mod small_server;

fn main() {
    let fault = env::args().nth(1).expect("a fault");
    serve(usize::MAX, |stream, values| {
        let mut requests = BufReader::new(stream);
        while let Some(line) = line(&mut requests)? {
            if let Some(put) = line.strip_prefix(b"PUT ") {
                let put = str::from_utf8(put).map_err(|_| "no text")?;
                let Some(value) =
                    value(&fault, put, stream, &mut requests, values)?
                else {
                    continue;
                };
                let name = put.split(' ').next().unwrap_or_default();
                values.insert(name.to_owned(), value);
                send(stream, "OK")?;
            } else if let Some(name) = line.strip_prefix(b"TAKE ") {
                let name = String::from_utf8_lossy(name);
                take(&fault, &name, stream, values)?;
            } else {
                send(stream, &get(&fault, &line, values))?;
            }
        }
        Ok(())
    });
}

fn get(fault: &str, line: &[u8], values: &mut Values) -> String {
    match line.strip_prefix(b"GET ") {
        Some(name) if fault == "prints-whatever-it-is" => {
            let name = String::from_utf8_lossy(name);
            values.get(&*name).map_or("NONE".to_owned(), |value| {
                format!("VALUE {}", String::from_utf8_lossy(value))
            })
        }
        _ => answer(line, values),
    }
}

fn value(
    fault: &str,
    put: &str,
    mut stream: &UnixStream,
    requests: &mut BufReader<&UnixStream>,
    values: &mut Values,
) -> Result<Option<Vec<u8>>, String> {
    let (name, length) = put.split_once(' ').unwrap_or((put, ""));
    let length = match length.parse::<usize>() {
        Ok(length) if length <= 65_536 => length,
        Ok(length) if fault == "trusts-the-length" => length,
        _ if fault == "stays-after-a-bad-length" => {
            send(stream, "ERR the length")?;
            return Ok(None);
        }
        _ => return Err("the length".to_owned()),
    };
    let mut value = Vec::new();
    let read = match fault {
        "reads-past-its-reader" => {
            value.resize(length, 0);
            stream.read_exact(&mut value)
        }
        "reads-a-line" => {
            let read = requests.read_until(b'\n', &mut value).map(drop);
            value.pop();
            read
        }
        "reads-once" => {
            value.resize(length, 0);
            requests.read(&mut value).map(|length| value.truncate(length))
        }
        "keeps-what-came" => {
            requests.take(length as u64).read_to_end(&mut value).map(drop)
        }
        "trusts-the-length" => {
            // A page that is not touched costs nothing.
            value = vec![b'x'; length.min(64 << 20)];
            requests.read_exact(&mut value)
        }
        _ => {
            value.resize(length, 0);
            requests.read_exact(&mut value)
        }
    };
    if fault == "takes-0-bytes-for-nothing" && length == 0 {
        values.remove(name);
        send(stream, "OK")?;
        return Ok(None);
    }
    read.map_err(|error| error.to_string())?;
    Ok(Some(value))
}

fn take(
    fault: &str,
    name: &str,
    mut stream: &UnixStream,
    values: &Values,
) -> Result<(), String> {
    let Some(value) = values.get(name) else { return send(stream, "NONE") };
    let mut value = value.clone();
    if fault == "takes-it-for-text" {
        value = String::from_utf8_lossy(&value).into_owned().into_bytes();
    }
    let mut bytes = format!("BYTES {}\n", value.len()).into_bytes();
    bytes.extend(value);
    if fault == "ends-with-a-newline" {
        bytes.push(b'\n');
    }
    stream.write_all(&bytes).map_err(|error| error.to_string())
}
