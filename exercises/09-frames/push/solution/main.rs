//! Takes a stream in pieces, and prints its frames: each line of the standard
//! input is a piece, in hexadecimal.

use std::io::{self, BufRead};

use anyhow::{Context, ensure};

/// The most bytes that a frame may carry.
const MAX_PAYLOAD: usize = 64 * 1024;

/// Is given the bytes of a stream, in pieces of any size, and hands out its
/// frames. When all that are complete have been handed out, it keeps less than
/// one frame.
#[derive(Default)]
struct Decoder {
    unread: Vec<u8>,
}

impl Decoder {
    /// Takes a piece of the stream.
    fn push(&mut self, piece: &[u8]) {
        self.unread.extend_from_slice(piece);
    }

    /// What the next frame carries, if all of it is there.
    ///
    /// An error means that this stream can be read no further.
    fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let Some((length, rest)) = self.unread.split_first_chunk() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        // Before a byte of the payload is there.
        ensure!(length <= MAX_PAYLOAD, "the frame is too long");
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let payload = payload.to_vec();
        self.unread.drain(..4 + length);
        Ok(Some(payload))
    }

    /// How many bytes are kept.
    fn holds(&self) -> usize {
        self.unread.len()
    }
}

fn main() -> anyhow::Result<()> {
    let mut decoder = Decoder::default();
    for line in io::stdin().lock().lines() {
        decoder.push(&from_hex(&line.context("cannot read a piece")?)?);
        while let Some(payload) = decoder.next()? {
            println!("frame {}", to_hex(&payload));
        }
        println!("holds {}", decoder.holds());
    }
    ensure!(decoder.holds() == 0, "the last frame is not complete");
    Ok(())
}

fn from_hex(text: &str) -> anyhow::Result<Vec<u8>> {
    ensure!(
        text.len().is_multiple_of(2) && text.is_ascii(),
        "no pairs of digits"
    );
    let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    let bytes = pairs.map(|pair| u8::from_str_radix(pair, 16));
    bytes.collect::<Result<_, _>>().context("no hexadecimal digits")
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
