//! What axe-core finds wrong with the pages, for who cannot see them, hear
//! them or point at them. It must be nothing.
//!
//! It is not ours, and not in the repository: the environment variable
//! `AXE_SCRIPT` says where it is (`npm pack axe-core`, and in that
//! `package/axe.min.js`). See <https://github.com/dequelabs/axe-core>.

use std::env;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::book::{self, Book};
use crate::page::Page;
use crate::play::Player;
use crate::tests::Test;
use crate::{Shared, chromium};

/// Those that need axe-core.
pub const TESTS: &[(&str, Test)] = &[
    ("axe_finds_nothing", finds_nothing),
    ("axe_finds_nothing_for_teachers", finds_nothing_for_teachers),
    ("axe_finds_nothing_in_dialogs", finds_nothing_in_dialogs),
    ("axe_finds_nothing_in_a_player", finds_nothing_in_a_player),
    ("axe_finds_a_fault", finds_a_fault),
];

/// The windows: one of a computer, one of a small phone, and the first again
/// at a zoom of 400 %, in CSS pixels.
const WINDOWS: [(u32, u32); 3] = [(1280, 800), (320, 640), (320, 200)];

/// Runs all its rules of WCAG 2.2 A and AA and its best practices, and gives
/// a line for each fault: the rule, where, and what is wrong.
const RUN: &str = r"
    axe.run(document, {
        resultTypes: ['violations'],
        runOnly: [
            'wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',
            'best-practice',
        ],
    }).then(({ violations }) => violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) =>
            `${id}: ${target}: ${failureSummary.replace(/\s+/g, ' ')}`)))
";

/// What is missing on this machine to run the tests.
pub fn missing() -> Option<&'static str> {
    let script = env::var_os("AXE_SCRIPT");
    script
        .is_none()
        .then_some("needs axe-core, in AXE_SCRIPT")
        .or_else(chromium::missing)
}

/// Shows all that can be folded or hidden in a page: answers, and what has
/// changed in the listings.
const UNFOLD: &str = "
    for (const details of document.querySelectorAll('details'))
        details.open = true;
    for (const view of document.querySelectorAll('[value=changes]'))
        view.checked = true;
";

fn finds_nothing(shared: &Shared) {
    let mut pages = book::pages();
    pages.extend(["index.html", "404.html"].map(str::to_owned));
    finds_nothing_in(shared, shared.book(), &pages);
}

/// In what a page shows when it is asked to.
fn finds_nothing_in_dialogs(shared: &Shared) {
    let page = shared.page("03-connect.html");
    load(&page);
    for scheme in ["light", "dark"] {
        page.prefers("color-scheme", scheme);
        for (width, height) in WINDOWS {
            page.viewport(width, height);
            page.press("/");
            page.eval("document.activeElement.value = ''");
            page.type_text("listener");
            page.wait_for("document.querySelector('.search mark')");
            assert_eq!(faults(&page), [""; 0], "search, {scheme}, {width}");
            page.press("Escape");
            page.wait_for("!document.querySelector('.search').open");
            if width < 1100 {
                page.click("button.to-contents");
                page.wait_for("document.querySelector('.contents.shown')");
                assert_eq!(faults(&page), [""; 0], "contents, {scheme}");
                page.press("Escape");
            }
        }
    }
}

/// In a transcript while it is played, and somebody types into it.
fn finds_nothing_in_a_player(shared: &Shared) {
    let player = Player::open(shared, shared.book(), "06-cleanup", 3);
    let page = &player.page;
    load(page);
    player.press("Step");
    player.wait_for_status("waits: what comes next?");
    assert_eq!(faults(page), [""; 0]);
    player.press("Step");
    player.press("Step");
    player.wait_for_text("listens at mysocket");
    player.press("Take over");
    player.wait_for_status("yours: type, or press a key");
    for scheme in ["light", "dark"] {
        page.prefers("color-scheme", scheme);
        for (width, height) in WINDOWS {
            page.viewport(width, height);
            assert_eq!(faults(page), [""; 0], "{scheme}, {width}×{height}");
        }
    }
    player.press("Present");
    assert_eq!(faults(page), [""; 0]);
    player.press("Back");
    player.press("Stop");
    player.wait_for_status("stopped");
}

/// In the pages that only teachers have.
fn finds_nothing_for_teachers(shared: &Shared) {
    let book = Book::start(&["--teacher"]);
    let page = shared.browser().page(&book.url);
    let pages = page.eval(
        "[...document.querySelectorAll('#contents a')]
            .map((link) => link.getAttribute('href'))
            .filter((name) => name.startsWith('teaching/'))",
    );
    let pages: Vec<String> = serde_json::from_value(pages).unwrap();
    assert!(pages.len() > 10, "{pages:?}");
    finds_nothing_in(shared, &book, &pages);
}

fn finds_nothing_in(shared: &Shared, book: &Book, pages: &[String]) {
    // With what plays the transcripts, as a reader at this machine has it.
    let page = shared.browser().page(&book.link);
    let mut found = Vec::new();
    for name in pages {
        page.go(&book.at(name));
        load(&page);
        page.eval(UNFOLD);
        for scheme in ["light", "dark"] {
            page.prefers("color-scheme", scheme);
            for (width, height) in WINDOWS {
                page.viewport(width, height);
                let faults = faults(&page);
                found.extend(faults.iter().map(|fault| {
                    format!("{name}, {scheme}, {width}×{height}: {fault}")
                }));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// That the test above can fail.
fn finds_a_fault(shared: &Shared) {
    let page = shared.page("03-connect.html");
    load(&page);
    assert_eq!(faults(&page), [""; 0]);
    for (html, rule) in [
        ("<img src='favicon.svg'>", "image-alt: "),
        ("<button type='button'></button>", "button-name: "),
        (
            "<p style='color: #999; background: #fff'>faint</p>",
            "color-contrast: ",
        ),
        ("<h6>too deep</h6>", "heading-order: "),
        (
            "<pre style='overflow: auto; width: 9em'>{}</pre>",
            "scrollable-region-focusable: ",
        ),
    ] {
        let html = html.replace("{}", &"wide ".repeat(99));
        page.eval(&format!(
            "void document.querySelector('main')
                .insertAdjacentHTML('beforeend', {html:?})"
        ));
        let found = faults(&page);
        page.eval("document.querySelector('main').lastElementChild.remove()");
        let has_rule = found.iter().any(|fault| fault.contains(rule));
        assert!(has_rule, "{rule} is not in {found:?}");
    }
    assert_eq!(faults(&page), [""; 0]);
}

/// Puts axe-core into a page.
#[track_caller]
fn load(page: &Page) {
    let script = PathBuf::from(env::var_os("AXE_SCRIPT").expect("AXE_SCRIPT"));
    let script = fs::read_to_string(&script).unwrap_or_else(|error| {
        panic!("cannot read AXE_SCRIPT, {}: {error}", script.display())
    });
    page.eval(&format!("{script}; void 0"));
}

#[track_caller]
fn faults(page: &Page) -> Vec<String> {
    let faults: Value = page.eval(RUN);
    serde_json::from_value(faults).unwrap()
}
