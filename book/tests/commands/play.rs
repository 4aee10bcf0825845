//! `cargo book`: who may play a transcript, what is told of it, and that
//! nothing of it is left.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::path::Path;
use std::time::Instant;

use harness::{DEADLINE, Exit, Signal};
use serde_json::{Value, json};

use crate::http::Answer;
use crate::repository::{Repository, Server};

/// A server of a book with this transcript, as `transcript-preface-1`.
fn serve(transcript: &str) -> (Repository, Server) {
    let repository = Repository::new();
    repository.preface(&format!("```console\n{transcript}```"));
    let server = repository.serve();
    (repository, server)
}

/// Prints where it is played, and waits for input.
const WAITS: &str = "$ echo $PWD; cat\n| /tmp/here\n^D\n";

/// What is being played.
struct Play {
    news: BufReader<TcpStream>,
    /// How the requests about it call it.
    name: String,
}

impl Server {
    fn post(&self, path: &str, body: &str, headers: &[&str]) -> Answer {
        let length = format!("Content-Length: {}", body.len());
        let headers = [headers, &[&*length]].concat().join("\r\n");
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{headers}\r\n\
             Connection: close\r\n\r\n{body}",
            self.port
        ))
    }

    /// What a page of the book sends besides.
    fn allowed(&self) -> [String; 2] {
        let token = format!("X-Book-Token: {}", self.token);
        ["Content-Type: application/json".to_owned(), token]
    }

    fn post_as_page(&self, path: &str, body: &Value) -> Answer {
        let [kind, token] = self.allowed();
        self.post(path, &body.to_string(), &[&kind, &token])
    }

    fn ask_play(&self, play: &Play, what: Value) {
        let body = json!({ "play": play.name, "ask": what });
        let answer = self.post_as_page("/_ask", &body);
        assert_eq!((answer.status, &*answer.body), (200, "{}"));
    }

    /// Starts to play the first transcript of the preface.
    fn play(&self, step: bool) -> Play {
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let body = start("transcript-preface-1", step).to_string();
        let headers = self.allowed().join("\r\n");
        let (port, length) = (self.port, body.len());
        write!(
            stream,
            "POST /_play HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut play =
            Play { news: BufReader::new(stream), name: String::new() };
        let first = play.next();
        assert_eq!(first["news"], "play");
        play.name = first["play"].as_str().unwrap().to_owned();
        play
    }
}

fn start(transcript: &str, step: bool) -> Value {
    json!({ "transcript": transcript, "step": step })
}

impl Play {
    /// The next thing that happens, beats and glances at the kernel left out.
    #[track_caller]
    fn next(&mut self) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < deadline, "nothing happens");
            let mut line = String::new();
            let length = self.news.read_line(&mut line).unwrap();
            assert_ne!(length, 0, "the news have ended");
            // The heads, and the lengths of the chunks.
            let Ok(news) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            if !["beat", "kernel"].iter().any(|kind| news["news"] == *kind)
                && news.is_object()
            {
                return news;
            }
        }
    }

    /// All that happens until something of this kind does, and that, too.
    #[track_caller]
    fn until(&mut self, kind: &str) -> Vec<Value> {
        let deadline = Instant::now() + DEADLINE;
        let mut all = Vec::new();
        loop {
            assert!(Instant::now() < deadline, "no end of news");
            all.push(self.next());
            if all.last().unwrap()["news"] == kind {
                return all;
            }
        }
    }

    /// All that happens, to the end.
    #[track_caller]
    fn rest(&mut self) -> Vec<Value> {
        let all = self.until("done");
        all.into_iter().filter(|news| news["news"] != "next").collect()
    }
}

/// Waits until a folder is gone, and with it what ran in it.
#[track_caller]
fn expect_gone(folder: &str) {
    assert!(folder.starts_with("/tmp/sock"), "{folder}");
    let deadline = Instant::now() + DEADLINE;
    while Path::new(folder).exists() {
        assert!(Instant::now() < deadline, "{folder} is still there");
        std::thread::yield_now();
    }
    expect_nothing_runs(folder);
}

/// Waits until no process has this folder as its own.
#[track_caller]
fn expect_nothing_runs(folder: &str) {
    let deadline = Instant::now() + DEADLINE;
    let runs = || {
        fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            let cwd = fs::read_link(entry.path().join("cwd"));
            cwd.is_ok_and(|cwd| cwd.to_string_lossy().starts_with(folder))
        })
    };
    while runs() {
        assert!(Instant::now() < deadline, "something runs in {folder}");
        std::thread::yield_now();
    }
}

/// Where [`WAITS`] is played.
#[track_caller]
fn folder(play: &mut Play) -> String {
    let printed = play.until("printed").pop().unwrap();
    printed["text"].as_str().unwrap().to_owned()
}

#[test]
fn plays_to_the_end_and_finds_it_as_printed() {
    let (_repository, server) = serve(
        "server$ cat\nserver> one\nserver| one\nclient$ echo two; exit 3\n\
         client| two\nclient? 3\nserver^D\n",
    );
    let rest = server.play(false).rest();
    let expected = json!([
        { "news": "did", "entry": 0 },
        { "news": "did", "entry": 1 },
        { "news": "printed", "entry": 2, "text": "one", "same": true },
        { "news": "did", "entry": 3 },
        { "news": "printed", "entry": 4, "text": "two", "same": true },
        { "news": "ended", "terminal": 1, "entry": 5, "code": 3, "same": true },
        { "news": "did", "entry": 6 },
        { "news": "ended", "terminal": 0, "entry": null, "code": 0, "same": true },
        { "news": "done", "differences": 0, "why": null },
    ]);
    assert_eq!(json!(rest), expected);
    server.end();
}

#[test]
fn marks_what_is_different() {
    let (_repository, server) =
        serve("$ echo one; echo three; exit 1\n| one\n| two\n");
    let rest = server.play(false).rest();
    let expected = json!([
        { "news": "did", "entry": 0 },
        { "news": "printed", "entry": 1, "text": "one", "same": true },
        { "news": "printed", "entry": 2, "text": "three", "same": false },
        { "news": "ended", "terminal": 0, "entry": null, "code": 1, "same": false },
        { "news": "done", "differences": 2, "why": null },
    ]);
    assert_eq!(json!(rest), expected);

    let (_repository, server) =
        serve("$ echo one; echo two\n| one\n$ true\n| three\n");
    let rest = server.play(false).rest();
    assert_eq!(
        rest[2],
        json!({ "news": "extra", "terminal": 0, "text": "two" })
    );
    assert_eq!(rest[5]["news"], "missing");
    assert_eq!(rest[5]["entry"], 3);
}

#[test]
fn goes_on_step_by_step() {
    let (_repository, server) = serve("$ cat\n> one\n| one\n^D\n");
    let mut play = server.play(true);
    for entry in 0..3 {
        let news = play.until("next").pop().unwrap();
        assert_eq!(news["entry"], entry);
        // Nothing happens until it is asked for: the next is the answer.
        server.ask_play(&play, json!("step"));
        let news = play.next();
        assert_eq!(news["entry"], entry, "{news}");
    }
    play.until("next");
    server.ask_play(&play, json!("go"));
    let done = play.rest().pop().unwrap();
    assert_eq!(done["differences"], 0);
}

#[test]
fn lets_somebody_take_over() {
    let (_repository, server) =
        serve("$ echo ready; exec cat\n| ready\n> one\n| one\n^D\n");
    // A shell that has only just started may lose a signal.
    let begin = || {
        let mut play = server.play(true);
        server.ask_play(&play, json!("step"));
        server.ask_play(&play, json!("step"));
        play.until("printed");
        play
    };
    let mut play = begin();
    let line = json!({ "type": { "terminal": 0, "text": "mine\nand more" } });
    server.ask_play(&play, line);
    let extra = play.until("extra").pop().unwrap();
    assert_eq!(extra["text"], "mine");
    server.ask_play(&play, json!({ "press": { "terminal": 0, "key": "end" } }));
    let rest = play.rest();
    assert_eq!(rest[0]["code"], 0);
    assert_eq!(
        rest[1],
        json!({ "news": "done", "differences": 0, "why": null })
    );

    for (key, code) in [("interrupt", 130), ("terminate", 143), ("kill", 137)] {
        let mut play = begin();
        let key = json!({ "press": { "terminal": 0, "key": key } });
        server.ask_play(&play, key);
        let ended = play.until("ended").pop().unwrap();
        assert_eq!(ended["code"], code);
    }
}

#[test]
fn touches_only_what_it_has_started() {
    let (_repository, server) = serve("one$ true\ntwo$ true\n");
    let mut play = server.play(true);
    for terminal in [1, 2, u64::MAX] {
        let line = json!({ "type": { "terminal": terminal, "text": "x" } });
        let body = json!({ "play": play.name, "ask": line });
        // After the first one, nothing runs, and the play is over.
        let status = server.post_as_page("/_ask", &body).status;
        assert!(status == 200 || status == 410, "{status}");
    }
    let refused = play.until("refused").pop().unwrap();
    assert_eq!(refused["why"], "nothing runs in this terminal");
}

#[test]
fn shows_what_the_kernel_holds() {
    let (_repository, server) = serve("$ touch file; cat\n^D\n");
    let mut play = server.play(false);
    let mut line = String::new();
    while !line.contains(r#""folder":["-rw-r--r-- file"]"#) {
        line.clear();
        assert_ne!(play.news.read_line(&mut line).unwrap(), 0);
    }
}

#[test]
fn plays_only_for_its_own_pages() {
    let (repository, server) = serve("$ touch /tmp/x; true\n");
    let body = start("transcript-preface-1", false).to_string();
    let [kind, token] = server.allowed();
    let (kind, token) = (kind.as_str(), token.as_str());
    let other = "0".repeat(server.token.len());
    let other = format!("X-Book-Token: {other}");
    let short = &token[..token.len() - 1];
    let far = "Origin: http://evil.example";
    let near = format!("Origin: http://127.0.0.1:{}", server.port);
    for (headers, status) in [
        (&[kind][..], 403),
        (&[kind, &other], 403),
        (&[kind, short], 403),
        (&[kind, "X-Book-Token:"], 403),
        (&[kind, token, &other], 403),
        (&[token], 415),
        (&["Content-Type: text/plain", token], 415),
        (&["Content-Type: application/json; charset=utf-8", token], 415),
        (&[kind, "Content-Type: text/plain", token], 415),
        (&[kind, token, far], 403),
        (&[kind, token, "Origin: null"], 403),
        (&[kind, token, "Sec-Fetch-Site: cross-site"], 403),
        (&[kind, token, "Sec-Fetch-Site: same-site"], 403),
        (&[kind, token, &near, "Sec-Fetch-Site: same-origin"], 200),
    ] {
        for path in ["/_play", "/_ask"] {
            let answer = server.post(path, &body, headers);
            let expected = match (status, path) {
                // It has other fields.
                (200, "/_ask") => 422,
                (status, _) => status,
            };
            assert_eq!(answer.status, expected, "{path} {headers:?}");
            assert!(!answer.head.contains("access-control"), "{}", answer.head);
        }
    }
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        for path in ["/_play", "/_ask"] {
            let answer = server.ask(method, path, &[kind, token]);
            assert_eq!(answer.status, 405, "{method} {path}");
        }
    }
    // Nobody who only reads the pages learns the token.
    for path in ["/", "/preface.html", "/_status"] {
        assert!(!server.get(path).body.contains(&server.token), "{path}");
    }
    drop(repository);
}

#[test]
fn plays_what_is_in_the_book_and_nothing_else() {
    let (_repository, server) = serve("$ true\n");
    let play = |body: &str| {
        let [kind, token] = server.allowed();
        server.post("/_play", body, &[&kind, &token]).status
    };
    let known = start("transcript-preface-1", false);
    assert_eq!(play(&known.to_string()), 200);
    for id in ["", "transcript-preface-2", "../preface", "echo hello"] {
        assert_eq!(play(&start(id, false).to_string()), 404, "{id}");
    }
    let mut more = known.clone();
    more["command"] = json!("echo hello");
    for (body, status) in [
        (more.to_string(), 422),
        ("{}".to_owned(), 422),
        ("{".to_owned(), 400),
        (format!("{known}{}", " ".repeat(1024)), 413),
    ] {
        assert_eq!(play(&body), status, "{body}");
    }
    let gone = json!({ "play": "x", "ask": "step" });
    assert_eq!(server.post_as_page("/_ask", &gone).status, 410);
}

#[test]
fn says_what_cannot_be_played() {
    let (_repository, server) = serve("$ true\n");
    assert_eq!(server.get("/preface.html").status, 200);
    let (_repository, server) = {
        let repository = Repository::new();
        let text = "```console,needs=curl\n$ curl --version\n```";
        repository.preface(text);
        let mut command = repository.command(&["--port", "0", "--no-open"]);
        let server = Server::start(command.env("PATH", "/nowhere"));
        (repository, server)
    };
    let answer =
        server.post_as_page("/_play", &start("transcript-preface-1", false));
    assert_eq!(answer.status, 409);
    assert_eq!(answer.body, "it cannot be played here: needs curl\n");
}

#[test]
fn ends_what_it_plays_when_the_page_is_closed() {
    let (_repository, server) = serve(WAITS);
    let mut play = server.play(true);
    server.ask_play(&play, json!("step"));
    server.ask_play(&play, json!("step"));
    let folder = folder(&mut play);
    play.news.get_ref().shutdown(Shutdown::Both).unwrap();
    expect_gone(&folder);
    let body = json!({ "play": play.name, "ask": "step" });
    let deadline = Instant::now() + DEADLINE;
    while server.post_as_page("/_ask", &body).status != 410 {
        assert!(Instant::now() < deadline, "it is still known");
    }
}

#[test]
fn ends_what_it_plays_when_it_ends() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (_repository, mut server) = serve(WAITS);
        let mut play = server.play(true);
        server.ask_play(&play, json!("step"));
        server.ask_play(&play, json!("step"));
        let folder = folder(&mut play);
        server.program.signal(signal).unwrap();
        assert_eq!(server.program.wait(DEADLINE), Ok(Exit::Code(0)));
        // It has waited for that itself.
        assert!(!Path::new(&folder).exists(), "{folder} is still there");
        expect_nothing_runs(&folder);
    }
}

#[test]
fn leaves_nothing_running_when_it_is_killed() {
    let (_repository, mut server) = serve(WAITS);
    let mut play = server.play(true);
    server.ask_play(&play, json!("step"));
    server.ask_play(&play, json!("step"));
    let folder = folder(&mut play);
    server.program.kill();
    expect_nothing_runs(&folder);
    let deadline = Instant::now() + DEADLINE;
    while Path::new(&folder).exists() {
        assert!(Instant::now() < deadline, "{folder} is left");
        std::thread::yield_now();
    }
}

#[test]
fn plays_a_few_at_the_same_time() {
    let (_repository, server) = serve(WAITS);
    let plays: Vec<Play> = (0..8).map(|_| server.play(true)).collect();
    let body = start("transcript-preface-1", false);
    assert_eq!(server.post_as_page("/_play", &body).status, 429);
    // Pages are served all the same.
    assert_eq!(server.get("/preface.html").status, 200);
    drop(plays);
    let deadline = Instant::now() + DEADLINE;
    while server.post_as_page("/_play", &body).status == 429 {
        assert!(Instant::now() < deadline, "none of them ends");
    }
}

#[test]
fn ends_a_program_that_prints_without_an_end() {
    let (_repository, server) = serve("$ yes\n| y\n^C\n");
    let mut play = server.play(true);
    server.ask_play(&play, json!("step"));
    play.until("did");
    server.ask_play(&play, json!("take"));
    let done = play.rest().pop().unwrap();
    let why = done["why"].as_str().unwrap();
    assert_eq!(why, "more than 262144 bytes were printed");
}

#[test]
fn ends_a_program_that_starts_others_without_an_end() {
    let many = "echo $PWD; while :; do sleep 1000 & sleep 0.01; done";
    let (_repository, server) =
        serve(&format!("$ {many}\n| /tmp/here\n| never\n^C\n"));
    let mut play = server.play(false);
    let folder = folder(&mut play);
    let done = play.rest().pop().unwrap();
    assert_eq!(done["why"], "more than 64 processes run");
    expect_gone(&folder);
}

#[test]
fn shows_control_characters_and_hands_on_no_other_bytes() {
    let (_repository, server) = serve("$ printf '\\033[2J<b>\\377\\n'\n| x\n");
    let rest = server.play(false).rest();
    assert_eq!(rest[1]["text"], "^[[2J<b>\u{fffd}");
}

#[test]
fn a_slow_request_costs_the_others_nothing() {
    let (_repository, server) = serve("$ true\n");
    let address = (Ipv4Addr::LOCALHOST, server.port);
    let mut slow: Vec<TcpStream> = (0..70)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            stream
        })
        .collect();
    // Served as soon as the first of them have had their time.
    assert_eq!(server.get("/preface.html").status, 200);
    let mut answer = Vec::new();
    slow[0].read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.contains(" 408 "), "{answer}");

    // A head without an end is no better.
    let mut long = TcpStream::connect(address).unwrap();
    long.set_read_timeout(Some(DEADLINE)).unwrap();
    long.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let line = format!("X-Long: {}\r\n", "x".repeat(8000));
    let written = (0..100).all(|_| long.write_all(line.as_bytes()).is_ok());
    let mut answer = Vec::new();
    let read = long.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    let is_refused = !written || read.is_err() || answer.contains(" 431 ");
    assert!(is_refused, "{answer}");
    assert_eq!(server.get("/preface.html").status, 200);
}
