//! Chapter 10: a server that many clients use at once.

use std::io::{ErrorKind, Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::limits::{ask, deaf_client, expect_all_answers, expect_error, pass};
use crate::{Checked, Contract, Exam, Peer, Promise, Running};

pub const CONTRACTS: &[Contract] = &[STEP, WHO_IS_HERE, WAITING_ROOM, CHAT];

/// How many clients are served at once in an exam: fewer than the descriptors
/// that any system lets a program have.
const CROWD: usize = 100;

/// A server that may not open more descriptors than this, and more clients
/// than it can have with them.
const FEW_DESCRIPTORS: &str = "ulimit -n 16";
const TOO_MANY: usize = 30;

const STEP: Contract = Contract {
    id: "10-many-clients",
    setting: "Two programs. `server [COUNT]` listens at `mysocket` in the
folder in which it runs, also where a dead server has left its socket, prints
`listening on mysocket` when it is ready, and serves many clients at the same
time, until it is killed. With `COUNT`, it accepts that many, and ends when the
last of them has gone: it removes `mysocket`, and its exit code is 0. What else
it prints is its own affair. Each line that a client sends is a request, and
gets one line as its answer, in this order:

| request | answer |
|---|---|
| `SET name value` | `OK`, or `ERR` and a reason |
| `GET name` | `VALUE value`, or `NONE` |
| `DEL name` | `OK`, or `NONE` |
| anything else | `ERR` and a reason |

Each line ends with a newline and has at most 1024 bytes with it. A name has no
blank in it; a value may have. There is room for 1000 names at least.

`client REQUEST…` connects to `mysocket`, sends each argument as a line, and
prints its answer before it sends the next.",
    promises: &[
        Promise {
            id: "keeps-values",
            says: "The server answers `SET`, `GET` and `DEL`, says `ERR` to \
                   anything else, and goes on with the next request.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "NONE")?;
                ask(&mut client, "SET color dark blue", "OK")?;
                ask(&mut client, "GET color", "VALUE dark blue")?;
                for junk in [&b"HELLO\n"[..], b"\xff\xfe\n", b"\n"] {
                    client.send(junk)?;
                    expect_error(exam, &mut client)?;
                }
                ask(&mut client, "DEL color", "OK")?;
                ask(&mut client, "DEL color", "NONE")
            },
        },
        Promise {
            id: "serves-the-others",
            says: "The server serves another client at once while one says \
                   nothing, and one has sent half a request, which is \
                   answered when the rest has come.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let _silent = exam.connect_as("silent", "mysocket")?;
                let mut slow = exam.connect_as("slow", "mysocket")?;
                slow.send("GET col")?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET color blue", "OK").hint(ONE_AT_A_TIME)?;
                // Time to take what has come for all that will.
                pass(Duration::from_millis(100));
                slow.send("or\n")?;
                slow.expect_line("VALUE blue").hint(
                    "a read returns what has come so far, and not a request: \
                     keep it until its newline has come, for each client. See \
                     chapter 8",
                )
            },
        },
        Promise {
            id: "serves-a-hundred",
            says: "The server serves 100 clients at once, in whatever order \
                   they ask.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut crowd = connect_many(exam, CROWD)?;
                for client in crowd.iter_mut().rev() {
                    ask(client, "GET color", "NONE").hint(
                        "the last to come is the first to ask: nobody may \
                         have to wait until another has asked or gone. Are \
                         there fewer threads than clients?",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "has-one-store",
            says: "The server keeps one store for all: what one client has \
                   set or deleted, another sees with its next request.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut anna = exam.connect_as("anna", "mysocket")?;
                let mut ben = exam.connect_as("ben", "mysocket")?;
                let hint = "is there a store for each client, or a copy of \
                            it? All threads need the same one, behind a lock";
                for number in 0..20 {
                    ask(&mut anna, &format!("SET number {number}"), "OK")?;
                    let value = format!("VALUE {number}");
                    ask(&mut ben, "GET number", &value).hint(hint)?;
                }
                ask(&mut ben, "DEL number", "OK")?;
                ask(&mut anna, "GET number", "NONE").hint(hint)
            },
        },
        Promise {
            id: "loses-nothing",
            says: "The server keeps all 1000 names that 20 clients set at the \
                   same time.",
            takes: &[Server],
            check: |exam| {
                let server = exam.server(&[])?;
                let mut writers = connect_many(exam, 20)?;
                let name = |writer, number| format!("name{writer}.{number}");
                // All of them are heard at the same moment.
                server.stop()?;
                for (writer, client) in writers.iter_mut().enumerate() {
                    let requests: String = (0..50)
                        .map(|number| name(writer, number))
                        .map(|name| format!("SET {name} of {name}\n"))
                        .collect();
                    client.send(requests)?;
                    client.end();
                }
                server.go_on();
                let hint = "two threads must not change the store at the same \
                            time: each waits for the lock, and holds it from \
                            the look to the change. And there is room for \
                            1000 names";
                for client in &mut writers {
                    client.expect_rest("OK\n".repeat(50)).hint(hint)?;
                }
                let names = (0..writers.len()).flat_map(|writer| {
                    (0..50).map(move |number| name(writer, number))
                });
                let names: Vec<String> = names.collect();
                // So few at a time that the kernel keeps all the answers.
                for names in names.chunks(100) {
                    let mut reader = exam.connect_as("reader", "mysocket")?;
                    let requests = names.iter().map(|n| format!("GET {n}\n"));
                    reader.send(requests.collect::<String>())?;
                    reader.end();
                    let answers = reader.rest()?;
                    let answers = String::from_utf8_lossy(&answers);
                    let mut answers = answers.lines();
                    for name in names {
                        let kept = format!("VALUE of {name}");
                        let answer = answers.next().unwrap_or("the end");
                        exam.expect(
                            answer == kept,
                            format!("reader| {kept}"),
                            format!("reader| {answer}"),
                        )
                        .hint(hint)?;
                    }
                }
                Ok(())
            },
        },
        Promise {
            id: "bears-the-deaf",
            says: "The server serves the others at once, those who came \
                   before and those who come after, while a client asks for \
                   much and takes no answer.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut before = exam.connect_as("before", "mysocket")?;
                ask(&mut before, "GET color", "NONE")?;
                let _deaf = deaf_client(exam)?;
                // Time to fill what the kernel keeps.
                pass(Duration::from_millis(200));
                let hint = "the thread of the client that does not read waits \
                            in write, with something in its hand that the \
                            others need: give back the lock before you write. \
                            See *One store, one lock* in chapter 10";
                ask(&mut before, "SET color blue", "OK").hint(hint)?;
                let mut after = exam.connect_as("after", "mysocket")?;
                ask(&mut after, "GET color", "VALUE blue").hint(hint)
            },
        },
        Promise {
            id: "answers-the-deaf",
            says: "The server gives that client all its answers when it does \
                   take them, complete and in order.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut deaf = deaf_client(exam)?;
                pass(Duration::from_millis(200));
                deaf.end();
                expect_all_answers(exam, &mut deaf).hint(
                    "a write takes what fits, and says how much that was: go \
                     on with the rest when there is room again. See chapter 4",
                )
            },
        },
        Promise {
            id: "survives-who-leaves",
            says: "The server serves the others when a client has gone \
                   without its answers, and when one has gone in half a \
                   request, which is not done.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut witness = exam.connect_as("witness", "mysocket")?;
                ask(&mut witness, "SET color blue", "OK")?;
                let hint = "an error of one client ends its conversation, and \
                            nothing else: print it in the client's own \
                            thread, and go on";
                deaf_client(exam)?.close();
                let mut half =
                    exam.connect_as("half", "mysocket").hint(hint)?;
                half.send("DEL color").hint(hint)?;
                half.close();
                // Time to do what should not be done.
                pass(Duration::from_millis(100));
                server.expect_runs().hint(hint)?;
                ask(&mut witness, "GET color", "VALUE blue")
                    .hint_if(
                        "NONE",
                        "what ends without a newline is no request: it may be \
                         the beginning of a longer one",
                    )
                    .hint_if("connection", hint)?;
                let mut client = exam.connect("mysocket").hint(hint)?;
                ask(&mut client, "GET color", "VALUE blue").hint(hint)
            },
        },
        Promise {
            id: "refuses-a-long-line",
            says: "The server answers a line of 1024 bytes, says `ERR` to a \
                   longer one and ends that connection, and serves the others.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                let value = "x".repeat(1024 - "SET long \n".len());
                ask(&mut client, &format!("SET long {value}"), "OK")?;
                let mut endless = exam.connect_as("endless", "mysocket")?;
                // No newline, and nothing of it is left unread.
                endless.send("x".repeat(1024))?;
                let hint = "it must not wait for the end of a line that is \
                            too long already: read 1024 bytes at most. See \
                            chapter 8";
                expect_error(exam, &mut endless).hint(hint)?;
                endless.expect_rest("").hint(
                    "what follows in the stream is the rest of that line, and \
                     no request: close",
                )?;
                ask(&mut client, "GET long", &format!("VALUE {value}"))
            },
        },
        Promise {
            id: "waits-for-room",
            says: "The server, after `ulimit -n 16` and with 30 clients, \
                   goes on serving those that it has, and serves the next \
                   ones as others leave.",
            takes: &[Server],
            check: |exam| {
                let hint = "`accept` fails when there is no descriptor left, \
                            and there is one again when a client leaves: \
                            report the failure, pause, try again";
                let (mut server, clients) =
                    too_many_clients(exam).hint(hint)?;
                pass(Duration::from_millis(300));
                server.expect_runs().hint(hint)?;
                for mut client in clients {
                    client.send("GET color\n").hint(hint)?;
                    client.expect_line("NONE").hint(hint)?;
                    client.close();
                }
                Ok(())
            },
        },
        Promise {
            id: "does-not-burn",
            says: "The server uses next to no processor time while it cannot \
                   accept the next client.",
            takes: &[Server],
            check: |exam| {
                let (mut server, _clients) = too_many_clients(exam)?;
                // Time to accept those for whom there is room.
                pass(Duration::from_millis(300));
                expect_rest(exam, &mut server).hint(
                    "an `accept` that has failed fails again at once, \
                     thousands of times a second: pause for a tenth of a \
                     second before you try again",
                )
            },
        },
        Promise {
            id: "serves-so-many",
            says: "The server, with `3`, serves three clients together, ends \
                   with exit code 0 when the last has gone, and removes its \
                   name.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&["3"])?;
                let hint = "a program ends with its `main`, and takes its \
                            threads along: wait for them first";
                let mut clients = connect_many(exam, 3)?;
                for client in clients.iter_mut().rev() {
                    ask(client, "GET color", "NONE").hint(hint)?;
                }
                drop(clients.split_off(1));
                exam.note("two of them close the connection");
                // Time to end too early.
                pass(Duration::from_millis(100));
                server.expect_runs().hint(hint)?;
                ask(&mut clients[0], "GET color", "NONE").hint(hint)?;
                exam.note("the last one closes the connection");
                drop(clients);
                server.expect_code(0)?;
                exam.expect_files(&[])
            },
        },
        Promise {
            id: "needs-no-reader",
            says: "The server, with `2`, serves two clients and ends, \
                   although nobody reads what it prints after its first line.",
            takes: &[Server],
            check: |exam| {
                const SCRIPT: &str = r#""$0" "$@" |
                    { read -r line; exec <&-; echo "$line"; }"#;
                exam.note("$ the output is closed after a line");
                let mut server =
                    exam.start_as(Server, "server", &["2"], |command| {
                        let mut shell = Command::new("sh");
                        shell.args(["-c", SCRIPT]);
                        shell.arg(command.get_program());
                        shell.args(command.get_args());
                        shell.current_dir(exam.join(""));
                        *command = shell;
                    })?;
                server.expect("listening on mysocket")?;
                let hint = "printing fails where nobody reads, and that is no \
                            reason to end: ignore the error (`println!` \
                            panics; in C, ignore SIGPIPE, too)";
                for name in ["first", "second"] {
                    let mut client = exam.connect_as(name, "mysocket")?;
                    ask(&mut client, "GET color", "NONE").hint(hint)?;
                    // There is something to say about this one's end.
                    client.send("no end")?;
                    client.end();
                    client.rest()?;
                }
                server.end().hint(hint)?;
                exam.expect_files(&[]).hint(hint)
            },
        },
        Promise {
            id: "takes-no-other-number",
            says: "The server, given what is no number of clients (`many`, \
                   `-1`, `1.5`, or nothing between quotes), prints why, ends \
                   with exit code 1, and makes nothing.",
            takes: &[Server],
            check: |exam| {
                for argument in ["many", "-1", "1.5", ""] {
                    let mut server = exam.start(Server, &[argument])?;
                    server
                        .expect_failure()
                        .hint("look at the argument before you bind")?;
                }
                exam.expect_files(&[])
            },
        },
        Promise {
            id: "starts-after-a-crash",
            says: "The server starts after one that was ended by `kill -9`, \
                   and is refused with exit code 1 where one lives, which \
                   keeps its clients.",
            takes: &[Server],
            check: |exam| {
                let mut killed = exam.server(&[])?;
                killed.kill();
                let _server = exam.server(&[]).hint(
                    "a socket at which nobody answers is a dead server's, and \
                     in the way: remove it. See chapter 6",
                )?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET color blue", "OK")?;
                let mut second =
                    exam.start_as(Server, "second", &[], |_| {})?;
                second.expect_failure().hint(
                    "somebody answers at that name: it must not be taken away",
                )?;
                ask(&mut client, "GET color", "VALUE blue")?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "VALUE blue")
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
            id: "talk-to-each-other",
            says: "The client prints what the server answers, `OK` to `SET \
                   color blue` and `VALUE blue` to `GET color`, while another \
                   client says nothing.",
            takes: &[Server, Client],
            check: |exam| {
                let _server = exam.server(&[])?;
                let _silent = exam.connect_as("silent", "mysocket")?;
                let requests = ["SET color blue", "GET color"];
                let mut client = exam.start(Client, &requests)?;
                client.expect("OK")?;
                client.expect("VALUE blue")?;
                client.expect_code(0).map(drop)
            },
        },
    ],
};

const ONE_AT_A_TIME: &str = "is it waiting for another client? Each needs a \
    thread of its own, or a wait for all of them at once. See *One waits, the \
    others work* in chapter 10";

/// So many clients at once.
fn connect_many(exam: &Exam, count: usize) -> Checked<Vec<Peer>> {
    (1..=count)
        .map(|number| exam.connect_as(&format!("client{number}"), "mysocket"))
        .collect()
}

/// A server that cannot accept all of its clients, and these.
fn too_many_clients(exam: &Exam) -> Checked<(Running, Vec<Peer>)> {
    let mut server = exam.start_after(FEW_DESCRIPTORS, Server, &[])?;
    server.expect("listening on mysocket")?;
    Ok((server, connect_many(exam, TOO_MANY)?))
}

/// Expects the server to do next to nothing for half a second.
#[cfg(target_os = "linux")]
fn expect_rest(exam: &Exam, server: &mut Running) -> Checked {
    const SPAN: Duration = Duration::from_millis(500);
    server.expect_runs()?;
    let before = harness::processor_time(server.program());
    // On a busy machine it may get little of the processor, however much of
    // it it wants.
    let mut is_always_busy = true;
    for _ in 0..20 {
        pass(SPAN / 20);
        is_always_busy &= is_busy(server);
    }
    server.expect_runs()?;
    let used = harness::processor_time(server.program()) - before;
    exam.expect(
        used < SPAN / 10 && !is_always_busy,
        format!("next to no processor time in {SPAN:?}"),
        format!("it used {used:?}"),
    )
}

/// Whether its main thread, or any other, has work to do.
#[cfg(target_os = "linux")]
fn is_busy(server: &Running) -> bool {
    let tasks = format!("/proc/{}/task", server.program().id());
    let tasks = std::fs::read_dir(tasks).into_iter().flatten().flatten();
    tasks.into_iter().any(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat"));
        stat.is_ok_and(|stat| stat.contains(") R "))
    })
}

#[cfg(not(target_os = "linux"))]
fn expect_rest(exam: &Exam, _: &mut Running) -> Checked {
    Err(exam.cannot_examine("processor time is examined on Linux only"))
}

const WHO_IS_HERE: Contract = Contract {
    id: "who-is-here",
    setting: "`server` is that of this chapter, and answers `COUNT` with the
number of clients that are connected, the one that asks among them: `5`, and no
other word in that line.",
    promises: &[
        Promise {
            id: "counts-all",
            says: "The server says `1` to a client that is alone, and `5` to \
                   each of five.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut first = exam.connect_as("first", "mysocket")?;
                ask(&mut first, "COUNT", "1")?;
                let mut clients = connect_many(exam, 4)?;
                // Who has been answered has been accepted.
                greet(&mut clients)?;
                clients.push(first);
                clients.iter_mut().rev().try_for_each(|client| {
                    ask(client, "COUNT", "5").hint(
                        "one counter for all: a client counts from the moment \
                         it is accepted, whether it asks or not",
                    )
                })
            },
        },
        Promise {
            id: "counts-down",
            says: "The server says `4` within a second after one of five has \
                   left.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut clients = connect_many(exam, 5)?;
                greet(&mut clients)?;
                drop(clients.remove(2));
                exam.note("client3: closes the connection");
                expect_count(exam, &mut clients[0], "4")
            },
        },
        Promise {
            id: "counts-down-however-they-leave",
            says: "The server does not count a client that has left in half a \
                   request, without its answers, or that it has cut for a \
                   line that is too long.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                let mut half = exam.connect_as("half", "mysocket")?;
                half.send("GET col")?;
                half.close();
                deaf_client(exam)?.close();
                let mut long = exam.connect_as("long", "mysocket")?;
                long.send("x".repeat(1024))?;
                long.rest()?;
                expect_count(exam, &mut client, "1")
            },
        },
        Promise {
            id: "counts-a-crowd",
            says: "The server says `1` again when 100 have come and gone, and \
                   has answered them as before.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET color blue", "OK")?;
                let mut crowd = connect_many(exam, CROWD)?;
                for other in &mut crowd {
                    ask(other, "GET color", "VALUE blue")?;
                }
                ask(&mut client, "COUNT", &(CROWD + 1).to_string())?;
                drop(crowd);
                exam.note("the hundred close their connections");
                expect_count(exam, &mut client, "1")
            },
        },
    ],
};

/// Asks each of them something, so that all are known to be served.
fn greet(clients: &mut [Peer]) -> Checked {
    clients.iter_mut().try_for_each(|client| {
        ask(client, "GET color", "NONE").hint(ONE_AT_A_TIME)
    })
}

/// Expects this number before long: an end has to be noticed first.
fn expect_count(exam: &Exam, client: &mut Peer, count: &str) -> Checked {
    let deadline = Instant::now() + exam.limit();
    let mut times = 0;
    loop {
        client.send("COUNT\n")?;
        let line = client.line()?;
        // Not only by chance, before the end was noticed.
        times = if line == count { times + 1 } else { 0 };
        if times > 5 {
            return Ok(());
        }
        if Instant::now() > deadline {
            let expected = format!("client| {count}");
            return Err(exam.flaw(expected, format!("client| {line}"))).hint(
                "a client that has gone must not be counted any more, however \
                 it has gone: count down where all ways out meet, in the \
                 `drop` of a guard or after the call that serves it",
            );
        }
        pass(Duration::from_millis(10));
    }
}

const WAITING_ROOM: Contract = Contract {
    id: "waiting-room",
    setting: "`server COUNT N` is the server of this chapter, which accepts
`COUNT` clients and then ends, and serves `N` of them at a time, 1 at least.
It leaves the next one in the backlog until one of them has gone. That one may
have sent its requests long before.",
    promises: &[
        Promise {
            id: "serves-n",
            says: "The server, with `100 3`, serves three clients at the same \
                   time.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&["100", "3"])?;
                let mut clients = connect_many(exam, 3)?;
                clients.iter_mut().rev().try_for_each(|client| {
                    ask(client, "GET color", "NONE").hint(
                        "wait only where there are `N` already: count up when \
                         a client is accepted, and wait before that",
                    )
                })
            },
        },
        Promise {
            id: "lets-the-next-one-wait",
            says: "The server, with `100 2`, does not answer the third as \
                   long as both others are there, and answers it within a \
                   second after one has gone.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&["100", "2"])?;
                let (mut two, mut third) = full_room(exam)?;
                expect_silence(exam, &third)?;
                two.remove(0).close();
                third.expect_line("NONE").hint(MAKE_ROOM)?;
                ask(&mut two[0], "GET color", "NONE")
            },
        },
        Promise {
            id: "makes-room-for-each",
            says: "The server, with `100 2`, serves ten clients that have \
                   come at the same time, the next as soon as one has gone.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&["100", "2"])?;
                let mut clients = connect_many(exam, 10)?;
                for client in &mut clients {
                    client.send("GET color\n")?;
                }
                // Whoever is first in the backlog is accepted first.
                for mut client in clients {
                    client.expect_line("NONE").hint(MAKE_ROOM)?;
                    client.close();
                }
                Ok(())
            },
        },
        Promise {
            id: "makes-room-however-they-leave",
            says: "The server, with `100 1`, serves the next one, too, when \
                   one has left in half a request, without its answers, or \
                   was cut for a line that is too long.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&["100", "1"])?;
                let mut half = exam.connect_as("half", "mysocket")?;
                half.send("GET col")?;
                half.close();
                deaf_client(exam).hint(MAKE_ROOM)?.close();
                let mut long = exam.connect_as("long", "mysocket")?;
                long.send("x".repeat(1024)).hint(MAKE_ROOM)?;
                long.rest().hint(MAKE_ROOM)?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET color", "NONE").hint(MAKE_ROOM)
            },
        },
        Promise {
            id: "rests-meanwhile",
            says: "The server uses next to no processor time while one waits.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&["100", "2"])?;
                let (_two, _third) = full_room(exam)?;
                expect_rest(exam, &mut server).hint(
                    "looking again and again costs the processor: wait in \
                     `Condvar::wait_while`, and wake it with `notify_one` \
                     when a client has gone",
                )
            },
        },
        Promise {
            id: "ends-after-count",
            says: "The server, with `3 1`, ends with exit code 0 when three \
                   have been served one after the other, and removes its \
                   name.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&["3", "1"])?;
                for name in ["first", "second", "third"] {
                    let mut client = exam.connect_as(name, "mysocket")?;
                    ask(&mut client, "GET color", "NONE").hint(MAKE_ROOM)?;
                    client.close();
                }
                server.expect_code(0)?;
                exam.expect_files(&[])
            },
        },
        Promise {
            id: "takes-no-other-n",
            says: "The server, given what is no number of clients to serve at \
                   a time (`0`, `-1`, `two`), prints why, ends with exit code \
                   1, and makes nothing.",
            takes: &[Server],
            check: |exam| {
                for n in ["0", "-1", "two"] {
                    let mut server = exam.start(Server, &["100", n])?;
                    server.expect_failure().hint(
                        "look at the arguments before you bind; where nobody \
                         may come in, all wait for ever",
                    )?;
                }
                exam.expect_files(&[])
            },
        },
    ],
};

const MAKE_ROOM: &str = "a client that has gone must make room, however it \
    has gone: count down, and wake who waits, where all ways out meet";

/// How long those wait in an exam who must wait.
const A_WHILE: Duration = Duration::from_millis(300);

/// Two clients that are served, where two may be, and one more that has asked.
fn full_room(exam: &Exam) -> Checked<(Vec<Peer>, Peer)> {
    let mut two = connect_many(exam, 2)?;
    greet(&mut two)?;
    let mut third = exam.connect_as("third", "mysocket")?;
    // It may have been sent away already: then reading says so.
    let _ = third.send("GET color\n");
    Ok((two, third))
}

/// Expects that nothing comes for a while, and no end either.
fn expect_silence(exam: &Exam, client: &Peer) -> Checked {
    let mut stream = client.stream();
    stream.set_read_timeout(Some(A_WHILE)).expect("no zero");
    let result = stream.read(&mut [0]);
    stream.set_read_timeout(Some(exam.limit())).expect("no zero");
    let got = match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
        Ok(0) | Err(_) => "the connection has ended",
        Ok(_) => "there is an answer",
    };
    Err(exam.flaw("no answer as long as the others are there", got)).hint(
        "it must not be served yet, and not be sent away: do not call \
         `accept` before there is room",
    )
}

/// The most lines that the chat keeps for a client that lags behind.
const QUEUE: usize = 100;

/// How many times so many lines are sent past a client that reads none: 10 MB
/// in all.
const ROUNDS: usize = 500;
const LINES: usize = 20;

const CHAT: Contract = Contract {
    id: "chat",
    setting: "`server` listens at `mysocket` in the folder in which it runs,
prints `listening on mysocket` when it is ready, and serves many clients at the
same time until it is killed. It sends each line that a client sends to all
other clients that are connected, as it is, and to nobody else. A line ends with
a newline and has at most 1024 bytes with it: the server ends the connection of
a client that sends a longer one, and passes on nothing of it.

For each client the server keeps up to 100 lines, besides what the kernel keeps.
When there is one more, it ends the connection of that client.",
    promises: &[
        Promise {
            id: "passes-on",
            says: "The server sends each line to all other clients, and not \
                   back to the one that sent it.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut all = chatters(exam, &["anna", "ben", "carl"])?;
                for (speaker, line) in
                    [(0, "hello, I am Anna"), (1, "Ben here"), (2, "\u{e9}")]
                {
                    all[speaker].send(format!("{line}\n"))?;
                    for other in (0..3).filter(|other| *other != speaker) {
                        all[other].expect_line(line).hint(
                            "a line goes to all who are there but the one \
                             that sent it",
                        )?;
                    }
                }
                Ok(())
            },
        },
        Promise {
            id: "passes-on-lines",
            says: "The server passes on a line as a whole when it has come in \
                   pieces and another client speaks meanwhile.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut all = chatters(exam, &["anna", "ben", "carl"])?;
                all[0].send("good ")?;
                // Time to pass on what is no line yet.
                pass(Duration::from_millis(50));
                all[1].send("hush\n")?;
                let hint = "a read returns what has come so far, and not a \
                            line: keep it until its newline has come";
                all[2].expect_line("hush").hint(hint)?;
                all[0].send("morning\nand good")?;
                all[2].expect_line("good morning").hint(hint)?;
                all[0].send(" night\n")?;
                all[2].expect_line("and good night").hint(hint)
            },
        },
        Promise {
            id: "keeps-lines-whole",
            says: "The server passes on the lines of two clients that speak at \
                   the same time whole, and those of each in order.",
            takes: &[Server],
            check: |exam| {
                let server = exam.server(&[])?;
                let mut all = chatters(exam, &["anna", "ben", "carl"])?;
                // It takes luck to see two threads in each other's way.
                (0..10).try_for_each(|_| speak_at_once(exam, &server, &mut all))
            },
        },
        Promise {
            id: "waits-for-who-lags",
            says: "The server gives a client that reads late all 100 lines \
                   that were sent meanwhile, in order.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut all = chatters(exam, &["anna", "ben", "late"])?;
                for number in 1..=QUEUE {
                    let line = long_line(number);
                    all[0].send(format!("{line}\n"))?;
                    all[1].expect_line(&line)?;
                }
                for number in 1..=QUEUE {
                    all[2].expect_line(&long_line(number)).hint(
                        "a client may lag by 100 lines: its queue has room \
                         for so many",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "bears-the-deaf",
            says: "The server passes on each line at once to those who read, \
                   1 MB in all, although one never reads.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut all = chatters(exam, &["anna", "ben", "deaf"])?;
                talk(exam, &mut all, ROUNDS / 10)
            },
        },
        Promise {
            id: "keeps-little",
            says: "While 10 MB are said, and one never reads, the server's \
                   memory grows by 4 MiB at most.",
            takes: &[Server],
            check: keeps_little,
        },
        Promise {
            id: "drops-the-deaf",
            says: "The server ends the connection of the client that never \
                   reads.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut all = chatters(exam, &["anna", "ben", "deaf"])?;
                talk(exam, &mut all, ROUNDS / 10)?;
                let mut deaf = all.pop().expect("the third");
                let all_lines = ROUNDS / 10 * LINES * (long_line(0).len() + 1);
                let rest = deaf.rest().hint(
                    "its queue is full, and stays so: shut down both halves of \
                     its stream, which also wakes the thread that waits in \
                     write",
                )?;
                exam.expect(
                    rest.len() < all_lines,
                    "not all that was said",
                    "all of it was kept",
                )?;
                talk(exam, &mut all, 1)
            },
        },
        Promise {
            id: "survives-who-leaves",
            says: "The server goes on when a client has left, in half a line, \
                   too, which is not passed on.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut all = chatters(exam, &["half", "anna", "ben"])?;
                let mut half = all.remove(0);
                half.send("I have to")?;
                half.close();
                let hint = "what ends without a newline is no line; and an \
                            error of one client is no reason to end";
                for _ in 0..10 {
                    // Time to pass on what it should not.
                    pass(Duration::from_millis(30));
                    all[0].send("who was that?\n").hint(hint)?;
                    all[1].expect_line("who was that?").hint(hint)?;
                }
                Ok(())
            },
        },
        Promise {
            id: "cuts-a-long-line",
            says: "The server passes on a line of 1024 bytes, ends the \
                   connection of a client that sends a longer one, and passes \
                   on nothing of that.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut all = chatters(exam, &["anna", "ben", "endless"])?;
                let line = "x".repeat(1023);
                all[0].send(format!("{line}\n"))?;
                all[1].expect_line(&line)?;
                all[2].expect_line(&line)?;
                // Nothing of it is left unread.
                all[2].send("y".repeat(1024))?;
                all[2].expect_rest("").hint(
                    "it must not wait for the end of a line that is too long \
                     already: read 1024 bytes at most",
                )?;
                all[0].send("and now?\n")?;
                all[1].expect_line("and now?")
            },
        },
    ],
};

/// Clients with these names, each of which has heard another: so it is known
/// to be on the list of those who are there.
fn chatters(exam: &Exam, names: &[&str]) -> Checked<Vec<Peer>> {
    let all = names.iter().map(|name| exam.connect_as(name, "mysocket"));
    let mut all = all.collect::<Checked<Vec<Peer>>>()?;
    for speaker in 0..2 {
        expect_heard(exam, &mut all, speaker)?;
    }
    Ok(all)
}

/// Lets one of them say something until all others have heard it. What it
/// said before, they have heard or will never hear: lines keep their order.
fn expect_heard(exam: &Exam, all: &mut [Peer], speaker: usize) -> Checked {
    let deadline = Instant::now() + exam.limit();
    for number in 1.. {
        let line = format!("hello {number}");
        all[speaker].send(format!("{line}\n"))?;
        let mut result = Ok(());
        for (_, other) in
            all.iter_mut().enumerate().filter(|(n, _)| *n != speaker)
        {
            set_timeout(other, Duration::from_millis(100));
            result = loop {
                match other.line() {
                    Ok(heard) if heard == line => break Ok(()),
                    // An older one that is late, or one's own.
                    Ok(_) if Instant::now() < deadline => {}
                    Ok(_) => break Err(exam.flaw(&line, "other lines")),
                    Err(flaw) => break Err(flaw),
                }
            };
            set_timeout(other, exam.limit());
            if result.is_err() {
                break;
            }
        }
        if result.is_ok() || Instant::now() > deadline {
            return result.hint(
                "a line goes to all other clients at once: each needs a \
                 thread that reads what it says, and is on a list of those \
                 who are there",
            );
        }
    }
    Ok(())
}

fn set_timeout(peer: &Peer, time: Duration) {
    // It fails on macOS once the other side has gone.
    let _ = peer.stream().set_read_timeout(Some(time));
}

/// Lets the first two of three say half as many lines each as a queue holds,
/// at the same time, and all hear what there is to hear.
fn speak_at_once(exam: &Exam, server: &Running, all: &mut [Peer]) -> Checked {
    let lines = |speaker: usize| {
        let letter = ["a", "b"][speaker].repeat(100);
        (0..QUEUE / 2).map(move |number| format!("{number:02}{letter}\n"))
    };
    let said = [0, 1].map(|speaker| lines(speaker).collect::<String>());
    // In the middle of a line.
    let [anna, ben] = said.each_ref().map(|said| said.split_at(1000));
    all[0].send(anna.0)?;
    all[1].send(ben.0)?;
    // Time to pass on what is no line yet.
    pass(Duration::from_millis(5));
    // Both are heard at the same moment.
    server.stop()?;
    all[0].send(anna.1)?;
    all[1].send(ben.1)?;
    server.go_on();
    all[0].bytes(said[1].len())?;
    all[1].bytes(said[0].len())?;
    let came = all[2].bytes(said.concat().len())?;
    let mut to_come = [lines(0).peekable(), lines(1).peekable()];
    for line in String::from_utf8_lossy(&came).split_inclusive('\n') {
        let next = to_come
            .iter_mut()
            .find_map(|lines| lines.next_if(|next| next == line));
        exam.expect(
            next.is_some(),
            "the next line of anna or ben, as it was sent",
            format!("carl| {}", line.trim_end()),
        )
        .hint(
            "a line and its newline go into the queue as one, and one thread \
             takes them out: what two threads write to one stream, or one \
             writes in two parts, mixes. See *Two threads, one stream* in \
             chapter 10",
        )?;
    }
    Ok(())
}

/// A line with a number and about 1000 bytes.
fn long_line(number: usize) -> String {
    format!("{number:04}{}", "x".repeat(1000))
}

/// The first speaks, and the second reads; it never lags by more than a few
/// lines.
fn talk(exam: &Exam, all: &mut [Peer], rounds: usize) -> Checked {
    let lines: String =
        (0..LINES).map(|number| format!("{}\n", long_line(number))).collect();
    let size = lines.len();
    exam.note(format!("anna says {size} bytes, {rounds} times; ben reads"));
    let hint = "whoever sends a line must not wait for those who get it: put \
                it into a queue for each, without waiting, and never hold a \
                lock while you write to a client";
    let mut bytes = vec![0; size];
    for _ in 0..rounds {
        let sent = all[0].stream().write_all(lines.as_bytes());
        let read = sent.and_then(|()| all[1].stream().read_exact(&mut bytes));
        if let Err(error) = read {
            let got = match error.kind() {
                ErrorKind::WouldBlock => "nothing comes any more".to_owned(),
                _ => error.to_string(),
            };
            return Err(exam.flaw("each line to come at once", got)).hint(hint);
        }
        exam.expect(
            bytes == lines.as_bytes(),
            "the lines as they were sent",
            "others",
        )?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn keeps_little(exam: &Exam) -> Checked {
    let mut server = exam.server(&[])?;
    let mut all = chatters(exam, &["anna", "ben", "deaf"])?;
    let before = harness::peak_memory(server.program());
    talk(exam, &mut all, ROUNDS)?;
    server.expect_runs()?;
    let after = harness::peak_memory(server.program());
    let grown = after.saturating_sub(before) / 1024;
    exam.expect(
        grown <= 4,
        "its memory (VmHWM) to grow by 4 MiB at most",
        format!("it grew by {grown} MiB"),
    )
    .hint(
        "a queue without a limit grows for as long as nobody reads: give it \
         one, and drop the client whose queue is full",
    )
}

#[cfg(not(target_os = "linux"))]
fn keeps_little(exam: &Exam) -> Checked {
    Err(exam.cannot_examine("memory is examined on Linux only"))
}
