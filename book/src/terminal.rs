//! What is printed in a terminal, for somebody to read there.

use std::env;
use std::io::{self, IsTerminal, Write};

use anyhow::Context;

/// The most characters in a line.
const WIDTH: usize = 78;

/// A text in lines that fit; those after the first begin with `indent`.
pub fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always one");
        let length = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && length + indent.chars().count() > WIDTH {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.join(&format!("\n{indent}"))
}

/// Text in one of the terminal's eight colors, 0 to 7, where somebody sees
/// it and has not said that they want none (see no-color.org).
pub fn colored(text: &str, color: u8) -> String {
    let is_wanted =
        io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none();
    match is_wanted {
        true => format!("\x1b[3{color}m{text}\x1b[0m"),
        false => text.to_owned(),
    }
}

/// Prints a text. Unlike with `print!`, it is no panic that nobody reads it.
///
/// # Errors
///
/// That it cannot be written.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("cannot print")
}
