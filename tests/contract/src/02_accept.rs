//! Chapter 2: accepting one client after another.

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::{Checked, Contract, Exam, Exit, Promise, Running, Signal};

pub const CONTRACTS: &[Contract] = &[STEP, A_LOG, ENOUGH, OWN_NAME];

const STEP: Contract = Contract {
    id: "02-accept",
    setting: "One program, the server, without arguments. It listens at
`mysocket`, says so with the line `listening on mysocket`, and accepts clients
until it is stopped. For each it prints a line that begins with `accepted
connection` and its number, counted from 1.",
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
                    clients.push(exam.connect_as(&name, "mysocket")?);
                    accepted(&mut server, number).hint(
                        "`accept` takes one client: it stands in a loop",
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
                    Ok(_) => "the server has sent something".to_owned(),
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
            says: "A client that connected, wrote and left while the server \
                   was busy elsewhere is accepted all the same.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                server.signal(Signal::STOP);
                let mut client = exam.connect("mysocket")?;
                client.send("Hello?")?;
                client.close();
                server.signal(Signal::CONT);
                accepted(&mut server, 1)
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
    ],
};

/// Waits for the line about a client.
fn accepted(server: &mut Running, number: u32) -> Checked {
    let line = format!("accepted connection {number}");
    let is_it = |printed: &str| {
        let rest = printed.strip_prefix(&line);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_numeric()))
    };
    let expected = format!("server| {line}");
    server.expect_that(&expected, is_it).map(drop)
}

#[cfg(target_os = "linux")]
fn survives_a_failed_accept(exam: &Exam) -> Checked {
    let mut server = exam.server(&[])?;
    // A blocked accept has its descriptor already; the next gets none.
    harness::wait_for_state(server.program(), 'S');
    exam.note("$ prlimit --nofile=0 --pid $server");
    harness::limit_descriptors(server.program(), 0);
    let _first = exam.connect_as("first", "mysocket")?;
    let _second = exam.connect_as("second", "mysocket")?;
    accepted(&mut server, 1).or_else(|flaw| {
        // Some look for a free descriptor before they wait.
        if flaw.got.starts_with("server|") { Ok(()) } else { Err(flaw) }
    })?;
    server
        .expect_that("a line about the failure", |line| !line.is_empty())
        .hint(GO_ON)?;
    exam.note("$ prlimit --nofile=100 --pid $server");
    if server.expect_runs().is_ok() {
        harness::limit_descriptors(server.program(), 100);
    }
    server.find("accepted connection").hint(GO_ON).map(drop)
}

const GO_ON: &str = "an error of `accept` is one client's, or it passes: it \
    must not end the loop. Report it, and go on";

#[cfg(not(target_os = "linux"))]
fn survives_a_failed_accept(exam: &Exam) -> Checked {
    Err(exam.cannot_examine("only Linux lets us take descriptors away"))
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
                let mut server = exam.server(&[])?;
                let _first = exam.connect_as("first", "mysocket")?;
                let first = time(&mut server, 1)?;
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
            id: "not-before",
            says: "It still runs after N - 1 of them.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&["3"])?;
                let _first = exam.connect_as("first", "mysocket")?;
                accepted(&mut server, 1)?;
                let _second = exam.connect_as("second", "mysocket")?;
                accepted(&mut server, 2)?;
                // It must be waiting for the third, and not on its way out.
                thread::park_timeout(Duration::from_millis(200));
                server.expect_runs()
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
            says: "Its path is gone when it has ended.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["anna"])?;
                let _server = door.accept()?;
                client.expect_code(0)?;
                exam.expect_files(&["mysocket"]).hint(
                    "closing a socket does not remove its name: see \
                     *Bind*, in chapter 1",
                )
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
