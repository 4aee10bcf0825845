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
//! drawn alone.
//!
//! When a call was made is not told, only when it had returned. Where one that
//! can wait returns after the other program has done something, it is drawn
//! from where it may have begun, after its program's last line: it waits from
//! there, or is about to be made.

mod html;
mod strace;
mod words;

use std::collections::HashMap;

use self::strace::{Call, Line};
use self::words::Word;
use super::{Event, Transcript, parse};
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
    /// Ctrl-C was pressed, or another signal has come, and it goes on.
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

/// A line of a trace.
struct Traced {
    terminal: usize,
    /// The entry at which it stands.
    entry: usize,
    /// The command that is traced: its entry.
    command: usize,
    is_live: bool,
    line: Line,
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

    /// The lines of its traces.
    fn traced(&self) -> Result<Vec<Traced>, Vec<Problem>> {
        let mut traced = Vec::new();
        let mut problems = Vec::new();
        // For each terminal, what its last command is: its entry, and whose
        // calls it prints.
        let mut commands: Vec<Option<(usize, Source)>> = Vec::new();
        commands.resize_with(self.terminals.len(), || None);
        // The traces in files: who is traced, and by which command.
        let mut files: HashMap<&str, (usize, usize)> = HashMap::new();
        for (entry, now) in self.entries.iter().enumerate() {
            let terminal = now.terminal;
            match &now.event {
                Event::Command(command) => {
                    let words: Vec<&str> = parse::words(command).collect();
                    let source = if words.contains(&"strace") {
                        let option =
                            words.iter().position(|word| *word == "-o");
                        match option.and_then(|at| words.get(at + 1)) {
                            Some(file) => {
                                files.insert(file, (terminal, entry));
                                Source::File
                            }
                            None => Source::Live,
                        }
                    } else {
                        let mut words = words.iter();
                        match words.find_map(|word| files.get(word)) {
                            Some(&(terminal, command)) => {
                                Source::Reads { terminal, command }
                            }
                            None => Source::Untraced,
                        }
                    };
                    commands[terminal] = Some((entry, source));
                }
                Event::Printed(text) => {
                    let (terminal, command, is_live) = match &commands[terminal]
                    {
                        Some((command, Source::Live)) => {
                            (terminal, *command, true)
                        }
                        &Some((_, Source::Reads { terminal, command })) => {
                            (terminal, command, false)
                        }
                        _ => continue,
                    };
                    match strace::parse(text) {
                        Ok(None) => {}
                        Ok(Some(line)) => traced.push(Traced {
                            terminal,
                            entry,
                            command,
                            is_live,
                            line,
                        }),
                        Err(why) => problems.push(Problem::new(
                            &self.file,
                            self.line_of(entry),
                            format!("cannot read this line of strace's: {why}"),
                        )),
                    }
                }
                Event::Interrupt => {
                    let Some((command, Source::Live)) = commands[terminal]
                    else {
                        continue;
                    };
                    let line = match self.ends_command(entry) {
                        true => Line::Ended("Ctrl-C".to_owned()),
                        false => Line::Signal("Ctrl-C".to_owned()),
                    };
                    traced.push(Traced {
                        terminal,
                        entry,
                        command,
                        is_live: true,
                        line,
                    });
                }
                _ => {}
            }
        }
        if problems.is_empty() { Ok(traced) } else { Err(problems) }
    }

    /// What to call the program in a terminal: the terminal's name, or the
    /// program's, if it has none.
    fn program(&self, terminal: usize, command: usize) -> String {
        let name = &self.terminals[terminal];
        if !name.is_empty() {
            return name.clone();
        }
        let Event::Command(command) = &self.entries[command].event else {
            unreachable!("a trace belongs to a command");
        };
        let path = parse::words(command).find(|word| word.contains('/'));
        let name = path.and_then(|path| path.rsplit('/').next());
        name.unwrap_or("program").to_owned()
    }
}

/// Whose calls a command prints.
enum Source {
    /// Those that it makes.
    Live,
    /// Those of the program in this terminal, which this command has started.
    Reads { terminal: usize, command: usize },
    /// None: they go to a file.
    File,
    /// None.
    Untraced,
}

impl Sequence {
    fn read(transcript: &Transcript) -> Result<Self, Vec<Problem>> {
        let traced = transcript.traced()?;
        let refuse = |entry: usize, why: &str| {
            let line = transcript.line_of(entry);
            Err(vec![Problem::new(&transcript.file, line, why)])
        };
        let is_call = |one: &&Traced| matches!(one.line, Line::Call(_));
        if traced.iter().find(is_call).is_none() {
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
        if let [_, _, third, ..] = terminals[..] {
            let one = traced.iter().find(|one| one.terminal == third);
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
                "a trace that is read from a file does not tell what came \
                 before and after it in the other program: let both print \
                 their calls (no `-o`), or trace one alone",
            );
        }
        let lane = |terminal: usize| {
            let mut lanes = terminals.iter();
            lanes.position(|other| *other == terminal).unwrap_or_default()
        };
        let lanes = terminals.iter().map(|&terminal| {
            let one = traced.iter().find(|one| one.terminal == terminal);
            let command = one.map_or(0, |one| one.command);
            Lane { name: transcript.program(terminal, command), terminal }
        });
        let lanes = lanes.collect();

        let mut rows: Vec<Row> = Vec::new();
        // For each row, the command to which it belongs.
        let mut commands: Vec<usize> = Vec::new();
        // For each row, the entry.
        let mut entries: Vec<usize> = Vec::new();
        let mut objects = Objects::default();
        for one in &traced {
            let lane = lane(one.terminal);
            let event = match &one.line {
                Line::Signal(name) => Happening::Signal(name.clone()),
                Line::Ended(how) => {
                    objects.forget(lane);
                    Happening::Ends(how.clone())
                }
                Line::Call(call) => {
                    let words = objects.parts(lane, words::call(call));
                    let result = objects.result(lane, call);
                    // Where it may have begun.
                    let last = commands
                        .iter()
                        .rposition(|command| *command == one.command);
                    let begin = last.map_or_else(
                        || entries.iter().filter(|e| **e < one.command).count(),
                        |last| last + 1,
                    );
                    let others_act = rows[begin..].iter().any(|row| {
                        !matches!(row.event, Happening::Waits { .. })
                    });
                    let mut call_parts = words;
                    if let Some(reason) = words::waits_for(call)
                        && others_act
                    {
                        let call = std::mem::take(&mut call_parts);
                        let event = Happening::Waits { call, reason };
                        rows.insert(begin, Row { lane, event });
                        commands.insert(begin, one.command);
                        let entry = match begin {
                            0 => one.command,
                            begin => entries[begin - 1],
                        };
                        entries.insert(begin, entry);
                    }
                    Happening::Returns {
                        name: call.name.clone(),
                        call: call_parts,
                        result,
                        failed: call.error.is_some(),
                        effect: words::effect(call),
                    }
                }
            };
            rows.push(Row { lane, event });
            commands.push(one.command);
            entries.push(one.entry);
        }
        number_in_order(&mut rows);
        Ok(Self { lanes, rows })
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

/// What descriptors lead to.
#[derive(Default)]
struct Objects {
    /// By program and number.
    known: HashMap<(usize, String), usize>,
    /// How many there were.
    count: usize,
    /// Those that were connected and not yet accepted. A backlog is a queue.
    backlog: Vec<usize>,
}

impl Objects {
    /// What a descriptor leads to, as far as the trace tells.
    fn of(&mut self, lane: usize, number: &str) -> usize {
        let key = (lane, number.to_owned());
        *self.known.entry(key).or_insert_with(|| {
            self.count += 1;
            self.count
        })
    }

    fn parts(&mut self, lane: usize, words: Vec<Word>) -> Vec<Part> {
        let parts = words.into_iter().map(|word| match word {
            Word::Text(text) => Part::Text(text),
            Word::Descriptor(number) => {
                let object = self.of(lane, &number);
                Part::Descriptor { number, object }
            }
        });
        parts.collect()
    }

    /// The result of a call, after which other descriptors may be known.
    fn result(&mut self, lane: usize, call: &Call) -> Vec<Part> {
        let number = call.arguments.first().cloned().unwrap_or_default();
        match call.name.as_str() {
            _ if call.error.is_some() => {}
            "connect" => {
                let object = self.of(lane, &number);
                self.backlog.push(object);
            }
            "socket" => {
                self.known.remove(&(lane, call.result.clone()));
            }
            "accept" | "accept4" => {
                let key = (lane, call.result.clone());
                match self.backlog.is_empty() {
                    true => self.known.remove(&key),
                    false => self.known.insert(key, self.backlog.remove(0)),
                };
            }
            _ => {}
        }
        let parts = self.parts(lane, words::result(call));
        if call.name == "close" {
            self.known.remove(&(lane, number));
        }
        parts
    }

    /// A program has ended.
    fn forget(&mut self, lane: usize) {
        self.known.retain(|(other, _), _| *other != lane);
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
                 server| unlink(\"mysocket\") = 0\n"
            ),
            "server listen(3#1, -1) = 0\n\
             server gets Ctrl-C\n\
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
        .sequence("sequence-x-1", "It `waits` & <waits>.")
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
            "<b class=\"a\">server</b><b class=\"b\">client</b>",
            "there is no &lt;b&gt;",
            "<code>ENOENT</code>",
            "<b class=\"fd fd1\">3</b>",
            "It <code>waits</code> &amp; &lt;waits&gt;. <small>Dotted:",
        ] {
            assert!(html.contains(part), "no {part} in {html}");
        }
        assert!(!html.contains("\n\n"), "{html}");
        let alone = transcript(
            "needs=strace",
            "$ strace target/debug/step1-server\n| listen(3, -1) = 0\n",
        );
        let alone = alone.sequence("id", "Alone.").unwrap();
        assert!(alone.contains("<ol class=\"one\""), "{alone}");
        assert!(!alone.contains("Dotted"), "{alone}");
    }
}
