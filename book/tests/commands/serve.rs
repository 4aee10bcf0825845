//! `cargo book`: whom the server answers, what it shows, and when it ends.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Instant;

use harness::{DEADLINE, Exit, Signal};

use crate::repository::{Repository, Server, preface};

const PAGE: &str = "/preface.html";

#[test]
fn says_where_the_book_is_when_it_can_be_read_there() {
    let repository = Repository::new();
    let server = repository.serve();
    let answer = server.get("/");
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/html"));
    assert!(answer.body.contains("The first text."));
    server.end();
}

#[test]
fn answers_only_under_its_own_name() {
    let repository = Repository::new();
    let server = repository.serve();
    let port = server.port;
    for own in ["127.0.0.1", "localhost"] {
        let host = format!("Host: {own}:{port}");
        assert_eq!(server.ask_without_host("GET", PAGE, &host).status, 200);
    }
    let others = [
        String::new(),
        "Host:".to_owned(),
        "Host: 127.0.0.1".to_owned(),
        format!("Host: 127.0.0.1:{}", port ^ 1),
        format!("Host: 0.0.0.0:{port}"),
        format!("Host: [::1]:{port}"),
        format!("Host: evil.example:{port}"),
        format!("Host: 127.0.0.1:{port}.evil.example"),
        format!("Host: 127.0.0.1:{port}\r\nHost: 127.0.0.1:{port}"),
        format!("Host: 127.0.0.1:{port}\r\nHost: evil.example:{port}"),
    ];
    for path in ["/", PAGE, "/_status", "/nothing"] {
        for host in &others {
            let answer = server.ask_without_host("GET", path, host);
            assert_eq!(answer.status, 421, "{path} with {host:?}");
            assert!(!answer.body.contains("text."), "{path} with {host:?}");
        }
    }
    let elsewhere = format!("http://evil.example:{port}/");
    assert_eq!(server.get(&elsewhere).status, 421);
}

#[test]
fn answers_no_other_site() {
    let repository = Repository::new();
    let server = repository.serve();
    let port = server.port;
    let status = |method, path, headers: &[&str]| {
        server.ask(method, path, headers).status
    };
    for own in ["127.0.0.1", "localhost"] {
        let origin = format!("Origin: http://{own}:{port}");
        assert_eq!(status("GET", "/_status", &[&origin]), 200);
    }
    for other in [
        "https://evil.example".to_owned(),
        format!("http://evil.example:{port}"),
        "http://127.0.0.1:1".to_owned(),
        format!("https://127.0.0.1:{port}"),
        "null".to_owned(),
    ] {
        let origin = format!("Origin: {other}");
        for path in [PAGE, "/_status", "/nothing"] {
            assert_eq!(status("GET", path, &[&origin]), 403, "{other}");
        }
    }
    for own in ["same-origin", "none"] {
        let site = format!("Sec-Fetch-Site: {own}");
        assert_eq!(status("GET", PAGE, &[&site]), 200);
    }
    for other in ["cross-site", "same-site", ""] {
        let site = format!("Sec-Fetch-Site: {other}");
        let with = |mode, dest| {
            status(
                "GET",
                PAGE,
                &[
                    &site,
                    &format!("Sec-Fetch-Mode: {mode}"),
                    &format!("Sec-Fetch-Dest: {dest}"),
                ],
            )
        };
        assert_eq!(status("GET", PAGE, &[&site]), 403);
        assert_eq!(with("no-cors", "script"), 403);
        assert_eq!(with("navigate", "iframe"), 403);
        assert_eq!(with("no-cors", "document"), 403);
        // Somebody follows a link from there.
        assert_eq!(with("navigate", "document"), 200);
    }
    let form = [
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Dest: document",
        "Content-Length: 0",
    ];
    assert_eq!(status("POST", PAGE, &form), 403);
}

#[test]
fn can_only_be_read() {
    let repository = Repository::new();
    let server = repository.serve();
    for path in [PAGE, "/_status"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let answer = server.ask(method, path, &["Content-Length: 0"]);
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow").replace(' ', ""), "get,head");
        }
        let answer = server.ask("HEAD", path, &[]);
        assert_eq!((answer.status, &*answer.body), (200, ""));
    }
}

#[test]
fn tells_the_browser_what_a_page_may_do() {
    let repository = Repository::new();
    let server = repository.serve();
    let answers = [
        server.get(PAGE),
        server.get("/_status"),
        server.get("/nothing"),
        server.ask("POST", PAGE, &["Content-Length: 0"]),
        server.ask("GET", PAGE, &["Origin: https://evil.example"]),
        server.ask_without_host("GET", PAGE, "Host: evil.example"),
    ];
    let statuses = answers.each_ref().map(|answer| answer.status);
    assert_eq!(statuses, [200, 200, 404, 405, 403, 421]);
    for answer in answers {
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'self'",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{part} in {policy}");
        }
        assert!(!policy.contains("http"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "deny");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cache-control"), "no-store");
        let resources = answer.header("cross-origin-resource-policy");
        assert_eq!(resources, "same-origin");
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
    }
    // Without JavaScript, a page shows it in a frame.
    let contents = server.get("/toc.html");
    let policy = contents.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'self'"), "{policy}");
    assert_eq!(contents.header("x-frame-options"), "sameorigin");
}

#[test]
fn serves_files_of_the_book_and_no_others() {
    let repository = Repository::new();
    repository.write("secret.txt", "secret");
    repository.write("secret/index.html", "secret");
    let server = repository.serve();
    let built = repository.temporary();
    let [built] = built.as_slice() else { panic!("{built:?}") };
    let built = built.strip_prefix(repository.sandbox.path()).unwrap();
    let built = built.join("book");
    let built = built.to_str().unwrap();
    // What would be served if it were asked for in another way.
    repository.write(&format!("{built}/a\\b.html"), "secret");
    repository.write(&format!("{built}/theme/c.html"), "sesame");
    let secret = repository.path("secret.txt");
    repository.link(&secret, &format!("{built}/file.txt"));
    repository.link(repository.path("secret"), &format!("{built}/folder"));
    repository.link("theme/c.html", &format!("{built}/inside.html"));

    for path in ["/theme/c.html", "/theme/%63.html", "/inside.html"] {
        let answer = server.get(path);
        assert_eq!((answer.status, &*answer.body), (200, "sesame"), "{path}");
    }
    let secret = secret.to_str().unwrap();
    for path in [
        "/../../../secret.txt",
        "/theme/../../../../secret.txt",
        "/%2e%2e/%2e%2e/%2e%2e/secret.txt",
        "/..%2f..%2f..%2fsecret.txt",
        "/%252e%252e/%252e%252e/%252e%252e/secret.txt",
        "/theme/..%5c..%5csecret.txt",
        &format!("/{secret}"),
        &format!("/%2f{secret}"),
        "/file.txt",
        "/folder",
        "/folder/",
        "/folder/index.html",
        "/theme%2fc.html",
        "/theme%2Fc.html",
        "//theme/c.html",
        "/theme/%2563.html",
        "/theme/c.html%00",
        "/a\\b.html",
        "/a%5cb.html",
        "/%ff",
        "/%zz",
        // There is no list of a folder's files, either.
        "//theme",
        "/theme/",
        "/fonts/",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("secret"), "{path}");
        assert!(!answer.body.contains("sesame"), "{path}");
        assert!(answer.body.contains("Document not found"), "{path}");
    }
}

#[test]
fn a_port_that_is_taken_is_left_alone() {
    let repository = Repository::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = repository.run(&["--port", &port.to_string(), "--no-open"]);
    let says = String::from_utf8(output.stderr).unwrap();
    let expected = format!(
        "cannot serve on port {port}; leave out --port to take a free one: \
         Address already in use"
    );
    assert!(says.starts_with(&expected), "{says}");
    assert_eq!(says.lines().count(), 1, "{says}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    assert_eq!(repository.temporary(), Vec::<PathBuf>::new());
}

#[test]
fn two_servers_do_not_disturb_each_other() {
    let (first, second) = (Repository::new(), Repository::new());
    let start = |repository: &Repository| {
        Server::start(&mut repository.command(&["--no-open"]))
    };
    let one = start(&first);
    let two = start(&second);
    for server in [&one, &two] {
        assert!((3000..3100).contains(&server.port), "{}", server.port);
    }
    assert_ne!(one.port, two.port);

    let before = one.status()["version"].clone();
    second.preface("The second text.");
    two.until_page(PAGE, "The second text.");
    // A third that serves the first one's repository, and fails.
    let port = one.port.to_string();
    let third = first.run(&["--port", &port, "--no-open"]);
    assert_eq!(third.status.code(), Some(1));
    two.end();
    assert_eq!(one.status()["version"], before);
    assert!(one.get(PAGE).body.contains("The first text."));
    one.end();
}

#[test]
fn shows_an_edit_at_once() {
    let repository = Repository::new();
    let server = repository.serve();
    let first = server.status();
    assert!(first["error"].is_null(), "{first}");

    repository.preface("The second text.");
    let second = server.until(|now| now["version"] != first["version"]);
    assert!(server.get(PAGE).body.contains("The second text."));
    assert!(second["age"].is_u64(), "{second}");

    let text = preface("The third text.");
    repository.write_by_rename("book/chapters/preface.md", &text);
    server.until_page(PAGE, "The third text.");
}

#[test]
fn sees_all_that_the_pages_are_made_of() {
    let repository = Repository::new();
    let server = repository.serve();
    let step = "steps/01-one/src/bin/server.rs";
    repository.write(step, &repository.read(step).replace("hello", "servus"));
    server.until_page("/01-one.html", "servus");

    let settings = repository.read("book/book.toml");
    let title = settings.lines().find(|line| line.starts_with("title"));
    let settings = settings.replace(title.unwrap(), "title = \"Renamed\"");
    repository.write("book/book.toml", &settings);
    server.until_page(PAGE, "Renamed");

    let summary = repository.read("book/chapters/SUMMARY.md");
    let summary = format!("{summary}- [Two](two.md)\n");
    repository.write("book/chapters/two.md", "# Two\n\nA new chapter.\n");
    repository.write("book/chapters/SUMMARY.md", &summary);
    server.until_page("/two.html", "A new chapter.");
}

#[test]
fn sees_a_folder_that_goes_and_comes_back() {
    let repository = Repository::new();
    let server = repository.serve();
    let chapters = repository.path("book/chapters");
    fs::rename(&chapters, repository.path("elsewhere")).unwrap();
    server.until(|now| now["error"].is_string());
    fs::rename(repository.path("elsewhere"), &chapters).unwrap();
    server.until(|now| now["error"].is_null());
    repository.preface("The second text.");
    server.until_page(PAGE, "The second text.");
}

#[test]
fn builds_only_when_something_has_changed() {
    let repository = Repository::new();
    let server = repository.serve();
    let before = server.status()["version"].clone();
    // What editors and Cargo leave around, and what a build does itself.
    repository.write("book/chapters/.preface.md.swp", "");
    repository.write("book/chapters/preface.md~", "");
    repository.write("book/src/main.rs", "");
    repository.write("steps/01-one/target/debug/one.d", "");
    repository.builds("target/book");
    // It comes last, and long enough after them to be a change of its own.
    repository.preface("{{#oops}}");
    let status = server.until(|now| now["error"].is_string());
    assert_eq!(status["version"], before);
}

#[test]
fn a_broken_edit_shows_its_error_and_leaves_the_last_good_pages() {
    let repository = Repository::new();
    let mut server = repository.serve();
    let before = server.status()["version"].clone();

    repository.preface("{{#oops}}");
    let status = server.until(|now| now["error"].is_string());
    let error = status["error"].as_str().unwrap().to_owned();
    assert!(error.starts_with("book/chapters/preface.md:3: "), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert_eq!(status["version"], before);
    let page = server.get(PAGE);
    assert_eq!(page.status, 200);
    assert!(page.body.contains("The first text."));
    server.program.expect(&error);
    server.program.expect("the last good pages stay");

    // Saved again, and long enough after that (a build of another book) broken
    // in another place: the first error is not said again.
    repository.preface("{{#oops}}");
    Repository::new().builds("site");
    repository.preface("Well,\n\n{{#oops}}");
    let status = server.until(|now| now["error"] != *error);
    let error = status["error"].as_str().unwrap();
    assert!(error.starts_with("book/chapters/preface.md:5: "), "{error}");
    server.program.expect(error);
    server.program.expect("the last good pages stay");

    repository.preface("The second text.");
    let status = server.until(|now| now["error"].is_null());
    assert_ne!(status["version"], before);
    assert!(server.get(PAGE).body.contains("The second text."));
    server.program.expect_containing("2 chapters");
    server.end();
}

#[test]
fn only_a_served_page_asks_for_news() {
    let repository = Repository::new();
    let server = repository.serve();
    let page = server.get(PAGE).body;
    let (_, script) = page.split_once("src=\"theme/live").unwrap();
    let (script, _) = script.split_once('"').unwrap();
    let script = server.get(&format!("/theme/live{script}"));
    assert_eq!(script.status, 200);
    assert!(script.body.contains("_status"));
    // What a page with an error may not do: put the text in as HTML.
    assert!(!script.body.contains("innerHTML"));
}

#[test]
fn removes_its_pages_when_it_is_told_to_end() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let repository = Repository::new();
        let mut server = repository.serve();
        repository.preface("The second text.");
        server.until_page(PAGE, "The second text.");
        assert_eq!(repository.temporary().len(), 1, "an old build stays");
        server.program.signal(signal).unwrap();
        server.program.expect_containing("2 chapters");
        assert_eq!(server.program.expect_end(), Exit::Code(0));
        assert_eq!(repository.temporary(), Vec::<PathBuf>::new());
    }
}

#[test]
fn removes_its_pages_when_it_is_told_to_end_while_it_builds() {
    let repository = Repository::new();
    let mut server = repository.serve();
    repository.preface("The second text.");
    let deadline = Instant::now() + DEADLINE;
    while repository.temporary().len() < 2 {
        assert!(Instant::now() < deadline, "no second build");
        std::thread::yield_now();
    }
    server.program.signal(Signal::INT).unwrap();
    assert_eq!(server.program.wait(DEADLINE), Ok(Exit::Code(0)));
    assert_eq!(repository.temporary(), Vec::<PathBuf>::new());
}

#[test]
fn removes_its_pages_when_it_is_told_to_end_at_its_first_build() {
    let repository = Repository::new();
    let mut program = harness::Program::start(&mut repository.command(&[
        "--port",
        "0",
        "--no-open",
    ]))
    .unwrap();
    let deadline = Instant::now() + DEADLINE;
    while repository.temporary().is_empty() {
        assert!(Instant::now() < deadline, "no build");
        std::thread::yield_now();
    }
    program.signal(Signal::INT).unwrap();
    assert_eq!(program.wait(DEADLINE), Ok(Exit::Code(0)));
    assert_eq!(repository.temporary(), Vec::<PathBuf>::new());
}

#[test]
fn goes_on_when_nobody_reads_what_it_prints() {
    let repository = Repository::new();
    let book = repository.command(&[]);
    let mut shell = repository.sandbox.command("sh");
    shell
        .args(["-c", "\"$0\" \"$@\" --port 0 --no-open 2>&1 | head -n 2"])
        .arg(book.get_program())
        .args(book.get_args())
        .env("TMPDIR", repository.path("tmp"));
    let server = Server::start(&mut shell);
    repository.preface("{{#oops}}");
    server.until(|now| now["error"].is_string());
    repository.preface("The second text.");
    server.until_page(PAGE, "The second text.");
}

/// The crate `open` calls xdg-open here.
#[cfg(target_os = "linux")]
#[test]
fn opens_the_book_in_the_browser() {
    use std::os::unix::fs::PermissionsExt;

    let repository = Repository::new();
    let script = "#!/bin/sh\necho \"$1\" >opened~\n/bin/mv opened~ opened\n";
    repository.write("bin/xdg-open", script);
    let browser = repository.path("bin/xdg-open");
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = repository.command(&["--port", "0"]);
    let server = Server::start(command.env("PATH", repository.path("bin")));
    let deadline = Instant::now() + DEADLINE;
    while !repository.path("opened").exists() {
        assert!(Instant::now() < deadline, "nothing was opened");
        std::thread::yield_now();
    }
    let url =
        format!("http://127.0.0.1:{}/#play={}\n", server.port, server.token);
    assert_eq!(repository.read("opened"), url);
    server.end();
}

#[cfg(target_os = "linux")]
#[test]
fn goes_on_without_a_browser() {
    let repository = Repository::new();
    let mut command = repository.command(&["--port", "0"]);
    let mut server = Server::start(command.env("PATH", ""));
    let url = format!(
        "open http://127.0.0.1:{}/#play={} yourself",
        server.port, server.token
    );
    let line = server.program.expect_containing("yourself");
    assert!(line.starts_with(&url), "{line}");
    assert_eq!(server.get(PAGE).status, 200);
    server.end();
}
