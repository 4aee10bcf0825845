//! Takes a stream in pieces, and prints its frames: each line of the standard
//! input is a piece, in hexadecimal.
//!
//! Your turn: `Decoder`.

use std::io::{self, BufRead};

use anyhow::{Context, ensure};

/// Is given the bytes of a stream, in pieces of any size, and hands out its
/// frames.
#[derive(Default)]
struct Decoder {}

impl Decoder {
    /// Takes a piece of the stream.
    fn push(&mut self, _piece: &[u8]) {
        todo!("keep it");
    }

    /// What the next frame carries, if all of it is there.
    fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        todo!("look at what is kept");
    }

    /// How many bytes are kept.
    fn holds(&self) -> usize {
        todo!("count them");
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
