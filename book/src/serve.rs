//! Serves the book to this machine's browser, and builds it anew on a change.
//!
//! Any page in the browser can send requests to a local server, and any user
//! of the machine can. So it answers only requests that name it as their host,
//! that no other site has made, and that ask for a file of the book; and it
//! can do nothing but answer.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use notify::{RecursiveMode, Watcher};
use percent_encoding::percent_decode_str;
use serde_json::json;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tower_http::services::{ServeDir, ServeFile};

use crate::course::Course;
use crate::site;

/// The port that is tried first, as mdBook does.
const FIRST_PORT: u16 = 3000;
/// How many ports are tried.
const PORTS: u16 = 100;

/// How long nothing must change before the book is built again: an editor
/// writes a file in several steps.
const QUIET: Duration = Duration::from_millis(50);

/// What is watched, relative to the repository's root.
const WATCHED: [(&str, RecursiveMode); 5] = [
    ("book", RecursiveMode::NonRecursive),
    ("book/chapters", RecursiveMode::Recursive),
    ("book/diagrams", RecursiveMode::Recursive),
    ("book/theme", RecursiveMode::Recursive),
    ("steps", RecursiveMode::Recursive),
];

/// Scripts and styles that only a served page needs.
const LIVE: &str = "theme/live.js";

/// A page may load what is the book's own, and nobody may put it in a frame.
/// mdBook's pages have scripts and styles of their own in them.
const POLICY: &str = "default-src 'self'; \
    script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; object-src 'none'; \
    base-uri 'none'; form-action 'none'; frame-ancestors ";

/// What is served now.
struct Site {
    port: u16,
    /// The last build without an error. Who answers a request holds it, so
    /// that it is not removed meanwhile.
    pages: Mutex<Option<Arc<TempDir>>>,
    status: Mutex<Status>,
}

/// What the pages ask for, again and again.
#[derive(Debug, Clone)]
struct Status {
    /// How many builds have succeeded.
    version: u64,
    /// Why the latest build has failed, if it has.
    error: Option<String>,
}

/// Builds the book, serves it on 127.0.0.1 until SIGINT or SIGTERM, and builds
/// it again when something changes. With no `port`, the first free one is
/// taken, from 3000 on.
///
/// # Errors
///
/// A book that cannot be built, a port that cannot be had, a folder that
/// cannot be watched.
pub fn serve(
    course: Course,
    port: Option<u16>,
    open_browser: bool,
) -> anyhow::Result<()> {
    let pages = build(&course)?;
    let listener = listen(port)?;
    let port = listener.local_addr()?.port();
    let site = Arc::new(Site {
        port,
        pages: Mutex::new(Some(Arc::new(pages))),
        status: Mutex::new(Status { version: 1, error: None }),
    });
    // Before anything is promised: from here on no change is missed.
    watch(course.root, Arc::clone(&site))?;

    let url = format!("http://127.0.0.1:{port}/");
    println!("the book is at {url} (Ctrl-C ends it)");
    if open_browser && let Err(error) = open::that_detached(&url) {
        eprintln!("no browser could be opened ({error}): open {url} yourself");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(run(listener, Arc::clone(&site)))?;
    // Dropped here: the thread that watches never ends.
    lock(&site.pages).take();
    Ok(())
}

fn build(course: &Course) -> anyhow::Result<TempDir> {
    let folder = tempfile::Builder::new()
        .prefix("book-")
        .tempdir()
        .context("cannot make a folder for the pages")?;
    let report = site::build(course, &folder.path().join("book"), &[LIVE])?;
    println!("{report}");
    for problem in report.unexplained.iter().chain(&report.over_budget) {
        println!("{problem}");
    }
    Ok(folder)
}

fn listen(port: Option<u16>) -> anyhow::Result<TcpListener> {
    // A literal address: a name might lead to an address of somebody else.
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    if let Some(port) = port {
        return bind(port).with_context(|| {
            format!(
                "cannot serve on port {port}; leave out --port to take a free \
                 one"
            )
        });
    }
    for port in FIRST_PORT..FIRST_PORT + PORTS {
        match bind(port) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            result => {
                return result
                    .with_context(|| format!("cannot serve on port {port}"));
            }
        }
    }
    let last = FIRST_PORT + PORTS - 1;
    bail!("the ports {FIRST_PORT} to {last} are taken; name one with --port")
}

async fn run(listener: TcpListener, site: Arc<Site>) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let app = Router::new()
        .route("/_status", get(status))
        .fallback(page)
        .layer(middleware::from_fn_with_state(Arc::clone(&site), guard))
        .with_state(site);
    tokio::select! {
        result = axum::serve(listener, app) => result?,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Refuses what no reader's browser sends, and says on every answer what a
/// browser may do with it.
async fn guard(
    State(site): State<Arc<Site>>,
    request: Request,
    next: Next,
) -> Response {
    let is_toc = request.uri().path() == "/toc.html";
    let mut response = match refusal(&site, &request) {
        Some((status, why)) => (status, format!("{why}\n")).into_response(),
        None => next.run(request).await,
    };
    // Without JavaScript, mdBook shows the table of contents in a frame.
    let (ancestors, frame) = match is_toc {
        true => ("'self'", "SAMEORIGIN"),
        false => ("'none'", "DENY"),
    };
    let policy = format!("{POLICY}{ancestors}");
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, frame),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in headers {
        let value = value.parse().expect("a header's value is ASCII");
        response.headers_mut().insert(name, value);
    }
    response
}

/// Why a request is not answered.
fn refusal(site: &Site, request: &Request) -> Option<(StatusCode, String)> {
    let port = site.port;
    let own = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let headers = request.headers();
    // A page that has rebound its name to this address sends nothing else
    // that would tell it from a reader.
    let hosts: Vec<_> = headers.get_all(header::HOST).iter().collect();
    let is_own = match hosts.as_slice() {
        [host] => own.iter().any(|own| *host == own.as_str()),
        _ => false,
    };
    let target = request.uri().authority();
    let is_elsewhere =
        target.is_some_and(|target| !own.iter().any(|own| target == own));
    if !is_own || is_elsewhere {
        let why = format!("this is http://127.0.0.1:{port}/ and no other host");
        return Some((StatusCode::MISDIRECTED_REQUEST, why));
    }
    let is_own_origin = |origin: &[u8]| {
        own.iter().any(|own| origin == format!("http://{own}").as_bytes())
    };
    let mut origins = headers.get_all(header::ORIGIN).iter();
    if !origins.all(|origin| is_own_origin(origin.as_bytes())) {
        let why = "another site has made this request".to_owned();
        return Some((StatusCode::FORBIDDEN, why));
    }
    let is_get = request.method() == Method::GET;
    let is_link = is_get && is_navigation(headers);
    if !is_same_site(headers) && !is_link {
        let why = "another site has made this request".to_owned();
        return Some((StatusCode::FORBIDDEN, why));
    }
    if !is_get && request.method() != Method::HEAD {
        let why = "there is nothing here but GET and HEAD".to_owned();
        return Some((StatusCode::METHOD_NOT_ALLOWED, why));
    }
    None
}

/// Whether the browser says that the book itself, or the reader, asks. Other
/// programs say nothing.
fn is_same_site(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    sites.all(|site| site == "same-origin" || site == "none")
}

/// Whether somebody follows a link to a page, as a tab of its own.
fn is_navigation(headers: &HeaderMap) -> bool {
    let is =
        |name, value: &str| headers.get(name).is_some_and(|is| is == value);
    is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
}

async fn status(State(site): State<Arc<Site>>) -> impl IntoResponse {
    let status = lock(&site.status).clone();
    Json(json!({ "version": status.version, "error": status.error }))
}

async fn page(State(site): State<Arc<Site>>, request: Request) -> Response {
    let Some(pages) = lock(&site.pages).clone() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let root = pages.path().join("book");
    let not_found = root.join("404.html");
    let request = match is_inside(&root, request.uri().path()) {
        true => request,
        // Answered like any other file that is not there.
        false => Request::get("/404").body(Body::empty()).expect("a request"),
    };
    let mut files = ServeDir::new(&root)
        .not_found_service(ServeFile::new(not_found))
        .call_fallback_on_method_not_allowed(false);
    match files.try_call(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            let why = format!("cannot read this file: {error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, why).into_response()
        }
    }
}

/// Whether the file that a path of a request leads to, through whatever links,
/// is one of the book's.
fn is_inside(root: &Path, path: &str) -> bool {
    let Ok(path) = percent_decode_str(path).decode_utf8() else {
        return false;
    };
    if path.contains(['\0', '\\']) {
        return false;
    }
    let file = root.join(path.trim_start_matches('/'));
    match (file.canonicalize(), root.canonicalize()) {
        (Ok(file), Ok(root)) => file.starts_with(root),
        _ => false,
    }
}

/// Starts a thread that builds the book when something changes.
fn watch(root: PathBuf, site: Arc<Site>) -> anyhow::Result<()> {
    let (sender, changes) = mpsc::channel();
    let book = root.join("book");
    let mut watcher = notify::recommended_watcher(move |event| {
        if let Ok(event) = event
            && is_change(&event, &book)
        {
            // Nobody listens any more when the program ends.
            let _ = sender.send(());
        }
    })
    .context("cannot watch for changes")?;
    for (folder, mode) in WATCHED {
        watcher
            .watch(&root.join(folder), mode)
            .with_context(|| format!("cannot watch {folder}"))?;
    }
    thread::spawn(move || {
        let _watcher = watcher;
        build_on_change(&root, &site, &changes);
    });
    Ok(())
}

/// Whether an event says that the book may look different now.
fn is_change(event: &notify::Event, book: &Path) -> bool {
    let is_write = !event.kind.is_access();
    is_write
        && event.paths.iter().any(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_scratch = name.starts_with('.') || name.ends_with('~');
            let is_other = path.parent() == Some(book) && name != "book.toml";
            !is_scratch && !is_other
        })
}

fn build_on_change(root: &Path, site: &Site, changes: &Receiver<()>) {
    while changes.recv().is_ok() {
        while changes.recv_timeout(QUIET).is_ok() {}
        let built = Course::read(root)
            .map_err(anyhow::Error::from)
            .and_then(|course| build(&course));
        match built {
            Ok(pages) => {
                *lock(&site.pages) = Some(Arc::new(pages));
                let mut status = lock(&site.status);
                status.version += 1;
                status.error = None;
            }
            Err(error) => {
                let error = format!("{error:#}");
                eprintln!("{error}\nthe last good pages stay");
                lock(&site.status).error = Some(error);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
