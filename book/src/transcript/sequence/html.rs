//! How a page shows a sequence: an ordered list, drawn as a diagram by
//! `theme/figures.css`. Each item is one sentence to a screen reader: who
//! calls what, what comes back, and what the kernel does meanwhile.

use super::super::html::{escape, put};
use super::{Happening, Part, Row, Sequence};

/// What stands below a picture in which a call waits.
const KEY: &str = "Dotted: it waits in the call, or is about to make it.";

/// What the style sheet calls the programs' lanes, from left to right.
const LANES: [&str; 2] = ["a", "b"];

impl Sequence {
    /// The sequence as one block of HTML, without an empty line in it.
    pub fn html(&self, id: &str, caption: &str) -> String {
        let names: Vec<String> =
            self.lanes.iter().map(|lane| escape(&lane.name)).collect();
        let mut html = format!(
            "<figure class=\"sequence\" id=\"{}\" style=\"{}\" \
             aria-label=\"What the kernel saw of {}\">\n",
            escape(id),
            self.colors(),
            names.join(" and "),
        );
        // The items say it.
        let titles: String = names
            .iter()
            .zip(LANES)
            .map(|(name, letter)| {
                format!("<b class=\"by-{letter}\">{name}</b>")
            })
            .collect();
        put(
            &mut html,
            format_args!(
                "<ol class=\"{}\" role=\"list\">\n<li class=\"lanes\" \
                 aria-hidden=\"true\">{titles}<b class=\"kernel\">kernel</b>\
                 </li>\n",
                ["one", "two"][self.lanes.len() - 1],
            ),
        );
        // What each program does: nothing yet, anything, or waiting.
        let mut states = ["off"; 2];
        for row in &self.rows {
            if states[row.lane] == "off" {
                states[row.lane] = "starts";
            }
            let ends = matches!(row.event, Happening::Ends(_));
            let mut shown = states;
            if ends {
                shown[row.lane] = "ends";
            }
            self.write_row(&mut html, row, shown);
            states[row.lane] = match row.event {
                Happening::Ends(_) => "off",
                Happening::Waits { .. } => "waits",
                Happening::Returns { .. } => "runs",
                // It may wait, and go on waiting.
                Happening::Signal(_) if states[row.lane] == "waits" => "waits",
                Happening::Signal(_) => "runs",
            };
        }
        html.push_str("</ol>\n");
        let waits = |row: &Row| matches!(row.event, Happening::Waits { .. });
        let key = match self.rows.iter().any(waits) {
            true => format!(" <small>{KEY}</small>"),
            false => String::new(),
        };
        put(
            &mut html,
            format_args!(
                "<figcaption>{}{key}</figcaption>\n</figure>\n",
                with_code(caption)
            ),
        );
        html
    }

    /// Each lane has the color of its terminal: there are four, and then the
    /// first again.
    fn colors(&self) -> String {
        let lanes = self.lanes.iter().zip(LANES);
        let colors = lanes.map(|(lane, letter)| {
            format!("--{letter}:var(--color{})", lane.terminal % 4 + 1)
        });
        colors.collect::<Vec<_>>().join(";")
    }

    fn write_row(&self, html: &mut String, row: &Row, states: [&str; 2]) {
        let lane = LANES[row.lane];
        let [a, b] = states;
        let who = escape(&self.lanes[row.lane].name);
        let (kind, inside) = match &row.event {
            Happening::Waits { call, reason } => {
                let waits = format!("<span class=\"does\">{reason}</span>");
                ("waits", calls(call) + " " + &waits)
            }
            Happening::Returns { name, call, result, failed, effect } => {
                let kind = match (call.is_empty(), failed) {
                    (_, true) => "fails",
                    (true, false) => "returns",
                    (false, false) => "call",
                };
                let (out, of) = match call.is_empty() {
                    true => (String::new(), Some(name.as_str())),
                    false => (calls(call) + " ", None),
                };
                (kind, out + &returns(of, result) + &does(effect))
            }
            Happening::Signal(name) => {
                ("signal", format!("<span class=\"note\">{name}</span>"))
            }
            Happening::Ends(how) => (
                "end",
                format!(
                    "<span class=\"note\">{}</span>{}",
                    escape(how),
                    does("closes all that it held")
                ),
            ),
        };
        put(
            html,
            format_args!(
                "<li class=\"{kind} by-{lane} a-{a} b-{b}\"><div \
                 class=\"what\"><span class=\"who\">{who} </span>{inside}\
                 </div></li>\n"
            ),
        );
    }
}

/// What is called.
fn calls(call: &[Part]) -> String {
    format!("<span class=\"out\"><code>{}</code></span>", parts(call))
}

/// What comes back, and from what, if that was called long before.
fn returns(of: Option<&str>, result: &[Part]) -> String {
    let of = match of {
        Some(name) => format!("<span class=\"of\">{name} returns </span>"),
        None => "<span class=\"aside\">returns </span>".to_owned(),
    };
    format!("<span class=\"back\">{of}<code>{}</code></span>", parts(result))
}

/// What the kernel does.
fn does(effect: &str) -> String {
    if effect.is_empty() {
        return String::new();
    }
    format!(
        "<span class=\"does\"><span class=\"aside\">; the kernel </span>\
         {}</span>",
        escape(effect)
    )
}

fn parts(parts: &[Part]) -> String {
    let parts = parts.iter().map(|part| match part {
        Part::Text(text) => escape(text),
        Part::Descriptor { number, object } => {
            let color = (object - 1) % 4 + 1;
            format!("<b class=\"fd fd{color}\">{}</b>", escape(number))
        }
    });
    parts.collect()
}

/// A caption as HTML: what stands in backticks is code.
fn with_code(caption: &str) -> String {
    let parts = caption.split('`').enumerate();
    let parts = parts.map(|(number, part)| match number % 2 {
        0 => escape(part),
        _ => format!("<code>{}</code>", escape(part)),
    });
    parts.collect()
}
