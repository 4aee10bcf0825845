//! From a built page to XHTML, as an EPUB wants it.
//!
//! A page's HTML is well formed but for its spelling: void elements are not
//! closed, and browsers do not care how SVG's names are written. So it is
//! rewritten tag by tag. What an e-reader cannot do (choose, copy, play) is
//! left out, and what style sheets add to a terminal is written down.

use std::cell::RefCell;
use std::fmt::Write;

use anyhow::{Context, bail, ensure};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer,
    TokenizerOpts,
};

/// Elements without content. They have no end in HTML.
const VOID: [&str; 8] =
    ["br", "col", "hr", "img", "input", "link", "meta", "wbr"];

/// Elements that are left out with all that is in them: they would do
/// something, or they say what was and is no more.
const DROPPED: [&str; 6] =
    ["button", "del", "form", "input", "script", "template"];

/// The same, by class: the title bars of terminals, whose names stand at each
/// turn; what chooses between two views of a listing, and its other view; and
/// the second, enlarged one of each image, which mdBook makes.
const DROPPED_CLASSES: [&str; 4] =
    ["screen", "listing-switch", "fold", "img-wrapper"];

/// The names in SVG that have capital letters. HTML is read without them.
/// (The tables of elements and attributes in the HTML standard, 13.2.6.1 and
/// 13.2.6.5, without filters and animations.)
const SVG_NAMES: [&str; 26] = [
    "baseProfile",
    "clipPath",
    "clipPathUnits",
    "foreignObject",
    "gradientTransform",
    "gradientUnits",
    "lengthAdjust",
    "linearGradient",
    "markerHeight",
    "markerUnits",
    "markerWidth",
    "maskContentUnits",
    "maskUnits",
    "pathLength",
    "patternContentUnits",
    "patternTransform",
    "patternUnits",
    "preserveAspectRatio",
    "radialGradient",
    "refX",
    "refY",
    "spreadMethod",
    "startOffset",
    "systemLanguage",
    "textLength",
    "viewBox",
];

/// A page of the book as an EPUB has it.
#[derive(Debug, Default)]
pub struct Page {
    /// What is in its `body`.
    pub body: String,
    /// The ids and the words of the headings under the title.
    pub sections: Vec<(String, String)>,
    /// Whether there is a picture in it that is SVG.
    pub has_svg: bool,
    /// The files that it shows, as it calls them.
    pub images: Vec<String>,
}

/// A line of the contents.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// A page, such as `01-bind.html`.
    Page { name: String, title: String },
    /// What stands over all pages up to the next part, or to the end of parts.
    Part { title: String },
    /// The line after the last part.
    EndOfParts,
}

/// The text of a page: what is in its `main`.
///
/// # Errors
///
/// A page without a `main`, and an end tag that does not close what is open.
pub fn page(html: &str) -> anyhow::Result<Page> {
    let mut writer = Writer::default();
    for token in tokens(between(html, "<main", "</main>")?).into_iter().skip(1)
    {
        writer.write(token)?;
    }
    if let Some(open) = writer.open.last() {
        bail!("<{}> is not closed", open.name);
    }
    Ok(writer.page)
}

/// The contents of the book, as any of its pages has them.
///
/// # Errors
///
/// A page without contents.
pub fn contents(html: &str) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut words = String::new();
    let mut page: Option<String> = None;
    let mut is_part = false;
    let nav = between(html, "<nav class=\"contents\"", "</nav>")?;
    for token in tokens(nav) {
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                let href = attribute(&tag, "href").map(str::to_owned);
                is_part = has_class(&tag, "part-title");
                if href.is_some() || is_part {
                    words.clear();
                }
                page = href.or(page);
                if has_class(&tag, "spacer") {
                    entries.push(Entry::EndOfParts);
                }
            }
            Token::TagToken(tag) if &*tag.name == "a" => {
                let title = std::mem::take(&mut words);
                let name = page.take();
                entries.extend(name.map(|name| Entry::Page { name, title }));
            }
            Token::TagToken(tag) if &*tag.name == "li" && is_part => {
                let title = std::mem::take(&mut words);
                entries.push(Entry::Part { title });
                is_part = false;
            }
            Token::CharacterTokens(text) => words += &text,
            _ => {}
        }
    }
    ensure!(!entries.is_empty(), "there is nothing in the contents");
    Ok(entries)
}

/// The part of a page from where `start` begins to where `end` begins.
fn between<'a>(
    html: &'a str,
    start: &str,
    end: &str,
) -> anyhow::Result<&'a str> {
    let at = html.find(start).with_context(|| format!("no {start}>"))?;
    let rest = &html[at..];
    let length = rest.find(end).with_context(|| format!("no {end}"))?;
    Ok(&rest[..length])
}

/// The tags and the text of a piece of HTML, references resolved.
fn tokens(html: &str) -> Vec<Token> {
    #[derive(Default)]
    struct All(RefCell<Vec<Token>>);
    impl TokenSink for All {
        type Handle = ();
        fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
            self.0.borrow_mut().push(token);
            TokenSinkResult::Continue
        }
    }
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let tokenizer = Tokenizer::new(All::default(), TokenizerOpts::default());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.take()
}

/// An element that is being written.
#[derive(Debug)]
struct Open {
    name: String,
    class: String,
    /// Whether its tags are written; its content is.
    has_tags: bool,
    /// How much was written when its content began.
    start: usize,
}

#[derive(Debug, Default)]
struct Writer {
    page: Page,
    open: Vec<Open>,
    /// How many elements are open that are left out.
    dropped: usize,
    /// What stands in a heading, so far.
    heading: Option<(String, String)>,
}

impl Writer {
    fn write(&mut self, token: Token) -> anyhow::Result<()> {
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                self.start(&tag);
                Ok(())
            }
            Token::TagToken(tag) => self.end(&tag),
            Token::CharacterTokens(text) => {
                self.text(&text);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn text(&mut self, text: &str) {
        if self.dropped > 0 {
            return;
        }
        escape(&mut self.page.body, text);
        if let Some((_, words)) = &mut self.heading {
            *words += text;
        }
    }

    fn start(&mut self, tag: &Tag) {
        let is_void = VOID.contains(&&*tag.name) || tag.self_closing;
        if self.dropped > 0 || is_dropped(tag) {
            self.dropped += usize::from(!is_void);
            return;
        }
        let is_svg = &*tag.name == "svg";
        let in_svg = is_svg || self.open.iter().any(|open| open.name == "svg");
        self.page.has_svg |= is_svg;
        let image = attribute(tag, "src").map(str::to_owned);
        self.page.images.extend(image);
        let name = if in_svg { svg_name(&tag.name) } else { &*tag.name };
        // A heading's link to itself, and what enlarges an image.
        let has_tags = !has_class(tag, "header") && name != "label";
        if has_tags {
            self.start_tag(tag, name, in_svg, is_void);
        }
        if is_void {
            return;
        }
        let id = attribute(tag, "id");
        if let ("h2", Some(id)) = (name, id) {
            self.heading = Some((id.to_owned(), String::new()));
        }
        if let Some(number) = attribute(tag, "data-number") {
            self.text(&format!("{number} "));
        }
        if name == "kbd" && self.is_in("command") {
            self.page.body += "<span class=\"prompt\">$ </span>";
        }
        self.open.push(Open {
            name: name.to_owned(),
            class: attribute(tag, "class").unwrap_or_default().to_owned(),
            has_tags,
            start: self.page.body.len(),
        });
    }

    fn start_tag(&mut self, tag: &Tag, name: &str, in_svg: bool, void: bool) {
        let body = &mut self.page.body;
        let _ = write!(body, "<{name}");
        if name == "svg" {
            *body += " xmlns=\"http://www.w3.org/2000/svg\"";
        }
        for attribute in &tag.attrs {
            let key = &*attribute.name.local;
            if is_for_browsers(name, key) {
                continue;
            }
            let key = if in_svg { svg_name(key) } else { key };
            let _ = write!(body, " {key}=\"");
            match key {
                "href" => escape(body, &link(&attribute.value)),
                _ => escape(body, &attribute.value),
            }
            body.push('"');
        }
        // Not every reader can open them.
        if name == "details" && attribute(tag, "open").is_none() {
            *body += " open=\"\"";
        }
        *body += if void { "/>" } else { ">" };
    }

    fn end(&mut self, tag: &Tag) -> anyhow::Result<()> {
        if self.dropped > 0 {
            self.dropped -= 1;
            return Ok(());
        }
        let open = self.open.pop();
        let open = open
            .filter(|open| open.name.eq_ignore_ascii_case(&tag.name))
            .with_context(|| format!("</{}> closes nothing", tag.name))?;
        let body = &mut self.page.body;
        match &*open.name {
            // An empty line is a line, too.
            "samp" if body.len() == open.start => body.push('\u{a0}'),
            "kbd" if self.is_in("typed") => {
                self.page.body += "<span class=\"enter\"> ⏎</span>";
            }
            "h2" => self.page.sections.extend(self.heading.take()),
            _ => {}
        }
        if open.has_tags {
            let _ = write!(self.page.body, "</{}>", open.name);
        }
        Ok(())
    }

    /// Whether what is written now is directly in an element of this class.
    fn is_in(&self, class: &str) -> bool {
        let parent = self.open.last();
        parent.is_some_and(|parent| {
            parent.class.split_whitespace().any(|c| c == class)
        })
    }
}

fn is_dropped(tag: &Tag) -> bool {
    DROPPED.contains(&&*tag.name)
        || DROPPED_CLASSES.iter().any(|class| has_class(tag, class))
}

/// Whether an attribute means something to a browser alone: where a terminal
/// stands beside another, what the keys can reach.
fn is_for_browsers(element: &str, attribute: &str) -> bool {
    let is_alignment = attribute == "style" && matches!(element, "td" | "th");
    matches!(attribute, "style" | "tabindex" | "xmlns") && !is_alignment
        || attribute.starts_with("data-")
        || attribute.starts_with("on")
}

fn attribute<'a>(tag: &'a Tag, name: &str) -> Option<&'a str> {
    let found = tag.attrs.iter().find(|other| &*other.name.local == name);
    found.map(|attribute| &*attribute.value)
}

fn has_class(tag: &Tag, class: &str) -> bool {
    let classes = attribute(tag, "class").unwrap_or_default();
    classes.split_whitespace().any(|other| other == class)
}

fn svg_name(name: &str) -> &str {
    let mut names = SVG_NAMES.iter();
    names
        .find(|other| other.eq_ignore_ascii_case(name))
        .map_or(name, |name| name)
}

/// Where a link leads in the EPUB: `01-bind.html#x` is `01-bind.xhtml#x`.
pub fn link(target: &str) -> String {
    let (path, anchor) =
        target.split_at(target.find('#').unwrap_or(target.len()));
    match path.strip_suffix(".html").filter(|path| !path.contains(':')) {
        Some(page) => format!("{page}.xhtml{anchor}"),
        None => target.to_owned(),
    }
}

/// Adds text to XML, where it may also be in a quoted attribute.
pub fn escape(xml: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => *xml += "&amp;",
            '<' => *xml += "&lt;",
            '>' => *xml += "&gt;",
            '"' => *xml += "&quot;",
            '\t' | '\n' | '\r' => xml.push(c),
            // XML has no way to write it.
            c if c.is_control() => xml.push(char::REPLACEMENT_CHARACTER),
            c => xml.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(html: &str) -> String {
        page(&format!("<main id=\"text\">{html}</main>")).unwrap().body
    }

    #[test]
    fn what_a_browser_bears_becomes_xml() {
        assert_eq!(
            body("<p>a &amp; b<br>c &lt;&nbsp;d<hr class=x>\u{1b}</p>"),
            "<p>a &amp; b<br/>c &lt;\u{a0}d<hr class=\"x\"/>\u{fffd}</p>"
        );
        assert_eq!(
            body("<svg viewbox=\"0 0 1 1\"><path d=\"M0 0\"/></svg>"),
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\">\
             <path d=\"M0 0\"/></svg>"
        );
    }

    #[test]
    fn what_a_reader_cannot_use_is_left_out() {
        assert_eq!(
            body(
                "<div style=\"x\" data-n=\"1\" onclick=\"x\">a<button>b\
                 <i>c</i></button><script>d</script><input><del>e</del>f\
                 <div class=\"screen one\"><span>g</span></div></div>"
            ),
            "<div>af</div>"
        );
        assert_eq!(
            body("<h1 id=\"a\"><a class=\"header\" href=\"#a\">b</a></h1>"),
            "<h1 id=\"a\">b</h1>"
        );
        assert_eq!(body("<h1 data-number=\"3.\">a</h1>"), "<h1>3. a</h1>");
    }

    #[test]
    fn a_terminal_can_be_read_as_text() {
        assert_eq!(
            body(
                "<div class=\"command\"><kbd>ls</kbd></div>\
                 <div class=\"typed\"><kbd>hi</kbd></div>\
                 <div class=\"printed\"><samp></samp></div>"
            ),
            "<div class=\"command\"><kbd><span class=\"prompt\">$ </span>ls\
             </kbd></div><div class=\"typed\"><kbd>hi<span class=\"enter\"> ⏎\
             </span></kbd></div><div class=\"printed\"><samp>\u{a0}</samp>\
             </div>"
        );
    }

    #[test]
    fn what_folds_is_open() {
        assert_eq!(
            body("<details>a</details>"),
            "<details open=\"\">a</details>"
        );
        assert_eq!(
            body("<details open>a</details>"),
            "<details open=\"\">a</details>"
        );
    }

    #[test]
    fn links_lead_to_pages_of_the_epub() {
        assert_eq!(link("01-bind.html#x"), "01-bind.xhtml#x");
        assert_eq!(link("#x.html"), "#x.html");
        let elsewhere = "https://example.org/a.html";
        assert_eq!(link(elsewhere), elsewhere);
    }

    #[test]
    fn what_does_not_nest_is_an_error() {
        let error = |html: &str| {
            let html = format!("<main>{html}</main>");
            page(&html).unwrap_err().to_string()
        };
        assert_eq!(error("<p><b></p></b>"), "</p> closes nothing");
        assert_eq!(error("<p>"), "<p> is not closed");
        assert_eq!(page("<body>").unwrap_err().to_string(), "no <main>");
    }

    #[test]
    fn the_contents_are_pages_and_parts() {
        let html = "<nav class=\"contents\" id=\"c\"><ol><li><a \
                    href=\"a.html\"><strong>1.</strong> A &amp; B</a></li>\
                    <li><li class=\"part-title\">C</li></li><li>\
                    <li class=\"spacer\"></li></li></ol></nav>";
        assert_eq!(
            contents(html).unwrap(),
            [
                Entry::Page { name: "a.html".into(), title: "1. A & B".into() },
                Entry::Part { title: "C".into() },
                Entry::EndOfParts,
            ]
        );
    }
}
