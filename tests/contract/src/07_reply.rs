//! Chapter 7: an answer, and who waits for whom.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::read::accepted;
use crate::{Checked, Contract, Exam, Peer, Promise, Running};

pub const CONTRACTS: &[Contract] = &[STEP, ECHO, SMALL_NETCAT, ONE_THREAD];

const STEP: Contract = Contract {
    id: "07-reply",
    setting: "Two programs. `server [N]` is the server of chapter 6 with another
task: it sends each client its bytes back as they come, with the letters a to z
as A to Z, until the client closes or half-closes. Then it prints `answered 6
bytes`, or how many they were. What is wrong with one client it reports in a line
that names `connection` and the number, and goes on. `client [N]` connects to
`mysocket`, prints `connected to mysocket`, writes `Hello?` N times, without N
once, and half-closes; it reads the answer to its end, prints `received 6 bytes:`
and the first 12 bytes of it in quotes, and ends with exit code 0.",
    promises: &[
        Promise {
            id: "answers",
            says: "The server answers `Hello?` with `HELLO?`, and the end, to \
                   a client that has half-closed, and prints `answered 6 \
                   bytes`.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                asks(exam, "Hello?", "HELLO?")?;
                accepted(&mut server, 1)?;
                server.expect("answered 6 bytes")
            },
        },
        Promise {
            id: "answers-before-the-end",
            says: "It answers what has come before it knows what else will \
                   come.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for (word, answer) in [("one", "ONE"), ("two", "TWO")] {
                    client.send(word)?;
                    let came = client.bytes(3).hint(
                        "the client has not half-closed: who reads to the end \
                         first answers a client that waits for the answer \
                         never. Answer each piece that a read brings",
                    )?;
                    expect_bytes(exam, &came, answer.as_bytes())?;
                }
                Ok(())
            },
        },
        Promise {
            id: "changes-letters-only",
            says: "It changes the bytes of a to z and no others: what is no \
                   text comes back as it was.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let all: Vec<u8> = (0..=255).collect();
                asks(exam, &all, all.to_ascii_uppercase())
                    .hint("take bytes for bytes: not all of them are text")
            },
        },
        Promise {
            id: "answers-much",
            says: "Ten megabytes go there and back, while the client reads \
                   and writes at once.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                // No multiple of what a buffer may hold.
                let mut question = b"0123456789abcdef".repeat(10 * 65_536);
                question.extend(b"the end");
                converse(exam, &question)
                    .and_then(|answer| {
                        let expected = question.to_ascii_uppercase();
                        expect_bytes(exam, &answer, &expected)
                    })
                    .hint(
                        "what one read found is not always a whole buffer, \
                         and what one write took is not always all of it",
                    )?;
                accepted(&mut server, 1)?;
                server.expect("answered 10485767 bytes")
            },
        },
        Promise {
            id: "keeps-nothing",
            says: "Its memory grows by 8 megabytes at most meanwhile.",
            takes: &[Server],
            check: keeps_nothing,
        },
        Promise {
            id: "answers-nothing",
            says: "To a client that leaves without a word it answers 0 bytes, \
                   and it serves the next.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                exam.connect("mysocket")?.close();
                accepted(&mut server, 1)?;
                server.expect("answered 0 bytes").hint(
                    "read returns 0 at the end, and again and again: it does \
                     not mean `try again`",
                )?;
                asks(exam, "Hello?", "HELLO?")
            },
        },
        Promise {
            id: "survives-one-that-leaves",
            says: "A client that hangs up without its answer is reported, and \
                   the next one is served.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut rude = exam.connect_as("rude", "mysocket")?;
                rude.send("x".repeat(100_000))?;
                // So that it has an answer which it will not read.
                rude.bytes(1)?;
                rude.close();
                accepted(&mut server, 1)?;
                let is_it = |line: &str| line.contains("connection 1");
                let expected = "server| connection 1: what is wrong with it";
                server.expect_that(expected, is_it)?;
                asks(exam, "still there?", "STILL THERE?")
                    .hint("one client's fault must not end the server")
            },
        },
        Promise {
            id: "still-cleans-up",
            says: "With the argument 1 it ends with exit code 0 after one \
                   client, and `mysocket` is gone.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&["1"])?;
                asks(exam, "Hello?", "HELLO?")?;
                server.expect_code(0)?;
                exam.expect_files(&[])
            },
        },
        Promise {
            id: "prints-the-answer",
            says: "The client half-closes after its message, prints `received \
                   6 bytes:` and the answer, and ends with exit code 0.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &[])?;
                client.expect("connected to mysocket")?;
                let mut server = door.accept()?;
                says(&mut server, "Hello?")?;
                server.send("HELLO?").hint(
                    "it has closed the whole connection: `shutdown` with \
                     `Write` (SHUT_WR) closes one half, and the answer comes \
                     through the other",
                )?;
                server.close();
                received(exam, &mut client, 6, "HELLO?")
            },
        },
        Promise {
            id: "takes-any-answer",
            says: "It reads the answer to its end, however long it is and in \
                   however many pieces it comes.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["2"])?;
                client.expect("connected to mysocket")?;
                let mut server = door.accept()?;
                says(&mut server, "Hello?Hello?")?;
                for piece in ["fi", "n", "e"] {
                    server.send(piece).hint(TO_THE_END)?;
                    // So that they are not read as one by chance.
                    thread::park_timeout(Duration::from_millis(150));
                }
                server.close();
                received(exam, &mut client, 4, "fine").hint(TO_THE_END)
            },
        },
        Promise {
            id: "reads-while-it-writes",
            says: "With 200000 it gets the whole answer from a server that \
                   answers each piece as it comes, and reads no more until its \
                   answer is taken.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["200000"])?;
                client.expect("connected to mysocket")?;
                let mut server = door.accept()?;
                answer_as_it_comes(exam, &mut server, 1_200_000, 4096)?;
                server.close();
                received(exam, &mut client, 1_200_000, "HELLO?HELLO?")
            },
        },
        Promise {
            id: "is-answered",
            says: "Together: the client with 1 and with 200000 gets its answer \
                   from the server.",
            takes: &[Server, Client],
            check: |exam| {
                let mut server = exam.server(&[])?;
                for (number, (times, start)) in
                    (1..).zip([("1", "HELLO?"), ("200000", "HELLO?HELLO?")])
                {
                    let mut client = exam.start(Client, &[times])?;
                    client.expect("connected to mysocket")?;
                    let count = 6 * times.parse::<usize>().expect("a number");
                    received(exam, &mut client, count, start)?;
                    accepted(&mut server, number)?;
                    server.expect(&format!("answered {count} bytes"))?;
                }
                Ok(())
            },
        },
        Promise {
            id: "reports-that-nobody-is-there",
            says: "Where there is no server, the client says so, names \
                   `mysocket`, and ends with exit code 1.",
            takes: &[Client],
            check: |exam| names_the_socket(exam, &[]),
        },
    ],
};

const HALF_CLOSE: &str = "the end did not come: the client must say that its \
                          message is complete, by a half-close. Dropping one \
                          of two descriptors is none";

const TO_THE_END: &str =
    "a read brings what is there, and the answer has more: read until 0 comes";

/// A client that sends this, half-closes, and expects that answer.
fn asks(
    exam: &Exam,
    question: impl AsRef<[u8]>,
    answer: impl AsRef<[u8]>,
) -> Checked {
    let mut client = exam.connect("mysocket")?;
    client.send(question)?;
    client.end();
    client.expect_rest(answer)
}

/// Sends all of this and reads the answer, both at once.
fn converse(exam: &Exam, question: &[u8]) -> Checked<Vec<u8>> {
    let client = exam.connect("mysocket")?;
    exam.note(format!("client: sends {} bytes and reads", question.len()));
    let mut answer = Vec::new();
    let read = thread::scope(|scope| {
        scope.spawn(|| {
            // What did not arrive is missed in the answer.
            let _ = client.stream().write_all(question);
            let _ = client.stream().shutdown(Shutdown::Write);
        });
        client.stream().read_to_end(&mut answer)
    });
    read.map_err(|error| {
        let got = format!("{} bytes, and then {error}", answer.len());
        exam.flaw("an answer with an end", got)
    })?;
    Ok(answer)
}

/// Expects a client to say this, and to half-close.
fn says(server: &mut Peer, text: &str) -> Checked {
    server.expect_rest(text).map_err(|mut flaw| {
        let hint = match flaw.got.starts_with("nothing happened") {
            true => HALF_CLOSE,
            false => "these bytes and no others: no newline, and no NUL",
        };
        flaw.hints.push(hint.to_owned());
        flaw
    })
}

/// Is the server that the chapter warns of, which does not read on before its
/// answer is taken. It reads `count` bytes in all, and `piece` of them at a
/// time.
fn answer_as_it_comes(
    exam: &Exam,
    server: &mut Peer,
    count: usize,
    piece: usize,
) -> Checked {
    exam.note("server: answers each piece as it comes");
    let mut piece = vec![0; piece];
    let mut total = 0;
    loop {
        let length = server.stream().read(&mut piece);
        let answered = length.and_then(|length| {
            piece[..length].make_ascii_uppercase();
            server.stream().write_all(&piece[..length])?;
            Ok(length)
        });
        match answered {
            Ok(0) => break,
            Ok(length) => total += length,
            Err(error) => {
                let got = format!("after {total} bytes: {error}");
                let expected = format!("{count} bytes, and then the end");
                return Err(exam.flaw(expected, got)).hint(match total {
                    total if total == count => HALF_CLOSE,
                    _ => {
                        "each waits for the other to read: while the client \
                         writes, nobody takes the answer. See *Write all, \
                         then read all*"
                    }
                });
            }
        }
    }
    let expected = format!("{count} bytes, and then the end");
    exam.expect(total == count, expected, format!("{total} bytes"))
}

/// Expects that this came.
fn expect_bytes(exam: &Exam, came: &[u8], expected: &[u8]) -> Checked {
    let same = came.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let got = match came.len() {
        count if count == same => format!("{count} bytes, and the end"),
        count => format!("{count} bytes, others from byte {same} on"),
    };
    let expected_text = format!("the answer, {} bytes", expected.len());
    exam.expect(came == expected, expected_text, got)
}

/// Expects the client to print its answer, and to end.
fn received(
    exam: &Exam,
    client: &mut Running,
    count: usize,
    start: &str,
) -> Checked {
    let beginning = format!("received {count} bytes:");
    let expected = format!("client| {beginning} {start:?}");
    client.expect_that(&expected, |line| {
        let rest = line.strip_prefix(&beginning);
        rest.is_some_and(|rest| {
            rest.trim_start_matches([' ', 'b'])
                .trim_matches(['"', '\''])
                .eq(start)
        })
    })?;
    let lines = client.expect_code(0)?;
    let got = format!("client| {}", lines.join("\nclient| "));
    exam.expect(lines.is_empty(), "no line after that", got)
}

fn names_the_socket(exam: &Exam, arguments: &[&str]) -> Checked {
    let lines = exam.start(Client, arguments)?.expect_failure()?;
    exam.expect(
        lines.iter().any(|line| line.contains("mysocket")),
        "the client to name `mysocket` where it says what is wrong",
        "none of its lines does",
    )
}

#[cfg(target_os = "linux")]
fn keeps_nothing(exam: &Exam) -> Checked {
    let server = exam.server(&[])?;
    let before = harness::peak_memory(server.program());
    // What is wrong with the answer, another promise says.
    let _ = converse(exam, &vec![b'a'; 16 * 1024 * 1024]);
    let grown =
        harness::peak_memory(server.program()).saturating_sub(before) / 1024;
    exam.expect(
        grown <= 8,
        "its memory (VmHWM) to grow by 8 MiB at most",
        format!("it grew by {grown} MiB"),
    )
    .hint("answer a piece, and forget it")
}

#[cfg(not(target_os = "linux"))]
fn keeps_nothing(exam: &Exam) -> Checked {
    // How much it takes is in /proc, on Linux.
    let _server = exam.server(&[])?;
    converse(exam, &vec![b'a'; 16 * 1024 * 1024]).map(drop)
}

const ECHO: Contract = Contract {
    id: "echo",
    setting: "`client TEXT` connects to `mysocket`, sends the text and nothing
else, and half-closes. It reads the answer to its end, prints it and a newline
and nothing else, and ends with exit code 0. The server is that of this
chapter.",
    promises: &[
        Promise {
            id: "sends-the-text",
            says: "The client sends the bytes of its argument, without a \
                   newline, and then the end.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                for text in ["Hello?", "two words", "Grüße", ""] {
                    let mut client = exam.start(Client, &[text])?;
                    let mut server = door.accept()?;
                    says(&mut server, text)?;
                    server.close();
                    client.expect_code(0)?;
                }
                Ok(())
            },
        },
        Promise {
            id: "prints-the-answer",
            says: "It prints the answer to `Hello?`, which is `HELLO?`, and \
                   that to any other text.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                for text in ["Hello?", "Grüße aus Köln", "x"] {
                    let mut client = exam.start(Client, &[text])?;
                    let mut server = door.accept()?;
                    answer_as_it_comes(exam, &mut server, text.len(), 4096)?;
                    server.close();
                    prints(exam, &mut client, &text.to_ascii_uppercase())?;
                }
                Ok(())
            },
        },
        Promise {
            id: "prints-a-long-answer",
            says: "It prints an answer that is longer than its text, comes in \
                   pieces, and has 300,000 bytes in all.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["tell me"])?;
                let mut server = door.accept()?;
                says(&mut server, "tell me")?;
                let piece = "A".repeat(100_000);
                for _ in 0..3 {
                    server.send(&piece).hint(TO_THE_END)?;
                }
                server.close();
                prints(exam, &mut client, &piece.repeat(3)).hint(TO_THE_END)
            },
        },
        Promise {
            id: "reports-that-nobody-is-there",
            says: "Where there is no server, it says so, names `mysocket`, \
                   and ends with exit code 1.",
            takes: &[Client],
            check: |exam| names_the_socket(exam, &["Hello?"]),
        },
    ],
};

/// Expects the client to print this line and no more, and to end.
fn prints(exam: &Exam, client: &mut Running, line: &str) -> Checked {
    let short = |text: &str| match text.len() {
        count if count > 80 => format!("{}… ({count} bytes)", &text[..40]),
        _ => text.to_owned(),
    };
    let lines = client.expect_code(0)?;
    let got = match lines.as_slice() {
        [] => "nothing".to_owned(),
        [line] => format!("client| {}", short(line)),
        lines => format!("{} lines: {:?}", lines.len(), short(&lines.concat())),
    };
    let expected = format!("client| {}", short(line));
    exam.expect(lines == [line], expected, got)
}

const SMALL_NETCAT: Contract = Contract {
    id: "small-netcat",
    setting: "`client` connects to `mysocket`. It sends what it reads from its
standard input, and writes what it receives to its standard output, both as it
comes, both as it is, and both at the same time. When its input ends, it
half-closes. When the server has closed, it ends with exit code 0, whether or not
its input has ended. It prints nothing of its own.",
    promises: &[
        Promise {
            id: "talks-in-turns",
            says: "A line that is typed arrives at once, an answer is printed \
                   at once, and either side may begin.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &[])?;
                let mut server = door.accept()?;
                server.send("who is there?\n")?;
                client.expect("who is there?").hint(
                    "the input has not come yet: who waits for it cannot \
                     print. And a language may keep output back: flush it",
                )?;
                for line in ["nobody", "and nobody else"] {
                    client.type_line(line)?;
                    server.expect_line(line).hint(
                        "send what is there, and do not wait for more: the \
                         input has not ended",
                    )?;
                    server.send(format!("{line}?\n"))?;
                    client.expect(&format!("{line}?"))?;
                }
                Ok(())
            },
        },
        Promise {
            id: "half-closes",
            says: "When its input ends, the server finds the end, and an \
                   answer that comes then is still printed.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &[])?;
                let mut server = door.accept()?;
                client.type_line("Hello?")?;
                client.end_input();
                says(&mut server, "Hello?\n")?;
                server.send("HELLO?\n")?;
                client.expect("HELLO?").hint(
                    "the end of the input is not the end of the conversation",
                )?;
                server.close();
                client.expect_code(0).map(drop)
            },
        },
        Promise {
            id: "copies-megabytes",
            says: "Five megabytes of any bytes from a file arrive as they \
                   were, while five others come back into a file.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let (there, back) = (noise(1), noise(2));
                exam.note("$ head -c 5000000 /dev/urandom > in");
                fs::write(exam.join("in"), &there).expect("a place to write");
                let redirect = "exec < in > out";
                let mut client = exam.start_after(redirect, Client, &[])?;
                let mut server = door.accept()?;
                exchange(exam, &mut server, &there, &back)?;
                server.close();
                client.expect_code(0)?;
                let out = fs::read(exam.join("out")).unwrap_or_default();
                exam.note("$ sha256sum out");
                expect_bytes(exam, &out, &back)
            },
        },
        Promise {
            id: "ends-with-the-server",
            says: "When the server has closed, it prints what had come and \
                   ends with exit code 0, though its input is still open.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &[])?;
                let mut server = door.accept()?;
                server.send("goodbye\n")?;
                server.close();
                client.expect("goodbye")?;
                client.expect_code(0).map(drop).hint(
                    "who waits for the thread that reads the input waits for \
                     somebody who types",
                )
            },
        },
        Promise {
            id: "reports-that-nobody-is-there",
            says: "Where there is no server, it says so, names `mysocket`, \
                   and ends with exit code 1.",
            takes: &[Client],
            check: |exam| names_the_socket(exam, &[]),
        },
    ],
};

/// Five megabytes in which no part is like another.
fn noise(mut seed: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(5_000_000);
    while bytes.len() < 5_000_000 {
        // Xorshift: any numbers will do.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        bytes.extend(seed.to_le_bytes());
    }
    bytes
}

/// Reads what comes, which must be `there`, and sends one half of `back`
/// meanwhile and the other one after that.
fn exchange(
    exam: &Exam,
    server: &mut Peer,
    there: &[u8],
    back: &[u8],
) -> Checked {
    exam.note(format!("server: sends {} bytes and reads", back.len()));
    let stream = server.stream().try_clone().expect("a stream that is open");
    let (meanwhile, later) = back.split_at(back.len() / 2);
    let came = thread::scope(|scope| {
        scope.spawn(|| {
            // What did not arrive is missed in the file.
            let _ = (&stream).write_all(meanwhile);
        });
        server.rest()
    });
    expect_bytes(exam, &came?, there)?;
    server.send(later)
}

const ONE_THREAD: Contract = Contract {
    id: "one-thread",
    setting: "`client N` connects to `mysocket`, sends the letter `x` N times,
half-closes, prints how many bytes have come back, and ends with exit code 0. The
server answers each piece as it comes, and reads no more until its answer is
taken. The client has one thread and one process.",
    promises: &[
        Promise {
            id: "counts-a-small-answer",
            says: "The client prints `6` for 6, and `0` for 0.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                for count in ["6", "0"] {
                    let length = count.parse().expect("a number");
                    let mut client = exam.start(Client, &[count])?;
                    let mut server = door.accept()?;
                    answer_as_it_comes(exam, &mut server, length, 4096)?;
                    server.close();
                    prints(exam, &mut client, count)?;
                }
                Ok(())
            },
        },
        Promise {
            id: "completes-ten-megabytes",
            says: "It prints `10000000` for that many.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["10000000"])?;
                let mut server = door.accept()?;
                answer_as_it_comes(exam, &mut server, 10_000_000, 1000)?;
                server.close();
                prints(exam, &mut client, "10000000").hint(
                    "a part may come back in several pieces: read on until \
                     all of it is there",
                )
            },
        },
        Promise {
            id: "counts-what-comes",
            says: "If the server hangs up before the answer is complete, it \
                   does not print that all came: it says what is wrong and \
                   ends with exit code 1.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["10000000"])?;
                let mut server = door.accept()?;
                server.bytes(1000)?;
                server.send("X".repeat(1000))?;
                server.close();
                let lines = client.expect_failure()?;
                exam.expect(
                    lines.iter().all(|line| line != "10000000"),
                    "a line about what is wrong",
                    "client| 10000000",
                )
            },
        },
        Promise {
            id: "has-one-thread",
            says: "It does so with one thread.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let client = exam.start(Client, &["10000000"])?;
                let mut server = door.accept()?;
                let piece = server.bytes(1000)?;
                // It has begun, and cannot be done without us.
                client.expect_asleep()?;
                let threads: usize = client
                    .program()
                    .process_ids()
                    .into_iter()
                    .filter_map(|id| {
                        fs::read_dir(format!("/proc/{id}/task")).ok()
                    })
                    .map(Iterator::count)
                    .sum();
                server.send(&piece)?;
                exam.expect(
                    threads <= 1,
                    "one thread, and one process",
                    format!("{threads} of them"),
                )
            },
        },
    ],
};
