//! Keys, as the browser is told of them.

use serde_json::{Value, json};

/// A key with what is held down meanwhile.
pub struct Key {
    /// What it means, as in `KeyboardEvent.key`.
    key: String,
    /// Where it is, as in `KeyboardEvent.code`.
    code: String,
    /// Windows' number for it, by which Chromium knows what it does.
    number: u32,
    /// What it writes.
    text: String,
    /// Alt is 1, Control 2, Meta 4, Shift 8.
    modifiers: u32,
}

impl Key {
    /// A key by its name, after the names of those that are held down.
    ///
    /// # Panics
    ///
    /// If there is no such key here.
    pub fn parse(name: &str) -> Self {
        let mut parts: Vec<&str> = name.split('+').collect();
        let last = parts.pop().unwrap_or_default();
        let mut key = Self::named(last);
        for part in parts {
            key.modifiers |= match part {
                "Alt" => 1,
                "Control" => 2,
                "Meta" => 4,
                "Shift" => 8,
                _ => panic!("{part} is not held down"),
            };
        }
        // With Shift alone, a key still writes.
        if key.modifiers & !8 != 0 {
            key.text.clear();
        }
        key
    }

    fn named(name: &str) -> Self {
        let (number, text) = match name {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "PageUp" => (33, ""),
            "PageDown" => (34, ""),
            "End" => (35, ""),
            "Home" => (36, ""),
            "ArrowLeft" => (37, ""),
            "ArrowUp" => (38, ""),
            "ArrowRight" => (39, ""),
            "ArrowDown" => (40, ""),
            "Space" => return Self::of(' '),
            _ => {
                let mut characters = name.chars();
                match (characters.next(), characters.next()) {
                    (Some(character), None) => return Self::of(character),
                    _ => panic!("there is no key {name:?} here"),
                }
            }
        };
        Self {
            key: name.to_owned(),
            code: name.to_owned(),
            number,
            text: text.to_owned(),
            modifiers: 0,
        }
    }

    /// The key that writes this character.
    pub fn of(character: char) -> Self {
        let upper = character.to_ascii_uppercase();
        let code = match upper {
            'A'..='Z' => format!("Key{upper}"),
            '0'..='9' => format!("Digit{upper}"),
            ' ' => "Space".to_owned(),
            _ => String::new(),
        };
        Self {
            key: character.to_string(),
            // The number of a letter or a digit is its upper case's. Those of
            // other characters are not, and what they write is enough.
            number: if code.is_empty() { 0 } else { u32::from(upper) },
            code,
            text: character.to_string(),
            modifiers: 0,
        }
    }

    /// The parameters of `Input.dispatchKeyEvent`.
    pub fn event(&self, is_down: bool) -> Value {
        let kind = match (is_down, self.text.is_empty()) {
            (true, false) => "keyDown",
            (true, true) => "rawKeyDown",
            (false, _) => "keyUp",
        };
        json!({
            "type": kind,
            "key": self.key,
            "code": self.code,
            "windowsVirtualKeyCode": self.number,
            "text": if is_down { &*self.text } else { "" },
            "modifiers": self.modifiers,
        })
    }
}
