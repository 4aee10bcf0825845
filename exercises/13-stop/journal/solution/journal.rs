//! A file with a line for each request that changed something.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

const JOURNAL_PATH: &str = "journal";

pub struct Journal {
    file: File,
    /// The length of all whole lines, in bytes.
    length: u64,
}

impl Journal {
    /// The journal, which may be new, and the lines in it.
    ///
    /// It grows for ever. A server that runs for months would now and then
    /// write all values to a new one, and rename that over the old.
    pub fn open() -> io::Result<(Self, Vec<String>)> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(JOURNAL_PATH)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // A line without its end was never answered.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let length = whole as u64;
        file.set_len(length)?;
        let lines = text[..whole].lines().map(str::to_owned).collect();
        Ok((Self { file, length }, lines))
    }

    /// Adds a line.
    ///
    /// The kernel has it then, and no end of this program takes it away. To
    /// survive a loss of power, too, it would take `sync_data`.
    pub fn write(&mut self, line: &str) -> io::Result<()> {
        let line = format!("{line}\n");
        let result = self.file.write_all(line.as_bytes());
        match result {
            Ok(()) => self.length += line.len() as u64,
            // A part of it may be there: no space left, for example.
            Err(_) => self.file.set_len(self.length)?,
        }
        result
    }
}
