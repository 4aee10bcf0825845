//! What step 9 promises: a message is four bytes that say how many bytes
//! follow, and those bytes, at most 65,536. Each is a request in JSON, however
//! it comes in pieces, and gets its answer in a frame, in order, over one
//! connection. A length above the limit costs the client its connection and
//! the server no memory; an end inside a frame is an error, and an end between
//! two is none; a payload that is no request is told why, and the next frame
//! works. The client sends each of its arguments in a frame, and prints the
//! answers.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};

use assert_cmd::cargo::cargo_bin;
use harness::{DEADLINE, Exit, Program, Sandbox, accept};
use serde_json::{Value, json};

#[path = "../steps/09-frames/src/frame.rs"]
mod frame;

const NOTHING: [&str; 0] = [];

/// The most bytes that a frame may carry. Ours, and not the codec's own.
const MAX: usize = 65_536;

/// A server that is ready.
fn start_server(sandbox: &Sandbox, arguments: &[&str]) -> Program {
    let mut server = sandbox.start(cargo_bin!("step9-server"), arguments);
    server.expect("listening on mysocket");
    server
}

/// A frame, made without the codec that we test.
fn framed(payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut frame = vec![0; 4];
    for (byte, shift) in frame.iter_mut().zip([24, 16, 8, 0]) {
        *byte = (payload.len() >> shift) as u8;
    }
    frame.extend(payload);
    frame
}

/// Reads one frame, and no byte more.
#[track_caller]
fn read_frame(mut stream: &UnixStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("cannot read the length");
    let length = length.iter().fold(0, |n, byte| n << 8 | *byte as usize);
    assert!(length <= MAX, "{length}");
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).expect("cannot read the payload");
    payload
}

/// Reads one answer, which must be `answer`.
#[track_caller]
fn expect_answer(client: &UnixStream, answer: Value) {
    let payload = read_frame(client);
    let text = String::from_utf8_lossy(&payload);
    assert_eq!(serde_json::from_str::<Value>(&text).expect(&text), answer);
}

/// Reads one answer, which must be an error, and returns what it says.
#[track_caller]
fn expect_error(client: &UnixStream) -> String {
    let answer: Value = serde_json::from_slice(&read_frame(client)).unwrap();
    match answer["error"].as_str() {
        Some(error) if answer.as_object().unwrap().len() == 1 => error.into(),
        _ => panic!("expected an error, not {answer}"),
    }
}

/// Expects that nothing comes until the other end is closed.
#[track_caller]
fn expect_the_end(mut stream: &UnixStream) {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("cannot read to the end");
    assert_eq!(bytes, b"");
}

/// Sends a request, which must be answered with `answer`.
#[track_caller]
fn ask(mut client: &UnixStream, request: Value, answer: Value) {
    client.write_all(&framed(request.to_string())).unwrap();
    expect_answer(client, answer);
}

/// A new client keeps a value, and gets it back.
#[track_caller]
fn expect_service(sandbox: &Sandbox) {
    let client = sandbox.connect("mysocket");
    ask(&client, json!({"set": ["well", "yes"]}), json!({"done": true}));
    ask(&client, json!({"get": "well"}), json!({"value": "yes"}));
    ask(&client, json!({"del": "well"}), json!({"done": true}));
}

mod a_request {
    use super::*;

    #[test]
    fn gets_its_answer_while_the_connection_stays_open() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let client = sandbox.connect("mysocket");
        for (request, answer) in [
            (json!({"get": "color"}), json!({"value": null})),
            (json!({"set": ["color", "blue"]}), json!({"done": true})),
            (json!({"get": "color"}), json!({"value": "blue"})),
            (json!({"set": ["color", "red"]}), json!({"done": true})),
            (json!({"get": "color"}), json!({"value": "red"})),
            (json!({"del": "color"}), json!({"done": true})),
            (json!({"del": "color"}), json!({"done": false})),
            (json!({"get": "color"}), json!({"value": null})),
        ] {
            ask(&client, request, answer);
        }
        client.shutdown(Shutdown::Write).unwrap();
        expect_the_end(&client);
    }

    /// Two frames, cut at each byte in turn: inside the lengths, the payloads
    /// and the é, and with a whole frame and a part of the next in one write.
    #[test]
    fn may_be_cut_anywhere() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut client = sandbox.connect("mysocket");
        server.expect("accepted connection 1 from (unnamed)");
        let requests = |value: &str| {
            let set = json!({"set": ["a", value]}).to_string();
            [framed(set), framed(r#"{"get":"a"}"#)].concat()
        };
        for cut in 1..requests("10é").len() {
            // Another value each time: no answer is left from the last one.
            let value = format!("{}é", cut + 9);
            let requests = requests(&value);
            let (first, second) = requests.split_at(cut);
            client.write_all(first).unwrap();
            // Asleep, the server has read all that came before.
            #[cfg(target_os = "linux")]
            harness::wait_for_state(&server, 'S');
            client.write_all(second).unwrap();
            expect_answer(&client, json!({"done": true}));
            expect_answer(&client, json!({"value": value}));
        }
    }

    #[test]
    fn may_come_byte_by_byte() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut client = sandbox.connect("mysocket");
        server.expect("accepted connection 1 from (unnamed)");
        for byte in framed(r#"{"set":["a","é"]}"#) {
            #[cfg(target_os = "linux")]
            harness::wait_for_state(&server, 'S');
            client.write_all(&[byte]).unwrap();
        }
        expect_answer(&client, json!({"done": true}));
        ask(&client, json!({"get": "a"}), json!({"value": "é"}));
    }

    #[test]
    fn is_one_of_a_thousand_in_one_write() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let mut client = sandbox.connect("mysocket");
        let requests: Vec<u8> = (0..500)
            .flat_map(|n| {
                let set = json!({"set": ["a", n.to_string()]}).to_string();
                [framed(set), framed(r#"{"get":"a"}"#)].concat()
            })
            .collect();
        client.write_all(&requests).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        for n in 0..500 {
            expect_answer(&client, json!({"done": true}));
            expect_answer(&client, json!({"value": n.to_string()}));
        }
        expect_the_end(&client);
    }

    #[test]
    fn may_keep_any_text() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let client = sandbox.connect("mysocket");
        let all: String = (0..=255).map(char::from).collect();
        for text in ["", "one\ntwo\r\n", "\0", r#""\"#, "é€😀", "\u{7f}", &all]
        {
            ask(&client, json!({"set": [text, text]}), json!({"done": true}));
            ask(&client, json!({"get": text}), json!({"value": text}));
        }
        // The same letter, escaped by a client that likes it so.
        let mut stream = &client;
        stream.write_all(&framed(r#"{"set":["a","\u00e9\/"]}"#)).unwrap();
        expect_answer(&client, json!({"done": true}));
        ask(&client, json!({"get": "a"}), json!({"value": "é/"}));
    }

    #[test]
    fn that_is_none_is_answered_and_the_next_one_works() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["1"]);
        let mut client = sandbox.connect("mysocket");
        for (payload, reason) in [
            (&b""[..], "EOF"),
            (b"\n", "EOF"),
            (b"hello", "expected value"),
            (b"GET a", "expected value"),
            (b"\xff\xfe", "expected value"),
            (b"{\"get\":\"\xff\"}", "invalid unicode"),
            (br#"{"get":"\ud800"}"#, "unexpected end of hex escape"),
            (br#"{"get":"a""#, "EOF"),
            (br#"{"get":"a"}{"get":"a"}"#, "trailing characters"),
            (br#"{"get":"a","del":"a"}"#, "expected"),
            (br#"{"ping":null}"#, "unknown variant `ping`"),
            (br#"{"Get":"a"}"#, "unknown variant `Get`"),
            (br#""get""#, "invalid type"),
            (br#"{"get":7}"#, "invalid type: integer `7`"),
            (br#"{"get":null}"#, "invalid type: null"),
            (br#"{"get":["a"]}"#, "invalid type: sequence"),
            (br#"{"set":["a"]}"#, "invalid length 1"),
            (br#"{"set":["a","b","c"]}"#, "trailing characters"),
            (br#"{"set":["a",null]}"#, "invalid type: null"),
            (b"null", "expected"),
            (b"[]", "expected"),
            (b"{}", "expected"),
            (&b"[".repeat(MAX), "expected"),
        ] {
            let text =
                String::from_utf8_lossy(&payload[..payload.len().min(99)]);
            client.write_all(&framed(payload)).unwrap();
            let error = expect_error(&client);
            assert!(error.contains(reason), "{text}: {error}");
            ask(&client, json!({"get": "a"}), json!({"value": null}));
        }
        drop(client);
        // It is the client who has erred: the server has nothing to report.
        server.expect("accepted connection 1 from (unnamed)");
        assert_eq!(server.expect_end(), Exit::Code(0));
    }

    /// What is wrong with a request may be as long as the request, and longer
    /// where it is quoted.
    #[test]
    fn that_is_none_and_long_is_answered_all_the_same() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let mut client = sandbox.connect("mysocket");
        let envelope = r#"{"":1}"#.len();
        for payload in [
            format!(r#"{{"{}":1}}"#, "x".repeat(MAX - envelope)),
            format!(r#"{{"{}":1}}"#, r#"\""#.repeat(30_000)),
            format!(r#"{{"set":"{}"}}"#, r#"\u0001"#.repeat(10_000)),
            format!(r#"{{"set":"{}"}}"#, "é".repeat(30_000)),
        ] {
            client.write_all(&framed(payload)).unwrap();
            expect_error(&client);
            ask(&client, json!({"get": "a"}), json!({"value": null}));
        }
    }
}

mod a_length_of {
    use super::*;

    #[test]
    fn zero_is_a_frame() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let mut client = sandbox.connect("mysocket");
        client.write_all(&[0; 8]).unwrap();
        for _ in 0..2 {
            assert!(expect_error(&client).contains("EOF while parsing"));
        }
        ask(&client, json!({"get": "a"}), json!({"value": null}));
    }

    /// And what it keeps fits into an answer, even if most of it is escaped.
    #[test]
    fn exactly_65536_is_taken() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let mut client = sandbox.connect("mysocket");
        let room = MAX - r#"{"set":["",""]}"#.len();
        for (letter, written) in [("x", "x"), ("\0", r"\u0000"), ("\n", r"\n")]
        {
            let count = room / written.len();
            let rest = room % written.len();
            let value = written.repeat(count) + &"x".repeat(rest);
            let request = format!(r#"{{"set":["","{value}"]}}"#);
            assert_eq!(request.len(), MAX);
            client.write_all(&framed(request)).unwrap();
            expect_answer(&client, json!({"done": true}));
            let value = letter.repeat(count) + &"x".repeat(rest);
            ask(&client, json!({"get": ""}), json!({"value": value}));
        }
    }

    #[test]
    fn one_more_is_refused_and_the_connection_closed() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        // The length is enough. And it is the server who ends the connection.
        let mut client = sandbox.connect("mysocket");
        client.write_all(&framed([b'x'; MAX + 1])[..4]).unwrap();
        expect_answer(&client, json!({"error": "the frame is too long"}));
        expect_the_end(&client);
        let report = "cannot read the request: the frame is too long";
        server.expect("accepted connection 1 from (unnamed)");
        server.expect(&format!("connection 1: {report}"));

        // It may have begun to read what comes after it, and carries out none.
        let mut client = sandbox.connect("mysocket");
        let next = framed(r#"{"set":["b","1"]}"#);
        client.write_all(&[&[0, 1, 0, 1][..], &next].concat()).unwrap();
        expect_answer(&client, json!({"error": "the frame is too long"}));
        expect_the_end(&client);
        server.expect("accepted connection 2 from (unnamed)");
        server.expect(&format!("connection 2: {report}"));
        let client = sandbox.connect("mysocket");
        ask(&client, json!({"get": "b"}), json!({"value": null}));
    }

    #[test]
    fn four_gigabytes_costs_no_memory() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut client = sandbox.connect("mysocket");
        client.write_all(&[0xff; 4]).unwrap();
        expect_answer(&client, json!({"error": "the frame is too long"}));
        expect_the_end(&client);
        server.expect("accepted connection 1 from (unnamed)");
        server.expect(
            "connection 1: cannot read the request: the frame is too long",
        );
        // Memory that was asked for and not touched costs nothing: we look at
        // what was asked for.
        #[cfg(target_os = "linux")]
        {
            let peak = harness::peak_address_space(&server);
            assert!(peak < 64 * 1024, "{peak} KiB");
        }
        expect_service(&sandbox);
    }

    #[test]
    fn four_gigabytes_is_cut_off_when_they_come() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut client = sandbox.connect("mysocket");
        let flood = vec![0xff; 64 * 1024 * 1024];
        let kind = client.write_all(&flood).unwrap_err().kind();
        let cut_off = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        assert!(cut_off.contains(&kind), "{kind}");
        expect_answer(&client, json!({"error": "the frame is too long"}));
        server.expect("accepted connection 1 from (unnamed)");
        server.expect(
            "connection 1: cannot read the request: the frame is too long",
        );
        #[cfg(target_os = "linux")]
        {
            let peak = harness::peak_memory(&server);
            assert!(peak < 16 * 1024, "{peak} KiB");
        }
        expect_service(&sandbox);
    }
}

mod the_end {
    use super::*;

    #[test]
    fn between_two_frames_is_no_error() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["2"]);
        let client = sandbox.connect("mysocket");
        client.shutdown(Shutdown::Write).unwrap();
        expect_the_end(&client);
        let client = sandbox.connect("mysocket");
        ask(&client, json!({"get": "a"}), json!({"value": null}));
        client.shutdown(Shutdown::Write).unwrap();
        expect_the_end(&client);
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("accepted connection 2 from (unnamed)");
        assert_eq!(server.expect_end(), Exit::Code(0));
    }

    /// In the length or in the payload, in the first frame or in the second.
    #[test]
    fn inside_a_frame_is_reported_and_nothing_is_carried_out() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let keeper = sandbox.connect("mysocket");
        ask(&keeper, json!({"set": ["a", "1"]}), json!({"done": true}));
        drop(keeper);
        server.expect("accepted connection 1 from (unnamed)");

        let mut number = 1;
        let frame = framed(r#"{"del":"a"}"#);
        for whole in [0, 1] {
            for cut in 1..frame.len() {
                number += 1;
                let mut client = sandbox.connect("mysocket");
                let before = framed(r#"{"get":"a"}"#).repeat(whole);
                client.write_all(&[&before, &frame[..cut]].concat()).unwrap();
                client.shutdown(Shutdown::Write).unwrap();
                for _ in 0..whole {
                    expect_answer(&client, json!({"value": "1"}));
                }
                let error = "unexpected end of file";
                expect_answer(&client, json!({ "error": error }));
                expect_the_end(&client);
                server.expect(&format!(
                    "accepted connection {number} from (unnamed)"
                ));
                server.expect(&format!(
                    "connection {number}: cannot read the request: {error}"
                ));
            }
        }
        let keeper = sandbox.connect("mysocket");
        ask(&keeper, json!({"get": "a"}), json!({"value": "1"}));
    }
}

mod the_store {
    use super::*;

    #[test]
    fn outlives_the_connection() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let first = sandbox.connect("mysocket");
        ask(&first, json!({"set": ["a", "1"]}), json!({"done": true}));
        drop(first);
        let second = sandbox.connect("mysocket");
        ask(&second, json!({"get": "a"}), json!({"value": "1"}));
    }

    #[test]
    fn is_full_with_a_thousand_names() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let client = sandbox.connect("mysocket");
        let set = |name: &str, done: bool| {
            let request = json!({"set": [name, "x"]});
            ask(&client, request, json!({ "done": done }));
        };
        for n in 0..1000 {
            set(&n.to_string(), true);
        }
        set("new", false);
        ask(&client, json!({"get": "new"}), json!({"value": null}));
        set("0", true);
        ask(&client, json!({"del": "999"}), json!({"done": true}));
        set("new", true);
        set("another", false);
    }
}

mod the_server {
    use super::*;

    #[test]
    fn goes_on_when_a_client_leaves_without_its_answers() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut rude = sandbox.connect("mysocket");
        let request = framed(r#"{"get":"a"}"#);
        rude.write_all(&request.repeat(1000)).unwrap();
        drop(rude);
        server.expect("accepted connection 1 from (unnamed)");
        server.expect_containing("connection 1: cannot ");
        expect_service(&sandbox);
    }

    #[test]
    fn serves_as_many_as_it_was_told_and_leaves_nothing() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["3"]);
        assert_eq!(sandbox.files(), ["mysocket"]);
        expect_service(&sandbox);
        server.expect("accepted connection 1 from (unnamed)");
        sandbox.connect("mysocket").write_all(b"GET color\n").unwrap();
        server.expect("accepted connection 2 from (unnamed)");
        server.expect(
            "connection 2: cannot read the request: the frame is too long",
        );
        expect_service(&sandbox);
        server.expect("accepted connection 3 from (unnamed)");
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert_eq!(sandbox.files(), NOTHING);
    }

    #[test]
    fn replaces_the_name_of_a_dead_one_and_not_of_a_living_one() {
        let sandbox = Sandbox::new();
        start_server(&sandbox, &[]).kill();
        assert_eq!(sandbox.files(), ["mysocket"]);
        let _server = start_server(&sandbox, &[]);
        let mut second = sandbox.start(cargo_bin!("step9-server"), &[]);
        second.expect("Error: a server is already listening on mysocket");
        assert_eq!(second.expect_end(), Exit::Code(1));
        expect_service(&sandbox);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn goes_on_when_it_cannot_accept() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        // A blocked accept has its descriptor already; the next gets none.
        harness::wait_for_state(&server, 'S');
        harness::limit_descriptors(&server, 0);
        expect_service(&sandbox);
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("cannot accept: Too many open files (os error 24)");
        harness::limit_descriptors(&server, 100);
        expect_service(&sandbox);
        server.expect_containing("accepted connection 2 from (unnamed)");
    }
}

mod the_client {
    use super::*;

    fn start_client<S: AsRef<OsStr>>(
        sandbox: &Sandbox,
        requests: &[S],
    ) -> Program {
        let mut client = sandbox.command(cargo_bin!("step9-client"));
        Program::start(client.args(requests)).unwrap()
    }

    #[test]
    fn prints_the_answers_of_the_server() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["1"]);
        let requests = [
            r#"{"set":["note","one\ntwo"]}"#,
            r#"{"get":"note"}"#,
            "",
            "one\ntwo",
            r#"{"del":"note"}"#,
            r#"{"get":"note"}"#,
        ];
        let mut client = start_client(&sandbox, &requests);
        for line in [
            r#"{"done":true}"#,
            r#"{"value":"one\ntwo"}"#,
            r#"{"error":"EOF while parsing a value at line 1 column 0"}"#,
            r#"{"error":"expected value at line 1 column 1"}"#,
            r#"{"done":true}"#,
            r#"{"value":null}"#,
        ] {
            client.expect(line);
        }
        assert_eq!(client.expect_end(), Exit::Code(0));
        server.expect("accepted connection 1 from (unnamed)");
        assert_eq!(server.expect_end(), Exit::Code(0));
    }

    #[test]
    fn sends_each_argument_in_a_frame_and_nothing_else() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        let longest = [b'x'; MAX];
        let requests = [&b"Hello?"[..], b"", b"a\nb\n", b"\xff\xfe", &longest];
        let mut client =
            start_client(&sandbox, &requests.map(OsStr::from_bytes));
        let mut stream = accept(&listener);
        for (request, number) in requests.iter().zip(1..) {
            assert!(read_frame(&stream) == *request);
            stream.write_all(&framed(format!("answer {number}"))).unwrap();
            client.expect(&format!("answer {number}"));
        }
        expect_the_end(&stream);
        assert_eq!(client.expect_end(), Exit::Code(0));
    }

    #[test]
    fn finds_the_answers_however_they_come() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        let client = &mut start_client(&sandbox, &["1", "2", "3", "4"]);
        let mut stream = accept(&listener);
        // In pieces; and the next one together with the end of the last.
        for piece in [
            b"\0".as_slice(),
            b"\0\0\x05fir",
            b"st\0\0\0\x06second\0\0",
            b"\0\0\0\0",
            b"\0\x01\xff",
        ] {
            #[cfg(target_os = "linux")]
            harness::wait_for_state(client, 'S');
            stream.write_all(piece).unwrap();
        }
        for answer in ["first", "second", "", "\u{fffd}"] {
            client.expect(answer);
        }
        assert_eq!(client.expect_end(), Exit::Code(0));
    }

    #[test]
    fn refuses_an_argument_that_is_too_long_and_sends_none_of_it() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        let mut client = start_client(&sandbox, &["x".repeat(MAX + 1)]);
        expect_the_end(&accept(&listener));
        client.expect("Error: the frame is too long");
        assert_eq!(client.expect_end(), Exit::Code(1));
    }

    #[test]
    fn refuses_an_answer_that_is_too_long() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        let mut client = start_client(&sandbox, &["Hello?"]);
        let mut stream = accept(&listener);
        assert_eq!(read_frame(&stream), b"Hello?");
        stream.write_all(&[0, 1, 0, 1]).unwrap();
        client.expect("Error: cannot read the answer");
        client.expect_containing("the frame is too long");
        assert_eq!(client.expect_end(), Exit::Code(1));
    }

    #[test]
    fn reports_a_server_that_ends_before_its_answer() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        let mut client = start_client(&sandbox, &["first", "second", "third"]);
        let mut stream = accept(&listener);
        assert_eq!(read_frame(&stream), b"first");
        stream.write_all(&framed("one")).unwrap();
        assert_eq!(read_frame(&stream), b"second");
        drop(stream);
        client.expect("one");
        client.expect("Error: the server ended before its answer");
        assert_eq!(client.expect_end(), Exit::Code(1));
    }

    #[test]
    fn reports_an_answer_that_is_cut_off_and_prints_none_of_it() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        let answer = framed("fine");
        for cut in 1..answer.len() {
            let mut client = start_client(&sandbox, &["first", "second"]);
            let mut stream = accept(&listener);
            assert_eq!(read_frame(&stream), b"first");
            stream.write_all(&answer[..cut]).unwrap();
            drop(stream);
            client.expect("Error: cannot read the answer");
            client.expect("");
            client.expect("Caused by:");
            client.expect("    unexpected end of file");
            assert_eq!(client.expect_end(), Exit::Code(1));
        }
    }

    #[test]
    fn without_arguments_asks_nothing() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["1"]);
        let mut client = start_client(&sandbox, &NOTHING);
        assert_eq!(client.expect_end(), Exit::Code(0));
        server.expect("accepted connection 1 from (unnamed)");
        assert_eq!(server.expect_end(), Exit::Code(0));
    }

    #[test]
    fn says_when_there_is_no_server() {
        let sandbox = Sandbox::new();
        let mut client = start_client(&sandbox, &["Hello?"]);
        client.expect("Error: cannot connect to mysocket");
        client.expect_containing("No such file or directory");
        assert_eq!(client.expect_end(), Exit::Code(1));
    }
}

/// The codec, called as a function: no program runs here.
mod the_codec {
    use super::*;

    /// Numbers that look random, and are the same in each run.
    struct Random(u64);

    impl Random {
        /// The next one, below `limit` (xorshift64, by G. Marsaglia).
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 16) as usize % limit
        }

        fn bytes(&mut self, length: usize) -> Vec<u8> {
            (0..length).map(|_| self.below(256) as u8).collect()
        }

        /// Short ones often, and sometimes as long as may be.
        fn payload(&mut self) -> Vec<u8> {
            let limit = [1, 5, 300, 5000, MAX + 1][self.below(5)];
            let length = self.below(limit);
            self.bytes(length)
        }
    }

    /// A stream that gives its bytes in pieces of any size, is interrupted now
    /// and then, and says in between that there is nothing yet.
    struct Pieces<'a> {
        bytes: &'a [u8],
        random: Random,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let limit = [2, 9, 5000][self.random.below(3)];
            match self.random.below(limit) {
                _ if self.bytes.is_empty() => Ok(0),
                0 if self.random.below(2) == 0 => {
                    Err(ErrorKind::Interrupted.into())
                }
                0 => Err(ErrorKind::WouldBlock.into()),
                length => {
                    let length = length.min(buffer.len());
                    self.bytes.by_ref().take(length as u64).read(buffer)
                }
            }
        }
    }

    #[test]
    fn writes_the_length_in_four_bytes_the_highest_first() {
        assert_eq!(frame::encode(b"hi").unwrap(), b"\0\0\0\x02hi");
        assert_eq!(frame::encode(b"").unwrap(), [0; 4]);
        let frame = frame::encode(&[b'x'; 0x0102]).unwrap();
        assert_eq!(frame[..4], [0, 0, 1, 2]);
        let frame = frame::encode(&[b'x'; MAX]).unwrap();
        assert_eq!(frame[..4], [0, 1, 0, 0]);
    }

    #[test]
    fn decodes_what_it_has_encoded_whatever_follows() {
        let mut random = Random(9);
        for _ in 0..200 {
            let payload = random.payload();
            let mut bytes = frame::encode(&payload).unwrap();
            assert!(bytes == framed(&payload));
            assert!(frame::decode(&bytes).unwrap() == Some(&payload[..]));
            bytes.extend(random.payload());
            assert!(frame::decode(&bytes).unwrap() == Some(&payload[..]));
        }
    }

    #[test]
    fn waits_for_the_last_byte() {
        for length in [0, 1, 2, 255, 256, 257] {
            let frame = frame::encode(&vec![b'x'; length]).unwrap();
            for cut in 0..frame.len() {
                assert_eq!(frame::decode(&frame[..cut]).unwrap(), None);
            }
            assert!(frame::decode(&frame).unwrap().is_some());
        }
    }

    #[test]
    fn refuses_a_length_that_is_too_long_before_the_payload_is_there() {
        for length in [65_537, 65_538, 1 << 24, 1 << 31, u32::MAX] {
            let error = frame::decode(&length.to_be_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert_eq!(error.to_string(), "the frame is too long");
        }
        assert_eq!(frame::decode(&[0, 1, 0, 0]).unwrap(), None);
        // Three bytes say nothing yet.
        assert_eq!(frame::decode(&[0xff; 3]).unwrap(), None);
    }

    #[test]
    fn makes_no_frame_that_it_would_refuse() {
        assert_eq!(frame::MAX_PAYLOAD, MAX);
        let longest = frame::encode(&[0; MAX]).unwrap();
        assert_eq!(frame::decode(&longest).unwrap().unwrap().len(), MAX);
        let error = frame::encode(&[0; MAX + 1]).unwrap_err();
        assert_eq!(error.to_string(), "the frame is too long");
    }

    #[test]
    fn never_panics_on_random_bytes() {
        let mut random = Random(99);
        for _ in 0..10_000 {
            let length = random.below(40);
            let mut bytes = random.bytes(length);
            if random.below(2) == 0 {
                // Most lengths are too long. These are not.
                bytes.splice(..length.min(3), [0; 3]);
            }
            if let Ok(Some(payload)) = frame::decode(&bytes) {
                assert!(bytes.starts_with(&framed(payload)));
            }
        }
    }

    #[test]
    fn reads_the_same_frames_in_whatever_pieces_they_come() {
        for seed in 1..30 {
            let mut random = Random(seed);
            let payloads: Vec<_> = (0..10).map(|_| random.payload()).collect();
            let frames: Vec<_> = payloads.iter().flat_map(framed).collect();
            let mut stream = Pieces { bytes: &frames, random };
            let mut unread = Vec::new();
            let mut came = Vec::new();
            loop {
                match frame::read(&mut stream, &mut unread) {
                    Ok(Some(payload)) => came.push(payload),
                    Ok(None) => break,
                    // Nothing that was read before is lost.
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    }
                }
                // One frame, and what one read may bring beyond it.
                assert!(unread.len() < 4 + MAX + 4096);
            }
            assert!(came == payloads, "seed {seed}");
        }
    }

    #[test]
    fn tells_an_end_between_frames_from_one_inside() {
        let bytes = [framed("one"), framed("")].concat();
        for cut in 0..=bytes.len() {
            let stream = &mut &bytes[..cut];
            let unread = &mut Vec::new();
            let whole = [7, 11].iter().filter(|end| **end <= cut).count();
            for _ in 0..whole {
                assert!(frame::read(stream, unread).unwrap().is_some());
            }
            let end = frame::read(stream, unread).map_err(|error| error.kind());
            if [0, 7, 11].contains(&cut) {
                assert_eq!(end, Ok(None), "{cut}");
            } else {
                assert_eq!(end, Err(ErrorKind::UnexpectedEof), "{cut}");
            }
        }
    }
}

/// What the chapter says of std and of Serde, and not of the programs.
mod facts_about_std {
    use super::*;

    /// Two connected streams. Reading from the first one waits a moment only.
    fn pair() -> (UnixStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let moment = std::time::Duration::from_millis(10);
        ours.set_read_timeout(Some(moment)).unwrap();
        theirs.set_write_timeout(Some(DEADLINE)).unwrap();
        (ours, theirs)
    }

    #[test]
    fn read_exact_loses_what_it_had_when_a_timeout_comes() {
        let (mut ours, mut theirs) = pair();
        theirs.write_all(b"\0\0").unwrap();
        let error = ours.read_exact(&mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);

        // The rest of the length, and the payload: "\0\0" are in no place.
        theirs.write_all(b"\0\x02hi").unwrap();
        let mut length = [0; 4];
        ours.read_exact(&mut length).unwrap();
        assert_eq!(&length, b"\0\x02hi");
    }

    #[test]
    fn the_codec_loses_nothing_when_a_timeout_comes() {
        let (mut ours, mut theirs) = pair();
        let mut unread = Vec::new();
        theirs.write_all(b"\0\0").unwrap();
        let error = frame::read(&mut ours, &mut unread).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);

        theirs.write_all(b"\0\x02hi").unwrap();
        let payload = frame::read(&mut ours, &mut unread).unwrap();
        assert_eq!(payload.unwrap(), b"hi");
    }

    #[test]
    fn read_exact_says_the_same_of_no_length_and_of_half_a_one() {
        for bytes in [&b""[..], b"\0\0"] {
            let error = { bytes }.read_exact(&mut [0; 4]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn from_reader_waits_for_the_end_of_the_stream() {
        let (ours, mut theirs) = pair();
        theirs.write_all(br#"{"get":"a"}"#).unwrap();
        let error = serde_json::from_reader::<_, Value>(&ours).unwrap_err();
        assert_eq!(error.io_error_kind(), Some(ErrorKind::WouldBlock));

        theirs.write_all(br#"{"get":"a"}"#).unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        let request: Value = serde_json::from_reader(&ours).unwrap();
        assert_eq!(request, json!({"get": "a"}));
    }

    #[test]
    fn two_values_in_a_row_are_no_value() {
        let error = serde_json::from_slice::<Value>(b"{}{}").unwrap_err();
        assert!(error.to_string().starts_with("trailing characters"));
    }

    #[test]
    fn a_number_does_not_say_where_it_ends() {
        for (text, number) in [("1", 1), ("12", 12), ("123", 123)] {
            let value: i32 = serde_json::from_str(text).unwrap();
            assert_eq!(value, number);
        }
    }

    #[test]
    fn json_may_be_written_without_a_newline_in_it() {
        let value = json!({"a\nb": "one\r\ntwo"});
        assert!(!value.to_string().contains('\n'));
    }

    #[test]
    fn the_letters_get_and_a_blank_are_a_length() {
        assert_eq!(u32::from_be_bytes(*b"GET "), 1_195_725_856);
    }
}
