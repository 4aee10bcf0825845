//! A page in the browser: what a reader can do with it, and what it shows.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use harness::DEADLINE;
use serde_json::{Value, json};

use crate::keys::Key;
use crate::protocol::{Protocol, exception};

/// How often a page is asked whether something is true of it.
const PAUSE: Duration = Duration::from_millis(5);

/// How much of a page a failure shows, in characters.
const SHOWN: usize = 2000;

/// Scrolls to an element, and says where its center is; or what is in the way
/// of a click there.
const FIND: &str = r"
    const element = document.querySelector(selector);
    if (!element) throw new Error(`there is no ${selector}`);
    element.scrollIntoView({ block: 'center', behavior: 'instant' });
    const box = element.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const top = document.elementFromPoint(x, y);
    if (!top || !element.contains(top))
        throw new Error(`${selector} is under ${top && top.outerHTML}`);
    return [x, y];
";

/// A page in a tab of its own. Dropping it closes the tab.
///
/// Whatever does not work is a panic that says what, at the test's line.
pub struct Page {
    protocol: Arc<Protocol>,
    session: String,
    context: String,
}

impl Page {
    /// The empty page of a session, with its own browser context.
    pub fn new(
        protocol: Arc<Protocol>,
        session: String,
        context: String,
    ) -> Result<Self, String> {
        let page = Self { protocol, session, context };
        for domain in ["Page", "Runtime", "Network", "Log"] {
            page.call(&format!("{domain}.enable"), json!({}))?;
        }
        // Every page acts as the one in front, of which there is only one.
        page.call(
            "Emulation.setFocusEmulationEnabled",
            json!({ "enabled": true }),
        )?;
        page.viewport(1280, 800);
        Ok(page)
    }

    /// Goes to a URL, and waits until the page there has loaded.
    #[track_caller]
    pub fn go(&self, url: &str) {
        let answer = self.must("Page.navigate", json!({ "url": url }));
        if let Some(error) = answer["errorText"].as_str() {
            panic!("cannot go to {url}: {error}");
        }
        self.wait_for("document.readyState === 'complete'");
    }

    /// Loads the page again, and waits until it has loaded.
    #[track_caller]
    pub fn reload(&self) {
        // Until the new page is there, the old one would answer.
        self.eval("void (window.isOld = true)");
        self.must("Page.reload", json!({}));
        self.wait_for("!window.isOld && document.readyState === 'complete'");
    }

    /// The value of a JavaScript expression; of a promise, what it comes to.
    #[track_caller]
    pub fn eval(&self, js: &str) -> Value {
        self.try_eval(js).unwrap_or_else(|error| panic!("{js}\n{error}"))
    }

    /// The same; what the script throws is an error.
    pub fn try_eval(&self, js: &str) -> Result<Value, String> {
        let answer = self.call(
            "Runtime.evaluate",
            json!({
                "expression": js,
                "awaitPromise": true,
                "returnByValue": true,
                "userGesture": true,
            }),
        )?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(exception(details)),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Waits until a JavaScript expression is true, across reloads.
    #[track_caller]
    pub fn wait_for(&self, condition: &str) {
        let deadline = Instant::now() + DEADLINE;
        let js = format!("!!({condition})");
        loop {
            // Between two pages there is nothing that could answer.
            let is_true = self.try_eval(&js);
            if is_true == Ok(Value::Bool(true)) {
                return;
            }
            if Instant::now() > deadline {
                let text: String = self.text().chars().take(SHOWN).collect();
                panic!(
                    "it did not become true that {condition} ({is_true:?}); \
                     console: {:?}; the page shows:\n{text}",
                    self.console(),
                );
            }
            // Asked from outside, since a page may be without scripts.
            thread::park_timeout(PAUSE);
        }
    }

    /// What can be read on the page.
    pub fn text(&self) -> String {
        match self.try_eval("document.body.innerText") {
            Ok(text) => text.as_str().unwrap_or_default().to_owned(),
            Err(error) => error,
        }
    }

    /// Clicks with the mouse on the center of the first such element.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let js = format!("((selector) => {{ {FIND} }})({})", json!(selector));
        let at = self.eval(&js);
        let event = |kind, button, count| {
            self.must(
                "Input.dispatchMouseEvent",
                json!({
                    "type": kind, "x": at[0], "y": at[1],
                    "button": button, "clickCount": count,
                }),
            );
        };
        event("mouseMoved", "none", 0);
        event("mousePressed", "left", 1);
        event("mouseReleased", "left", 1);
    }

    /// Presses a key and lets it go: `Enter`, `Escape`, `ArrowRight`, `a`,
    /// `Shift+Tab`, `Control+c`; a space is `Space`.
    #[track_caller]
    pub fn press(&self, key: &str) {
        let key = Key::parse(key);
        self.must("Input.dispatchKeyEvent", key.event(true));
        self.must("Input.dispatchKeyEvent", key.event(false));
    }

    /// Types a text, key by key.
    #[track_caller]
    pub fn type_text(&self, text: &str) {
        for character in text.chars() {
            let key = Key::of(character);
            self.must("Input.dispatchKeyEvent", key.event(true));
            self.must("Input.dispatchKeyEvent", key.event(false));
        }
    }

    /// What a paste would give. The page may read it for this moment alone:
    /// what a reader's page may do stays as it is.
    #[track_caller]
    pub fn clipboard(&self) -> String {
        let browser = |method, params| {
            self.protocol
                .call(None, method, params)
                .unwrap_or_else(|error| panic!("{error}"));
        };
        let context = &self.context;
        browser(
            "Browser.grantPermissions",
            json!({
                "browserContextId": context,
                "permissions": ["clipboardReadWrite"],
            }),
        );
        let text = self.eval("navigator.clipboard.readText()");
        browser(
            "Browser.resetPermissions",
            json!({ "browserContextId": context }),
        );
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Gives the window this size, in CSS pixels.
    #[track_caller]
    pub fn viewport(&self, width: u32, height: u32) {
        self.must(
            "Emulation.setDeviceMetricsOverride",
            json!({
                "width": width, "height": height,
                "deviceScaleFactor": 1, "mobile": false,
            }),
        );
    }

    /// Whether the scripts of pages that are loaded from now on run. Ours do.
    #[track_caller]
    pub fn scripts(&self, run: bool) {
        self.must(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": !run }),
        );
    }

    /// Says what the reader prefers, and nothing else: a `color-scheme`, a
    /// `reduced-motion`.
    #[track_caller]
    pub fn prefers(&self, what: &str, value: &str) {
        let feature =
            json!({ "name": format!("prefers-{what}"), "value": value });
        self.must(
            "Emulation.setEmulatedMedia",
            json!({ "features": [feature] }),
        );
    }

    /// Shows the page as this medium does: `print`, for one.
    #[track_caller]
    pub fn media(&self, media: &str) {
        self.must("Emulation.setEmulatedMedia", json!({ "media": media }));
    }

    /// What a screen reader is given, in its order: the role and the name of
    /// each node that has one.
    #[track_caller]
    pub fn accessibility(&self) -> Vec<(String, String)> {
        let tree = self.must("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().unwrap();
        let by_id: HashMap<_, _> =
            nodes.iter().map(|node| (node["nodeId"].as_str(), node)).collect();
        let mut found = Vec::new();
        let mut next = vec![&nodes[0]];
        while let Some(node) = next.pop() {
            let role = node["role"]["value"].as_str().unwrap_or_default();
            let name = node["name"]["value"].as_str().unwrap_or_default();
            if node["ignored"] == false && role != "InlineTextBox" {
                found.push((role.to_owned(), name.to_owned()));
            }
            let children = node["childIds"].as_array().into_iter().flatten();
            // The first is the next one.
            next.extend(children.rev().map(|id| by_id[&id.as_str()]));
        }
        found
    }

    /// Writes what the window shows to a PNG file, for people.
    #[track_caller]
    pub fn screenshot(&self, file: impl AsRef<Path>) {
        let answer =
            self.must("Page.captureScreenshot", json!({ "format": "png" }));
        let bytes = from_base64(answer["data"].as_str().unwrap_or_default());
        fs::write(file, bytes).unwrap();
    }

    /// Errors and warnings in the console so far, also of earlier pages.
    pub fn console(&self) -> Vec<String> {
        self.protocol.log(&self.session).console
    }

    /// The URLs that were asked for so far.
    pub fn requests(&self) -> Vec<String> {
        self.protocol.log(&self.session).requests
    }

    /// Closes the tab.
    pub fn close(self) {}

    /// A command that must work.
    #[track_caller]
    fn must(&self, method: &str, params: Value) -> Value {
        self.call(method, params).unwrap_or_else(|error| panic!("{error}"))
    }

    fn call(&self, method: &str, params: Value) -> Result<Value, String> {
        self.protocol.call(Some(&self.session), method, params)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Where the browser has ended, so has the page.
        let context = json!({ "browserContextId": self.context });
        let _ =
            self.protocol.call(None, "Target.disposeBrowserContext", context);
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes() {
        let digit = DIGITS.iter().position(|digit| *digit == byte);
        // Nothing but padding is no digit.
        let Some(digit) = digit else { break };
        bits = bits << 6 | digit as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
