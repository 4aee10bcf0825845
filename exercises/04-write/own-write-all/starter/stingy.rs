//! A writer that takes its bytes as it is told, and says what it took.

use std::io::{self, ErrorKind, Write};

/// What each call of `write` does: see the exercise.
pub struct Stingy<I> {
    pub calls: I,
}

impl<I: Iterator<Item = String>> Write for Stingy<I> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let most = match self.calls.next().as_deref() {
            Some("interrupted") => {
                println!("interrupted");
                return Err(ErrorKind::Interrupted.into());
            }
            Some("broken") => {
                println!("broken");
                return Err(ErrorKind::BrokenPipe.into());
            }
            Some(most) => {
                most.parse().expect("a number, interrupted or broken")
            }
            None => bytes.len(),
        };
        match &bytes[..most.min(bytes.len())] {
            [] => {
                println!("took nothing");
                Ok(0)
            }
            taken => {
                println!("took {}", taken.escape_ascii());
                Ok(taken.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
