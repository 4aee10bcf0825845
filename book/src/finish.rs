//! What is left to do on a book that mdBook has built.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::iter;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use regex::Regex;

use crate::fork::Fork;
use crate::listing::escaped;
use crate::pages::Chapter;
use crate::site;

/// What mdBook 0.5.4 adds to each book for pages of its own design, without
/// the hashes that it puts into the names.
const THEME: [&str; 20] = [
    "ayu-highlight.css",
    "book.js",
    "clipboard.min.js",
    "css/chrome.css",
    "css/general.css",
    "css/print.css",
    "css/variables.css",
    "elasticlunr.min.js",
    "favicon.png",
    "favicon.svg",
    "fonts/OPEN-SANS-LICENSE.txt",
    "fonts/SOURCE-CODE-PRO-LICENSE.txt",
    "fonts/fonts.css",
    "highlight.css",
    "highlight.js",
    "mark.min.js",
    "searcher.js",
    "toc.html",
    "toc.js",
    "tomorrow-night.css",
];

/// How the names of its fonts begin; there is one for each alphabet.
const FONTS: [&str; 2] = ["fonts/open-sans-v17-", "fonts/source-code-pro-v11-"];

/// What stands before a page's description in `theme/index.hbs`.
const DESCRIPTION: &str = "<meta name=\"description\" content=\"";

/// A line between two parts of the contents, as mdBook writes it.
const SPACER: &str = "<li class=\"spacer\">";

/// The same: there is nothing in it to be read out.
const SPACER_FOR_THE_EYE: &str = "<li class=\"spacer\" aria-hidden=\"true\">";

/// A style sheet, as `theme/index.hbs` asks for it: the way from the page to
/// the folder of the book, and the file.
const STYLE_SHEET: &str =
    r#"<link rel="stylesheet" href="((?:\.\./)*)(theme/[^"]+\.css)">\s*"#;

/// Gives each page its own description, the chapter's first paragraph; lets
/// a screen reader say the numbers of the chapters; tells titles their numbers
/// (see [`number`]); links to where a `fork` has its files; puts the style
/// sheets of the theme into one, which a browser has before it paints anything;
/// and removes those files of mdBook's own design that no page names.
///
/// # Errors
///
/// A file that cannot be read, written or removed.
pub fn finish(
    folder: &Path,
    chapters: &[Chapter],
    fork: &Fork,
) -> io::Result<()> {
    let descriptions: BTreeMap<PathBuf, String> = chapters
        .iter()
        .filter_map(|chapter| {
            let page = chapter.file.with_extension("html");
            Some((page, first_paragraph(&chapter.text)?))
        })
        .collect();
    // The first page is the book's first chapter once more.
    let mut sources: BTreeMap<PathBuf, &Path> = chapters
        .iter()
        .map(|chapter| {
            (chapter.file.with_extension("html"), chapter.file.as_path())
        })
        .collect();
    if let Some(first) = chapters.first() {
        sources.insert("index.html".into(), &first.file);
    }
    let (pages, others): (Vec<_>, Vec<_>) = site::files(folder)?
        .into_iter()
        .partition(|name| name.ends_with(".html") && name != "toc.html");
    let mut unnamed: BTreeSet<String> =
        others.into_iter().filter(|name| is_of_theme(name)).collect();
    let mut style = Style::new();
    for name in pages {
        let path = folder.join(&name);
        let text = fs::read_to_string(&path)?;
        for value in text.split('"') {
            unnamed.remove(value.trim_start_matches("../"));
        }
        let mut finished = text
            .replace("<strong aria-hidden=\"true\">", "<strong>")
            .replace(SPACER, SPACER_FOR_THE_EYE);
        if let Some(description) = descriptions.get(Path::new(&name)) {
            describe(&mut finished, description);
        }
        number(&mut finished, &name);
        if let Some(chapter) = sources.get(Path::new(&name)) {
            fork.link(&mut finished, chapter);
        }
        style.join(folder, &mut finished)?;
        if finished != text {
            fs::write(path, finished)?;
        }
    }
    for name in unnamed.iter().chain(&style.joined) {
        fs::remove_file(folder.join(name))?;
    }
    // A folder in which something is left stays.
    for emptied in ["css", "fonts"] {
        let _ = fs::remove_dir(folder.join(emptied));
    }
    Ok(())
}

/// The one style sheet. Each page names the same ones.
struct Style {
    /// What finds their links.
    link: Regex,
    /// Those that are in it.
    joined: Vec<String>,
    /// What it is called.
    name: String,
}

impl Style {
    fn new() -> Self {
        let link = Regex::new(STYLE_SHEET).expect("it is an expression");
        Self { link, joined: Vec::new(), name: String::new() }
    }

    /// Has a page ask for the one in the place of those that it names.
    fn join(&mut self, folder: &Path, page: &mut String) -> io::Result<()> {
        let links: Vec<_> = self.link.captures_iter(page).collect();
        let [first, ..] = links.as_slice() else { return Ok(()) };
        let names = links.iter().map(|link| link[2].to_owned());
        let names: Vec<String> = names.collect();
        if names != self.joined {
            let mut text = String::new();
            for name in &names {
                text += &fs::read_to_string(folder.join(name))?;
            }
            // A new name when anything in it is new: browsers keep the old.
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            self.name = format!("theme/style-{:016x}.css", hasher.finish());
            fs::write(folder.join(&self.name), text)?;
            self.joined = names;
        }
        let start = first.get(0).expect("it is all that was found").start();
        let to_root = &first[1];
        let name = &self.name;
        let one =
            format!("<link rel=\"stylesheet\" href=\"{to_root}{name}\">\n    ");
        let mut without = self.link.replace_all(page, "").into_owned();
        without.insert_str(start, &one);
        *page = without;
        Ok(())
    }
}

/// Whether mdBook puts a file of this name into each book.
fn is_of_theme(name: &str) -> bool {
    let hash = Regex::new(r"-[0-9a-f]{8}\.").expect("it is an expression");
    let plain = hash.replace(name, ".");
    THEME.contains(&&*plain)
        || FONTS.iter().any(|start| name.starts_with(start))
}

/// A chapter's first paragraph, as plain text.
fn first_paragraph(text: &str) -> Option<String> {
    let mut paragraph = None;
    for event in Parser::new(text) {
        match (event, &mut paragraph) {
            (Event::Start(Tag::Paragraph), _) => {
                paragraph = Some(String::new());
            }
            (Event::Text(part) | Event::Code(part), Some(words)) => {
                words.push_str(&part);
            }
            (Event::SoftBreak | Event::HardBreak, Some(words)) => {
                words.push(' ');
            }
            (Event::End(TagEnd::Paragraph), Some(words))
                if !words.starts_with("{{#") =>
            {
                return paragraph;
            }
            _ => {}
        }
    }
    None
}

/// Puts a description in the place of the one that a page has.
fn describe(page: &mut String, description: &str) {
    let Some(at) = page.find(DESCRIPTION) else { return };
    let start = at + DESCRIPTION.len();
    let Some(length) = page[start..].find('"') else { return };
    page.replace_range(start..start + length, &escaped(description));
}

/// Gives the titles of chapters their numbers, for paper and e-readers: there,
/// what the text calls chapter 3 must be found without the contents beside it.
/// The page `print.html` has all titles, each other page its own.
fn number(page: &mut String, name: &str) {
    let entry =
        Regex::new("<a href=\"([^\"]+)\"[^>]*>(?:<strong>([0-9.]+)</strong>)?")
            .expect("it is an expression");
    let Some((contents, text)) = page.split_once("</nav>") else { return };
    let numbers = entry.captures_iter(contents).filter_map(|entry| {
        let target = entry[1].trim_start_matches("../");
        let is_here = name == "print.html" || name == target;
        is_here.then(|| entry.get(2).map_or("", |number| number.as_str()))
    });
    let mut titles = text.split("<h1 ");
    let mut numbered = titles.next().unwrap_or_default().to_owned();
    for (title, number) in titles.zip(numbers.chain(iter::repeat(""))) {
        numbered += "<h1 ";
        if !number.is_empty() {
            numbered += &format!("data-number=\"{number}\" ");
        }
        numbered += title;
    }
    *page = format!("{contents}</nav>{numbered}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_paragraph_is_words() {
        let text = "# A `title`\n\n{{#diagram bind}}\n\n*After \"this\"\nyou* \
                    call `bind`.\n\nMore.\n";
        let words = first_paragraph(text);
        assert_eq!(words.as_deref(), Some("After \"this\" you call bind."));
        assert_eq!(first_paragraph("# Nothing else\n"), None);
    }

    #[test]
    fn the_style_sheets_are_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("theme")).unwrap();
        fs::write(folder.path().join("theme/a.css"), "a {}\n").unwrap();
        fs::write(folder.path().join("theme/b.css"), "b {}\n").unwrap();
        let link = |name: &str| {
            format!("<link rel=\"stylesheet\" href=\"../theme/{name}\">\n    ")
        };
        let [a, b] = ["a.css", "b.css"].map(link);
        let mut page = format!("<head>\n    {a}{b}<script>\n");
        let mut style = Style::new();
        style.join(folder.path(), &mut page).unwrap();
        let one = style.name.strip_prefix("theme/").unwrap();
        assert_eq!(page, format!("<head>\n    {}<script>\n", link(one)));
        let text = fs::read_to_string(folder.path().join(&style.name));
        assert_eq!(text.unwrap(), "a {}\nb {}\n");
        assert_eq!(style.joined, ["theme/a.css", "theme/b.css"]);

        let mut page = "<p>".to_owned();
        style.join(folder.path(), &mut page).unwrap();
        assert_eq!(page, "<p>");

        // What is new has a new name.
        fs::write(folder.path().join("theme/a.css"), "a { }\n").unwrap();
        let mut page = a + &b;
        let mut newer = Style::new();
        newer.join(folder.path(), &mut page).unwrap();
        assert_ne!(newer.name, style.name);
    }

    #[test]
    fn a_reader_s_file_is_not_of_the_theme() {
        for name in ["book-609e4cb8.js", "toc.html", "fonts/open-sans-v17-a"] {
            assert!(is_of_theme(name), "{name}");
        }
        for name in ["book-cover.js", "css/mine.css", "fonts/mine.woff2"] {
            assert!(!is_of_theme(name), "{name}");
        }
    }

    #[test]
    fn titles_are_told_their_numbers() {
        let nav = "<nav class=\"contents\"><a href=\"a.html\">A</a><a \
                   href=\"b.html\"><strong>1.</strong> B</a><a \
                   href=\"x/b.html\"><strong>1.1.</strong> C</a></nav>";
        for (name, before, after) in [
            ("a.html", "<h1 id>A</h1>", "<h1 id>A</h1>"),
            ("b.html", "<h1 id>B</h1>", "<h1 data-number=\"1.\" id>B</h1>"),
            ("x/b.html", "<h1 id>C</h1>", "<h1 data-number=\"1.1.\" id>C</h1>"),
            (
                "print.html",
                "<h1 id>A</h1><h1 id>B</h1><h1 id>C</h1>",
                "<h1 id>A</h1><h1 data-number=\"1.\" id>B</h1>\
                 <h1 data-number=\"1.1.\" id>C</h1>",
            ),
        ] {
            let mut page = format!("{nav}{before}");
            number(&mut page, name);
            assert_eq!(page, format!("{nav}{after}"), "{name}");
        }
    }

    #[test]
    fn a_description_is_replaced() {
        let mut page = format!("<p>{DESCRIPTION}old\">\n</p>");
        describe(&mut page, "a < \"b\"");
        let new = "a &lt; &quot;b&quot;";
        assert_eq!(page, format!("<p>{DESCRIPTION}{new}\">\n</p>"));
    }
}
