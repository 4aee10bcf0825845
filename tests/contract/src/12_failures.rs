//! Chapter 12: conversations that end before their answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::ops::Range;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

use harness::Signal;

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::limits::{ask, expect_error, pass};
use crate::{Checked, Contract, Door, Exam, Peer, Promise, Running};

pub const CONTRACTS: &[Contract] =
    &[STEP, WHICH_END, FIVE_CRASHES, SIX_PREDICTIONS];

/// How long the client waits for an answer, and how often it asks.
const PATIENCE: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 5;

/// How many answers the server remembers.
const MAX_ANSWERS: usize = 1000;

const STEP: Contract = Contract {
    id: "12-failures",
    setting: "Two programs. `server [MILLISECONDS]` is that of chapter 11: it
listens at `mysocket`, prints `listening on mysocket` when it is ready, serves
many clients at a time, and gives each `MILLISECONDS` for a request, or a
minute. What else it prints is its own affair. Each line that a client sends is
a request, and gets one line as its answer, in this order:

| request | answer |
|---|---|
| `SET name value` | `OK`, or `ERR` and a reason |
| `GET name` | `VALUE value`, or `NONE` |
| `DEL name` | `OK`, or `NONE` |
| `ADD name number` | `VALUE` and the sum, or `ERR` and a reason |
| `#id` and a request | `#id` and the answer |
| anything else | `ERR` and a reason |

A number is whole, may be negative, and fits into 64 bits. An id is a word. The
server remembers the latest 1000 answers to requests with an id, for all
connections together.

`client REQUEST…` sends each argument as a line, `#`, a new id, a blank and the
request, and prints the answer without the id. It waits for an answer for two
seconds, and asks again where it got none, five times in all: over a new
connection each time, with pauses of 100, 200, 300 and 400 milliseconds, and
with a line each time that says what happened. After the fifth it ends with exit
code 1.",
    promises: &[
        Promise {
            id: "adds",
            says: "The server counts from 0 where there is no entry, adds \
                   each time that it is asked to without an id, and says \
                   `ERR` and changes nothing where the entry or what is added \
                   is no number, or the sum does not fit into 64 bits.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "ADD visits 1", "VALUE 1")?;
                ask(&mut client, "ADD visits 1", "VALUE 2")?;
                ask(&mut client, "ADD visits -5", "VALUE -3")?;
                ask(&mut client, "GET visits", "VALUE -3")?;
                for (value, number) in [
                    ("blue", "1"),
                    ("7", "many"),
                    ("9223372036854775807", "1"),
                    ("-9223372036854775808", "-1"),
                ] {
                    ask(&mut client, &format!("SET n {value}"), "OK")?;
                    client.send(format!("ADD n {number}\n"))?;
                    expect_error(exam, &mut client)?;
                    ask(&mut client, "GET n", &format!("VALUE {value}"))?;
                }
                Ok(())
            },
        },
        Promise {
            id: "repeats-the-id",
            says: "The server begins the answer to a request with an id with \
                   `#` and that id, also where the answer is `ERR`.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "#k1 SET color dark blue", "#k1 OK")?;
                ask(&mut client, "#k2 GET color", "#k2 VALUE dark blue")?;
                ask(&mut client, "#k3 ADD visits 1", "#k3 VALUE 1")?;
                ask(&mut client, "#k4 DEL color", "#k4 OK")?;
                client.send("#k5 HELLO\n")?;
                let line = client.line()?;
                exam.expect(
                    line.starts_with("#k5 ERR "),
                    "client| #k5 ERR …",
                    format!("client| {line}"),
                )
            },
        },
        Promise {
            id: "executes-once",
            says: "The server gives the same answer when an id comes again, \
                   over whatever connection and whatever the answer was, and \
                   does nothing.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "#k1 ADD visits 1", "#k1 VALUE 1")?;
                ask(&mut client, "#k1 ADD visits 1", "#k1 VALUE 1").hint(
                    "what an id has been answered with is the answer to it: \
                     look there before you do anything",
                )?;
                client.close();
                let mut client = exam.connect_as("again", "mysocket")?;
                ask(&mut client, "#k1 ADD visits 1", "#k1 VALUE 1").hint(
                    "a client asks again because its connection has ended: \
                     the memory belongs to the server, and not to a \
                     connection",
                )?;
                ask(&mut client, "GET visits", "VALUE 1")?;
                ask(&mut client, "#k2 GET color", "#k2 NONE")?;
                ask(&mut client, "SET color blue", "OK")?;
                ask(&mut client, "#k2 GET color", "#k2 NONE")
                    .hint("also `NONE` and `ERR` are answers to remember")?;
                client.send("#k3 ADD color 1\n")?;
                let error = client.line()?;
                ask(&mut client, "SET color 7", "OK")?;
                ask(&mut client, "#k3 ADD color 1", &error)
                    .hint("also `NONE` and `ERR` are answers to remember")
            },
        },
        Promise {
            id: "looks-at-the-id-alone",
            says: "The server gives the first answer also to another request \
                   with the same id, and does not do it.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "#k1 ADD visits 1", "#k1 VALUE 1")?;
                ask(&mut client, "#k1 SET visits 7", "#k1 VALUE 1")?;
                ask(&mut client, "#k2 GET visits", "#k2 VALUE 1")
            },
        },
        Promise {
            id: "remembers-1000",
            says: "The server remembers the latest 1000 answers, and no more: \
                   an id that came before them is new again.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "#first ADD visits 1", "#first VALUE 1")?;
                many(exam, &mut client, 1..MAX_ANSWERS)?;
                ask(&mut client, "#first ADD visits 1", "#first VALUE 1")?;
                many(exam, &mut client, MAX_ANSWERS..MAX_ANSWERS + 1)?;
                ask(&mut client, "SET color blue", "OK")?;
                ask(&mut client, "#500 GET color", "#500 NONE").hint(
                    "where there is no more room, one answer goes, the oldest",
                )?;
                ask(&mut client, "#first ADD visits 1", "#first VALUE 2").hint(
                    "all that clients can fill needs a limit, and so does the \
                     memory for ids",
                )
            },
        },
        Promise {
            id: "executes-once-at-once",
            says: "The server does a request once also where 50 clients send \
                   the same id at the same time, and gives all of them the \
                   same answer.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut clients = Vec::new();
                for number in 1..=50 {
                    let name = format!("client{number}");
                    clients.push(exam.connect_as(&name, "mysocket")?);
                }
                let ask = |mut client: Peer| {
                    ask(&mut client, "#k1 ADD visits 1", "#k1 VALUE 1")
                };
                thread::scope(|scope| {
                    let asked: Vec<_> = clients
                        .into_iter()
                        .map(|client| scope.spawn(move || ask(client)))
                        .collect();
                    asked.into_iter().try_for_each(|client| {
                        client.join().expect("it does not panic")
                    })
                })
                .hint(
                    "between looking for the id and remembering its answer, \
                     nobody else may look: do both, and the work between \
                     them, under one lock",
                )
            },
        },
        Promise {
            id: "executes-what-nobody-hears",
            says: "The server does what a client has asked for that has gone \
                   meanwhile, remembers the answer, and serves the others.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                // Nobody can write to us from now on.
                let _ = client.stream().shutdown(Shutdown::Read);
                client.send("#k1 ADD visits 1\n")?;
                client.close();
                until_counted(exam).hint(
                    "that an answer cannot be written must not end the \
                     server: look at the error of the write, and see SIGPIPE",
                )?;
                let mut again = exam.connect_as("again", "mysocket")?;
                ask(&mut again, "#k1 ADD visits 1", "#k1 VALUE 1").hint(
                    "that the answer could not be written does not undo the \
                     request: remember it before you write it",
                )?;
                ask(&mut again, "GET visits", "VALUE 1")
            },
        },
        Promise {
            id: "executes-no-half",
            says: "The server does nothing for a line whose end has not come \
                   when the client has ended, and says `ERR`.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                client.send("ADD visits 1")?;
                client.end();
                expect_error(exam, &mut client).hint(
                    "the end of the stream is no end of a line: `ADD visits \
                     1` may have been meant to go on as `ADD visits 10`",
                )?;
                client.expect_rest("")?;
                let mut other = exam.connect_as("other", "mysocket")?;
                ask(&mut other, "GET visits", "NONE")
            },
        },
        Promise {
            id: "sends-ids",
            says: "The client sends each argument with an id that it has not \
                   sent before, prints the answer without it, and ends with \
                   exit code 0.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut ids = BTreeSet::new();
                for _ in 0..2 {
                    let requests = ["ADD visits 1", "SET color dark blue"];
                    let mut client = exam.start(Client, &requests)?;
                    for (request, answer) in
                        requests.into_iter().zip(["VALUE 1", "OK"])
                    {
                        let mut call = Call::accept(exam, &door)?;
                        exam.expect(
                            call.request == request,
                            format!("server| #… {request}"),
                            format!("server| {}", call.line()),
                        )?;
                        exam.expect(
                            ids.insert(call.id.clone()),
                            "a new id for each request",
                            format!("{} again", call.id),
                        )
                        .hint("the server takes it for the same request")?;
                        call.answer(answer)?;
                        client.expect(answer)?;
                    }
                    client.expect_code(0)?;
                }
                Ok(())
            },
        },
        Promise {
            id: "asks-again",
            says: "The client sends the same line again, with the same id, \
                   where the server has ended without an answer, also without \
                   having read the whole request, or in the middle of one.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["ADD visits 1"; 3])?;
                let first = Call::accept(exam, &door)?;
                let line = first.line();
                first.peer.close();
                expect_again(exam, &door, Some(line), &mut client, "VALUE 1")
                    .hint("no answer does not mean that it was done")?;

                let mut first = Call::accept(exam, &door)?;
                let line = first.line();
                first.peer.send(format!("{} VALUE 7", first.id))?;
                first.peer.close();
                expect_again(exam, &door, Some(line), &mut client, "VALUE 2")
                    .hint("without its newline it is no answer")?;

                let peer = door.accept()?;
                // What follows the first byte is never read.
                let _ = peer.stream().read_exact(&mut [0]);
                exam.note("server: has read one byte of the request");
                peer.close();
                expect_again(exam, &door, None, &mut client, "VALUE 3")
                    .hint("a reset is an end without an answer, too")?;
                client.expect_code(0).map(drop)
            },
        },
        Promise {
            id: "knows-its-answer",
            says: "The client asks again where the answer has another id, or \
                   none.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["ADD visits 1"; 2])?;
                let others = ["#0 VALUE 7\n", "ERR busy\n"];
                for (other, answer) in others.into_iter().zip(["OK", "NONE"]) {
                    let mut first = Call::accept(exam, &door)?;
                    let line = first.line();
                    first.peer.send(other)?;
                    first.peer.close();
                    expect_again(exam, &door, Some(line), &mut client, answer)
                        .hint("without our id it is no answer to us")?;
                }
                client.expect_code(0).map(drop)
            },
        },
        Promise {
            id: "waits-two-seconds",
            says: "The client waits for an answer for two seconds, and then \
                   asks again.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let start = Instant::now();
                let mut client = exam.start(Client, &["ADD visits 1"])?;
                let first = Call::accept(exam, &door)?;
                pass(PATIENCE / 2);
                let early = door.nobody();
                if start.elapsed() < PATIENCE {
                    early.hint("it gives the server two seconds")?;
                }
                pass(PATIENCE.saturating_sub(start.elapsed()));
                let line = Some(first.line());
                expect_again(exam, &door, line, &mut client, "VALUE 1").hint(
                    "a read without a timeout waits for ever for a server \
                     that lives and says nothing",
                )?;
                client.expect_code(0).map(drop)
            },
        },
        Promise {
            id: "tries-five-times",
            says: "The client tries five times and no more, whether nobody \
                   listens or nobody answers.",
            takes: &[Client],
            check: |exam| {
                let mut late = exam.start(Client, &["ADD visits 1"])?;
                late.expect_that("client| a line about it", |line| {
                    !line.is_empty()
                })
                .hint("each attempt that fails is worth a line")?;
                // So that it does not matter how slow this machine is.
                late.signal(Signal::STOP);
                let door = exam.listen("mysocket");
                late.signal(Signal::CONT);
                expect_again(exam, &door, None, &mut late, "VALUE 1").hint(
                    "that nobody listens is a reason to try again, too: \
                     perhaps the server is being started",
                )?;
                late.expect_code(0)?;

                let mut client = exam.start(Client, &["ADD visits 1"])?;
                for _ in 0..ATTEMPTS {
                    Call::accept(exam, &door)?.peer.close();
                }
                client.expect_failure()?;
                door.nobody()
            },
        },
        Promise {
            id: "count-once-together",
            says: "The client and the server together count a visit once, \
                   although the first answer gets lost between them.",
            takes: &[Server, Client],
            check: |exam| {
                exam.note("$ mkdir there; cd there");
                let there = exam.join("there");
                fs::create_dir(&there).expect("a new folder");
                let mut server =
                    exam.start_as(Server, "server", &[], |command| {
                        command.current_dir(there);
                    })?;
                server.expect("listening on mysocket")?;
                exam.note("$ cd ..");
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["ADD visits 1"])?;
                let mut there = exam.connect_as("there", "there/mysocket")?;
                let first = Call::accept(exam, &door)?;
                let answer = format!("{} VALUE 1", first.id);
                ask(&mut there, &first.line(), &answer)?;
                first.peer.close();
                let mut again = Call::accept(exam, &door)?;
                ask(&mut there, &again.line(), &answer)?;
                again.answer("VALUE 1")?;
                client.find("VALUE 1")?;
                client.expect_code(0)?;
                ask(&mut there, "GET visits", "VALUE 1")
            },
        },
    ],
};

/// Waits until a visit is counted that was asked for.
fn until_counted(exam: &Exam) -> Checked {
    let mut other = exam.connect_as("other", "mysocket")?;
    let deadline = Instant::now() + exam.limit();
    loop {
        other.send("GET visits\n")?;
        let count = other.line()?;
        if count != "NONE" || Instant::now() > deadline {
            return exam.expect(
                count == "VALUE 1",
                "other| VALUE 1",
                format!("other| {count}"),
            );
        }
        pass(Duration::from_millis(10));
    }
}

/// Sends requests with these numbers as ids, all at once, and expects the
/// answer `NONE` to each.
fn many(exam: &Exam, client: &mut Peer, ids: Range<usize>) -> Checked {
    let requests = ids.clone().map(|id| format!("#{id} GET color\n"));
    client.send(requests.collect::<String>())?;
    let answers: String = ids.map(|id| format!("#{id} NONE\n")).collect();
    let came = client.bytes(answers.len())?;
    exam.expect(
        came == answers.as_bytes(),
        "`NONE` as the answer to each",
        "another answer",
    )
}

/// A client that has connected to us and sent a request.
struct Call {
    peer: Peer,
    /// Its id, with the `#`.
    id: String,
    request: String,
}

impl Call {
    /// The next one.
    fn accept(exam: &Exam, door: &Door) -> Checked<Self> {
        let mut peer = door.accept()?;
        let line = peer.line()?;
        match line.split_once(' ') {
            Some((id, request)) if id.starts_with('#') && id.len() > 1 => {
                let (id, request) = (id.to_owned(), request.to_owned());
                Ok(Self { peer, id, request })
            }
            _ => Err(exam.flaw("server| #id request", line)),
        }
    }

    /// What it has sent.
    fn line(&self) -> String {
        format!("{} {}", self.id, self.request)
    }

    fn answer(&mut self, answer: &str) -> Checked {
        self.peer.send(format!("{} {answer}\n", self.id))
    }
}

/// Expects the client to ask again, with the same line if we know the first,
/// answers it, and expects it to print the answer.
fn expect_again(
    exam: &Exam,
    door: &Door,
    first: Option<String>,
    client: &mut Running,
    answer: &str,
) -> Checked {
    let mut again = Call::accept(exam, door)?;
    if let Some(first) = first {
        exam.expect(
            again.line() == first,
            format!("server| {first}"),
            format!("server| {}", again.line()),
        )
        .hint(
            "an id is made once for a request, and all attempts have the same",
        )?;
    }
    again.answer(answer)?;
    again.peer.close();
    // Before it, it may say what has happened.
    client.find(answer).map(drop)
}

const WHICH_END: Contract = Contract {
    id: "which-end",
    setting: "`client REQUEST` connects to `mysocket` once, sends the request
as a line, `#`, an id, a blank and the request, prints the answer without the
id, and ends with exit code 0; or it says what went wrong, and ends with the
code of that.",
    promises: &[
        Promise {
            id: "answered",
            says: "The client prints the answer and ends with 0.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["ADD visits 1"])?;
                Call::accept(exam, &door)?.answer("VALUE 1")?;
                client.expect("VALUE 1")?;
                client.expect_code(0).map(drop)
            },
        },
        Promise {
            id: "no-connection",
            says: "The client ends with 10 if there was no connection, \
                   because there is no such file, or nobody listens.",
            takes: &[Client],
            check: |exam| {
                let mut client = exam.start(Client, &["ADD visits 1"])?;
                client.expect_code(10)?;
                dead_name(exam);
                let mut client = exam.start(Client, &["ADD visits 1"])?;
                client.expect_code(10).map(drop)
            },
        },
        Promise {
            id: "no-answer",
            says: "The client ends with 11 if there was no answer, whether \
                   the server had read all of the request when it ended or \
                   not.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["ADD visits 1"])?;
                Call::accept(exam, &door)?.peer.close();
                client.expect_code(11).hint("it tries only once")?;
                let mut client = exam.start(Client, &["ADD visits 1"])?;
                end_unread(exam, &door, "")?;
                client.expect_code(11).hint(
                    "if the server has not read all, the end is a reset, and \
                     reading fails",
                )?;
                door.nobody()
            },
        },
        Promise {
            id: "half-an-answer",
            says: "The client ends with 12 if there was half an answer, \
                   whether the server had read all of the request when it \
                   ended or not.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["ADD visits 1"])?;
                let mut call = Call::accept(exam, &door)?;
                call.peer.send(format!("{} VALUE 1", call.id))?;
                call.peer.close();
                client
                    .expect_code(12)
                    .hint("what is missing is its newline")?;
                let mut client = exam.start(Client, &["ADD visits 1"])?;
                end_unread(exam, &door, "#")?;
                client.expect_code(12).hint(
                    "half an answer may have come before reading fails: look \
                     at what you have, too, and not at the error alone",
                )?;
                door.nobody()
            },
        },
        Promise {
            id: "another-answer",
            says: "The client ends with 13 if there was an answer to \
                   something else: its id is another, or begins in the same \
                   way, or there is none.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                for part in ["#0 VALUE 7\n", "busy", "longer"] {
                    let mut client = exam.start(Client, &["ADD visits 1"])?;
                    let mut call = Call::accept(exam, &door)?;
                    let line = match part {
                        "busy" => "ERR busy\n".to_owned(),
                        "longer" => format!("{}0 VALUE 7\n", call.id),
                        line => line.to_owned(),
                    };
                    call.peer.send(line)?;
                    call.peer.close();
                    client.expect_code(13)?;
                }
                door.nobody()
            },
        },
    ],
};

/// A socket at `mysocket` whose server has ended.
fn dead_name(exam: &Exam) {
    exam.note("server: listens at mysocket, ends, and leaves it behind");
    let path = exam.join("mysocket");
    drop(UnixListener::bind(&path).expect("a path that is free"));
    // A program that another exam starts has a copy until its exec.
    while UnixStream::connect(&path).is_ok() {
        pass(Duration::from_millis(1));
    }
}

/// Accepts a client, reads a byte of its request, says `half`, and ends.
fn end_unread(exam: &Exam, door: &Door, half: &str) -> Checked {
    let mut peer = door.accept()?;
    let _ = peer.stream().read_exact(&mut [0]);
    exam.note("server: has read one byte of the request");
    if !half.is_empty() {
        peer.send(half)?;
    }
    peer.close();
    Ok(())
}

/// How many requests the client of `five-crashes` has to get answered.
const REQUESTS: usize = 10;

const FIVE_CRASHES: Contract = Contract {
    id: "five-crashes",
    setting: "`client REQUEST…` sends each argument with an id, and prints the
answer without it, as the client of this chapter does. It connects anew for each
attempt, tries each request for a minute, and never waits longer than half a
second between two attempts.",
    promises: &[
        Promise {
            id: "survives-crashes",
            says: "The client prints the answer to each of ten requests, in \
                   their order, and ends with exit code 0, although the \
                   server crashes three times and is back at once: before it \
                   has read a request, before its answer, and in the middle \
                   of it. None is counted twice.",
            takes: &[Client],
            check: |exam| {
                let crashes = [
                    Crash::BeforeReading,
                    Crash::BeforeAnswering,
                    Crash::WhileAnswering,
                ];
                crash(exam, &crashes).hint(
                    "an end without a whole answer is a reason to ask again, \
                     with the same id, whatever else there was",
                )
            },
        },
        Promise {
            id: "waits-for-the-next-server",
            says: "The client gets and prints all answers, too, although the \
                   server crashes twice: so that it is gone for two seconds \
                   and its name stays, and so that its name is gone for a \
                   while as well.",
            takes: &[Client],
            check: |exam| {
                let crashes = [Crash::NameStays, Crash::NameGoes];
                crash(exam, &crashes).hint(
                    "five attempts are over within a second; this one tries \
                     for a minute, and never pauses for more than half a \
                     second",
                )
            },
        },
    ],
};

/// What a server does that crashes.
#[derive(Clone, Copy)]
enum Crash {
    BeforeReading,
    BeforeAnswering,
    WhileAnswering,
    NameStays,
    NameGoes,
}

/// Serves ten requests of the client, and crashes every two of them.
fn crash(exam: &Exam, crashes: &[Crash]) -> Checked {
    let mut door = exam.listen("mysocket");
    let requests = ["ADD visits 1"; REQUESTS];
    let mut client = exam.start(Client, &requests)?;
    let mut counted = Counted::default();
    for crash in crashes {
        for _ in 0..2 {
            counted.answer(Call::accept(exam, &door)?)?;
        }
        match crash {
            Crash::BeforeReading => {
                end_unread(exam, &door, "")?;
            }
            Crash::BeforeAnswering => {
                let call = Call::accept(exam, &door)?;
                counted.count(&call);
                call.peer.close();
            }
            Crash::WhileAnswering => {
                let mut call = Call::accept(exam, &door)?;
                counted.count(&call);
                call.peer.send(format!("{} VALUE 99", call.id))?;
                call.peer.close();
            }
            Crash::NameStays | Crash::NameGoes => {
                drop(door);
                exam.note("server: crashes, and is gone for a while");
                let path = exam.join("mysocket");
                if let Crash::NameStays = crash {
                    pass(Duration::from_secs(2));
                    fs::remove_file(path).expect("it is ours");
                } else {
                    fs::remove_file(path).expect("it is ours");
                    pass(Duration::from_millis(300));
                }
                door = exam.listen("mysocket");
            }
        }
    }
    while counted.ids.len() < REQUESTS {
        counted.answer(Call::accept(exam, &door)?)?;
    }
    let lines = client.expect_code(0)?;
    let answers: Vec<_> =
        lines.iter().filter(|line| line.starts_with("VALUE")).collect();
    let sums = (1..=REQUESTS).map(|sum| format!("VALUE {sum}"));
    exam.expect(
        answers.iter().copied().eq(&sums.collect::<Vec<_>>()),
        format!("VALUE 1, VALUE 2 and so on to VALUE {REQUESTS}"),
        format!("{answers:?}"),
    )
}

/// A server's memory that outlives its crashes: which number each id got.
#[derive(Default)]
struct Counted {
    ids: BTreeMap<String, usize>,
}

impl Counted {
    fn count(&mut self, call: &Call) -> usize {
        let next = self.ids.len() + 1;
        *self.ids.entry(call.id.clone()).or_insert(next)
    }

    fn answer(&mut self, mut call: Call) -> Checked {
        let sum = self.count(&call);
        call.answer(&format!("VALUE {sum}"))
    }
}

const SIX_PREDICTIONS: Contract = Contract {
    id: "six-predictions",
    setting:
        "`client CASE` makes a pair of connected sockets, or a listener and
a connection to it, and lets happen to the peer what the case says. Then it
reads once and writes one byte, without waiting, and prints two lines: `read:`
and `write:`, each with a number of bytes, `end`, `would block`, `reset` or
`broken pipe`. It ends with exit code 0, and leaves nothing running.",
    promises: &[
        Promise {
            id: "shut",
            says: "The client shows `shut`: the peer has shut down its \
                   reading half.",
            takes: &[Client],
            check: |exam| {
                expect_case(exam, "shut", |(ours, theirs)| {
                    theirs.shutdown(Shutdown::Read)?;
                    Ok((ours, Some(theirs)))
                })
            },
        },
        Promise {
            id: "clone",
            says: "The client shows `clone`: the peer has closed one of two \
                   clones.",
            takes: &[Client],
            check: |exam| {
                expect_case(exam, "clone", |(ours, theirs)| {
                    drop(theirs.try_clone()?);
                    Ok((ours, Some(theirs)))
                })
            },
        },
        Promise {
            id: "stopped",
            says: "The client shows `stopped`: the peer is a process that was \
                   stopped with `SIGSTOP`.",
            takes: &[Client],
            check: |exam| {
                // A process that does not run does nothing at all.
                expect_case(exam, "stopped", |(ours, theirs)| {
                    Ok((ours, Some(theirs)))
                })
            },
        },
        Promise {
            id: "ended",
            says: "The client shows `ended`: we have shut down our own \
                   writing half.",
            takes: &[Client],
            check: |exam| {
                expect_case(exam, "ended", |(ours, theirs)| {
                    ours.shutdown(Shutdown::Write)?;
                    Ok((ours, Some(theirs)))
                })
            },
        },
        Promise {
            id: "backlog",
            says: "The client shows `backlog`: we have connected, and the \
                   listener was closed before it accepted us.",
            takes: &[Client],
            check: |exam| {
                expect_case(exam, "backlog", |_| {
                    let path = exam.join("ours");
                    let listener = UnixListener::bind(&path)?;
                    let ours = UnixStream::connect(&path)?;
                    drop(listener);
                    fs::remove_file(path)?;
                    Ok((ours, None))
                })
            },
        },
        Promise {
            id: "killed",
            says: "The client shows `killed`: we have written as much as \
                   fits, and the peer, a process that has read nothing, was \
                   killed.",
            takes: &[Client],
            check: |exam| {
                expect_case(exam, "killed", |(mut ours, theirs)| {
                    ours.set_nonblocking(true)?;
                    while ours.write(&[b'x'; 4096]).is_ok() {}
                    // As the kernel does for a process that is killed.
                    drop(theirs);
                    Ok((ours, None))
                })
            },
        },
    ],
};

type Pair = (UnixStream, UnixStream);

/// Expects the client to say of this case what our kernel says of it.
fn expect_case(
    exam: &Exam,
    case: &str,
    happen: impl FnOnce(Pair) -> io::Result<(UnixStream, Option<UnixStream>)>,
) -> Checked {
    let expected = UnixStream::pair()
        .and_then(happen)
        .and_then(|(ours, peer)| {
            // A program that another exam starts has a copy of the peer until
            // its exec. So where there is none any more, wait for that.
            let wait = peer.is_none().then(|| exam.limit());
            what_it_says(ours, wait)
        })
        .expect("our own sockets");
    let mut client = exam.start(Client, &[case])?;
    for line in expected {
        client.expect(&line).hint(
            "neither call may wait; and do you have one descriptor of the \
             peer more than you think? Each clone, and each child that has \
             inherited one, keeps it open",
        )?;
    }
    client.expect_code(0).map(drop)
}

/// What reading once and writing once say, without waiting, or reading so long.
fn what_it_says(
    mut stream: UnixStream,
    wait: Option<Duration>,
) -> io::Result<[String; 2]> {
    stream.set_nonblocking(wait.is_none())?;
    // It fails on macOS once the peer has gone; reading then does, too.
    let _ = stream.set_read_timeout(wait);
    let word = |result: io::Result<usize>| match result {
        Ok(0) => "end".to_owned(),
        Ok(count) => count.to_string(),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock => "would block".to_owned(),
            ErrorKind::ConnectionReset => "reset".to_owned(),
            ErrorKind::BrokenPipe => "broken pipe".to_owned(),
            _ => error.to_string(),
        },
    };
    let read = word(stream.read(&mut [0; 99]));
    stream.set_nonblocking(true)?;
    let written = word(stream.write(b"x"));
    Ok([format!("read: {read}"), format!("write: {written}")])
}
