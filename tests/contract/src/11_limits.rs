//! Chapter 11: how long, how much, how many.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::{Checked, Contract, Exam, Peer, Promise, Running};

pub const CONTRACTS: &[Contract] = &[STEP, POLITE, IDLE_TIME, WHOLE_CALL];

/// A time for a request that is soon over, as the server's argument.
const SHORT: (&str, Duration) = ("300", Duration::from_millis(300));

/// One in which a client asks several times, on a busy machine, too.
const LONG: (&str, Duration) = ("1000", Duration::from_millis(1000));

/// How long the client waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many requests a client sends that reads no answer, and the length of
/// the value in each. The kernel keeps about a fifth of it.
const MANY: usize = 800;
const VALUE: usize = 1000;

/// How many clients the server serves at a time.
const MAX_CLIENTS: usize = 256;

const STEP: Contract = Contract {
    id: "11-limits",
    setting: "Two programs. `server [MILLISECONDS]` listens at `mysocket` in
the folder in which it runs, also where a dead server has left its socket,
prints `listening on mysocket` when it is ready, and serves up to 256 clients
at a time until it is killed. What else it prints is its own affair. Each line
that a client sends is a request, and gets one line as its answer, in this
order:

| request | answer |
|---|---|
| `SET name value` | `OK`, or `ERR` and a reason |
| `GET name` | `VALUE value`, or `NONE` |
| `DEL name` | `OK`, or `NONE` |
| anything else | `ERR` and a reason |

Each line ends with a newline and has at most 1024 bytes with it. A name has no
blank in it; a value may have. `MILLISECONDS` is how long a client may take for
a request, from the moment at which the server is ready for it, and to take an
answer: a minute, if it is not given.

`client REQUEST…` connects to `mysocket`, sends each argument as a line, and
prints its answer before it sends the next. It waits for two seconds at most.",
    promises: &[
        Promise {
            id: "keeps-values",
            says: "The server answers `SET`, `GET` and `DEL`, says `ERR` to \
                   anything else, and keeps the values when the client has \
                   gone.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "NONE")?;
                ask(&mut client, "SET color dark blue", "OK")?;
                ask(&mut client, "GET color", "VALUE dark blue")?;
                client.send("HELLO\n")?;
                expect_error(exam, &mut client)?;
                client.close();
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "VALUE dark blue")?;
                ask(&mut client, "DEL color", "OK")?;
                ask(&mut client, "DEL color", "NONE")
            },
        },
        Promise {
            id: "takes-a-request-in-pieces",
            says: "The server answers a request that comes in pieces, and two \
                   that come in one.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for piece in ["SET co", "lor blue", "\nGET co", "lor\nDEL c"] {
                    client.send(piece)?;
                    // Time to read it before the next one comes.
                    pass(Duration::from_millis(20));
                }
                client.send("olor\n")?;
                let answers = ["OK", "VALUE blue", "OK"];
                answers.into_iter().try_for_each(|answer| {
                    client.expect_line(answer).hint(
                        "a read returns what has come so far, and not a \
                         request: keep it until its newline has come, and \
                         what follows the newline for the next request. See \
                         chapter 8",
                    )
                })
            },
        },
        Promise {
            id: "cuts-the-silent",
            says: "The server, with 300 milliseconds, says `ERR` and a reason \
                   to a client that sends nothing, or half a request, and \
                   ends the connection: when the time is up, and not before.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[SHORT.0])?;
                for half in ["", "SET color bl"] {
                    let start = Instant::now();
                    let mut client = exam.connect("mysocket")?;
                    if !half.is_empty() {
                        client.send(half)?;
                    }
                    expect_cut(exam, &mut client, "ERR", start, SHORT.1)?;
                }
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "NONE")
            },
        },
        Promise {
            id: "cuts-the-drip",
            says: "The server, with 300 milliseconds, says `ERR` and ends the \
                   connection in time, too, if a byte of the request comes \
                   every 20 milliseconds.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[SHORT.0])?;
                let start = Instant::now();
                let mut client = exam.connect("mysocket")?;
                drip(exam, &mut client, |client| {
                    expect_cut(exam, client, "ERR", start, SHORT.1).hint(
                        "a timeout is for one read, and each byte starts it \
                         anew: remember when the request must be complete, \
                         and give each read what is left. See *A timeout is \
                         for one call* in chapter 11",
                    )
                })
            },
        },
        Promise {
            id: "gives-each-request-its-time",
            says: "The server gives each request a time of its own: a client \
                   that asks now and then stays, however long.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[LONG.0])?;
                let start = Instant::now();
                let mut client = exam.connect("mysocket")?;
                while start.elapsed() < LONG.1 * 5 / 4 {
                    ask(&mut client, "GET color", "NONE").hint(
                        "the time is for a request, and not for the \
                         connection: set the deadline anew before each one",
                    )?;
                    pass(LONG.1 / 8);
                }
                Ok(())
            },
        },
        Promise {
            id: "cuts-the-deaf",
            says: "The server, with 300 milliseconds, ends the connection of \
                   a client that asks for much and takes no answer, and \
                   serves the others meanwhile.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[SHORT.0])?;
                let deaf = deaf_client(exam)?;
                let mut other = exam.connect_as("other", "mysocket")?;
                ask(&mut other, "GET color", "NONE")?;
                expect_hung_up(exam, &deaf)
            },
        },
        Promise {
            id: "serves-the-others",
            says: "The server serves others at once while 20 clients say \
                   nothing.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let silent: Checked<Vec<Peer>> = (1..=20)
                    .map(|n| exam.connect_as(&format!("silent{n}"), "mysocket"))
                    .collect();
                let _silent = silent?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "NONE").hint(
                    "is it waiting for another client? Each needs a thread of \
                     its own, or a wait for all of them at once. See chapter \
                     10",
                )
            },
        },
        Promise {
            id: "serves-256",
            says: "The server serves 256 clients at a time, says `ERR busy` \
                   to the next one, and lets it go at once.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let _crowd = crowd(exam).hint(
                    "each client needs a thread of its own, or a wait for all \
                     of them at once",
                )?;
                let mut next = exam.connect_as("next", "mysocket")?;
                next.expect_line("ERR busy").hint(
                    "nobody counts the clients, or it says nothing to the one \
                     that is too many",
                )?;
                next.expect_rest("")
            },
        },
        Promise {
            id: "makes-room",
            says: "The server serves another when one of the 256 has gone, \
                   and 256 others when all have.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let gone = "a client that has gone must not be counted any \
                            more, however it has gone";
                let mut all = crowd(exam)?;
                exam.note("one of them closes the connection");
                drop(all.remove(100));
                all.push(one_more(exam).hint(gone)?);
                exam.note("all of them close the connection");
                drop(all);
                crowd(exam).hint(gone).map(drop)
            },
        },
        Promise {
            id: "takes-no-other-number",
            says: "The server, given what is no number of milliseconds (`0`, \
                   `-1`, `1.5`, `soon`, or nothing between quotes), prints \
                   why, ends with exit code 1, and makes nothing.",
            takes: &[Server],
            check: |exam| {
                for argument in ["0", "-1", "1.5", "soon", ""] {
                    let mut server = exam.start(Server, &[argument])?;
                    server.expect_failure().hint(
                        "look at the argument before you bind. In most \
                         languages, a timeout of 0 means none",
                    )?;
                }
                exam.expect_files(&[])
            },
        },
        Promise {
            id: "prints-each-answer",
            says: "The client sends each argument as a line, prints the \
                   answer to it, and nothing else, and ends with exit code 0.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let requests = ["SET color dark blue", "GET color"];
                let mut client = exam.start(Client, &requests)?;
                let mut server = door.accept()?;
                server.expect_line(requests[0])?;
                server.send("OK\n")?;
                client.expect("OK")?;
                server.expect_line(requests[1])?;
                // In two pieces, which are one answer.
                server.send("VALUE dark")?;
                pass(Duration::from_millis(20));
                // It may be gone already; then its line says why.
                let _ = server.send(" blue\n");
                client.expect("VALUE dark blue").hint(
                    "a read returns what has come so far: an answer ends with \
                     its newline",
                )?;
                let lines = client.expect_code(0)?;
                exam.expect(
                    lines.is_empty(),
                    "no more lines",
                    format!("client| {}", lines.join("\nclient| ")),
                )
            },
        },
        Promise {
            id: "gives-up",
            says: "The client gives up after two seconds when no answer \
                   comes, or half of one: it prints why and no part of the \
                   answer, and ends with exit code 1.",
            takes: &[Client],
            check: |exam| {
                let start = Instant::now();
                let mut silent = half_answered(exam, "silent", "")?;
                let mut half = half_answered(exam, "half", "VALUE bl")?;
                gives_up(exam, &mut silent.0, start)?;
                gives_up(exam, &mut half.0, start)
            },
        },
        Promise {
            id: "hears-the-last-word",
            says: "The client prints `ERR busy` when the server says so and \
                   takes no more requests, although it cannot write its own \
                   any more.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["GET a", "GET b"])?;
                let mut server = door.accept()?;
                server.expect_line("GET a")?;
                exam.note("server: reads no more");
                // From now on, what the client writes breaks the pipe.
                let _ = server.stream().shutdown(Shutdown::Read);
                server.send("NONE\nERR busy\n")?;
                server.end();
                client.expect("NONE")?;
                client.expect("ERR busy").hint(
                    "its write fails with *Broken pipe* (or a signal ends \
                     it), and the reason lies ready to be read: read the \
                     answer all the same",
                )
            },
        },
        Promise {
            id: "talk-to-each-other",
            says: "The client prints what the server answers: `OK` to `SET \
                   color blue`, `VALUE blue` to `GET color`.",
            takes: &[Server, Client],
            check: |exam| {
                let _server = exam.server(&[])?;
                let requests = ["SET color blue", "GET color"];
                let mut client = exam.start(Client, &requests)?;
                client.expect("OK")?;
                client.expect("VALUE blue")?;
                client.expect_code(0).map(drop)
            },
        },
    ],
};

/// Lets time pass, at least so much.
pub fn pass(time: Duration) {
    let (_sender, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(time);
}

/// Sends a request, and expects this answer.
pub fn ask(client: &mut Peer, request: &str, answer: &str) -> Checked {
    client.send(format!("{request}\n"))?;
    client.expect_line(answer)
}

/// Expects `ERR` and a reason as the next line.
pub fn expect_error(exam: &Exam, client: &mut Peer) -> Checked {
    let line = client.line()?;
    exam.expect(
        line.starts_with("ERR "),
        "client| ERR …",
        format!("client| {line}"),
    )
}

/// Expects a last line that starts with `word`, and the end of the connection,
/// when `time` has passed since `start` and not before.
fn expect_cut(
    exam: &Exam,
    client: &mut Peer,
    word: &str,
    start: Instant,
    time: Duration,
) -> Checked {
    let line = client.line().hint(
        "it must not wait for a client for longer than it was told, and must \
         say so before it closes",
    )?;
    let after = start.elapsed();
    exam.expect(
        line.starts_with(word),
        format!("client| {word}…"),
        format!("client| {line}"),
    )?;
    client.expect_rest("").hint("after that line comes the end: close it")?;
    exam.expect(
        after >= time,
        format!("to be cut after {time:?}"),
        format!("it was cut after {after:?}"),
    )
    .hint("the argument is the time in milliseconds")
}

/// Sends a byte every 20 milliseconds until `during` has returned, or nobody
/// takes it.
fn drip(
    exam: &Exam,
    client: &mut Peer,
    during: impl FnOnce(&mut Peer) -> Checked,
) -> Checked {
    exam.note("client> x, every 20 ms");
    let mut stream = client.stream().try_clone().expect("a descriptor");
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while is_done.recv_timeout(Duration::from_millis(20))
                == Err(mpsc::RecvTimeoutError::Timeout)
                && stream.write_all(b"x").is_ok()
            {}
        });
        let result = during(client);
        drop(done);
        result
    })
}

/// A client that asks for more than the kernel keeps for it, and reads none.
pub fn deaf_client(exam: &Exam) -> Checked<Peer> {
    let mut deaf = exam.connect_as("deaf", "mysocket")?;
    let value = "x".repeat(VALUE);
    ask(&mut deaf, &format!("SET long {value}"), "OK")?;
    exam.note(format!("deaf> GET long, {MANY} times, and reads nothing"));
    let requests = b"GET long\n".repeat(MANY);
    let mut stream = deaf.stream();
    match stream.write_all(&requests) {
        Ok(()) => Ok(deaf),
        Err(error) => Err(exam
            .flaw("the server to take some thousand bytes", error.to_string())),
    }
}

/// Reads what [`deaf_client`] has asked for: all of it, and then the end.
pub fn expect_all_answers(exam: &Exam, deaf: &mut Peer) -> Checked {
    let all = format!("VALUE {}\n", "x".repeat(VALUE)).repeat(MANY);
    let mut answers = Vec::new();
    // The limit is for each read: on a busy machine, all may take longer.
    let mut stream = deaf.stream().take(all.len() as u64 + 1);
    let result = stream.read_to_end(&mut answers);
    let mut got = format!("{} of {} bytes", answers.len(), all.len());
    // Any other error is an end, too.
    let is_open = result.is_err_and(|e| e.kind() == ErrorKind::WouldBlock);
    if is_open {
        got += ", and no end";
    }
    let is_all = !is_open && answers == all.as_bytes();
    exam.expect(is_all, format!("all {MANY} answers, and then the end"), got)
}

/// Expects the other side to close, without reading what it has sent.
fn expect_hung_up(exam: &Exam, client: &Peer) -> Checked {
    let deadline = Instant::now() + exam.limit();
    let mut stream = client.stream();
    stream.set_nonblocking(true).expect("a stream that is open");
    while Instant::now() < deadline {
        // Nobody reads them; as long as somebody could, it is no error.
        match stream.write(b"x") {
            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                stream.set_nonblocking(false).expect("it is still open");
                return Ok(());
            }
            _ => pass(Duration::from_millis(20)),
        }
    }
    Err(exam.flaw(
        "the server to end the connection",
        format!("it has not, after {:?}", exam.limit()),
    ))
    .hint(
        "a write to a client that reads nothing waits as well, and needs a \
         timeout; when it has expired, close the connection",
    )
}

/// Lets us have descriptors for several crowds: other exams may have theirs at
/// the same time, and a program may have 1024 as a rule, or 256 on macOS.
fn allow_crowds() {
    const ENOUGH: u64 = 10_000;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < ENOUGH) {
        let most = limit.maximum.map_or(ENOUGH, |most| most.min(ENOUGH));
        limit.current = Some(most);
        // If it is not allowed, there may be enough all the same.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// As many clients as the server serves, each of which has been answered.
fn crowd(exam: &Exam) -> Checked<Vec<UnixStream>> {
    allow_crowds();
    let mut crowd = Vec::new();
    while crowd.len() < MAX_CLIENTS {
        crowd.push(one_more(exam).map_err(|mut flaw| {
            let count = crowd.len();
            flaw.hints.push(format!("clients that it serves then: {count}"));
            flaw
        })?);
    }
    exam.note(format!("{MAX_CLIENTS} clients connect, and all are answered"));
    Ok(crowd)
}

/// One more client that has been answered, without a line for it in the
/// report. It comes again while the server is busy: one that has gone may not
/// have been noticed yet.
fn one_more(exam: &Exam) -> Checked<UnixStream> {
    let deadline = Instant::now() + exam.limit();
    loop {
        let error = match UnixStream::connect(exam.join("mysocket")) {
            Ok(stream) => match ask_once(&stream, exam.limit()) {
                Ok(answer) if answer == *b"NONE\n" => return Ok(stream),
                Ok(answer) => String::from_utf8_lossy(&answer).into_owned(),
                Err(_) => "nothing came".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            exam.note("client> GET a");
            return Err(exam.flaw("client| NONE", error.trim_end()));
        }
        pass(Duration::from_millis(5));
    }
}

/// What a short request is answered with: five bytes, or fewer.
fn ask_once(
    mut stream: &UnixStream,
    limit: Duration,
) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(limit))?;
    // It may be busy, and have closed already.
    let _ = stream.write_all(b"GET a\n");
    let mut answer = Vec::new();
    while answer.len() < 5 {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => answer.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

/// A client that has asked, in a folder of its own, and gets `half` of an
/// answer; and its server.
fn half_answered(
    exam: &Exam,
    name: &str,
    half: &str,
) -> Checked<(Running, Peer)> {
    exam.note(format!("$ mkdir {name}; cd {name}"));
    let folder = exam.join(name);
    std::fs::create_dir(&folder).expect("a new folder");
    let door = exam.listen(&format!("{name}/mysocket"));
    let client = exam.start_as(Client, "client", &["GET a"], |command| {
        command.current_dir(folder);
    })?;
    let mut server = door.accept()?;
    server.expect_line("GET a")?;
    if !half.is_empty() {
        server.send(half)?;
    }
    Ok((client, server))
}

/// Expects the client to end with its reason when its time is up.
fn gives_up(exam: &Exam, client: &mut Running, start: Instant) -> Checked {
    // Long before its time is up, it still waits.
    pass((PATIENCE / 2).saturating_sub(start.elapsed()));
    if let Err(flaw) = client.expect_runs()
        && start.elapsed() < PATIENCE
    {
        return Err(flaw).hint("it gives the server two seconds");
    }
    pass(PATIENCE.saturating_sub(start.elapsed()));
    let lines = client.expect_failure().hint(
        "give reading a timeout of two seconds; and half an answer and then \
         nothing is a failure, too",
    )?;
    expect_no_part(exam, &lines)
}

/// Expects that none of these lines is a part of an answer.
fn expect_no_part(exam: &Exam, lines: &[String]) -> Checked {
    exam.expect(
        !lines.iter().any(|line| line.starts_with("VALUE")),
        "no part of the answer to be printed",
        format!("client| {}", lines.join("\nclient| ")),
    )
    .hint("without its newline it is no answer")
}

const POLITE: Contract = Contract {
    id: "polite",
    setting: "`server MILLISECONDS` listens at `mysocket`, prints `listening on
mysocket` when it is ready, and answers requests as the server of this chapter
does.",
    promises: &[
        Promise {
            id: "says-idle",
            says: "The server says `ERR idle` to a client that has sent \
                   nothing when the time is up, or nothing after a request \
                   that was answered, and ends the connection within a \
                   second.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[SHORT.0])?;
                let start = Instant::now();
                let mut client = exam.connect("mysocket")?;
                expect_cut(exam, &mut client, "ERR idle", start, SHORT.1)?;
                let start = Instant::now();
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "NONE")?;
                expect_cut(exam, &mut client, "ERR idle", start, SHORT.1)
                    .hint("each request begins with nothing")
            },
        },
        Promise {
            id: "says-slow",
            says: "The server says `ERR slow` to a client that has sent a \
                   part of a request when the time is up, be it all at once \
                   or byte by byte, and ends the connection within a second.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[SHORT.0])?;
                let start = Instant::now();
                let mut client = exam.connect("mysocket")?;
                client.send("GET co")?;
                expect_cut(exam, &mut client, "ERR slow", start, SHORT.1)?;
                let start = Instant::now();
                let mut client = exam.connect("mysocket")?;
                drip(exam, &mut client, |client| {
                    expect_cut(exam, client, "ERR slow", start, SHORT.1)
                })
            },
        },
        Promise {
            id: "knows-what-it-has-read",
            says: "The server says `ERR slow`, too, if that part came \
                   together with the request before it.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[SHORT.0])?;
                let start = Instant::now();
                let mut client = exam.connect("mysocket")?;
                client.send("GET color\nGET ta")?;
                client.expect_line("NONE")?;
                expect_cut(exam, &mut client, "ERR slow", start, SHORT.1).hint(
                    "the part was in the buffer before the time of this \
                     request began: it is the line that matters, and not what \
                     the last read returned",
                )
            },
        },
        Promise {
            id: "answers-as-before",
            says: "The server answers whoever asks in time.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&["60000"])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET color blue", "OK")?;
                ask(&mut client, "GET color", "VALUE blue")
            },
        },
    ],
};

/// The time for a request, and that for the silence before it.
const REQUEST: (&str, Duration) = ("100", Duration::from_millis(100));
const SILENCE: Duration = Duration::from_millis(1000);

const IDLE_TIME: Contract = Contract {
    id: "idle-time",
    setting: "`server MILLISECONDS` listens at `mysocket`, prints `listening on
mysocket` when it is ready, and answers requests as the server of this chapter
does. A request has `MILLISECONDS` from its first byte to its newline, and that
byte ten times as long to come.",
    promises: &[
        Promise {
            id: "bears-silence",
            says: "The server, with 100 milliseconds, says `ERR` and ends the \
                   connection between 1 second and 2 seconds after a client \
                   has connected that says nothing.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[REQUEST.0])?;
                let start = Instant::now();
                let mut client = exam.connect("mysocket")?;
                expect_cut(exam, &mut client, "ERR", start, SILENCE)
                    .hint("before a request, silence has ten times its time")
            },
        },
        Promise {
            id: "hurries-who-has-begun",
            says: "The server, with 300 milliseconds, says `ERR` and ends the \
                   connection between 0.3 and 1.3 seconds after the first \
                   byte of a request of which no more comes, although this \
                   byte comes after 0.6 seconds.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[SHORT.0])?;
                let mut client = exam.connect("mysocket")?;
                exam.note("client: says nothing for 0.6 seconds");
                pass(SHORT.1 * 2);
                let start = Instant::now();
                client.send("G")?;
                expect_cut(exam, &mut client, "ERR", start, SHORT.1).hint(
                    "the clock of the request starts with its first byte: \
                     wait for something to read, with the long time, and then \
                     set the short one",
                )
            },
        },
        Promise {
            id: "cuts-the-drip",
            says: "The server does not wait longer if a byte of the request \
                   comes every 20 milliseconds.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[SHORT.0])?;
                let start = Instant::now();
                let mut client = exam.connect("mysocket")?;
                drip(exam, &mut client, |client| {
                    expect_cut(exam, client, "ERR", start, SHORT.1)
                })
            },
        },
        Promise {
            id: "keeps-who-asks",
            says: "The server keeps a client that asks every 400 \
                   milliseconds.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[REQUEST.0])?;
                let start = Instant::now();
                let mut client = exam.connect("mysocket")?;
                while start.elapsed() < SILENCE * 3 / 2 {
                    ask(&mut client, "GET color", "NONE")
                        .hint("the silence begins anew after each answer")?;
                    pass(REQUEST.1 * 4);
                }
                Ok(())
            },
        },
    ],
};

/// The time that the client of `whole-call` gets.
const TIMEOUT: (&str, Duration) = ("500", Duration::from_millis(500));

const WHOLE_CALL: Contract = Contract {
    id: "whole-call",
    setting: "`client --timeout MILLISECONDS REQUEST` sends the request to
`mysocket` as a line, prints the answer, and ends with exit code 0. If the time
is up before it has the whole answer, it prints why, and no part of the answer,
and ends with exit code 1: when the time is up, and
within a second more.",
    promises: &[
        Promise {
            id: "prints-the-answer",
            says: "The client prints the answer of a server that is in time, \
                   although it comes in pieces.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let arguments = ["--timeout", "30000", "GET color"];
                let mut client = exam.start(Client, &arguments)?;
                let mut server = door.accept()?;
                server.expect_line("GET color")?;
                server.send("VALUE dark")?;
                pass(Duration::from_millis(20));
                // It may be gone already; then its line says why.
                let _ = server.send(" blue\n");
                client.expect("VALUE dark blue").hint(
                    "a read returns what has come so far: an answer ends with \
                     its newline",
                )?;
                client.expect_code(0).map(drop)
            },
        },
        Promise {
            id: "ends-in-half-an-answer",
            says: "The client ends in time with a server that sends half a \
                   line and nothing more.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let start = Instant::now();
                let mut client = call(exam)?;
                let mut server = door.accept()?;
                server.expect_line("GET color")?;
                server.send("VALUE bl")?;
                expect_in_time(exam, &mut client, start)
            },
        },
        Promise {
            id: "ends-in-a-drip",
            says: "The client ends in time with a server that sends a byte \
                   every 20 milliseconds.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let start = Instant::now();
                let mut client = call(exam)?;
                let mut server = door.accept()?;
                server.expect_line("GET color")?;
                drip(exam, &mut server, |_| {
                    expect_in_time(exam, &mut client, start).hint(
                        "a timeout is for one read: give each what is left",
                    )
                })
            },
        },
        Promise {
            id: "ends-where-nobody-accepts",
            says: "The client ends in time with a server whose backlog is \
                   full.",
            takes: &[Client],
            check: |exam| {
                let _waiting = full_backlog(exam);
                let start = Instant::now();
                let mut client = call(exam)?;
                expect_in_time(exam, &mut client, start).hint(
                    "connecting waits as well where the backlog is full, and \
                     knows no timeout: let a thread do it, and wait for what \
                     it says",
                )
            },
        },
    ],
};

fn call(exam: &Exam) -> Checked<Running> {
    exam.start(Client, &["--timeout", TIMEOUT.0, "GET color"])
}

/// Expects the client to end with 1 when its time is up: not before.
fn expect_in_time(
    exam: &Exam,
    client: &mut Running,
    start: Instant,
) -> Checked {
    let lines = client.expect_failure()?;
    let (took, time) = (start.elapsed(), TIMEOUT.1);
    // Elsewhere, connecting fails at once where the backlog is full.
    exam.expect(
        took >= time || cfg!(not(target_os = "linux")),
        format!("the client to wait for {time:?}"),
        format!("it ended after {took:?}"),
    )?;
    expect_no_part(exam, &lines)
}

/// A listener at `mysocket` with room for one client, and that client.
fn full_backlog(exam: &Exam) -> (UnixListener, UnixStream) {
    exam.note("server: listens at mysocket, with a backlog of 0");
    let path = exam.join("mysocket");
    let listener = UnixListener::bind(&path).expect("a path that is free");
    rustix::net::listen(&listener, 0).expect("it listens already");
    exam.note("other: connects, and is not accepted");
    let waiting = UnixStream::connect(path).expect("room for one");
    (listener, waiting)
}
