//! The tests.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use harness::Sandbox;
use serde_json::{Value, json};

use crate::Shared;
use crate::book::{self, Book};
use crate::chromium::Browser;
use crate::page::Page;
use crate::repository::Repository;

/// Panics if what it promises is not so.
pub type Test = fn(&Shared);

/// All of them, by name.
pub const TESTS: &[(&str, Test)] = &[
    ("asks_no_other_host_and_says_no_error", asks_no_other_host),
    ("copies_a_command_without_its_prompt", copies_a_command),
    ("finds_a_chapter", finds_a_chapter),
    ("turns_pages_with_the_arrows", turns_pages_with_the_arrows),
    (
        "keeps_the_colors_that_the_reader_chooses",
        keeps_the_colors_that_the_reader_chooses,
    ),
    ("fits_a_phone", fits_a_phone),
    ("is_complete_without_scripts", is_complete_without_scripts),
    ("shows_an_edit_by_itself", shows_an_edit),
    ("is_not_read_by_another_site", is_not_read_by_another_site),
    ("is_not_served_under_another_name", is_not_served_under_another_name),
    ("is_dark_for_who_prefers_it", is_dark_for_who_prefers_it),
    ("a_fault_is_noticed", a_fault_is_noticed),
    ("a_browser_leaves_nothing_behind", a_browser_leaves_nothing_behind),
];

fn asks_no_other_host(shared: &Shared) {
    let book = shared.book();
    let page = shared.page("");
    for name in book::pages() {
        page.go(&book.at(&name));
    }
    assert_eq!(page.console(), [""; 0]);
    let requests = page.requests();
    assert!(requests.len() > book::pages().len(), "{requests:?}");
    let is_own =
        |url: &&String| url.starts_with(&book.url) || url.starts_with("data:");
    let others: Vec<_> = requests.iter().filter(|url| !is_own(url)).collect();
    assert_eq!(others, [""; 0]);
}

fn copies_a_command(shared: &Shared) {
    let page = shared.page("03-connect.html");
    page.click(".transcript .command button");
    page.wait_for("document.querySelector('.transcript button.copied')");
    let command = page
        .eval("document.querySelector('.transcript .command kbd').textContent");
    let command = command.as_str().unwrap();
    assert!(command.starts_with("cargo run -p step3"), "{command}");
    assert_eq!(page.clipboard(), command);

    // Here as well, since there is only one clipboard.
    page.click(".listing-copy");
    page.wait_for(
        "document.querySelector('.listing-copy').textContent === 'copied'",
    );
    let code = page.clipboard();
    assert!(code.contains("UnixStream::connect("), "{code}");
    assert_eq!(page.console(), [""; 0]);
}

fn finds_a_chapter(shared: &Shared) {
    let page = shared.page("01-bind.html");
    page.press("/");
    page.wait_for("document.activeElement.matches('.search input')");
    // An error as it is pasted from a terminal, and what programmers call
    // things: its page is among the first three.
    for (words, place) in [
        (
            "Error: cannot connect to mysocket  Caused by: Connection \
             refused (os error 111)",
            "errors.html#connection-refused",
        ),
        ("Connection refused (os error 111)", "03-connect.html#"),
        ("Address already in use (os error 98)", "01-bind.html#"),
        ("set_read_timeout", "11-limits.html#"),
        ("UnixStream::pair", "08-lines.html#"),
        ("accept4(", "02-accept.html#"),
        ("ECONNREFUSED", "errors.html#"),
        ("thread::scope", "10-many-clients.html#"),
    ] {
        page.eval("document.activeElement.value = ''");
        page.type_text(words);
        page.wait_for(&format!(
            "[...document.querySelectorAll('.search li a')].slice(0, 3)
                .some((link) => link.href.includes('{place}'))"
        ));
        let marked = "document.querySelector('.search mark').textContent";
        let marked = page.eval(marked).as_str().unwrap().to_lowercase();
        let words = words.to_lowercase();
        assert!(words.split(' ').any(|word| word == marked), "{marked}");
    }
    page.press("ArrowDown");
    page.wait_for("document.activeElement.matches('.search li a')");
    page.press("Enter");
    page.wait_for("!document.querySelector('.search').open");
    page.press("/");
    page.eval("document.activeElement.value = ''");
    page.type_text("no such words anywhere");
    page.wait_for("document.querySelector('.search p').innerText[0] === '0'");
    page.press("Escape");
    page.wait_for("!document.querySelector('.search').open");
    assert_eq!(page.console(), [""; 0]);
}

fn turns_pages_with_the_arrows(shared: &Shared) {
    let page = shared.page("03-connect.html");
    // Whoever moves in a listing does not leave the page.
    page.viewport(390, 844);
    page.eval(
        "(() => {
            document.querySelector('.listing pre').focus();
            window.stays = true;
        })()",
    );
    page.wait_for("document.activeElement.matches('.listing pre')");
    page.press("ArrowRight");
    assert_eq!(page.eval("window.stays"), json!(true));
    page.eval("document.activeElement.blur()");
    page.press("ArrowRight");
    page.wait_for(
        "location.pathname.endsWith('/04-write.html')
            && document.readyState === 'complete'",
    );
    page.press("ArrowLeft");
    page.wait_for(
        "location.pathname.endsWith('/03-connect.html')
            && document.readyState === 'complete'",
    );
    assert_eq!(page.console(), [""; 0]);
}

fn keeps_the_colors_that_the_reader_chooses(shared: &Shared) {
    let page = shared.page("03-connect.html");
    assert!(!is_dark(&page));
    let colors = "[aria-label^=Colors]";
    page.click(colors);
    assert!(!is_dark(&page), "light");
    page.click(colors);
    assert!(is_dark(&page), "dark");
    page.go(&shared.book().at("04-write.html"));
    assert!(is_dark(&page), "on the next page");
    page.click(colors);
    assert!(!is_dark(&page), "as the system");
    assert_eq!(page.console(), [""; 0]);
}

fn fits_a_phone(shared: &Shared) {
    let page = shared.page("");
    page.viewport(390, 844);
    for name in book::pages() {
        page.go(&shared.book().at(&name));
        assert_eq!(page.eval("innerWidth"), json!(390));
        assert_eq!(too_wide(&page), json!([]), "{name} scrolls sideways");
    }
}

/// What is wider than its place, of the text and all that is around it: mdBook
/// lets a part of the page scroll, and not the page. A block in the text may
/// scroll by itself.
pub fn too_wide(page: &Page) -> Value {
    page.eval(
        "(() => {
            const found = [];
            let element = document.querySelector('main');
            for (; element; element = element.parentElement)
                if (element.scrollWidth > element.clientWidth)
                    found.push(`${element.localName}.${element.className}`);
            return found;
        })()",
    )
}

fn is_complete_without_scripts(shared: &Shared) {
    let page = shared.page("");
    page.scripts(false);
    page.go(&shared.book().at("03-connect.html"));
    let texts = page.eval(
        "[...document.querySelectorAll('.transcript')].map((t) => t.innerText)",
    );
    let texts = texts.as_array().unwrap();
    assert!(texts.len() > 3);
    for text in texts {
        let text = text.as_str().unwrap();
        assert!(text.lines().count() > 2, "{text}");
    }
    assert!(texts[0].as_str().unwrap().contains("cargo run -p step3"));
    let dead = page.eval(
        "[...document.querySelectorAll('button')]
            .filter((button) => button.checkVisibility())
            .map((button) => button.outerHTML)",
    );
    assert_eq!(dead, json!([]));
}

fn shows_an_edit(shared: &Shared) {
    let repository = Repository::new();
    let arguments = ["--no-open", "--port", "0"];
    let book = Book::of(&mut repository.command(&arguments));
    let page = shared.browser().page(&book.at("preface.html"));
    assert!(page.text().contains("The first text."));
    repository.preface("The second text.");
    page.wait_for("document.body.innerText.includes('The second text.')");
    repository.preface("{{#oops}}");
    page.wait_for(
        "document.querySelector('.build-error')?.innerText.includes('oops')",
    );
    repository.preface("The third text.");
    page.wait_for("document.body.innerText.includes('The third text.')");
    page.wait_for("document.querySelector('.build-error').hidden");
    assert_eq!(page.console(), [""; 0]);
}

fn is_not_read_by_another_site(shared: &Shared) {
    let page = shared.page("03-connect.html");
    let url = page.eval("document.querySelector('script[src]').src");
    let page = shared.browser().page(&other_site());
    assert_eq!(page.text(), "evil");
    for mode in ["cors", "no-cors"] {
        let fetched = page.eval(&format!(
            "fetch({url}, {{ mode: '{mode}' }})
                .then((answer) => answer.text(), () => 'nothing')"
        ));
        assert_eq!(fetched, json!("nothing"), "{mode}");
    }
    let loaded = page.eval(&format!(
        "new Promise((resolve) => {{
            const script = document.createElement('script');
            script.onload = () => resolve(true);
            script.onerror = () => resolve(false);
            script.src = {url};
            document.body.append(script);
        }})"
    ));
    assert_eq!(loaded, json!(false));
}

/// The URL of a page that somebody else serves, as long as the tests run.
pub fn other_site() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A browser also connects ahead, and asks for nothing.
            thread::spawn(move || serve_evil(stream));
        }
    });
    format!("http://evil.example:{port}/")
}

/// Answers a request with a page.
fn serve_evil(mut stream: TcpStream) {
    let mut request = BufReader::new(&stream).lines();
    while request.next().is_some_and(|line| line.is_ok_and(|l| !l.is_empty())) {
    }
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\
                Content-Length: 4\r\nConnection: close\r\n\r\nevil";
    let _ = stream.write_all(page.as_bytes());
}

fn is_not_served_under_another_name(shared: &Shared) {
    let port = shared.book().port;
    let page = shared.browser().page(&format!("http://evil.example:{port}/"));
    let status = page
        .eval("performance.getEntriesByType('navigation')[0].responseStatus");
    assert_eq!(status, json!(421));
    let text = page.text();
    assert!(text.starts_with("this is http://127.0.0.1"), "{text}");
}

fn is_dark_for_who_prefers_it(shared: &Shared) {
    let page = shared.page("03-connect.html");
    assert!(!is_dark(&page));
    page.prefers("color-scheme", "dark");
    page.reload();
    assert!(is_dark(&page));
}

/// Whether the ground is, and not somewhere between.
fn is_dark(page: &Page) -> bool {
    let color = page.eval("getComputedStyle(document.body).backgroundColor");
    let color = color.as_str().unwrap();
    assert!(color.starts_with("rgb("), "{color}");
    let parts = color.split(|c: char| !c.is_ascii_digit());
    // The sum of red, green and blue, each at most 255.
    let sum: u32 = parts.filter_map(|part| part.parse::<u32>().ok()).sum();
    assert!(!(3 * 80..3 * 200).contains(&sum), "{color}");
    sum < 3 * 80
}

/// That the tests above can fail.
fn a_fault_is_noticed(shared: &Shared) {
    let page = shared.page("03-connect.html");
    page.viewport(390, 844);
    // Whether there is room for the contents beside it is seen at the start.
    page.reload();
    assert_eq!(too_wide(&page), json!([]));
    page.eval("document.querySelector('main p').style.minWidth = '400px'");
    assert_ne!(too_wide(&page), json!([]));

    let thrown = page.try_eval("Promise.reject(new Error('oops'))");
    assert!(thrown.is_err_and(|error| error.contains("Error: oops")));
    page.eval("void setTimeout(() => nowhere)");
    page.eval("void console.error('it is', 'bad')");
    page.eval("fetch('http://evil.example/').catch(() => 0)");
    page.eval("fetch('nowhere')");
    page.eval("new Promise(requestAnimationFrame)");
    let console = page.console().join("\n");
    for part in [
        "ReferenceError: nowhere",
        "error: it is bad",
        "Content Security Policy",
        "404",
    ] {
        assert!(console.contains(part), "no {part} in {console}");
    }
    let nowhere = shared.book().at("nowhere");
    assert!(page.requests().contains(&nowhere), "{:?}", page.requests());

    let sandbox = Sandbox::new();
    let picture = sandbox.join("page.png");
    page.screenshot(&picture);
    assert!(fs::read(picture).unwrap().starts_with(b"\x89PNG"));
    page.close();

    // Where nothing forbids it, it is asked for.
    let page = shared.browser().page(&other_site());
    let url = other_site();
    page.eval(&format!("fetch('{url}').catch(() => 0)"));
    assert!(page.requests().contains(&url), "{:?}", page.requests());
}

fn a_browser_leaves_nothing_behind(_: &Shared) {
    let mut browser = Browser::start(&[]);
    let page = browser.page("about:blank");
    let folder = browser.folder().to_owned();
    let processes = browser.processes();
    assert!(processes.len() > 1, "{processes:?}");
    assert!(folder.join("profile").read_dir().unwrap().count() > 0);
    drop(browser);
    assert!(!folder.exists());
    for id in processes {
        let stat = fs::read_to_string(format!("/proc/{id}/stat"));
        // One that has ended, and was not reaped by init yet, is a zombie.
        let is_zombie = |stat: String| stat.contains(") Z ");
        assert!(stat.is_err() || stat.is_ok_and(is_zombie), "{id} runs");
    }
    // A page that has outlived its browser says so, and waits for nothing.
    let error = page.try_eval("1").unwrap_err();
    assert!(error.contains("the browser has ended"), "{error}");
}
