//! The built book where nobody serves it with `cargo book`: from files, on a
//! host under any path, without scripts, on paper.

use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin;
use harness::Sandbox;
use serde_json::{Value, json};

use crate::Shared;
use crate::book;
use crate::host;
use crate::page::Page;
use crate::repository::Repository;
use crate::tests::{Test, too_wide};

/// All of them, by name.
pub const TESTS: &[(&str, Test)] = &[
    ("is_read_and_searched_from_files", is_read_from_files),
    ("is_hosted_under_any_path", is_hosted_under_any_path),
    ("has_its_missing_page_where_the_host_says", has_its_missing_page),
    ("hides_nothing_without_scripts_on_a_phone", hides_nothing),
    ("is_whole_on_paper", is_whole_on_paper),
    ("is_printed_as_paper_is_from_any_screen", is_printed_from_any_screen),
    ("a_fault_elsewhere_is_noticed", a_fault_is_noticed),
];

/// What is left of a sheet of A4 between our margins, in CSS pixels.
const PAPER: u32 = 627;

/// This repository's book as files.
pub struct Files(Sandbox);

impl Files {
    pub fn build() -> Self {
        let sandbox = Sandbox::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut command = sandbox.command(cargo_bin!("book"));
        command.args(["build", "--dest", "site", "--root"]).arg(root);
        let output = command.output().unwrap();
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{says}");
        Self(sandbox)
    }

    pub fn folder(&self) -> PathBuf {
        self.0.join("site")
    }

    /// The URL of a page as a file.
    fn at(&self, page: &str) -> String {
        format!("file://{}/{page}", self.folder().display())
    }
}

/// Searches for words, follows the first link, and expects to be there.
#[track_caller]
fn search(page: &Page, words: &str, place: &str) {
    page.press("/");
    page.wait_for("document.activeElement.matches('.search input')");
    page.type_text(words);
    page.wait_for("document.querySelector('.search li a')");
    page.press("Enter");
    page.wait_for(&format!(
        "location.pathname.endsWith('/{place}')
            && document.readyState === 'complete'"
    ));
    let text = page.text();
    assert!(text.contains(words), "{text}");
}

/// The requests to other places than `base`.
fn outside(page: &Page, base: &str) -> Vec<String> {
    let requests = page.requests();
    assert!(requests.len() > 2, "{requests:?}");
    let is_own = |url: &String| {
        url.starts_with(base)
            || url.starts_with("data:")
            || url.starts_with("about:")
    };
    requests.into_iter().filter(|url| !is_own(url)).collect()
}

fn is_read_from_files(shared: &Shared) {
    let files = shared.files();
    let page = shared.browser().page(&files.at("index.html"));
    search(&page, "Connection refused", "errors.html");
    page.click(".turn-page [rel=next]");
    page.wait_for("location.pathname.endsWith('/glossary.html')");
    page.wait_for("document.readyState === 'complete'");
    assert_eq!(page.console(), [""; 0]);
    assert_eq!(outside(&page, &files.at("")), [""; 0]);
}

fn is_hosted_under_any_path(shared: &Shared) {
    let url = host::serve(&shared.files().folder(), "/some/path/");
    let page = shared.browser().page(&url);
    assert!(page.text().contains("Unix socket"));
    for name in book::pages() {
        page.go(&format!("{url}{name}"));
        let style = "getComputedStyle(document.querySelector('.bar')).position";
        assert_eq!(page.eval(style), json!("sticky"), "{name}");
    }
    search(&page, "Connection refused", "errors.html");
    page.click(".bar .book-title");
    page.wait_for("location.pathname === '/some/path/index.html'");
    page.wait_for("document.readyState === 'complete'");
    assert_eq!(page.console(), [""; 0]);
    assert_eq!(outside(&page, &url), [""; 0]);
}

/// It may be asked for at any depth: so it must know where the book is.
fn has_its_missing_page(shared: &Shared) {
    let repository = Repository::new();
    let settings = repository.read("book/book.toml");
    let html = "[output.html]\n";
    assert!(settings.contains(html));
    let settings =
        settings.replace(html, "[output.html]\nsite-url = \"/some/path/\"\n");
    repository.write("book/book.toml", &settings);
    repository.builds("site");
    let url = host::serve(&repository.path("site"), "/some/path/");
    let page = shared.browser().page(&format!("{url}not/there.html"));
    assert!(page.text().contains("not found"), "{}", page.text());
    // Styles and scripts have come.
    page.wait_for("document.querySelector('.bar button')");
    assert_eq!(outside(&page, &url), [""; 0]);
    page.click(".bar .book-title");
    page.wait_for("location.pathname === '/some/path/index.html'");
}

/// The texts that cannot be seen and cannot be made to be seen. `ways` are the
/// elements whose reader has a way without scripts.
fn hidden(page: &Page, ways: &str) -> Value {
    page.eval(&format!(
        "(() => {{
            const found = [];
            const main = document.querySelector('main');
            const texts =
                document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
            while (texts.nextNode()) {{
                const text = texts.currentNode.data.trim();
                const element = texts.currentNode.parentElement;
                if (text && !element.checkVisibility()
                    && !element.closest('svg, .screen, .lanes, {ways}'))
                    found.push(text);
            }}
            return found.slice(0, 9);
        }})()"
    ))
}

/// What has its own switch: an answer that opens, the other view of a listing.
const WAYS: &str = "details:not([open]), .listing del, .listing .fold";

/// What paper has no use for: the other view, and what switches to it.
const SWITCHES: &str = ".listing del, .listing .fold, .listing-switch";

fn hides_nothing(shared: &Shared) {
    let files = shared.files();
    let page = shared.browser().page(&files.at("index.html"));
    page.scripts(false);
    page.viewport(390, 844);
    // Else the page still scrolls when there is something to click.
    page.prefers("reduced-motion", "reduce");
    for name in book::pages() {
        page.go(&files.at(&name));
        assert_eq!(hidden(&page, WAYS), json!([]), "{name}");
        assert_eq!(too_wide(&page), json!([]), "{name} scrolls sideways");
    }
    page.go(&files.at("06-cleanup.html"));
    // An answer opens.
    let first = "document.querySelector('main > details p').checkVisibility()";
    assert_eq!(page.eval(first), json!(false));
    page.click("main > details summary");
    page.wait_for(first);
    // What changed is shown instead of the whole.
    let removed = "document.querySelector('.listing:has([value=changes]) del')";
    assert_eq!(
        page.eval(&format!("{removed}.checkVisibility()")),
        json!(false)
    );
    page.click(".listing:has(del) [value=changes]");
    page.wait_for(&format!("{removed}.checkVisibility()"));
    // The contents are a page further down.
    page.click(".to-contents");
    page.wait_for(
        "(() => {
            const link = document.querySelector('.contents a');
            const top = link.getBoundingClientRect().top;
            return top > 0 && top < innerHeight;
        })()",
    );
    page.click(".contents [href='02-accept.html']");
    page.wait_for("location.pathname.endsWith('/02-accept.html')");
    assert_eq!(outside(&page, &files.at("")), [""; 0]);
}

/// What is for the screen alone, and shows all the same.
fn controls(page: &Page) -> Value {
    page.eval(
        "[...document.querySelectorAll(
            '.bar, .contents, .turn-page, .skip, .search, button, input')]
            .filter((element) => element.checkVisibility())
            .map((element) => element.outerHTML.slice(0, 99))",
    )
}

/// What is cut at the right edge, for nobody can scroll paper. (A space at the
/// end of a line may stand there, and nobody sees it.)
fn cut(page: &Page) -> Value {
    page.eval(
        "[...document.querySelectorAll('main, main *')]
            .filter((element) => {
                const { display, overflowX } = getComputedStyle(element);
                const { scrollWidth, clientWidth } = element;
                const right = element.getBoundingClientRect().right;
                return display !== 'inline' && right > innerWidth + 1
                    || overflowX !== 'visible' && clientWidth > 1
                        && scrollWidth > clientWidth;
            })
            .map((element) => `${element.localName}.${element.className}`)
            .slice(0, 9)",
    )
}

fn is_whole_on_paper(shared: &Shared) {
    let files = shared.files();
    let page = shared.browser().page(&files.at("index.html"));
    page.media("print");
    page.viewport(PAPER, 900);
    // Not what a page does with scripts before it is printed.
    page.scripts(false);
    let names = book::pages();
    for name in names.iter().map(String::as_str).chain(["print.html"]) {
        page.go(&files.at(name));
        assert_eq!(hidden(&page, SWITCHES), json!([]), "{name}");
        assert_eq!(controls(&page), json!([]), "{name}");
        assert_eq!(cut(&page), json!([]), "{name}");
        assert_eq!(too_wide(&page), json!([]), "{name}");
        let color = "getComputedStyle(document.body).backgroundColor";
        assert_eq!(page.eval(color), json!("rgb(255, 255, 255)"), "{name}");
    }
    // No heading at the foot of a page, no figure cut that fits on one.
    let breaks = page.eval(
        "[['h1, h2, h3, h4, summary', 'breakAfter'],
            ['.transcript, .diagram, .listing:not(.long)', 'breakInside']]
            .flatMap(([selector, property]) =>
                [...document.querySelectorAll(selector)]
                    .map((element) => getComputedStyle(element)[property]))
            .filter((value) => value !== 'avoid').length",
    );
    assert_eq!(breaks, json!(0));
    // What the text calls chapter 3 is called so.
    let titles = page.eval(
        "[...document.querySelectorAll('h1')].map((title) =>
            getComputedStyle(title, '::before').content + title.textContent)",
    );
    let titles = titles.as_array().unwrap();
    assert_eq!(titles.len(), names.len());
    assert!(titles.contains(&json!("\"3. \"Connect")), "{titles:?}");
    assert!(titles.contains(&json!("noneGlossary")), "{titles:?}");
    // Where a link leads stands behind it.
    let links = page.eval(
        "[...document.querySelectorAll('main a[href^=http]')].map((link) =>
            getComputedStyle(link, '::after').content === 'none')",
    );
    let links = links.as_array().unwrap();
    assert!(links.len() > 20 && !links.contains(&json!(true)), "{links:?}");
}

/// From a dark page with all that a server adds, and in a browser that does
/// not know what opens a fold in a style sheet.
fn is_printed_from_any_screen(shared: &Shared) {
    let page = shared.browser().page(&shared.book().link);
    page.go(&shared.book().at("03-connect.html"));
    page.wait_for("document.querySelector('.transcript button')");
    page.eval("void (document.documentElement.dataset.colors = 'dark')");
    let color = |of: &str, kind: &str| {
        page.eval(&format!(
            "getComputedStyle(document.querySelector('{of}')).{kind}"
        ))
    };
    let white = json!("rgb(255, 255, 255)");
    assert_ne!(color("body", "backgroundColor"), white);
    page.media("print");
    assert_eq!(color("body", "backgroundColor"), white);
    assert_eq!(color(".transcript .screen", "backgroundColor"), white);
    assert_eq!(color(".listing pre", "color"), json!("rgb(0, 0, 0)"));
    assert_eq!(controls(&page), json!([]));

    page.media("screen");
    let open = "document.querySelectorAll('main details[open]').length";
    assert_eq!(page.eval(open), json!(0));
    page.eval("dispatchEvent(new Event('beforeprint'))");
    let all = page.eval("document.querySelectorAll('main details').length");
    assert!(all.as_u64() > Some(3), "{all}");
    assert_eq!(page.eval(open), all);
    page.eval("dispatchEvent(new Event('afterprint'))");
    assert_eq!(page.eval(open), json!(0));
    assert_eq!(page.console(), [""; 0]);
}

/// That the tests above can fail.
fn a_fault_is_noticed(shared: &Shared) {
    let files = shared.files();
    let url = host::serve(&files.folder(), "/some/path/");
    let page = shared.browser().page(&format!("{url}03-connect.html"));
    page.media("print");
    page.viewport(PAPER, 900);
    page.reload();
    let plant = |html: &str| {
        page.eval(&format!(
            "document.querySelector('main')
                .insertAdjacentHTML('beforeend', {})",
            json!(html)
        ));
    };
    let ways = format!("{SWITCHES}, button");
    assert_eq!(hidden(&page, &ways), json!([]));
    plant("<p hidden>a secret</p>");
    assert_eq!(hidden(&page, &ways), json!(["a secret"]));
    assert_eq!(controls(&page), json!([]));
    plant("<input value=press>");
    assert_ne!(controls(&page), json!([]));
    assert_eq!(cut(&page), json!([]));
    plant("<div style='width: 700px' class=a></div>");
    plant("<pre style='overflow: hidden; white-space: pre' class=b></pre>");
    page.eval("document.querySelector('.b').append('x'.repeat(200))");
    assert_eq!(cut(&page), json!(["div.a", "pre.b"]));

    assert_eq!(outside(&page, &url), [""; 0]);
    plant("<img alt='' src='/theme/a.svg'>");
    page.wait_for("[...document.images].every((image) => image.complete)");
    let outside = outside(&page, &url);
    assert!(outside[0].ends_with("/theme/a.svg"), "{outside:?}");
}
