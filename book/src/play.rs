//! Plays transcripts for the pages that this program serves.
//!
//! Whoever can send requests to a local server could start programs here, so
//! all that starts or touches one needs the token, which only the browser gets
//! that `cargo book` opens (or the reader, from the terminal). And a request
//! names a transcript, and nothing else: what is run is what the book says.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body::Frame;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::course::Course;
use crate::transcript::{self, Ask, Programs, Transcript};

/// How many transcripts may be played at the same time: by one reader, in some
/// windows. One whose page was closed has its place until that shows.
const MAX_PLAYS: usize = 8;

/// The header with the token.
const TOKEN: &str = "x-book-token";

/// What may be played, and what is.
pub struct Plays {
    /// 24 random bytes, in hexadecimal digits; others at each start.
    token: String,
    /// What is being played: its own random name, and where to ask. `None` when
    /// no more may be.
    running: Mutex<Option<HashMap<String, mpsc::Sender<Ask>>>>,
    /// The threads that play, and some that have ended.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// A request to play.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The id of its figure on the page: `transcript-03-connect-1`.
    transcript: String,
    /// Whether each entry waits to be asked for.
    step: bool,
}

/// A request about what is being played.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    play: String,
    ask: Ask,
}

impl Plays {
    /// Nothing is played yet.
    ///
    /// # Errors
    ///
    /// There are no random numbers.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            token: random()?,
            running: Mutex::new(Some(HashMap::new())),
            threads: Mutex::default(),
        })
    }

    /// What a page needs to play anything.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Why a request is refused that is not from a page of ours.
    pub fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        let refuse = |status: StatusCode, why: &str| {
            Some((status, format!("{why}\n")).into_response())
        };
        let kinds: Vec<_> =
            headers.get_all(header::CONTENT_TYPE).iter().collect();
        if kinds != ["application/json"] {
            let why = "this takes application/json";
            return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, why);
        }
        let tokens: Vec<_> = headers.get_all(TOKEN).iter().collect();
        let is_known = match tokens.as_slice() {
            [token] => same(token.as_bytes(), self.token.as_bytes()),
            _ => false,
        };
        if !is_known {
            let why = "this page may not start programs: open the address \
                       that `cargo book` has printed";
            return refuse(StatusCode::FORBIDDEN, why);
        }
        None
    }

    /// Starts to play the transcript that `find` knows, and answers with what
    /// happens: one JSON object to a line. When the answer is dropped, all
    /// that was started is ended.
    pub fn start(
        self: &Arc<Self>,
        course: &Course,
        start: Start,
        find: impl FnOnce(&str) -> Option<Transcript>,
    ) -> Response {
        let refuse = |status: StatusCode, why: String| {
            (status, format!("{why}\n")).into_response()
        };
        let Some(transcript) = find(&start.transcript) else {
            let why = "there is no such terminal in the book".to_owned();
            return refuse(StatusCode::NOT_FOUND, why);
        };
        if let Some(why) = transcript.missing() {
            let why = format!("it cannot be played here: {why}");
            return refuse(StatusCode::CONFLICT, why);
        }
        let Ok(name) = random() else {
            let why = "there are no random numbers".to_owned();
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, why);
        };
        let (asking, asks) = mpsc::channel();
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        match &mut *lock(&self.running) {
            Some(running) if running.len() < MAX_PLAYS => {
                running.insert(name.clone(), asking);
            }
            Some(_) => {
                let why = format!("{MAX_PLAYS} are being played already");
                return refuse(StatusCode::TOO_MANY_REQUESTS, why);
            }
            None => {
                let why = "the book's server is about to end".to_owned();
                return refuse(StatusCode::SERVICE_UNAVAILABLE, why);
            }
        }
        let entry = Entry { plays: Arc::clone(self), name };
        let course = course.clone();
        let started = thread::Builder::new().spawn(move || {
            run(&course, &transcript, start.step, asks, &entry, &sender);
        });
        match started {
            Ok(thread) => {
                let mut threads = lock(&self.threads);
                threads.retain(|thread| !thread.is_finished());
                threads.push(thread);
            }
            Err(error) => {
                let why = format!("cannot start a thread: {error}");
                return refuse(StatusCode::INTERNAL_SERVER_ERROR, why);
            }
        }
        let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
        (kind, Body::new(Lines(receiver))).into_response()
    }

    /// Hands on what a page asks for.
    pub fn ask(&self, request: Request) -> Response {
        let running = lock(&self.running);
        let asking = running.as_ref().and_then(|all| all.get(&request.play));
        match asking {
            Some(asking) if asking.send(request.ask).is_ok() => {
                Json(json!({})).into_response()
            }
            _ => (StatusCode::GONE, "this play is over\n").into_response(),
        }
    }

    /// Ends all plays, and waits until nothing that they started runs or lies
    /// around any more. No other can be started afterwards.
    pub fn end(&self) {
        // Those who play see that nobody can ask them any more.
        *lock(&self.running) = None;
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            // If it has panicked, what it had was dropped all the same.
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A play in the list of those that run; dropping it takes it out.
struct Entry {
    plays: Arc<Plays>,
    name: String,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(running) = &mut *lock(&self.plays.running) {
            running.remove(&self.name);
        }
    }
}

/// Builds what the transcript needs, and plays it.
fn run(
    course: &Course,
    transcript: &Transcript,
    step: bool,
    asks: mpsc::Receiver<Ask>,
    entry: &Entry,
    sender: &UnboundedSender<Bytes>,
) {
    let tell = |news: serde_json::Value| {
        sender.send(Bytes::from(format!("{news}\n"))).is_ok()
    };
    tell(json!({ "news": "play", "play": entry.name }));
    let programs = Programs::build_telling(
        course,
        std::slice::from_ref(transcript),
        &mut |line| {
            tell(json!({ "news": "building", "line": line }));
        },
    );
    let programs = match programs {
        Ok(programs) => programs,
        Err(problems) => {
            let lines: Vec<String> = problems
                .iter()
                .map(|problem| problem.message.clone())
                .collect();
            let why = lines.join("\n");
            tell(json!({ "news": "broken", "why": why }));
            return;
        }
    };
    transcript::live(transcript, &programs, step, asks, |news| {
        tell(serde_json::to_value(news).expect("news are plain data"))
    });
}

/// An answer that grows by a line at a time.
struct Lines(UnboundedReceiver<Bytes>);

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|line| line.map(Frame::data).map(Ok))
    }
}

/// Compares in a time that does not depend on where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

fn random() -> io::Result<String> {
    let mut bytes = [0; 24];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
