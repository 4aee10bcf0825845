//! What a page weighs: what the browser must get, before compression, to show
//! it, beside the same page of a stock mdBook.
//!
//! The figures are in `book/docs/speed.md`. To measure them anew:
//!
//! ```sh
//! cargo install mdbook@0.5.4 --root target/stock
//! MDBOOK=target/stock/bin/mdbook cargo test -p book --test browser weighs
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::Sandbox;

use crate::Shared;
use crate::book;
use crate::host;
use crate::tests::Test;

pub const TESTS: &[(&str, Test)] = &[
    ("weighs_less_than_half_of_a_stock_page", weighs_less),
    ("paints_as_soon_as_there_are_text_and_style", paints_soon),
];

/// The most requests that a page may make, the page itself included.
const REQUESTS: usize = 8;

/// How far a figure may be from what is written, in percent.
const OLD: u64 = 15;

/// What a page is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Weight {
    bytes: u64,
    requests: usize,
}

fn weighs_less(shared: &Shared) {
    let ours = host::serve(&shared.files().folder(), "/");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/speed.md");
    let text = fs::read_to_string(&file).unwrap();
    let written = figures(&text);
    let stock = std::env::var_os("MDBOOK").map(|mdbook| Stock::build(&mdbook));
    let stock_url = stock.as_ref().map(|stock| host::serve(&stock.site, "/"));
    let mut faults = Vec::new();
    println!("| page | kB | requests | stock: kB | requests |");
    println!("|---|--:|--:|--:|--:|");
    for page in book::pages() {
        let now = weigh(shared, &ours, &page);
        let stock = match &stock_url {
            Some(url) => weigh(shared, url, &page),
            None => match written.get(&page) {
                Some((_, stock)) => *stock,
                None => {
                    faults.push(format!("{page}: has no figures yet"));
                    continue;
                }
            },
        };
        println!(
            "| {page} | {} | {} | {} | {} |",
            now.bytes.div_ceil(1000),
            now.requests,
            stock.bytes.div_ceil(1000),
            stock.requests
        );
        if 2 * now.bytes >= stock.bytes {
            faults.push(format!("{page}: is more than half of {stock:?}"));
        }
        if now.requests > REQUESTS {
            faults.push(format!("{page}: makes {} requests", now.requests));
        }
        let far = written.get(&page).is_none_or(|(then, _)| {
            100 * then.bytes.abs_diff(now.bytes) > OLD * now.bytes
        });
        if far && stock_url.is_none() {
            let name = "book/docs/speed.md";
            faults.push(format!("{page}: other figures stand in {name}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What the first paint waits for: besides the page, one style sheet.
fn paints_soon(shared: &Shared) {
    let folder = shared.files().folder();
    let ours = host::serve(&folder, "/");
    for name in book::pages() {
        let waits = waits_for(shared, &format!("{ours}{name}"));
        let is_style = matches!(&waits[..], [one] if one.ends_with(".css"));
        assert!(is_style, "{name} waits for {waits:?}");
    }

    // That this can fail.
    let planted = Sandbox::new();
    let page = fs::read_to_string(folder.join("glossary.html")).unwrap();
    fs::write(planted.join("late.js"), "").unwrap();
    for (place, script) in [
        ("</head>", "<script src='late.js'></script>"),
        ("<main", "<script src='late.js'></script>"),
    ] {
        let page = page.replace(place, &format!("{script}{place}"));
        fs::write(planted.join("page.html"), page).unwrap();
        let url = host::serve(planted.path(), "/");
        let waits = waits_for(shared, &format!("{url}page.html"));
        assert!(waits.iter().any(|url| url.ends_with("late.js")), "{waits:?}");
    }
}

/// What a browser must have before it paints a page, or the rest of it.
fn waits_for(shared: &Shared, url: &str) -> Vec<String> {
    let page = shared.browser().page(url);
    let waits = page.eval(
        "[...new Set([
            ...performance.getEntriesByType('resource')
                .filter((entry) => entry.renderBlockingStatus === 'blocking')
                .map((entry) => entry.name),
            ...[...document.scripts]
                .filter((script) => script.src && !script.defer
                    && !script.async && script.type !== 'module')
                .map((script) => script.src),
        ])]",
    );
    serde_json::from_value(waits).unwrap()
}

/// The table: for each page, ours and stock mdBook's.
fn figures(text: &str) -> BTreeMap<String, (Weight, Weight)> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, page, fields @ .., _] = fields.as_slice() else { return None };
        let numbers: Result<Vec<u64>, _> =
            fields.iter().map(|field| field.parse()).collect();
        let [kb, requests, stock_kb, stock_requests] = numbers.ok()?[..] else {
            return None;
        };
        let weight = |kb: u64, requests: u64| Weight {
            bytes: kb * 1000,
            requests: requests as usize,
        };
        let ours = weight(kb, requests);
        Some(((*page).to_owned(), (ours, weight(stock_kb, stock_requests))))
    };
    text.lines().filter_map(row).collect()
}

/// Loads a page as somebody who has never been here, and weighs it.
fn weigh(shared: &Shared, url: &str, name: &str) -> Weight {
    let page = shared.browser().page(&format!("{url}{name}"));
    page.eval("document.fonts.ready.then(() => true)");
    // The page is one of them. What was asked for is not yet all there.
    let all = "[...performance.getEntriesByType('navigation'),
                ...performance.getEntriesByType('resource')]";
    page.wait_for(&format!(
        "document.readyState === 'complete'
            && {all}.every((entry) => entry.responseEnd > 0)"
    ));
    let elsewhere = page.eval(&format!(
        "{all}.map((entry) => entry.name)
            .filter((name) => !name.startsWith(location.origin)).join(' ')"
    ));
    assert_eq!(elsewhere, "", "{name} asks others");
    let bytes = page.eval(&format!(
        "{all}.reduce((sum, entry) => sum + entry.decodedBodySize, 0)"
    ));
    let requests = page.eval(&format!("{all}.length"));
    Weight {
        bytes: bytes.as_u64().unwrap(),
        requests: requests.as_u64().unwrap() as usize,
    }
}

/// The same text, built by a stock mdBook: without listings and pictures,
/// which it does not know, so it is lighter than it could be.
struct Stock {
    site: PathBuf,
    _sandbox: Sandbox,
}

impl Stock {
    fn build(mdbook: &std::ffi::OsStr) -> Self {
        let sandbox = Sandbox::new();
        let from = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = from.parent().unwrap();
        fs::create_dir(sandbox.join("chapters")).unwrap();
        for entry in fs::read_dir(from.join("chapters")).unwrap() {
            let entry = entry.unwrap();
            let to = sandbox.join("chapters").join(entry.file_name());
            fs::copy(entry.path(), to).unwrap();
        }
        let settings = "[book]\ntitle = \"Unix sockets\"\nsrc = \"chapters\"\n";
        fs::write(sandbox.join("book.toml"), settings).unwrap();
        let output = Command::new(root.join(mdbook))
            .args(["build", "--dest-dir", "site"])
            .current_dir(sandbox.path())
            .output()
            .unwrap();
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{says}");
        Self { site: sandbox.join("site"), _sandbox: sandbox }
    }
}
