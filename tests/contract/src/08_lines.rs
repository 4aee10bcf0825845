//! Chapter 8: many messages over one connection, a line each.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::read::{accepted, flood, grows_little};
use crate::{Checked, Contract, Exam, Peer, Promise, Running};

pub const CONTRACTS: &[Contract] = &[STEP, PING, A_THOUSAND_AT_ONCE, ANY_BYTE];

const STEP: Contract = Contract {
    id: "08-lines",
    setting:
        "Two programs. `server [N]` is the server of chapter 6 with another
task: each line that a client sends is a request, and gets a line as its answer.
`SET name value` is answered with `OK`, `GET name` with `VALUE value` or `NONE`,
`DEL name` with `OK` or `NONE`, and everything else with `ERR` and a reason. A
name has no blank in it; a value may have. A line is UTF-8, ends with a newline,
before which there may be a carriage return, and has at most 1024 bytes with
them. Values outlive the connection; there are 1000 at most, and then `SET` of a
new name is answered with `ERR`. To a line that is too long, and to a last line
that has no end, the server answers `ERR` and closes the connection; it reports
what is wrong with one client in a line that names `connection` and the number,
and goes on. `client REQUEST…` connects to `mysocket`, sends each argument as a
line, prints each answer, and ends with exit code 0.",
    promises: &[
        Promise {
            id: "answers-requests",
            says: "The server answers each request while the connection stays \
                   open: `SET color blue` with `OK`, and then `GET color` with \
                   `VALUE blue`.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for (request, answer) in [
                    ("GET color", "NONE"),
                    ("SET color blue", "OK"),
                    ("GET color", "VALUE blue"),
                    ("SET color red", "OK"),
                    ("GET color", "VALUE red"),
                    ("DEL color", "OK"),
                    ("DEL color", "NONE"),
                    ("GET color", "NONE"),
                ] {
                    ask(&mut client, request, answer).hint(
                        "the client has not closed, and will not before its \
                         answer: what tells that a request is complete is the \
                         newline",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "puts-pieces-together",
            says: "A line that comes byte by byte is one request.",
            takes: &[Server],
            check: |exam| {
                let server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for byte in "SET a é\nGET a\n".bytes() {
                    client.send([byte])?;
                    // Asleep, it has read all that came before.
                    server.expect_asleep()?;
                }
                let answered = client
                    .expect_line("OK")
                    .and_then(|()| client.expect_line("VALUE é"));
                answered.hint(
                    "a read brings what is there, and that may be half a line: \
                     keep it until its newline comes",
                )
            },
        },
        Promise {
            id: "takes-many-at-once",
            says: "A thousand requests in one write are answered in their \
                   order, also while the client does not read yet.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                let requests = (0..500).map(|n| format!("SET a {n}\nGET a\n"));
                let answers = (0..500).map(|n| format!("OK\nVALUE {n}\n"));
                client.send(requests.collect::<String>())?;
                client.end();
                client.expect_rest(answers.collect::<String>()).hint(
                    "a read may bring many lines, and the last one only in \
                     part: answer all of them, and keep the rest for the next \
                     read",
                )
            },
        },
        Promise {
            id: "leaves-values-alone",
            says: "The blanks of a value come back as they were.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET a  b  c ", "OK")?;
                ask(&mut client, "GET a", "VALUE  b  c ")
                    .hint("cut the line at its first two blanks, and no others")
            },
        },
        Promise {
            id: "takes-a-return-for-the-end",
            says: "A carriage return before the newline belongs to neither \
                   value nor name.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET a 1\r", "OK")?;
                for request in ["GET a\r", "GET a"] {
                    ask(&mut client, request, "VALUE 1").hint(
                        "after the newline, take off one carriage return, if \
                         there is one: some end their lines with both",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "answers-nonsense",
            says: "What is no request, and what is no text, gets `ERR`, and \
                   the next request of this client its answer.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for line in ["", "HELLO", "get a", "GET", "GET a b", "SET a"] {
                    refused(exam, &mut client, line.as_bytes())?;
                }
                refused(exam, &mut client, b"SET a \xff")
                    .hint("a request that is no text is no request")
            },
        },
        Promise {
            id: "outlives-the-connection",
            says: "What one client has set, the next one gets.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut first = exam.connect_as("first", "mysocket")?;
                ask(&mut first, "SET a 1", "OK")?;
                first.close();
                let mut second = exam.connect_as("second", "mysocket")?;
                ask(&mut second, "GET a", "VALUE 1").hint(
                    "the values belong to the server, and not to a \
                     connection: make their store before the first client",
                )
            },
        },
        Promise {
            id: "takes-1024-bytes",
            says: "It takes a line of 1024 bytes, and any number of them.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                let value = "x".repeat(1024 - "SET a \n".len());
                for _ in 0..64 {
                    ask(&mut client, &format!("SET a {value}"), "OK").hint(
                        "the limit is for a line, and each line has all of it",
                    )?;
                }
                ask(&mut client, "GET a", &format!("VALUE {value}"))
            },
        },
        Promise {
            id: "refuses-one-byte-more",
            says: "One of 1025 bytes gets `ERR`, and the connection is closed; \
                   it is reported, and neither it nor what comes after it is \
                   carried out.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut rude = exam.connect_as("rude", "mysocket")?;
                let value = "x".repeat(1025 - "SET a \n".len());
                rude.send(format!("SET a {value}\nSET b 1\n"))?;
                told_and_closed(exam, &mut rude)?;
                accepted(&mut server, 1)?;
                reported(&mut server, 1)?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "GET a", "NONE").hint(
                    "the limit counts the newline, too: of a line of 1025 \
                     bytes it is the last one",
                )?;
                ask(&mut client, "GET b", "NONE").hint(
                    "what comes after such a line is not looked at any more",
                )
            },
        },
        Promise {
            id: "keeps-no-endless-line",
            says: "A line that never ends is cut off: while a client sends 64 \
                   megabytes, its memory grows by 8 megabytes at most.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                grows_little(exam, &mut server, |exam, server| {
                    let mut rude = exam.connect_as("rude", "mysocket")?;
                    flood(&mut rude, 64 * 1024 * 1024);
                    rude.close();
                    accepted(server, 1)?;
                    reported(server, 1)
                })
            },
        },
        Promise {
            id: "takes-no-half-line",
            says: "A last line without its newline gets `ERR`, is reported, \
                   and is not carried out: `DEL color` may be the beginning of \
                   `DEL colors`.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                client.send("SET color blue\nDEL color")?;
                client.end();
                client.expect_line("OK")?;
                told_and_closed(exam, &mut client).hint(
                    "the newline is the client's word that the line is \
                     complete: look whether it is there",
                )?;
                accepted(&mut server, 1)?;
                reported(&mut server, 1)?;
                let mut next = exam.connect_as("next", "mysocket")?;
                ask(&mut next, "GET color", "VALUE blue")
            },
        },
        Promise {
            id: "holds-a-thousand",
            says: "It keeps 1000 values, answers `ERR` to the `SET` of another \
                   name, and still changes those that it has.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                exam.note("client: sets 1000 values");
                let requests = (0..1000).map(|n| format!("SET {n} x\n"));
                client.send(requests.collect::<String>())?;
                for _ in 0..1000 {
                    client.expect_line("OK")?;
                }
                refused(exam, &mut client, b"SET new 1").hint(
                    "there must be an end to what clients make you keep",
                )?;
                ask(&mut client, "SET 0 y", "OK").hint(
                    "a name that is there takes no more room than before",
                )?;
                ask(&mut client, "GET 0", "VALUE y")?;
                ask(&mut client, "DEL 1", "OK")?;
                ask(&mut client, "SET new 1", "OK")
                    .hint("what is deleted makes room")
            },
        },
        Promise {
            id: "survives-one-that-leaves",
            says: "A client that leaves without its answers stops nobody.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut rude = exam.connect_as("rude", "mysocket")?;
                rude.send("GET a\n".repeat(1000))?;
                rude.close();
                accepted(&mut server, 1)?;
                let mut next = exam.connect_as("next", "mysocket")?;
                ask(&mut next, "SET a 1", "OK")
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
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET a 1", "OK")?;
                client.close();
                server.expect_code(0).hint(
                    "the end of the stream is the end of this client, and \
                     with N clients served the server has done its work",
                )?;
                exam.expect_files(&[])
                    .hint("who makes the name removes it: see chapter 6")
            },
        },
        Promise {
            id: "asks-and-prints",
            says: "The client sends each argument and a newline, nothing else, \
                   prints each answer, and ends with exit code 0.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let requests = ["SET motto keep it short", "GET motto"];
                let mut client = exam.start(Client, &requests)?;
                let mut server = door.accept()?;
                for (request, answer) in
                    requests.iter().zip(["OK", "VALUE keep it short"])
                {
                    server.expect_line(request).hint(
                        "each argument is a line: it needs its newline, or \
                         the server waits for more",
                    )?;
                    server.send(format!("{answer}\n"))?;
                    client.expect(answer).hint(
                        "an answer ends with its newline: do not wait for \
                         the end of the stream",
                    )?;
                }
                client.expect_code(0)?;
                server.expect_rest("")
            },
        },
        Promise {
            id: "finds-the-answers",
            says: "It prints an answer that comes in pieces in one line, and \
                   two that come at once in two.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["GET a", "GET b"])?;
                let mut server = door.accept()?;
                server.expect_line("GET a")?;
                for piece in ["VAL", "UE 1", "\nVALUE 2\n"] {
                    // Asleep, it has read all that came before.
                    client.expect_asleep()?;
                    server.send(piece).hint(READ_ON)?;
                }
                client.expect("VALUE 1").hint(READ_ON)?;
                client.expect("VALUE 2").hint(
                    "it came together with the first: what was read beyond a \
                     line must not be lost. One connection, one buffered \
                     reader",
                )?;
                client.expect_code(0).map(drop)
            },
        },
        Promise {
            id: "refuses-two-lines",
            says: "An argument with a newline in it would be two requests: it \
                   sends nothing of it, says what is wrong, and ends with exit \
                   code 1.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let arguments = ["SET note one\nDEL note"];
                let mut client = exam.start(Client, &arguments)?;
                client.expect_failure().hint(
                    "the server would see two requests and send two answers: \
                     from then on each answer belongs to the request before",
                )?;
                // Some connect before they look, and some do not.
                match door.waiting() {
                    Some(mut server) => server.expect_rest(""),
                    None => Ok(()),
                }
            },
        },
        Promise {
            id: "prints-no-half-answer",
            says: "If the server closes before its answer is complete, the \
                   client prints nothing of it, says what is wrong, and ends \
                   with exit code 1.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                for part in ["", "VALUE blu"] {
                    let mut client = exam.start(Client, &["GET color"])?;
                    let mut server = door.accept()?;
                    server.expect_line("GET color")?;
                    server.send(part)?;
                    server.close();
                    let lines = client
                        .expect_failure()
                        .hint("look whether the newline is there")?;
                    exam.expect(
                        lines.iter().all(|line| line != "VALUE blu"),
                        "a line about what is wrong, and no answer",
                        "client| VALUE blu",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "reports-that-nobody-is-there",
            says: "Where there is no server, the client says so, names \
                   `mysocket`, and ends with exit code 1.",
            takes: &[Client],
            check: |exam| {
                let mut client = exam.start(Client, &["GET a"])?;
                let lines = client.expect_failure()?;
                exam.expect(
                    lines.iter().any(|line| line.contains("mysocket")),
                    "the client to name `mysocket` where it says what is wrong",
                    "none of its lines does",
                )
            },
        },
        Promise {
            id: "talks",
            says: "Together: the client prints `OK` for `SET color blue`, and \
                   the next client `VALUE blue` for `GET color`.",
            takes: &[Server, Client],
            check: |exam| {
                let _server = exam.server(&[])?;
                for (request, answer) in
                    [("SET color blue", "OK"), ("GET color", "VALUE blue")]
                {
                    let mut client = exam.start(Client, &[request])?;
                    client.expect(answer)?;
                    client.expect_code(0)?;
                }
                Ok(())
            },
        },
    ],
};

const READ_ON: &str = "a read brings what is there, and that may be half a \
    line: read on until its newline comes";

/// Sends a request, and expects this answer.
fn ask(client: &mut Peer, request: &str, answer: &str) -> Checked {
    client.send(format!("{request}\n"))?;
    client.expect_line(answer)
}

/// Sends a line, and expects `ERR`, and that the next request is answered.
fn refused(exam: &Exam, client: &mut Peer, line: &[u8]) -> Checked {
    client.send([line, b"\n"].concat())?;
    let answer = client.line()?;
    exam.expect(
        answer.starts_with("ERR"),
        "client| ERR and a reason",
        format!("client| {answer}"),
    )?;
    ask(client, "GET nothing", "NONE").hint(
        "it has only asked nonsense: answer, and go on with the next line",
    )
}

/// Expects a line that begins with `ERR`, and then the end.
fn told_and_closed(exam: &Exam, client: &mut Peer) -> Checked {
    let answer = client.line()?;
    exam.expect(
        answer.starts_with("ERR"),
        "ERR and a reason, and the end",
        format!("client| {answer}"),
    )?;
    client.expect_rest("").hint(
        "close the connection after that: where the next request begins cannot \
         be known any more",
    )
}

/// Waits for the line about what was wrong with a client.
fn reported(server: &mut Running, number: u32) -> Checked {
    let name = format!("connection {number}");
    let expected = format!("server| {name}: what is wrong with it");
    server
        .expect_that(&expected, |line| line.contains(&name))
        .hint("one client's fault must not end the server: report it, go on")
        .map(drop)
}

const PING: Contract = Contract {
    id: "ping",
    setting: "The server of this chapter, which also answers the line `PING`
with `PONG`.",
    promises: &[
        Promise {
            id: "answers-ping",
            says: "The server answers `PING` with `PONG`, each time.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for line in ["PING", "PING\r", "PING"] {
                    ask(&mut client, line, "PONG").hint(
                        "it is a request like the others: the connection \
                         stays, and a carriage return does not matter",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "answers-in-two-writes",
            says: "It does so when the request comes in two writes, `PI` and \
                   `NG` with the newline, and when two come in one.",
            takes: &[Server],
            check: |exam| {
                let server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                client.send("PI")?;
                server.expect_asleep()?;
                client.send("NG\nPING\n")?;
                client.expect_line("PONG").hint(
                    "what a read brought is no line: `PING` belongs to where \
                     the lines are answered, and not to where bytes are read",
                )?;
                client.expect_line("PONG")
            },
        },
        Promise {
            id: "answers-nothing-else",
            says: "`PING x`, `ping` and `PINGPING` get `ERR`.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for line in ["PING x", "ping", "PINGPING"] {
                    refused(exam, &mut client, line.as_bytes()).hint(
                        "the whole line is `PING`, and not its beginning",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "still-keeps-values",
            says: "The requests that it knew before are answered as before.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for (request, answer) in [
                    ("SET PING 1", "OK"),
                    ("GET PING", "VALUE 1"),
                    ("DEL PING", "OK"),
                ] {
                    ask(&mut client, request, answer)
                        .hint("`PING` may be a name, too")?;
                }
                Ok(())
            },
        },
    ],
};

const A_THOUSAND_AT_ONCE: Contract = Contract {
    id: "a-thousand-at-once",
    setting: "`client` connects to `mysocket`, reads requests from its standard
input, a line each, sends each without waiting for the answers to those before,
and prints the answers, a line each. When its input ends, it half-closes, and
prints what still comes until the server closes. It ends with exit code 0 if
there was an answer to each request. If not, it says what is wrong and ends with
exit code 1.",
    promises: &[
        Promise {
            id: "does-not-wait",
            says: "The client sends its second and third request before the \
                   first is answered, and prints the answers as they come.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &[])?;
                let mut server = door.accept()?;
                for request in ["GET a", "GET b", "GET c"] {
                    client.type_line(request)?;
                }
                for request in ["GET a", "GET b", "GET c"] {
                    server.expect_line(request).hint(
                        "it waits for an answer: one part of the program \
                         sends, another one prints",
                    )?;
                }
                server.send("VALUE 1\nNONE\nVALUE 3\n")?;
                for answer in ["VALUE 1", "NONE", "VALUE 3"] {
                    client.expect(answer).hint(
                        "it came together with others: what was read beyond a \
                         line must not be lost",
                    )?;
                }
                client.end_input();
                server.expect_rest("").hint(
                    "when the input ends, half-close: a clone that is dropped \
                     closes nothing",
                )?;
                server.close();
                client.expect_code(0).map(drop)
            },
        },
        Promise {
            id: "asks-a-thousand",
            says: "A thousand requests from a file get their answers, in \
                   order, from a server that answers each line as it comes.",
            takes: &[Client],
            check: |exam| asks(exam, 1000),
        },
        Promise {
            id: "asks-a-hundred-thousand",
            says: "So do 100,000, and the server reads no more until its \
                   answers are taken.",
            takes: &[Client],
            check: |exam| asks(exam, 100_000),
        },
        Promise {
            id: "asks-nothing",
            says: "Without a request it ends with exit code 0, and prints \
                   nothing.",
            takes: &[Client],
            check: |exam| asks(exam, 0),
        },
        Promise {
            id: "misses-an-answer",
            says: "If the server closes before all have their answer, it \
                   prints those that came, says what is wrong, and ends with \
                   exit code 1.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &[])?;
                let mut server = door.accept()?;
                client.type_line("GET a")?;
                client.type_line("GET b")?;
                client.end_input();
                server.expect_rest("GET a\nGET b\n")?;
                server.send("VALUE 1\nVAL")?;
                server.close();
                client.expect("VALUE 1").hint(
                    "an answer that is whole is printed, whatever comes after",
                )?;
                let lines = client.expect_failure().hint(
                    "count what you send and what you print: that the server \
                     has closed does not mean that it has answered",
                )?;
                exam.expect(
                    lines.iter().all(|line| line != "VAL"),
                    "no half of an answer",
                    "client| VAL",
                )
            },
        },
    ],
};

/// A client that is given so many requests in a file, and a server that
/// answers each line before it reads the next.
fn asks(exam: &Exam, count: usize) -> Checked {
    let door = exam.listen("mysocket");
    exam.note(format!("$ seq -f 'GET %06g' {count} > in"));
    let requests = (1..=count).map(|n| format!("GET {n:06}\n"));
    fs::write(exam.join("in"), requests.collect::<String>())
        .expect("a place to write");
    let mut client = exam.start_after("exec < in > out", Client, &[])?;
    let server = door.accept()?;
    exam.note("server: answers each line as it comes");
    let mut lines = BufReader::new(server.stream());
    let mut answered = 0;
    let result = loop {
        let mut line = String::new();
        match lines.by_ref().take(4096).read_line(&mut line) {
            Ok(0) => break Ok(()),
            Ok(_) => {
                let answer = line.replace("GET ", "VALUE ");
                if let Err(error) = server.stream().write_all(answer.as_bytes())
                {
                    break Err(error);
                }
                answered += 1;
            }
            Err(error) => break Err(error),
        }
    };
    result.map_err(|error| {
        let got = format!("after {answered} of them: {error}");
        exam.flaw(format!("{count} requests, and the end"), got)
    })
    .hint(match answered {
        answered if answered == count => {
            "when the input ends, half-close: a clone that is dropped closes \
             nothing"
        }
        _ => {
            "while you send, nobody takes the answers: they fill their buffer, \
             the server waits, and then you wait. See *Write all, then read \
             all* in chapter 7"
        }
    })?;
    server.close();
    client.expect_code(0)?;
    let out = fs::read_to_string(exam.join("out")).unwrap_or_default();
    exam.note("$ wc -l out");
    let printed = out.lines().count();
    let answers = (1..=count).map(|n| format!("VALUE {n:06}\n"));
    let wrong = answers
        .zip(out.split_inclusive('\n'))
        .find(|(answer, line)| answer != line);
    let got = match wrong {
        Some((answer, line)) => format!("{line:?} in place of {answer:?}"),
        None => format!("{printed} lines"),
    };
    let expected = format!("{count} answers, in order");
    exam.expect(printed == count && got.ends_with("lines"), expected, got)
}

/// The most bytes that a value may have in the third exercise.
const MOST: usize = 65_536;

const ANY_BYTE: Contract = Contract {
    id: "any-byte",
    setting: "The server of this chapter with two more requests. `PUT name
length`, a newline, and then so many bytes, any bytes, keep a value, and get
`OK`. `TAKE name` gets `BYTES length`, a newline and the bytes, or `NONE`. A
length is from 0 to 65536; another one, and what is no number, gets `ERR`, and
the server closes the connection, since it cannot know where the next request
begins. What `SET` has kept can be taken; a `GET` of what is no text, or has a
newline in it, gets `ERR`.",
    promises: &[
        Promise {
            id: "keeps-any-byte",
            says: "A value of all 256 bytes comes back as it was, and one of \
                   65536 bytes.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                let all: Vec<u8> = (0..=255).collect();
                for value in [all.clone(), all.repeat(MOST / 256)] {
                    put(&mut client, "a", &value)?;
                    take(exam, &mut client, "a", &value).hint(
                        "after the line come bytes, and not lines: count them, \
                         and look at none of them",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "keeps-nothing-at-all",
            says: "So does a value of 0 bytes; and what was never put is \
                   `NONE`.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "TAKE a", "NONE")?;
                put(&mut client, "a", b"")?;
                take(exam, &mut client, "a", b"").hint(
                    "a value of 0 bytes is a value, and its name is there",
                )?;
                ask(&mut client, "GET b", "NONE")
            },
        },
        Promise {
            id: "carries-out-no-value",
            says: "A value that looks like a request is none, and the request \
                   behind it is one, also in the same write.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET color blue", "OK")?;
                client.send("PUT a 10\nDEL color\nGET color\n")?;
                client.expect_line("OK")?;
                client.expect_line("VALUE blue").hint(
                    "ten bytes belong to the value, its newline among them; \
                     the next byte begins a request",
                )
            },
        },
        Promise {
            id: "waits-for-all-of-it",
            says: "A value may come in pieces, and is answered when it is \
                   complete.",
            takes: &[Server],
            check: |exam| {
                let server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for piece in ["PUT a", " 6\nHe", "ll", "o?"] {
                    client.send(piece)?;
                    server.expect_asleep()?;
                }
                client.expect_line("OK")?;
                take(exam, &mut client, "a", b"Hello?").hint(
                    "a read brings what is there: read until you have as many \
                     bytes as were announced",
                )
            },
        },
        Promise {
            id: "keeps-no-half-value",
            says: "If the client ends before all bytes have come, the value \
                   from before stays.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect_as("first", "mysocket")?;
                put(&mut client, "a", b"whole")?;
                client.send("PUT a 10\nhal")?;
                client.end();
                client.rest()?;
                let mut next = exam.connect_as("next", "mysocket")?;
                take(exam, &mut next, "a", b"whole").hint(
                    "the end came before the length was reached: that is an \
                     error, and half a value is none",
                )
            },
        },
        Promise {
            id: "refuses-a-bad-length",
            says: "`PUT a 65537`, `PUT a -1`, `PUT a x` and `PUT a` get `ERR`, \
                   and the connection is closed: what follows is not carried \
                   out.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                for line in ["PUT a 65537", "PUT a -1", "PUT a x", "PUT a"] {
                    let mut rude = exam.connect_as("rude", "mysocket")?;
                    rude.send(format!("{line}\nSET b 1\n"))?;
                    told_and_closed(exam, &mut rude)?;
                    rude.close();
                    let mut client = exam.connect("mysocket")?;
                    ask(&mut client, "GET b", "NONE")?;
                }
                Ok(())
            },
        },
        Promise {
            id: "trusts-no-length",
            says: "A length of 60 gigabytes costs it no memory.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                grows_little(exam, &mut server, |exam, _| {
                    let mut rude = exam.connect_as("rude", "mysocket")?;
                    rude.send("PUT a 60000000000\n")?;
                    flood(&mut rude, 64 * 1024 * 1024);
                    rude.close();
                    let mut client = exam.connect("mysocket")?;
                    ask(&mut client, "GET a", "NONE")
                })
            },
        },
        Promise {
            id: "answers-the-old-requests",
            says: "`SET`, `GET` and `DEL` work as before, and `TAKE` takes \
                   what `SET` has kept.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                ask(&mut client, "SET color light  blue", "OK")?;
                ask(&mut client, "GET color", "VALUE light  blue")?;
                take(exam, &mut client, "color", b"light  blue")?;
                ask(&mut client, "DEL color", "OK")?;
                ask(&mut client, "TAKE color", "NONE")?;
                refused(exam, &mut client, b"HELLO")
            },
        },
        Promise {
            id: "answers-in-lines",
            says: "`GET` of a value with a newline in it, or one that is no \
                   text, gets one line, `ERR` and a reason.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for value in [&b"one\ntwo"[..], b"\xff"] {
                    put(&mut client, "a", value)?;
                    refused(exam, &mut client, b"GET a")
                        .hint("an answer with a newline in it would be two")?;
                }
                Ok(())
            },
        },
    ],
};

fn put(client: &mut Peer, name: &str, value: &[u8]) -> Checked {
    let line = format!("PUT {name} {}\n", value.len());
    client.send([line.as_bytes(), value].concat())?;
    client.expect_line("OK").hint(
        "the bytes may have come together with their line: what was read ahead \
         is in the buffered reader, so read them through it",
    )
}

fn take(exam: &Exam, client: &mut Peer, name: &str, value: &[u8]) -> Checked {
    ask(client, &format!("TAKE {name}"), &format!("BYTES {}", value.len()))?;
    let came = client.bytes(value.len())?;
    let same = came.iter().zip(value).take_while(|(a, b)| a == b).count();
    let got = format!("others, from byte {same} on");
    exam.expect(came == value, "the bytes that were put", got)
}
