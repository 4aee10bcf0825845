//! Requests, byte for byte: what a browser never sends must be sent, too.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Instant;

use harness::DEADLINE;
use serde_json::Value;

use crate::repository::Server;

/// What came back.
pub struct Answer {
    pub status: u16,
    /// The status line and the headers, in small letters.
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The value of a header that is there exactly once.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let name = format!("{name}: ");
        let mut values =
            self.head.lines().filter_map(|line| line.strip_prefix(&name));
        let value = values.next();
        assert_eq!(values.next(), None, "{name} twice in {}", self.head);
        value.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }
}

impl Server {
    /// Sends these bytes, and reads until the server closes the connection.
    pub fn send(&self, request: &str) -> Answer {
        let address = (Ipv4Addr::LOCALHOST, self.port);
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let answer = String::from_utf8_lossy(&bytes);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let head = head.to_ascii_lowercase();
        Answer { status, head, body: body.to_owned() }
    }

    /// A request with this method and path, these headers and `Host`.
    pub fn ask(&self, method: &str, path: &str, headers: &[&str]) -> Answer {
        let host = format!("Host: 127.0.0.1:{}", self.port);
        let headers = [&[&*host], headers].concat().join("\r\n");
        self.ask_without_host(method, path, &headers)
    }

    /// The same with nothing but these headers.
    pub fn ask_without_host(
        &self,
        method: &str,
        path: &str,
        headers: &str,
    ) -> Answer {
        let headers = match headers {
            "" => String::new(),
            headers => format!("{headers}\r\n"),
        };
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"
        ))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// What the pages ask for.
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.get("/_status").body).unwrap()
    }

    /// Asks for the status until it is as wanted.
    #[track_caller]
    pub fn until(&self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let status = self.status();
            if is_wanted(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "the status stays {status}");
        }
    }

    /// Asks for a page until it contains this.
    #[track_caller]
    pub fn until_page(&self, path: &str, contains: &str) -> Answer {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let answer = self.get(path);
            if answer.body.contains(contains) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{path} never: {contains}");
        }
    }
}
