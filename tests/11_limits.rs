//! What step 11 promises: nobody waits for ever. A client has a limited time
//! for a request, however its bytes come, and the same time to take an answer;
//! whoever needs longer is cut off, and whoever keeps to it may stay as long as
//! they like. The server serves 256 clients at a time, and tells the next one
//! that it is busy. The client waits two seconds, and then says what for. All
//! else is as in step 10.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use harness::{DEADLINE, Exit, Program, Sandbox, accept, ask, next_line, rest};
use predicates::str::contains;

const NOTHING: [&str; 0] = [];

/// Short enough to wait for, as an argument of the server, and long enough for
/// a request on a busy machine.
const SHORT: &str = "1000";
const SHORT_TIME: Duration = Duration::from_millis(1000);

/// For the tests that last longer, and have to be in time all the while.
const LONG: &str = "2000";
const LONG_TIME: Duration = Duration::from_millis(2000);

/// A server that is ready.
fn start_server(sandbox: &Sandbox, arguments: &[&str]) -> Program {
    let mut server = sandbox.start(cargo_bin!("step11-server"), arguments);
    server.expect("listening on mysocket");
    server
}

/// A new client is served.
#[track_caller]
fn expect_service(sandbox: &Sandbox) {
    let client = sandbox.connect("mysocket");
    assert_eq!(ask(&client, "SET service works"), "OK");
    assert_eq!(ask(&client, "GET service"), "VALUE works");
}

/// Lets `time` pass, at least: something that a test has to wait out.
fn pass(time: Duration) {
    let (_sender, nothing) = mpsc::channel::<()>();
    nothing.recv_timeout(time).unwrap_err();
}

/// What began at `start` has been cut off when `limit` was over: not before,
/// and not much later. A busy machine takes its time.
#[track_caller]
fn expect_end_of_time(start: Instant, limit: Duration) {
    let took = start.elapsed();
    assert!((limit..limit * 8).contains(&took), "{took:?}, not {limit:?}");
}

/// The answer to each request of a [`greedy_client`].
fn long_answer() -> String {
    format!("VALUE {}", "x".repeat(1000))
}

/// How many requests a [`greedy_client`] sends. The kernel keeps about a fifth
/// of the answers for it.
const MANY: usize = 800;

/// A client that asks for more than the kernel keeps for it.
fn greedy_client(sandbox: &Sandbox) -> UnixStream {
    let mut client = sandbox.connect("mysocket");
    let value = "x".repeat(1000);
    assert_eq!(ask(&client, &format!("SET long {value}")), "OK");
    client.write_all(&b"GET long\n".repeat(MANY)).unwrap();
    client
}

mod a_request {
    use super::*;

    const CUT: &[u8] = b"ERR cannot read the request: timed out\n";

    /// The server is done with a client that was too slow.
    #[track_caller]
    fn expect_cut(server: &mut Program) {
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("connection 1: cannot read the request: timed out");
    }

    #[test]
    fn that_does_not_come_is_waited_for_until_its_time_is_up() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[SHORT]);
        let start = Instant::now();
        let silent = sandbox.connect("mysocket");
        assert_eq!(rest(&silent), CUT);
        expect_end_of_time(start, SHORT_TIME);
        expect_cut(&mut server);
        expect_service(&sandbox);
    }

    #[test]
    fn that_does_not_follow_is_waited_for_until_its_time_is_up() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[SHORT]);
        let client = sandbox.connect("mysocket");
        assert_eq!(ask(&client, "GET color"), "NONE");
        assert_eq!(rest(&client), CUT);
        expect_cut(&mut server);
    }

    #[test]
    fn that_has_no_end_is_waited_for_until_its_time_is_up() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[SHORT]);
        let mut client = sandbox.connect("mysocket");
        client.write_all(b"SET color blue").unwrap();
        assert_eq!(rest(&client), CUT);
        expect_cut(&mut server);
        let client = sandbox.connect("mysocket");
        assert_eq!(ask(&client, "GET color"), "NONE");
    }

    /// Each byte comes in time, and would start the time anew if a timeout
    /// were a limit for the request.
    #[test]
    fn that_drips_is_cut_off_all_the_same() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[SHORT]);
        let start = Instant::now();
        let mut client = sandbox.connect("mysocket");
        // Waiting for the answer is what spaces the bytes.
        client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut first = [0];
        loop {
            match client.read(&mut first) {
                Ok(count) => break assert_eq!(count, 1, "it ended at once"),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::Interrupted => {}
                    _ => panic!("{error}"),
                },
            }
            assert!(start.elapsed() < DEADLINE, "it drips on and on");
            // The server may hang up just now.
            let _ = client.write_all(b"x");
        }
        expect_end_of_time(start, SHORT_TIME);
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        assert_eq!([&first, &*rest(&client)].concat(), CUT);
        expect_cut(&mut server);
        expect_service(&sandbox);
    }

    #[test]
    fn that_comes_in_pieces_is_answered() {
        let sandbox = Sandbox::new();
        let server = start_server(&sandbox, &[]);
        let mut client = sandbox.connect("mysocket");
        for piece in ["SET color da", "rk blue", "\nGET co", "lor\n"] {
            // Asleep, the server has read all that came before.
            #[cfg(target_os = "linux")]
            harness::wait_for_sleep(&server);
            client.write_all(piece.as_bytes()).unwrap();
        }
        assert_eq!(next_line(&client), "OK");
        assert_eq!(next_line(&client), "VALUE dark blue");
        drop(server);
    }

    #[test]
    fn that_is_too_late_costs_nobody_else_anything() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[SHORT]);
        let silent: Vec<UnixStream> =
            (0..20).map(|_| sandbox.connect("mysocket")).collect();
        expect_service(&sandbox);
        for client in silent {
            assert_eq!(rest(&client), CUT);
        }
        for _ in 0..20 {
            server.expect_containing("cannot read the request: timed out");
        }
        // Nothing of them is left.
        #[cfg(target_os = "linux")]
        harness::wait_for_threads(&server, 1);
        expect_service(&sandbox);
    }
}

mod an_answer {
    use super::*;

    #[test]
    fn that_nobody_takes_ends_the_connection() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[SHORT]);
        let start = Instant::now();
        let deaf = greedy_client(&sandbox);
        expect_service(&sandbox);
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("accepted connection 2 from (unnamed)");
        server.expect(
            "connection 1: cannot answer: \
             Resource temporarily unavailable (os error 11)",
        );
        expect_end_of_time(start, SHORT_TIME);

        // Nobody knows how much of the answer has gone: nothing may follow it.
        let answers = String::from_utf8(rest(&deaf)).unwrap();
        let whole = answers.matches(&long_answer()).count();
        assert!(whole < MANY / 2, "{whole} answers");
        assert!(!answers.contains("ERR"), "something followed the answer");
        expect_service(&sandbox);
    }

    /// It takes some answers in time, and all of them in twice the time.
    #[test]
    fn that_is_taken_slowly_is_given_in_full() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[LONG]);
        let client = greedy_client(&sandbox);
        let start = Instant::now();
        let long = long_answer();
        for number in 0..MANY {
            if number % 10 == 0 {
                pass(LONG_TIME * 20 / MANY as u32);
            }
            assert_eq!(next_line(&client), long, "answer {number}");
        }
        assert!(start.elapsed() >= LONG_TIME * 2);
        assert_eq!(ask(&client, "DEL long"), "OK");
    }
}

mod many_clients {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")] // macOS lets us have 256 descriptors.
    fn are_served_up_to_256() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut clients: Vec<UnixStream> =
            (0..256).map(|_| sandbox.connect("mysocket")).collect();
        for (number, client) in clients.iter().enumerate() {
            assert_eq!(ask(client, &format!("SET name{number} x")), "OK");
            server.expect(&format!(
                "accepted connection {} from (unnamed)",
                number + 1
            ));
        }
        for number in [257, 258] {
            let refused = sandbox.connect("mysocket");
            assert_eq!(rest(&refused), b"ERR busy\n");
            let line = format!("accepted connection {number} from (unnamed)");
            server.expect(&line);
            server.expect(&format!("connection {number}: too many clients"));
        }
        assert_eq!(ask(&clients[0], "GET name255"), "VALUE x");

        // One leaves, one may come, and only one.
        drop(clients.remove(100));
        harness::wait_for_threads(&server, 256);
        clients.push(sandbox.connect("mysocket"));
        assert_eq!(ask(&clients[255], "GET name255"), "VALUE x");
        assert_eq!(rest(&sandbox.connect("mysocket")), b"ERR busy\n");

        // All leave, as many may come.
        clients.clear();
        harness::wait_for_threads(&server, 1);
        for _ in 0..256 {
            clients.push(sandbox.connect("mysocket"));
        }
        for client in &clients {
            assert_eq!(ask(client, "GET name255"), "VALUE x");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn that_got_no_thread_are_not_counted() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        harness::wait_for_state(&server, 'S');
        harness::forbid_threads(&server);
        for number in 1..=300 {
            assert_eq!(rest(&sandbox.connect("mysocket")), b"");
            let line = format!("accepted connection {number} from (unnamed)");
            server.expect(&line);
            server.expect(&format!(
                "connection {number}: no thread: \
                 Resource temporarily unavailable (os error 11)"
            ));
        }
        harness::allow_threads(&server);
        expect_service(&sandbox);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn wait_when_there_is_no_descriptor_for_them() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        harness::wait_for_state(&server, 'S');
        harness::limit_descriptors(&server, 0);
        // A blocked accept has its descriptor already; the next gets none.
        drop(sandbox.connect("mysocket"));
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("cannot accept: Too many open files (os error 24)");
        let waiting = sandbox.connect("mysocket");
        harness::limit_descriptors(&server, 100);
        assert_eq!(ask(&waiting, "GET color"), "NONE");
    }

    #[test]
    fn may_be_silent_or_flood_the_server_and_the_next_is_served() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let silent = sandbox.connect("mysocket");
        server.expect("accepted connection 1 from (unnamed)");
        let flood = vec![b'x'; 64 * 1024 * 1024];
        let mut client = sandbox.connect("mysocket");
        let error = client.write_all(&flood).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(rest(&client), b"ERR the line is too long\n");
        server.expect("accepted connection 2 from (unnamed)");
        server.expect("connection 2: the line is too long");
        expect_service(&sandbox);
        assert_eq!(ask(&silent, "GET service"), "VALUE works");

        #[cfg(target_os = "linux")]
        {
            let peak = harness::peak_memory(&server);
            assert!(peak < 16 * 1024, "{peak} KiB");
        }
    }

    #[test]
    fn may_talk_junk_or_leave_in_the_middle() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let witness = sandbox.connect("mysocket");
        assert_eq!(ask(&witness, "SET color blue"), "OK");
        server.expect("accepted connection 1 from (unnamed)");
        let mut client = sandbox.connect("mysocket");
        client.write_all(b"\xff\xfe\nDEL color").unwrap();
        assert_eq!(next_line(&client), "ERR the request is not text");
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&client), b"ERR the last line has no end\n");
        server.expect("accepted connection 2 from (unnamed)");
        server.expect("connection 2: the last line has no end");
        assert_eq!(ask(&witness, "GET color"), "VALUE blue");

        // A client that has said all ends without a word.
        drop(witness);
        expect_service(&sandbox);
        server.expect("accepted connection 3 from (unnamed)");
    }
}

mod the_argument {
    use super::*;

    #[test]
    fn is_a_number_of_milliseconds() {
        for argument in ["", "soon", "-1", "0", "1.5", "4294967296"] {
            expect_usage(OsStr::new(argument));
        }
        expect_usage(OsStr::from_bytes(b"\xff\xfe"));
    }

    #[track_caller]
    fn expect_usage(argument: &OsStr) {
        let sandbox = Sandbox::new();
        let mut server = sandbox.command(cargo_bin!("step11-server"));
        server.arg(argument);
        Command::from_std(server)
            .timeout(DEADLINE)
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains("usage: server [MILLISECONDS FOR A REQUEST]"));
        assert_eq!(sandbox.files(), NOTHING);
    }

    #[test]
    fn may_be_as_large_as_it_gets() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &["4294967295"]);
        expect_service(&sandbox);
    }

    #[test]
    fn may_be_as_small_as_it_gets() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["1"]);
        let client = sandbox.connect("mysocket");
        assert_eq!(rest(&client), b"ERR cannot read the request: timed out\n");
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("connection 1: cannot read the request: timed out");
    }
}

mod the_client {
    use super::*;

    const EXPIRED: &str = "Resource temporarily unavailable (os error 11)";
    const PATIENCE: Duration = Duration::from_secs(2);

    #[test]
    fn gives_up_when_no_answer_comes() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        let start = Instant::now();
        let requests = ["GET color", "GET taste"];
        let mut client = sandbox.start(cargo_bin!("step11-client"), &requests);
        let stream = accept(&listener);
        assert_eq!(next_line(&stream), "GET color");
        client.expect("Error: cannot read the answer");
        client.expect_containing(EXPIRED);
        assert_eq!(client.expect_end(), Exit::Code(1));
        expect_end_of_time(start, PATIENCE);
        // It has asked for nothing more.
        assert_eq!(rest(&stream), b"");
    }

    /// The kernel has made the connection; nobody has accepted it.
    #[test]
    fn gives_up_when_nobody_accepts() {
        let sandbox = Sandbox::new();
        let _listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        let mut client =
            sandbox.start(cargo_bin!("step11-client"), &["GET color"]);
        client.expect("Error: cannot read the answer");
        client.expect_containing(EXPIRED);
        assert_eq!(client.expect_end(), Exit::Code(1));
    }

    #[test]
    fn gives_up_in_the_middle_of_an_answer_and_prints_nothing_of_it() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        let mut client =
            sandbox.start(cargo_bin!("step11-client"), &["GET color"]);
        let mut stream = accept(&listener);
        stream.write_all(b"VALUE bl").unwrap();
        client.expect("Error: cannot read the answer");
        client.expect_containing(EXPIRED);
        assert_eq!(client.expect_end(), Exit::Code(1));
    }

    /// An argument has at most 128 KiB on Linux, and the kernel keeps more. So
    /// the answers come before the requests, and the requests are not read.
    #[test]
    #[cfg(target_os = "linux")]
    fn gives_up_when_nobody_reads_its_requests() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        let start = Instant::now();
        let request = "x".repeat(100_000);
        let mut client =
            sandbox.start(cargo_bin!("step11-client"), &[&*request; 16]);
        let mut stream = accept(&listener);
        stream.write_all(&b"OK\n".repeat(16)).unwrap();
        client.expect_containing("Error: cannot write the request");
        client.expect_containing(EXPIRED);
        assert_eq!(client.expect_end(), Exit::Code(1));
        expect_end_of_time(start, PATIENCE);
    }
}

/// What the chapter says of the standard library, and not of the program.
mod facts_about_std {
    use super::*;

    /// A child that ends interrupts a `read` that has a timeout: assert_cmd
    /// handles SIGCHLD.
    fn read(mut stream: &UnixStream) -> std::io::Result<usize> {
        loop {
            match stream.read(&mut [0]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    #[test]
    fn a_timeout_of_zero_is_refused() {
        let (stream, _peer) = UnixStream::pair().unwrap();
        let zero = Some(Duration::ZERO);
        let error = stream.set_read_timeout(zero).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = stream.set_write_timeout(zero).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn a_nanosecond_is_a_timeout() {
        let (stream, _peer) = UnixStream::pair().unwrap();
        let shortest = Some(Duration::from_nanos(1));
        stream.set_read_timeout(shortest).unwrap();
        assert_eq!(read(&stream).unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn a_read_that_takes_too_long_would_block() {
        let (stream, _peer) = UnixStream::pair().unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let error = read(&stream).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        #[cfg(target_os = "linux")]
        assert_eq!(
            error.to_string(),
            "Resource temporarily unavailable (os error 11)"
        );
    }

    #[test]
    fn each_call_has_the_whole_timeout() {
        let (stream, _peer) = UnixStream::pair().unwrap();
        let timeout = Duration::from_millis(100);
        stream.set_read_timeout(Some(timeout)).unwrap();
        let start = Instant::now();
        for _ in 0..3 {
            read(&stream).unwrap_err();
        }
        assert!(start.elapsed() >= timeout * 3);
    }

    #[test]
    fn a_drip_outlives_the_timeout() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let timeout = Duration::from_secs(2);
        ours.set_read_timeout(Some(timeout)).unwrap();
        let start = Instant::now();
        thread::scope(|scope| {
            scope.spawn(move || {
                for byte in b"drip!!" {
                    pass(timeout / 5);
                    theirs.write_all(&[*byte]).unwrap();
                }
            });
            let mut bytes = Vec::new();
            (&ours).read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, b"drip!!");
        });
        assert!(start.elapsed() > timeout);
    }

    #[test]
    fn clones_share_their_timeouts() {
        let (stream, _peer) = UnixStream::pair().unwrap();
        let clone = stream.try_clone().unwrap();
        assert_eq!(stream.read_timeout().unwrap(), None);
        clone.set_read_timeout(Some(DEADLINE)).unwrap();
        clone.set_write_timeout(Some(DEADLINE)).unwrap();
        assert_eq!(stream.read_timeout().unwrap(), Some(DEADLINE));
        assert_eq!(stream.write_timeout().unwrap(), Some(DEADLINE));
    }

    #[test]
    fn a_write_all_that_fails_has_sent_a_part() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        let error = ours.write_all(&[b'x'; 1_000_000]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        // Not dropped: a child may hold a copy until its exec.
        ours.shutdown(Shutdown::Write).unwrap();
        let arrived = rest(&theirs).len();
        assert!((1..1_000_000).contains(&arrived), "{arrived} bytes");
    }

    #[test]
    fn a_read_that_may_not_wait_would_block() {
        let (stream, mut peer) = UnixStream::pair().unwrap();
        stream.set_nonblocking(true).unwrap();
        let error = read(&stream).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        peer.write_all(b"x").unwrap();
        assert_eq!(read(&stream).unwrap(), 1);
    }

    #[test]
    fn a_clone_may_not_wait_either() {
        let (stream, _peer) = UnixStream::pair().unwrap();
        stream.try_clone().unwrap().set_nonblocking(true).unwrap();
        let error = read(&stream).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}
