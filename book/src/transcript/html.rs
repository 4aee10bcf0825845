//! How a page shows a transcript: a column for each terminal, time flows down.
//!
//! The elements stand in the order of time, so that a screen reader, a narrow
//! window and a page without CSS have them in that order. What is typed is
//! `kbd`, what is printed is `samp`. Prompts come from the style sheet
//! (`theme/transcript.css`) and are never copied.

use std::fmt::Write;

use super::{Entry, Event, KERNEL, Transcript};

impl Transcript {
    /// The transcript as one block of HTML, without an empty line in it (which
    /// would end the block in Markdown). `id` becomes the figure's id.
    pub fn html(&self, id: &str) -> String {
        let mut html = format!(
            "<figure class=\"transcript\" id=\"{}\" data-terminals=\"{}\" \
             aria-label=\"{}\">\n",
            escape(id),
            self.real_terminals().len(),
            self.label(),
        );
        self.write_caption(&mut html);
        let columns: Vec<String> = (0..self.real_terminals().len())
            .map(|terminal| format!("minmax(0,{}fr)", self.width(terminal)))
            .collect();
        let columns = columns.join(" ");
        let rows = self.turns().count();
        put(
            &mut html,
            format_args!(
                "<div class=\"terminals\" style=\"--columns:{columns};--rows:{rows}\">\n"
            ),
        );
        self.write_titles(&mut html);
        self.write_turns(&mut html);
        html.push_str("</div>\n</figure>\n");
        html
    }

    /// What a screen reader calls it.
    fn label(&self) -> String {
        match self.real_terminals() {
            [name] if name.is_empty() => "Terminal".to_owned(),
            [name] => format!("Terminal: {}", escape(name)),
            names => format!("Terminals: {}", escape(&names.join(", "))),
        }
    }

    /// What the reader needs to do the same.
    fn write_caption(&self, html: &mut String) {
        let mut needs: Vec<String> = self
            .needs
            .iter()
            .map(|tool| format!("<span>needs {}</span>", escape(tool)))
            .collect();
        if self.linux {
            needs.push("<span>Linux only</span>".to_owned());
        }
        if self.unprivileged {
            needs.push("<span>not as root</span>".to_owned());
        }
        if !needs.is_empty() {
            let needs = needs.join(" ");
            put(html, format_args!("<figcaption>{needs}</figcaption>\n"));
        }
    }

    /// A title bar over each column. What it says is also said at each turn.
    fn write_titles(&self, html: &mut String) {
        for (terminal, name) in self.real_terminals().iter().enumerate() {
            let column = terminal + 1;
            let color = self.color(terminal);
            put(
                html,
                format_args!(
                    "<div class=\"screen {color}\" style=\"--column:{column}\" \
                     aria-hidden=\"true\"><span>{name}</span></div>\n"
                ),
            );
        }
    }

    fn write_turns(&self, html: &mut String) {
        for (turn, row) in self.turns().zip(1..) {
            let terminal = turn[0].terminal;
            if self.terminals[terminal] == KERNEL {
                write_view(html, turn, row);
                continue;
            }
            let mut color = self.color(terminal);
            // Below the title bar.
            if row == 1 {
                color.push_str(" first");
            }
            let column = terminal + 1;
            put(
                html,
                format_args!(
                    "<div class=\"turn {color}\" \
                     style=\"--column:{column};--row:{row}\">"
                ),
            );
            let name = &self.terminals[terminal];
            if !name.is_empty() {
                put(html, format_args!("<span class=\"who\">{name}</span>"));
            }
            html.push('\n');
            for entry in turn {
                put(html, format_args!("{}\n", line(&entry.event)));
            }
            html.push_str("</div>\n");
        }
    }

    /// What happens in one terminal until it is another's turn, each.
    fn turns(&self) -> impl Iterator<Item = &[Entry]> {
        self.entries.chunk_by(|a, b| a.terminal == b.terminal)
    }

    /// The class that gives a terminal its color. There are four, and then the
    /// first again: it is the name that tells terminals apart.
    fn color(&self, terminal: usize) -> String {
        if self.terminals[terminal].is_empty() {
            return "unnamed".to_owned();
        }
        format!("color{}", terminal % 4 + 1)
    }

    /// How much room a terminal needs beside the others: its longest line, in
    /// columns, but neither nothing nor all.
    fn width(&self, terminal: usize) -> usize {
        let lines = self
            .entries
            .iter()
            .filter(|entry| entry.terminal == terminal)
            .map(|entry| entry.event.to_string().chars().count());
        lines.max().unwrap_or(0).clamp(24, 44)
    }
}

/// What the kernel holds: across all terminals.
fn write_view(html: &mut String, view: &[Entry], row: usize) {
    put(
        html,
        format_args!(
            "<div class=\"turn kernel\" style=\"--row:{row}\"><span \
             class=\"who\">the kernel holds</span>\n"
        ),
    );
    for entry in view {
        put(html, format_args!("{}\n", line(&entry.event)));
    }
    html.push_str("</div>\n");
}

/// One entry, without the name of its terminal.
fn line(event: &Event) -> String {
    match event {
        Event::Command(command) => format!(
            "<div class=\"command\"><kbd>{}</kbd></div>",
            words(command)
        ),
        Event::Printed(text) => {
            format!(
                "<div class=\"printed\"><samp>{}</samp></div>",
                escape(text)
            )
        }
        Event::Typed(text) => {
            format!("<div class=\"typed\"><kbd>{}</kbd></div>", escape(text))
        }
        Event::Interrupt => key("C"),
        Event::EndOfInput => key("D"),
        Event::ExitCode(code) => {
            format!("<div class=\"exit\">exit code {code}</div>")
        }
    }
}

fn key(letter: &str) -> String {
    format!("<div class=\"key\"><kbd>Ctrl</kbd>+<kbd>{letter}</kbd></div>")
}

/// A command as HTML. Options such as `--bin` are not broken at their hyphens.
fn words(command: &str) -> String {
    let words = command.split(' ').map(|word| match word.contains('-') {
        true => format!("<span>{}</span>", escape(word)),
        false => escape(word),
    });
    words.collect::<Vec<_>>().join(" ")
}

pub(super) fn put(html: &mut String, arguments: std::fmt::Arguments) {
    html.write_fmt(arguments).expect("a string takes everything");
}

/// Text as HTML, in an element or in a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut html = String::new();
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
    html
}
