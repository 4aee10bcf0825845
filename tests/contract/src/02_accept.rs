//! Chapter 2: accepting one client after another.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect,
    socket_with,
};

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::{Checked, Contract, Exam, Exit, Promise, Running};

pub const CONTRACTS: &[Contract] = &[STEP, A_LOG, ENOUGH, OWN_NAME];

const STEP: Contract = Contract {
    id: "02-accept",
    setting: "One program, the server, without arguments. It listens at
`mysocket`, says so with the line `listening on mysocket`, and accepts clients
until it is killed. For each it prints a line that begins with `accepted
connection` and its number, counted from 1: `accepted connection 1 from
(unnamed)`.",
    promises: &[
        Promise {
            id: "listens-and-goes-on",
            says: "The server prints `listening on mysocket` when clients can \
                   connect, and goes on running.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                exam.connect("mysocket")?;
                server.expect_runs()
            },
        },
        Promise {
            id: "numbers-its-clients",
            says: "It prints `accepted connection 1`, then `accepted \
                   connection 2`, and so on, a line for each client, in the \
                   order in which they connect.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut clients = Vec::new();
                for number in 1..=5 {
                    let name = format!("client {number}");
                    let client = exam.connect_as(&name, "mysocket");
                    clients.push(client.hint_if("fails", LOOP)?);
                    accepted(&mut server, number)
                        .hint_if("has ended", LOOP)
                        .hint_if(
                            "nothing came",
                            "`accept` takes one client: it stands in a loop, in \
                             which nothing else waits. In this step the server \
                             neither reads nor writes",
                        )
                        .hint_if(
                            "cannot accept",
                            "in C, say before each `accept` how much room the \
                             address has, or ask for none",
                        )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "hangs-up-on-nobody",
            says: "It keeps every connection open, and sends nothing.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let first = exam.connect_as("first", "mysocket")?;
                accepted(&mut server, 1)?;
                // Once the second is accepted, it is through with the first.
                let _second = exam.connect_as("second", "mysocket")?;
                accepted(&mut server, 2)?;
                let mut stream = first.stream();
                // It is open, so this cannot fail.
                let _ = stream.set_nonblocking(true);
                let got = match stream.read(&mut [0]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        return Ok(());
                    }
                    Ok(0) => "the server has closed it".to_owned(),
                    Ok(_) => {
                        let got = "the server has sent something";
                        return Err(exam.flaw("nothing to read", got));
                    }
                    Err(error) => error.to_string(),
                };
                Err(exam.flaw("the first connection to be open still", got))
                    .hint(
                        "a stream that goes out of scope is closed, and its \
                         client sees the end: keep the streams, in a list",
                    )
            },
        },
        Promise {
            id: "accepts-who-came-before",
            says: "While it is stopped, as by Ctrl-Z, ten clients connect, and \
                   the first writes and leaves. When it goes on it accepts \
                   all of them.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                server.stop()?;
                exam.connect("mysocket")?.send("Hello?")?;
                let mut clients = Vec::new();
                for number in 2..=10 {
                    let name = format!("client {number}");
                    clients.push(client(exam, &name, None)?);
                }
                server.go_on();
                (1..=10).try_for_each(|number| accepted(&mut server, number))
            },
        },
        Promise {
            id: "waits-asleep",
            says: "It costs no processor time while no client comes.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let _first = exam.connect_as("first", "mysocket")?;
                accepted(&mut server, 1)?;
                server.expect_asleep().hint(
                    "accept(2) waits by itself: do not ask it again and again",
                )?;
                let _second = exam.connect_as("second", "mysocket")?;
                accepted(&mut server, 2)
            },
        },
        Promise {
            id: "shows-a-name",
            says: "Its line for a client that has bound a name contains that \
                   name.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut clients = Vec::new();
                for (name, number) in ["Ada", "Brian"].into_iter().zip(1..) {
                    clients.push(client(exam, name, Some(name))?);
                    let line = line_about(&mut server, number)?;
                    exam.expect(
                        line.contains(name),
                        format!("server| … {name} …"),
                        format!("server| {line}"),
                    )
                    .hint(
                        "accept(2) tells the address of the client, too: in C, \
                         if you set its length before each call",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "escapes-a-name",
            says: "It prints one line for a client, whatever the name: a \
                   newline, or any other control character in it, is escaped \
                   or left out.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let name = "Eve\naccepted connection 2\x1b[2J";
                let _eve = client(exam, "Eve", Some(name))?;
                let line = line_about(&mut server, 1)?;
                let _next = client(exam, "next", None)?;
                let next = line_about(&mut server, 2)?;
                exam.expect(
                    !line.contains(char::is_control)
                        && !next.contains(char::is_control),
                    "lines without control characters",
                    format!("server| {line:?} and {next:?}"),
                )
                .hint(
                    "a client chooses its name, and who prints it as it is \
                     lets the client write into the log: print it quoted, as \
                     `{:?}` in Rust and `repr` in Python do; in C it is a loop \
                     with iscntrl(3)",
                )
            },
        },
        Promise {
            id: "survives-who-leaves",
            says: "A client that leaves at once does not end it.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                for number in 1..=3 {
                    exam.connect("mysocket")?.close();
                    accepted(&mut server, number)?;
                }
                server.expect_runs()
            },
        },
        Promise {
            id: "survives-a-failed-accept",
            says: "An `accept` that fails, because the process may open no \
                   more files, is reported in a line, and does not end it: \
                   when it may again, it accepts the next client.",
            takes: &[Server],
            check: survives_a_failed_accept,
        },
        Promise {
            id: "leaves-a-live-server-alone",
            says: "Started a second time, it is refused: it says why, ends \
                   with exit code 1, and the first server goes on.",
            takes: &[Server],
            check: |exam| {
                let mut first = exam.server(&[])?;
                let mut second =
                    exam.start_as(Server, "second", &[], |_| {})?;
                second.expect_failure().hint(
                    "it has taken the name away from a server that lives: \
                     never remove what is in the way before you know what it \
                     is",
                )?;
                let _client = exam.connect("mysocket")?;
                accepted(&mut first, 1)
            },
        },
        Promise {
            id: "is-refused-by-a-leftover",
            says: "Killed, it leaves `mysocket` and no other file, and the \
                   next start is refused in the same way.",
            takes: &[Server],
            check: |exam| {
                exam.server(&[])?.kill();
                exam.expect_files(&["mysocket"])?;
                let before = exam.identity("mysocket");
                exam.start(Server, &[])?.expect_failure()?;
                exam.expect(
                    exam.identity("mysocket") == before,
                    "the same socket as before, by its inode",
                    "it was removed or replaced",
                )
            },
        },
    ],
};

const LOOP: &str = "`accept` takes one client: it stands in a loop";

/// Waits for the line about a client.
fn accepted(server: &mut Running, number: u32) -> Checked {
    line_about(server, number).map(drop)
}

/// The line about a client.
fn line_about(server: &mut Running, number: u32) -> Checked<String> {
    let line = format!("accepted connection {number}");
    let is_it = |printed: &str| {
        let rest = printed.strip_prefix(&line);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_numeric()))
    };
    let expected = format!("server| {line}");
    server.expect_that(&expected, is_it)
}

/// Connects to the server, with a name of our own if one is given. Unlike
/// [`Exam::connect`], it waits no longer than the limit for room in the
/// backlog.
fn client(exam: &Exam, shown: &str, name: Option<&str>) -> Checked<UnixStream> {
    exam.note(match name {
        Some(name) => format!("{shown}: binds {name:?}, connects to mysocket"),
        None => format!("{shown}: connects to mysocket"),
    });
    let connected = || -> io::Result<UnixStream> {
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        let socket = socket_with(family, kind, SocketFlags::empty(), None)?;
        if let Some(name) = name {
            bind(&socket, &SocketAddrUnix::new(exam.join(name))?)?;
        }
        set_socket_timeout(&socket, Timeout::Send, Some(exam.limit()))?;
        connect(&socket, &SocketAddrUnix::new(exam.join("mysocket"))?)?;
        Ok(UnixStream::from(socket))
    };
    connected().map_err(|error| {
        let expected = "the kernel to connect the client";
        if error.kind() != ErrorKind::WouldBlock {
            return exam.flaw(expected, format!("connecting fails: {error}"));
        }
        let mut flaw = exam.flaw(expected, "there is no room for it to wait");
        let hint = "the number that listen(2) is given says how many may \
                    wait; Python and Rust choose a large one by themselves";
        flaw.hints.push(hint.to_owned());
        flaw
    })
}

fn survives_a_failed_accept(exam: &Exam) -> Checked {
    let mut server = exam.server(&[])?;
    let mut clients = vec![client(exam, "client 1", None)?];
    accepted(&mut server, 1)?;
    limit_descriptors(exam, &server, 0)?;
    // An accept that waits has its descriptor already.
    for number in 2..=4 {
        match client(exam, &format!("client {number}"), None) {
            Ok(client) => clients.push(client),
            Err(flaw) => {
                server.expect_runs().hint(GO_ON)?;
                return Err(flaw).hint(GO_ON);
            }
        }
        let line = server
            .expect_that("a line about the client or the failure", |line| {
                !line.is_empty()
            })
            .hint(GO_ON)?;
        if !line.starts_with("accepted connection") {
            limit_descriptors(exam, &server, 1000)?;
            let line = format!("accepted connection {number}");
            return server.find(&line).hint(GO_ON).map(drop);
        }
    }
    Err(exam.cannot_examine("it opens descriptors although it may not"))
}

const GO_ON: &str = "an error of `accept` is one client's, or it passes: it \
    must not end the loop. Report it, and go on";

/// Lets the server, and what it has started, open only so many descriptors.
#[cfg(target_os = "linux")]
fn limit_descriptors(exam: &Exam, server: &Running, limit: u64) -> Checked {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

    exam.note(format!("$ prlimit --nofile={limit}: --pid $server"));
    let maximum = getrlimit(Resource::Nofile).maximum;
    for id in server.program().process_ids() {
        let limit = Rlimit { current: Some(limit), maximum };
        // It may have ended: then there is nothing to limit.
        let _ = prlimit(Pid::from_raw(id), Resource::Nofile, limit);
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn limit_descriptors(exam: &Exam, _: &Running, _: u64) -> Checked {
    Err(exam.cannot_examine("only Linux limits a program that runs"))
}

const A_LOG: Contract = Contract {
    id: "a-log",
    setting: "The server of this chapter, whose lines are `accepted connection
1 after 0.250 seconds`: the number of the connection, and how many seconds after
the start of the server it was accepted, with a point.",
    promises: &[
        Promise {
            id: "numbers-and-times",
            says: "The server prints a line for each of three clients, in the \
                   order in which they connect, with the number and a time.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                for number in 1..=3 {
                    let _client = exam.connect("mysocket")?;
                    time(&mut server, number)?;
                }
                Ok(())
            },
        },
        Promise {
            id: "measures",
            says: "The times are right to a tenth of a second: two clients \
                   that come 0.4 seconds apart are that far apart in the log.",
            takes: &[Server],
            check: |exam| {
                let start = Instant::now();
                let mut server = exam.server(&[])?;
                let _first = exam.connect_as("first", "mysocket")?;
                let first = time(&mut server, 1)?;
                let most = start.elapsed().as_secs_f64() + 0.1;
                exam.expect(
                    (0.0..=most).contains(&first),
                    format!("a time since the start, {most:.3} at the most"),
                    format!("{first:.3} seconds"),
                )?;
                let before = Instant::now();
                thread::park_timeout(Duration::from_millis(400));
                exam.note("0.4 seconds pass");
                let _second = exam.connect_as("second", "mysocket")?;
                let second = time(&mut server, 2)?;
                let apart = before.elapsed().as_secs_f64();
                let logged = second - first;
                exam.expect(
                    (0.3..=apart + 0.1).contains(&logged),
                    "times that are about 0.4 seconds apart",
                    format!("they are {logged:.3} seconds apart"),
                )
                .hint(
                    "measure from the start of the server, once, in seconds \
                     with a fraction: a clock that counts whole seconds is \
                     too coarse",
                )
            },
        },
    ],
};

/// The time in the line about a client, in seconds.
fn time(server: &mut Running, number: u32) -> Checked<f64> {
    let start = format!("accepted connection {number} after ");
    let time = |line: &str| -> Option<f64> {
        let rest = line.strip_prefix(&start)?;
        rest.strip_suffix(" seconds")?.parse().ok()
    };
    let expected = format!("server| {start}0.250 seconds, or another time");
    let line = server.expect_that(&expected, |line| time(line).is_some())?;
    Ok(time(&line).unwrap_or_default())
}

const ENOUGH: Contract = Contract {
    id: "enough",
    setting: "`server N` is the server of this chapter, and ends with exit code
0 after it has accepted N clients.",
    promises: &[
        Promise {
            id: "ends-after-them",
            says: "The server ends with exit code 0 after N clients, for 1 \
                   and for 3.",
            takes: &[Server],
            check: |exam| {
                for count in [1, 3] {
                    // Its name is in the way of the next.
                    let _ = fs::remove_file(exam.join("mysocket"));
                    let mut server = exam.server(&[&count.to_string()])?;
                    for number in 1..=count {
                        exam.connect("mysocket")?.close();
                        accepted(&mut server, number)?;
                    }
                    server.expect_code(0)?;
                    exam.note("$ rm mysocket");
                }
                Ok(())
            },
        },
        Promise {
            id: "serves-no-more",
            says: "Of five clients that wait it accepts three, if N is 3: not \
                   two, and not four.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&["3"])?;
                server.stop()?;
                let mut clients = Vec::new();
                for number in 1..=5 {
                    let name = format!("client {number}");
                    clients.push(client(exam, &name, None)?);
                }
                server.go_on();
                for number in 1..=3 {
                    accepted(&mut server, number)?;
                }
                let lines = server.expect_code(0)?;
                exam.expect(
                    lines.is_empty(),
                    "no line after the third client",
                    format!("server| {}", lines.join("\nserver| ")),
                )
            },
        },
    ],
};

const OWN_NAME: Contract = Contract {
    id: "own-name",
    setting: "`client PATH` binds the path, connects to the server at
`mysocket`, prints `connected as` and the path, removes the path, and ends with
exit code 0.",
    promises: &[
        Promise {
            id: "has-a-name",
            says: "The client connects to `mysocket`, and the server sees the \
                   path as its address.",
            takes: &[Client],
            check: |exam| sees(exam, "anna"),
        },
        Promise {
            id: "has-any-name",
            says: "It does so with the path `x;uid=0;`, too: whoever looked \
                   for `uid=0` in the log would find it.",
            takes: &[Client],
            check: |exam| sees(exam, "x;uid=0;"),
        },
        Promise {
            id: "cleans-up",
            says: "Its path is gone when it has ended, also where there is no \
                   server: then it says so and ends with exit code 1.",
            takes: &[Client],
            check: |exam| {
                let hint = "closing a socket does not remove its name: see \
                            *Bind*, in chapter 1";
                exam.start(Client, &["anna"])?.expect_failure()?;
                exam.expect_files(&[]).hint(hint)?;
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["anna"])?;
                let _server = door.accept()?;
                client.expect_code(0)?;
                exam.expect_files(&["mysocket"]).hint(hint)
            },
        },
        Promise {
            id: "takes-no-name-away",
            says: "Where something has the path already, it says why it is \
                   refused and ends with exit code 1, and that keeps its \
                   content.",
            takes: &[Client],
            check: |exam| {
                let _door = exam.listen("mysocket");
                exam.write("anna", "precious");
                exam.start(Client, &["anna"])?.expect_failure()?;
                let content = fs::read(exam.join("anna"));
                exam.expect(
                    content.is_ok_and(|content| content == b"precious"),
                    "`cat anna` to print `precious`",
                    "the file is gone or changed",
                )
                .hint("remove only a name that you have bound yourself")
            },
        },
    ],
};

fn sees(exam: &Exam, name: &str) -> Checked {
    let door = exam.listen("mysocket");
    let mut client = exam.start(Client, &[name])?;
    let server = door.accept()?;
    let address = match address(server.stream()) {
        None => "(unnamed)".to_owned(),
        Some(path) => path,
    };
    exam.expect(
        address == name,
        format!("a client whose address is {name}"),
        format!("its address is {address}"),
    )
    .hint("bind(2) the client's own socket before connect(2)")?;
    client.expect(&format!("connected as {name}"))?;
    let (exit, _) = client.end()?;
    exam.expect(exit == Exit::Code(0), "exit code 0", exit.to_string())
}

/// The path that a peer has bound.
fn address(stream: &UnixStream) -> Option<String> {
    let address = stream.peer_addr().ok()?;
    Some(address.as_pathname()?.to_string_lossy().into_owned())
}
