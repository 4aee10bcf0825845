//! The index: which system calls, which items of libraries and which errors
//! the book has, and where. Nobody types it. `{{#index calls}}`, `{{#index
//! items}}` and `{{#index errors}}` make it from the chapters of the steps:
//!
//! - a system call is one that a terminal shows under `strace`, or one whose
//!   page in section 2 of the manual the text links to;
//! - an item is what a step's new lines import from std, rustix or
//!   signal-hook (types and traits) or name by a path (`UnixListener::bind`),
//!   and what the text links to in their documentation. The type of a value
//!   before a method is not known here, so methods come from the links alone;
//! - an error is a section of `errors.md`.
//!
//! A place is a heading, the first in its chapter under which the thing is
//! named: in the text as code, in a terminal, in a listing's new lines.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use regex::Regex;

use crate::course::{Course, Step};
use crate::links::{id_of, unique};
use crate::listing::{Listing, Source, escaped};
use crate::pages::{self, parse};

/// The libraries whose items are of interest to a reader, by the names of
/// their crates.
const CRATES: [&str; 3] = ["std", "rustix", "signal_hook"];

/// What has nothing to do with sockets, and is in every program.
const EVERYWHERE: [&str; 4] = ["env::args", "env::args_os", "fmt", "Vec::new"];

/// `connect(3, …) = -1 ECONNREFUSED (…)`, as strace prints it.
static TRACED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:\S+\| |\| )(?:\[pid +\d+\] )?([a-z_0-9]+)\(.*\) += -?\d")
        .expect("it is an expression")
});

static MANUAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^https://man7\.org/.*/man2/([a-z_0-9]+)\.2\.html")
        .expect("it is an expression")
});

static DOCUMENTATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^https://(?:doc\.rust-lang\.org|docs\.rs)/.*?([a-z_0-9]+)/(struct|enum|trait|fn|primitive)\.(\w+)\.html(?:#(?:ty)?method\.(\w+))?",
    )
    .expect("it is an expression")
});

static PATH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(?:[A-Za-z_]\w*::)+[A-Za-z_]\w*")
        .expect("it is an expression")
});

static USE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^(?:pub )?use ([^;]+);").expect("it is an expression")
});

/// A heading of a chapter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    chapter: u32,
    /// The place of the heading in its chapter.
    heading: usize,
    title: String,
    /// `02-accept.html#the-loop`
    address: String,
}

/// What is said under a heading.
struct Section {
    place: Place,
    /// Inline code.
    code: Vec<String>,
    /// Lines in terminals.
    lines: Vec<String>,
    /// What is emphasized.
    emphasized: Vec<String>,
    /// New lines in listings.
    new_lines: Vec<String>,
    /// Where links with code for their text lead, and that code.
    links: Vec<(String, String)>,
}

/// What the chapters of the steps say, read once for all tables of a page.
pub(crate) struct Index {
    sections: Vec<Section>,
    /// The text of `errors.md`.
    errors: String,
}

impl Index {
    pub(crate) fn read(course: &Course) -> Self {
        // What is wrong with the chapters is told elsewhere.
        let chapters = pages::chapters(course).unwrap_or_default();
        let mut sections = Vec::new();
        let mut errors = String::new();
        for chapter in chapters {
            let stem = chapter.file.file_stem().unwrap_or_default();
            if let Some(step) = course.step(&stem.to_string_lossy()) {
                read(course, step, &chapter.text, &mut sections);
            } else if stem == "errors" {
                errors = chapter.text;
            }
        }
        Self { sections, errors }
    }

    /// A table as `{{#index WHICH}}` asks for it, as a block of HTML.
    ///
    /// # Errors
    ///
    /// That there is no such table, or that it would be empty.
    pub(crate) fn html(
        &self,
        course: &Course,
        which: &str,
    ) -> Result<String, String> {
        let entries = match which {
            "calls" => calls(&self.sections),
            "items" => items(course, &self.sections)?,
            "errors" => errors(&self.errors, &self.sections),
            other => {
                return Err(format!(
                    "`{other}` is no index: there are `calls`, `items` and `errors`"
                ));
            }
        };
        if entries.is_empty() {
            return Err(format!("no chapter has anything for `{which}`"));
        }
        // As a reader sees them: `accept` before `accept4`.
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by_key(|(term, _)| {
            term.replace("<code>", "").replace("</code>", "\0")
        });
        let mut html = String::from("<ul class=\"index\">\n");
        for (term, places) in entries {
            html +=
                &format!("<li>{term} <span>{}</span></li>\n", links(&places));
        }
        Ok(html + "</ul>\n")
    }
}

/// Links to the first place in each chapter; the first of all says where it is.
fn links(places: &BTreeSet<Place>) -> String {
    let mut chapters = BTreeMap::new();
    for place in places {
        chapters.entry(place.chapter).or_insert(place);
    }
    let mut links = Vec::new();
    for (number, place) in chapters {
        let title = escaped(&place.title);
        let address = &place.address;
        links.push(match links.is_empty() {
            true => format!("<a href=\"{address}\">{number} {title}</a>"),
            false => format!(
                "<a href=\"{address}\" title=\"{title}\" \
                 aria-label=\"{number} {title}\">{number}</a>"
            ),
        });
    }
    links.join(", ")
}

fn read(course: &Course, step: &Step, text: &str, all: &mut Vec<Section>) {
    let mut ids = HashSet::new();
    let mut title: Option<String> = None;
    let mut link: Option<String> = None;
    let mut emphasized: Option<String> = None;
    let mut in_terminal = false;
    let first = all.len();
    let page = format!("{}.html", step.stem);
    let start = |title: String, id: Option<String>, heading| Section {
        place: Place {
            chapter: step.number,
            heading,
            address: match id {
                Some(id) => format!("{page}#{id}"),
                None => page.clone(),
            },
            title,
        },
        code: Vec::new(),
        lines: Vec::new(),
        emphasized: Vec::new(),
        new_lines: Vec::new(),
        links: Vec::new(),
    };
    let mut starts = Vec::new();
    for (event, range) in parse(text).0 {
        match event {
            Event::Start(Tag::Heading { .. }) => title = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let title = title.take().unwrap_or_default();
                let id = unique(id_of(&title), &mut ids);
                // The chapter's own title is the page.
                let id = (all.len() > first).then_some(id);
                all.push(start(title, id, all.len() - first));
                starts.push(range.start);
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                link = Some(dest_url.into_string());
            }
            Event::End(TagEnd::Link) => link = None,
            Event::Start(Tag::Emphasis) => emphasized = Some(String::new()),
            Event::End(TagEnd::Emphasis) => {
                if let Some(section) = all.last_mut() {
                    section.emphasized.extend(emphasized.take());
                }
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                in_terminal = info.starts_with("console");
            }
            Event::End(TagEnd::CodeBlock) => in_terminal = false,
            Event::Text(text) if in_terminal => {
                if let Some(section) = all.last_mut() {
                    section.lines.extend(text.lines().map(str::to_owned));
                }
            }
            Event::Code(code) => {
                if let Some(title) = &mut title {
                    title.push_str(&code);
                }
                let Some(section) = all.last_mut() else { continue };
                if let Some(link) = &link {
                    section.links.push((link.clone(), code.to_string()));
                }
                section.code.push(code.into_string());
            }
            Event::Text(text) => {
                if let Some(title) = &mut title {
                    title.push_str(&text);
                }
                if let Some(emphasized) = &mut emphasized {
                    emphasized.push_str(&text);
                }
                let Some(section) = all.last_mut() else { continue };
                if let Some(link) = &link {
                    section.links.push((link.clone(), text.to_string()));
                }
            }
            Event::SoftBreak => {
                if let Some(emphasized) = &mut emphasized {
                    emphasized.push(' ');
                }
            }
            _ => {}
        }
    }
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let above = starts.partition_point(|start| *start <= at);
        if let Some(words) = line.strip_prefix("{{#listing ")
            && let Some(section) = all[first..].get_mut(above.wrapping_sub(1))
        {
            section.new_lines.extend(new_lines(course, words));
        }
        at += line.len();
    }
}

/// The new lines that a listing shows.
fn new_lines(course: &Course, words: &str) -> Vec<String> {
    let words = words.trim_end_matches(['}', '\n']);
    let words: Vec<&str> = words.split_whitespace().collect();
    let [step, file, items @ ..] = words.as_slice() else { return Vec::new() };
    let Ok(listing) = Listing::read(course, step, file, items) else {
        // What is wrong with it is told where it stands.
        return Vec::new();
    };
    let lines = listing.new_lines();
    lines.map(|line| listing.source.line(line).to_owned()).collect()
}

type Entries = BTreeMap<String, BTreeSet<Place>>;

fn calls(sections: &[Section]) -> Entries {
    let mut calls = BTreeSet::new();
    for section in sections {
        let traced = section.lines.iter().filter_map(|line| {
            TRACED.captures(line).map(|found| found[1].to_owned())
        });
        calls.extend(traced);
        let linked = section.links.iter().filter_map(|(url, _)| {
            MANUAL.captures(url).map(|found| found[1].to_owned())
        });
        calls.extend(linked);
    }
    let place = |call: String| {
        let has = |section: &&Section| {
            section.code.contains(&call)
                || section.links.iter().any(|(url, _)| {
                    MANUAL.captures(url).is_some_and(|found| found[1] == call)
                })
                || section.lines.iter().any(|line| {
                    TRACED.captures(line).is_some_and(|f| f[1] == call)
                })
        };
        let places = sections.iter().filter(has).map(|s| s.place.clone());
        (format!("<code>{call}</code>"), places.collect())
    };
    calls.into_iter().map(place).collect()
}

fn items(course: &Course, sections: &[Section]) -> Result<Entries, String> {
    // By their short names, which is how programs call them.
    let mut items: BTreeMap<String, BTreeSet<Place>> = BTreeMap::new();
    for step in &course.steps {
        for file in &step.files {
            let source = Source::read(course, step, file)?;
            let new: Vec<&str> =
                source.new_lines().map(|line| source.line(line)).collect();
            let imported = imported(&source.text());
            for line in new {
                for item in named(line, &imported) {
                    items
                        .entry(item)
                        .or_default()
                        .extend(place_of(sections, step.number, line).cloned());
                }
            }
        }
    }
    let mut linked = BTreeSet::new();
    for section in sections {
        for (url, _) in &section.links {
            if let Some(item) = documented(url) {
                let places = items.entry(item.clone()).or_default();
                places.insert(section.place.clone());
                linked.insert(item);
            }
        }
    }
    items.retain(|item, _| !EVERYWHERE.contains(&item.as_str()));
    let method = |item: &str| {
        let (_, method) = item.split_once("::")?;
        Some(method.to_owned())
    };
    let mut methods: BTreeMap<String, usize> = BTreeMap::new();
    for method in items.keys().filter_map(|item| method(item)) {
        *methods.entry(method).or_default() += 1;
    }
    for (item, places) in &mut items {
        // One that the text links to, and that is no other's, too.
        let method = method(item)
            .filter(|_| linked.contains(item))
            .filter(|method| methods[method] == 1 && method.contains('_'));
        let is_called = |section: &Section, method: &String| {
            let call = format!(".{method}(");
            section.code.contains(method)
                || section.new_lines.iter().any(|line| line.contains(&call))
        };
        for section in sections {
            if section.code.contains(item)
                || method.as_ref().is_some_and(|it| is_called(section, it))
            {
                places.insert(section.place.clone());
            }
        }
    }
    // What only an unlisted line has is in no chapter.
    items.retain(|_, places| !places.is_empty());
    let term = |(item, places)| (format!("<code>{item}</code>"), places);
    Ok(items.into_iter().map(term).collect())
}

/// The item that a page of documentation is about: `UnixStream::pair`.
fn documented(url: &str) -> Option<String> {
    let found = DOCUMENTATION.captures(url)?;
    let (module, kind, name) = (&found[1], &found[2], &found[3]);
    Some(match found.get(4) {
        Some(method) => format!("{name}::{}", method.as_str()),
        None if kind == "fn" => format!("{module}::{name}"),
        None => name.to_owned(),
    })
}

/// Where a chapter shows this new line, or else its first heading.
fn place_of<'a>(
    sections: &'a [Section],
    chapter: u32,
    line: &str,
) -> Option<&'a Place> {
    let mut here = sections.iter().filter(|s| s.place.chapter == chapter);
    let first = here.clone().next();
    let shows = |s: &&Section| s.new_lines.iter().any(|new| new == line);
    here.find(shows).or(first).map(|section| &section.place)
}

/// What a file imports: the short name, and the whole path.
fn imported(text: &str) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for found in USE.captures_iter(text) {
        for path in expanded(&found[1]) {
            let path = path.trim_end_matches("::self").to_owned();
            let name = match path.split_once(" as ") {
                Some((_, name)) => name,
                None => path.rsplit("::").next().unwrap_or(&path),
            };
            names.insert(name.to_owned(), path);
        }
    }
    names
}

/// The paths of a `use`: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expanded(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((start, rest)) = tree.split_once('{') else {
        return vec![tree.to_owned()];
    };
    let inside = rest.rsplit_once('}').map_or(rest, |(inside, _)| inside);
    let mut depth = 0;
    let parts = inside.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    let parts = parts.filter(|part| !part.trim().is_empty());
    parts.flat_map(expanded).map(|part| format!("{start}{part}")).collect()
}

/// The items of [`CRATES`] that a line of code names: types and traits that it
/// imports, and paths of two names.
fn named(line: &str, imported: &BTreeMap<String, String>) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let of_crate = |path: &str| {
        let root = path.split("::").next().unwrap_or_default();
        CRATES.contains(&root)
    };
    let is_type = |name: &str| name.starts_with(char::is_uppercase);
    if code.trim_start().starts_with("use ") || is_rest_of_use(code) {
        let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
        return words
            .filter(|word| is_type(word))
            .filter(|word| imported.get(*word).is_some_and(|p| of_crate(p)))
            .map(str::to_owned)
            .collect();
    }
    PATH.find_iter(code)
        .filter_map(|path| {
            let (first, rest) = path.as_str().split_once("::")?;
            let whole = match imported.get(first) {
                Some(whole) => format!("{whole}::{rest}"),
                None => path.as_str().to_owned(),
            };
            let names: Vec<&str> = whole.split("::").collect();
            let [.., before, last] = names.as_slice() else { return None };
            of_crate(&whole).then(|| format!("{before}::{last}"))
        })
        .collect()
}

/// A line inside of `use a::{…};` that goes over several lines.
fn is_rest_of_use(code: &str) -> bool {
    let code = code.trim();
    let is_list = |c: char| c.is_alphanumeric() || "_,:{} ".contains(c);
    (code.ends_with(',') || code == "};")
        && code.chars().all(is_list)
        && code.starts_with(char::is_uppercase)
}

/// The sections of `errors.md`, with the names that its first paragraph gives
/// the error.
fn errors(text: &str, sections: &[Section]) -> Entries {
    let mut entries = Entries::new();
    let before_tables = text.split("\n## What our own").next().unwrap_or("");
    for section in before_tables.split("\n## ").skip(1) {
        let (message, rest) = section.split_once('\n').unwrap_or((section, ""));
        let paragraph = rest.trim_start().split("\n\n").next().unwrap_or("");
        let names: Vec<&str> = paragraph
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| {
                let is_errno = name.starts_with('E')
                    && name.chars().all(|c| c.is_ascii_uppercase());
                is_errno || name.starts_with("ErrorKind::")
            })
            .collect();
        let has = |section: &&Section| {
            let names_it = |text: &String| {
                text.contains(message)
                    || names.iter().any(|name| text.contains(name))
            };
            section.code.iter().any(names_it)
                || section.emphasized.iter().any(names_it)
                || section.lines.iter().any(names_it)
        };
        let places = sections.iter().filter(has).map(|s| s.place.clone());
        let places: BTreeSet<Place> = places.collect();
        if places.is_empty() {
            continue;
        }
        let mut term = format!(
            "<a href=\"errors.html#{}\">{}</a>",
            id_of(message),
            escaped(message)
        );
        for name in names {
            term += &format!(" <code>{name}</code>");
        }
        entries.insert(term, places);
    }
    entries
}

#[cfg(test)]
mod tests {
    use proc_macro2::{TokenStream, TokenTree};

    use super::*;

    fn here() -> Course {
        Course::here().unwrap()
    }

    #[test]
    fn a_use_is_all_of_its_paths() {
        assert_eq!(
            expanded("std::{env, io::{self, Read}, fs}"),
            ["std::env", "std::io::self", "std::io::Read", "std::fs"]
        );
        let names = imported("use a::b as c;\nuse std::io::{self, Read};\n");
        assert_eq!(names["c"], "a::b as c");
        assert_eq!(names["io"], "std::io");
        assert_eq!(names["Read"], "std::io::Read");
    }

    #[test]
    fn a_line_names_items_of_libraries_and_no_others() {
        let file = "use std::os::unix::net::UnixStream;\nuse std::{env, fs};\n\
                    use anyhow::Context;\nuse store::Store;\n";
        let imported = imported(file);
        for (line, items) in [
            ("use std::os::unix::net::UnixStream;", &["UnixStream"][..]),
            ("use anyhow::Context;", &[]),
            ("let s = UnixStream::connect(p)?;", &["UnixStream::connect"]),
            ("fs::remove_file(p); // fs::nothing", &["fs::remove_file"]),
            ("std::process::exit(1)", &["process::exit"]),
            ("let s = Store::default();", &[]),
        ] {
            assert_eq!(named(line, &imported), items, "{line}");
        }
    }

    /// All paths of two names in a file, found in another way: by the tokens
    /// of Rust.
    fn paths(tokens: TokenStream, found: &mut Vec<String>) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for token in &tokens {
            if let TokenTree::Group(group) = token {
                paths(group.stream(), found);
            }
        }
        let shown: Vec<String> =
            tokens.iter().map(TokenTree::to_string).collect();
        for at in 0..shown.len() {
            let is_name =
                |at: usize| matches!(tokens.get(at), Some(TokenTree::Ident(_)));
            let is_path = |at: usize| {
                shown.get(at..at + 2).is_some_and(|two| two == [":", ":"])
            };
            let begins = at < 2 || !is_path(at - 2);
            if begins
                && is_name(at)
                && is_path(at + 1)
                && is_name(at + 3)
                && !is_path(at + 4)
            {
                found.push(format!("{}::{}", shown[at], shown[at + 3]));
            }
        }
    }

    #[test]
    fn nothing_is_missing_that_the_steps_use_of_std() {
        let course = here();
        let sections = Index::read(&course).sections;
        let items = items(&course, &sections).unwrap();
        let mut seen = 0;
        for step in &course.steps {
            for file in &step.files {
                let source = Source::read(&course, step, file).unwrap();
                let text = source.text();
                let imported = imported(&text);
                let mut found = Vec::new();
                paths(text.parse().unwrap(), &mut found);
                for path in found {
                    let (first, _) = path.split_once("::").unwrap();
                    let Some(whole) = imported.get(first) else { continue };
                    if !whole.starts_with("std::")
                        || EVERYWHERE.contains(&path.as_str())
                    {
                        continue;
                    }
                    let term = format!("<code>{path}</code>");
                    let file = file.path.display();
                    assert!(items.contains_key(&term), "{path} of {file}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn each_thing_leads_to_where_it_is() {
        let course = here();
        let index = Index::read(&course);
        for (which, term, first, other) in [
            ("calls", "accept4", "02-accept.html#look-underneath", "05-read"),
            ("items", "UnixListener::bind", "01-bind.html#the-program", ""),
            ("items", "Shutdown::Write", "07-reply.html", "12-failures"),
            ("items", "::set_read_timeout", "11-limits.html", "12-failures"),
            ("errors", "ECONNREFUSED", "03-connect.html", "errors.html#conn"),
        ] {
            let html = index.html(&course, which).unwrap();
            let row = html.lines().find(|line| line.contains(term)).unwrap();
            let (_, links) = row.split_once("<span>").unwrap();
            assert!(links.contains(first), "{row}\nwithout {first}");
            assert!(row.contains(other), "{row}\nwithout {other}");
        }
        let error = index.html(&course, "words").unwrap_err();
        assert!(error.contains("`words` is no index"), "{error}");
    }

    #[test]
    fn what_is_planted_in_a_chapter_is_found() {
        let course = here();
        let step = course.step("02-accept").unwrap();
        let text = "# Accept\n\n## Planted\n\n```console,needs=strace\n$ strace \
                    x\n| flock(3, LOCK_EX)   = 0\n```\n\nSee \
                    [`dup3(2)`](https://man7.org/linux/man-pages/man2/dup3.2\
                    .html).\n";
        let mut sections = Vec::new();
        read(&course, step, text, &mut sections);
        let calls = calls(&sections);
        for call in ["flock", "dup3"] {
            let places = &calls[&format!("<code>{call}</code>")];
            let place = places.first().unwrap();
            assert_eq!(place.address, "02-accept.html#planted");
        }
    }
}
