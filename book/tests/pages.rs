//! What a chapter may say, and that everything else is refused: each check
//! meets a planted defect here, in a small course of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use book::check;
use book::course::Course;
use book::pages::{self, Chapter, HandTyped, Pages, Sockets, process};
use book::teaching;
use book::transcript::{self, Event};
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;
use serde_json::Value;
use tempfile::TempDir;

const SERVER_1: &str = "\
//! Serves.

use std::io;

const PATH: &str = \"mysocket\";

fn main() {
    let x = 1 < 2 && true;
    println!(\"{x}\");
}

/// Says hello.
fn hello() -> io::Result<()> {
    let a = 1;
    let b = 2;
    let c = 3;
    let d = 4;
    println!(\"{a}{b}{c}{d}\");
    Ok(())
}
";

/// One line of `main` replaced, a type with a destructor added.
const SERVER_2: &str = "\
//! Serves.

use std::io;

const PATH: &str = \"mysocket\";

fn main() {
    let x = 2 < 3 && true;
    println!(\"{x}\");
}

struct Name;

impl Drop for Name {
    fn drop(&mut self) {

        println!(\"gone\");
    }
}

/// Says hello.
fn hello() -> io::Result<()> {
    let a = 1;
    let b = 2;
    let c = 3;
    let d = 4;
    println!(\"{a}{b}{c}{d}\");
    Ok(())
}
";

/// A course of two steps in a folder of its own.
struct Fixture {
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fixture = Self { folder };
        fixture.write("steps/01-one/Cargo.toml", "[package]\n");
        fixture.write("steps/02-two/Cargo.toml", "[package]\n");
        fixture.write("steps/01-one/src/bin/server.rs", SERVER_1);
        fixture.write("steps/02-two/src/bin/server.rs", SERVER_2);
        fixture.write("steps/02-two/src/bin/client.rs", "fn main() {}\n");
        fixture
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.folder.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn course(&self) -> Course {
        Course::read(self.folder.path()).unwrap()
    }

    /// Processes these chapters: names and texts.
    fn process(&self, chapters: &[(&str, &str)]) -> Result<Pages, String> {
        let chapters: Vec<Chapter> = chapters
            .iter()
            .map(|(file, text)| Chapter {
                file: file.into(),
                text: text.to_string(),
            })
            .collect();
        process(&self.course(), &chapters).map_err(|problems| {
            let lines: Vec<String> =
                problems.iter().map(ToString::to_string).collect();
            lines.join("\n")
        })
    }

    /// The page of a chapter of no step.
    fn page(&self, text: &str) -> Result<String, String> {
        let mut pages = self.process(&[("notes.md", text)])?;
        Ok(pages.texts.remove(0))
    }

    /// Asserts that a chapter of no step is refused with exactly one problem,
    /// at this line, which says this.
    #[track_caller]
    fn refuses(&self, text: &str, line: usize, says: &str) {
        let error = self.page(text).expect_err(text);
        let place = format!("book/chapters/notes.md:{line}: ");
        assert!(error.starts_with(&place), "{text}\n{error}");
        assert!(error.contains(says), "{text}\n{error}");
        assert_eq!(error.lines().count(), 1, "{text}\n{error}");
    }
}

/// What a reader sees of HTML.
fn shown(html: &str) -> String {
    let mut text = String::new();
    for (number, part) in html.split('<').enumerate() {
        let part = match number {
            0 => part,
            _ => part.split_once('>').unwrap().1,
        };
        text += part;
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// The code of the first listing on a page.
fn code(page: &str) -> &str {
    let (_, rest) = page.split_once("<pre").unwrap();
    let (code, _) = rest.split_once("</pre>").unwrap();
    code.split_once('>').unwrap().1
}

#[test]
fn a_whole_file_is_shown_to_the_letter() {
    let page = Fixture::new().page("{{#listing 01-one server}}\n").unwrap();
    assert_eq!(shown(code(&page)), SERVER_1);
    assert!(page.contains("steps/01-one/src/bin/server.rs"));
    assert!(page.contains("new file"));
    assert!(!page.contains("<ins>"), "a new file needs no marks: {page}");
    assert!(!page.contains("<input"), "it has nothing to switch: {page}");
}

#[test]
fn new_and_removed_lines_are_told_apart() {
    let page = Fixture::new().page("{{#listing 02-two server}}\n").unwrap();
    let marked = |tag: &str| -> String {
        let (start, end) = (format!("<{tag}>"), format!("</{tag}>"));
        let parts = page.split(&start).skip(1);
        parts.map(|part| shown(part.split_once(&end).unwrap().0)).collect()
    };
    assert_eq!(marked("del"), "    let x = 1 < 2 && true;\n");
    assert_eq!(
        marked("ins"),
        "    let x = 2 < 3 && true;\nstruct Name;\n\nimpl Drop for Name {\n    \
         fn drop(&mut self) {\n\n        println!(\"gone\");\n    }\n}\n"
    );
    assert!(page.contains("what changed"));
    let folded = page.split_once("<span class=\"folded\">").unwrap().1;
    assert!(shown(folded).starts_with("    let a = 1;\n"), "{folded}");
    assert_eq!(page.matches("<span class=\"fold\"> … }</span>").count(), 1);
}

#[test]
fn items_stand_in_the_order_of_the_file_and_without_indentation() {
    let fixture = Fixture::new();
    let page = fixture
        .page("{{#listing 02-two server Name::drop use PATH}}\n")
        .unwrap();
    assert_eq!(
        shown(code(&page)),
        "use std::io;\n\nconst PATH: &str = \"mysocket\";\n…\n\
         fn drop(&mut self) {\n\n    println!(\"gone\");\n}\n"
    );
    let page = fixture.page("{{#listing 02-two server hello}}\n").unwrap();
    assert!(page.contains("unchanged"), "{page}");
    assert!(!page.contains("<input"), "it has nothing to switch: {page}");
}

#[test]
fn a_part_of_a_file_leads_to_the_whole_file() {
    let text = "{{#listing 02-two server main}}\n\n{{#listing 02-two server}}";
    let page = Fixture::new().page(text).unwrap();
    assert!(page.contains("href=\"#listing-notes-2\""), "{page}");
    assert!(page.contains("id=\"listing-notes-2\""), "{page}");
}

#[test]
fn a_listing_that_cannot_be_resolved_is_refused() {
    let fixture = Fixture::new();
    fixture.write("steps/02-two/src/bin/empty.rs", "\n");
    fixture.write(
        "steps/02-two/src/bin/twice.rs",
        "mod a { fn f() {} }\nmod b { fn f() {} }\n",
    );
    fixture
        .write("steps/02-two/src/bin/braces.rs", "const A: &str = \"{{#\";\n");
    for (directive, says) in [
        (
            "listing 03-tree server",
            "no step `03-tree`; there are 01-one 02-two",
        ),
        (
            "listing 01-one client",
            "step 01-one has no file `client`; it has server",
        ),
        (
            "listing 01-one server handle",
            "server.rs has no `handle`; it has //! use PATH main hello",
        ),
        ("listing 02-two twice f", "several `f`: `a::f` in line 1"),
        ("listing 02-two empty", "empty.rs is empty"),
        ("listing 02-two braces", "this code holds `{{#`"),
        ("listing 01-one", "a step or a file is missing"),
        ("listing", "a step or a file is missing"),
        ("include x.rs", "`include` is not a directive of this book"),
        ("", "this directive is empty"),
    ] {
        let text = format!("# A\n\n{{{{#{directive}}}}}\n");
        fixture.refuses(&text, 3, says);
    }
    fixture.write("steps/02-two/src/bin/empty.rs", "fn main( {}\n");
    fixture.refuses("{{#listing 02-two empty}}", 1, "empty.rs:1 is not Rust");
}

#[test]
fn a_directive_in_the_wrong_place_is_refused() {
    let fixture = Fixture::new();
    let directive = "{{#listing 01-one server}}";
    fixture.refuses(&format!("See {directive}"), 1, "stands alone");
    fixture.refuses(&format!("- a\n  {directive}"), 2, "stands alone");
    fixture.refuses(&format!("> {directive}"), 1, "stands alone");
    fixture.refuses(&format!("{directive} x"), 1, "not a directive");
    fixture.refuses("{{#listing 01-one server", 1, "not a directive");
    fixture.refuses(&format!("{directive}{directive}"), 1, "not a directive");
    fixture.refuses(
        &format!("```text\n{directive}\n```"),
        2,
        "outside of code",
    );
}

const TRACE: &str = "# A\n\n```console,needs=strace\n\
    $ strace target/debug/step1-server\n| listen(3, -1) = 0\n```\n";

#[test]
fn a_sequence_is_drawn_from_the_transcript_above_it() {
    let other = "```console\n$ ls\n```\n";
    let text =
        format!("{other}{TRACE}\n{{{{#sequence It `listens`.}}}}\n{other}");
    let page = Fixture::new().page(&text).unwrap();
    let figure = page.split_once("<figure class=\"sequence\"").unwrap().1;
    assert!(figure.starts_with(" id=\"sequence-notes-2\""), "{figure}");
    let figure = figure.split_once("</figure>").unwrap().0;
    assert!(figure.contains("listen(<b class=\"fd fd1\">3</b>, -1)"));
    assert!(figure.contains("<figcaption>It <code>listens</code>.<"));
}

#[test]
fn a_sequence_that_cannot_be_drawn_is_refused() {
    let fixture = Fixture::new();
    let sequence = "\n{{#sequence It listens.}}\n";
    fixture.refuses(&format!("{TRACE}\n{{{{#sequence}}}}\n"), 8, "a caption");
    fixture.refuses(&format!("{sequence}\n{TRACE}"), 2, "no transcript before");
    let broken = TRACE.replace("-1) = 0", "-1) = zero");
    let says = "cannot read this line of strace's: `zero`";
    fixture.refuses(&(broken + sequence), 5, says);
    let untraced = format!("```console\n$ ls\n```\n{sequence}");
    fixture.refuses(&untraced, 2, "no call is printed in this transcript");
    // A transcript that is wrong says so itself.
    let wrong = TRACE.replace("needs=strace", "needs=nothing");
    let error = fixture.page(&(wrong + sequence)).unwrap_err();
    assert!(error.contains("unknown tool `nothing`"), "{error}");
    assert!(!error.contains("sequence"), "{error}");
}

#[test]
fn code_that_nobody_runs_is_refused() {
    let fixture = Fixture::new();
    for (info, says) in [
        ("rust", "Rust code typed by hand"),
        ("rust,ignore", "Rust code typed by hand"),
        ("rust,not-from-a-step,fails=E12", "`fails=E0433` is"),
        ("rust,not-from-a-step,ignore", "`fails=E0433` is"),
        ("sh", "write a transcript, in a `console` fence"),
        ("bash", "write a transcript, in a `console` fence"),
        ("shell", "write a transcript, in a `console` fence"),
        ("", "does not say what it holds"),
        ("rs", "this book has no `rs` fences"),
        ("javascript", "this book has no `javascript` fences"),
        ("toml,x", "has no options"),
    ] {
        let text = format!("# A\n\n```{info}\nx\n```\n");
        fixture.refuses(&text, 3, says);
    }
    fixture.refuses("a\n\n    fn main() {}\n", 3, "indented code");
    fixture.refuses("<pre>fn main() {}</pre>", 1, "write a fence");
    fixture.refuses("```text\n\n$ ls\n```", 3, "typed at a prompt");
    fixture.refuses("```text\nserver$ ls\n```", 2, "typed at a prompt");
    fixture.refuses("```rust,not-from-a-step\n```", 1, "no code");
    fixture.refuses("a\n\n```text\nx\n", 3, "never closed");
    fixture.refuses(
        "- a\n\n  ```console\n  $ ls\n  ```\n",
        3,
        "start of its line",
    );
}

#[test]
fn what_need_not_be_run_is_allowed() {
    let text = "```toml\na = 1\n```\n\n```text\ncosts $ 5\n```\n\n```c\nint a;\n\
                ```\n\n```python\na = 1\n```\n\n- a\n\n  ```text\n  b\n  ```\n";
    assert_eq!(Fixture::new().page(text).unwrap(), text);
}

#[test]
fn a_link_that_leads_nowhere_is_refused() {
    let fixture = Fixture::new();
    fixture.write("book/chapters/there.png", "");
    let other = ("other.md", "# Other\n\n## *A* `b`\n\n## A b\n\n<p id='c'>\n");
    let check = |link: &str| {
        let text = format!("# Notes {{#top}}\n\n{link}\n");
        fixture.process(&[("notes.md", &text), other])
    };
    for link in [
        "[a](#top) [a](other.md) [a](other.md#a-b) [a](other.md#a-b-1)",
        "[a](other.md#c) [a](https://example.org/#x) [a](there.png)",
        "[a][b]\n\n[b]: other.md#other",
        "<a href='other.md'>a</a>",
        "`[a](gone.md)` [sic] array[0] note[^1]\n\n[^1]: `[^2]`",
    ] {
        check(link).unwrap();
    }
    for (link, says) in [
        ("[a](gone.md)", "`gone.md` leads nowhere"),
        ("[a](gone.png)", "`gone.png` leads nowhere"),
        ("[a](sub/other.md)", "leads nowhere"),
        ("[a](#gone)", "notes.md has no such heading; it has top"),
        ("[a](other.md#gone)", "it has a-b a-b-1 c other"),
        ("[a](other.html)", "link to the chapter"),
        ("[a](/other.md)", "write a path relative"),
        ("[a][b]", "no link `[b]` is defined"),
        ("[a][]", "no link `[a]` is defined"),
        ("a[^1]", "no footnote `[^1]` is defined"),
        ("<a href=\"gone.md\">a</a>", "`gone.md` leads nowhere"),
        ("![a](gone.svg)", "`gone.svg` leads nowhere"),
    ] {
        let error = check(link).expect_err(link);
        assert!(error.contains(says), "{link}: {error}");
        assert!(error.starts_with("book/chapters/notes.md:3: "), "{error}");
    }
}

#[test]
fn a_picture_without_words_is_refused() {
    let fixture = Fixture::new();
    fixture.write("book/chapters/a.svg", "");
    fixture.refuses("# A\n\n![](a.svg)", 3, "this image says nothing");
    fixture.refuses("<img src='a.svg'>", 1, "this image says nothing");
    fixture.refuses("<img src='a.svg' alt=' '>", 1, "this image says nothing");
    fixture.refuses("<svg><path/></svg>", 1, "this drawing says nothing");
    fixture.refuses("<svg role=\"img\"></svg>", 1, "this drawing says nothing");
    for good in [
        "![A server](a.svg)",
        "<img src='a.svg' alt='A server'>",
        "<svg role=\"img\" aria-label=\"A server\"></svg>",
        "<svg><title>A server</title></svg>",
        "`<img>` <!-- <img> -->",
    ] {
        fixture.page(good).unwrap();
    }
}

#[test]
fn every_line_that_a_step_adds_is_asked_for() {
    let fixture = Fixture::new();
    let one = ("01-one.md", "{{#listing 01-one server}}");
    let all = "{{#listing 02-two client}}\n\n{{#listing 02-two server}}";
    let pages = fixture.process(&[one, ("02-two.md", all)]).unwrap();
    assert_eq!(
        pages.report.to_string(),
        "2 chapters, 3 listings, 0 transcripts, 0 unexplained lines"
    );

    let some = "{{#listing 02-two client}}\n\n\
                {{#listing 02-two server Name Name::drop}}";
    let pages = fixture.process(&[one, ("02-two.md", some)]).unwrap();
    let unexplained: Vec<String> =
        pages.report.unexplained.iter().map(ToString::to_string).collect();
    let server = "steps/02-two/src/bin/server.rs";
    let ends = "no listing of book/chapters/02-two.md shows this line";
    assert_eq!(
        unexplained,
        [
            format!("{server}:8: {ends}: `let x = 2 < 3 && true;`"),
            format!("{server}:14: {ends}: `impl Drop for Name {{`"),
            format!("{server}:19: {ends}: `}}`"),
        ]
    );
    assert!(pages.report.to_string().ends_with(", 3 unexplained lines"));

    let pages = fixture.process(&[one]).unwrap();
    let report = pages.report;
    assert_eq!(report.unexplained.len(), 8, "a step without a chapter");

    let error = fixture
        .process(&[one, ("02-two.md", "{{#listing 02-two server}}")])
        .unwrap_err();
    assert_eq!(
        error,
        "book/chapters/02-two.md: never shows steps/02-two/src/bin/client.rs: \
         add `{{#listing 02-two client}}`"
    );
}

#[test]
fn a_step_is_compared_with_the_one_that_it_follows() {
    let fixture = Fixture::new();
    let manifest = "steps/03-three/Cargo.toml";
    fixture.write(manifest, "[package.metadata.book]\nfollows = \"01-one\"\n");
    fixture.write("steps/03-three/src/bin/server.rs", SERVER_1);
    let course = fixture.course();
    let before = |stem: &str| {
        course.before(course.step(stem)?).map(|step| step.stem.as_str())
    };
    assert_eq!(before("03-three"), Some("01-one"));
    assert_eq!(before("02-two"), Some("01-one"));
    assert_eq!(before("01-one"), None);

    let problem = |text: &str| {
        fixture.write(manifest, text);
        Course::read(fixture.folder.path()).unwrap_err().to_string()
    };
    assert_eq!(
        problem("[package.metadata.book]\nfollows = \"03-three\"\n"),
        "steps/03-three/Cargo.toml: no step 03-three comes before this one"
    );
    assert_eq!(
        problem("[package.metadata.book]\nfollows = 1\n"),
        "steps/03-three/Cargo.toml: `follows` is the name of a step's folder"
    );
    assert!(
        problem("[package\n")
            .starts_with("steps/03-three/Cargo.toml: cannot read this: ")
    );
}

#[test]
fn a_listing_that_shows_too_much_at_once_is_told() {
    let fixture = Fixture::new();
    let lines = |count: usize| -> String {
        (0..count).map(|n| format!("const A{n}: u8 = {n};\n")).collect()
    };
    let over = |old: usize, new: usize, chapter: &str| -> Vec<String> {
        fixture.write("steps/01-one/src/bin/server.rs", &lines(old));
        fixture.write("steps/02-two/src/bin/server.rs", &lines(new));
        let client = format!("{{{{#listing 02-two client}}}}\n\n{chapter}");
        let chapters = [
            ("01-one.md", "{{#listing 01-one server}}"),
            ("02-two.md", &client),
        ];
        let report = fixture.process(&chapters).unwrap().report;
        report.over_budget.iter().map(ToString::to_string).collect()
    };
    let whole = "{{#listing 02-two server}}";
    assert!(over(1, 26, whole).is_empty());
    assert_eq!(
        over(1, 27, whole),
        [
            "book/chapters/02-two.md:3: this listing shows 26 new lines at once, \
          more than 25: show parts of it first"
        ]
    );
    let parts = format!("{{{{#listing 02-two server A1}}}}\n\n{whole}");
    assert!(over(1, 27, &parts).is_empty(), "shown before");
    assert!(over(40, 40, whole).is_empty(), "a new file");
    assert_eq!(over(41, 41, whole).len(), 1, "a long new file");
}

/// mdBook's settings as in the repository, the command left out: the
/// preprocessor is built in.
fn book_toml() -> Config {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("book.toml");
    let mut config = Config::from_disk(file).unwrap();
    let none = BTreeMap::<String, String>::new();
    config.set("preprocessor", none).unwrap();
    config.set("output.html.additional-css", [""; 0]).unwrap();
    config.set("output.html.additional-js", [""; 0]).unwrap();
    config
}

#[test]
fn mdbook_leaves_a_listing_as_it_is() {
    let fixture = Fixture::new();
    let chapter = "# One\n\nBefore.\n{{#listing 02-two server}}\nAfter *it*.\n\n\
                   ## *A* \"b\" -- `c`\n\n[there](#a-b--c)\n";
    fixture.write("book/chapters/SUMMARY.md", "- [One](02-two.md)\n");
    fixture.write("book/chapters/02-two.md", chapter);
    let client = chapter.to_owned() + "{{#listing 02-two client}}\n";
    fixture.write("book/chapters/02-two.md", &client);

    let root = fixture.folder.path().join("book");
    let mut mdbook = MDBook::load_with_config(&root, book_toml()).unwrap();
    mdbook.with_preprocessor(Sockets::new(fixture.course()));
    mdbook.build().unwrap();

    let built = mdbook.build_dir_for("html");
    let page = fs::read_to_string(built.join("02-two.html")).unwrap();
    let removed = "    let x = 1 < 2 && true;\n";
    let with_fold = shown(code(&page)).replace(removed, "").replace(" … }", "");
    assert_eq!(with_fold, SERVER_2);
    assert!(page.contains("<p>Before.</p>"), "{page}");
    assert!(page.contains("<p>After <em>it</em>.</p>"), "{page}");
    assert!(page.contains("id=\"a-b--c\""), "mdBook's own ids: {page}");
    let is_colored = page.contains("<code class=\"nohighlight hljs\">");
    assert!(is_colored, "highlight.js would color it again: {page}");
    check::built(&built).unwrap();

    fs::write(built.join("x.html"), "a\n{{#include b}}").unwrap();
    let problems = check::built(&built).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].line, 2);
    assert!(problems[0].file.ends_with("x.html"));
}

#[test]
fn mdbook_stops_at_a_problem_and_says_where() {
    let fixture = Fixture::new();
    fixture.write("book/chapters/SUMMARY.md", "- [One](notes.md)\n");
    fixture
        .write("book/chapters/notes.md", "# A\n\n```rust\n```\n\n[a](b.md)\n");
    let root = fixture.folder.path().join("book");
    let mut mdbook = MDBook::load_with_config(&root, book_toml()).unwrap();
    mdbook.with_preprocessor(Sockets::new(fixture.course()));
    let error = mdbook.build().unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 2, "{error}");
    assert!(lines[0].starts_with("book/chapters/notes.md:3: "), "{error}");
    assert!(lines[1].starts_with("book/chapters/notes.md:6: "), "{error}");
    assert!(!mdbook.build_dir_for("html").exists());
}

#[test]
fn a_chapter_that_the_summary_and_the_folder_do_not_share_is_refused() {
    let fixture = Fixture::new();
    let check = || {
        let problems = pages::check(&fixture.course()).unwrap_err();
        let problems: Vec<String> =
            problems.iter().map(ToString::to_string).collect();
        problems.join("\n")
    };
    assert!(check().contains("cannot read book/chapters/SUMMARY.md"));
    fixture.write("book/chapters/SUMMARY.md", "# S\n\n- [A](a.md)\n");
    let error = check();
    let place = "book/chapters/SUMMARY.md:3: cannot read book/chapters/a.md";
    assert!(error.starts_with(place), "{error}");
    fixture.write("book/chapters/a.md", "# A\n");
    pages::check(&fixture.course()).unwrap();
    fixture.write("book/chapters/b.md", "# B\n");
    let error = check();
    assert!(
        error.starts_with("book/chapters/b.md: SUMMARY.md does"),
        "{error}"
    );
}

/// Compiles programs that are not from a step, in a package of this name, and
/// returns those of which the chapter says something wrong.
fn compile(name: &str, programs: &[HandTyped]) -> Vec<String> {
    if programs.is_empty() {
        return Vec::new();
    }
    let root = Course::here().unwrap().root;
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let package = target.join(name);
    let _ = fs::remove_dir_all(&package);
    fs::create_dir_all(package.join("src/bin")).unwrap();
    // The versions are those that the steps use; nothing is downloaded.
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    let manifest = format!(
        "[workspace]\n[package]\nname = \"{name}\"\nversion = \"0.1.0\"\n\
         edition = \"2024\"\n[dependencies]\nanyhow = \"1\"\n"
    );
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    for (number, program) in programs.iter().enumerate() {
        let file = package.join(format!("src/bin/p{number}.rs"));
        fs::write(file, &program.code).unwrap();
    }
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--bins", "--keep-going"])
        .arg("--message-format=json")
        .env("CARGO_TARGET_DIR", target.join("fences"))
        .current_dir(package)
        .output()
        .unwrap();
    // What the compiler says of each program: nothing at all, if Cargo did
    // not get as far as to ask.
    let mut said = vec![Vec::new(); programs.len()];
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let target = message["target"]["name"].as_str().unwrap_or_default();
        let number = target.strip_prefix('p').and_then(|n| n.parse().ok());
        let Some::<usize>(number) = number else { continue };
        if message["reason"] == "compiler-artifact" {
            said[number].push("no error".to_owned());
        } else if message["message"]["level"] == "error" {
            let code = message["message"]["code"]["code"].as_str();
            said[number].push(code.unwrap_or("an error").to_owned());
        }
    }
    let asked = said.iter().all(|said| !said.is_empty());
    assert!(asked, "{}", String::from_utf8_lossy(&output.stderr));
    let mut wrong = Vec::new();
    for (program, said) in programs.iter().zip(said) {
        let expected = program.fails.as_deref().unwrap_or("no error");
        if !said.iter().any(|said| said == expected) {
            wrong.push(format!(
                "{}:{}: expected {expected}, the compiler says {}",
                program.file.display(),
                program.line,
                said.join(", ")
            ));
        }
    }
    wrong
}

#[test]
fn code_typed_by_hand_does_what_its_chapter_says() {
    let good = "use anyhow::Context;\nfn main() -> anyhow::Result<()> {\n    \
                std::fs::read(\"a\").context(\"a\")?;\n    Ok(())\n}";
    let fails = "fn main() { gone(); }";
    let text = format!(
        "```rust,not-from-a-step\n{good}\n```\n\n\
         ```rust,not-from-a-step,fails=E0425\n{fails}\n```\n\n\
         ```rust,not-from-a-step\n{fails}\n```\n\n\
         ```rust,not-from-a-step,fails=E0308\n{fails}\n```\n\n\
         ```rust,not-from-a-step,fails=E0425\n{good}\n```\n"
    );
    let pages = Fixture::new().process(&[("notes.md", &text)]).unwrap();
    assert_eq!(
        compile("fixture", &pages.hand_typed),
        [
            "book/chapters/notes.md:13: expected no error, the compiler says E0425",
            "book/chapters/notes.md:17: expected E0308, the compiler says E0425",
            "book/chapters/notes.md:21: expected E0425, the compiler says no error",
        ]
    );
    assert!(pages.texts[0].contains("does not compile: E0425"));
}

#[test]
fn the_book_explains_every_line_that_a_step_adds() {
    let course = Course::here().unwrap();
    let chapters = pages::chapters(&course).unwrap();
    let pages = process(&course, &chapters).unwrap();
    let none: Vec<book::problem::Problem> = Vec::new();
    assert_eq!(pages.report.unexplained, none);
    assert_eq!(pages.report.over_budget, none);
    assert_eq!(compile("chapters", &pages.hand_typed), Vec::<String>::new());
}

#[test]
fn the_pages_for_teachers_show_nothing_untrue_and_lead_somewhere() {
    let course = Course::here().unwrap();
    let mut all = pages::chapters(&course).unwrap();
    all.extend(teaching::chapters(&course).unwrap());
    let pages = process(&course, &all).map_err(pages::Problems);
    assert!(pages.unwrap().hand_typed.iter().all(|code| {
        // What is compiled are the chapters.
        code.file.starts_with(pages::CHAPTERS)
    }));
}

/// What a page of errors promises: the messages that are its headings, those
/// that follow an `Or` in the text, and those in the first column of a table.
fn messages(page: &str) -> Vec<&str> {
    let mut messages = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            messages.push(heading);
        } else if let Some(rest) = line.strip_prefix("Or `") {
            messages.extend(rest.split('`').next());
        } else if let Some(row) = line.strip_prefix("| `") {
            let cell = row.split(" | ").next().unwrap_or_default();
            messages.extend(cell.split('`').step_by(2).map(str::trim));
        }
    }
    // The heading of the table is no message.
    messages.retain(|text| {
        !text.is_empty() && *text != "What our own programs say"
    });
    messages
}

#[test]
fn a_terminal_shows_each_error_of_the_appendix() {
    let page = "## One\n\nOr `two`, in Python.\n\n\
                | message | where |\n|---|---|\n| `three`, `four` | here |\n";
    assert_eq!(messages(page), ["One", "two", "three", "four"]);

    let course = Course::here().unwrap();
    let mut printed = String::new();
    let mut appendix = String::new();
    let mut files = transcript::chapters(&course).unwrap();
    files.retain(|file| file.starts_with(pages::CHAPTERS));
    for file in files {
        let text = fs::read_to_string(course.root.join(&file)).unwrap();
        for transcript in transcript::find(&text, &file).unwrap() {
            for entry in transcript.entries {
                if let Event::Printed(line) = entry.event {
                    printed += &format!("{line}\n");
                }
            }
        }
        if file.ends_with("errors.md") {
            appendix = text;
        }
    }
    let messages = messages(&appendix);
    assert!(messages.len() > 20, "{messages:?}");
    // What std says of a path that is too long, no program of the book can be
    // made to say: its name is a constant. Its test is in `tests/01_bind.rs`.
    let unseen: Vec<_> = messages
        .into_iter()
        .filter(|message| !printed.contains(message))
        .filter(|message| *message != "path must be shorter than SUN_LEN")
        .collect();
    assert_eq!(unseen, Vec::<&str>::new());
}

#[test]
fn each_term_of_the_glossary_leads_to_where_it_is_said() {
    let course = Course::here().unwrap();
    let folder = course.root.join("book/chapters");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let glossary = read("glossary.md");
    let entries: Vec<&str> = glossary.split("\n\n").skip(1).collect();
    assert!(entries.len() > 30, "{}", entries.len());
    for entry in &entries {
        let (terms, rest) = entry.split_once("\n: ").unwrap();
        let term = terms.split(", ").next().unwrap().to_lowercase();
        let (_, link) = rest.rsplit_once("](").unwrap_or_else(|| {
            panic!("{term} leads nowhere");
        });
        let file = link.split(['#', ')']).next().unwrap();
        let chapter = read(file).replace('\n', " ").to_lowercase();
        assert!(chapter.contains(&term), "{file} does not say {term}");
    }
    let terms: Vec<String> =
        entries.iter().map(|entry| entry.to_lowercase()).collect();
    assert!(terms.is_sorted(), "by the alphabet");
}
