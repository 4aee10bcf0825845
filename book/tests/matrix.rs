//! The table of which client works with which server: its words follow from
//! the transcripts of its page, and each thing that would make it untrue or
//! incomplete meets a planted defect here.

use std::fs;
use std::path::Path;

use book::course::Course;
use book::pages::{CHAPTERS, Chapter, chapters, process};
use tempfile::TempDir;

const TABLE: &str = "{{#matrix}}\n";

/// A course of four steps: the servers of 2 and 3 are the same, and so are the
/// clients of 2 and 4, but for what their module does.
struct Fixture {
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self { folder: tempfile::tempdir().unwrap() };
        for (file, text) in [
            ("01-one/src/bin/server.rs", "// 1\n"),
            ("02-two/src/bin/server.rs", "// 2\n"),
            ("02-two/src/bin/client.rs", "mod frame;\n"),
            ("02-two/src/frame.rs", "// 2\n"),
            ("03-three/src/bin/server.rs", "// 2\n"),
            ("03-three/src/bin/client.rs", "// 3\n"),
            ("04-four/src/bin/server.rs", "// 4\n"),
            ("04-four/src/bin/client.rs", "mod frame;\n"),
            ("04-four/src/frame.rs", "// 2\n"),
        ] {
            fixture.write(&format!("steps/{file}"), text);
        }
        for step in ["01-one", "02-two", "03-three", "04-four"] {
            fixture.write(&format!("steps/{step}/Cargo.toml"), "[package]\n");
        }
        fixture
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.folder.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// What the page becomes, or its problems.
    fn page(&self, text: &str) -> Result<String, Vec<String>> {
        let course = Course::read(self.folder.path()).unwrap();
        let chapter = Chapter { file: "notes.md".into(), text: text.into() };
        match process(&course, &[chapter]) {
            Ok(mut pages) => Ok(pages.texts.remove(0)),
            Err(problems) => {
                Err(problems.iter().map(ToString::to_string).collect())
            }
        }
    }

    /// Asserts that the page is refused for one reason only.
    #[track_caller]
    fn refuses(&self, text: &str, line: usize, says: &str) {
        let problems = self.page(text).expect_err(text);
        let place = format!("book/chapters/notes.md:{line}: ");
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].starts_with(&place), "{problems:#?}");
        assert!(problems[0].contains(says), "{problems:#?}");
    }
}

/// A transcript in which `client` prints and ends as `said`, and `server`
/// prints `heard`.
fn pair(client: u32, server: u32, said: &str, heard: &str) -> String {
    format!(
        "### Client {client}, server {server}\n\n```console\n\
         server$ cargo run -p step{server}\nserver| listening\n\
         client$ timeout 1 target/debug/step{client}-client 'x'\n\
         {said}{heard}server^C\n```\n\n"
    )
}

/// All pairs of the fixture. That of client 2 and server 4 is `said` and
/// `heard`; in all others the client prints `hello`.
fn all(said: &str, heard: &str) -> String {
    let mut text = TABLE.to_owned();
    for (client, label) in [(2, "2, 4"), (3, "3")] {
        text += &format!("\n## Client {label}\n\n");
        for server in [1, 2, 4] {
            text += &match (client, server) {
                (2, 4) => pair(2, 4, said, heard),
                _ => pair(client, server, "client| hello\n", ""),
            };
        }
    }
    text
}

/// The number, from 1, of the line after the one that holds `mark`.
fn line_after(text: &str, mark: &str) -> usize {
    text[..text.find(mark).expect(mark)].matches('\n').count() + 2
}

/// What the table says of client 2 and server 4.
#[track_caller]
fn word(said: &str, heard: &str) -> String {
    let page = Fixture::new().page(&all(said, heard)).unwrap();
    let link = "<a href=\"#client-2-server-4\">";
    let (before, rest) = page.split_once(link).expect("it has a cell");
    let word = rest.split_once("</a></td>").unwrap().0.to_owned();
    assert!(before.ends_with(&format!("<td class=\"{word}\">")), "{page}");
    word
}

#[test]
fn a_word_follows_from_its_transcript() {
    let hello = "client| hello\n";
    assert_eq!(word(hello, ""), "works");
    assert_eq!(word(hello, "server| accepted connection 1\n"), "works");
    assert_eq!(word("client? 124\n", ""), "hangs");
    assert_eq!(word(&format!("{hello}client? 124\n"), ""), "hangs");
    assert_eq!(word("client? 1\n", ""), "refused");
    assert_eq!(word(&format!("{hello}client? 101\n"), ""), "refused");
    assert_eq!(word("", ""), "garbled");
    assert_eq!(word("client| HELLO\n", ""), "garbled");
    assert_eq!(word("client| hello\nclient| hello\n", ""), "garbled");
    let error = "server| connection 1: the last line has no end\n";
    assert_eq!(word(hello, error), "garbled");
    // How the client ended counts for more than what the server says.
    assert_eq!(word("client? 124\n", error), "hangs");
    assert_eq!(word("client? 1\n", error), "refused");
}

#[test]
fn what_differs_from_run_to_run_makes_no_other_word() {
    let text = all("client| took 1.5ms\n", "");
    let text = text.replace("client| hello\n", "client| took 2.5ms\n");
    let page = Fixture::new().page(&text).unwrap();
    assert_eq!(page.matches("\">works</a>").count(), 6, "{page}");
}

#[test]
fn programs_that_are_the_same_share_a_row_or_a_column() {
    let page = Fixture::new().page(&all("client| hello\n", "")).unwrap();
    let heads = |scope: &str| -> Vec<&str> {
        let start = format!("<th scope=\"{scope}\">");
        let parts = page.split(start.as_str()).skip(1);
        parts.map(|part| part.split_once("</th>").unwrap().0).collect()
    };
    assert_eq!(heads("col"), ["client", "1", "2–3", "4"]);
    assert_eq!(heads("row"), ["2, 4", "3"]);
    assert_eq!(page.matches("<td class=").count(), 6);
}

#[test]
fn a_module_that_differs_makes_another_program() {
    let fixture = Fixture::new();
    fixture.write("steps/04-four/src/frame.rs", "// 4\n");
    let problems = fixture.page(&all("client| hello\n", "")).unwrap_err();
    // Client 2 no longer stands for client 4.
    let says = "it must stand under `## Client 2` and";
    assert!(problems[0].contains(says), "{problems:#?}");

    // A module of nobody counts for nobody.
    let fixture = Fixture::new();
    fixture.write("steps/04-four/src/store.rs", "// 4\n");
    fixture.page(&all("client| hello\n", "")).unwrap();
}

#[test]
fn the_words_lead_to_headings_of_the_page() {
    // What is checked of a link is checked against mdBook's own ids.
    let links: String = [(2, 1), (2, 2), (2, 4), (3, 1), (3, 2), (3, 4)]
        .map(|(client, server)| {
            format!("[{client}](#client-{client}-server-{server})\n")
        })
        .concat();
    let text = all("client| hello\n", "") + &links;
    let page = Fixture::new().page(&text).unwrap();
    assert_eq!(page.matches("<a href=\"#client-").count(), 6, "{page}");
}

#[test]
fn the_table_is_one_block_that_anybody_can_read() {
    let page = Fixture::new().page(&all("client| hello\n", "")).unwrap();
    let (_, rest) = page.split_once("<div class=\"matrix\"").unwrap();
    let (table, _) = rest.split_once("</div>").unwrap();
    assert!(!table.contains("\n\n"), "a blank line ends HTML: {table}");
    assert!(table.contains("<caption id=\"matrix-caption\">"), "{table}");
    assert!(table.contains("aria-labelledby=\"matrix-caption\""), "{table}");
    // It scrolls, and so must be reached by the keyboard.
    assert!(table.contains("tabindex=\"0\""), "{table}");
}

#[test]
fn a_pair_that_is_not_played_is_refused() {
    let text = all("client| hello\n", "");
    let played = pair(3, 2, "client| hello\n", "");
    let without = text.replace(&played, "");
    assert_ne!(text, without);
    let says = "no transcript plays client 3 with server 2: add one";
    Fixture::new().refuses(&without, 1, says);
}

#[test]
fn a_new_step_must_be_played_with_all_others() {
    let fixture = Fixture::new();
    fixture.write("steps/05-five/Cargo.toml", "[package]\n");
    fixture.write("steps/05-five/src/bin/server.rs", "// 5\n");
    fixture.write("steps/05-five/src/bin/client.rs", "// 5\n");
    let problems = fixture.page(&all("client| hello\n", "")).unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:#?}");
    for (problem, says) in problems.iter().zip([
        "client 2 with server 5:",
        "client 3 with server 5:",
        "client 5 with server 1, 2, 4, 5:",
    ]) {
        assert!(problem.starts_with("book/chapters/notes.md:1: "), "{problem}");
        assert!(problem.contains(says), "{problem}");
    }
}

#[test]
fn a_pair_that_is_played_twice_is_refused() {
    let text = all("client| hello\n", "")
        + &pair(3, 4, "client| hello\n", "").replace("'x'", "'again'");
    let first = line_after(&text, "### Client 3, server 4") + 2;
    let again = line_after(&text, "'again'") - 3;
    let says = format!("client 3 with server 4 is in line {first} already");
    Fixture::new().refuses(&text, again, &says);
}

#[test]
fn a_transcript_for_no_pair_is_refused() {
    let fixture = Fixture::new();
    let text = all("client| hello\n", "");
    let line = |text: &str| line_after(text, "### More") + 2;
    for (more, says) in [
        ("$ ls\n", "a step's server"),
        ("server$ cargo run -p step1\n", "a step's client"),
        ("client$ cargo run -p step2 --bin step2-client\n", "a step's server"),
        (
            "server$ cargo run -p step1 2\n\
             client$ target/debug/step2-client\n",
            "a step's server",
        ),
        (
            "server$ cargo run -p step1\n\
             client$ target/debug/step2-client\n\
             client$ target/debug/step2-client\n",
            "one command in the terminal `client`",
        ),
        (
            "server$ cargo run -p step1\nclient$ target/debug/step1-client\n",
            "step 1 has no client",
        ),
        (
            "server$ cargo run -p step9\nclient$ target/debug/step2-client\n",
            "step 9 has no server",
        ),
        (
            "server$ cargo run -p step3\nclient$ target/debug/step2-client\n",
            "server 3 is the same program as server 2",
        ),
        (
            "server$ cargo run -p step1\nclient$ target/debug/step4-client\n",
            "client 4 is the same program as client 2",
        ),
    ] {
        let text = format!("{text}### More\n\n```console\n{more}```\n");
        fixture.refuses(&text, line(&text), says);
    }
}

#[test]
fn a_transcript_under_another_heading_is_refused() {
    let fixture = Fixture::new();
    let text = all("client| hello\n", "");
    let line = line_after(&text, "### Client 3, server 4") + 2;
    for (heading, other) in [
        ("### Client 3, server 4", "### Client 3, server 3"),
        ("### Client 3, server 4", "### Client 4, server 3"),
        ("### Client 3, server 4", "Client 3, server 4"),
    ] {
        let says =
            "must stand under `## Client 3` and `### Client 3, server 4`";
        fixture.refuses(&text.replace(heading, other), line, says);
    }
    let unnamed = text.replace("## Client 3\n", "## Client 3–4\n");
    assert_eq!(fixture.page(&unnamed).unwrap_err().len(), 3);
}

#[test]
fn a_table_without_transcripts_is_refused() {
    Fixture::new().refuses(&format!("# A\n\n{TABLE}"), 3, "this page has none");
}

#[test]
fn a_transcript_that_cannot_be_read_is_the_only_problem() {
    let text = all("client| hello\n", "no transcript\n");
    let line = line_after(&text, "no transcript\n") - 1;
    Fixture::new().refuses(&text, line, "not a line of a transcript");
}

#[test]
fn the_directive_has_no_words() {
    let text = all("client| hello\n", "").replace("#matrix", "#matrix 3");
    Fixture::new().refuses(&text, 1, "needs no words");
}

/// The table of the book, as it was found to be right by hand. It changes when
/// a program changes what it does to another, which is worth a look.
#[test]
fn the_book_has_the_table() {
    let course = Course::here().unwrap();
    let chapters = chapters(&course).unwrap();
    let file = Path::new("which-client-works.md");
    let page = chapters.iter().position(|chapter| chapter.file == file);
    let page = page.unwrap_or_else(|| panic!("{CHAPTERS} has no such page"));
    let pages = process(&course, &chapters).unwrap();
    let rows = pages.texts[page].split("<th scope=\"row\">").skip(1);
    let rows: Vec<(&str, String)> = rows
        .map(|row| {
            let words = row.split("<td class=\"").skip(1);
            let words = words.map(|word| &word[..1]).collect();
            (row.split_once('<').unwrap().0, words)
        })
        .collect();
    let rows: Vec<(&str, &str)> =
        rows.iter().map(|(head, words)| (*head, words.as_str())).collect();
    // Of each word the first letter, for the servers 1, 2–4, 5 to 13.
    assert_eq!(
        rows,
        [
            ("3", "rwwwwwwwwww"),
            ("4–6", "rwwwggggggg"),
            ("7", "rhggwgggggg"),
            ("8, 10", "rhhhgwrwwww"),
            ("9", "rhhhghwhhhh"),
            ("11", "rhhhgwrwwww"),
            ("12–13", "rhhhrrrrrww"),
        ]
    );
}
