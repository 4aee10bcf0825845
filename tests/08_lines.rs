//! What step 8 promises: each line that a client sends is a request, however
//! it comes in pieces, and each gets its answer, in order, over one connection.
//! A line has at most 1,024 bytes with its newline, and without its newline it
//! is none. A client that breaks these rules is told why and loses its
//! connection; one that asks nonsense is told why and goes on. What is kept
//! outlives the connection, and there is an end to how much is kept. The client
//! sends each of its arguments as a line, and prints the answers.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};

use assert_cmd::cargo::cargo_bin;
use harness::{DEADLINE, Exit, Program, Sandbox, accept};

const NOTHING: [&str; 0] = [];

/// What the server says to a line that is no request.
const HELP: &str = "ERR I know GET name, SET name value, DEL name";

/// A server that is ready.
fn start_server(sandbox: &Sandbox, arguments: &[&str]) -> Program {
    let mut server = sandbox.start(cargo_bin!("step8-server"), arguments);
    server.expect("listening on mysocket");
    server
}

/// Sends `requests` and nothing more, and reads all answers to the end.
fn ask(sandbox: &Sandbox, requests: impl AsRef<[u8]>) -> String {
    let mut client = sandbox.connect("mysocket");
    client.write_all(requests.as_ref()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    rest(&client)
}

/// All that comes until the server closes its end.
fn rest(mut stream: &UnixStream) -> String {
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("cannot read the answers");
    answers
}

/// Reads just what `answers` says, and no byte more.
#[track_caller]
fn expect_answers(mut client: &UnixStream, answers: &str) {
    let mut bytes = vec![0; answers.len()];
    client.read_exact(&mut bytes).expect("the answers are too short");
    assert_eq!(String::from_utf8_lossy(&bytes), answers);
}

mod a_request {
    use super::*;

    /// Two requests, cut at each byte in turn: in the middle of the é, between
    /// the two, and with a whole request and a part of the next in one write.
    #[test]
    fn may_be_cut_anywhere() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut client = sandbox.connect("mysocket");
        server.expect("accepted connection 1 from (unnamed)");
        for cut in 1.."SET a 10é\nGET a\n".len() {
            // Another value each time: no answer is left from the last one.
            let value = cut + 9;
            let requests = format!("SET a {value}é\nGET a\n");
            let (first, second) = requests.as_bytes().split_at(cut);
            client.write_all(first).unwrap();
            // Asleep, the server has read all that came before.
            #[cfg(target_os = "linux")]
            harness::wait_for_state(&server, 'S');
            client.write_all(second).unwrap();
            expect_answers(&client, &format!("OK\nVALUE {value}é\n"));
        }
    }

    #[test]
    fn may_come_byte_by_byte() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut client = sandbox.connect("mysocket");
        server.expect("accepted connection 1 from (unnamed)");
        for byte in "SET a é\r\nGET a\r\n".bytes() {
            #[cfg(target_os = "linux")]
            harness::wait_for_state(&server, 'S');
            client.write_all(&[byte]).unwrap();
        }
        expect_answers(&client, "OK\nVALUE é\n");
    }

    #[test]
    fn may_end_as_on_windows() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let answers = ask(&sandbox, "SET a 1\r\nGET a\r\nGET a\nDEL a\r\n");
        assert_eq!(answers, "OK\nVALUE 1\nVALUE 1\nOK\n");
    }

    #[test]
    fn may_have_blanks_in_its_value() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let answers = ask(&sandbox, "SET a  b  c\t \nGET a\nSET a \nGET a\n");
        assert_eq!(answers, "OK\nVALUE  b  c\t \nOK\nVALUE \n");
    }

    #[test]
    fn that_is_none_is_answered_and_the_next_one_works() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["1"]);
        let mut client = sandbox.connect("mysocket");
        for line in [
            "", "\r", " ", "PING", "get a", "GET", "GET a b", "GET  a", "SET",
            "SET a", "DEL", "DEL a b", " GET a",
        ] {
            client.write_all(format!("{line}\n").as_bytes()).unwrap();
            expect_answers(&client, &format!("{HELP}\n"));
            client.write_all(b"GET a\n").unwrap();
            expect_answers(&client, "NONE\n");
        }
        drop(client);
        // It is the client who has erred: the server has nothing to report.
        server.expect("accepted connection 1 from (unnamed)");
        assert_eq!(server.expect_end(), Exit::Code(0));
    }

    #[test]
    fn that_is_no_text_is_answered_and_the_next_one_works() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let answers = ask(&sandbox, b"\xff\nSET a \xc3\nGET a\nSET a \0\n");
        let error = "ERR the request is not text\n";
        assert_eq!(answers, format!("{error}{error}NONE\nOK\n"));
    }
}

mod many_requests {
    use super::*;

    /// A thousand requests, and what they must get.
    fn a_thousand() -> (String, String) {
        let requests = (0..500).map(|n| format!("SET a {n}\nGET a\n"));
        let answers = (0..500).map(|n| format!("OK\nVALUE {n}\n"));
        (requests.collect(), answers.collect())
    }

    /// The server can write no more answers, and has most of the requests
    /// before it still: it must lose neither.
    #[test]
    fn wait_for_a_client_that_reads_slowly() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let (requests, answers) = a_thousand();
        let mut client = sandbox.connect("mysocket");
        client.write_all(requests.as_bytes()).unwrap();
        server.expect("accepted connection 1 from (unnamed)");
        for answer in answers.bytes() {
            #[cfg(target_os = "linux")]
            harness::wait_for_state(&server, 'S');
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            assert_eq!(byte, [answer]);
        }
    }
}

mod a_line_of {
    use super::*;

    /// A request that keeps `a`, of `length` bytes with its end.
    fn line(length: usize, end: &str) -> (String, String) {
        let value = "x".repeat(length - "SET a ".len() - end.len());
        (format!("SET a {value}{end}"), value)
    }

    #[test]
    fn exactly_1024_bytes_is_taken() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        for end in ["\n", "\r\n"] {
            let (line, value) = line(1024, end);
            let answers = ask(&sandbox, line + "GET a\n");
            assert_eq!(answers, format!("OK\nVALUE {value}\n"));
        }
    }

    #[test]
    fn any_allowed_length_may_follow_another() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        // 64 lines that are long, and far more than one read of the server.
        let (line, value) = line(1024, "\n");
        let requests = format!("{line}GET a\nDEL a\n").repeat(64);
        let answers = format!("OK\nVALUE {value}\nOK\n").repeat(64);
        assert_eq!(ask(&sandbox, requests), answers);
    }

    #[test]
    fn one_byte_more_is_refused_and_the_connection_closed() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let (line, _) = line(1025, "\n");
        // Not half-closed: it is the server who ends the connection.
        let mut client = sandbox.connect("mysocket");
        client.write_all(format!("{line}SET b 1\n").as_bytes()).unwrap();
        assert_eq!(rest(&client), "ERR the line is too long\n");
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("connection 1: the line is too long");
        assert_eq!(ask(&sandbox, "GET a\nGET b\n"), "NONE\nNONE\n");
    }

    #[test]
    fn sixty_four_megabytes_is_cut_off_and_fills_no_memory() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut client = sandbox.connect("mysocket");
        let flood = vec![b'x'; 64 * 1024 * 1024];
        let error = client.write_all(&flood).unwrap_err();
        let kind = error.kind();
        let cut_off = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        assert!(cut_off.contains(&kind), "{kind}");
        expect_answers(&client, "ERR the line is too long\n");
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("connection 1: the line is too long");
        #[cfg(target_os = "linux")]
        assert!(harness::peak_memory(&server) < 16 * 1024);
        assert_eq!(ask(&sandbox, "SET a 1\n"), "OK\n");
    }
}

mod a_last_line_without_an_end {
    use super::*;

    /// Each way to cut `DEL color` is taken for none, not only the ones that
    /// would be another request.
    #[test]
    fn is_not_carried_out() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        assert_eq!(ask(&sandbox, "SET color blue\nSET co red\n"), "OK\nOK\n");
        server.expect("accepted connection 1 from (unnamed)");
        for (length, number) in (1..="DEL color\r".len()).zip(2..) {
            let answer = ask(&sandbox, &"DEL color\r"[..length]);
            assert_eq!(answer, "ERR the last line has no end\n");
            server.expect(&format!(
                "accepted connection {number} from (unnamed)"
            ));
            server.expect(&format!(
                "connection {number}: the last line has no end"
            ));
        }
        let answers = ask(&sandbox, "GET color\nGET co\n");
        assert_eq!(answers, "VALUE blue\nVALUE red\n");
    }

    #[test]
    fn spoils_none_of_those_before_it() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let answers = ask(&sandbox, "SET a 1\nSET b 2\nSET a 3");
        assert_eq!(answers, "OK\nOK\nERR the last line has no end\n");
        assert_eq!(ask(&sandbox, "GET a\nGET b\n"), "VALUE 1\nVALUE 2\n");
    }

    /// One byte less than what is too long.
    #[test]
    fn is_told_from_a_long_one() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let answer = ask(&sandbox, "x".repeat(1023));
        assert_eq!(answer, "ERR the last line has no end\n");
        let answer = ask(&sandbox, "x".repeat(1024));
        assert_eq!(answer, "ERR the line is too long\n");
    }
}

mod the_store {
    use super::*;

    #[test]
    fn is_full_with_a_thousand_names() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let names: String = (0..1000).map(|n| format!("SET {n} x\n")).collect();
        assert_eq!(ask(&sandbox, names), "OK\n".repeat(1000));
        for (request, answer) in [
            ("SET new 1\n", "ERR the store is full\n"),
            ("GET new\n", "NONE\n"),
            ("SET 0 replaced\n", "OK\n"),
            ("GET 0\n", "VALUE replaced\n"),
            ("DEL 999\n", "OK\n"),
            ("SET new 1\n", "OK\n"),
            ("SET another 1\n", "ERR the store is full\n"),
            ("GET new\n", "VALUE 1\n"),
        ] {
            assert_eq!(ask(&sandbox, request), answer, "{request}");
        }
    }
}

mod the_server {
    use super::*;

    #[test]
    fn goes_on_when_a_client_leaves_without_its_answers() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut rude = sandbox.connect("mysocket");
        rude.write_all("GET a\n".repeat(1000).as_bytes()).unwrap();
        drop(rude);
        server.expect("accepted connection 1 from (unnamed)");
        server.expect_containing("connection 1: cannot ");
        assert_eq!(ask(&sandbox, "SET a 1\n"), "OK\n");
        server.expect("accepted connection 2 from (unnamed)");
    }

    #[test]
    fn serves_as_many_as_it_was_told_and_leaves_nothing() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["4"]);
        assert_eq!(sandbox.files(), ["mysocket"]);
        assert_eq!(ask(&sandbox, ""), "");
        server.expect("accepted connection 1 from (unnamed)");
        assert_eq!(ask(&sandbox, "SET a 1\n"), "OK\n");
        server.expect("accepted connection 2 from (unnamed)");
        ask(&sandbox, "x".repeat(1025));
        server.expect("accepted connection 3 from (unnamed)");
        server.expect("connection 3: the line is too long");
        assert_eq!(ask(&sandbox, "GET a\n"), "VALUE 1\n");
        server.expect("accepted connection 4 from (unnamed)");
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert_eq!(sandbox.files(), NOTHING);
    }

    #[test]
    fn replaces_the_name_of_a_dead_one_and_not_of_a_living_one() {
        let sandbox = Sandbox::new();
        start_server(&sandbox, &[]).kill();
        assert_eq!(sandbox.files(), ["mysocket"]);
        let _server = start_server(&sandbox, &[]);
        let mut second = sandbox.start(cargo_bin!("step8-server"), &[]);
        second.expect("Error: a server is already listening on mysocket");
        assert_eq!(second.expect_end(), Exit::Code(1));
        assert_eq!(ask(&sandbox, "SET a 1\n"), "OK\n");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn goes_on_when_it_cannot_accept() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        // A blocked accept has its descriptor already; the next gets none.
        harness::wait_for_state(&server, 'S');
        harness::limit_descriptors(&server, 0);
        assert_eq!(ask(&sandbox, "SET a 1\n"), "OK\n");
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("cannot accept: Too many open files (os error 24)");
        harness::limit_descriptors(&server, 100);
        assert_eq!(ask(&sandbox, "GET a\n"), "VALUE 1\n");
        server.expect_containing("accepted connection 2 from (unnamed)");
    }
}

mod the_client {
    use super::*;

    fn start_client<S: AsRef<OsStr>>(
        sandbox: &Sandbox,
        requests: &[S],
    ) -> Program {
        let mut client = sandbox.command(cargo_bin!("step8-client"));
        Program::start(client.args(requests)).unwrap()
    }

    /// Reads all that a client sends in one request, which must be `request`.
    #[track_caller]
    fn expect_request(mut stream: &UnixStream, request: &[u8]) {
        let mut bytes = vec![0; request.len()];
        stream.read_exact(&mut bytes).expect("the request is too short");
        assert_eq!(bytes, request);
    }

    #[test]
    fn prints_the_answers_of_the_server() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["2"]);
        let requests = ["SET a one  two ", "GET a", "", "DEL a", "GET a"];
        let mut client = start_client(&sandbox, &requests);
        for line in ["OK", "VALUE one  two ", HELP, "OK", "NONE"] {
            client.expect(line);
        }
        assert_eq!(client.expect_end(), Exit::Code(0));
        server.expect("accepted connection 1 from (unnamed)");

        let mut client = start_client(&sandbox, &["x".repeat(1024)]);
        client.expect("ERR the line is too long");
        assert_eq!(client.expect_end(), Exit::Code(0));
        server.expect("accepted connection 2 from (unnamed)");
        server.expect("connection 2: the line is too long");
        assert_eq!(server.expect_end(), Exit::Code(0));
    }

    #[test]
    fn sends_each_argument_as_a_line_and_nothing_else() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        let requests = [&b" SET a 1 "[..], b"", b"\xff\xfe", b"GET a\r"];
        let mut client =
            start_client(&sandbox, &requests.map(OsStr::from_bytes));
        let mut stream = accept(&listener);
        for (request, number) in requests.iter().zip(1..) {
            expect_request(&stream, &[request, &b"\n"[..]].concat());
            stream.write_all(format!("answer {number}\n").as_bytes()).unwrap();
            client.expect(&format!("answer {number}"));
        }
        assert_eq!(rest(&stream), "");
        assert_eq!(client.expect_end(), Exit::Code(0));
    }

    #[test]
    fn finds_the_answers_however_they_come() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        let client = &mut start_client(&sandbox, &["one", "two", "three"]);
        let mut stream = accept(&listener);
        // In pieces; and the next one together with the end of the last.
        for piece in ["f", "irst\nsecond", "\nthi", "rd\n"] {
            #[cfg(target_os = "linux")]
            harness::wait_for_state(client, 'S');
            stream.write_all(piece.as_bytes()).unwrap();
        }
        for answer in ["first", "second", "third"] {
            client.expect(answer);
        }
        assert_eq!(client.expect_end(), Exit::Code(0));
    }

    #[test]
    fn refuses_an_argument_that_would_be_two_lines() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        for request in ["SET a 1\nDEL a", "GET a\n", "\n"] {
            let mut client = start_client(&sandbox, &[request]);
            assert_eq!(rest(&accept(&listener)), "");
            client.expect("Error: a request is a single line");
            assert_eq!(client.expect_end(), Exit::Code(1));
        }
    }

    #[test]
    fn reports_an_answer_that_is_cut_off_and_prints_none_of_it() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        for answer in ["", "V", "VALUE 1", "VALUE 1\r"] {
            let mut client = start_client(&sandbox, &["GET a", "GET b"]);
            let mut stream = accept(&listener);
            expect_request(&stream, b"GET a\n");
            stream.write_all(answer.as_bytes()).unwrap();
            drop(stream);
            client.expect(
                "Error: the server ended before its answer was complete",
            );
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
        let mut client = start_client(&sandbox, &["GET a"]);
        client.expect("Error: cannot connect to mysocket");
        client.expect_containing("No such file or directory");
        assert_eq!(client.expect_end(), Exit::Code(1));
    }
}

/// What the chapter says of the standard library, and not of the programs.
mod facts_about_std {
    use super::*;

    /// Two connected streams. Reading from the first one never waits.
    fn pair() -> (UnixStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_write_timeout(Some(DEADLINE)).unwrap();
        (ours, theirs)
    }

    #[track_caller]
    fn expect_nothing_to_read(mut stream: &UnixStream) {
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn into_inner_loses_what_was_read_ahead() {
        let (ours, mut theirs) = pair();
        theirs.write_all(b"one\ntwo\n").unwrap();
        let mut reader = BufReader::new(ours);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert_eq!(line, "one\n");
        assert_eq!(reader.buffer(), b"two\n");
        expect_nothing_to_read(&reader.into_inner());
    }

    #[test]
    fn a_buf_reader_asks_for_8192_bytes_at_a_time() {
        let mut source = &[b'x'; 10_000][..];
        let mut reader = BufReader::new(&mut source);
        assert_eq!(reader.fill_buf().unwrap().len(), 8192);
        drop(reader);
        assert_eq!(source.len(), 10_000 - 8192);
    }

    #[test]
    fn lines_tells_no_whole_line_from_a_cut_one() {
        let lines = |text: &'static str| {
            text.as_bytes().lines().map(Result::unwrap).collect::<Vec<_>>()
        };
        assert_eq!(lines("SET a 1\nDEL color\n"), ["SET a 1", "DEL color"]);
        assert_eq!(lines("SET a 1\nDEL color"), ["SET a 1", "DEL color"]);
        assert_eq!(lines("SET a 1\r\nDEL color"), ["SET a 1", "DEL color"]);
    }

    #[test]
    fn read_until_and_read_line_have_no_limit_and_take_gives_one() {
        let endless = vec![b'x'; 1024 * 1024];
        let mut bytes = Vec::new();
        (&endless[..]).read_until(b'\n', &mut bytes).unwrap();
        assert_eq!(bytes.len(), endless.len());
        let mut text = String::new();
        (&endless[..]).read_line(&mut text).unwrap();
        assert_eq!(text.len(), endless.len());

        bytes.clear();
        let mut reader = &endless[..];
        // The limit is that of this one call: the reader is only borrowed.
        reader.by_ref().take(1024).read_until(b'\n', &mut bytes).unwrap();
        assert_eq!(bytes.len(), 1024);
        assert_eq!(reader.len(), endless.len() - 1024);
    }

    #[test]
    fn a_buf_writer_sends_nothing_until_it_is_flushed_or_dropped() {
        let (ours, theirs) = pair();
        let mut writer = BufWriter::new(&theirs);
        writer.write_all(b"one\n").unwrap();
        expect_nothing_to_read(&ours);
        writer.flush().unwrap();
        expect_answers(&ours, "one\n");

        writer.write_all(b"two\n").unwrap();
        expect_nothing_to_read(&ours);
        drop(writer);
        expect_answers(&ours, "two\n");
    }

    #[test]
    fn a_buf_writer_that_is_dropped_says_nothing_of_an_error() {
        let (ours, theirs) = pair();
        ours.shutdown(Shutdown::Both).unwrap();
        let mut writer = BufWriter::new(&theirs);
        writer.write_all(b"lost\n").unwrap();
        drop(writer);

        let mut writer = BufWriter::new(&theirs);
        writer.write_all(b"lost\n").unwrap();
        let error = writer.flush().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn writeln_writes_each_part_of_its_format_on_its_own() {
        struct Counter(Vec<String>);

        impl Write for Counter {
            fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
                self.0.push(String::from_utf8_lossy(part).into_owned());
                Ok(part.len())
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }

        let mut stream = Counter(Vec::new());
        // Known only when it runs: the compiler joins what it knows.
        let value = std::hint::black_box("blue");
        writeln!(stream, "VALUE {value}").unwrap();
        assert_eq!(stream.0, ["VALUE ", "blue", "\n"]);
    }
}
