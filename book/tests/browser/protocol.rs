//! The Chrome DevTools Protocol, as far as the tests need it: commands and
//! their answers, and what happens in the pages meanwhile.
//!
//! Over a pair of pipes, a message is JSON and ends with a NUL byte. See
//! <https://chromedevtools.github.io/devtools-protocol/>.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use harness::DEADLINE;
use serde_json::{Value, json};

/// The two pipes to a browser. Any number of threads may use them at a time.
pub struct Protocol {
    commands: Mutex<File>,
    last_id: AtomicU64,
    state: Arc<Mutex<State>>,
    /// That the reader has ended, as a channel whose other end is gone.
    end: Mutex<Receiver<()>>,
}

#[derive(Default)]
struct State {
    /// Who waits for the answer to which command.
    waiting: HashMap<u64, Sender<Value>>,
    /// What the pages have said, by the session of each.
    logs: HashMap<String, Log>,
    /// No answer comes any more.
    has_ended: bool,
}

/// What a page has said and done.
#[derive(Default, Clone)]
pub struct Log {
    /// Errors and warnings, as a reader would find them in the console.
    pub console: Vec<String>,
    /// The URLs that were asked for.
    pub requests: Vec<String>,
}

impl Protocol {
    /// `commands` is open; `events` is a FIFO that the browser opens when it
    /// starts, which may fail: nobody but a thread of its own waits for that.
    pub fn new(commands: File, events: PathBuf) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let (alive, end) = mpsc::channel::<()>();
        {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                if let Ok(events) = File::open(events) {
                    read(BufReader::new(events), &state);
                }
                let mut state = lock(&state);
                state.has_ended = true;
                // Who still waits is told so.
                state.waiting.clear();
                drop(alive);
            });
        }
        Self {
            commands: Mutex::new(commands),
            last_id: AtomicU64::new(0),
            state,
            end: Mutex::new(end),
        }
    }

    /// Sends a command, to one page or to the browser, and waits for its
    /// answer.
    ///
    /// # Errors
    ///
    /// What the browser says is wrong with it, or that it says nothing.
    pub fn call(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, String> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let mut message =
            json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let (sender, answer) = mpsc::channel();
        {
            let mut state = lock(&self.state);
            if state.has_ended {
                return Err(format!("{method}: the browser has ended"));
            }
            state.waiting.insert(id, sender);
        }
        lock(&self.commands)
            .write_all(format!("{message}\0").as_bytes())
            .map_err(|error| format!("{method}: {error}"))?;
        match answer.recv_timeout(DEADLINE) {
            Ok(answer) => match answer.get("error") {
                Some(error) => Err(format!("{method}: {error}")),
                None => Ok(answer["result"].clone()),
            },
            Err(RecvTimeoutError::Timeout) => {
                lock(&self.state).waiting.remove(&id);
                Err(format!("{method}: no answer within {DEADLINE:?}"))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(format!("{method}: the browser has ended"))
            }
        }
    }

    /// What the page of this session has said and done so far.
    pub fn log(&self, session: &str) -> Log {
        lock(&self.state).logs.get(session).cloned().unwrap_or_default()
    }

    /// Waits until the browser has closed its end, at most for the deadline.
    pub fn wait_for_end(&self) {
        let _ = lock(&self.end).recv_timeout(DEADLINE);
    }
}

fn read(mut events: impl BufRead, state: &Mutex<State>) {
    let mut message = Vec::new();
    while events.read_until(0, &mut message).is_ok_and(|length| length > 0) {
        message.pop();
        if let Ok(value) = serde_json::from_slice::<Value>(&message) {
            take(value, &mut lock(state));
        }
        message.clear();
    }
}

/// An answer goes to who waits for it; an event may be worth a line in a log.
fn take(message: Value, state: &mut State) {
    if let Some(id) = message["id"].as_u64() {
        if let Some(waiting) = state.waiting.remove(&id) {
            // It may have given up.
            let _ = waiting.send(message);
        }
        return;
    }
    let Some(session) = message["sessionId"].as_str() else { return };
    let log = state.logs.entry(session.to_owned()).or_default();
    let event = &message["params"];
    match message["method"].as_str() {
        Some("Runtime.exceptionThrown") => {
            log.console.push(exception(&event["exceptionDetails"]));
        }
        Some("Runtime.consoleAPICalled") => {
            let kind = text(&event["type"]);
            if matches!(&*kind, "error" | "warning" | "assert") {
                let parts = event["args"].as_array().into_iter().flatten();
                let parts: Vec<_> = parts.map(remote).collect();
                log.console.push(format!("{kind}: {}", parts.join(" ")));
            }
        }
        Some("Log.entryAdded") => {
            let entry = &event["entry"];
            let level = text(&entry["level"]);
            if matches!(&*level, "error" | "warning") {
                let (what, url) = (text(&entry["text"]), text(&entry["url"]));
                log.console.push(format!("{level}: {what} {url}"));
            }
        }
        Some("Network.requestWillBeSent") => {
            log.requests.push(text(&event["request"]["url"]));
        }
        _ => {}
    }
}

/// What went wrong in a script, and where.
pub fn exception(details: &Value) -> String {
    let what = remote(&details["exception"]);
    let line = details["lineNumber"].as_u64().unwrap_or(0) + 1;
    let place = match details["url"].as_str() {
        Some(url) => format!(" ({url}:{line})"),
        None => String::new(),
    };
    format!("{}: {what}{place}", text(&details["text"]))
}

/// An object in the page, as the console would show it.
fn remote(object: &Value) -> String {
    match object["description"].as_str() {
        Some(description) => description.to_owned(),
        None => text(&object["value"]),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
