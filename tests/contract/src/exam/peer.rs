use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

use super::escaped;
use super::notes::Notes;
use crate::{Checked, Flaw};

/// Our side of a connection to a program that is examined.
pub struct Peer {
    name: String,
    stream: BufReader<UnixStream>,
    notes: Notes,
}

impl Peer {
    pub(super) fn new(name: &str, stream: UnixStream, notes: Notes) -> Self {
        let limit = Some(notes.limit());
        stream.set_nonblocking(false).expect("a stream that is open");
        // It fails on macOS once the peer has gone; reading then does, too.
        let _ = stream.set_read_timeout(limit);
        let _ = stream.set_write_timeout(limit);
        let stream = BufReader::new(stream);
        Self { name: name.to_owned(), stream, notes }
    }

    /// The stream below, for what has no function here. What was read from it
    /// may be waiting in a buffer: see [`Peer::line`].
    pub fn stream(&self) -> &UnixStream {
        self.stream.get_ref()
    }

    /// Notes what we do with it, for the report: `client: waits`.
    pub(crate) fn note(&self, what: &str) {
        self.notes.add(&format!("{}: {what}", self.name));
    }

    /// Sends all of this, in as many writes as it takes.
    ///
    /// # Errors
    ///
    /// That it cannot be sent within the limit.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Checked {
        let bytes = bytes.as_ref();
        self.notes.add(&format!("{}> {}", self.name, escaped(bytes)));
        self.stream.get_mut().write_all(bytes).map_err(|error| {
            let expected = "the other side to take what we send";
            self.notes.flaw(expected, self.why(&error))
        })
    }

    /// Says that we have no more to say, and goes on listening: a half-close.
    pub fn end(&mut self) {
        self.notes.add(&format!("{}^D", self.name));
        // The other side may have closed; then reading says so.
        let _ = self.stream().shutdown(Shutdown::Write);
    }

    /// Closes the connection.
    pub fn close(self) {
        self.notes.add(&format!("{}: closes the connection", self.name));
    }

    /// The next line, without its newline.
    ///
    /// # Errors
    ///
    /// That none comes within the limit, or half a line and then the end.
    pub fn line(&mut self) -> Checked<String> {
        self.line_or("a line from the other side")
    }

    /// Expects that exactly this is the next line.
    ///
    /// # Errors
    ///
    /// That it is another line, or none.
    pub fn expect_line(&mut self, line: &str) -> Checked {
        let expected = format!("{}| {line}", self.name);
        let came = self.line_or(&expected)?;
        if came == line {
            return Ok(());
        }
        let got = format!("{}| {}", self.name, escaped(came.as_bytes()));
        Err(self.notes.flaw(expected, got))
    }

    fn line_or(&mut self, expected: &str) -> Checked<String> {
        let mut line = Vec::new();
        let result = self.stream.read_until(b'\n', &mut line);
        let shown = escaped(line.strip_suffix(b"\n").unwrap_or(&line));
        if !line.is_empty() {
            self.notes.add(&format!("{}| {shown}", self.name));
        }
        match result {
            Err(error) => {
                let mut got = self.why(&error);
                if !line.is_empty() {
                    got =
                        format!("half a line came, {shown:?}, and then {got}");
                }
                Err(self.notes.flaw(expected, got))
            }
            Ok(0) => Err(self
                .notes
                .flaw(expected, "the other side has closed the connection")),
            Ok(_) if line.pop() == Some(b'\n') => {
                Ok(String::from_utf8_lossy(&line).into_owned())
            }
            Ok(_) => Err(self.notes.flaw(
                expected,
                format!("half a line, {shown:?}, and then the end"),
            )),
        }
    }

    /// Exactly so many bytes.
    ///
    /// # Errors
    ///
    /// That fewer come.
    pub fn bytes(&mut self, count: usize) -> Checked<Vec<u8>> {
        let mut bytes = vec![0; count];
        let result = self.stream.read_exact(&mut bytes);
        result.map_err(|error| {
            let expected = format!("{count} bytes from the other side");
            self.notes.flaw(expected, self.why(&error))
        })?;
        self.notes.add(&format!("{}| {}", self.name, escaped(&bytes)));
        Ok(bytes)
    }

    /// All that comes until the other side closes, or says that it has no
    /// more to say.
    ///
    /// # Errors
    ///
    /// That the end does not come within the limit.
    pub fn rest(&mut self) -> Checked<Vec<u8>> {
        self.rest_or("the other side to end the connection")
    }

    /// Expects exactly this until the end.
    ///
    /// # Errors
    ///
    /// That something else comes, or no end.
    pub fn expect_rest(&mut self, bytes: impl AsRef<[u8]>) -> Checked {
        let bytes = bytes.as_ref();
        let expected = match bytes {
            [] => "the end, and nothing before it".to_owned(),
            bytes => format!("{}| {} and the end", self.name, escaped(bytes)),
        };
        let rest = self.rest_or(&expected)?;
        if rest == bytes {
            return Ok(());
        }
        let got = match &rest[..] {
            [] => "the end, and nothing before it".to_owned(),
            rest => format!("{}| {}", self.name, escaped(rest)),
        };
        Err(self.notes.flaw(expected, got))
    }

    fn rest_or(&mut self, expected: &str) -> Checked<Vec<u8>> {
        let deadline = Instant::now() + self.notes.limit();
        let mut rest = Vec::new();
        let mut piece = [0; 8192];
        loop {
            let flaw = match self.stream.read(&mut piece) {
                Ok(0) => break,
                // It was closed with something of ours unread.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    break;
                }
                Ok(count) => {
                    rest.extend_from_slice(&piece[..count]);
                    if Instant::now() < deadline {
                        continue;
                    }
                    "it goes on and on".to_owned()
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    continue;
                }
                Err(error) => self.why(&error),
            };
            if !rest.is_empty() {
                self.notes.add(&format!("{}| {}", self.name, escaped(&rest)));
            }
            return Err(self.notes.flaw(expected, flaw));
        }
        if !rest.is_empty() {
            self.notes.add(&format!("{}| {}", self.name, escaped(&rest)));
        }
        Ok(rest)
    }

    /// What an error of reading or writing says about the other side.
    fn why(&self, error: &io::Error) -> String {
        let limit = self.notes.limit();
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                format!("nothing happened within {limit:?}")
            }
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
                format!("the other side has closed the connection ({error})")
            }
            ErrorKind::UnexpectedEof => {
                "the other side has closed the connection".to_owned()
            }
            _ => error.to_string(),
        }
    }
}

/// Where clients connect to us.
pub struct Door {
    listener: UnixListener,
    notes: Notes,
}

impl Door {
    pub(super) fn new(listener: UnixListener, notes: Notes) -> Self {
        listener.set_nonblocking(true).expect("a listener that is open");
        Self { listener, notes }
    }

    /// Accepts the next client.
    ///
    /// # Errors
    ///
    /// That none connects within the limit.
    pub fn accept(&self) -> Checked<Peer> {
        self.accept_or()
            .map_err(|got| self.notes.flaw("a client that connects to us", got))
    }

    fn accept_or(&self) -> Result<Peer, String> {
        let deadline = Instant::now() + self.notes.limit();
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    self.notes.add("server: accepts a connection");
                    return Ok(Peer::new("server", stream, self.notes.clone()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if Instant::now() > deadline {
                        let limit = self.notes.limit();
                        return Err(format!("none came within {limit:?}"));
                    }
                    thread::park_timeout(Duration::from_millis(1));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// The client that has connected, if one has: nobody is waited for.
    pub fn waiting(&self) -> Option<Peer> {
        let (stream, _) = self.listener.accept().ok()?;
        self.notes.add("server: accepts a connection");
        Some(Peer::new("server", stream, self.notes.clone()))
    }

    /// That nobody has connected, or the client that has.
    pub fn nobody(&self) -> Result<(), Flaw> {
        match self.listener.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(self.notes.flaw("nobody", error.to_string())),
            Ok(_) => Err(self
                .notes
                .flaw("nobody to connect", "somebody has connected")),
        }
    }
}
