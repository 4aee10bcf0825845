//! The whole book as one file for e-readers: an EPUB 3.

mod xhtml;

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use jiff::Timestamp;
use mdbook_driver::config::BookConfig;
use rbook::Epub;
use rbook::epub::EpubChapter;
use rbook::epub::manifest::DetachedEpubManifestEntry;
use rbook::epub::metadata::DetachedEpubMetaEntry;
use regex::Regex;

use self::xhtml::{Entry, Page};
use crate::course::Course;
use crate::pack::NAME;
use crate::site::{self, Edition};

/// By what an e-reader knows that a file is another version of a book that it
/// has. It never changes; each edition has one.
fn identifier(edition: Edition) -> &'static str {
    match edition {
        Edition::Reader => "urn:uuid:6b0b9f0e-4b53-4a39-9d6e-6f2c8a1d7e51",
        Edition::Teacher => "urn:uuid:c5a3a0b2-9f0d-4d1c-8b8e-0e7f4f5d2a94",
    }
}

/// The style sheet in it.
const STYLE: &str = "theme/epub.css";

/// What the pictures look like, on the pages; relative to `book/`.
const PICTURES: &str = "theme/figures.css";

/// The colors that those name.
const COLORS: &str = "theme/page.css";

/// Writes the book to the file `dest`, or to `unix-sockets-book.epub` here; an
/// earlier one is replaced. If that fails, the earlier one stays. Returns what
/// to tell about it.
///
/// The same sources make the same bytes, if the date is the same (see
/// [`modified`]).
///
/// # Errors
///
/// Those of [`site::build`], a `dest` that is not an earlier EPUB of this book,
/// and one that cannot be written.
pub fn write(
    course: &Course,
    edition: Edition,
    dest: Option<PathBuf>,
) -> anyhow::Result<String> {
    let dest = dest.unwrap_or_else(|| format!("{NAME}.epub").into());
    let cannot_write = || format!("cannot write {}", dest.display());
    refuse_foreign(edition, &dest).with_context(cannot_write)?;
    let bytes = make(course, edition)?;
    let folder = match dest.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).with_context(cannot_write)?;
    let mut file = tempfile::Builder::new()
        .prefix(".epub-")
        // As other files are made: what umask(2) leaves of this.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .with_context(cannot_write)?;
    file.write_all(&bytes).with_context(cannot_write)?;
    file.persist(&dest).with_context(cannot_write)?;
    Ok(format!("{} kB written to {}", bytes.len() / 1000, dest.display()))
}

/// Refuses a file that is not an earlier one of ours.
fn refuse_foreign(edition: Edition, dest: &Path) -> anyhow::Result<()> {
    match dest.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(data) if data.is_file() => {}
        Ok(_) => bail!("it is no file; name another one with --dest"),
    }
    let is_ours = Epub::open(dest).is_ok_and(|epub| {
        let identifier = epub.metadata().identifier();
        identifier.is_some_and(|id| id.value() == self::identifier(edition))
    });
    if !is_ours {
        bail!(
            "it exists and is not an earlier EPUB of this book; move it away, \
             or name another file with --dest"
        );
    }
    Ok(())
}

/// The book as the bytes of an EPUB.
fn make(course: &Course, edition: Edition) -> anyhow::Result<Vec<u8>> {
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    let site = folder.path().join("site");
    site::build(course, edition, &site, &[])?;
    let about = site::settings(course, edition)?.book;
    let read = |name: &str| {
        fs::read_to_string(site.join(name))
            .with_context(|| format!("cannot read {name}"))
    };
    let contents = xhtml::contents(&read("index.html")?)?;
    let language = about.language.as_deref().unwrap_or("en");
    let mut images = BTreeSet::new();
    let mut chapters: Vec<EpubChapter> = Vec::new();
    let mut part: Option<(String, Vec<EpubChapter>)> = None;
    let finished = |part: Option<(String, Vec<_>)>| {
        part.map(|(title, pages)| EpubChapter::new(title).children(pages))
    };
    for entry in contents {
        match entry {
            Entry::Page { name, title } => {
                let page = xhtml::page(&read(&name)?).with_context(|| {
                    format!("{name} cannot be a page of an EPUB")
                })?;
                images.extend(page.images.iter().cloned());
                let chapter = chapter(&name, &title, language, page);
                match &mut part {
                    Some((_, pages)) => pages.push(chapter),
                    None => chapters.push(chapter),
                }
            }
            Entry::Part { title } => {
                let before = part.replace((title, Vec::new()));
                chapters.extend(finished(before));
            }
            Entry::EndOfParts => chapters.extend(finished(part.take())),
        }
    }
    chapters.extend(finished(part));

    let style = DetachedEpubManifestEntry::new("style")
        .href("book.css")
        .media_type("text/css")
        .content(style(course)?);
    let mut files = vec![style];
    for (number, name) in images.iter().enumerate() {
        let bytes = fs::read(site.join(name))
            .with_context(|| format!("cannot read {name}"))?;
        let image = DetachedEpubManifestEntry::new(format!("image-{number}"));
        files.push(image.href(name).content(bytes));
    }
    let date = modified(&course.root)?;
    let epub = describe(&about, edition)
        .language(language)
        // Else rbook writes down when it was made.
        .published_date(date.as_str())
        .modified_date(date)
        .resource(files)
        .toc_title("Contents")
        .chapter(chapters)
        .build();
    // Old devices find their way by an older table of contents, which rbook
    // adds by itself.
    epub.write()
        .toc_stylesheet("book.css")
        .to_vec()
        .context("cannot make the EPUB")
}

/// What the book is called and what it offers, without which no shop and no
/// library takes it.
fn describe(
    about: &BookConfig,
    edition: Edition,
) -> rbook::epub::EpubEditor<'static> {
    let title = about.title.clone().unwrap_or_default();
    let description = about.description.clone().unwrap_or_default();
    let access = [
        ("schema:accessMode", "textual"),
        ("schema:accessMode", "visual"),
        ("schema:accessModeSufficient", "textual"),
        ("schema:accessibilityFeature", "alternativeText"),
        ("schema:accessibilityFeature", "longDescription"),
        ("schema:accessibilityFeature", "readingOrder"),
        ("schema:accessibilityFeature", "structuralNavigation"),
        ("schema:accessibilityFeature", "tableOfContents"),
        ("schema:accessibilityHazard", "none"),
        (
            "schema:accessibilitySummary",
            "Each picture has a description; each terminal is text, in the \
             order of time.",
        ),
    ];
    let access = access.map(|(property, value)| {
        DetachedEpubMetaEntry::meta(property).value(value)
    });
    let mut epub = Epub::builder()
        .identifier(identifier(edition))
        .title(title)
        .description(description)
        .rights("Text and pictures: CC BY 4.0. Programs: MIT or Apache-2.0.")
        .meta(access);
    for author in &about.authors {
        epub = epub.author(author.as_str());
    }
    epub
}

/// One page of the EPUB, with the sections that are in it.
fn chapter(name: &str, title: &str, language: &str, page: Page) -> EpubChapter {
    let href = xhtml::link(name);
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE html>\n\
         <html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"{language}\" \
         xml:lang=\"{language}\">\n<head>\n<title>"
    );
    xhtml::escape(&mut xml, title);
    let up = "../".repeat(name.matches('/').count());
    xml += &format!(
        "</title>\n<link rel=\"stylesheet\" href=\"{up}book.css\"/>\n\
         </head>\n<body>\n"
    );
    xml += page.body.trim();
    xml += "\n</body>\n</html>\n";
    // An id in XML has no slash in it.
    let id = name.trim_end_matches(".html").replace('/', "-");
    let mut entry = DetachedEpubManifestEntry::new(format!("page-{id}"));
    if page.has_svg {
        entry = entry.property("svg");
    }
    let sections = page.sections.into_iter().map(|(id, title)| {
        EpubChapter::new(title).href(format!("{href}#{id}"))
    });
    let sections: Vec<_> = sections.collect();
    EpubChapter::new(title)
        .with_manifest_entry(entry)
        .href(&href)
        .xhtml(xml)
        .children(sections)
}

/// The style sheet: ours for e-readers, and, for the pictures, the pages'.
fn style(course: &Course) -> anyhow::Result<String> {
    let read = |name: &str| {
        let name = format!("book/{name}");
        fs::read_to_string(course.root.join(&name))
            .with_context(|| format!("cannot read {name}"))
    };
    let pictures = pictures(&read(PICTURES)?, &read(COLORS)?);
    Ok(format!("{}\n{pictures}", read(STYLE)?))
}

/// The rules for pictures, on paper: with the light colors in the places of
/// their names, which not every reader knows.
fn pictures(rules: &str, colors: &str) -> String {
    let regex = |text| Regex::new(text).expect("it is an expression");
    let light = regex(r"light-dark\(([^(),]+),[^()]*\)");
    let name = regex(r"(?m)^\s*(--[\w-]+):\s*([^;]+);");
    let rule = regex(r"(?m)^(\.diagram[^{}@]*)\{([^{}]*)\}");
    let colors = light.replace_all(colors, "$1");
    let mut found = String::new();
    for rule in rule.captures_iter(rules) {
        found += &rule[0];
        found.push('\n');
    }
    for name in name.captures_iter(&colors) {
        let value = name[2].split_whitespace().collect::<Vec<_>>().join(" ");
        found = found.replace(&format!("var({})", &name[1]), &value);
    }
    found
}

/// When the book was last changed: `SOURCE_DATE_EPOCH` if it is set, else the
/// time of the last commit, else now.
fn modified(root: &Path) -> anyhow::Result<String> {
    const GIVEN: &str = "SOURCE_DATE_EPOCH";
    let seconds = match env::var(GIVEN) {
        Ok(seconds) => Some(seconds),
        Err(_) => committed(root),
    };
    let time = match seconds {
        Some(seconds) => {
            let time = seconds.trim().parse().ok();
            time.and_then(|time| Timestamp::from_second(time).ok())
                .with_context(|| {
                    format!(
                        "{GIVEN} is `{seconds}`; it is a number of seconds \
                         since 1970"
                    )
                })?
        }
        None => Timestamp::now(),
    };
    Ok(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The time of the last commit, in seconds since 1970, where there is one.
fn committed(root: &Path) -> Option<String> {
    let output = Command::new("git")
        .current_dir(root)
        .args(["log", "-1", "--format=%ct"])
        .output()
        .ok()?;
    let time = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !time.is_empty()).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pictures_have_the_light_colors() {
        let colors = ":root {\n    --bg: light-dark(#fff, #000);\n    \
                      --sign-font: a,\n        b;\n}";
        let rules = "figure.diagram { margin: 0 }\n.diagram text {\n    fill: \
                     var(--bg);\n    font: 14px var(--sign-font);\n}\n\
                     .matrix td { color: red }\n";
        assert_eq!(
            pictures(rules, colors),
            ".diagram text {\n    fill: #fff;\n    font: 14px a, b;\n}\n"
        );
    }
}
