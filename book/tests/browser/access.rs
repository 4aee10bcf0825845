//! Whether everybody can read the pages: with the keys alone, with other eyes,
//! with a screen reader, with large letters. What axe-core does not see, or
//! sees only where it is installed; by WCAG 2.2.

use std::collections::BTreeMap;

use serde_json::json;

use crate::Shared;
use crate::book;
use crate::page::Page;
use crate::tests::{Test, too_wide};

/// All of them, by name.
pub const TESTS: &[(&str, Test)] = &[
    ("has_contrast_in_both_colors", has_contrast),
    ("shows_where_the_focus_is", shows_where_the_focus_is),
    ("can_be_scrolled_by_keys_where_it_scrolls", can_be_scrolled_by_keys),
    ("bears_wide_spacing", bears_wide_spacing),
    ("moves_nothing_for_who_wants_that", moves_nothing),
    ("has_landmarks_and_an_order_of_headings", has_landmarks),
    ("reads_transcripts_in_the_order_of_time", reads_transcripts_in_order),
    ("a_fault_for_some_is_noticed", a_fault_is_noticed),
];

/// In the page: `access`, with a function for each kind of fault.
const SCRIPT: &str = include_str!("access.js");

/// The faults of one kind: what this function of `access.js` finds.
#[track_caller]
fn faults(page: &Page, kind: &str) -> Vec<String> {
    // Each page that is loaded needs it again.
    page.eval(SCRIPT);
    let found = page.eval(&format!("access.{kind}()"));
    serde_json::from_value(found).unwrap()
}

/// What is found in any page of the book, in a window of this width.
#[track_caller]
fn faults_of_all(page: &Page, shared: &Shared, kind: &str) -> String {
    let mut all = String::new();
    for name in book::pages() {
        page.go(&shared.book().at(&name));
        page.eval(
            "document.querySelectorAll('details')
                .forEach((details) => { details.open = true; })",
        );
        for fault in faults(page, kind) {
            all += &format!("{name}: {fault}\n");
        }
    }
    all
}

fn has_contrast(shared: &Shared) {
    let page = shared.browser().page(&shared.book().link);
    for scheme in ["light", "dark"] {
        page.prefers("color-scheme", scheme);
        let found = faults_of_all(&page, shared, "faint");
        assert_eq!(found, "", "{scheme}");
    }
}

/// From one end of a page to the other, and back.
fn shows_where_the_focus_is(shared: &Shared) {
    for (url, name) in [
        (&shared.book().link, "05-read.html"),
        (&shared.book().url, "which-client-works.html"),
    ] {
        let page = shared.browser().page(url);
        // Else the page still scrolls when it is looked at.
        page.prefers("reduced-motion", "reduce");
        for (width, height) in [(1280, 800), (320, 200)] {
            page.viewport(width, height);
            page.go(&shared.book().at(name));
            page.eval(SCRIPT);
            for key in ["Tab", "Shift+Tab"] {
                let count = walk(&page, key);
                assert!(count > 20, "{name}: only {count}");
            }
        }
    }
}

/// Looks at each element that this key leads to; returns how many there are.
#[track_caller]
fn walk(page: &Page, key: &str) -> usize {
    page.eval("void (window.first = null)");
    for count in 0..1000 {
        page.press(key);
        // After the last comes the first.
        let found = page.eval(
            "(() => {
                const element = document.activeElement;
                if (element === document.body || element === first) return null;
                first ??= element;
                return access.focus();
            })()",
        );
        if found.is_null() {
            return count;
        }
        assert_eq!(found, json!([]), "{key}, {}", page.eval("location.href"));
    }
    panic!("the focus goes round and round");
}

fn can_be_scrolled_by_keys(shared: &Shared) {
    let page = shared.browser().page(&shared.book().link);
    for width in [1280, 320] {
        page.viewport(width, 640);
        let found = faults_of_all(&page, shared, "unreachable");
        assert_eq!(found, "", "{width}");
    }
}

/// Success criterion 1.4.12.
fn bears_wide_spacing(shared: &Shared) {
    let page = shared.browser().page(&shared.book().link);
    for width in [1280, 320] {
        page.viewport(width, 640);
        for name in book::pages() {
            page.go(&shared.book().at(&name));
            page.eval(
                "document.head.insertAdjacentHTML('beforeend', `<style>
                    * {
                        line-height: 1.5 !important;
                        letter-spacing: 0.12em !important;
                        word-spacing: 0.16em !important;
                    }
                    p { margin-bottom: 2em !important; }
                </style>`)",
            );
            assert_eq!(too_wide(&page), json!([]), "{name}, {width}");
            assert_eq!(faults(&page, "clipped"), [""; 0], "{name}, {width}");
        }
    }
}

fn moves_nothing(shared: &Shared) {
    let page = shared.browser().page(&shared.book().link);
    page.prefers("reduced-motion", "reduce");
    page.go(&shared.book().at("03-connect.html"));
    assert_eq!(faults(&page, "moving"), [""; 0]);
}

fn has_landmarks(shared: &Shared) {
    let page = shared.page("");
    let found = faults_of_all(&page, shared, "structure");
    assert_eq!(found, "");
    // What a list of results, or of tabs, shows of each page.
    let mut known = BTreeMap::new();
    for name in book::pages() {
        page.go(&shared.book().at(&name));
        for js in ["title", "querySelector('[name=description]').content"] {
            let text = page.eval(&format!("document.{js}"));
            let text = text.as_str().unwrap().to_owned();
            let other = known.insert(text.clone(), name.clone());
            assert_eq!(other, None, "{name} has it as well: {text}");
        }
    }
    // The first key leads to the link past all that is on every page.
    page.press("Tab");
    page.wait_for("document.activeElement.matches('.skip')");
    page.press("Enter");
    page.press("Tab");
    page.wait_for("document.activeElement.closest('main')");
}

fn reads_transcripts_in_order(shared: &Shared) {
    let page = shared.page("03-connect.html");
    let nodes = page.accessibility();
    let figure = nodes.iter().position(|(role, _)| role == "figure");
    let texts: Vec<&str> = nodes[figure.unwrap()..]
        .iter()
        .take_while(|(role, _)| role != "heading")
        .filter(|(role, _)| role == "figure" || role == "StaticText")
        .map(|(_, text)| text.trim())
        .collect();
    assert_eq!(
        texts.join(" ").split_whitespace().collect::<Vec<_>>().join(" "),
        "Terminals: server, client \
         server $ cargo run -p step3 listening on mysocket \
         client $ cargo run -p step3 --bin step3-client connected to mysocket \
         server accepted connection 1 from (unnamed) \
         client $ cargo run -p step3 --bin step3-client connected to mysocket \
         server accepted connection 2 from (unnamed) Ctrl + C"
    );
}

/// That the tests above can fail.
fn a_fault_is_noticed(shared: &Shared) {
    let page = shared.page("03-connect.html");
    page.prefers("reduced-motion", "reduce");
    page.reload();
    for (kind, html, fault) in [
        ("faint", "<p style='color: #999'>faint</p>", "p: 2."),
        (
            "faint",
            "<style>hr::after { content: 'x'; color: #ccc }</style><hr>",
            "hr::after: 1.",
        ),
        (
            "faint",
            "<svg><rect width='90' height='90' fill='#333'/>
                <text x='9' y='20'>dark</text></svg>",
            "text: 1.",
        ),
        (
            "unreachable",
            "<div style='overflow: auto; width: 1em'><pre>widewide</pre></div>",
            "div",
        ),
        (
            "clipped",
            "<div style='overflow: hidden; height: 1em'>a<br>b<br>c</div>",
            "div",
        ),
        ("moving", "<p style='transition: color 1s'>x</p>", "p"),
        ("structure", "<h4>deep</h4>", "after h2, <h4>"),
        ("structure", "<h2 id='text'>twice</h2>", "two of #text"),
        ("structure", "<figure>what?</figure>", "a figure without a name"),
        (
            "focus",
            "<a href='#x' style='outline: none'>where?</a>",
            "no outline",
        ),
        (
            "focus",
            "<a href='#x' style='position: fixed; top: 9px'>under</a>",
            "under the bar",
        ),
    ] {
        if kind != "focus" {
            assert_eq!(faults(&page, kind), [""; 0], "{kind}");
        }
        let html = serde_json::to_string(html).unwrap();
        page.eval(&format!(
            "(() => {{
                const box = document.createElement('div');
                box.style.display = 'contents';
                box.id = 'planted';
                box.innerHTML = {html};
                document.querySelector('main').append(box);
                box.querySelector('a')?.focus();
            }})()"
        ));
        let found = faults(&page, kind);
        page.eval("document.getElementById('planted').remove()");
        let is_found = found.iter().any(|found| found.contains(fault));
        assert!(is_found, "{kind}: no {fault} in {found:?}");
    }
}
