//! Chapter 13: ending when one is asked to.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use harness::{Exit, Signal};

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::limits::{ask, deaf_client, expect_all_answers, expect_error, pass};
use crate::{Checked, Contract, Exam, Peer, Promise, Running};

pub const CONTRACTS: &[Contract] = &[STEP, HANG_UP, WHO_WAS_CUT, JOURNAL];

/// How long clients have to take their answers when the server stops.
const GRACE: Duration = Duration::from_secs(2);

const STEP: Contract = Contract {
    id: "13-stop",
    setting: "Two programs. `client REQUEST…` and `server [MILLISECONDS]` keep
the contract of [chapter 12](12-failures.md#exercises), and the server stops
when it is asked to, by `SIGTERM` or `SIGINT`:

1. It removes `mysocket`, if that is still its own, and prints `stopping`.
2. It accepts the clients that have connected before, and nobody else.
3. It reads no more than what has arrived, answers all of it, and ends each
   connection. Clients have two seconds to take their answers.
4. It cuts those that have not, and ends with exit code 0.

A second signal, of either kind, ends it at once: as if it were not caught. A
socket that a dead server has left is replaced when the next one starts.",
    promises: &[
        Promise {
            id: "answers-once",
            says: "The server answers requests as in chapter 12, and does one \
                   with an id once.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET color dark blue", "OK")?;
                ask(&mut client, "GET color", "VALUE dark blue")?;
                ask(&mut client, "#k1 ADD visits 1", "#k1 VALUE 1")?;
                let mut again = exam.connect_as("again", "mysocket")?;
                ask(&mut again, "#k1 ADD visits 1", "#k1 VALUE 1")?;
                ask(&mut again, "DEL color", "OK")
            },
        },
        Promise {
            id: "stops",
            says: "The server prints `stopping` at each of the two signals, \
                   ends with exit code 0, and leaves no name behind.",
            takes: &[Server],
            check: |exam| {
                for signal in [Signal::TERM, Signal::INT] {
                    let mut server = exam.server(&[])?;
                    server.signal(signal);
                    expect_end(exam, &mut server)?;
                }
                Ok(())
            },
        },
        Promise {
            id: "wakes-the-idle",
            says: "The server ends at once, and their connections with it, \
                   although clients are connected that say nothing.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut idle = exam.connect_as("idle", "mysocket")?;
                ask(&mut idle, "GET color", "NONE")?;
                expect_end_at_once(exam, &mut server, Signal::TERM, &mut idle)
            },
        },
        Promise {
            id: "answers-what-has-arrived",
            says: "The server answers each request that had arrived before \
                   the signal, and then ends the connection.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "NONE")?;
                server.signal(Signal::STOP);
                client.send("ADD visits 1\n".repeat(100))?;
                server.signal(Signal::TERM);
                server.signal(Signal::CONT);
                let sums = (1..=100).map(|sum| format!("VALUE {sum}\n"));
                client.expect_rest(sums.collect::<String>()).hint(
                    "end the reading, and not the connection: what has come \
                     in is still there to be read, and answers can be written",
                )?;
                expect_end(exam, &mut server)
            },
        },
        Promise {
            id: "serves-the-backlog",
            says: "The server accepts and answers the clients that had \
                   connected before the signal and were not accepted yet.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                server.signal(Signal::STOP);
                let mut clients = Vec::new();
                for number in 1..=5 {
                    let name = format!("client{number}");
                    let mut client = exam.connect_as(&name, "mysocket")?;
                    client.send("GET color\n")?;
                    clients.push(client);
                }
                server.signal(Signal::TERM);
                server.signal(Signal::CONT);
                for client in &mut clients {
                    client.expect_rest("NONE\n").hint(
                        "a listener that is closed resets the connections in \
                         its backlog: accept until nobody is left, without \
                         waiting",
                    )?;
                }
                expect_end(exam, &mut server)
            },
        },
        Promise {
            id: "refuses-half-a-request",
            says: "The server says `ERR` to half a request whose end has not \
                   come, and does not do it.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET color blue", "OK")?;
                server.signal(Signal::STOP);
                client.send("GET color\nSET color gr")?;
                server.signal(Signal::TERM);
                server.signal(Signal::CONT);
                client.expect_line("VALUE blue")?;
                expect_error(exam, &mut client)?;
                client.expect_rest("")?;
                expect_end(exam, &mut server)
            },
        },
        Promise {
            id: "lets-nobody-in",
            says: "The server has given up its name when it prints \
                   `stopping`, and another one can start, although a client \
                   has yet to take its answers.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let _deaf = deaf_client(exam)?;
                server.signal(Signal::TERM);
                server.find("stopping")?;
                let hint = "the name goes first, so that nobody finds a \
                            server that serves no more";
                expect_no_name(exam).hint(hint)?;
                let _next = exam
                    .start_as(Server, "next", &[], |_| {})
                    .and_then(|mut next| {
                        next.expect("listening on mysocket").map(|()| next)
                    })
                    .hint(hint)?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "NONE")
            },
        },
        Promise {
            id: "gives-time",
            says: "The server waits for a client that takes its answers half \
                   a second later, and gives it all of them.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut deaf = deaf_client(exam)?;
                server.signal(Signal::TERM);
                server.find("stopping")?;
                pass(GRACE / 4);
                expect_all_answers(exam, &mut deaf).hint(
                    "wait for the threads, or whatever serves the clients, \
                     before you end, for two seconds at most",
                )?;
                server.expect_code(0).map(drop)
            },
        },
        Promise {
            id: "cuts-the-deaf",
            says: "The server ends with exit code 0 after two seconds, \
                   although a client never takes its answers.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let _deaf = deaf_client(exam)?;
                server.signal(Signal::TERM);
                server.find("stopping")?;
                pass(GRACE);
                server.expect_code(0).hint(
                    "every wait has a limit, also that for an orderly end: \
                     after it, shut down both halves, so that writing fails",
                )?;
                exam.expect_files(&[])
            },
        },
        Promise {
            id: "obeys-a-second-signal",
            says: "The server ends at once at a second signal (with 143 at \
                   `SIGTERM`, 130 at `SIGINT`), although a client has yet to \
                   take its answers.",
            takes: &[Server],
            check: |exam| {
                for (first, second) in
                    [(Signal::INT, Signal::TERM), (Signal::TERM, Signal::INT)]
                {
                    let mut server = exam.server(&[])?;
                    let _deaf = deaf_client(exam)?;
                    server.signal(first);
                    server.find("stopping")?;
                    server.signal(second);
                    let (exit, _) = server.end()?;
                    let number = second.as_raw();
                    exam.expect(
                        [Exit::Signal(number), Exit::Code(128 + number)]
                            .contains(&exit),
                        format!("the server to end by signal {number}"),
                        exit.to_string(),
                    )
                    .hint(
                        "the first signal asks, the second one ends: give it \
                         back its default in the handler of the first",
                    )?;
                    exam.expect_files(&[])?;
                }
                Ok(())
            },
        },
        Promise {
            id: "leaves-another-name-alone",
            says: "The server leaves the name alone if that is another \
                   server's by then.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                exam.note("$ mv mysocket moved");
                let (name, moved) = (exam.join("mysocket"), exam.join("moved"));
                fs::rename(name, moved).expect("our own folder");
                let _door = exam.listen("mysocket");
                server.signal(Signal::TERM);
                server.find("stopping")?;
                server.expect_code(0)?;
                exam.expect(
                    exam.files().iter().any(|file| file == "mysocket"),
                    "the other server's name to be there",
                    "it is gone",
                )
                .hint(
                    "remember device and inode of your socket, and compare \
                     before you remove the name",
                )
            },
        },
        Promise {
            id: "starts-after-a-crash",
            says: "The server starts after one that was ended by `kill -9`, \
                   and is refused where one lives, which goes on.",
            takes: &[Server],
            check: |exam| {
                let mut killed = exam.server(&[])?;
                killed.kill();
                let _server = exam.server(&[]).hint(
                    "an orderly end is a courtesy: the next start must not \
                     depend on it. If nobody answers at the name, it is a \
                     dead server's",
                )?;
                let mut second =
                    exam.start_as(Server, "second", &[], |_| {})?;
                second.expect_failure()?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "NONE")
            },
        },
        Promise {
            id: "lose-nobody",
            says: "The client gets its answer from a server that is asked to \
                   stop while the client waits in its backlog.",
            takes: &[Server, Client],
            check: |exam| {
                let mut server = exam.server(&[])?;
                server.signal(Signal::STOP);
                let mut client = exam.start(Client, &["ADD visits 1"])?;
                // Time to connect; if it comes too late, it goes on trying.
                pass(Duration::from_millis(200));
                server.signal(Signal::TERM);
                server.signal(Signal::CONT);
                expect_end(exam, &mut server)?;
                let _next = exam.server(&[])?;
                client.find("VALUE 1")?;
                client.expect_code(0).map(drop)
            },
        },
    ],
};

/// Why a server does not stop.
const UNCAUGHT: &str = "a signal that is not caught ends a program where it \
    stands; and a flag that a handler sets wakes nobody: let it write a byte \
    that your wait for clients waits for, too";

/// Expects the server to say that it stops, to end with 0, and to leave no
/// name.
fn expect_end(exam: &Exam, server: &mut Running) -> Checked {
    server.find("stopping").hint(UNCAUGHT)?;
    server.expect_code(0)?;
    exam.expect_files(&[])
}

/// Asks the server to stop by this signal, and expects it to do so at once,
/// although a client says nothing.
fn expect_end_at_once(
    exam: &Exam,
    server: &mut Running,
    signal: Signal,
    idle: &mut Peer,
) -> Checked {
    let hint = "whoever waits in a read has to be woken: shut down the \
                reading half of each connection";
    let start = Instant::now();
    server.signal(signal);
    server.find("stopping").hint(UNCAUGHT)?;
    idle.expect_rest("").hint(hint)?;
    server.expect_code(0)?;
    let took = start.elapsed();
    exam.expect(
        took < GRACE,
        "the server to end at once",
        format!("it took {took:?}"),
    )
    .hint(hint)?;
    exam.expect_files(&[])
}

fn expect_no_name(exam: &Exam) -> Checked {
    exam.note("client: connects to mysocket");
    let got = match UnixStream::connect(exam.join("mysocket")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => error.to_string(),
        Ok(_) => "it is connected".to_owned(),
    };
    Err(exam.flaw("No such file or directory", got))
}

const HANG_UP: Contract = Contract {
    id: "hang-up",
    setting: "`server` is that of this chapter, and stops as well when it gets
`SIGHUP`.",
    promises: &[
        Promise {
            id: "stops-at-a-hangup",
            says: "The server prints `stopping` at `SIGHUP`, ends with exit \
                   code 0, and leaves no name behind, although a client is \
                   connected that says nothing.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut idle = exam.connect_as("idle", "mysocket")?;
                ask(&mut idle, "GET color", "NONE")?;
                expect_end_at_once(exam, &mut server, Signal::HUP, &mut idle)
            },
        },
        Promise {
            id: "stops-as-before",
            says: "The server stops in the same way at `SIGTERM` and \
                   `SIGINT`.",
            takes: &[Server],
            check: |exam| {
                for signal in [Signal::TERM, Signal::INT] {
                    let mut server = exam.server(&[])?;
                    server.signal(signal);
                    expect_end(exam, &mut server)?;
                }
                Ok(())
            },
        },
        Promise {
            id: "obeys-a-second-signal",
            says: "The server ends at once at a second `SIGHUP`, with 129, \
                   although a client has yet to take its answers.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let _deaf = deaf_client(exam)?;
                server.signal(Signal::HUP);
                server.find("stopping")?;
                server.signal(Signal::HUP);
                let (exit, _) = server.end()?;
                exam.expect(
                    [Exit::Signal(1), Exit::Code(129)].contains(&exit),
                    "the server to end by signal 1",
                    exit.to_string(),
                )
            },
        },
    ],
};

/// A grace that is soon over, as an argument, and one that no exam lasts.
const SHORT: (&str, Duration) = ("300", Duration::from_millis(300));
const ENDLESS: &str = "60000";

const WHO_WAS_CUT: Contract = Contract {
    id: "who-was-cut",
    setting: "`server MILLISECONDS GRACE` is that of this chapter: `GRACE` is
how long, in milliseconds, clients have to take their answers when it stops. The
last line that it prints is `cut` and the number of connections that it cut when
that time was over, such as `cut 1`.",
    promises: &[
        Promise {
            id: "cuts-one",
            says: "The server, with a grace of 300 milliseconds, a client \
                   that takes no answers and one that says nothing, prints \
                   `cut 1` and ends with exit code 0: after that time, and \
                   within a second more.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&["60000", SHORT.0])?;
                let _deaf = deaf_client(exam)?;
                let mut idle = exam.connect_as("idle", "mysocket")?;
                ask(&mut idle, "GET color", "NONE")?;
                expect_cut(exam, &mut server, 1)
            },
        },
        Promise {
            id: "cuts-three",
            says: "The server, with three that take no answers, prints `cut \
                   3`.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&["60000", SHORT.0])?;
                let deaf: Checked<Vec<Peer>> =
                    (0..3).map(|_| deaf_client(exam)).collect();
                let _deaf = deaf?;
                expect_cut(exam, &mut server, 3)
            },
        },
        Promise {
            id: "cuts-nobody",
            says: "The server, with a grace of a minute and clients that say \
                   nothing, or none at all, prints `cut 0` and ends at once.",
            takes: &[Server],
            check: |exam| {
                for idle in [1, 0] {
                    let mut server = exam.server(&["60000", ENDLESS])?;
                    let mut clients = Vec::new();
                    for _ in 0..idle {
                        let mut idle = exam.connect_as("idle", "mysocket")?;
                        ask(&mut idle, "GET color", "NONE")?;
                        clients.push(idle);
                    }
                    server.signal(Signal::TERM);
                    expect_last(exam, &mut server, 0).hint(
                        "the grace is a limit for the wait, and not a pause: \
                         it ends when the last client has been served",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "gives-time",
            says: "The server, with a grace of a minute and a client that \
                   takes its answers after half a second, gives it all of \
                   them, and prints `cut 0`.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&["60000", ENDLESS])?;
                let mut deaf = deaf_client(exam)?;
                server.signal(Signal::TERM);
                server.find("stopping")?;
                pass(Duration::from_millis(500));
                expect_all_answers(exam, &mut deaf)?;
                expect_last(exam, &mut server, 0)
            },
        },
    ],
};

/// Asks the server to stop, and expects it to cut so many when its short grace
/// is over, and not before.
fn expect_cut(exam: &Exam, server: &mut Running, count: usize) -> Checked {
    let start = Instant::now();
    server.signal(Signal::TERM);
    expect_last(exam, server, count)?;
    let took = start.elapsed();
    exam.expect(
        took >= SHORT.1,
        format!("it to wait for {:?}", SHORT.1),
        format!("it ended after {took:?}"),
    )
}

/// Expects the server to end with 0, and `cut` with this number before.
fn expect_last(exam: &Exam, server: &mut Running, count: usize) -> Checked {
    let lines = server.expect_code(0)?;
    let last = lines.last().map_or("", String::as_str);
    exam.expect(
        last == format!("cut {count}"),
        format!("server| cut {count}"),
        format!("server| {last}"),
    )
}

const JOURNAL: Contract = Contract {
    id: "journal",
    setting:
        "`server` is that of this chapter, and keeps in the file `journal`,
in the folder in which it runs, whatever it needs to have its values and ids
again when it is started the next time.",
    promises: &[
        Promise {
            id: "keeps-values",
            says: "The server has all values again after each of two `kill \
                   -9`, right after its last answer: what was set, added or \
                   deleted, with an id or without.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET color dark  blue", "OK")?;
                ask(&mut client, "SET note #k1 is no id", "OK")?;
                ask(&mut client, "SET taste bitter", "OK")?;
                ask(&mut client, "#k1 ADD visits 5", "#k1 VALUE 5")?;
                ask(&mut client, "DEL taste", "OK")?;
                server.kill();
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                let hint = "what is still in a buffer of the program when it \
                            is killed is gone, and so is what it writes only \
                            after its answer";
                ask(&mut client, "GET taste", "NONE").hint(hint)?;
                ask(&mut client, "ADD visits 1", "VALUE 6").hint(hint)?;
                server.kill();
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET visits", "VALUE 6")?;
                ask(&mut client, "GET color", "VALUE dark  blue")?;
                ask(&mut client, "GET note", "VALUE #k1 is no id")
            },
        },
        Promise {
            id: "knows-the-ids",
            says: "The server gives the answer that it gave to an id before \
                   it was killed, and does not do the request again.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "#k1 ADD visits 1", "#k1 VALUE 1")?;
                ask(&mut client, "#k2 ADD visits 1", "#k2 VALUE 2")?;
                ask(&mut client, "#k0 SET color blue", "#k0 OK")?;
                ask(&mut client, "#k3 DEL color", "#k3 OK")?;
                server.kill();
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                let hint = "the journal needs the ids as well, in the same \
                            record as what was done";
                ask(&mut client, "#k1 ADD visits 1", "#k1 VALUE 1")
                    .hint(hint)?;
                ask(&mut client, "#k3 DEL color", "#k3 OK").hint(hint)?;
                ask(&mut client, "GET visits", "VALUE 2")
            },
        },
        Promise {
            id: "does-each-once",
            says: "The server, killed in the middle of 100 requests with ids, \
                   and sent all of them again, has done each once.",
            takes: &[Server],
            check: |exam| {
                let requests: String = (1..=100)
                    .map(|n| format!("#k{n} ADD visits 1\n"))
                    .collect();
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "#k0 SET visits 1000", "#k0 OK")?;
                client.send(&requests)?;
                for n in 1..=10 {
                    client.expect_line(&format!("#k{n} VALUE {}", 1000 + n))?;
                }
                server.kill();
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                client.send(&requests)?;
                client.end();
                let answers =
                    (1..=100).map(|n| format!("#k{n} VALUE {}\n", 1000 + n));
                client.expect_rest(answers.collect::<String>()).hint(
                    "an id and what was done for it are one record: written \
                     as a whole, and read again before the first client",
                )?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET visits", "VALUE 1100")
            },
        },
        Promise {
            id: "survives-a-torn-journal",
            says: "The server starts although the last byte of the journal is \
                   missing, as after a loss of power, has all but the last \
                   request, and keeps what comes then.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET color blue", "OK")?;
                ask(&mut client, "SET taste bitter", "OK")?;
                server.kill();
                exam.note("$ truncate -s -1 journal");
                let path = exam.join("journal");
                let file = OpenOptions::new().write(true).open(path);
                let cut = file.and_then(|file| {
                    let length = file.metadata()?.len().saturating_sub(1);
                    file.set_len(length)
                });
                exam.expect(cut.is_ok(), "a file `journal`", "there is none")?;
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "VALUE blue")?;
                ask(&mut client, "SET shape round", "OK")?;
                server.kill();
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "VALUE blue")?;
                ask(&mut client, "GET shape", "VALUE round").hint(
                    "what is written next must not continue the half record: \
                     cut it off first",
                )
            },
        },
        Promise {
            id: "stops-well",
            says: "The server has the values again after an orderly end, too, \
                   which leaves the journal and no name.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET color blue", "OK")?;
                server.signal(Signal::TERM);
                server.find("stopping")?;
                server.expect_code(0)?;
                exam.expect_files(&["journal"])?;
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "VALUE blue")
            },
        },
    ],
};
