//! `cargo book epub`: the book as one file for e-readers, and what no reader
//! forgives.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::Instant;

use harness::{DEADLINE, Exit, Program, Signal};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use rbook::Epub;
use rbook::epub::EpubChapter;
use rbook::epub::manifest::DetachedEpubManifestEntry;

use crate::repository::Repository;

/// A file in an EPUB that is XML: what can be led to, and where it leads.
#[derive(Default)]
struct Document {
    ids: BTreeSet<String>,
    targets: Vec<String>,
    faults: Vec<String>,
    has_svg: bool,
}

/// What is wrong with an EPUB. epubcheck finds more; this needs nothing.
fn faults(bytes: &[u8]) -> Vec<String> {
    let mut faults = Vec::new();
    // The first file's header (APPNOTE.TXT of PKWARE, 4.3.7): no compression,
    // a name of eight letters, nothing between it and the content.
    let head: Vec<u8> =
        [8_u16, 0].iter().flat_map(|n| n.to_le_bytes()).collect();
    if bytes.get(8..10) != Some(&[0, 0])
        || bytes.get(26..30) != Some(&head)
        || bytes.get(30..58) != Some(b"mimetypeapplication/epub+zip")
    {
        faults.push("the mimetype is not the first file, as it is".to_owned());
    }
    let epub =
        match Epub::options().strict(true).read(Cursor::new(bytes.to_vec())) {
            Ok(epub) => epub,
            Err(error) => return vec![error.to_string()],
        };
    let mut documents = BTreeMap::new();
    let mut names = BTreeSet::new();
    for entry in epub.manifest() {
        let name = entry.href().as_str().to_owned();
        let text = entry.read_str().unwrap_or_else(|error| {
            faults.push(format!("{name}: {error}"));
            String::new()
        });
        names.insert(name.clone());
        if entry.media_type().ends_with("xml") {
            let mut document = read(&text);
            let says_svg =
                entry.properties().iter().any(|property| property == "svg");
            let is_page = entry.media_type() == "application/xhtml+xml";
            if is_page && document.has_svg != says_svg {
                document.faults.push("the manifest errs about SVG".to_owned());
            }
            documents.insert(name, document);
        }
    }
    for (name, document) in &documents {
        for fault in &document.faults {
            faults.push(format!("{name}: {fault}"));
        }
        for target in &document.targets {
            let (path, anchor) = match target.split_once('#') {
                Some((path, anchor)) => (path, Some(anchor)),
                None => (target.as_str(), None),
            };
            if path.contains(':') {
                continue;
            }
            let to = match path {
                "" => name.clone(),
                path => resolved(name, path),
            };
            let is_there = names.contains(&to)
                && anchor.is_none_or(|id| documents[&to].ids.contains(id));
            if !is_there {
                faults.push(format!("{name}: {target} leads nowhere"));
            }
        }
    }
    faults
}

/// Where a relative path leads, from a file.
fn resolved(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Reads a file that has to be well-formed XML.
fn read(text: &str) -> Document {
    let mut document = Document::default();
    let mut reader = Reader::from_str(text);
    let mut depth = 0;
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(Event::Start(tag)) => {
                depth += 1;
                document.element(&tag);
            }
            Ok(Event::Empty(tag)) => document.element(&tag),
            Ok(Event::End(_)) => depth -= 1,
            Ok(Event::GeneralRef(name)) => {
                let known = ["amp", "lt", "gt", "quot", "apos"];
                let name = name.to_string();
                if !known.contains(&name.as_str()) && !name.starts_with('#') {
                    document.faults.push(format!("&{name}; is not XML"));
                }
            }
            Ok(_) => {}
            Err(error) => {
                document.faults.push(error.to_string());
                return document;
            }
        }
    }
    if depth != 0 {
        document.faults.push("something is not closed".to_owned());
    }
    document
}

impl Document {
    fn element(&mut self, tag: &BytesStart) {
        let name = tag.name().0.to_owned();
        self.has_svg |= name == "svg";
        let acts = ["script", "form", "input", "button", "iframe", "object"];
        if acts.contains(&name.as_str()) {
            self.faults.push(format!("<{name}>"));
        }
        for attribute in tag.attributes() {
            let attribute = match attribute {
                Ok(attribute) => attribute,
                Err(error) => {
                    self.faults.push(error.to_string());
                    continue;
                }
            };
            let value = attribute.value.to_string();
            match attribute.key.0 {
                "id" if !self.ids.insert(value.clone()) => {
                    self.faults.push(format!("two of #{value}"));
                }
                "id" => {}
                "href" | "src" | "poster" | "xlink:href" => {
                    self.targets.push(value);
                }
                key if key.starts_with("on") => {
                    self.faults.push(format!("{key}={value}"));
                }
                _ => {}
            }
        }
    }
}

/// The EPUB of this repository's book.
fn real(arguments: &[&str]) -> Vec<u8> {
    let repository = Repository::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut command =
        repository.sandbox.command(assert_cmd::cargo::cargo_bin!("book"));
    command
        .args(["epub", "--dest"])
        .arg(repository.path("book.epub"))
        .arg("--root")
        .arg(root)
        .args(arguments)
        .env("SOURCE_DATE_EPOCH", "1000000000");
    let output = command.output().unwrap();
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{says}");
    fs::read(repository.path("book.epub")).unwrap()
}

#[test]
fn the_book_is_an_epub_without_a_fault() {
    let bytes = real(&[]);
    let found = faults(&bytes);
    assert!(found.is_empty(), "{:#?}", &found[..found.len().min(20)]);

    let epub = Epub::read(Cursor::new(bytes.clone())).unwrap();
    let metadata = epub.metadata();
    assert_eq!(metadata.language().unwrap().value(), "en");
    assert!(metadata.title().unwrap().value().contains("sockets"));
    assert!(metadata.description().unwrap().value().contains("Rust"));
    let modified = metadata.modified_entry().unwrap();
    assert_eq!(modified.value(), "2001-09-09T01:46:40Z");

    // All pages, in the order of the contents.
    let chapters =
        fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/chapters"));
    assert_eq!(epub.spine().len(), chapters.unwrap().count() - 1);
    let contents = epub.toc().contents().unwrap();
    let lines: Vec<String> = contents
        .flatten()
        .map(|entry| format!("{}{}", " ".repeat(entry.depth()), entry.label()))
        .collect();
    let place = |line: &str| {
        let at = lines.iter().position(|other| other.trim() == line);
        at.unwrap_or_else(|| panic!("no {line} in {lines:#?}"))
    };
    assert!(place("Before you start") < place("1. Bind"));
    assert!(place("1. Bind") < place("Who may connect"));
    assert!(place("Who may connect") < place("2. Accept"));
    assert!(place("13. Stopping well") < place("Glossary"));

    assert_eq!(bytes, real(&[]), "another build is another file");
}

#[test]
fn a_terminal_is_read_in_the_order_of_time() {
    let epub = Epub::read(Cursor::new(real(&[]))).unwrap();
    let page = epub.manifest().by_id("page-03-connect").unwrap();
    let html = page.read_str().unwrap();
    let start = html.find("<figure class=\"transcript\"").unwrap();
    let html = &html[start..];
    let html = &html[..html.find("</figure>").unwrap()];
    let mut text = String::new();
    let mut reader = Reader::from_str(html);
    // What comes after the end was cut off.
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Text(part) => text += &part,
            Event::Eof => break,
            _ => {}
        }
    }
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.trim().is_empty()).collect();
    let place = |part: &str| {
        let at = lines.iter().position(|line| line.contains(part));
        at.unwrap_or_else(|| panic!("no {part} in {lines:#?}"))
    };
    assert_eq!(place("server"), 0);
    assert!(place("$ cargo run -p step3") < place("listening on mysocket"));
    assert!(place("listening on mysocket") < place("client"));
    assert!(place("client") < place("connected to mysocket"));
}

#[test]
fn the_teacher_s_edition_is_another_book() {
    let bytes = real(&["--teacher"]);
    let found = faults(&bytes);
    assert!(found.is_empty(), "{:#?}", &found[..found.len().min(20)]);
    let teachers = Epub::read(Cursor::new(bytes)).unwrap();
    let readers = Epub::read(Cursor::new(real(&[]))).unwrap();
    assert!(teachers.spine().len() > readers.spine().len());
    let id =
        |epub: &Epub| epub.metadata().identifier().unwrap().value().to_owned();
    assert_ne!(id(&teachers), id(&readers));
}

/// An EPUB of one page, made by the library.
fn epub(page: &str) -> Vec<u8> {
    let page = EpubChapter::new("Page").href("page.xhtml").xhtml(format!(
        "<html xmlns=\"http://www.w3.org/1999/xhtml\"><body>{page}</body>\
         </html>"
    ));
    let style = DetachedEpubManifestEntry::new("style")
        .href("book.css")
        .content("p { margin: 0 }");
    Epub::builder()
        .identifier("urn:example:1")
        .title("Title")
        .language("en")
        .modified_date("2001-09-09T01:46:40Z")
        .chapter(page)
        .resource(style)
        .write()
        .to_vec()
        .unwrap()
}

#[test]
fn a_planted_fault_is_found() {
    assert_eq!(
        faults(&epub("<p id=\"a\"><a href=\"page.xhtml#a\">b</a></p>")),
        [""; 0]
    );
    for (page, fault) in [
        ("<p><b></p></b>", "</b>"),
        ("<p>a & b</p>", "reference not closed"),
        ("<p>a&nbsp;b</p>", "&nbsp; is not XML"),
        ("<p", "</p</body>"),
        ("<p><!-- a", "not closed"),
        ("<p class=a>b</p>", "attribute"),
        ("<script>x</script>", "<script>"),
        ("<p onclick=\"x()\">a</p>", "onclick=x()"),
        ("<form><input/></form>", "<input>"),
        ("<a href=\"other.xhtml\">a</a>", "other.xhtml leads nowhere"),
        ("<a href=\"page.xhtml#b\">a</a>", "page.xhtml#b leads nowhere"),
        ("<img src=\"a.png\" alt=\"a\"/>", "a.png leads nowhere"),
        ("<p id=\"a\">b</p><p id=\"a\">c</p>", "two of #a"),
        ("<svg/>", "errs about SVG"),
    ] {
        let found = faults(&epub(page));
        let is_found = found.iter().any(|found| found.contains(fault));
        assert!(is_found, "{page}: no {fault} in {found:?}");
    }
    assert_eq!(read("<p><b></b>").faults, ["something is not closed"]);
    let mut packed = epub("<p>a</p>");
    packed[8] = 8;
    let found = faults(&packed);
    assert!(found[0].contains("mimetype"), "{found:?}");
}

#[test]
fn replaces_an_earlier_one_and_nothing_else() {
    let repository = Repository::new();
    let write = ["epub", "--dest", "out/book.epub"];
    let output = repository.run(&write);
    let says = String::from_utf8(output.stdout).unwrap();
    assert!(says.ends_with(" kB written to out/book.epub\n"), "{says}");
    let first = fs::read(repository.path("out/book.epub")).unwrap();
    assert_eq!(faults(&first), [""; 0]);
    repository.preface("The second text.");
    assert!(repository.run(&write).status.success());
    let second = fs::read(repository.path("out/book.epub")).unwrap();
    assert_ne!(first, second);

    // A failure leaves it.
    repository.preface("{{#oops}}");
    assert_eq!(repository.run(&write).status.code(), Some(1));
    let still = fs::read(repository.path("out/book.epub")).unwrap();
    assert_eq!(still, second);
    repository.preface("The second text.");

    repository.write("thesis.epub", "years of work");
    fs::write(repository.path("novel.epub"), epub("<p>a</p>")).unwrap();
    for name in ["thesis.epub", "novel.epub"] {
        let before = fs::read(repository.path(name)).unwrap();
        repository.fails(
            &["epub", "--dest", name],
            &format!(
                "cannot write {name}: it exists and is not an earlier EPUB of \
                 this book; move it away, or name another file with --dest\n"
            ),
        );
        assert_eq!(fs::read(repository.path(name)).unwrap(), before);
    }
    repository.fails(
        &["epub", "--dest", "book"],
        "cannot write book: it is no file; name another one with --dest\n",
    );
    let names = ["book", "novel.epub", "out", "steps", "thesis.epub", "tmp"];
    assert_eq!(repository.sandbox.files(), names);
    assert_eq!(repository.temporary(), Vec::<PathBuf>::new());
}

#[test]
fn has_the_images_of_its_pages() {
    let repository = Repository::new();
    let line = "<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0h9\"/>\
                </svg>";
    repository.write("book/chapters/a-line.svg", line);
    repository.preface("![A line](a-line.svg) and ![it](a-line.svg)");
    let output = repository.run(&["epub", "--dest", "book.epub"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let bytes = fs::read(repository.path("book.epub")).unwrap();
    assert_eq!(faults(&bytes), [""; 0]);
    let epub = Epub::read(Cursor::new(bytes)).unwrap();
    let images: Vec<_> = epub.manifest().images().collect();
    assert_eq!(images.len(), 1);
    assert_eq!(images[0].media_type(), "image/svg+xml");
    assert_eq!(images[0].read_str().unwrap(), line);
}

#[test]
fn leaves_nothing_when_it_is_interrupted() {
    let repository = Repository::new();
    let mut command = repository.command(&["epub", "--dest", "book.epub"]);
    let mut program = Program::start(&mut command).unwrap();
    let deadline = Instant::now() + DEADLINE;
    while repository.temporary().is_empty() {
        assert!(Instant::now() < deadline, "no build");
        std::thread::yield_now();
    }
    program.signal(Signal::INT).unwrap();
    program.expect("interrupted");
    assert_eq!(program.expect_end(), Exit::Code(1));
    assert_eq!(repository.temporary(), Vec::<PathBuf>::new());
}

#[test]
fn has_the_date_of_the_last_commit() {
    let repository = Repository::new();
    let git = |arguments: &[&str]| {
        let mut command = repository.sandbox.command("git");
        command
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
            .args(arguments)
            .env("GIT_COMMITTER_DATE", "1234567890 +0000");
        assert!(command.output().unwrap().status.success(), "{arguments:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "book"]);
    git(&["commit", "--quiet", "--message", "All"]);
    let write = ["epub", "--dest", "book.epub"];
    assert!(repository.run(&write).status.success());
    let epub = Epub::open(repository.path("book.epub")).unwrap();
    let modified = epub.metadata().modified_entry().unwrap();
    assert_eq!(modified.value(), "2009-02-13T23:31:30Z");

    let mut wrong = repository.command(&write);
    let output = wrong.env("SOURCE_DATE_EPOCH", "today").output().unwrap();
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "SOURCE_DATE_EPOCH is `today`; it is a number of seconds since 1970\n"
    );
}

#[test]
fn names_a_page_that_is_no_xml() {
    let repository = Repository::new();
    // Browsers know where a paragraph ends.
    let page = "<nav class=\"contents\">{{#toc}}{{/toc}}</nav>\
                <main>{{{ content }}}<p>a</main>";
    repository.write("book/theme/index.hbs", page);
    repository.fails(
        &["epub", "--dest", "book.epub"],
        "preface.html cannot be a page of an EPUB: <p> is not closed\n",
    );
}
