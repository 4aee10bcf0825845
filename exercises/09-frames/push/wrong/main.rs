//! A decoder, but wrong, in the way that its first argument names.

use std::env;
use std::io::{self, BufRead};
use std::process::ExitCode;

fn main() -> ExitCode {
    let fault = env::args().nth(1).expect("a fault");
    let mut kept: Vec<u8> = Vec::new();
    let mut used = 0;
    for line in io::stdin().lock().lines() {
        let line = line.expect("a line");
        let pairs = (0..line.len()).step_by(2).map(|at| &line[at..at + 2]);
        let piece =
            pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex"));
        let piece: Vec<u8> = piece.collect();
        if fault == "takes-an-empty-piece-for-the-end" && piece.is_empty() {
            break;
        }
        kept.extend(piece);
        loop {
            let Some((length, rest)) = kept[used..].split_first_chunk() else {
                if fault == "needs-the-length-in-one-piece" {
                    kept.clear();
                }
                break;
            };
            let mut length = u32::from_be_bytes(*length) as usize;
            if fault == "reads-the-lowest-first" {
                length = length.swap_bytes() >> 32;
            }
            if length > 65_536 && fault != "waits-for-what-is-announced" {
                eprintln!("the frame is too long");
                return ExitCode::FAILURE;
            }
            if fault == "takes-0-bytes-for-no-frame" && length == 0 {
                kept.drain(used..used + 4);
                continue;
            }
            if fault == "refuses-the-longest" && length == 65_536 {
                eprintln!("the frame is too long");
                return ExitCode::FAILURE;
            }
            let Some(payload) = rest.get(..length) else { break };
            let hex: String =
                payload.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("frame {hex}");
            match fault.as_str() {
                "keeps-what-it-has-handed-out" => used += 4 + length,
                "forgets-what-follows" => kept.clear(),
                _ => {
                    kept.drain(..4 + length);
                }
            }
            if fault == "hands-out-one-for-each-piece" {
                break;
            }
        }
        println!("holds {}", kept.len());
    }
    if kept.len() > used && fault != "misses-nothing" {
        eprintln!("the last frame is not complete");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
