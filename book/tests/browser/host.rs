//! A host for static pages, as anybody has one: it knows nothing of the book.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// Serves a folder under a path of its own, as long as the tests run; returns
/// the URL of the folder. For what is not there, it sends the folder's
/// `404.html`, and for what is not under the path, nothing.
///
/// `path` begins and ends with a slash.
pub fn serve(folder: &Path, path: &str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let site = Arc::new((folder.to_owned(), path.to_owned()));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let site = Arc::clone(&site);
            // A browser also connects ahead, and asks for nothing.
            thread::spawn(move || answer(&site.0, &site.1, stream));
        }
    });
    format!("http://127.0.0.1:{port}{path}")
}

fn answer(folder: &Path, path: &str, mut stream: TcpStream) {
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let Some(request) = lines.next() else { return };
    while lines.next().is_some_and(|line| !line.is_empty()) {}
    let target = request.split(' ').nth(1).unwrap_or_default();
    let target = target.split('?').next().unwrap_or_default();
    let name = target.strip_prefix(path).map(|name| match name {
        "" => "index.html",
        name => name,
    });
    let found = name.and_then(|name| {
        fs::read(folder.join(name)).ok().map(|bytes| (name, "200 OK", bytes))
    });
    let (name, status, body) = found.unwrap_or_else(|| {
        let page = name.and_then(|_| fs::read(folder.join("404.html")).ok());
        ("404.html", "404 Not Found", page.unwrap_or_default())
    });
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
}
