//! Where a fork of this book has its files, and where mistakes are reported:
//! what `[preprocessor.sockets]` in `book/book.toml` says of it.

use std::path::Path;
use std::sync::LazyLock;

use mdbook_driver::config::Config;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::{Captures, Regex};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::listing::escaped;
use crate::pages::CHAPTERS;
use crate::problem::Problem;
use crate::teaching;

/// Addresses in which `{path}` is a file, relative to the repository's root,
/// and `{title}` a page's title. What is missing is not linked to.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fork {
    /// Where the source of a page is edited.
    edit_url: Option<String>,
    /// Where a mistake on a page is reported.
    report_url: Option<String>,
    /// Where a file is shown.
    file_url: Option<String>,
    /// What mdBook knows in this table.
    #[serde(rename = "command")]
    _command: Option<IgnoredAny>,
    #[serde(rename = "before")]
    _before: Option<IgnoredAny>,
    #[serde(rename = "after")]
    _after: Option<IgnoredAny>,
    #[serde(rename = "renderers")]
    _renderers: Option<IgnoredAny>,
}

/// What RFC 3986 calls unreserved, and the `/` of a path.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// The caption of a listing that does not lead anywhere else.
static CAPTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("<span class=\"listing-file\">([^<]+)</span>")
        .expect("it is an expression")
});

impl Fork {
    /// What the settings say.
    ///
    /// # Errors
    ///
    /// A key that is not known, an address that is none, and something else
    /// in braces than its key knows.
    pub fn read(config: &Config) -> Result<Self, Problem> {
        let wrong = |message: String| {
            let message = format!("[preprocessor.sockets]: {message}");
            Problem::new("book/book.toml", 0, message)
        };
        let fork: Option<Self> = config
            .get("preprocessor.sockets")
            .map_err(|error| wrong(format!("{:#}", error.root_cause())))?;
        let fork = fork.unwrap_or_default();
        for (key, url, known) in [
            ("edit-url", &fork.edit_url, &["{path}"][..]),
            ("report-url", &fork.report_url, &["{path}", "{title}"]),
            ("file-url", &fork.file_url, &["{path}"]),
        ] {
            let Some(url) = url else { continue };
            if !url.starts_with("https://") && !url.starts_with("http://") {
                return Err(wrong(format!(
                    "`{key}` begins with https://, and not as {url:?} does"
                )));
            }
            if !known.iter().any(|word| url.contains(word)) {
                let known = known.join(" or ");
                return Err(wrong(format!("`{key}` has no {known} in it")));
            }
            let mut rest = url.clone();
            for word in known {
                rest = rest.replace(word, "");
            }
            if rest.contains(['{', '}']) {
                let known = known.join(" and ");
                return Err(wrong(format!(
                    "`{key}` knows {known}, and nothing else in braces: {url}"
                )));
            }
        }
        Ok(fork)
    }

    /// Puts the links into a page that is made from this chapter, a file
    /// relative to the chapters' folder.
    pub fn link(&self, page: &mut String, chapter: &Path) {
        let folder = match chapter.starts_with(teaching::FOLDER) {
            true => Path::new("book"),
            false => Path::new(CHAPTERS),
        };
        let path = folder.join(chapter).display().to_string();
        let title = title(page);
        let links: String = [
            ("Edit this page", &self.edit_url),
            ("Report a mistake", &self.report_url),
        ]
        .into_iter()
        .filter_map(|(words, url)| {
            let url = filled(url.as_deref()?, &path, &title);
            Some(format!("<a class=\"all\" href=\"{url}\">{words}</a>\n"))
        })
        .collect();
        if let Some(nav) = page.find("<nav class=\"turn-page\"")
            && let Some(end) = page[nav..].find("</nav>")
        {
            page.insert_str(nav + end, &links);
        }
        if let Some(url) = &self.file_url {
            let linked = CAPTION.replace_all(page, |caption: &Captures| {
                let url = filled(url, &caption[1], &title);
                format!(
                    "<span class=\"listing-file\"><a href=\"{url}\">{}</a>\
                     </span>",
                    &caption[1]
                )
            });
            *page = linked.into_owned();
        }
    }
}

/// What a page's `<title>` says of the page, and not of the book.
fn title(page: &str) -> String {
    let title = page
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .map_or("", |(title, _)| title);
    let title = title.rsplit_once(" - ").map_or(title, |(title, _)| title);
    title
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

/// An address with these words in it, for an attribute.
fn filled(url: &str, path: &str, title: &str) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let url = url.replace("{path}", &encoded(path));
    escaped(&url.replace("{title}", &encoded(title)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fork(lines: &str) -> Result<Fork, Problem> {
        let text = format!("[preprocessor.sockets]\ncommand = \"x\"\n{lines}");
        Fork::read(&text.parse().unwrap())
    }

    const PAGE: &str = "<title>When &amp; why? - Unix sockets - all</title>\n\
        <nav>x</nav><span class=\"listing-file\">steps/01-one/a.rs</span>\
        <span class=\"listing-file\"><a href=\"#whole\">b.rs</a></span>\
        <nav class=\"turn-page\">y</nav>\n";

    #[test]
    fn links_to_what_is_configured() {
        let fork = fork(
            "edit-url = \"https://a.example/edit/{path}\"\n\
             report-url = \"https://a.example/new?a=1&t={title}&b={path}\"\n\
             file-url = \"https://a.example/{path}\"\n",
        );
        let mut page = PAGE.to_owned();
        fork.unwrap().link(&mut page, Path::new("01-one.md"));
        for part in [
            "y<a class=\"all\" href=\"https://a.example/edit/book/chapters/\
             01-one.md\">Edit this page</a>\n",
            "href=\"https://a.example/new?a=1&amp;t=When%20%26%20why%3F%20-\
             %20Unix%20sockets&amp;b=book/chapters/01-one.md\">Report",
            "<a href=\"https://a.example/steps/01-one/a.rs\">steps/01-one/",
            "<a href=\"#whole\">b.rs</a>",
        ] {
            assert!(page.contains(part), "{page}\nwithout {part}");
        }
    }

    #[test]
    fn a_teacher_s_page_is_edited_where_it_is() {
        let fork = fork("edit-url = \"https://a.example/{path}\"\n").unwrap();
        let mut page = PAGE.to_owned();
        fork.link(&mut page, Path::new("teaching/01-one.md"));
        let address = "https://a.example/book/teaching/01-one.md";
        assert!(page.contains(address), "{page}");
        assert!(!page.contains("Report"), "{page}");
    }

    #[test]
    fn nothing_is_linked_unless_it_is_configured() {
        let mut page = PAGE.to_owned();
        fork("").unwrap().link(&mut page, Path::new("01-one.md"));
        assert_eq!(page, PAGE);
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (line, says) in [
            ("edit-uri = \"https://a.example/{path}\"", "`edit-uri`"),
            ("edit-url = \"a.example/{path}\"", "begins with https://"),
            ("edit-url = \"https://a.example/\"", "has no {path} in it"),
            ("file-url = \"https://a.example/{path}{title}\"", "nothing else"),
            ("report-url = 7", "invalid type"),
        ] {
            let problem = fork(line).unwrap_err().to_string();
            assert!(problem.starts_with("book/book.toml: "), "{problem}");
            assert!(problem.contains(says), "{problem}");
        }
    }
}
