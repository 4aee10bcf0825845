//! The server of chapter 8, but wrong, in the way that its first argument
//! names.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::{env, fs, process};

use small_server::{Values, answer, line, send, serve};

#[path = "../../small_server.rs"]
mod small_server;

fn main() {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let clients = arguments.next().map(|text| text.parse().expect("a number"));
    serve(clients.unwrap_or(usize::MAX), |stream, values| {
        let served = client(&fault, stream, values);
        match (&served, fault.as_str()) {
            (Err(error), "stops-at-the-first-bad-client") => {
                eprintln!("Error: {error}");
                process::exit(1);
            }
            (Err(_), "hides-errors") => {
                return send(stream, "ERR").or(Ok(()));
            }
            _ => {}
        }
        if fault == "forgets-its-values" {
            values.clear();
        }
        served
    });
    if fault != "forgets-to-remove" {
        fs::remove_file("mysocket").expect("cannot remove");
    }
}

fn client(
    fault: &str,
    mut stream: &UnixStream,
    values: &mut Values,
) -> Result<(), String> {
    let mut requests = BufReader::new(stream);
    match fault {
        "takes-a-read-for-a-line" => {
            let mut bytes = [0; 1024];
            loop {
                match stream.read(&mut bytes).unwrap_or(0) {
                    0 => return Ok(()),
                    length => {
                        let text = bytes[..length].trim_ascii_end();
                        send(stream, &answer(text, values))?;
                    }
                }
            }
        }
        "reads-to-the-end" => {
            let mut all = Vec::new();
            requests.take(100_000).read_to_end(&mut all).expect("cannot read");
            for line in all.split(|byte| *byte == b'\n') {
                if !line.is_empty() {
                    send(stream, &answer(line, values))?;
                }
            }
            return Ok(());
        }
        "has-no-limit" => {
            let mut line = Vec::new();
            while requests.read_until(b'\n', &mut line).unwrap_or(0) > 0 {
                if line.pop() != Some(b'\n') {
                    return Err("the line has no end".to_owned());
                }
                line.pop_if(|byte| *byte == b'\r');
                send(stream, &answer(&line, values))?;
                line.clear();
            }
            return Ok(());
        }
        "keeps-the-return" => {
            let mut line = Vec::new();
            while (&mut requests)
                .take(1024)
                .read_until(b'\n', &mut line)
                .unwrap_or(0)
                > 0
            {
                if line.pop() != Some(b'\n') {
                    return Err("the line has no end".to_owned());
                }
                send(stream, &answer(&line, values))?;
                line.clear();
            }
            return Ok(());
        }
        "takes-half-a-line" => {
            let mut line = Vec::new();
            while (&mut requests)
                .take(1024)
                .read_until(b'\n', &mut line)
                .unwrap_or(0)
                > 0
            {
                if line.pop_if(|byte| *byte == b'\n').is_none()
                    && line.len() == 1024
                {
                    return Err("the line is too long".to_owned());
                }
                line.pop_if(|byte| *byte == b'\r');
                send(stream, &answer(&line, values))?;
                line.clear();
            }
            return Ok(());
        }
        _ => {}
    }
    loop {
        let next = match fault {
            "makes-a-reader-for-each-line" => line(&mut BufReader::new(stream)),
            _ => line(&mut requests),
        };
        let line = match next {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(_) if fault == "goes-on-after-a-long-line" => {
                send(stream, "ERR too long")?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut said = match fault {
            "cuts-at-every-blank" => {
                let text = String::from_utf8_lossy(&line).into_owned();
                let words: Vec<&str> = text.split_whitespace().collect();
                answer(words.join(" ").as_bytes(), values)
            }
            "keeps-everything" => keep_or_answer(&line, values),
            _ => answer(&line, values),
        };
        if fault == "hangs-up-on-nonsense" && said.starts_with("ERR") {
            return Err("nonsense".to_owned());
        }
        if fault == "leaves-out-the-blank" {
            said = said.replacen("VALUE ", "VALUE", 1);
        }
        send(stream, &said)?;
    }
}

/// Answers without a limit to how many values there are.
fn keep_or_answer(line: &[u8], values: &mut Values) -> String {
    let words = str::from_utf8(line).unwrap_or_default().splitn(3, ' ');
    if let ["SET", name, value] = words.collect::<Vec<_>>()[..] {
        values.insert(name.to_owned(), value.into());
        return "OK".to_owned();
    }
    answer(line, values)
}
