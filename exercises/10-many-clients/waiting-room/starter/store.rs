//! A store: what clients keep under a name.

use std::collections::BTreeMap;

/// Enough for a book, and an end to what clients can make us keep.
const MAX_ENTRIES: usize = 1000;

#[derive(Default)]
pub struct Store {
    entries: BTreeMap<String, String>,
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
}
