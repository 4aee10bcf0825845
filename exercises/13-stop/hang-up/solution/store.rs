//! A store: what clients keep under a name.

use std::collections::{BTreeMap, VecDeque};

/// Enough for a book, and an end to what clients can make us keep.
const MAX_ENTRIES: usize = 1000;

/// How many answers we remember, the latest ones.
const MAX_ANSWERS: usize = 1000;

#[derive(Default)]
pub struct Store {
    entries: BTreeMap<String, String>,
    answers: VecDeque<(String, String)>,
}

impl Store {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries.get(name).map(String::as_str)
    }

    /// Whether there was room.
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        let room =
            self.entries.len() < MAX_ENTRIES || self.entries.contains_key(name);
        if room {
            self.entries.insert(name.to_owned(), value.to_owned());
        }
        room
    }

    /// Whether there was anything to delete.
    pub fn delete(&mut self, name: &str) -> bool {
        self.entries.remove(name).is_some()
    }

    /// The sum of the entry and the number. `None` if the entry is no number,
    /// or there is no room for the sum.
    pub fn add(&mut self, name: &str, number: i64) -> Option<i64> {
        let entry: i64 = self.get(name).unwrap_or("0").parse().ok()?;
        let sum = entry.checked_add(number)?;
        self.set(name, &sum.to_string()).then_some(sum)
    }

    /// The answer to the request with this id, if we still know it.
    pub fn answer_to(&self, id: &str) -> Option<&str> {
        let mut answers = self.answers.iter();
        answers.find(|(known, _)| known == id).map(|(_, answer)| &**answer)
    }

    pub fn remember(&mut self, id: &str, answer: &str) {
        self.answers.truncate(MAX_ANSWERS - 1);
        self.answers.push_front((id.to_owned(), answer.to_owned()));
    }
}
