//! The tests of transcripts that are played from the page.

use std::fs;
use std::time::Instant;

use harness::DEADLINE;
use serde_json::json;

use crate::Shared;
use crate::book::Book;
use crate::page::Page;
use crate::repository::Repository;
use crate::tests::{Test, other_site, too_wide};

/// All of them, by name.
pub const TESTS: &[(&str, Test)] = &[
    ("plays_to_the_end", plays_to_the_end),
    ("goes_on_step_by_step", goes_on_step_by_step),
    ("stops_and_shows_the_book_again", stops),
    ("lets_a_reader_take_over", lets_a_reader_take_over),
    ("presses_ctrl_c_on_the_server", presses_ctrl_c),
    ("shows_an_edited_step", shows_an_edited_step),
    ("shows_why_a_step_does_not_compile", shows_a_broken_step),
    ("plays_in_two_tabs", plays_in_two_tabs),
    ("ends_a_play_when_the_page_is_loaded_again", ends_at_a_reload),
    ("says_that_the_server_is_gone", says_that_the_server_is_gone),
    ("is_played_by_keys_alone", is_played_by_keys),
    ("plays_on_a_phone", plays_on_a_phone),
    ("presents_to_a_class", presents),
    ("shows_no_control_without_the_token", shows_no_control),
    ("is_not_played_by_another_site", is_not_played_by_another_site),
    ("leaves_nothing_after_twenty_plays", leaves_nothing),
];

/// A transcript on a page.
pub struct Player {
    pub page: Page,
    /// Its figure's selector.
    figure: String,
}

impl Player {
    /// A transcript of a served book, in a tab that may play it.
    pub fn open(
        shared: &Shared,
        book: &Book,
        chapter: &str,
        number: u32,
    ) -> Self {
        let page = shared.browser().page(&book.link);
        page.go(&book.at(&format!("{chapter}.html")));
        Self { page, figure: format!("#transcript-{chapter}-{number}") }
    }

    /// Presses the button with this text.
    #[track_caller]
    pub fn press(&self, text: &str) {
        let mark = format!(
            "(() => {{
                const buttons = [...document.querySelectorAll('{} button')];
                const found = buttons.find((one) =>
                    one.textContent === '{text}' && one.checkVisibility());
                for (const one of buttons) {{
                    one.classList.toggle('to-press', one === found);
                }}
                return Boolean(found);
            }})()",
            self.figure
        );
        self.page.wait_for(&mark);
        self.page.click(&format!("{} .to-press", self.figure));
    }

    #[track_caller]
    pub fn wait_for_status(&self, status: &str) {
        self.page.wait_for(&format!(
            "document.querySelector('{} .status').textContent === '{status}'",
            self.figure
        ));
    }

    /// What can be seen of its terminals.
    fn text(&self) -> String {
        let text = self.page.eval(&format!(
            "[...document.querySelectorAll('{} .turn > div')]
                .filter((one) => one.checkVisibility({{
                    visibilityProperty: true,
                }}))
                .map((one) => one.textContent).join('\\n')",
            self.figure
        ));
        text.as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn wait_for_text(&self, text: &str) {
        self.page.wait_for(&format!(
            "document.querySelector('{}').textContent.includes('{text}')",
            self.figure
        ));
    }
}

fn plays_to_the_end(shared: &Shared) {
    let player = Player::open(shared, shared.book(), "03-connect", 1);
    let printed = player.text();
    player.press("Play");
    player.wait_for_status("as printed in the book");
    assert_eq!(player.text(), printed);
    player.press("Reset");
    assert_eq!(player.text(), printed);
    assert_eq!(player.page.console(), [""; 0]);
}

fn goes_on_step_by_step(shared: &Shared) {
    let player = Player::open(shared, shared.book(), "03-connect", 1);
    player.press("Step");
    player.wait_for_status("waits: what comes next?");
    assert_eq!(player.text(), "");
    player.press("Step");
    player.wait_for_text("server 3 listens at mysocket");
    assert_eq!(player.text(), "cargo run -p step3");
    player.press("Step");
    player.page.wait_for(&format!(
        "!document.querySelectorAll('{} .printed')[0]
            .classList.contains('pending')",
        player.figure
    ));
    assert_eq!(player.text(), "cargo run -p step3\nlistening on mysocket");
    player.press("Go on");
    player.wait_for_status("as printed in the book");
}

fn stops(shared: &Shared) {
    let player = Player::open(shared, shared.book(), "03-connect", 1);
    let printed = player.text();
    player.press("Step");
    player.wait_for_status("waits: what comes next?");
    player.press("Stop");
    player.wait_for_status("stopped");
    player.press("Reset");
    assert_eq!(player.text(), printed);
    player.press("Play");
    player.wait_for_status("as printed in the book");
}

fn lets_a_reader_take_over(shared: &Shared) {
    let player = Player::open(shared, shared.book(), "08-lines", 3);
    player.press("Step");
    for _ in 0..4 {
        player.wait_for_status("waits: what comes next?");
        player.press("Step");
    }
    player.wait_for_text("server 4 ⇄ client 3");
    player.press("Take over");
    player.wait_for_status("yours: type, or press a key");
    let input = format!("{} .take > div:nth-child(2) input", player.figure);
    player.page.click(&input);
    player.page.type_text("SET mine 1");
    player.page.press("Enter");
    player.wait_for_text("OK");
    player.page.type_text("GET mine");
    player.page.press("Enter");
    player.wait_for_text("VALUE 1");
    player.page.press("Control+c");
    player.wait_for_text("exit code 130");
    player.press("SIGTERM");
    player.wait_for_status("over");
    assert!(player.text().contains("exit code 143"), "{}", player.text());
}

fn presses_ctrl_c(shared: &Shared) {
    let player = Player::open(shared, shared.book(), "06-cleanup", 3);
    player.press("Step");
    player.wait_for_status("waits: what comes next?");
    player.press("Step");
    player.press("Step");
    player.wait_for_text("listens at mysocket");
    player.press("Take over");
    player.press("Ctrl-C");
    player.wait_for_status("over");
    // What stays behind.
    player.wait_for_text("srwxr-xr-x mysocket");
    player.wait_for_text("exit code 130");
}

/// A book with a step that can be built.
fn repository() -> Repository {
    let repository = Repository::new();
    let workspace = "[workspace]\nresolver = \"3\"\nmembers = [\"steps/*\"]\n";
    repository.write("Cargo.toml", workspace);
    repository.write(
        "steps/01-one/Cargo.toml",
        "[package]\nname = \"step1\"\nedition = \"2024\"\n\n[[bin]]\n\
         name = \"step1-server\"\npath = \"src/bin/server.rs\"\n",
    );
    repository.preface("```console\n$ cargo run -p step1\n| hello\n```");
    repository
}

fn serve(repository: &Repository) -> Book {
    Book::of(&mut repository.command(&["--port", "0", "--no-open"]))
}

fn shows_an_edited_step(shared: &Shared) {
    let repository = repository();
    let book = serve(&repository);
    let player = Player::open(shared, &book, "preface", 1);
    player.press("Play");
    player.wait_for_status("as printed in the book");
    let step = "steps/01-one/src/bin/server.rs";
    let edited = repository.read(step).replace("hello", "edited");
    let version = "fetch('_status').then((answer) => answer.json())
        .then((status) => status.version)";
    let old = player.page.eval(version);
    repository.write_by_rename(step, &edited);
    // The page may load itself again while it is asked.
    let deadline = Instant::now() + DEADLINE;
    while player.page.try_eval(version).is_ok_and(|now| now == old) {
        assert!(Instant::now() < deadline, "the book is not built again");
    }
    let player = Player::open(shared, &book, "preface", 1);
    player.press("Play");
    player.wait_for_status("one difference from the book");
    let text = player.text();
    assert!(text.contains("edited") && text.contains("in the book: hello"));
}

fn shows_a_broken_step(shared: &Shared) {
    let repository = repository();
    let step = "steps/01-one/src/bin/server.rs";
    repository.write(step, "//! Broken.\n\nfn main() {\n    nowhere();\n}\n");
    let book = serve(&repository);
    let player = Player::open(shared, &book, "preface", 1);
    player.press("Play");
    player.wait_for_status("it cannot be built");
    player.wait_for_text("cannot find function `nowhere`");
    player.press("Reset");
}

fn plays_in_two_tabs(shared: &Shared) {
    let one = Player::open(shared, shared.book(), "03-connect", 1);
    let other = Player::open(shared, shared.book(), "03-connect", 1);
    one.press("Step");
    one.wait_for_status("waits: what comes next?");
    other.press("Play");
    other.wait_for_status("as printed in the book");
    one.press("Go on");
    one.wait_for_status("as printed in the book");
}

fn ends_at_a_reload(shared: &Shared) {
    let book = Book::start(&[]);
    let player = Player::open(shared, &book, "03-connect", 1);
    player.press("Step");
    player.press("Step");
    player.wait_for_text("server 3 listens at mysocket");
    let before = sandboxes(&book);
    assert_eq!(before.len(), 1, "{before:?}");
    player.page.reload();
    wait_until_gone(&book);
    player.press("Play");
    player.wait_for_status("as printed in the book");
    wait_until_gone(&book);
}

/// The folders in which programs of this book's plays run.
fn sandboxes(book: &Book) -> Vec<String> {
    // Each thread has children of its own.
    let threads = fs::read_dir(format!("/proc/{}/task", book.id())).unwrap();
    let children: String = threads
        .flatten()
        .filter_map(|thread| {
            fs::read_to_string(thread.path().join("children")).ok()
        })
        .collect();
    // Where the server itself is, its watchdog is, too.
    let own = fs::read_link(format!("/proc/{}/cwd", book.id())).unwrap();
    let mut folders: Vec<String> = children
        .split_whitespace()
        .filter_map(|id| fs::read_link(format!("/proc/{id}/cwd")).ok())
        .filter(|folder| folder.starts_with("/tmp") && *folder != own)
        .map(|folder| folder.display().to_string())
        .collect();
    folders.dedup();
    folders
}

#[track_caller]
fn wait_until_gone(book: &Book) {
    let deadline = Instant::now() + DEADLINE;
    while !sandboxes(book).is_empty() {
        let left = sandboxes(book);
        assert!(Instant::now() < deadline, "{left:?} are left");
        std::thread::yield_now();
    }
}

fn says_that_the_server_is_gone(shared: &Shared) {
    let book = Book::start(&[]);
    let player = Player::open(shared, &book, "03-connect", 1);
    player.press("Step");
    player.wait_for_status("waits: what comes next?");
    drop(book);
    player.wait_for_status("the book’s server has ended");
    player.press("Play");
    player.wait_for_status("the book’s server has ended");
}

fn is_played_by_keys(shared: &Shared) {
    let player = Player::open(shared, shared.book(), "03-connect", 1);
    let focus = |text: &str| {
        for _ in 0..200 {
            player.page.press("Tab");
            let focused = player.page.eval(&format!(
                "document.activeElement.textContent === '{text}' &&
                    document.activeElement.closest('{}') !== null",
                player.figure
            ));
            if focused == json!(true) {
                return;
            }
        }
        panic!("the Tab key never comes to {text}");
    };
    focus("Step");
    player.page.press("Enter");
    player.wait_for_status("waits: what comes next?");
    player.page.press("Enter");
    player.wait_for_text("server 3 listens at mysocket");
    player.page.press("Shift+Tab");
    player.page.press("Enter");
    player.wait_for_status("as printed in the book");
}

fn plays_on_a_phone(shared: &Shared) {
    let page = shared.browser().page(&shared.book().link);
    page.viewport(390, 844);
    page.go(&shared.book().at("10-many-clients.html"));
    let figure = "#transcript-10-many-clients-1".to_owned();
    let player = Player { page, figure };
    player.press("Step");
    player.press("Step");
    player.wait_for_text("server 3 listens at mysocket");
    player.press("Take over");
    player.wait_for_status("yours: type, or press a key");
    assert_eq!(too_wide(&player.page), json!([]));
    player.press("Stop");
    player.wait_for_status("stopped");
}

fn presents(shared: &Shared) {
    let player = Player::open(shared, shared.book(), "03-connect", 1);
    player.press("Present");
    player.page.press("ArrowRight");
    player.wait_for_status("waits: what comes next?");
    player.page.press("ArrowRight");
    player.wait_for_text("server 3 listens at mysocket");
    assert_eq!(player.page.eval("location.pathname"), "/03-connect.html");
    let size = player.page.eval(&format!(
        "parseFloat(getComputedStyle(
            document.querySelector('{} samp')).fontSize)",
        player.figure
    ));
    assert!(size.as_f64().unwrap() >= 16.0, "{size}");
    player.page.press("Escape");
    player.page.wait_for("document.querySelector('.present') === null");
}

fn shows_no_control(shared: &Shared) {
    let page = shared.page("03-connect.html");
    assert_eq!(page.eval("document.querySelectorAll('.player').length"), 0);
    // The token does not stay in the address.
    let page = shared.browser().page(&shared.book().link);
    assert_eq!(page.eval("location.hash"), "");
    // Nor does a page take one that is not from this server.
    page.go(&shared.book().at("03-connect.html#play=0123"));
    let player = Player { page, figure: "#transcript-03-connect-1".into() };
    player.press("Play");
    player.page.wait_for(
        "document.querySelector('.status').textContent.includes('may not')",
    );
}

fn is_not_played_by_another_site(shared: &Shared) {
    let book = Book::start(&[]);
    let (_, token) = book.link.split_once("#play=").unwrap();
    let body = json!({ "transcript": "transcript-02-accept-1", "step": true });
    let post = |page: &Page, mode: &str, url: &str, headers: &str| {
        page.eval(&format!(
            "fetch('{url}_play', {{
                method: 'POST', mode: '{mode}', headers: {headers},
                body: JSON.stringify({body}),
            }}).then((answer) => answer.status, () => 'nothing')"
        ))
    };
    // Even with the token, which it cannot know.
    let with = format!(
        "{{ 'Content-Type': 'application/json', 'X-Book-Token': '{token}' }}"
    );
    let other = shared.browser().page(&other_site());
    for mode in ["cors", "no-cors"] {
        for headers in [&with, "{}"] {
            let answer = post(&other, mode, &book.url, headers);
            assert!(answer == "nothing" || answer == 0, "{answer}");
        }
    }
    // A name that leads here: the browser takes it for the same site.
    let rebound = format!("http://evil.example:{}/", book.port);
    let page = shared.browser().page(&rebound);
    assert_eq!(post(&page, "cors", &rebound, &with), 421);
    assert!(sandboxes(&book).is_empty());
}

fn leaves_nothing(shared: &Shared) {
    let book = Book::start(&[]);
    let player = Player::open(shared, &book, "03-connect", 1);
    let descriptors = || {
        let folder = format!("/proc/{}/fd", book.id());
        fs::read_dir(folder).unwrap().count()
    };
    let mut before = 0;
    for round in 0..20 {
        player.press("Play");
        player.wait_for_status("as printed in the book");
        player.press("Reset");
        wait_until_gone(&book);
        match round {
            4 => before = descriptors(),
            // The browser may have opened another connection.
            5.. => assert!(descriptors() <= before + 6, "{before}"),
            _ => {}
        }
    }
}
