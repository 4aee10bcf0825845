//! How a listing looks.
//!
//! A listing is one block of HTML without a blank line: in Markdown, a block
//! of HTML ends at one. Every line of code is a `span.line`; runs of new lines
//! are in `ins`, removed lines in `del`. What only *what changed* shows or
//! hides is chosen by CSS alone: see `theme/listing.css`.

use std::fmt::Write;
use std::ops::Range;

use super::changes::Removed;
use super::highlight::tokens;
use super::{Item, Listing};

/// What keeps mdBook's highlight.js away from code that has its colors. With
/// `language-rust` beside it, it would have no effect.
const CODE: &str = "<code class=\"nohighlight hljs\">";

/// Longer listings may be cut where a page of paper ends: whole, they would
/// leave too much of it empty.
const MAX_UNCUT: usize = 32;

/// Longer unchanged items are folded in *what changed*.
const MAX_UNFOLDED: usize = 6;

impl Listing {
    /// The listing as a block of HTML. `id` is its own in the whole book;
    /// `whole_file` is the `id` of a listing on the same page that shows the
    /// whole file, if there is another.
    pub fn html(&self, id: &str, whole_file: Option<&str>) -> String {
        let lines: usize = self.pieces.iter().map(Range::len).sum();
        let long = if lines > MAX_UNCUT { " long" } else { "" };
        let mut html =
            format!("<figure class=\"listing{long}\" id=\"{id}\">\n");
        self.write_caption(&mut html, id, whole_file);
        html += &start_of_code(&self.source.path.display().to_string());
        for (number, piece) in self.pieces.iter().enumerate() {
            if number > 0 {
                html += "<span class=\"line gap\">…</span>\n";
            }
            self.write_piece(&mut html, piece.clone());
        }
        html + "</code></pre>\n</figure>\n"
    }

    fn write_caption(
        &self,
        html: &mut String,
        id: &str,
        whole_file: Option<&str>,
    ) {
        let path = escaped(&self.source.path.display().to_string());
        let path = match whole_file {
            Some(whole_file) => format!("<a href=\"#{whole_file}\">{path}</a>"),
            None => path,
        };
        *html += "<figcaption><span class=\"listing-file\">";
        *html += &path;
        *html += "</span>\n";
        let note = if self.source.is_new_file {
            Some("new file")
        } else if self.is_unchanged() {
            Some("unchanged")
        } else {
            None
        };
        if let Some(note) = note {
            let _ =
                writeln!(html, "<span class=\"listing-note\">{note}</span>");
        }
        if self.has_two_views() {
            let all = if self.is_whole_file { "whole file" } else { "result" };
            let _ = writeln!(
                html,
                "<span class=\"listing-switch\" role=\"radiogroup\" \
                 aria-label=\"Show\">\
                 <label><input type=\"radio\" name=\"{id}-view\" \
                 value=\"all\" checked>{all}</label>\
                 <label><input type=\"radio\" name=\"{id}-view\" \
                 value=\"changes\">what changed</label></span>"
            );
        }
        *html += "</figcaption>\n";
    }

    fn is_unchanged(&self) -> bool {
        self.new_lines().next().is_none()
            && self.pieces.iter().all(|piece| {
                (piece.start..=piece.end)
                    .all(|line| self.removed(piece, line).next().is_none())
            })
    }

    /// Whether *what changed* differs from the code as it is.
    fn has_two_views(&self) -> bool {
        !self.source.is_new_file
            && !self.is_unchanged()
            && self.pieces.iter().any(|piece| {
                let removes = |line| self.removed(piece, line).next().is_some();
                (piece.start..=piece.end).any(removes)
                    || self.items(piece).any(|item| self.is_folded(item))
            })
    }

    /// The removed lines to show before a line of a piece. At a piece's edge
    /// they belong to it if new lines of the piece stand in their place.
    fn removed(
        &self,
        piece: &Range<usize>,
        line: usize,
    ) -> impl Iterator<Item = &Removed> {
        let piece = piece.clone();
        let is_whole_file = self.is_whole_file;
        self.source.changes.removed.iter().filter(move |removed| {
            let is_inside = piece.start < line && line < piece.end;
            let is_first = line == piece.start && removed.is_replaced;
            removed.before == line && (is_inside || is_first || is_whole_file)
        })
    }

    fn is_folded(&self, item: &Item) -> bool {
        let lines = item.lines.clone();
        let has_body = item.body.is_some_and(|body| body + 1 < lines.end);
        let changes = &self.source.changes;
        has_body
            && lines.len() > MAX_UNFOLDED
            && !changes.is_new[lines.clone()].contains(&true)
            && !changes
                .removed
                .iter()
                .any(|removed| lines.contains(&removed.before))
    }

    fn write_piece(&self, html: &mut String, piece: Range<usize>) {
        let lines = highlighted(&self.text(&piece));
        let is_marked = |line: usize| {
            !self.source.is_new_file
                && piece.contains(&line)
                && self.source.changes.is_new[line]
        };
        let mut folded = 0..0;
        for line in piece.start..=piece.end {
            let removed: Vec<&str> = self
                .removed(&piece, line)
                .map(|removed| removed.text.as_str())
                .collect();
            if !removed.is_empty() {
                *html += "<del>";
                for line in highlighted(&removed) {
                    // What is struck out is the code, not its indentation.
                    let code = line.trim_start();
                    let indentation = &line[..line.len() - code.len()];
                    let _ = writeln!(
                        html,
                        "<span class=\"line\">{indentation}<s>{code}</s></span>"
                    );
                }
                *html += "</del>";
            }
            if line == piece.end {
                break;
            }
            let fold = self
                .items(&piece)
                .find(|item| item.body == Some(line) && self.is_folded(item));
            if is_marked(line) && (line == piece.start || !is_marked(line - 1))
                || is_marked(line) && !removed.is_empty()
            {
                *html += "<ins>";
            }
            *html += "<span class=\"line\">";
            *html += &lines[line - piece.start];
            if let Some(item) = fold
                && !folded.contains(&line)
            {
                *html += "<span class=\"fold\"> … }</span>";
                folded = line + 1..item.lines.end;
            }
            *html += "</span>\n";
            let is_last = !is_marked(line + 1)
                || self.removed(&piece, line + 1).next().is_some();
            if is_marked(line) && is_last {
                *html += "</ins>";
            }
            if !folded.is_empty() && line + 1 == folded.start {
                *html += "<span class=\"folded\">";
            }
            if !folded.is_empty() && line + 1 == folded.end {
                *html += "</span>";
                folded = 0..0;
            }
        }
    }
}

/// The start of the code. It scrolls: so it can have the focus, and a name
/// that tells whose code it is.
fn start_of_code(name: &str) -> String {
    let name = escaped(name);
    format!(
        "<pre tabindex=\"0\" role=\"group\" aria-label=\"Code: {name}\">{CODE}"
    )
}

/// Rust code that is not from a step, as a block of HTML. `error` is the code
/// of the error with which the compiler refuses it, if it does.
pub fn hand_typed_html(code: &str, error: Option<&str>) -> String {
    let note = match error {
        Some(error) => format!("does not compile: {error}"),
        None => "not part of a step".to_owned(),
    };
    let lines: Vec<&str> = code.lines().collect();
    let mut html = format!(
        "<figure class=\"listing\">\n<figcaption>\
         <span class=\"listing-note\">{}</span></figcaption>\n{}",
        escaped(&note),
        start_of_code(&note),
    );
    for line in highlighted(&lines) {
        let _ = writeln!(html, "<span class=\"line\">{line}</span>");
    }
    html + "</code></pre>\n</figure>\n"
}

/// The HTML of each line. A token that spans lines is colored in each of them.
fn highlighted(lines: &[&str]) -> Vec<String> {
    let code = lines.join("\n");
    let mut highlighted = vec![String::new()];
    for token in tokens(&code) {
        for (number, part) in token.text.split('\n').enumerate() {
            if number > 0 {
                highlighted.push(String::new());
            }
            let line = highlighted.last_mut().expect("there is a first line");
            match token.class {
                Some(class) if !part.is_empty() => {
                    *line += &format!("<span class=\"hljs-{class}\">");
                    *line += &escaped(part);
                    *line += "</span>";
                }
                _ => *line += &escaped(part),
            }
        }
    }
    highlighted
}

/// Text as HTML, for an element's content or an attribute in double quotes.
pub(crate) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html += "&amp;",
            '<' => html += "&lt;",
            '>' => html += "&gt;",
            '"' => html += "&quot;",
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The text that a browser shows for this HTML.
    fn shown(html: &str) -> String {
        let mut text = String::new();
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            text += &rest[..at];
            let end = rest[at..].find('>').expect("a tag ends");
            rest = &rest[at + end + 1..];
        }
        text += rest;
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&")
    }

    #[test]
    fn a_token_of_several_lines_is_colored_in_each() {
        assert_eq!(
            highlighted(&["/* a", "", "b */ c"]),
            [
                "<span class=\"hljs-comment\">/* a</span>",
                "",
                "<span class=\"hljs-comment\">b */</span> c",
            ]
        );
    }

    proptest! {
        #[test]
        fn colors_do_not_change_the_text(
            lines in prop::collection::vec("[^\n]*", 1..4)
        ) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let html = highlighted(&lines);
            prop_assert_eq!(html.len(), lines.len());
            for (html, line) in html.iter().zip(lines) {
                prop_assert_eq!(shown(html), line);
            }
        }
    }
}
