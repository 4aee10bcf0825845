//! What a call is about, in few words: the arguments that matter, and what the
//! kernel does.

use super::strace::Call;

/// A part of what is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    Text(String),
    /// A descriptor, by its number.
    Descriptor(String),
}

/// The call with the arguments that matter. `…` is for the others.
pub fn call(call: &Call) -> Vec<Word> {
    let arguments: Vec<&str> =
        call.arguments.iter().map(String::as_str).collect();
    let (mut shown, has_more) = match (call.name.as_str(), &*arguments) {
        ("socket", [family, kind, ..]) => {
            let kind = kind.split('|').next().unwrap_or(kind);
            (vec![text(family), text(kind)], true)
        }
        ("bind" | "connect", [socket, address, ..]) => {
            (vec![descriptor(socket), text(name(address))], true)
        }
        ("accept" | "accept4", [socket, ..]) => {
            (vec![descriptor(socket)], true)
        }
        ("sendto" | "write", [socket, bytes, ..]) => {
            (vec![descriptor(socket), text(bytes)], true)
        }
        ("recvfrom" | "read", [socket, ..]) => (vec![descriptor(socket)], true),
        ("poll" | "ppoll", [set, ..]) => {
            (descriptors(set).map(descriptor).collect(), true)
        }
        ("listen" | "shutdown" | "close", [socket, others @ ..]) => {
            let others = others.iter().map(|other| text(other));
            ([descriptor(socket)].into_iter().chain(others).collect(), false)
        }
        (_, all) => (all.iter().map(|other| text(other)).collect(), false),
    };
    if has_more {
        shown.push(text("…"));
    }
    let mut words = vec![text(&format!("{}(", call.name))];
    for (number, word) in shown.into_iter().enumerate() {
        if number > 0 {
            words.push(text(", "));
        }
        words.push(word);
    }
    words.push(text(")"));
    words
}

/// What the call has returned.
pub fn result(call: &Call) -> Vec<Word> {
    if let Some(error) = &call.error {
        return vec![text(error)];
    }
    match call.name.as_str() {
        "socket" | "accept" | "accept4" => vec![descriptor(&call.result)],
        // The bytes come with the result.
        "recvfrom" | "read" if call.result != "0" => {
            let bytes = call.arguments.get(1).map_or("", String::as_str);
            vec![text(&format!("{}: {bytes}", call.result))]
        }
        "poll" | "ppoll" => {
            let mut words = vec![text(&call.result)];
            let ready = call.remark.as_deref().unwrap_or_default();
            for (number, ready) in descriptors(ready).enumerate() {
                words.push(text(if number == 0 { ": " } else { ", " }));
                words.push(descriptor(ready));
            }
            words
        }
        _ => vec![text(&call.result)],
    }
}

/// What the kernel does in such a call, if this book says it of this one.
pub fn effect(call: &Call) -> String {
    let argument =
        |at: usize| call.arguments.get(at).map_or("", String::as_str);
    let path = name(argument(1)).trim_matches('"');
    if let Some(error) = &call.error {
        let why = match (call.name.as_str(), error.as_str()) {
            ("bind", "EADDRINUSE") => format!("{path} is taken"),
            ("connect", "ECONNREFUSED") => {
                format!("nobody listens at {path}")
            }
            ("connect", "ENOENT") => format!("there is no {path}"),
            _ => call.remark.clone().unwrap_or_default(),
        };
        return why;
    }
    let bytes = |count: &str| match count {
        "1" => "1 byte".to_owned(),
        count => format!("{count} bytes"),
    };
    match call.name.as_str() {
        "socket" => "makes a socket without a name".to_owned(),
        "bind" => format!("makes the name {path}"),
        "listen" => "lets connections wait".to_owned(),
        "connect" => "puts a connection into the backlog".to_owned(),
        "accept" | "accept4" => "takes one from the backlog".to_owned(),
        "sendto" => format!("keeps {} for the peer", bytes(&call.result)),
        "recvfrom" if call.result == "0" => {
            "finds no byte, and the end".to_owned()
        }
        "recvfrom" => format!("hands over {}", bytes(&call.result)),
        "shutdown" if argument(1) == "SHUT_WR" => {
            "puts an end behind the bytes".to_owned()
        }
        "shutdown" if argument(1) == "SHUT_RD" => {
            "puts an end behind what has come".to_owned()
        }
        "close" => "forgets the descriptor".to_owned(),
        "poll" | "ppoll"
            if call.result == "1"
                && call
                    .remark
                    .as_ref()
                    .is_some_and(|ready| ready.contains("revents=POLLIN}")) =>
        {
            "finds it readable".to_owned()
        }
        "unlink" => {
            format!("removes the name {}", argument(0).trim_matches('"'))
        }
        _ => String::new(),
    }
}

/// What is waited for in a call that may have to wait for somebody else.
pub fn waits_for(call: &Call) -> Option<&'static str> {
    match call.name.as_str() {
        "accept" | "accept4" => Some("waits for a connection"),
        "recvfrom" | "read" => Some("waits for bytes, or for their end"),
        "poll" | "ppoll" => Some("waits for any of them"),
        _ => None,
    }
}

fn text(text: &str) -> Word {
    Word::Text(text.to_owned())
}

fn descriptor(number: &str) -> Word {
    match number.parse::<u32>() {
        Ok(_) => Word::Descriptor(number.to_owned()),
        // `AT_FDCWD`
        Err(_) => text(number),
    }
}

/// `"mysocket"` of `{sa_family=AF_UNIX, sun_path="mysocket"}`; all of any
/// other address.
fn name(address: &str) -> &str {
    let path = address.split_once("sun_path=").map(|(_, path)| path);
    path.and_then(|path| path.strip_suffix('}')).unwrap_or(address)
}

/// The numbers in `[{fd=4, events=POLLIN}, {fd=3, events=POLLIN}]`.
fn descriptors(set: &str) -> impl Iterator<Item = &str> {
    set.split("fd=").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit());
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[cfg(test)]
mod tests {
    use super::super::strace::{Line, parse};
    use super::*;

    /// A call, its result and its effect: descriptors in angle brackets.
    fn told(line: &str) -> (String, String, String) {
        let Ok(Some(Line::Call(read))) = parse(line) else {
            panic!("{line}");
        };
        let join = |words: Vec<Word>| -> String {
            let words = words.into_iter().map(|word| match word {
                Word::Text(text) => text,
                Word::Descriptor(number) => format!("<{number}>"),
            });
            words.collect()
        };
        (join(call(&read)), join(result(&read)), effect(&read))
    }

    #[test]
    fn the_arguments_that_matter_are_kept() {
        for (line, call, result, effect) in [
            (
                "socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3",
                "socket(AF_UNIX, SOCK_STREAM, …)",
                "<3>",
                "makes a socket without a name",
            ),
            (
                r#"bind(3, {sa_family=AF_UNIX, sun_path="mysocket"}, 11) = 0"#,
                r#"bind(<3>, "mysocket", …)"#,
                "0",
                "makes the name mysocket",
            ),
            (
                "listen(3, -1) = 0",
                "listen(<3>, -1)",
                "0",
                "lets connections wait",
            ),
            (
                "accept4(3, {sa_family=AF_UNIX}, [110 => 2], SOCK_CLOEXEC) = 4",
                "accept4(<3>, …)",
                "<4>",
                "takes one from the backlog",
            ),
            (
                r#"sendto(3, "!", 1, MSG_NOSIGNAL, NULL, 0) = 1"#,
                r#"sendto(<3>, "!", …)"#,
                "1",
                "keeps 1 byte for the peer",
            ),
            (
                r#"recvfrom(4, "Hello?", 4096, 0, NULL, NULL) = 6"#,
                "recvfrom(<4>, …)",
                r#"6: "Hello?""#,
                "hands over 6 bytes",
            ),
            (
                r#"recvfrom(4, "", …) = 0"#,
                "recvfrom(<4>, …)",
                "0",
                "finds no byte, and the end",
            ),
            (
                "shutdown(3, SHUT_WR) = 0",
                "shutdown(<3>, SHUT_WR)",
                "0",
                "puts an end behind the bytes",
            ),
            (
                r#"unlink("mysocket") = 0"#,
                r#"unlink("mysocket")"#,
                "0",
                "removes the name mysocket",
            ),
            (
                "ppoll([{fd=4, events=POLLIN}, {fd=3, events=POLLIN}], 2) \
                 = 1 ([{fd=3, revents=POLLIN}])",
                "ppoll(<4>, <3>, …)",
                "1: <3>",
                "finds it readable",
            ),
            ("getpid() = 7", "getpid()", "7", ""),
        ] {
            let expected = (call.into(), result.into(), effect.into());
            assert_eq!(told(line), expected, "{line}");
        }
    }

    #[test]
    fn an_error_says_why() {
        let (_, result, effect) = told(
            "connect(3, {sa_family=AF_UNIX, sun_path=\"m\"}, 4) = -1 \
             ECONNREFUSED (Connection refused)",
        );
        assert_eq!(result, "ECONNREFUSED");
        assert_eq!(effect, "nobody listens at m");
        let (_, result, effect) =
            told("listen(3, 1) = -1 EINVAL (Invalid argument)");
        assert_eq!((&*result, &*effect), ("EINVAL", "Invalid argument"));
    }
}
