//! Links, anchors and pictures: what leads nowhere, and what some readers
//! cannot see.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Tag, TagEnd};

use crate::course::Course;
use crate::pages::{line_of, source};
use crate::problem::Problem;

/// Where a page can be entered, and where it leads.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    ids: HashSet<String>,
    links: Vec<Link>,
}

#[derive(Debug)]
struct Link {
    line: usize,
    target: String,
}

/// Reads a chapter's links and anchors, and checks its pictures.
///
/// `events` is what `text` is parsed into.
pub(crate) fn outline(
    file: &Path,
    text: &str,
    events: &[(Event, Range<usize>)],
    problems: &mut Vec<Problem>,
) -> Outline {
    let mut outline = Outline::default();
    let mut heading_ids = HashSet::new();
    let mut heading: Option<String> = None;
    let mut image: Option<(usize, String)> = None;
    let line_feeds: Vec<usize> =
        text.match_indices('\n').map(|(at, _)| at).collect();
    for (event, range) in events {
        let line = line_feeds.partition_point(|at| *at < range.start) + 1;
        match event {
            Event::Start(Tag::Heading { id: Some(id), .. }) => {
                outline.ids.insert(id.to_string());
            }
            Event::Start(
                Tag::Heading { id: None, .. } | Tag::DefinitionListTitle,
            ) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_) | TagEnd::DefinitionListTitle) => {
                if let Some(heading) = heading.take() {
                    let id = unique(id_of(&heading), &mut heading_ids);
                    outline.ids.insert(id);
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                outline.links.push(Link { line, target: dest_url.to_string() });
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                outline.links.push(Link { line, target: dest_url.to_string() });
                image = Some((line, String::new()));
            }
            Event::End(TagEnd::Image) => {
                if let Some((line, alternative)) = image.take() {
                    check_image(file, line, &alternative, problems);
                }
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(text);
                }
                if let Some((_, alternative)) = &mut image {
                    alternative.push_str(text);
                }
            }
            Event::SoftBreak => {
                if let Some(heading) = &mut heading {
                    heading.push('\n');
                }
            }
            _ => {}
        }
    }
    let prose = without_code(text, events);
    outline.read_html(file, &prose, problems);
    check_footnotes(file, &prose, events, problems);
    outline
}

/// Markdown takes a reference to a footnote that is not there for text.
fn check_footnotes(
    file: &Path,
    prose: &str,
    events: &[(Event, Range<usize>)],
    problems: &mut Vec<Problem>,
) {
    for (at, _) in prose.match_indices("[^") {
        let Some((name, _)) = prose[at + 2..].split_once(']') else { continue };
        let is_defined = events.iter().any(|(event, _)| {
            let Event::Start(Tag::FootnoteDefinition(defined)) = event else {
                return false;
            };
            **defined == *name
        });
        if !is_defined {
            problems.push(Problem::new(
                file,
                line_of(prose, at),
                format!("no footnote `[^{name}]` is defined in this chapter"),
            ));
        }
    }
}

impl Outline {
    /// Reads the tags that the chapter has among its Markdown.
    fn read_html(
        &mut self,
        file: &Path,
        html: &str,
        problems: &mut Vec<Problem>,
    ) {
        for tag in tags(html) {
            let line = line_of(html, tag.at);
            if let Some(id) = tag.attribute("id") {
                self.ids.insert(id.to_owned());
            }
            let target = match tag.name.as_str() {
                "a" => tag.attribute("href"),
                "img" => tag.attribute("src"),
                _ => None,
            };
            if let Some(target) = target {
                self.links.push(Link { line, target: target.to_owned() });
            }
            match tag.name.as_str() {
                "img" => {
                    let alternative = tag.attribute("alt").unwrap_or_default();
                    check_image(file, line, alternative, problems);
                }
                "svg" => {
                    let rest = &html[tag.at..];
                    let end = rest.find("</svg>").unwrap_or(rest.len());
                    let is_labeled = tag.attribute("role") == Some("img")
                        && tag
                            .attribute("aria-label")
                            .is_some_and(|label| !label.trim().is_empty());
                    if !is_labeled && !rest[..end].contains("<title") {
                        problems.push(Problem::new(
                            file,
                            line,
                            "this drawing says nothing to who cannot see it: \
                             give it `role=\"img\"` and an `aria-label`, or \
                             a `<title>`",
                        ));
                    }
                }
                "pre" => problems.push(Problem::new(
                    file,
                    line,
                    "`<pre>` would hide code from the checks: write a fence",
                )),
                _ => {}
            }
        }
    }
}

fn check_image(
    file: &Path,
    line: usize,
    alternative: &str,
    problems: &mut Vec<Problem>,
) {
    if alternative.trim().is_empty() {
        problems.push(Problem::new(
            file,
            line,
            "this image says nothing to who cannot see it: give it a text, \
             as in `![what it shows](image.svg)`",
        ));
    }
}

/// Checks every link inside the book. `outlines` has the chapters by their
/// paths in the chapters' folder.
pub(crate) fn check(
    course: &Course,
    outlines: &BTreeMap<PathBuf, Outline>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (file, outline) in outlines {
        for link in &outline.links {
            if let Err(message) = follow(course, outlines, file, &link.target) {
                let file = source(file);
                problems.push(Problem::new(file, link.line, message));
            }
        }
    }
    problems
}

fn follow(
    course: &Course,
    outlines: &BTreeMap<PathBuf, Outline>,
    from: &Path,
    target: &str,
) -> Result<(), String> {
    if has_scheme(target) {
        return Ok(());
    }
    if target.starts_with('/') {
        return Err(format!(
            "`{target}` leads out of a book that is not at the root of its \
             host: write a path relative to this chapter"
        ));
    }
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (target, None),
    };
    let to = match path {
        "" => from.to_owned(),
        path => normal(&from.parent().unwrap_or(Path::new("")).join(path)),
    };
    if to.extension().is_some_and(|extension| extension == "html") {
        return Err(format!(
            "`{target}` is a page that is built from a chapter: link to the \
             chapter, which ends in `.md`"
        ));
    }
    let Some(outline) = outlines.get(&to) else {
        let is_file = course.root.join(source(&to)).is_file();
        if is_file && to.extension().is_none_or(|end| end != "md") {
            return Ok(());
        }
        return Err(format!(
            "`{target}` leads nowhere: the book has no {}",
            to.display()
        ));
    };
    match anchor {
        Some(anchor) if !outline.ids.contains(anchor) => {
            let mut ids: Vec<&str> =
                outline.ids.iter().map(String::as_str).collect();
            ids.sort();
            Err(format!(
                "`{target}` leads nowhere: {} has no such heading; it has {}",
                to.display(),
                ids.join(" ")
            ))
        }
        _ => Ok(()),
    }
}

fn has_scheme(target: &str) -> bool {
    let scheme = target.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
    })
}

fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if normal.pop() => {}
            part => normal.push(part),
        }
    }
    normal
}

/// The id that mdBook gives to a heading (`id_from_content` in mdbook-html
/// 0.5.4, src/utils.rs).
pub(crate) fn id_of(heading: &str) -> String {
    let id = heading.trim().to_lowercase();
    id.chars()
        .filter_map(|c| match c {
            '_' | '-' => Some(c),
            c if c.is_alphanumeric() => Some(c),
            c if c.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

/// What mdBook does with a second heading of the same text.
pub(crate) fn unique(id: String, used: &mut HashSet<String>) -> String {
    let numbered = (1..).map(|number| format!("{id}-{number}"));
    let unique = [id.clone()]
        .into_iter()
        .chain(numbered)
        .find(|id| !used.contains(id))
        .expect("there are more numbers than headings");
    used.insert(unique.clone());
    unique
}

/// The text with spaces where it has code or a comment; offsets and lines
/// stay.
fn without_code(text: &str, events: &[(Event, Range<usize>)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut blank = |range: Range<usize>| {
        for byte in &mut bytes[range] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    };
    for (event, range) in events {
        if let Event::Code(_) | Event::Start(Tag::CodeBlock(_)) = event {
            blank(range.clone());
        }
    }
    let mut at = 0;
    while let Some(start) = text[at..].find("<!--").map(|found| at + found) {
        let end = text[start..].find("-->").map(|found| start + found);
        at = end.unwrap_or(text.len());
        blank(start..at);
    }
    // Whole characters were replaced, so this is still UTF-8.
    String::from_utf8(bytes).expect("only whole characters are blanked")
}

struct HtmlTag {
    at: usize,
    name: String,
    attributes: Vec<(String, String)>,
}

impl HtmlTag {
    fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The opening tags in a text.
fn tags(text: &str) -> Vec<HtmlTag> {
    let mut tags = Vec::new();
    for (at, _) in text.match_indices('<') {
        let rest = &text[at + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let end = |c: char| c.is_whitespace() || c == '>' || c == '/';
        let length = rest.find(end).unwrap_or(rest.len());
        let name = rest[..length].to_ascii_lowercase();
        let attributes = attributes(&rest[length..]);
        tags.push(HtmlTag { at, name, attributes });
    }
    tags
}

/// The attributes at the start of a text, up to the tag's end.
fn attributes(mut text: &str) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    loop {
        text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        let ends = |c: char| c.is_whitespace() || "=>/".contains(c);
        let length = text.find(ends).unwrap_or(text.len());
        if length == 0 {
            return attributes;
        }
        let name = text[..length].to_ascii_lowercase();
        text = text[length..].trim_start();
        let mut value = "";
        if let Some(rest) = text.strip_prefix('=') {
            let rest = rest.trim_start();
            let quote = rest.chars().next().filter(|c| "\"'".contains(*c));
            let start = quote.map_or(0, char::len_utf8);
            let is_end = |c: char| match quote {
                Some(quote) => c == quote,
                None => c.is_whitespace() || c == '>',
            };
            let inside = &rest[start..];
            let length = inside.find(is_end).unwrap_or(inside.len());
            value = &inside[..length];
            text = inside[length..]
                .strip_prefix(['"', '\''])
                .unwrap_or(&inside[length..]);
        }
        attributes.push((name, value.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_those_of_mdbook() {
        assert_eq!(
            id_of("`bind` and *listen*: 2 calls"),
            "bind-and-listen-2-calls"
        );
        let mut used = HashSet::new();
        assert_eq!(unique("a".into(), &mut used), "a");
        assert_eq!(unique("a".into(), &mut used), "a-1");
        assert_eq!(unique("a".into(), &mut used), "a-2");
    }

    #[test]
    fn attributes_are_read_in_every_spelling() {
        let html = "<img src=a.svg alt='it > \"b\"' hidden/><b><p id = \"x\">";
        let tags = tags(html);
        assert_eq!(tags[0].attribute("src"), Some("a.svg"));
        assert_eq!(tags[0].attribute("alt"), Some("it > \"b\""));
        assert_eq!(tags[0].attribute("hidden"), Some(""));
        assert_eq!(tags[1].name, "b");
        assert_eq!(tags[2].attribute("id"), Some("x"));
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "[<>a/='\" é!-]{0,30}") {
            tags(&text);
        }
    }
}
