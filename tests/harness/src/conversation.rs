use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

/// A connection over which lines go back and forth.
pub struct Conversation {
    stream: BufReader<UnixStream>,
}

impl Conversation {
    /// Over a stream that has its deadlines already.
    pub fn over(stream: UnixStream) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// The stream below. What was read from it may be a line that comes next.
    pub fn stream(&self) -> &UnixStream {
        self.stream.get_ref()
    }

    /// Writes exactly this: a line only if it ends with a newline.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    #[track_caller]
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("cannot write");
    }

    /// The next line, without its newline; `None` at the end.
    ///
    /// # Panics
    ///
    /// If no line comes in time, or half a line.
    #[track_caller]
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("cannot read a line");
        if line.is_empty() {
            return None;
        }
        assert_eq!(line.pop(), Some('\n'), "half a line: {line:?}");
        Some(line)
    }

    /// Writes a request as a line, and returns the line that comes back.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    #[track_caller]
    pub fn ask(&mut self, request: &str) -> String {
        self.write(format!("{request}\n"));
        self.line().expect("the other end has closed without an answer")
    }
}

/// Writes a request as a line, and returns the line that comes back.
///
/// # Panics
///
/// If there is no answer.
#[track_caller]
pub fn ask(mut stream: &UnixStream, request: &str) -> String {
    stream
        .write_all(format!("{request}\n").as_bytes())
        .expect("cannot write the request");
    next_line(stream)
}

/// The next line, byte by byte: what follows it is left for the next call.
///
/// # Panics
///
/// If no whole line comes, or it is not text.
#[track_caller]
pub fn next_line(mut stream: &UnixStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte).expect("the line does not come");
        match byte {
            [b'\n'] => return String::from_utf8(line).expect("it is no text"),
            [byte] => line.push(byte),
        }
    }
}

/// All that comes until the other end is closed.
///
/// # Panics
///
/// If the end does not come.
#[track_caller]
pub fn rest(mut stream: &UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        // It was closed with something of ours unread.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        result => _ = result.expect("the end does not come"),
    }
    bytes
}
