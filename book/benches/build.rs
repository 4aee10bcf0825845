//! How long the book takes to build, and how long an edit takes to be seen:
//!
//! ```sh
//! cargo bench --package book --profile dev
//! ```
//!
//! With `MDBOOK` set to a stock mdBook, that one builds the same text as well.
//! The figures are in `book/docs/speed.md`.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How often each thing is done.
const TIMES: usize = 20;

fn main() {
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let copy = tempfile::tempdir().unwrap();
    for folder in ["book", "exercises", "steps", "tests"] {
        copy_folder(&real.join(folder), &copy.path().join(folder));
    }
    let root = copy.path();
    let site = root.join("site");

    let book = |arguments: &[&str]| {
        let mut book = Command::new(env!("CARGO_BIN_EXE_book"));
        book.args(arguments).arg("--root").arg(root).stdout(Stdio::null());
        book
    };
    report("a whole build", || {
        run(book(&["build"]).arg("--dest").arg(&site));
    });
    let chapter = "book/chapters/05-read.md";
    let mut server = Server::start(book(&["--no-open", "--port", "0"]));
    for (what, file, text) in [
        ("an edit of a chapter", chapter, "\nEdited.\n"),
        ("an edit of a style sheet", "book/theme/page.css", "\n/* x */\n"),
        ("an edit of a program", "steps/05-read/src/bin/server.rs", "// x\n"),
    ] {
        let path = root.join(file);
        report(what, || server.sees(&path, text));
    }
    drop(server);
    if let Some(mdbook) = env::var_os("MDBOOK") {
        let stock = root.join("stock");
        copy_folder(&root.join("book/chapters"), &stock.join("chapters"));
        let settings = "[book]\ntitle = \"x\"\nsrc = \"chapters\"\n";
        fs::write(stock.join("book.toml"), settings).unwrap();
        report("a whole build by a stock mdBook", || {
            let mut build = Command::new(real.join(&mdbook));
            run(build.arg("build").current_dir(&stock).stderr(Stdio::null()));
        });
    }
}

/// Does something many times, and prints what is in the middle and the most.
fn report(what: &str, mut run: impl FnMut()) {
    let mut times: Vec<Duration> = (0..TIMES)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    let (median, most) = (times[TIMES / 2], times[TIMES - 1]);
    println!("{what}: {median:.0?}, at most {most:.0?}");
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if entry.file_type().unwrap().is_dir() {
            if name != OsStr::new("target") {
                copy_folder(&entry.path(), &to.join(name));
            }
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

/// A `cargo book` that serves. Dropping it ends it.
struct Server {
    process: Child,
    /// `127.0.0.1:PORT`
    address: String,
}

impl Server {
    fn start(mut book: Command) -> Self {
        let mut process = book.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("http://")?;
            Some(rest.split('/').next()?.to_owned())
        });
        Self { process, address: address.expect("it says where it is") }
    }

    /// Changes a file, and waits until the pages are new.
    fn sees(&mut self, file: &Path, text: &str) {
        let before = self.version();
        let mut file = fs::File::options().append(true).open(file).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        drop(file);
        while self.version() == before {
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What a page asks for to know whether it is old.
    fn version(&self) -> Value {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!(
            "GET /_status HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let status: Value = serde_json::from_str(body).unwrap();
        assert!(status["error"].is_null(), "{status}");
        status["version"].clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
