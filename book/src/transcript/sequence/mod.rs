//! What the kernel saw: the calls that a transcript reads with strace(1), as a
//! sequence diagram.
//!
//! It is drawn from the transcript's own lines, and the transcript's test
//! keeps it true. The lines that `strace COMMAND` prints in a terminal belong
//! to the program in that terminal; those of `strace -o FILE COMMAND` are
//! printed later, by a command that names the file. There is a lane for each
//! program, one or two of them, and one for the kernel.
//!
//! Of one program, strace tells the order of its calls. Between two programs,
//! the order is the transcript's: that of cause and effect. So both must print
//! their calls as they make them; a trace that is read from a file can only be
//! drawn alone. And a line that says what a call has brought, a connection or
//! bytes, must stand below the line of the call that has given it.
//!
//! When a call was made is not told, only when it had returned. Where one that
//! can wait returns after the other program has done something, it is drawn
//! from where it may have begun, after its program's last line: it waits from
//! there, or is about to be made.

mod html;
mod objects;
mod strace;
mod trace;
mod words;

use std::mem;

use self::objects::Objects;
use self::strace::{Call, Line};
use self::trace::Traced;
use super::Transcript;
use crate::problem::Problem;

/// The calls of one or two programs, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sequence {
    /// The programs, in the order of their terminals.
    lanes: Vec<Lane>,
    rows: Vec<Row>,
}

/// A program that is traced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lane {
    /// What it is called.
    name: String,
    /// The terminal in which it runs: an index.
    terminal: usize,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    /// The program that it happens to: an index into [`Sequence::lanes`].
    lane: usize,
    event: Happening,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Happening {
    /// A call that may wait has begun, and what for it waits.
    Waits { call: Vec<Part>, reason: &'static str },
    /// A call has returned. `call` is empty if it was drawn where it began.
    Returns {
        name: String,
        call: Vec<Part>,
        result: Vec<Part>,
        failed: bool,
        effect: String,
    },
    /// Ctrl-C was pressed, or another signal has come, and the program goes on.
    Signal(String),
    /// It has ended, and how: `exited with 0`.
    Ends(String),
}

/// A part of a call as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A descriptor: its number, and what it leads to. Both ends of a
    /// connection have the same number here.
    Descriptor {
        number: String,
        object: usize,
    },
}

impl Transcript {
    /// What the kernel saw, as a block of HTML without an empty line in it.
    /// `id` becomes the figure's id, and `caption` its caption: text without
    /// markup, in which `code` may stand in backticks.
    ///
    /// # Errors
    ///
    /// A line of strace's that cannot be read, and a transcript of which no
    /// picture can be drawn.
    pub fn sequence(
        &self,
        id: &str,
        caption: &str,
    ) -> Result<String, Vec<Problem>> {
        let sequence = Sequence::read(self)?;
        Ok(sequence.html(id, caption))
    }
}

impl Sequence {
    fn read(transcript: &Transcript) -> Result<Self, Vec<Problem>> {
        let traced = transcript.traced()?;
        let problem = |(entry, why): (usize, String)| {
            let line = transcript.line_of(entry);
            vec![Problem::new(&transcript.file, line, why)]
        };
        let terminals = terminals(&traced).map_err(problem)?;
        let lanes = terminals.iter().map(|&terminal| {
            let one = traced.iter().find(|one| one.terminal == terminal);
            let command = one.map_or(0, |one| one.command);
            Lane { name: transcript.program(terminal, command), terminal }
        });
        let mut drawing = Drawing {
            connects: lanes_that_call(&traced, &terminals, "connect"),
            sends: lanes_that_call(&traced, &terminals, "sendto"),
            ..Drawing::default()
        };
        for one in &traced {
            let mut places = terminals.iter();
            let lane = places.position(|other| *other == one.terminal);
            drawing
                .add(lane.unwrap_or_default(), one)
                .map_err(|why| problem((one.entry, why)))?;
        }
        let mut rows: Vec<Row> =
            drawing.rows.into_iter().map(|(row, ..)| row).collect();
        number_in_order(&mut rows);
        Ok(Self { lanes: lanes.collect(), rows })
    }
}

/// The terminals whose programs are drawn, in their order; or why that cannot
/// be done, and at which entry.
fn terminals(traced: &[Traced]) -> Result<Vec<usize>, (usize, String)> {
    let refuse = |entry, why: &str| Err((entry, why.to_owned()));
    if !traced.iter().any(|one| matches!(one.line, Line::Call(_))) {
        return refuse(
            0,
            "no call is printed in this transcript: trace a program with \
             `strace`, in its terminal or into a file that is printed",
        );
    }
    let mut terminals: Vec<usize> =
        traced.iter().map(|one| one.terminal).collect();
    terminals.sort();
    terminals.dedup();
    if let Some(third) = terminals.get(2) {
        let one = traced.iter().find(|one| one.terminal == *third);
        return refuse(
            one.map_or(0, |one| one.entry),
            "a third program is traced, and a picture has room for two",
        );
    }
    if let Some(one) = traced.iter().find(|one| !one.is_live)
        && terminals.len() > 1
    {
        return refuse(
            one.entry,
            "a trace that is read from a file does not tell what came before \
             and after it in the other program: let both print their calls \
             (no `-o`), or trace one alone",
        );
    }
    Ok(terminals)
}

/// For each lane, whether such a call is in its trace.
fn lanes_that_call(
    traced: &[Traced],
    terminals: &[usize],
    name: &str,
) -> Vec<bool> {
    let calls = |terminal: &usize| {
        traced.iter().any(|one| {
            let Line::Call(call) = &one.line else { return false };
            one.terminal == *terminal
                && call.name == name
                && call.error.is_none()
        })
    };
    terminals.iter().map(calls).collect()
}

/// A sequence, as far as it is drawn.
#[derive(Default)]
struct Drawing {
    /// Each with the command that it belongs to, and with the entry that it is
    /// drawn from or after.
    rows: Vec<(Row, usize, usize)>,
    objects: Objects,
    /// For each lane, whether its trace has a connection that it makes.
    connects: Vec<bool>,
    /// For each lane, whether its trace has bytes that it writes.
    sends: Vec<bool>,
}

impl Drawing {
    fn add(&mut self, lane: usize, one: &Traced) -> Result<(), String> {
        let event = match &one.line {
            Line::Signal(name) => Happening::Signal(name.clone()),
            Line::Ended(how) => {
                self.objects.forget(lane);
                Happening::Ends(how.clone())
            }
            Line::Call(call) => {
                self.check_cause(lane, call)?;
                let mut parts = self.objects.parts(lane, words::call(call));
                let result = self.objects.result(lane, call);
                let begin = self.begin(one);
                let others_act = self.rows[begin..].iter().any(|(row, ..)| {
                    !matches!(row.event, Happening::Waits { .. })
                });
                if let Some(reason) = words::waits_for(call)
                    && others_act
                {
                    let call = mem::take(&mut parts);
                    let event = Happening::Waits { call, reason };
                    let entry = match begin.checked_sub(1) {
                        Some(before) => self.rows[before].2,
                        None => one.command,
                    };
                    let row = (Row { lane, event }, one.command, entry);
                    self.rows.insert(begin, row);
                }
                Happening::Returns {
                    name: call.name.clone(),
                    call: parts,
                    result,
                    failed: call.error.is_some(),
                    effect: words::effect(call),
                }
            }
        };
        self.rows.push((Row { lane, event }, one.command, one.entry));
        Ok(())
    }

    /// The place before which a call cannot have begun: after the last row of
    /// its command, or where that was typed. A signal comes whenever it likes.
    fn begin(&self, one: &Traced) -> usize {
        let is_same = |(row, command, _): &(Row, usize, usize)| {
            *command == one.command
                && !matches!(row.event, Happening::Signal(_))
        };
        match self.rows.iter().rposition(is_same) {
            Some(last) => last + 1,
            None => self
                .rows
                .iter()
                .filter(|(.., entry)| *entry < one.command)
                .count(),
        }
    }

    /// Refuses an effect that is written above its cause. The transcript's
    /// test would not notice: it waits for one line after the other, and some
    /// of them have been there for a while.
    fn check_cause(&self, lane: usize, call: &Call) -> Result<(), String> {
        let other_does = |lanes: &[bool]| {
            let mut others = lanes.iter().enumerate();
            others.any(|(other, does)| other != lane && *does)
        };
        if call.error.is_some() {
            return Ok(());
        }
        match call.name.as_str() {
            "accept" | "accept4"
                if other_does(&self.connects)
                    && self.objects.backlog.is_empty() =>
            {
                Err("nobody has connected yet: this line belongs below the \
                     other program's `connect`"
                    .to_owned())
            }
            "recvfrom"
                if other_does(&self.sends)
                    && self.objects.reads_too_much(lane, call) =>
            {
                Err("these bytes were not written yet: this line belongs \
                     below the other program's `sendto`"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// Numbers what descriptors lead to from 1, in the order in which the reader
/// meets them.
fn number_in_order(rows: &mut [Row]) {
    let mut met = Vec::new();
    for row in rows {
        let (call, result) = match &mut row.event {
            Happening::Waits { call, .. } => (call, None),
            Happening::Returns { call, result, .. } => (call, Some(result)),
            Happening::Signal(_) | Happening::Ends(_) => continue,
        };
        for part in call.iter_mut().chain(result.into_iter().flatten()) {
            let Part::Descriptor { object, .. } = part else { continue };
            let known = met.iter().position(|other| *other == *object);
            let place = known.unwrap_or_else(|| {
                met.push(*object);
                met.len() - 1
            });
            *object = place + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CHAPTER: &str = "book/chapters/01-bind.md";

    fn transcript(info: &str, text: &str) -> Transcript {
        let info = format!("console,{info}");
        Transcript::parse(&info, text, Path::new(CHAPTER), 10).unwrap()
    }

    /// The rows, one to a line, descriptors with what they lead to.
    fn drawn(text: &str) -> String {
        let sequence =
            Sequence::read(&transcript("needs=strace", text)).unwrap();
        let words = |parts: &[Part]| -> String {
            let parts = parts.iter().map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Descriptor { number, object } => {
                    format!("{number}#{object}")
                }
            });
            parts.collect()
        };
        let rows = sequence.rows.iter().map(|row| {
            let what = match &row.event {
                Happening::Waits { call, reason } => {
                    format!("{} {reason}", words(call))
                }
                Happening::Returns { name, call, result, failed, .. } => {
                    let call = match words(call) {
                        call if call.is_empty() => name.clone(),
                        call => call,
                    };
                    let failed = if *failed { " fails" } else { "" };
                    format!("{call} = {}{failed}", words(result))
                }
                Happening::Signal(name) => format!("gets {name}"),
                Happening::Ends(how) => format!("ends: {how}"),
            };
            format!("{} {what}\n", sequence.lanes[row.lane].name)
        });
        rows.collect()
    }

    #[track_caller]
    fn assert_refused(text: &str, line: usize, expected: &str) {
        let transcript = transcript("needs=strace", text);
        let problems = transcript.sequence("id", "Caption.").unwrap_err();
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!(problem.line, line, "{problem}");
        assert!(problem.to_string().starts_with(CHAPTER), "{problem}");
        assert!(problem.message.contains(expected), "{problem}");
    }

    #[test]
    fn a_call_that_waits_begins_before_what_it_waited_for() {
        assert_eq!(
            drawn(
                r#"server$ strace target/debug/step5-server
server| listen(3, -1) = 0
server| listening on mysocket
client$ strace target/debug/step5-client
client| socket(AF_UNIX, SOCK_STREAM, 0) = 3
client| connect(3, {sa_family=AF_UNIX, sun_path="m"}, 4) = 0
server| accept4(3, {sa_family=AF_UNIX}, [110 => 2], 0) = 4
client| sendto(3, "Hi", 2, 0, NULL, 0) = 2
server| recvfrom(4, "Hi", 32, 0, NULL, NULL) = 2
client| +++ exited with 0 +++
server| recvfrom(4, "", 32, 0, NULL, NULL) = 0
server^C
"#
            ),
            r#"server listen(3#1, -1) = 0
server accept4(3#1, …) waits for a connection
client socket(AF_UNIX, SOCK_STREAM, …) = 3#2
client connect(3#2, "m", …) = 0
server accept4 = 4#2
server recvfrom(4#2, …) waits for bytes, or for their end
client sendto(3#2, "Hi", …) = 2
server recvfrom = 2: "Hi"
server recvfrom(4#2, …) waits for bytes, or for their end
client ends: exited with 0
server recvfrom = 0
server ends: Ctrl-C
"#
        );
    }

    #[test]
    fn a_call_that_returns_before_anybody_acts_is_one_line() {
        assert_eq!(
            drawn(
                "$ strace target/debug/step5-server\n\
                 | accept4(3, {sa_family=AF_UNIX}, [110 => 2], 0) = 4\n\
                 | recvfrom(4, \"\", 32, 0, NULL, NULL) = 0\n"
            ),
            "step5-server accept4(3#1, …) = 4#2\n\
             step5-server recvfrom(4#2, …) = 0\n"
        );
    }

    #[test]
    fn a_call_of_the_first_line_waits_from_its_command_on() {
        assert_eq!(
            drawn(
                "server$ strace target/debug/step2-server\n\
                 server| listening on mysocket\n\
                 client$ strace target/debug/step3-client\n\
                 client| connect(3, {sun_path=\"m\"}, 4) = 0\n\
                 server| accept4(3, {sa_family=AF_UNIX}, [110 => 2], 0) = 4\n"
            ),
            "server accept4(3#1, …) waits for a connection\n\
             client connect(3#2, \"m\", …) = 0\n\
             server accept4 = 4#2\n"
        );
    }

    #[test]
    fn a_number_leads_elsewhere_when_it_is_given_out_again() {
        assert_eq!(
            drawn(
                "client$ strace target/debug/step3-client\n\
                 client| connect(3, {sun_path=\"m\"}, 4) = 0\n\
                 client| close(3) = 0\n\
                 client| socket(AF_UNIX, SOCK_STREAM, 0) = 3\n\
                 client| +++ exited with 0 +++\n\
                 client$ strace target/debug/step3-client\n\
                 client| connect(3, {sun_path=\"m\"}, 4) = -1 ECONNREFUSED (No)\n"
            ),
            "client connect(3#1, \"m\", …) = 0\n\
             client close(3#1) = 0\n\
             client socket(AF_UNIX, SOCK_STREAM, …) = 3#2\n\
             client ends: exited with 0\n\
             client connect(3#3, \"m\", …) = ECONNREFUSED fails\n"
        );
    }

    #[test]
    fn connections_are_accepted_in_their_order() {
        assert_eq!(
            drawn(
                "server$ strace target/debug/step2-server\n\
                 server| listening\n\
                 client$ strace target/debug/step3-client\n\
                 client| connect(3, {sun_path=\"m\"}, 4) = 0\n\
                 client| connect(4, {sun_path=\"m\"}, 4) = 0\n\
                 server| accept4(3, NULL, NULL, 0) = 4\n\
                 server| accept4(3, NULL, NULL, 0) = 5\n"
            ),
            "server accept4(3#1, …) waits for a connection\n\
             client connect(3#2, \"m\", …) = 0\n\
             client connect(4#3, \"m\", …) = 0\n\
             server accept4 = 4#2\n\
             server accept4(3#1, …) = 5#3\n"
        );
    }

    #[test]
    fn a_trace_in_a_file_belongs_to_who_is_traced() {
        assert_eq!(
            drawn(
                "server$ strace -o trace target/debug/step6-server 1\n\
                 server| listening on mysocket\n\
                 client$ target/debug/step6-client\n\
                 client| connected to mysocket\n\
                 server? 0\n\
                 client$ sed -n '/bind/,$p' trace\n\
                 client| unlink(\"mysocket\") = 0\n\
                 client| close(3) = 0\n"
            ),
            "server unlink(\"mysocket\") = 0\nserver close(3#1) = 0\n"
        );
    }

    #[test]
    fn a_signal_that_does_not_end_it_is_drawn() {
        assert_eq!(
            drawn(
                "server$ strace target/debug/step13-server\n\
                 server| listen(3, -1) = 0\n\
                 server^C\n\
                 server| poll([{fd=4}], 1, -1) = 1 ([{fd=4}])\n\
                 server| unlink(\"mysocket\") = 0\n"
            ),
            "server listen(3#1, -1) = 0\n\
             server poll(4#2, …) waits for any of them\n\
             server gets Ctrl-C\n\
             server poll = 1: 4#2\n\
             server unlink(\"mysocket\") = 0\n"
        );
    }

    #[test]
    fn what_cannot_be_drawn_is_refused_at_its_line() {
        assert_refused(
            "$ strace target/debug/step1-server\n\
             | listen(3, -1) = 0\n\
             | bind(3, {sun_path=\"m\" = 0\n",
            12,
            "cannot read this line of strace's: the parenthesis",
        );
        assert_refused(
            "$ strace -o trace target/debug/step1-server\n| listening\n",
            10,
            "no call is printed",
        );
        assert_refused(
            "server$ strace -o trace target/debug/step2-server\n\
             server| listening\n\
             client$ strace target/debug/step3-client\n\
             client| connect(3, {sun_path=\"m\"}, 4) = 0\n\
             server? 0\n\
             other$ cat trace\n\
             other| accept4(3, NULL, NULL, 0) = 4\n",
            16,
            "read from a file",
        );
        let early = "server$ strace target/debug/step5-server\n\
             server| listening\n\
             client$ strace target/debug/step5-client\n\
             server| accept4(3, NULL, NULL, 0) = 4\n\
             client| connect(3, {sun_path=\"m\"}, 4) = 0\n";
        assert_refused(early, 13, "nobody has connected yet");
        let early = "server$ strace target/debug/step5-server\n\
             server| listening\n\
             client$ strace target/debug/step5-client\n\
             client| connect(3, {sun_path=\"m\"}, 4) = 0\n\
             server| accept4(3, NULL, NULL, 0) = 4\n\
             client| sendto(3, \"Hi\", 2, 0, NULL, 0) = 2\n\
             server| recvfrom(4, \"Hi\", 9, 0, NULL, NULL) = 2\n\
             server| recvfrom(4, \"!\", 9, 0, NULL, NULL) = 1\n\
             client| sendto(3, \"!\", 1, 0, NULL, 0) = 1\n";
        assert_refused(early, 17, "were not written yet");
        assert_refused(
            "a$ strace target/debug/step1-server\n\
             a| listen(3, -1) = 0\n\
             b$ strace target/debug/step1-server\n\
             b| listen(3, -1) = 0\n\
             c$ strace target/debug/step1-server\n\
             c| listen(3, -1) = 0\n",
            15,
            "a third program",
        );
    }

    #[test]
    fn the_html_has_lanes_waiting_errors_and_no_markup_of_others() {
        let html = transcript(
            "needs=strace",
            "server$ strace target/debug/step2-server\n\
             server| listening\n\
             client$ strace target/debug/step3-client\n\
             client| connect(3, {sun_path=\"<b>\"}, 4) = -1 ENOENT (No)\n\
             client| +++ exited with 1 +++\n\
             client? 1\n\
             server| accept4(3, NULL, NULL, 0) = 4\n",
        )
        .sequence("sequence-x-1", "It `<waits>` & <waits>.")
        .unwrap();
        let rows: Vec<&str> = html
            .lines()
            .filter_map(|line| line.strip_prefix("<li class=\""))
            .map(|line| line.split('"').next().unwrap_or_default())
            .collect();
        assert_eq!(
            rows,
            [
                "lanes",
                "waits by-a a-starts b-off",
                "fails by-b a-waits b-starts",
                "end by-b a-waits b-ends",
                "returns by-a a-waits b-off",
            ]
        );
        for part in [
            "id=\"sequence-x-1\" style=\"--a:var(--color1);--b:var(--color2)\"",
            "aria-label=\"What the kernel saw of server and client\"",
            "<ol class=\"two\" role=\"list\">",
            "<b class=\"by-a\">server</b><b class=\"by-b\">client</b>",
            "there is no &lt;b&gt;",
            "<code>ENOENT</code>",
            "<b class=\"fd fd1\">3</b>",
            "It <code>&lt;waits&gt;</code> &amp; &lt;waits&gt;. <small>Dotted:",
        ] {
            assert!(html.contains(part), "no {part} in {html}");
        }
        assert!(!html.contains("\n\n"), "{html}");
        let signal = transcript(
            "needs=strace",
            "$ strace target/debug/step13-server\n| listen(3, -1) = 0\n^C\n\
             | poll([{fd=4}], 1, -1) = 1 ([{fd=4}])\n",
        );
        let signal = signal.sequence("id", "Waits on.").unwrap();
        assert!(signal.contains("\"signal by-a a-waits"), "{signal}");
        assert!(signal.contains("\"returns by-a a-waits"), "{signal}");
        let alone = transcript(
            "needs=strace",
            "$ strace target/debug/step1-server\n| listen(3, -1) = 0\n",
        );
        let alone = alone.sequence("id", "Alone.").unwrap();
        assert!(alone.contains("<ol class=\"one\""), "{alone}");
        assert!(!alone.contains("Dotted"), "{alone}");
    }
}
