//! Chapter 3: connecting, and the ways to fail.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::thread;
use std::time::{Duration, Instant};

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::{Checked, Contract, Exam, Promise, Running};

pub const CONTRACTS: &[Contract] = &[STEP, ADVICE, PATIENCE, STILL_WAITING];

const STEP: Contract = Contract {
    id: "03-connect",
    setting:
        "Two programs. The server is that of chapter 2. The client, without
arguments, connects to `mysocket`, says so with the line `connected to
mysocket`, and ends.",
    promises: &[
        Promise {
            id: "connects",
            says: "The client prints `connected to mysocket` and ends with \
                   exit code 0, also when nobody has accepted it yet.",
            takes: &[Client],
            check: |exam| {
                let _door = exam.listen("mysocket");
                connects(exam)
            },
        },
        Promise {
            id: "sends-nothing",
            says: "It writes nothing before it leaves.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                connects(exam)?;
                door.accept()?.expect_rest("")
            },
        },
        Promise {
            id: "is-accepted",
            says: "The server accepts the client, and a second one in the \
                   same way.",
            takes: &[Server, Client],
            check: |exam| {
                let mut server = exam.server(&[])?;
                for number in 1..=2 {
                    connects(exam)?;
                    server.expect_start(&format!(
                        "accepted connection {number}"
                    ))?;
                }
                Ok(())
            },
        },
        Promise {
            id: "reports-that-nothing-is-there",
            says: "Where there is no `mysocket`, it says why it cannot \
                   connect, names `mysocket`, ends with exit code 1, and makes \
                   nothing.",
            takes: &[Client],
            check: |exam| {
                fails(exam).hint_if(
                    "it still runs",
                    "it should not wait for a server: nobody has said that \
                     one will come",
                )?;
                exam.expect_files(&[]).hint(
                    "a client does not bind: it is the server that makes the \
                     name",
                )
            },
        },
        Promise {
            id: "reports-that-nobody-listens",
            says: "Where a server has left its socket behind, it does the \
                   same, and the socket stays.",
            takes: &[Client],
            check: |exam| {
                exam.leave_socket("mysocket");
                fails(exam)?;
                exam.expect_files(&["mysocket"])
            },
        },
        Promise {
            id: "leaves-a-file-alone",
            says: "Where `mysocket` is a file that is no socket, it does the \
                   same, and the file keeps its content.",
            takes: &[Client],
            check: |exam| {
                exam.write("mysocket", "precious");
                fails(exam)?;
                let content = fs::read(exam.join("mysocket"));
                exam.expect(
                    content.is_ok_and(|content| content == b"precious"),
                    "`cat mysocket` to print `precious`",
                    "the file is gone or changed",
                )
            },
        },
        Promise {
            id: "tells-them-apart",
            says: "What it says of a socket that was left behind is not what \
                   it says where nothing is there.",
            takes: &[Client],
            check: |exam| {
                let missing = fails(exam)?;
                // The program may have made something there.
                let _ = fs::remove_file(exam.join("mysocket"));
                exam.leave_socket("mysocket");
                let refused = fails(exam)?;
                exam.expect(
                    missing != refused,
                    "two different reasons",
                    "the same words, both times",
                )
                .hint("print the error that connect(2) returned")
            },
        },
        Promise {
            id: "reports-what-it-may-not-do",
            says: "Where it has no permission to write to the socket, it says \
                   why and ends with exit code 1.",
            takes: &[Client],
            check: |exam| {
                let _door = closed(exam);
                let mut client = exam.start_unprivileged(Client, ".", &[])?;
                client.expect_failure().map(drop)
            },
        },
        Promise {
            id: "reports-another-type",
            says: "Where `mysocket` is a datagram socket, it says why and ends \
                   with exit code 1.",
            takes: &[Client],
            check: |exam| {
                let _socket = datagram(exam);
                fails(exam).map(drop)
            },
        },
        Promise {
            id: "follows-a-symlink",
            says: "It connects where `mysocket` is a symbolic link that leads \
                   to a server.",
            takes: &[Client],
            check: |exam| {
                let _door = exam.listen("elsewhere");
                exam.note("$ ln -s elsewhere mysocket");
                symlink("elsewhere", exam.join("mysocket")).expect("a link");
                connects(exam).hint_if(
                    "mysocket",
                    "connect(2) finds out by itself what is at the path: do \
                     not look before",
                )
            },
        },
    ],
};

/// Runs the client, which connects and ends.
fn connects(exam: &Exam) -> Checked {
    let mut client = exam.start(Client, &[])?;
    client.expect("connected to mysocket")?;
    client.expect_code(0).hint(
        "it need not wait for anything: the connection stands when connect(2) \
         returns",
    )?;
    Ok(())
}

/// Runs the client where it cannot connect; returns what it prints.
fn fails(exam: &Exam) -> Checked<Vec<String>> {
    let mut client = exam.start(Client, &[])?;
    let lines = client
        .expect_failure()
        .hint_if(
            "exit code 0",
            "look at what connect(2) returns, and end with 1 if it has failed",
        )
        .hint_if("printed nothing", "say why it ends: perror(3) does in C")?;
    exam.expect(
        lines.iter().any(|line| line.contains("mysocket")),
        "the client to name `mysocket` where it says what is wrong",
        "none of its lines does",
    )?;
    Ok(lines)
}

/// A server to which nobody may connect.
fn closed(exam: &Exam) -> UnixListener {
    exam.note("server: listens at mysocket");
    exam.note("$ chmod 000 mysocket");
    let path = exam.join("mysocket");
    let listener = UnixListener::bind(&path).expect("a free name");
    let nobody = Permissions::from_mode(0o000);
    fs::set_permissions(path, nobody).expect("our own socket");
    listener
}

fn datagram(exam: &Exam) -> UnixDatagram {
    exam.note("other: binds a datagram socket to mysocket");
    UnixDatagram::bind(exam.join("mysocket")).expect("a free name")
}

const ADVICE: Contract = Contract {
    id: "advice",
    setting: "The client of this chapter, which ends with 0 if it could connect
to `mysocket`, and else prints a sentence that says what to do and ends with the
code of what went wrong.",
    promises: &[
        Promise {
            id: "connects",
            says: "The client prints `connected to mysocket` and ends with \
                   exit code 0 if there is a server.",
            takes: &[Client],
            check: |exam| {
                let _door = exam.listen("mysocket");
                connects(exam)
            },
        },
        Promise {
            id: "nothing-there",
            says: "2: nothing is there.",
            takes: &[Client],
            check: |exam| {
                let mut client = exam.start(Client, &[])?;
                advises(exam, &mut client, 2)
            },
        },
        Promise {
            id: "nobody-listens",
            says: "3: nobody listens, be it at a socket or at a file that is \
                   none.",
            takes: &[Client],
            check: |exam| {
                exam.leave_socket("mysocket");
                let mut client = exam.start(Client, &[])?;
                advises(exam, &mut client, 3)?;
                exam.note("$ rm mysocket");
                fs::remove_file(exam.join("mysocket")).expect("our own socket");
                exam.write("mysocket", "precious");
                let mut client = exam.start(Client, &[])?;
                advises(exam, &mut client, 3)
            },
        },
        Promise {
            id: "no-permission",
            says: "4: no permission.",
            takes: &[Client],
            check: |exam| {
                let _door = closed(exam);
                let mut client = exam.start_unprivileged(Client, ".", &[])?;
                advises(exam, &mut client, 4)
            },
        },
        Promise {
            id: "another-type",
            says: "5: a socket of another type.",
            takes: &[Client],
            check: |exam| {
                let _socket = datagram(exam);
                let mut client = exam.start(Client, &[])?;
                advises(exam, &mut client, 5).hint(
                    "this error (EPROTOTYPE) has no kind of its own in std: \
                     its number does, 91 on Linux",
                )
            },
        },
    ],
};

fn advises(exam: &Exam, client: &mut Running, code: i32) -> Checked {
    let lines = client.expect_code(code)?;
    let words = lines.join(" ").split_whitespace().count();
    exam.expect(
        words >= 3,
        "a sentence that says what to do",
        format!("{words} words"),
    )
}

const PATIENCE: Contract = Contract {
    id: "patience",
    setting: "`client MILLISECONDS` tries to connect to `mysocket` again and
again, for as long as a server may still come, and for so many milliseconds at
most. It prints `connected to mysocket` and ends with 0, or says why it gave up
and ends with 1.",
    promises: &[
        Promise {
            id: "connects-at-once",
            says: "The client connects at once to a server that is there.",
            takes: &[Client],
            check: |exam| {
                let _door = exam.listen("mysocket");
                let before = Instant::now();
                let mut client = exam.start(Client, &["10000"])?;
                client.expect("connected to mysocket")?;
                client.expect_code(0)?;
                at_once(exam, before)
            },
        },
        Promise {
            id: "waits-for-a-late-server",
            says: "It succeeds with a server that starts half a second late, \
                   be it where nothing was or over a socket that another has \
                   left.",
            takes: &[Client],
            check: |exam| {
                for is_stale in [false, true] {
                    if is_stale {
                        exam.leave_socket("mysocket");
                    }
                    let mut client = exam.start(Client, &["10000"])?;
                    thread::park_timeout(Duration::from_millis(500));
                    client.expect_runs().hint(MAY_COME)?;
                    if is_stale {
                        exam.note("$ rm mysocket");
                        fs::remove_file(exam.join("mysocket"))
                            .expect("our own socket");
                    }
                    let door = exam.listen("mysocket");
                    client.expect("connected to mysocket").hint(MAY_COME)?;
                    client.expect_code(0)?;
                    drop(door);
                    fs::remove_file(exam.join("mysocket"))
                        .expect("our own socket");
                }
                Ok(())
            },
        },
        Promise {
            id: "gives-up-in-time",
            says: "It ends with 1 after so many milliseconds if none starts, \
                   not much earlier and not later than a second after.",
            takes: &[Client],
            check: |exam| {
                let before = Instant::now();
                let mut client = exam.start(Client, &["600"])?;
                client.expect_failure()?;
                let took = before.elapsed();
                exam.expect(
                    took >= Duration::from_millis(400)
                        && took <= Duration::from_millis(600) + exam.limit(),
                    "the client to try for 0.6 seconds",
                    format!("it ended after {:.2} s", took.as_secs_f64()),
                )
            },
        },
        Promise {
            id: "spares-the-processor",
            says: "It pauses between two attempts, and costs no processor \
                   time meanwhile.",
            takes: &[Client],
            check: |exam| {
                let client = exam.start(Client, &["10000"])?;
                client.expect_asleep().hint(
                    "a loop without a pause: `thread::sleep`, or its like",
                )
            },
        },
        Promise {
            id: "gives-up-at-once",
            says: "It does not wait at all where no waiting helps: without \
                   permission, and with a socket of another type.",
            takes: &[Client],
            check: |exam| {
                let before = Instant::now();
                let door = closed(exam);
                let mut client =
                    exam.start_unprivileged(Client, ".", &["10000"])?;
                client.expect_failure().hint(NO_USE)?;
                at_once(exam, before)?;
                drop(door);
                exam.note("$ rm mysocket");
                fs::remove_file(exam.join("mysocket")).expect("our own socket");
                let _socket = datagram(exam);
                let before = Instant::now();
                let mut client = exam.start(Client, &["10000"])?;
                client.expect_failure().hint(NO_USE)?;
                at_once(exam, before)
            },
        },
    ],
};

const MAY_COME: &str = "a server may still come where nothing is there, and \
    where nobody listens yet";

const NO_USE: &str = "try again only for the two errors after which a server \
    may still come: nothing is there, and nobody listens";

fn at_once(exam: &Exam, before: Instant) -> Checked {
    let took = before.elapsed();
    exam.expect(
        took <= exam.limit(),
        "it to happen at once",
        format!("it took {:.2} s", took.as_secs_f64()),
    )
}

const STILL_WAITING: Contract = Contract {
    id: "still-waiting",
    setting: "The client of this chapter. If it has not connected to `mysocket`
after a second, it prints `still waiting` and goes on waiting. It prints
`connected to mysocket` and ends with 0 when it has.",
    promises: &[
        Promise {
            id: "connects",
            says: "The client says nothing of waiting where the server has \
                   room.",
            takes: &[Client],
            check: |exam| {
                let _door = exam.listen("mysocket");
                connects(exam)
            },
        },
        Promise {
            id: "says-that-it-waits",
            says: "Where the backlog is full, it prints `still waiting`, once, \
                   and `connected to mysocket` when the server has accepted \
                   those before it.",
            takes: &[Client],
            check: waits,
        },
        Promise {
            id: "reports-failures",
            says: "Where there is no server, it says so at once, and ends with \
                   exit code 1.",
            takes: &[Client],
            check: |exam| fails(exam).map(drop),
        },
    ],
};

#[cfg(target_os = "linux")]
fn waits(exam: &Exam) -> Checked {
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect,
        listen, socket_with,
    };

    let make = |flags| {
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        socket_with(family, kind, flags, None).expect("a descriptor")
    };
    let address = SocketAddrUnix::new(exam.join("mysocket")).expect("a path");
    let listener = make(SocketFlags::CLOEXEC);
    bind(&listener, &address).expect("a free name");
    listen(&listener, 0).expect("a socket that is bound");
    exam.note("server: listens at mysocket with a backlog of 0");
    // It holds one connection all the same; then nobody gets in.
    let mut crowd = Vec::new();
    loop {
        let client = make(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
        if connect(&client, &address).is_err() {
            break;
        }
        crowd.push(client);
    }
    exam.note("others: fill the backlog");
    let door = exam.door(UnixListener::from(listener));
    let mut client = exam.start(Client, &[])?;
    let before = Instant::now();
    client.expect("still waiting").hint(
        "connect(2) blocks while the backlog is full: somebody else has to \
         look at the clock, such as another thread",
    )?;
    let took = before.elapsed();
    exam.expect(
        took >= Duration::from_millis(500),
        "`still waiting` after a second",
        format!("it came after {:.2} s", took.as_secs_f64()),
    )?;
    for _ in crowd {
        door.accept()?;
    }
    // Its turn comes last.
    let _server = door.accept()?;
    client.expect("connected to mysocket")?;
    client.expect_code(0).map(drop)
}

#[cfg(not(target_os = "linux"))]
fn waits(exam: &Exam) -> Checked {
    Err(exam.cannot_examine("only Linux lets a client wait for a backlog"))
}
