//! Serves the book to this machine's browser, and builds it anew on a change.
//!
//! Any page in the browser can send requests to a local server, and any user
//! of the machine can. So it answers only requests that name it as their host,
//! that no other site has made, and that ask for a file of the book, or for a
//! transcript to be played: `play.rs` says who may do that.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::panic::resume_unwind;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use axum::body::Body;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use percent_encoding::percent_decode_str;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tower_http::services::{ServeDir, ServeFile};

use crate::course::Course;
use crate::interrupt::{self, Interrupt};
use crate::pages::Problems;
use crate::play::Plays;
use crate::progress::Progress;
use crate::site::{self, Edition};
use crate::transcript::{self, Transcript};

/// The port that is tried first, as mdBook does.
pub(crate) const FIRST_PORT: u16 = 3000;
/// How many ports are tried.
const PORTS: u16 = 100;

/// How long nothing must change before the book is built again: an editor
/// writes a file in several steps.
const QUIET: Duration = Duration::from_millis(50);

/// What the pages are made of, relative to the repository's root.
const SOURCES: [&str; 7] = [
    "book/book.toml",
    "book/chapters",
    "book/diagrams",
    "book/teaching",
    "book/theme",
    "exercises",
    "steps",
];

/// What only a served page needs.
const ASSETS: [&str; 5] = [
    "theme/live.css",
    "theme/play.css",
    "theme/live.js",
    "theme/play.js",
    "theme/progress.js",
];

/// The most that the body of a request may have, in bytes.
const MAX_BODY: usize = 1024;

/// The most that its head may have, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// How long a request may take to arrive: its head, and then its body.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// How many connections there may be. A browser makes six.
const MAX_CONNECTIONS: usize = 64;

/// A page may load what is the book's own, and nobody may put it in a frame.
/// mdBook's pages have scripts and styles of their own in them.
const POLICY: &str = "default-src 'self'; \
    script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; object-src 'none'; \
    base-uri 'self'; form-action 'none'; frame-ancestors ";

/// What is served.
struct Site {
    port: u16,
    now: Mutex<Now>,
    plays: Arc<Plays>,
}

/// What is served at this moment.
struct Now {
    /// The last build without an error. Who answers a request holds it, so
    /// that it is not removed meanwhile.
    pages: Arc<Pages>,
    /// Why the latest build has failed, if it has.
    error: Option<String>,
}

/// A build. Its folder is removed with the last owner.
struct Pages {
    folder: TempDir,
    /// What it was built from.
    course: Course,
    /// Its transcripts, by the ids of their figures.
    transcripts: HashMap<String, Transcript>,
    /// When it was complete.
    built: Instant,
    /// The same in milliseconds since 1970: a number that no other build has,
    /// not even one of an earlier server, whose pages may still be open.
    version: u64,
}

impl Pages {
    fn root(&self) -> PathBuf {
        self.folder.path().join("book")
    }
}

/// Builds the book, serves it on 127.0.0.1 until SIGINT, SIGTERM or SIGHUP,
/// and builds it again when something changes. With no `port`, the first free
/// one is taken, from 3000 on.
///
/// # Errors
///
/// A port that cannot be had, a folder that cannot be watched, a book that
/// cannot be built.
pub fn serve(
    course: Course,
    edition: Edition,
    port: Option<u16>,
    open_browser: bool,
) -> anyhow::Result<()> {
    let listener = listen(port)?;
    let port = listener.local_addr()?.port();
    let runtime = interrupt::runtime()?;
    // From here on a signal does not kill: the pages must be removed first.
    let mut interrupt = runtime.block_on(async { Interrupt::new() })?;
    // Before the first build: no change is missed.
    let (watcher, changes) = watch(&course.root)?;
    let first = course.clone();
    let built = runtime.block_on(async {
        tokio::select! {
            built = spawn_blocking(move || build(&first, edition)) => Some(built),
            () = interrupt.wait() => None,
        }
    });
    let Some(built) = built else { return Ok(()) };
    let pages = Arc::new(built.context("building the book has failed")??);
    let now = Mutex::new(Now { pages, error: None });
    let plays = Arc::new(Plays::new().context("there are no random numbers")?);
    // The browser keeps what comes after the # to itself.
    let url = format!("http://127.0.0.1:{port}/#play={}", plays.token());
    let site = Arc::new(Site { port, now, plays });
    let builder = {
        let site = Arc::clone(&site);
        thread::spawn(move || {
            build_on_change(&course.root, edition, &site, &changes)
        })
    };

    say(io::stdout(), format!("the book is at {url} (Ctrl-C ends it)"));
    if open_browser {
        // It may take a while to see whether one opens.
        thread::spawn(move || {
            if let Err(error) = open::that_detached(&url) {
                let why = error.to_string().replace('\n', " ");
                let line = format!("open {url} yourself: no browser ({why})");
                say(io::stderr(), line);
            }
        });
    }
    let plays = Arc::clone(&site.plays);
    let result = runtime.block_on(run(listener, site, interrupt));
    plays.end();
    // Nobody may still write into a folder when it is removed: first the
    // answers end, then the build that may be under way.
    drop(runtime);
    drop(watcher);
    if builder.join().is_err() {
        bail!("building the book has panicked");
    }
    result
}

/// Prints a line. That nobody reads it any more (`cargo book | head -1`) is no
/// reason to end.
fn say(mut stream: impl Write, line: impl Display) {
    let _ = writeln!(stream, "{line}");
}

fn build(course: &Course, edition: Edition) -> anyhow::Result<Pages> {
    let folder = tempfile::Builder::new()
        .prefix("book-")
        .tempdir()
        .context("cannot make a folder for the pages")?;
    let pages = folder.path().join("book");
    let (report, transcripts) = thread::scope(|scope| {
        let transcripts = scope.spawn(|| transcript::by_id(course));
        let report = site::build(course, edition, &pages, &ASSETS);
        let transcripts = transcripts.join();
        (report, transcripts.unwrap_or_else(|panic| resume_unwind(panic)))
    });
    let report = report?;
    say(io::stdout(), &report);
    for problem in report.unexplained.iter().chain(&report.over_budget) {
        say(io::stdout(), problem);
    }
    let transcripts = transcripts.map_err(Problems)?;
    let course = course.clone();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let version = now.as_millis() as u64;
    Ok(Pages { folder, course, transcripts, built: Instant::now(), version })
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

async fn run(
    listener: TcpListener,
    site: Arc<Site>,
    mut interrupt: Interrupt,
) -> anyhow::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let app = Router::new()
        .route("/_status", get(status))
        .route("/_progress", get(progress))
        .route("/_play", post(play))
        .route("/_ask", post(ask))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .fallback(page)
        .layer(middleware::from_fn_with_state(Arc::clone(&site), guard))
        .with_state(site);
    tokio::select! {
        () = answer(listener, app) => {}
        () = interrupt.wait() => {}
    }
    Ok(())
}

/// Answers requests. A slow one, and a connection on which nothing is asked
/// for, costs the others nothing.
async fn answer(listener: tokio::net::TcpListener, app: Router) {
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let seat = Arc::clone(&seats).acquire_owned().await;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // As chapter 10 does: it may pass, and it passes slowly.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let app = TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            // An error is the other side's: it left, or was too slow.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(MAX_WAIT)
                .max_buf_size(MAX_HEAD)
                .serve_connection(TokioIo::new(stream), app)
                .await;
            drop(seat);
        });
    }
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
    let is_link = request.method() == Method::GET && is_navigation(headers);
    if !is_same_site(headers) && !is_link {
        let why = "another site has made this request".to_owned();
        return Some((StatusCode::FORBIDDEN, why));
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

/// What the pages ask for, again and again: which build is served, for how
/// many milliseconds it has been there, why the latest one has failed.
async fn status(State(site): State<Arc<Site>>) -> impl IntoResponse {
    let now = lock(&site.now);
    Json(json!({
        "version": now.pages.version,
        "age": now.pages.built.elapsed().as_millis() as u64,
        "error": now.error,
    }))
}

/// What the reader has done, by the names of steps and exercises.
async fn progress(State(site): State<Arc<Site>>) -> Response {
    let pages = Arc::clone(&lock(&site.now).pages);
    match Progress::read(&pages.course) {
        Ok(progress) => Json(progress.entries()).into_response(),
        Err(error) => {
            let why = format!("{error:#}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, why).into_response()
        }
    }
}

/// Plays a transcript and answers with what happens.
async fn play(State(site): State<Arc<Site>>, request: Request) -> Response {
    let start = match body(&site, request).await {
        Ok(start) => start,
        Err(response) => return response,
    };
    let pages = Arc::clone(&lock(&site.now).pages);
    site.plays
        .start(&pages.course, start, |id| pages.transcripts.get(id).cloned())
}

/// Asks something of what is being played.
async fn ask(State(site): State<Arc<Site>>, request: Request) -> Response {
    match body(&site, request).await {
        Ok(request) => site.plays.ask(request),
        Err(response) => response,
    }
}

/// What a page asks for, if it may.
async fn body<T>(site: &Site, request: Request) -> Result<T, Response>
where
    Json<T>: FromRequest<(), Rejection = JsonRejection>,
{
    if let Some(refusal) = site.plays.refusal(request.headers()) {
        return Err(refusal);
    }
    let body = Json::from_request(request, &());
    match tokio::time::timeout(MAX_WAIT, body).await {
        Ok(Ok(Json(body))) => Ok(body),
        Ok(Err(rejection)) => Err(rejection.into_response()),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT.into_response()),
    }
}

async fn page(State(site): State<Arc<Site>>, mut request: Request) -> Response {
    let pages = Arc::clone(&lock(&site.now).pages);
    let root = pages.root();
    if !is_inside(&root, request.uri().path()) {
        // Answered like any other file that is not there.
        *request.uri_mut() = Uri::from_static("/404");
    }
    let not_found = ServeFile::new(root.join("404.html"));
    let mut files = ServeDir::new(&root)
        .not_found_service(not_found)
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
    let Some(path) = path.strip_prefix('/') else { return false };
    // A slash that is encoded is part of a name, and no file has such a name.
    let is_encoded_slash = path.to_ascii_lowercase().contains("%2f");
    let Ok(path) = percent_decode_str(path).decode_utf8() else {
        return false;
    };
    if is_encoded_slash || path.contains(['\0', '\\']) {
        return false;
    }
    // An absolute path takes the place of the root, and is then outside of it.
    let file = root.join(&*path);
    match (file.canonicalize(), root.canonicalize()) {
        (Ok(file), Ok(root)) => file.starts_with(root),
        _ => false,
    }
}

/// Starts to watch the sources. Watching ends when the watcher is dropped, and
/// so do the messages.
fn watch(root: &Path) -> anyhow::Result<(RecommendedWatcher, Receiver<()>)> {
    let (sender, changes) = mpsc::channel();
    // As the system spells it, which reports changes.
    let root = root
        .canonicalize()
        .with_context(|| format!("cannot read {}", root.display()))?;
    let root_of_changes = root.clone();
    let mut watcher = notify::recommended_watcher(move |event| {
        if let Ok(event) = event
            && is_change(&event, &root_of_changes)
        {
            // Nobody listens any more when the program ends.
            let _ = sender.send(());
        }
    })
    .context("cannot watch for changes")?;
    // Whole folders, so that one in them may go and come back.
    for folder in ["book", "steps"] {
        watcher
            .watch(&root.join(folder), RecursiveMode::Recursive)
            .with_context(|| format!("cannot watch {folder}"))?;
    }
    Ok((watcher, changes))
}

/// Whether an event says that the book may look different now.
fn is_change(event: &notify::Event, root: &Path) -> bool {
    let is_source = |path: &PathBuf| {
        let path = path.strip_prefix(root).unwrap_or(path);
        let is_scratch = path.components().any(is_scratch);
        !is_scratch && SOURCES.iter().any(|source| path.starts_with(source))
    };
    // The system asks for it when it could not report every change.
    event.need_rescan()
        || !event.kind.is_access() && event.paths.iter().any(is_source)
}

/// What editors and Cargo keep beside the sources.
fn is_scratch(part: Component) -> bool {
    let name: &OsStr = part.as_os_str();
    let name = name.as_encoded_bytes();
    name == b"target" || name.starts_with(b".") || name.ends_with(b"~")
}

fn build_on_change(
    root: &Path,
    edition: Edition,
    site: &Site,
    changes: &Receiver<()>,
) {
    while changes.recv().is_ok() {
        while changes.recv_timeout(QUIET).is_ok() {}
        let built = Course::read(root)
            .map_err(anyhow::Error::from)
            .and_then(|course| build(&course, edition));
        match built {
            Ok(pages) => {
                *lock(&site.now) = Now { pages: Arc::new(pages), error: None };
            }
            Err(error) => {
                let error = Some(format!("{error:#}"));
                let mut now = lock(&site.now);
                // Once, however often the file is saved.
                if now.error != error {
                    now.error = error;
                    let error = now.error.as_deref().unwrap_or_default();
                    say(io::stderr(), error);
                    say(io::stderr(), "the last good pages stay");
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
