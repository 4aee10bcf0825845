//! The lines that strace(1) prints.

/// A line of strace's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// `listen(3, -1) = 0`
    Call(Call),
    /// `--- SIGINT {si_signo=SIGINT, …} ---`: the name of the signal.
    Signal(String),
    /// `+++ exited with 0 +++`: the process has `exited with 0`.
    Ended(String),
}

/// A system call that has returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `accept4`
    pub name: String,
    /// The arguments as they were printed. None of them is empty.
    pub arguments: Vec<String>,
    /// What it has returned: a number, `-1` with an error, or `?`.
    pub result: String,
    /// The name of the error: `ECONNREFUSED`.
    pub error: Option<String>,
    /// What is said of the result in parentheses: `Connection refused`, or
    /// which descriptors are ready.
    pub remark: Option<String>,
}

/// Reads a line that may be strace's, or the program's own: then it is none.
///
/// # Errors
///
/// What cannot be read in a line that begins as strace's do.
pub fn parse(line: &str) -> Result<Option<Line>, String> {
    if let Some(rest) = line.strip_prefix("+++ ") {
        let what = rest.strip_suffix(" +++").ok_or("expected ` +++`")?;
        return Ok(Some(Line::Ended(what.to_owned())));
    }
    if let Some(rest) = line.strip_prefix("--- ") {
        let what = rest.strip_suffix(" ---").ok_or("expected ` ---`")?;
        let signal = what.split(' ').next().unwrap_or_default();
        return Ok(Some(Line::Signal(signal.to_owned())));
    }
    if line.starts_with("[pid ") || line.starts_with("<... ") {
        return Err("of several processes in one trace, no picture can be \
                    drawn: trace each in its own terminal"
            .to_owned());
    }
    let Some((name, rest)) = line.split_once('(') else { return Ok(None) };
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.is_empty() || !name.chars().all(|c| is_name(c) || c == '_') {
        return Ok(None);
    }
    let (arguments, rest) = split_arguments(rest)?;
    let Some(rest) = rest.trim_start().strip_prefix("= ") else {
        return Err(format!("expected `= ` and a result after `{name}(…)`"));
    };
    let (result, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_number = result.parse::<i64>().is_ok();
    let is_pointer = result.starts_with("0x");
    if !is_number && !is_pointer && result != "?" {
        return Err(format!("`{result}` is no result of a call"));
    }
    let (error, rest) = match rest.split_once(' ').unwrap_or((rest, "")) {
        (error, rest) if error.starts_with('E') => {
            (Some(error.to_owned()), rest)
        }
        _ => (None, rest),
    };
    let remark = match rest {
        "" => None,
        rest => {
            let inside = rest.strip_prefix('(').and_then(|rest| {
                rest.strip_suffix(')').filter(|inside| !inside.is_empty())
            });
            let Some(inside) = inside else {
                return Err(format!("`{rest}` after the result"));
            };
            Some(inside.to_owned())
        }
    };
    if result == "-1" && error.is_none() {
        return Err("expected the name of an error after `-1`".to_owned());
    }
    let name = name.to_owned();
    let result = result.to_owned();
    Ok(Some(Line::Call(Call { name, arguments, result, error, remark })))
}

/// The arguments up to the parenthesis that closes them, and what comes after
/// it. A comma in brackets or in quotes does not part two of them.
fn split_arguments(text: &str) -> Result<(Vec<String>, &str), String> {
    let mut arguments = Vec::new();
    let mut begin = 0;
    let mut open = Vec::new();
    let mut is_quoted = false;
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' if is_quoted => {
                characters.next();
            }
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' | '[' | '{' => open.push(c),
            ')' | ',' if open.is_empty() => {
                let argument = text[begin..at].trim();
                begin = at + 1;
                let is_last = c == ')';
                match argument {
                    "" if is_last && arguments.is_empty() => {}
                    "" => return Err("an argument is empty".to_owned()),
                    argument => arguments.push(argument.to_owned()),
                }
                if is_last {
                    return Ok((arguments, &text[begin..]));
                }
            }
            ')' | ']' | '}' => {
                let opened = open.pop();
                let pair = [('(', ')'), ('[', ']'), ('{', '}')];
                if !pair.iter().any(|&(a, b)| opened == Some(a) && c == b) {
                    return Err(format!("`{c}` closes nothing"));
                }
            }
            _ => {}
        }
    }
    Err(match is_quoted {
        true => "a quotation mark is missing".to_owned(),
        false => "the parenthesis is never closed: a call is drawn when it \
                  has returned"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn call(line: &str) -> Call {
        match parse(line) {
            Ok(Some(Line::Call(call))) => call,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_call_has_arguments_and_a_result() {
        let call = call("listen(3, -1)                           = 0");
        assert_eq!(call.name, "listen");
        assert_eq!(call.arguments, ["3", "-1"]);
        assert_eq!(call.result, "0");
        assert_eq!((call.error, call.remark), (None, None));
    }

    #[test]
    fn commas_in_brackets_and_in_quotes_part_nothing() {
        let bind =
            call(r#"bind(3, {sa_family=AF_UNIX, sun_path="a,)"}, 6) = 0"#);
        assert_eq!(bind.arguments[1], r#"{sa_family=AF_UNIX, sun_path="a,)"}"#);
        let accept = call(
            "accept4(3, {sa_family=AF_UNIX}, [110 => 2], SOCK_CLOEXEC) = 4",
        );
        assert_eq!(accept.arguments.len(), 4);
        let read = call(r#"recvfrom(4, "\0\17{\"get\":\"a, b\"}", …) = 19"#);
        assert_eq!(read.arguments[1], r#""\0\17{\"get\":\"a, b\"}""#);
        assert_eq!(read.arguments[2], "…");
        let cut = call(r#"sendto(3, "Hello?Hello"..., 6000, 0, NULL, 0) = 6"#);
        assert_eq!(cut.arguments[1], r#""Hello?Hello"..."#);
        assert_eq!(call("getpid() = 7").arguments, [""; 0]);
    }

    #[test]
    fn an_error_has_a_name_and_a_text() {
        let call = call(
            "connect(3, {sun_path=\"m\"}, 4) = -1 ECONNREFUSED \
             (Connection refused)",
        );
        assert_eq!(call.result, "-1");
        assert_eq!(call.error.unwrap(), "ECONNREFUSED");
        assert_eq!(call.remark.unwrap(), "Connection refused");
    }

    #[test]
    fn a_result_may_have_a_remark_or_be_unknown() {
        let ready = call("ppoll([{fd=4}], 1) = 1 ([{fd=4, revents=POLLIN}])");
        assert_eq!(ready.remark.unwrap(), "[{fd=4, revents=POLLIN}]");
        assert_eq!(ready.error, None);
        let stopped = call("accept4(3, 0x7f, [110], 0) = ? ERESTARTSYS (To)");
        assert_eq!(stopped.result, "?");
        assert_eq!(stopped.error.unwrap(), "ERESTARTSYS");
        assert_eq!(call("mmap(NULL, 8) = 0x7f12").result, "0x7f12");
    }

    #[test]
    fn signals_and_ends_are_known() {
        let line = "--- SIGINT {si_signo=SIGINT, si_pid=1} ---";
        assert_eq!(parse(line), Ok(Some(Line::Signal("SIGINT".to_owned()))));
        let line = parse("+++ exited with 0 +++");
        assert_eq!(line, Ok(Some(Line::Ended("exited with 0".to_owned()))));
    }

    #[test]
    fn what_the_program_prints_is_not_straces() {
        for line in [
            "listening on mysocket",
            "received 6 bytes: \"Hello?\"",
            "",
            "Caused by:",
            "    Connection refused (os error 111)",
            "accepted connection 1 from (unnamed)",
        ] {
            assert_eq!(parse(line), Ok(None), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for (line, expected) in [
            ("listen(3, -1", "never closed"),
            ("accept4(3,  <unfinished ...>", "never closed"),
            ("[pid 7] listen(3, -1) = 0", "several processes"),
            ("<... accept4 resumed>) = 4", "several processes"),
            ("listen(3, -1)", "expected `= `"),
            ("listen(3, -1) = ", "no result"),
            ("listen(3, -1) = zero", "no result"),
            ("listen(3, -1) = -1", "name of an error"),
            ("listen(3, -1) = 0 or so", "after the result"),
            ("listen(3, , 4) = 0", "is empty"),
            ("listen(3, ]) = 0", "closes nothing"),
            ("listen(\"3, -1) = 0", "quotation mark"),
            ("+++ exited with 0", "expected ` +++`"),
            ("--- SIGINT", "expected ` ---`"),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
