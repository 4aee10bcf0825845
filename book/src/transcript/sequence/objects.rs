//! What the descriptors of a trace lead to.

use std::collections::HashMap;

use super::Part;
use super::strace::Call;
use super::words::{self, Word};

/// What descriptors lead to. Both ends of a connection have one number.
#[derive(Default)]
pub struct Objects {
    /// By program and descriptor.
    known: HashMap<(usize, String), usize>,
    /// How many there were.
    count: usize,
    /// Those that were connected and not yet accepted. A backlog is a queue.
    pub backlog: Vec<usize>,
    /// Those that were connected and accepted.
    joined: Vec<usize>,
    /// How many bytes each program has written into each.
    written: HashMap<(usize, usize), i64>,
    /// How many bytes each program has read from each.
    read: HashMap<(usize, usize), i64>,
}

impl Objects {
    /// What a descriptor leads to, as far as the trace tells.
    fn of(&mut self, lane: usize, number: &str) -> usize {
        let key = (lane, number.to_owned());
        *self.known.entry(key).or_insert_with(|| {
            self.count += 1;
            self.count
        })
    }

    /// Words, with what their descriptors lead to.
    pub fn parts(&mut self, lane: usize, words: Vec<Word>) -> Vec<Part> {
        let parts = words.into_iter().map(|word| match word {
            Word::Text(text) => Part::Text(text),
            Word::Descriptor(number) => {
                let object = self.of(lane, &number);
                Part::Descriptor { number, object }
            }
        });
        parts.collect()
    }

    /// The result of a call, after which other descriptors may be known.
    pub fn result(&mut self, lane: usize, call: &Call) -> Vec<Part> {
        let number = call.arguments.first().cloned().unwrap_or_default();
        let key = (lane, call.result.clone());
        let count: i64 = call.result.parse().unwrap_or(0);
        match call.name.as_str() {
            _ if call.error.is_some() => {}
            "connect" => {
                let object = self.of(lane, &number);
                self.backlog.push(object);
            }
            "socket" => {
                self.known.remove(&key);
            }
            "accept" | "accept4" => {
                self.known.remove(&key);
                if !self.backlog.is_empty() {
                    let object = self.backlog.remove(0);
                    self.joined.push(object);
                    self.known.insert(key, object);
                }
            }
            "sendto" => {
                let object = self.of(lane, &number);
                *self.written.entry((lane, object)).or_default() += count;
            }
            "recvfrom" => {
                let object = self.of(lane, &number);
                *self.read.entry((lane, object)).or_default() += count;
            }
            _ => {}
        }
        let parts = self.parts(lane, words::result(call));
        if call.name == "close" {
            self.known.remove(&(lane, number));
        }
        parts
    }

    /// Whether a call reads more than the other program has written. Where
    /// the trace does not tell who is at the other end, it does not.
    pub fn reads_too_much(&self, lane: usize, call: &Call) -> bool {
        let number = call.arguments.first().cloned().unwrap_or_default();
        let known = self.known.get(&(lane, number));
        let joined = known.filter(|object| self.joined.contains(object));
        let Some(&object) = joined else { return false };
        let sum = |all: &HashMap<(usize, usize), i64>, is: bool| -> i64 {
            let here = all.iter().filter(|((who, what), _)| {
                *what == object && (*who == lane) == is
            });
            here.map(|(_, count)| count).sum()
        };
        let count: i64 = call.result.parse().unwrap_or(0);
        sum(&self.written, false) < sum(&self.read, true) + count
    }

    /// A program has ended.
    pub fn forget(&mut self, lane: usize) {
        self.known.retain(|(other, _), _| *other != lane);
    }
}
