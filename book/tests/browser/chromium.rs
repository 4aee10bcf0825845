//! A headless Chromium of a test's own.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use harness::{DEADLINE, Program, Sandbox};
use serde_json::{Value, json};

use crate::page::Page;
use crate::protocol::Protocol;

/// Reads commands from descriptor 3, and writes answers to 4. `$0` and not a
/// literal name: nothing is ever quoted.
const SCRIPT: &str = r#"exec "$0" "$@" 3<commands 4>events"#;

/// The pages are all ours, and root may not have Chromium's own sandbox. The
/// rest keeps it from asking the network for anything by itself.
const FLAGS: [&str; 14] = [
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--no-default-browser-check",
];

/// Where Chromium is on this machine, if it is.
pub fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| {
        env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    })
}

/// What is missing on this machine to start one.
pub fn missing() -> Option<&'static str> {
    find().is_none().then_some("needs chromium")
}

/// A browser without a window, with a profile of its own. Dropping it kills
/// all of its processes and removes its folder.
///
/// Tests may share one: each page has cookies, storage and permissions of its
/// own. The clipboard is one for all.
pub struct Browser {
    protocol: Arc<Protocol>,
    /// Locked, so that tests can share a browser.
    program: Mutex<Program>,
    /// The last to go: nobody may write into it any more.
    sandbox: Sandbox,
}

impl Browser {
    /// Starts it with these flags besides ours, and waits until it answers.
    ///
    /// # Panics
    ///
    /// If there is no Chromium, or it does not start.
    pub fn start(flags: &[&str]) -> Self {
        let chromium = find().expect("there is no chromium");
        let sandbox = Sandbox::new();
        let [commands, events] =
            ["commands", "events"].map(|name| sandbox.join(name));
        let made = Command::new("mkfifo").args([&commands, &events]).status();
        assert!(made.is_ok_and(|status| status.success()), "no FIFOs");
        for folder in ["tmp", "profile"] {
            fs::create_dir(sandbox.join(folder)).unwrap();
        }
        let mut profile = OsString::from("--user-data-dir=");
        profile.push(sandbox.join("profile"));
        let mut command = sandbox.command("sh");
        command
            .args(["-c", SCRIPT])
            .arg(chromium)
            .args(FLAGS)
            .arg(profile)
            .args(flags)
            .env("TMPDIR", sandbox.join("tmp"));
        let program = Program::start(&mut command).expect("cannot start sh");
        // To open a FIFO waits for the other side. For reading and writing it
        // does not (see fifo(7)): whatever becomes of the browser, we go on.
        let commands =
            File::options().read(true).write(true).open(commands).unwrap();
        let protocol = Arc::new(Protocol::new(commands, events));
        let program = Mutex::new(program);
        let mut browser = Self { protocol, program, sandbox };
        if let Err(error) = browser.call("Browser.getVersion", json!({})) {
            let program = browser.program();
            program.kill();
            let mut says = String::new();
            while let Ok(line) = program.next_line(DEADLINE) {
                says += &format!("\n  | {line}");
            }
            panic!("chromium does not start: {error}; it has printed:{says}");
        }
        browser
    }

    /// Opens a page in a tab of its own, and waits until it has loaded.
    #[track_caller]
    pub fn page(&self, url: &str) -> Page {
        let page = self.tab().unwrap_or_else(|error| panic!("{error}"));
        page.go(url);
        page
    }

    /// An empty page.
    fn tab(&self) -> Result<Page, String> {
        let id = |value: &Value| value.as_str().unwrap_or("").to_owned();
        // Nothing is shared with any other page.
        let context = self.call(
            "Target.createBrowserContext",
            json!({ "disposeOnDetach": true }),
        )?;
        let context = id(&context["browserContextId"]);
        // In one window, only one of several tabs is visible.
        let target = self.call(
            "Target.createTarget",
            json!({
                "url": "about:blank",
                "browserContextId": context,
                "newWindow": true,
            }),
        )?;
        let session = self.call(
            "Target.attachToTarget",
            json!({ "targetId": target["targetId"], "flatten": true }),
        )?;
        let protocol = Arc::clone(&self.protocol);
        Page::new(protocol, id(&session["sessionId"]), context)
    }

    /// Where its profile and its temporary files are.
    pub fn folder(&self) -> &Path {
        self.sandbox.path()
    }

    /// The ids of its processes; none where there is no `/proc`.
    pub fn processes(&mut self) -> Vec<i32> {
        self.program().process_ids()
    }

    fn program(&mut self) -> &mut Program {
        self.program.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, method: &str, params: Value) -> Result<Value, String> {
        self.protocol.call(None, method, params)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.program().kill();
        // If it never opened its end, our reader still waits for that.
        let events = self.sandbox.join("events");
        let _ = File::options().read(true).write(true).open(events);
        // Its children write into the folder until they have ended, too.
        let _ = self.program().wait_for_all(DEADLINE);
        self.protocol.wait_for_end();
    }
}
