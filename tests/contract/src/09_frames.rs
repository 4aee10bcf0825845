//! Chapter 9: messages of any bytes, with their length in front.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::read::{accepted, flood, grows_little};
use crate::{Checked, Contract, Exam, Peer, Promise, Running};

pub const CONTRACTS: &[Contract] = &[STEP, PYTHON_CLIENT, VERSIONS, PUSH];

/// The most bytes that a frame may carry.
const MOST: usize = 65_536;

const STEP: Contract = Contract {
    id: "09-frames",
    setting: "Two programs that talk in frames: four bytes, the most significant
first, which say how many bytes follow, and then those, 65536 at most. `server
[N]` is the server of chapter 8 with JSON in its frames: `{\"set\":[\"name\",\"value\"]}`
and `{\"del\":\"name\"}` are answered with `{\"done\":true}`, or `false` where the store is
full and where there was nothing to delete, `{\"get\":\"name\"}` with `{\"value\":\"value\"}`
or `{\"value\":null}`, and everything else with `{\"error\":\"reason\"}`. A frame that
announces more than 65536 bytes is answered with an error, and the connection is
closed; that, and an end inside of a frame, it reports in a line that names
`connection` and the number, and goes on. `client REQUEST…` connects to
`mysocket`, sends each argument in a frame, prints what comes back in a frame as a
line, and ends with exit code 0.",
    promises: &[
        Promise {
            id: "answers-requests",
            says: "The server answers each request while the connection stays \
                   open.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for (request, answer) in [
                    (json!({"get": "color"}), json!({"value": null})),
                    (json!({"set": ["color", "blue"]}), json!({"done": true})),
                    (json!({"get": "color"}), json!({"value": "blue"})),
                    (json!({"set": ["color", "red"]}), json!({"done": true})),
                    (json!({"get": "color"}), json!({"value": "red"})),
                    (json!({"del": "color"}), json!({"done": true})),
                    (json!({"del": "color"}), json!({"done": false})),
                ] {
                    ask(exam, &mut client, &request, &answer).hint(
                        "the client has not closed, and will not before its \
                         answer: the length says when a request is complete",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "puts-pieces-together",
            says: "A frame that comes byte by byte is one request.",
            takes: &[Server],
            check: |exam| {
                let server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for byte in framed(r#"{"set":["a","é"]}"#) {
                    client.send([byte])?;
                    // Asleep, it has read all that came before.
                    server.expect_asleep()?;
                }
                answered(exam, &mut client, &json!({"done": true})).hint(
                    "a read brings what is there: half a payload, and perhaps \
                     half a length",
                )?;
                let get = json!({"get": "a"});
                ask(exam, &mut client, &get, &json!({"value": "é"}))
                    .hint("the length counts bytes, and not letters")
            },
        },
        Promise {
            id: "takes-many-at-once",
            says: "Five hundred requests in one write are answered in their \
                   order.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                let requests = (0..500).flat_map(|n| {
                    framed(json!({"set": ["a", n.to_string()]}).to_string())
                });
                exam.note("client: sends 500 frames in one write");
                quietly(exam, &client, &requests.collect::<Vec<u8>>())?;
                for _ in 0..500 {
                    answered(exam, &mut client, &json!({"done": true})).hint(
                        "a read may bring several frames, and the last one in \
                         part: keep what is not used yet",
                    )?;
                }
                let get = json!({"get": "a"});
                ask(exam, &mut client, &get, &json!({"value": "499"}))
            },
        },
        Promise {
            id: "keeps-any-text",
            says: "A value may have newlines, quotes, a NUL, and any letters.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for text in ["", "one\ntwo\r\n", "\0", "\"\\", "é€😀"] {
                    let set = json!({"set": ["a", text]});
                    ask(exam, &mut client, &set, &json!({"done": true}))?;
                    let get = json!({"get": "a"});
                    ask(exam, &mut client, &get, &json!({"value": text}))?;
                }
                Ok(())
            },
        },
        Promise {
            id: "answers-nonsense",
            says: "What is no request, an empty frame included, gets an \
                   `error`, and the next request of this client its answer.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                for payload in [
                    &b""[..],
                    b"hello",
                    b"\xff",
                    b"{}",
                    br#"{"ping":1}"#,
                    br#"{"get":7}"#,
                    br#"{"set":["a"]}"#,
                    br#"{"get":"a"}{"get":"a"}"#,
                ] {
                    client.send(framed(payload))?;
                    refused(exam, &mut client).hint(NONSENSE)?;
                    let get = json!({"get": "a"});
                    ask(exam, &mut client, &get, &json!({"value": null}))
                        .hint(NONSENSE)?;
                }
                Ok(())
            },
        },
        Promise {
            id: "outlives-the-connection",
            says: "What one client has set, the next one gets.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut first = exam.connect_as("first", "mysocket")?;
                let set = json!({"set": ["a", "1"]});
                ask(exam, &mut first, &set, &json!({"done": true}))?;
                first.close();
                let mut second = exam.connect_as("second", "mysocket")?;
                let get = json!({"get": "a"});
                ask(exam, &mut second, &get, &json!({"value": "1"}))
            },
        },
        Promise {
            id: "takes-65536-bytes",
            says: "It takes a frame that carries 65536 bytes.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                let envelope = json!({"set": ["a", ""]}).to_string().len();
                let value = "x".repeat(MOST - envelope);
                let set = json!({"set": ["a", value]});
                ask(exam, &mut client, &set, &json!({"done": true}))?;
                let get = json!({"get": "a"});
                ask(exam, &mut client, &get, &json!({"value": value}))
            },
        },
        Promise {
            id: "refuses-one-byte-more",
            says: "To a length of 65537 it answers an `error` and closes the \
                   connection, before a byte of the payload has come; it is \
                   reported, and what follows is not carried out.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut rude = exam.connect_as("rude", "mysocket")?;
                rude.send([0, 1, 0, 1])?;
                told_and_closed(exam, &mut rude)?;
                accepted(&mut server, 1)?;
                reported(&mut server, 1)?;
                let mut rude = exam.connect_as("rude", "mysocket")?;
                let next = framed(r#"{"set":["b","1"]}"#);
                rude.send([&[0, 1, 0, 1][..], &next].concat())?;
                told_and_closed(exam, &mut rude)?;
                let mut client = exam.connect("mysocket")?;
                let get = json!({"get": "b"});
                ask(exam, &mut client, &get, &json!({"value": null})).hint(
                    "either the length is true, and too much to read, or it is \
                     none, and nobody knows where the next frame begins",
                )
            },
        },
        Promise {
            id: "trusts-no-length",
            says: "A length of four gigabytes costs it nothing: its memory \
                   grows by 8 megabytes at most.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                grows_little(exam, &mut server, |exam, server| {
                    let mut rude = exam.connect_as("rude", "mysocket")?;
                    rude.send([0xff; 4])?;
                    flood(&mut rude, 64 * 1024 * 1024);
                    rude.close();
                    accepted(server, 1)?;
                    reported(server, 1)
                })?;
                serves_the_next(exam)
            },
        },
        Promise {
            id: "takes-no-half-frame",
            says: "An end inside of a frame, in the length or behind it, is \
                   reported, and the request is not carried out; an end \
                   between two frames is none.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                let set = json!({"set": ["a", "1"]});
                ask(exam, &mut client, &set, &json!({"done": true}))?;
                client.close();
                accepted(&mut server, 1)?;
                let frame = framed(r#"{"del":"a"}"#);
                for (length, number) in [3, frame.len() - 1].iter().zip(2..) {
                    let mut cut = exam.connect_as("cut", "mysocket")?;
                    cut.send(&frame[..*length])?;
                    cut.end();
                    accepted(&mut server, number)?;
                    reported(&mut server, number).hint(
                        "the stream has ended, and the frame has not: these \
                         are two different ends",
                    )?;
                }
                let mut next = exam.connect_as("next", "mysocket")?;
                let get = json!({"get": "a"});
                ask(exam, &mut next, &get, &json!({"value": "1"}))
            },
        },
        Promise {
            id: "holds-a-thousand",
            says: "It keeps 1000 values, answers `{\"done\":false}` to the \
                   `set` of another name, and still changes those that it has.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                exam.note("client: sets 1000 values");
                let requests = (0..1000).flat_map(|n| {
                    framed(json!({"set": [n.to_string(), "x"]}).to_string())
                });
                quietly(exam, &client, &requests.collect::<Vec<u8>>())?;
                for _ in 0..1000 {
                    answered(exam, &mut client, &json!({"done": true}))?;
                }
                let set = json!({"set": ["new", "1"]});
                ask(exam, &mut client, &set, &json!({"done": false}))
                    .hint("there must be an end to what clients make you keep")?;
                let change = json!({"set": ["0", "y"]});
                ask(exam, &mut client, &change, &json!({"done": true}))?;
                let delete = json!({"del": "1"});
                ask(exam, &mut client, &delete, &json!({"done": true}))?;
                ask(exam, &mut client, &set, &json!({"done": true}))
            },
        },
        Promise {
            id: "survives-one-that-leaves",
            says: "A client that leaves without its answers stops nobody.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut rude = exam.connect_as("rude", "mysocket")?;
                rude.send(framed(r#"{"get":"a"}"#).repeat(1000))?;
                rude.close();
                accepted(&mut server, 1)?;
                serves_the_next(exam)
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
                serves_the_next(exam)?;
                server.expect_code(0)?;
                exam.expect_files(&[])
            },
        },
        Promise {
            id: "asks-and-prints",
            says: "The client sends each argument in a frame, the next one \
                   after the answer, prints each payload as a line, and ends \
                   with exit code 0.",
            takes: &[Client],
            check: asks_and_prints,
        },
        Promise {
            id: "finds-the-answers",
            says: "It finds an answer that comes byte by byte, and the second \
                   of two that come at once.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["one", "two"])?;
                let mut server = door.accept()?;
                expect_frame(exam, &mut server, b"one")?;
                let answers = [framed("first"), framed("second")].concat();
                let (slow, fast) = answers.split_at(6);
                for byte in slow {
                    // So that they are not read as one by chance.
                    thread::park_timeout(Duration::from_millis(20));
                    server.send([*byte]).hint(PIECES)?;
                }
                server.send(fast)?;
                client.expect("first").hint(PIECES)?;
                client.expect("second").hint(
                    "it came together with the first: what was read beyond a \
                     frame must not be lost",
                )?;
                client.expect_code(0).map(drop)
            },
        },
        Promise {
            id: "sends-no-long-frame",
            says: "An argument of 65537 bytes is sent not even in part: the \
                   client says what is wrong and ends with exit code 1.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let long = "x".repeat(MOST + 1);
                let mut client =
                    exam.start_as(Client, "client", &[], |command| {
                        command.arg(&long);
                    })?;
                exam.note("(with one argument of 65537 bytes)");
                client
                    .expect_failure()
                    .hint("look at the length before you send anything")?;
                // Some connect before they look, and some do not.
                match door.waiting() {
                    Some(mut server) => server.expect_rest(""),
                    None => Ok(()),
                }
            },
        },
        Promise {
            id: "trusts-no-answer",
            says: "An answer that announces 65537 bytes is refused at once: it \
                   says what is wrong and ends with exit code 1.",
            takes: &[Client],
            check: trusts_no_answer,
        },
        Promise {
            id: "prints-no-half-answer",
            says: "If the server closes before its answer is complete, the \
                   client prints nothing of it, says what is wrong, and ends \
                   with exit code 1.",
            takes: &[Client],
            check: prints_no_half_answer,
        },
        Promise {
            id: "reports-that-nobody-is-there",
            says: "Where there is no server, it says so, names `mysocket`, \
                   and ends with exit code 1.",
            takes: &[Client],
            check: reports_that_nobody_is_there,
        },
        Promise {
            id: "talks",
            says: "Together: a client sets a value of two lines, and the next \
                   one gets it.",
            takes: &[Server, Client],
            check: |exam| {
                let _server = exam.server(&[])?;
                for (request, answer) in [
                    (r#"{"set":["note","one\ntwo"]}"#, json!({"done": true})),
                    (r#"{"get":"note"}"#, json!({"value": "one\ntwo"})),
                ] {
                    let mut client = exam.start(Client, &[request])?;
                    let expected = format!("client| {answer}");
                    client.expect_that(&expected, |line| {
                        serde_json::from_str(line).ok() == Some(answer)
                    })?;
                    client.expect_code(0)?;
                }
                Ok(())
            },
        },
    ],
};

const NONSENSE: &str = "it has only asked nonsense: answer that, and go on, \
                        since its next frame begins where the length said";

const PIECES: &str = "a read brings what is there, and that may be a part of \
                      the length: read on until there are four bytes, and \
                      then as many as they say";

/// The frame that carries this.
fn framed(payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).expect("a short payload");
    [&length.to_be_bytes(), payload].concat()
}

/// Sends without a note for each byte.
fn quietly(exam: &Exam, client: &Peer, bytes: &[u8]) -> Checked {
    use std::io::Write;
    client.stream().write_all(bytes).map_err(|error| {
        exam.flaw("the other side to take what we send", error.to_string())
    })
}

/// The payload of the next frame.
fn payload(exam: &Exam, peer: &mut Peer) -> Checked<Vec<u8>> {
    let length = peer.bytes(4)?;
    let length: [u8; 4] = length.try_into().expect("four bytes");
    let length = u32::from_be_bytes(length) as usize;
    exam.expect(
        length <= MOST,
        "a frame: four bytes, the most significant first, that say how many \
         follow, 65536 at most",
        format!("a length of {length}"),
    )
    .hint(
        "the length has four bytes on every machine, and is written in network \
         order (big-endian); it does not count itself",
    )?;
    match length {
        0 => Ok(Vec::new()),
        length => peer.bytes(length).hint(
            "the length says how many bytes follow, and does not count itself",
        ),
    }
}

/// Expects a frame that carries just this.
fn expect_frame(exam: &Exam, peer: &mut Peer, expected: &[u8]) -> Checked {
    let came = payload(exam, peer)?;
    let shown = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        format!("a frame that carries {text:?}")
    };
    exam.expect(came == expected, shown(expected), shown(&came))
}

/// Expects an answer, however its JSON is written.
fn answered(exam: &Exam, client: &mut Peer, answer: &Value) -> Checked {
    let came = payload(exam, client)?;
    let is_it = serde_json::from_slice(&came).ok().as_ref() == Some(answer);
    let short = |text: String| match text.len() {
        length if length > 80 => format!("{}… ({length} bytes)", &text[..40]),
        _ => text,
    };
    exam.expect(
        is_it,
        format!("a frame that carries {}", short(answer.to_string())),
        short(String::from_utf8_lossy(&came).into_owned()),
    )
}

/// Sends a request, and expects this answer.
fn ask(
    exam: &Exam,
    client: &mut Peer,
    request: &Value,
    answer: &Value,
) -> Checked {
    client.send(framed(request.to_string()))?;
    answered(exam, client, answer)
}

/// Expects `{"error":"…"}`.
fn refused(exam: &Exam, client: &mut Peer) -> Checked {
    let came = payload(exam, client)?;
    let answer: Option<Value> = serde_json::from_slice(&came).ok();
    let has_error = |answer: &Value| {
        answer.get("error").is_some_and(|error| error.is_string())
    };
    exam.expect(
        answer.as_ref().is_some_and(has_error),
        "a frame that carries {\"error\":\"reason\"}",
        String::from_utf8_lossy(&came),
    )
}

/// Expects an error, and then the end.
fn told_and_closed(exam: &Exam, client: &mut Peer) -> Checked {
    refused(exam, client).hint("say why before you close the connection")?;
    client.expect_rest("").hint(
        "close the connection after that: nobody knows where the next frame \
         begins, or what it means",
    )
}

/// Waits for the line about what was wrong with a client.
fn reported(server: &mut Running, number: u32) -> Checked {
    let name = format!("connection {number}");
    let expected = format!("server| {name}: what is wrong with it");
    server.expect_that(&expected, |line| line.contains(&name)).map(drop)
}

/// After each abuse, a client that does nothing wrong must be served.
fn serves_the_next(exam: &Exam) -> Checked {
    let mut next = exam.connect_as("next", "mysocket")?;
    let get = json!({"get": "nothing"});
    ask(exam, &mut next, &get, &json!({"value": null}))
}

fn asks_and_prints(exam: &Exam) -> Checked {
    let door = exam.listen("mysocket");
    let requests = ["{\"get\":\"a\"}", "Grüße", ""];
    let mut client = exam.start(Client, &requests)?;
    let mut server = door.accept()?;
    let answers = ["{\"value\":null}", "of any kind", "é"];
    for (request, answer) in requests.iter().zip(answers) {
        expect_frame(exam, &mut server, request.as_bytes()).hint(
            "the length counts bytes and not letters, and does not count \
                 itself",
        )?;
        server.send(framed(answer))?;
        client.expect(answer)?;
    }
    client.expect_code(0)?;
    server.expect_rest("")
}

fn trusts_no_answer(exam: &Exam) -> Checked {
    let door = exam.listen("mysocket");
    let mut client = exam.start(Client, &["one"])?;
    let mut server = door.accept()?;
    expect_frame(exam, &mut server, b"one")?;
    server.send([0, 1, 0, 1])?;
    client.expect_failure().map(drop).hint(
        "look at the length before you wait for what it announces, and before \
         you make room for it",
    )
}

fn prints_no_half_answer(exam: &Exam) -> Checked {
    let door = exam.listen("mysocket");
    let answer = framed("a long answer");
    for length in [0, 3, 4, 10] {
        let mut client = exam.start(Client, &["one"])?;
        let mut server = door.accept()?;
        expect_frame(exam, &mut server, b"one")?;
        server.send(&answer[..length])?;
        server.close();
        let lines = client.expect_failure().hint(
            "the stream has ended, and the frame has not: that is no answer",
        )?;
        let half = lines.iter().find(|line| line.starts_with("a lon"));
        exam.expect(
            half.is_none(),
            "a line about what is wrong, and no answer",
            format!("client| {}", half.cloned().unwrap_or_default()),
        )?;
    }
    Ok(())
}

fn reports_that_nobody_is_there(exam: &Exam) -> Checked {
    let lines = exam.start(Client, &["one"])?.expect_failure()?;
    exam.expect(
        lines.iter().any(|line| line.contains("mysocket")),
        "the client to name `mysocket` where it says what is wrong",
        "none of its lines does",
    )
}

const PYTHON_CLIENT: Contract = Contract {
    id: "python-client",
    setting:
        "`client REQUEST…`, in Python, does what the client of this chapter
does: it connects to `mysocket`, sends each argument in a frame, the next one
after the answer, prints what comes back as a line, and ends with exit code 0.",
    promises: &[
        Promise {
            id: "asks-and-prints",
            says: "The client sends each argument in a frame, prints each \
                   answer, and ends with exit code 0.",
            takes: &[Client],
            check: asks_and_prints,
        },
        Promise {
            id: "takes-pieces",
            says: "It finds an answer that comes byte by byte.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["one"])?;
                let mut server = door.accept()?;
                expect_frame(exam, &mut server, b"one")?;
                for byte in framed("first") {
                    // So that they are not read as one by chance.
                    thread::park_timeout(Duration::from_millis(20));
                    server.send([byte]).hint(PIECES)?;
                }
                client.expect("first").hint(PIECES)?;
                client.expect_code(0).map(drop)
            },
        },
        Promise {
            id: "takes-60000-bytes",
            says: "It prints the whole of an answer of 60,000 bytes.",
            takes: &[Client],
            check: |exam| {
                let door = exam.listen("mysocket");
                let mut client = exam.start(Client, &["one"])?;
                let mut server = door.accept()?;
                expect_frame(exam, &mut server, b"one")?;
                let answer = "x".repeat(60_000);
                let frame = framed(&answer);
                let (first, rest) = frame.split_at(30_000);
                server.send(first)?;
                client.expect_asleep()?;
                server.send(rest)?;
                let expected = "client| xxxx… (60000 bytes)";
                let is_it = |line: &str| line == answer;
                client.expect_that(expected, is_it).hint(PIECES)?;
                client.expect_code(0).map(drop)
            },
        },
        Promise {
            id: "trusts-no-answer",
            says: "An answer that announces 65537 bytes is refused at once: it \
                   says what is wrong and ends with exit code 1.",
            takes: &[Client],
            check: trusts_no_answer,
        },
        Promise {
            id: "prints-no-half-answer",
            says: "If the server ends before its answer or in the middle of \
                   it, the client says so and ends with exit code 1.",
            takes: &[Client],
            check: prints_no_half_answer,
        },
        Promise {
            id: "reports-that-nobody-is-there",
            says: "Where there is no server, it says so, names `mysocket`, \
                   and ends with exit code 1.",
            takes: &[Client],
            check: reports_that_nobody_is_there,
        },
    ],
};

const VERSIONS: Contract = Contract {
    id: "versions",
    setting: "The server of this chapter, and each conversation begins with a
greeting: the client sends a frame that carries `{\"version\":1}`, and the server
answers it with the same. After that come requests, as before. If the first frame
is anything else, the server answers it with an `error` and closes the
connection.",
    promises: &[
        Promise {
            id: "greets",
            says: "The server answers `{\"version\":1}` with `{\"version\":1}`, \
                   and then requests.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = greeted(exam)?;
                let set = json!({"set": ["a", "1"]});
                ask(exam, &mut client, &set, &json!({"done": true}))?;
                let get = json!({"get": "a"});
                ask(exam, &mut client, &get, &json!({"value": "1"}))
            },
        },
        Promise {
            id: "reads-on-behind-it",
            says: "It does so when the first request comes in the same write \
                   as the greeting.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                let greeting = framed(json!({"version": 1}).to_string());
                let get = framed(r#"{"get":"a"}"#);
                client.send([greeting, get].concat())?;
                answered(exam, &mut client, &json!({"version": 1}))?;
                answered(exam, &mut client, &json!({"value": null})).hint(
                    "it came together with the greeting: what was read beyond \
                     a frame must not be lost",
                )
            },
        },
        Promise {
            id: "refuses-another-version",
            says: "A client of version 2 gets an `error` and the end, and does \
                   not hang.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                for version in [json!(2), json!(0), json!("1"), json!(null)] {
                    let mut old = exam.connect_as("old", "mysocket")?;
                    let greeting = json!({ "version": version }).to_string();
                    old.send(framed(greeting))?;
                    told_and_closed(exam, &mut old)?;
                }
                greeted(exam).map(drop)
            },
        },
        Promise {
            id: "refuses-who-does-not-greet",
            says: "So does one that begins with a request, and the request is \
                   not carried out.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                let mut rude = exam.connect_as("rude", "mysocket")?;
                rude.send(framed(r#"{"set":["a","1"]}"#))?;
                told_and_closed(exam, &mut rude)?;
                rude.close();
                let mut rude = exam.connect_as("rude", "mysocket")?;
                rude.send(framed("hello"))?;
                told_and_closed(exam, &mut rude)?;
                let mut client = greeted(exam)?;
                let get = json!({"get": "a"});
                ask(exam, &mut client, &get, &json!({"value": null}))
            },
        },
        Promise {
            id: "serves-others-after-silence",
            says: "A client that leaves without a greeting stops nobody.",
            takes: &[Server],
            check: |exam| {
                let _server = exam.server(&[])?;
                exam.connect_as("silent", "mysocket")?.close();
                greeted(exam).map(drop)
            },
        },
    ],
};

/// A client that has said which version it is, and been welcomed.
fn greeted(exam: &Exam) -> Checked<Peer> {
    let mut client = exam.connect("mysocket")?;
    let greeting = json!({"version": 1});
    ask(exam, &mut client, &greeting, &greeting)?;
    Ok(client)
}

const PUSH: Contract = Contract {
    id: "push",
    setting: "`client` is a small program around your type. Each line of its
standard input is a piece of a stream in hexadecimal, such as `0000000548656c`; an empty
line is an empty piece. For each piece it prints `frame 48656c6c6f` for each frame that
becomes complete with it, with the payload in lower-case hexadecimal, and then
`holds 7`, how many bytes it still keeps. A length of more than 65536 it reports, and
ends with exit code 1. At the end of its input it ends with exit code 0 if it
keeps nothing, and otherwise says that a frame is not complete and ends with exit
code 1.",
    promises: &[
        Promise {
            id: "hands-out-a-frame",
            says: "The client prints the frame with its last byte, and not \
                   before.",
            takes: &[Client],
            check: |exam| {
                let mut push = exam.start(Client, &[])?;
                for (piece, frames, holds) in [
                    ("0000000548656c", vec![], 7),
                    ("6c", vec![], 8),
                    ("6f", vec!["48656c6c6f"], 0),
                    ("0000000161", vec!["61"], 0),
                ] {
                    pushed(&mut push, piece, &frames, holds)?;
                }
                push.end_input();
                push.expect_code(0).map(drop)
            },
        },
        Promise {
            id: "takes-any-piece",
            says: "A piece may be empty, a part of a length, several frames, \
                   or the end of one and the beginning of the next; a frame \
                   may be empty.",
            takes: &[Client],
            check: |exam| {
                let mut push = exam.start(Client, &[])?;
                for (piece, frames, holds) in [
                    ("", vec![], 0),
                    ("0000", vec![], 2),
                    ("", vec![], 2),
                    ("0001ff0000000000000002", vec!["ff", ""], 4),
                    // The end of one, and the beginning of a length.
                    ("0a0d00", vec!["0a0d"], 1),
                    // The rest of it, its byte, an empty one, half a length.
                    ("00000161000000000000", vec!["61", ""], 2),
                ] {
                    pushed(&mut push, piece, &frames, holds)?;
                }
                Ok(())
            },
        },
        Promise {
            id: "does-not-care-how-it-is-cut",
            says: "The same bytes in other pieces give the same frames: 100 \
                   frames, cut at random.",
            takes: &[Client],
            check: |exam| {
                for seed in 1..=3 {
                    cut_at_random(exam, seed)?;
                }
                Ok(())
            },
        },
        Promise {
            id: "keeps-little",
            says: "It never keeps more than one frame and one piece: what has \
                   been handed out is gone.",
            takes: &[Client],
            check: |exam| {
                let mut push = exam.start(Client, &[])?;
                let frame = hex(&framed([b'x'; 1000]));
                let payload = "78".repeat(1000);
                for _ in 0..50 {
                    pushed(&mut push, &frame, &[&payload], 0)?;
                }
                let (half, rest) = frame.split_at(1000);
                pushed(&mut push, half, &[], 500)?;
                pushed(&mut push, rest, &[&payload], 0)
            },
        },
        Promise {
            id: "takes-65536-bytes",
            says: "It hands out a frame of 65536 bytes, and reports a length \
                   of 65537 as soon as it has that.",
            takes: &[Client],
            check: |exam| {
                let mut push = exam.start(Client, &[])?;
                let frame = framed([0; MOST]);
                let payload = "00".repeat(MOST);
                // No more at a time than a pipe holds.
                let pieces: Vec<&[u8]> = frame.chunks(8192).collect();
                for (piece, count) in pieces.iter().zip(1..) {
                    match count == pieces.len() {
                        true => pushed(&mut push, &hex(piece), &[&payload], 0)?,
                        false => {
                            let holds = count * 8192;
                            pushed(&mut push, &hex(piece), &[], holds)?;
                        }
                    }
                }
                push.type_line("00010001")?;
                push.expect_failure().map(drop).hint(
                    "do not wait for what it announces: four bytes are enough \
                     to know that this can never be a frame",
                )
            },
        },
        Promise {
            id: "misses-the-rest",
            says: "If its input ends inside of a frame, it says so and ends \
                   with exit code 1.",
            takes: &[Client],
            check: |exam| {
                for part in ["000000", "0000000548656c"] {
                    let mut push = exam.start(Client, &[])?;
                    pushed(&mut push, part, &[], part.len() / 2)?;
                    push.end_input();
                    push.expect_failure()?;
                }
                Ok(())
            },
        },
    ],
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Gives the program a piece, and expects these frames and that it keeps so
/// many bytes.
fn pushed(
    push: &mut Running,
    piece: &str,
    frames: &[&str],
    holds: usize,
) -> Checked {
    push.type_line(piece)?;
    for frame in frames {
        let shown = match frame.len() {
            length if length > 80 => format!("{}…", &frame[..40]),
            _ => (*frame).to_owned(),
        };
        let line = format!("frame {frame}");
        let expected = format!("client| frame {shown}");
        push.expect_that(&expected, |printed| {
            printed.trim_end() == line.trim_end()
        })
        .hint(
            "after each piece, hand out as many frames as are complete: one \
             piece may complete several, or none",
        )?;
    }
    push.expect(&format!("holds {holds}"))
        .hint("keep what no frame was made of, and nothing else")
}

/// A hundred frames of all lengths, in pieces of all lengths.
fn cut_at_random(exam: &Exam, mut seed: u64) -> Checked {
    let mut random = move |below: usize| {
        // Xorshift: any numbers will do.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let payloads: Vec<Vec<u8>> =
        (0..100).map(|n| vec![n as u8; random(20)]).collect();
    let bytes: Vec<u8> = payloads.iter().flat_map(framed).collect();
    let mut push = exam.start(Client, &[])?;
    let (mut given, mut handed_out, mut complete) = (0, 0, 0);
    while given < bytes.len() {
        let length = (1 + random(40)).min(bytes.len() - given);
        let piece = hex(&bytes[given..given + length]);
        given += length;
        let mut frames = Vec::new();
        while let Some(payload) = payloads.get(handed_out)
            && complete + 4 + payload.len() <= given
        {
            complete += 4 + payload.len();
            frames.push(hex(payload));
            handed_out += 1;
        }
        let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
        pushed(&mut push, &piece, &frames, given - complete)?;
    }
    push.end_input();
    push.expect_code(0).map(drop)
}
