//! Chapter 5: reading a message to its end.

use std::io::Write;
use std::thread;
use std::time::Duration;

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::{Checked, Contract, Exam, Peer, Promise, Running};

pub const CONTRACTS: &[Contract] = &[STEP, COUNT, EXACTLY_FULL, AS_THEY_COME];

/// The most that a message may have.
pub(crate) const LIMIT: usize = 64 * 1024;

const STEP: Contract = Contract {
    id: "05-read",
    setting: "The server listens at `mysocket`, prints `listening on mysocket`,
and serves one client after the other. For each it prints `accepted connection` and its number, reads its
message, which is all that the client writes until it closes or half-closes, and
prints `received 6 bytes:` and the message, in quotes and with control characters
escaped; letters that are not ASCII may be, too. Then it closes the connection.
What is wrong with one client it reports, in the place of `received`, in a line
that names `connection` and the number, and goes on. The client is that of chapter 4.",
    promises: &[
        Promise {
            id: "receives-a-message",
            says: "The server prints `accepted connection 1` and `received 6 \
                   bytes:` with the message `Hello?`.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                client.send("Hello?")?;
                client.close();
                accepted(&mut server, 1)?;
                received(&mut server, "Hello?").hint_if(
                    "nothing came",
                    "read returns 0 at the end, and again and again: it does \
                     not mean `try again`",
                )
            },
        },
        Promise {
            id: "receives-what-the-client-wrote",
            says: "It receives what the client of this chapter writes, twice.",
            takes: &[Server, Client],
            check: |exam| {
                let mut server = exam.server(&[])?;
                for number in 1..=2 {
                    let mut client = exam.start(Client, &[])?;
                    client.expect_code(0)?;
                    accepted(&mut server, number)?;
                    received(&mut server, "Hello?")?;
                }
                Ok(())
            },
        },
        Promise {
            id: "reads-to-the-end",
            says: "A message that comes in three writes is one message.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for piece in ["Hel", "lo", "?"] {
                    client.send(piece).hint(READ_ON)?;
                    // So that they are not read as one by chance.
                    thread::park_timeout(Duration::from_millis(50));
                }
                client.close();
                accepted(&mut server, 1)?;
                received(&mut server, "Hello?").hint(READ_ON)
            },
        },
        Promise {
            id: "knows-the-end",
            says: "A client that half-closes has ended its message, though it \
                   keeps its connection.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                client.send("Hello?")?;
                client.end();
                accepted(&mut server, 1)?;
                received(&mut server, "Hello?")
            },
        },
        Promise {
            id: "closes-what-it-has-read",
            says: "When it has received a message it closes the connection: a \
                   client that has half-closed finds the end.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                client.send("Hello?")?;
                client.end();
                accepted(&mut server, 1)?;
                received(&mut server, "Hello?")?;
                client.expect_rest("").hint(
                    "it still holds the connection: each client costs it a \
                     descriptor, and one day there are no more. In C and in \
                     Python, close it; in Rust, drop it",
                )
            },
        },
        Promise {
            id: "receives-nothing",
            says: "From a client that leaves without a word it receives 0 \
                   bytes, and serves the next.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                exam.connect("mysocket")?.close();
                accepted(&mut server, 1)?;
                server.expect_start("received 0 bytes").hint(
                    "read returns 0 at the end, and again and again: it does \
                     not mean `try again`",
                )?;
                healthy(exam, &mut server, 2)
            },
        },
        Promise {
            id: "shows-no-control-characters",
            says: "A line feed or an escape sequence in a message is printed \
                   escaped: it changes nothing in your terminal.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                client.send("a\nZ\x1b[2J\u{9b}0m")?;
                client.close();
                accepted(&mut server, 1)?;
                let line = server.expect_start("received 11 bytes")?;
                exam.expect(
                    !line.contains(char::is_control) && line.contains('Z'),
                    "the message in one line, its control characters escaped",
                    format!("server| {}", line.escape_debug()),
                )
                .hint(
                    "Rust has `{text:?}`, Python `repr`; in C it is a loop \
                     that prints the others as `\\x%02x` (from U+0080 to \
                     U+009F there are such characters, too)",
                )
            },
        },
        Promise {
            id: "refuses-what-is-no-text",
            says: "Bytes that are not UTF-8 are reported, and the next client \
                   is served.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                client.send(b"\xff\xfe")?;
                client.close();
                accepted(&mut server, 1)?;
                reported(&mut server, 1).hint_if(
                    "| received",
                    "look whether it is UTF-8 before you print it: not all \
                     bytes are text, and C's `printf` does not look",
                )?;
                healthy(exam, &mut server, 2)
            },
        },
        Promise {
            id: "takes-what-just-fits",
            says: "A message of 65,536 bytes is received.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                client.send("a".repeat(LIMIT))?;
                client.close();
                accepted(&mut server, 1)?;
                server.expect_start("received 65536 bytes").map(drop)
            },
        },
        Promise {
            id: "refuses-one-byte-more",
            says: "One of 65,537 bytes is reported, and the next client is \
                   served.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                flood(&mut client, LIMIT);
                accepted(&mut server, 1)?;
                // It has read that, and the last byte comes by itself.
                server.expect_asleep()?;
                flood(&mut client, 1);
                client.close();
                reported(&mut server, 1).hint_if(
                    "| received",
                    "it has taken the first 65,536 for all of it: ask for a \
                     byte more",
                )?;
                healthy(exam, &mut server, 2)
            },
        },
        Promise {
            id: "keeps-no-flood",
            says: "While a client sends 64 megabytes, its memory grows by 8 \
                   megabytes at most, and the next client is served.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                grows_little(exam, &mut server, |exam, server| {
                    let mut client = exam.connect("mysocket")?;
                    flood(&mut client, 64 * 1024 * 1024);
                    client.close();
                    accepted(server, 1)?;
                    reported(server, 1)?;
                    healthy(exam, server, 2)
                })
            },
        },
    ],
};

const READ_ON: &str = "one read returns what is there: read again and again, \
    until it returns 0";

/// Waits for the line about a new client.
pub(crate) fn accepted(server: &mut Running, number: u32) -> Checked {
    server.expect_start(&format!("accepted connection {number}")).map(drop)
}

/// Waits for the line about a message.
pub(crate) fn received(server: &mut Running, message: &str) -> Checked {
    let start = format!("received {} bytes", message.len());
    let expected = format!("server| {start}: {message:?}");
    let is_it = |line: &str| line.starts_with(&start) && line.contains(message);
    server
        .expect_that(&expected, is_it)
        .hint_if(
            "| received",
            "what counts is what the reads returned, all of them together: \
             they put no NUL behind the bytes",
        )
        .map(drop)
}

/// Waits for the line about what was wrong with a client.
pub(crate) fn reported(server: &mut Running, number: u32) -> Checked {
    let name = format!("connection {number}");
    let expected = format!("server| {name}: what is wrong with its message");
    let is_it =
        |line: &str| line.contains(&name) && !line.starts_with("received");
    server
        .expect_that(&expected, is_it)
        .hint_if(
            "has ended",
            "one client's fault must not end the server: report it, go on",
        )
        .hint_if("nothing came", "report what is wrong, and go on")
        .hint_if("| received", "it was taken for a message like any other")
        .map(drop)
}

const ONE_CLIENT: &str = "one client's fault must not end the server";

/// After each abuse, a client that does nothing wrong must be served.
pub(crate) fn healthy(
    exam: &Exam,
    server: &mut Running,
    number: u32,
) -> Checked {
    let serve = |server: &mut Running| {
        let mut client = exam.connect_as("next", "mysocket")?;
        client.send("Hello?")?;
        client.close();
        accepted(server, number)?;
        received(server, "Hello?")
    };
    serve(server).hint_if("has ended", ONE_CLIENT).hint_if("fails", ONE_CLIENT)
}

/// Sends so many bytes, for as long as they are taken.
pub(crate) fn flood(client: &mut Peer, mut bytes: usize) {
    client.note(&format!("sends {bytes} bytes, as long as they are taken"));
    let piece = [b'a'; 64 * 1024];
    let mut stream = client.stream();
    while bytes > 0 {
        match stream.write(&piece[..bytes.min(piece.len())]) {
            Ok(written) => bytes -= written,
            // It has hung up, as it may.
            Err(_) => return,
        }
    }
}

/// Expects the server's memory to grow by 8 MiB at most.
#[cfg(target_os = "linux")]
pub(crate) fn grows_little(
    exam: &Exam,
    server: &mut Running,
    meanwhile: impl FnOnce(&Exam, &mut Running) -> Checked,
) -> Checked {
    let before = harness::peak_memory(server.program());
    meanwhile(exam, server).hint(LIMIT_IT)?;
    server.expect_runs()?;
    let grown =
        harness::peak_memory(server.program()).saturating_sub(before) / 1024;
    exam.expect(
        grown <= 8,
        "its memory (VmHWM) to grow by 8 MiB at most",
        format!("it grew by {grown} MiB"),
    )
    .hint(LIMIT_IT)
}

const LIMIT_IT: &str =
    "put a limit on what you keep, and do so before you read";

#[cfg(not(target_os = "linux"))]
pub(crate) fn grows_little(
    exam: &Exam,
    server: &mut Running,
    meanwhile: impl FnOnce(&Exam, &mut Running) -> Checked,
) -> Checked {
    // How much it takes is in /proc, on Linux.
    meanwhile(exam, server).hint(LIMIT_IT)
}

const COUNT: Contract = Contract {
    id: "count",
    setting: "The server prints for each client one line, `connection 1: 6
bytes`, when it has closed or half-closed: its number, from 1, and how much it
sent. There is no limit, and nothing is kept.",
    promises: &[
        Promise {
            id: "counts-text",
            says: "The server prints `connection 1: 6 bytes` for `Hello?`, and \
                   `connection 2: 7 bytes` for `Grüße`, which are 7 bytes.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                for (text, number) in ["Hello?", "Grüße"].iter().zip(1..) {
                    counts(exam, &mut server, number, text.as_bytes())?;
                }
                Ok(())
            },
        },
        Promise {
            id: "counts-anything",
            says: "It counts bytes that are no text, and a megabyte of them.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let all: Vec<u8> = (0..=255).collect();
                counts(exam, &mut server, 1, &all)?;
                counts(exam, &mut server, 2, &all.repeat(4096))
            },
        },
        Promise {
            id: "counts-nothing",
            says: "It prints `connection 1: 0 bytes` for a client that leaves \
                   without a word, and goes on.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                counts(exam, &mut server, 1, b"")?;
                counts(exam, &mut server, 2, b"Hello?")
            },
        },
        Promise {
            id: "keeps-nothing",
            says: "While a client sends 64 megabytes, its memory grows by 8 \
                   megabytes at most.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                grows_little(exam, &mut server, |exam, server| {
                    let mut client = exam.connect("mysocket")?;
                    flood(&mut client, 64 * 1024 * 1024);
                    client.close();
                    server.expect("connection 1: 67108864 bytes")
                })
            },
        },
    ],
};

fn counts(
    exam: &Exam,
    server: &mut Running,
    number: u32,
    message: &[u8],
) -> Checked {
    let mut client = exam.connect("mysocket")?;
    client.send(message)?;
    client.close();
    server.expect(&format!("connection {number}: {} bytes", message.len()))
}

const EXACTLY_FULL: Contract = Contract {
    id: "exactly-full",
    setting: "`server LIMIT` is the server of this chapter, whose messages may
have so many bytes and not one more. The limit may be 0.",
    promises: &[
        Promise {
            id: "takes-what-just-fits",
            says: "The server receives a message of exactly as many bytes as \
                   the limit says: 0, 1, 10, 65,536 and 1,000,000.",
            takes: &[Server],
            check: |exam| {
                for limit in [0, 1, 10, LIMIT, 1_000_000] {
                    let mut server = fresh(exam, limit)?;
                    let mut client = exam.connect("mysocket")?;
                    client.send("a".repeat(limit))?;
                    client.close();
                    accepted(&mut server, 1)?;
                    server.expect_start(&format!("received {limit} bytes"))?;
                }
                Ok(())
            },
        },
        Promise {
            id: "refuses-one-byte-more",
            says: "It reports one that has a byte more.",
            takes: &[Server],
            check: |exam| {
                for limit in [0, 1, 10, LIMIT, 1_000_000] {
                    let mut server = fresh(exam, limit)?;
                    let mut client = exam.connect("mysocket")?;
                    flood(&mut client, limit + 1);
                    client.close();
                    accepted(&mut server, 1)?;
                    reported(&mut server, 1).hint(
                        "who reads only as much as is allowed cannot tell a \
                         full message from one that is too long: ask for a \
                         byte more",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "keeps-no-flood",
            says: "While a client sends 64 megabytes, its memory grows by 8 \
                   megabytes at most.",
            takes: &[Server],
            check: |exam| {
                let mut server = fresh(exam, 10)?;
                grows_little(exam, &mut server, |exam, server| {
                    let mut client = exam.connect("mysocket")?;
                    flood(&mut client, 64 * 1024 * 1024);
                    client.close();
                    accepted(server, 1)?;
                    reported(server, 1)
                })
            },
        },
    ],
};

/// A server with this limit, in the place of the one before.
fn fresh(exam: &Exam, limit: usize) -> Checked<Running> {
    let _ = std::fs::remove_file(exam.join("mysocket"));
    exam.server(&[&limit.to_string()])
}

const AS_THEY_COME: Contract = Contract {
    id: "as-they-come",
    setting:
        "The server serves one client after the other. For each piece that a
read gives it prints a line such as `0.250 48656c6c6f`: how many seconds after
its own start the piece came, a space, and the bytes in lower-case hexadecimal.
When the client has closed it prints `end`.",
    promises: &[
        Promise {
            id: "does-not-wait-for-the-end",
            says: "The server prints a piece while the client has more to say.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                client.send("Hel")?;
                let (first, bytes) = piece(&mut server)?;
                exam.expect(bytes == b"Hel", "48656c", "other bytes")?;
                client.send("lo?")?;
                let (second, bytes) = piece(&mut server)?;
                exam.expect(bytes == b"lo?", "6c6f3f", "other bytes")?;
                exam.expect(
                    first <= second,
                    "a time that does not go back",
                    format!("{first} and then {second}"),
                )?;
                client.close();
                server.expect("end")
            },
        },
        Promise {
            id: "is-complete",
            says: "The pieces together are the message, whatever its bytes: \
                   each of the 256, and 200,000 of them.",
            takes: &[Server],
            check: |exam| {
                let all: Vec<u8> = (0..=255).collect();
                let mut server = exam.server(&[])?;
                for message in [all.clone(), all.repeat(800)] {
                    let mut client = exam.connect("mysocket")?;
                    client.send(&message)?;
                    client.close();
                    let mut came = Vec::new();
                    while came.len() < message.len() {
                        came.extend(piece(&mut server)?.1);
                    }
                    exam.expect(
                        came == message,
                        "the bytes that were sent",
                        "other bytes",
                    )
                    .hint(
                        "what read has put into the buffer is as long as it \
                         says; the rest is from before",
                    )?;
                    server.expect("end")?;
                }
                Ok(())
            },
        },
    ],
};

/// The next piece: its time, and its bytes.
fn piece(server: &mut Running) -> Checked<(f64, Vec<u8>)> {
    let read = |line: &str| -> Option<(f64, Vec<u8>)> {
        let (time, digits) = line.split_once(' ')?;
        let digits: Vec<char> = digits.chars().collect();
        let byte = |pair: &[char]| {
            let pair: String = pair.iter().collect();
            let is_lower = !pair.contains(|c: char| c.is_uppercase());
            u8::from_str_radix(&pair, 16).ok().filter(|_| is_lower)
        };
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        Some((time.parse().ok()?, bytes?))
    };
    let expected = "a line such as `server| 0.250 48656c6c6f`";
    let line = server.expect_that(expected, |line| read(line).is_some())?;
    Ok(read(&line).unwrap_or_default())
}
