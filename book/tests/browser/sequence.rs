//! What the kernel saw, as a picture: whether it can be read by everybody, and
//! stepped through.

use serde_json::json;

use crate::Shared;
use crate::page::Page;
use crate::tests::{Test, too_wide};

/// All of them, by name.
pub const TESTS: &[(&str, Test)] = &[
    ("steps_through_a_sequence_by_keys", steps_by_keys),
    ("steps_through_a_sequence_by_buttons", steps_by_buttons),
    ("prints_a_whole_sequence", prints_a_whole_sequence),
    ("shows_a_whole_sequence_without_scripts", is_whole_without_scripts),
    ("reads_a_sequence_in_the_order_of_time", reads_in_the_order_of_time),
    ("draws_a_sequence_in_lanes", draws_in_lanes),
    ("a_sequence_fits_a_phone", fits_a_phone),
];

/// How many lines of the first sequence on a page can be seen, and the number
/// of the one that is marked.
#[track_caller]
fn seen(page: &Page) -> (u64, Option<u64>) {
    let found = page.eval(
        "(() => {
            const figure = document.querySelector('figure.sequence');
            const rows = [...figure.querySelectorAll('li:not(.lanes)')];
            const isSeen = (row) =>
                getComputedStyle(row).visibility === 'visible';
            return [
                rows.filter(isSeen).length,
                rows.findIndex((row) => row.matches('.now')) + 1,
            ];
        })()",
    );
    (found[0].as_u64().unwrap(), found[1].as_u64().filter(|now| *now > 0))
}

fn steps_by_keys(shared: &Shared) {
    let page = shared.page("02-accept.html");
    let (all, now) = seen(&page);
    assert!(all > 4, "{all}");
    assert_eq!(now, None);
    page.click("figure.sequence .does");
    page.wait_for("document.activeElement.matches('figure.sequence')");
    for (key, number) in [
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowRight", 3),
        ("ArrowLeft", 2),
        ("End", all),
        ("Home", 1),
        // There is none before the first.
        ("ArrowLeft", 1),
        ("End", all),
    ] {
        page.press(key);
        assert_eq!(seen(&page), (number, Some(number)), "{key}");
        let status = format!("{number} of {all}");
        let shown = page.eval(
            "document.querySelector('.sequence [role=status]').textContent",
        );
        assert_eq!(shown, json!(status));
    }
    // After the last one comes all of it.
    page.press("ArrowRight");
    assert_eq!(seen(&page), (all, None));
    page.press("ArrowRight");
    assert_eq!(seen(&page), (1, Some(1)));
    page.press("Escape");
    assert_eq!(seen(&page), (all, None));
    // No page was turned, and other keys do what they always do.
    assert!(page.eval("location.pathname") == json!("/02-accept.html"));
    page.press("/");
    page.wait_for("document.querySelector('.search').open");
    assert_eq!(page.console(), [""; 0]);
}

fn steps_by_buttons(shared: &Shared) {
    let page = shared.page("02-accept.html");
    let (all, _) = seen(&page);
    let button = |number: u32| {
        page.click(&format!(".sequence .stepper button:nth-child({number})"));
    };
    button(1);
    button(1);
    assert_eq!(seen(&page), (2, Some(2)));
    button(2);
    assert_eq!(seen(&page), (1, Some(1)));
    button(3);
    assert_eq!(seen(&page), (all, None));
    // The button is hidden, and the focus is not lost with it.
    page.wait_for("document.activeElement.textContent === 'Step'");
    assert_eq!(page.console(), [""; 0]);
}

fn prints_a_whole_sequence(shared: &Shared) {
    let page = shared.page("02-accept.html");
    let (all, _) = seen(&page);
    page.click(".sequence .stepper button");
    assert_eq!(seen(&page).0, 1);
    page.media("print");
    assert_eq!(seen(&page).0, all);
    let is_shown = page
        .eval("document.querySelector('.sequence .stepper').checkVisibility()");
    assert_eq!(is_shown, json!(false));
}

fn is_whole_without_scripts(shared: &Shared) {
    let page = shared.page("");
    page.scripts(false);
    page.go(&shared.book().at("02-accept.html"));
    let (all, now) = seen(&page);
    assert!(all > 4, "{all}");
    assert_eq!(now, None);
    let buttons = page.eval(
        "document.querySelectorAll('.sequence button, .sequence .later').length",
    );
    assert_eq!(buttons, json!(0));
}

fn reads_in_the_order_of_time(shared: &Shared) {
    let page = shared.page("");
    page.scripts(false);
    page.go(&shared.book().at("02-accept.html"));
    let nodes = page.accessibility();
    let is_call = |(_, text): &(_, String)| text == "accept4(";
    // Before that is said who calls.
    let first = nodes.iter().position(is_call).unwrap() - 2;
    let texts: Vec<&str> = nodes[first..]
        .iter()
        .take_while(|(role, _)| role != "Figcaption")
        .filter(|(role, _)| role == "StaticText")
        .map(|(_, text)| text.trim())
        .collect();
    assert_eq!(
        texts.join(" "),
        "server accept4( 3 , …) waits for a connection \
         client connect( 3 , \"mysocket\", …) returns 0 \
         ; the kernel puts a connection into the backlog \
         server accept4 returns 4 ; the kernel takes one from the backlog \
         client exited with 0 ; the kernel closes all that it held \
         server Ctrl-C ; the kernel closes all that it held"
    );
}

/// Where there is room, the kernel stands between the programs, and each call
/// between the kernel and its own.
fn draws_in_lanes(shared: &Shared) {
    let page = shared.page("03-connect.html");
    let lefts = page.eval(
        "(() => {
            const left = (selector) => Math.round(document
                .querySelector(`.sequence ${selector}`)
                .getBoundingClientRect().left);
            return [
                left('.lanes .by-a'), left('.by-a .out code'),
                left('.lanes .kernel'),
                left('.by-b .out code'), left('.lanes .by-b'),
            ];
        })()",
    );
    let lefts: Vec<i64> = serde_json::from_value(lefts).unwrap();
    assert!(lefts.is_sorted(), "{lefts:?}");
    assert!(lefts[4] - lefts[0] > 500, "{lefts:?}");
    // What failed has another color than what did not, and a sign.
    let [failed, passed] = ["fails", "call"].map(|kind| {
        page.eval(&format!(
            "getComputedStyle(document.querySelector(
                '.sequence .{kind} .back code')).color"
        ))
    });
    assert_ne!(failed, passed);
    let sign = page.eval(
        "getComputedStyle(document.querySelector(
            '.sequence .fails .back code'), '::before').content",
    );
    assert!(sign.as_str().unwrap().contains('✕'), "{sign}");
    // A lane is dotted where its program waits.
    let [waits, runs] = ["a-waits", "a-runs"].map(|state| {
        page.eval(&format!(
            "getComputedStyle(document.querySelector('.sequence .{state}'),
                '::before').borderInlineStartStyle"
        ))
    });
    assert_eq!([waits, runs], [json!("dotted"), json!("solid")]);
}

fn fits_a_phone(shared: &Shared) {
    let page = shared.page("");
    page.viewport(320, 640);
    for name in ["01-bind", "03-connect", "07-reply"] {
        page.go(&shared.book().at(&format!("{name}.html")));
        assert_eq!(too_wide(&page), json!([]), "{name}");
        let outside = page.eval(
            "[...document.querySelectorAll('.sequence :is(code, .does, .who)')]
                .map((part) => part.getBoundingClientRect())
                .filter((box) => box.left < 0 || box.right > innerWidth)
                .length",
        );
        assert_eq!(outside, json!(0), "{name}");
        let hidden = page.eval(
            "[...document.querySelectorAll('.sequence .who')]
                .filter((who) => who.getBoundingClientRect().width < 9).length",
        );
        assert_eq!(hidden, json!(0), "{name}: who it is, is not seen");
    }
}
