//! Chapter 4: writing, all of it.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Duration;

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::{Checked, Contract, Exam, Peer, Promise, Running};

pub const CONTRACTS: &[Contract] =
    &[STEP, A_FILE, OWN_WRITE_ALL, HOW_MUCH_FITS];

const STEP: Contract = Contract {
    id: "04-write",
    setting: "Two programs. The server is that of chapter 2. `client [N]`
connects to `mysocket`, prints `connected to mysocket`, writes `Hello?` N times,
with nothing in between and nothing after it, prints `wrote 6 bytes`, or how
many they were, and ends with exit code 0. N is a number from 0 to 65535;
without it, 1; an empty argument is no number.",
    promises: &[
        Promise {
            id: "writes-hello",
            says: "The client prints these two lines and ends with exit code \
                   0, and the server finds the six bytes and the end.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &[])?;
                client.expect("connected to mysocket")?;
                let mut server = door.accept()?;
                server.expect_rest("Hello?").hint(
                    "six bytes and no more: no newline, no NUL. The end comes \
                     when the client closes its stream",
                )?;
                has_written(exam, &mut client, 6)
            },
        },
        Promise {
            id: "does-not-wait-for-the-server",
            says: "It does so before anybody has accepted it, and its bytes \
                   wait for the server after it has ended.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &[])?;
                client.expect("connected to mysocket")?;
                has_written(exam, &mut client, 6).hint_if(
                    "nothing came",
                    "the kernel has taken the bytes: nobody has to accept or \
                     read them, and no answer will come",
                )?;
                door.accept()?.expect_rest("Hello?")
            },
        },
        Promise {
            id: "is-accepted",
            says: "The server accepts the client, and then the next one.",
            takes: &[Server, Client],
            check: |exam| {
                let mut server = exam.server(&[])?;
                for number in 1..=2 {
                    let mut client = exam.start(Client, &[])?;
                    client.expect("connected to mysocket")?;
                    has_written(exam, &mut client, 6)?;
                    let line = format!("accepted connection {number}");
                    server.expect_start(&line)?;
                }
                Ok(())
            },
        },
        Promise {
            id: "serves-others-meanwhile",
            says: "The server accepts the next client while the first writes \
                   more than fits.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let first = exam.connect_as("first", "mysocket")?;
                server.expect_start("accepted connection 1")?;
                fill(exam, &first)?;
                let _second = exam.connect_as("second", "mysocket")?;
                server.expect_start("accepted connection 2").hint(
                    "it does not read yet: after `accept` comes the next \
                     `accept`",
                )?;
                fill(exam, &first)
            },
        },
        Promise {
            id: "repeats-itself",
            says: "With the argument 2 the client writes `Hello?Hello?` into \
                   one connection, with 1000 as much as that, and with 0 \
                   nothing.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                for times in [2, 1000, 0] {
                    let mut client = says(exam, times)?;
                    let mut server = door.accept()?;
                    let all = "Hello?".repeat(times);
                    server.expect_rest(&all)?;
                    has_written(exam, &mut client, all.len())?;
                    door.nobody().hint("it should connect once")?;
                }
                Ok(())
            },
        },
        Promise {
            id: "waits-for-a-slow-reader",
            says: "With 65535 it waits until the server has made room, and \
                   every byte arrives.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = says(exam, MOST)?;
                let mut server = door.accept()?;
                exam.note("server: reads nothing yet");
                client.expect_asleep()?;
                // For longer than a short timeout of its own.
                thread::park_timeout(Duration::from_millis(300));
                client.expect_runs().hint(
                    "a write that finds no room waits: no timeout, and no \
                     socket that does not block",
                )?;
                expect_hellos(exam, &server.rest()?)?;
                has_written(exam, &mut client, MOST * 6)
            },
        },
        Promise {
            id: "survives-an-interruption",
            says: "It does so even if a signal cuts a write short: if it is \
                   stopped in the middle (Ctrl-Z) and goes on (`fg`).",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = says(exam, MOST)?;
                let mut server = door.accept()?;
                // So many that the cut is not between two of them.
                let mut came = server.bytes(40_000)?;
                // Once bytes have come, all that it can wait for is room.
                client.expect_asleep()?;
                client.stop()?;
                client.go_on();
                came.extend(server.rest()?);
                let short = "write(2) may take less than it was given, and \
                             returns how much: go on with the rest, from where \
                             it stopped, or use what does so (`write_all` in \
                             Rust, `sendall` in Python)";
                expect_hellos(exam, &came)
                    .hint_if("and the end", short)
                    .hint_if("others from", short)?;
                has_written(exam, &mut client, MOST * 6)
            },
        },
        Promise {
            id: "reports-a-server-that-leaves",
            says: "If the server hangs up in the middle, the client does not \
                   print `wrote`: it says what is wrong and ends with exit \
                   code 1.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = says(exam, MOST)?;
                hang_up(door.accept()?)?;
                let lines = client.expect_failure()?;
                let wrote = lines.iter().find(|line| line.starts_with("wrote"));
                exam.expect(
                    wrote.is_none(),
                    "a line about what is wrong, and no success",
                    format!("client| {}", wrote.cloned().unwrap_or_default()),
                )
                .hint("say that all was written when all was written")
            },
        },
        Promise {
            id: "reports-that-nobody-is-there",
            says: "Where there is no server, it says so, names `mysocket`, \
                   and ends with exit code 1.",
            takes: &[Client],
            check: |exam| {
                let lines = exam.start(Client, &[])?.expect_failure()?;
                exam.expect(
                    lines.iter().any(|line| line.contains("mysocket")),
                    "the client to name `mysocket` where it says what is wrong",
                    "none of its lines does",
                )
            },
        },
        Promise {
            id: "refuses-what-is-no-number",
            says: "For an argument that is not such a number it prints a line \
                   with the word `usage`, ends with exit code 1, and does not \
                   connect.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                for argument in ["many", "-1", "65536", "2.5", ""] {
                    let mut client = exam.start(Client, &[argument])?;
                    let lines = client.expect_failure()?;
                    exam.expect(
                        lines.iter().any(|line| line.contains("usage")),
                        "client| … usage …",
                        format!("client| {}", lines.join("\nclient| ")),
                    )?;
                    door.nobody().hint("look at the argument first")?;
                }
                Ok(())
            },
        },
    ],
};

/// The largest number of times: twice as much as the kernel keeps.
const MOST: usize = 65535;

/// Starts a client that says hello so often, and waits until it has connected.
fn says(exam: &Exam, times: usize) -> Checked<Running> {
    let mut client = exam.start(Client, &[&times.to_string()])?;
    client.expect("connected to mysocket")?;
    Ok(client)
}

/// Expects the client to say that it has written so many bytes, and to end.
fn has_written(exam: &Exam, client: &mut Running, count: usize) -> Checked {
    client.expect(&format!("wrote {count} bytes"))?;
    let lines = client.expect_code(0)?;
    exam.expect(
        lines.is_empty(),
        "no line after that",
        format!("client| {}", lines.join("\nclient| ")),
    )
}

/// Expects the longest message.
fn expect_hellos(exam: &Exam, came: &[u8]) -> Checked {
    expect_same(exam, came, "Hello?".repeat(MOST).as_bytes())
}

/// Expects that what came is what was sent.
fn expect_same(exam: &Exam, came: &[u8], sent: &[u8]) -> Checked {
    let same = came.iter().zip(sent).take_while(|(a, b)| a == b).count();
    exam.expect(
        came == sent,
        format!("{} bytes, those that were sent", sent.len()),
        match came.len() {
            count if count == same => format!("{count} bytes, and the end"),
            count if same == sent.len() => {
                format!("{count} bytes, which is more")
            }
            count => format!("{count} bytes, others from byte {same} on"),
        },
    )
}

/// Hangs up while the client still writes.
fn hang_up(mut server: Peer) -> Checked {
    server.bytes(1)?;
    server.close();
    Ok(())
}

/// Writes until the kernel takes no more.
fn fill(exam: &Exam, client: &Peer) -> Checked {
    exam.note("first: writes as much as fits");
    let mut stream = client.stream();
    stream.set_nonblocking(true).expect("a stream that is open");
    loop {
        match stream.write(&[b'x'; 4096]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Ok(());
            }
            Err(error) => {
                let expected = "the server to hold the connection open";
                return Err(exam.flaw(expected, error.to_string()));
            }
        }
    }
}

const A_FILE: Contract = Contract {
    id: "a-file",
    setting: "`client PATH` connects to `mysocket`, sends what the file at the
path holds, and nothing else, prints `sent 42 bytes`, or how many they were, and
ends with exit code 0.",
    promises: &[
        Promise {
            id: "sends-the-file",
            says: "The client sends the bytes of the file, then the end: it \
                   adds nothing and takes nothing for text.",
            takes: &[Client],
            check: |exam| {
                sends(exam, "no newline at the end")?;
                sends(exam, "\r\n\n")?;
                let bytes: Vec<u8> = (0..=255).collect();
                sends(exam, &bytes)
                    .hint("a file holds bytes, and not all of them are text")
            },
        },
        Promise {
            id: "sends-an-empty-file",
            says: "It sends 0 bytes if the file is empty, which is no error.",
            takes: &[Client],
            check: |exam| sends(exam, ""),
        },
        Promise {
            id: "sends-a-large-file",
            says: "It sends 10 megabytes, every byte of them, to a reader \
                   that is slow.",
            takes: &[Client],
            check: |exam| {
                // No piece is like another.
                let lines = (0..1_000_000).map(|n| format!("{n:09}\n"));
                let bytes: String = lines.collect();
                sends(exam, &bytes).hint(
                    "what one read found is not always a whole buffer, and \
                     what one write took is not always all of it",
                )
            },
        },
        Promise {
            id: "reports-a-missing-file",
            says: "Where there is no such file, it says so, names the path, \
                   and ends with exit code 1.",
            takes: &[Client],
            check: |exam| {
                let _door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["missing.txt"])?;
                let lines = client.expect_failure()?;
                exam.expect(
                    lines.iter().any(|line| line.contains("missing.txt")),
                    "the client to name `missing.txt`",
                    "none of its lines does",
                )
            },
        },
        Promise {
            id: "reports-a-reader-that-leaves",
            says: "If the reader hangs up in the middle, it does not print \
                   `sent`: it says what is wrong and ends with exit code 1.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                large_file(exam, &[b'x'; 1_000_000]);
                let mut client = exam.start(Client, &["file"])?;
                hang_up(door.accept()?)?;
                let lines = client.expect_failure()?;
                exam.expect(
                    !lines.iter().any(|line| line.starts_with("sent")),
                    "no line that begins with `sent`",
                    "there is one",
                )
            },
        },
    ],
};

/// Expects that a file with this content is sent.
fn sends(exam: &Exam, content: impl AsRef<[u8]>) -> Checked {
    let content = content.as_ref();
    large_file(exam, content);
    // The name of the one before may be there.
    let _ = std::fs::remove_file(exam.join("mysocket"));
    let door = exam.listen("mysocket");
    let mut client = exam.start(Client, &["file"])?;
    let mut server = door.accept()?;
    if content.len() > 1_000_000 {
        exam.note("server: reads nothing yet");
        client.expect_asleep()?;
    }
    let came = server.rest()?;
    expect_same(exam, &came, content)?;
    client.expect(&format!("sent {} bytes", content.len()))?;
    client.expect_code(0).map(drop)
}

/// Puts `file` into the folder.
fn large_file(exam: &Exam, content: &[u8]) {
    exam.note(format!("other: makes file, {} bytes", content.len()));
    std::fs::write(exam.join("file"), content).expect("a place to write");
}

const OWN_WRITE_ALL: Contract = Contract {
    id: "own-write-all",
    setting: "`client MESSAGE CALL…` has a `write_all` of its own and a writer
that takes bytes as it is told: each CALL says what one call of its `write` does.
A number: it takes at most so many bytes, prints `took` and those bytes, and
returns how many they were; for 0 it prints `took nothing`. `interrupted`: it
prints this word, and fails with the error `Interrupted` (EINTR). `broken`: it
prints this word, and fails with `BrokenPipe` (EPIPE). When there is no CALL left,
it takes all. The program gives the message to `write_all` with this writer. It
prints `ok` and ends with 0, or a line that begins with `failed` and ends with
exit code 1.",
    promises: &[
        Promise {
            id: "writes-once-if-that-is-enough",
            says: "The client writes the message in one call if the writer \
                   takes all of it.",
            takes: &[Client],
            check: |exam| writes(exam, "hello", &[], &["took hello", "ok"]),
        },
        Promise {
            id: "goes-on-with-the-rest",
            says: "It goes on with the rest if the writer takes less, be it a \
                   byte at a time.",
            takes: &[Client],
            check: |exam| {
                let lines = ["took he", "took l", "took lo", "ok"];
                writes(exam, "hello", &["2", "1"], &lines)?;
                let lines = ["took h", "took e", "took y", "ok"];
                writes(exam, "hey", &["1", "1", "1"], &lines)
            },
        },
        Promise {
            id: "tries-again-when-interrupted",
            says: "It tries again after `Interrupted`, with the same bytes, \
                   even if that comes every third time.",
            takes: &[Client],
            check: |exam| {
                let calls = ["1", "1", "interrupted", "1", "1", "interrupted"];
                let lines = [
                    "took h",
                    "took e",
                    "interrupted",
                    "took l",
                    "took l",
                    "interrupted",
                    "took o",
                    "ok",
                ];
                writes(exam, "hello", &calls, &lines).hint(
                    "`Interrupted` says that a signal came before anything \
                     was written: nothing is lost, and nothing is wrong",
                )
            },
        },
        Promise {
            id: "gives-up-on-nothing",
            says: "It fails when the writer takes 0 bytes, and does not try \
                   again.",
            takes: &[Client],
            check: |exam| {
                let lines = ["took he", "took nothing", "failed"];
                writes(exam, "hello", &["2", "0"], &lines).hint(
                    "a writer that takes nothing may never take more: trying \
                     again would be a loop without an end",
                )
            },
        },
        Promise {
            id: "gives-up-on-an-error",
            says: "It fails at any other error, and does not try again.",
            takes: &[Client],
            check: |exam| {
                let lines = ["took he", "broken", "failed"];
                writes(exam, "hello", &["2", "broken"], &lines)
            },
        },
        Promise {
            id: "writes-nothing-for-nothing",
            says: "It succeeds with an empty message, without a call.",
            takes: &[Client],
            check: |exam| {
                writes(exam, "", &[], &["ok"])
                    .hint("look whether there is a rest before you write it")
            },
        },
    ],
};

/// Expects these lines of a writer that takes its bytes as `calls` say. The
/// last of them may be longer.
fn writes(
    exam: &Exam,
    message: &str,
    calls: &[&str],
    lines: &[&str],
) -> Checked {
    let arguments: Vec<&str> =
        std::iter::once(message).chain(calls.iter().copied()).collect();
    let mut client = exam.start(Client, &arguments)?;
    let (last, lines) = lines.split_last().expect("a last line");
    for line in lines {
        client.expect(line)?;
    }
    client.expect_start(last)?;
    client.expect_code(if *last == "ok" { 0 } else { 1 }).map(drop)
}

const HOW_MUCH_FITS: Contract = Contract {
    id: "how-much-fits",
    setting: "`client` connects to `mysocket` four times, makes each stream
non-blocking, and writes to it until the kernel takes no more: pieces of 1 byte to
the first, of 100 to the second, of 4096 to the third, of 65536 to the fourth.
For each it prints a line with this size and the number of bytes that were taken
in all, such as `100 27800`, and ends with exit code 0.",
    promises: &[
        Promise {
            id: "prints-four-totals",
            says: "The client prints four such lines, for 1, 100, 4096 and \
                   65536, though nobody reads or accepts, and ends with exit \
                   code 0.",
            takes: &[Client],
            check: |exam| {
                let _door = exam.listen("mysocket");
                totals(exam).map(drop)
            },
        },
        Promise {
            id: "counts-what-was-taken",
            says: "Its totals are true: each is the number of bytes that \
                   wait in its connection.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                for (size, total) in SIZES.iter().zip(totals(exam)?) {
                    let own = "each size needs a connection of its own";
                    let came = door.accept().hint(own)?.rest()?.len();
                    exam.expect(
                        came == total,
                        format!("{came} bytes for pieces of {size}"),
                        format!("{total} bytes"),
                    )
                    .hint(
                        "add up what each write returns: the last piece may \
                         have been taken in part",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "reports-that-nobody-listens",
            says: "Where there is no server, it says so and ends with exit \
                   code 1.",
            takes: &[Client],
            check: |exam| {
                exam.start(Client, &[])?.expect_failure().map(drop)
            },
        },
    ],
};

const SIZES: [usize; 4] = [1, 100, 4096, 65536];

/// Runs the client, and returns its four totals.
fn totals(exam: &Exam) -> Checked<Vec<usize>> {
    let mut client = exam.start(Client, &[])?;
    let mut totals = Vec::new();
    for size in SIZES {
        let total = |line: &str| -> Option<usize> {
            line.strip_prefix(&format!("{size} "))?.parse().ok()
        };
        let expected = format!("client| {size} and how many bytes that were");
        let line =
            client.expect_that(&expected, |line| total(line).is_some()).hint(
                "a write to a stream that is not non-blocking waits for \
                 somebody to read, and here nobody will",
            )?;
        totals.extend(total(&line));
    }
    client.expect_code(0)?;
    Ok(totals)
}
