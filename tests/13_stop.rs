//! What step 13 promises: SIGTERM and SIGINT stop the server in order. It
//! removes its name, serves the clients that wait already, answers every
//! request that had arrived, ends each connection and exits with code 0. Who
//! does not take the answers is cut off after two seconds. A second signal ends
//! it at once. Whatever clients have done to it before, it has stayed small,
//! served the next one and stops in the same way. The rest is step 12.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use harness::{Conversation, DEADLINE, Exit, Program, Sandbox, Signal};
use predicates::str::contains;

const NOTHING: [&str; 0] = [];

/// How long the server waits for clients that do not take their answers.
const GRACE: Duration = Duration::from_secs(2);

/// A server that is ready.
fn start_server(sandbox: &Sandbox, arguments: &[&str]) -> Program {
    let mut server = sandbox.start(cargo_bin!("step13-server"), arguments);
    server.expect("listening on mysocket");
    server
}

fn connect(sandbox: &Sandbox) -> Conversation {
    Conversation::over(sandbox.connect("mysocket"))
}

/// A client that is served: no mere place in the backlog.
#[track_caller]
fn connect_and_ask(sandbox: &Sandbox) -> Conversation {
    let mut client = connect(sandbox);
    assert_eq!(client.ask("GET nothing"), "NONE");
    client
}

/// Sends requests and never reads an answer, until the server reads no more.
///
/// The requests that are on their way by then have more answers than a socket
/// holds: the server will block.
fn never_read(sandbox: &Sandbox) -> UnixStream {
    let mut stream = sandbox.connect("mysocket");
    stream.set_nonblocking(true).unwrap();
    let requests = b"GET nothing\n".repeat(1000);
    let deadline = Instant::now() + DEADLINE;
    loop {
        match stream.write_all(&requests) {
            Ok(()) => assert!(Instant::now() < deadline, "it reads on and on"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return stream;
            }
        }
    }
}

/// Until SIGCONT, signals that it gets wait with all else.
#[cfg(target_os = "linux")]
fn freeze(server: &Program) {
    server.signal(Signal::STOP).unwrap();
    harness::wait_for_state(server, 'T');
}

/// What the server prints does not matter: it ends as it should.
#[track_caller]
fn expect_orderly_end(sandbox: &Sandbox, server: &mut Program) {
    server.expect_containing("stopping");
    assert_eq!(server.wait(DEADLINE), Ok(Exit::Code(0)));
    assert_eq!(sandbox.files(), NOTHING);
}

#[track_caller]
fn expect_nobody_listens(sandbox: &Sandbox) {
    let error = UnixStream::connect(sandbox.join("mysocket")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

mod it_stops {
    use super::*;

    #[test]
    fn although_a_client_is_idle_who_sees_the_end() {
        for signal in [Signal::TERM, Signal::INT] {
            let sandbox = Sandbox::new();
            let mut server = start_server(&sandbox, &[]);
            let mut idle = connect_and_ask(&sandbox);
            server.expect("accepted connection 1 from (unnamed)");
            server.signal(signal).unwrap();
            server.expect("stopping");
            assert_eq!(server.expect_end(), Exit::Code(0));
            assert_eq!(idle.line(), None);
            assert_eq!(sandbox.files(), NOTHING);
        }
    }

    #[test]
    fn although_200_clients_are_idle() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut idle: Vec<_> =
            (0..200).map(|_| connect_and_ask(&sandbox)).collect();
        server.signal(Signal::TERM).unwrap();
        expect_orderly_end(&sandbox, &mut server);
        assert!(idle.iter_mut().all(|client| client.line().is_none()));
    }

    #[test]
    fn and_says_so_to_a_client_in_the_middle_of_a_request() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut client = connect_and_ask(&sandbox);
        client.write("SET n 1\nSET n 2");
        assert_eq!(client.line().unwrap(), "OK");
        server.expect("accepted connection 1 from (unnamed)");
        server.signal(Signal::TERM).unwrap();
        server.expect("stopping");
        server.expect("connection 1: the last line has no end");
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert_eq!(client.line().unwrap(), "ERR the last line has no end");
        assert_eq!(client.line(), None);
        assert_eq!(sandbox.files(), NOTHING);
    }

    #[test]
    fn and_takes_no_new_request() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let client = connect_and_ask(&sandbox);
        server.signal(Signal::TERM).unwrap();
        expect_orderly_end(&sandbox, &mut server);
        let error = client.stream().write_all(b"GET n\n").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}

/// The server is stopped with SIGSTOP, so that all of this has happened when
/// it gets to know of the signal.
#[cfg(target_os = "linux")]
mod it_answers {
    use super::*;

    /// More than it reads at a time.
    #[test]
    fn every_request_that_has_arrived() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut client = connect_and_ask(&sandbox);
        freeze(&server);
        client.write(format!("SET n {}\n", "x".repeat(900)).repeat(100));
        server.signal(Signal::TERM).unwrap();
        server.signal(Signal::CONT).unwrap();
        for _ in 0..100 {
            assert_eq!(client.line().unwrap(), "OK");
        }
        assert_eq!(client.line(), None);
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("stopping");
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert_eq!(sandbox.files(), NOTHING);
    }

    /// More than a socket holds: the server waits until there is room.
    #[test]
    fn a_client_that_takes_its_answers_by_and_by() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut client = connect_and_ask(&sandbox);
        freeze(&server);
        client.write("ADD n 1\n".repeat(1000));
        let signaled = Instant::now();
        server.signal(Signal::TERM).unwrap();
        server.signal(Signal::CONT).unwrap();
        for sum in 1..=1000 {
            let Some(answer) = client.line() else {
                // On a very slow machine it is right to be cut off.
                let time = signaled.elapsed();
                assert!(time >= GRACE, "cut before {sum}, after {time:?}");
                return;
            };
            assert_eq!(answer, format!("VALUE {sum}"));
        }
        assert_eq!(client.line(), None);
        expect_orderly_end(&sandbox, &mut server);
    }

    /// Answers that a socket holds are the client's when the server has ended.
    #[test]
    fn a_client_that_reads_only_afterwards() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut client = connect_and_ask(&sandbox);
        freeze(&server);
        client.write("ADD n 1\n".repeat(100));
        server.signal(Signal::TERM).unwrap();
        server.signal(Signal::CONT).unwrap();
        expect_orderly_end(&sandbox, &mut server);
        for sum in 1..=100 {
            assert_eq!(client.line().unwrap(), format!("VALUE {sum}"));
        }
        assert_eq!(client.line(), None);
    }

    #[test]
    fn the_clients_that_wait_in_the_backlog() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        freeze(&server);
        let mut clients: Vec<_> = (0..20).map(|_| connect(&sandbox)).collect();
        for client in &mut clients {
            client.write("ADD n 1\n");
        }
        server.signal(Signal::TERM).unwrap();
        server.signal(Signal::CONT).unwrap();
        let mut sums = Vec::new();
        for client in &mut clients {
            let sum = client.line().expect("an answer");
            sums.push(sum["VALUE ".len()..].parse::<usize>().unwrap());
            assert_eq!(client.line(), None);
        }
        sums.sort();
        assert!(sums.into_iter().eq(1..=20));
        server.expect("stopping");
        for number in 1..=20 {
            let line = format!("accepted connection {number} from (unnamed)");
            server.expect(&line);
        }
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert_eq!(sandbox.files(), NOTHING);
    }

    #[test]
    fn a_request_and_then_the_half_of_one() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        freeze(&server);
        let mut client = connect(&sandbox);
        client.write("#1 SET n 1\n#2 SET n");
        server.signal(Signal::TERM).unwrap();
        server.signal(Signal::CONT).unwrap();
        assert_eq!(client.line().unwrap(), "#1 OK");
        assert_eq!(client.line().unwrap(), "ERR the last line has no end");
        assert_eq!(client.line(), None);
        expect_orderly_end(&sandbox, &mut server);
    }

    #[test]
    fn the_client_of_this_step() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        freeze(&server);
        let client = cargo_bin!("step13-client");
        let mut client = sandbox.start(client, &["ADD n 1"]);
        // Once it has a socket, it sleeps only when it waits for an answer.
        let deadline = Instant::now() + DEADLINE;
        while client.socket_inodes().is_empty() {
            assert!(Instant::now() < deadline, "it opens no socket");
            std::thread::yield_now();
        }
        harness::wait_for_state(&client, 'S');
        server.signal(Signal::TERM).unwrap();
        server.signal(Signal::CONT).unwrap();
        client.expect("VALUE 1");
        assert_eq!(client.expect_end(), Exit::Code(0));
        expect_orderly_end(&sandbox, &mut server);
    }

    /// Two signals of a kind that nobody has taken yet are one.
    #[test]
    fn after_two_signals_at_once_of_a_kind() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        freeze(&server);
        let mut client = connect(&sandbox);
        client.write("GET n\n");
        server.signal(Signal::TERM).unwrap();
        server.signal(Signal::TERM).unwrap();
        server.signal(Signal::CONT).unwrap();
        assert_eq!(client.line().unwrap(), "NONE");
        expect_orderly_end(&sandbox, &mut server);
    }
}

mod who_does_not_take_the_answers {
    use super::*;

    #[test]
    fn is_cut_off_after_two_seconds() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let _rude = never_read(&sandbox);
        let mut idle = connect_and_ask(&sandbox);
        let signaled = Instant::now();
        server.signal(Signal::TERM).unwrap();
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("accepted connection 2 from (unnamed)");
        server.expect("stopping");
        // The others do not wait for it.
        assert_eq!(idle.line(), None);
        server.expect_containing("connection 1: cannot answer: Broken pipe");
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert!(signaled.elapsed() >= GRACE, "{:?}", signaled.elapsed());
        assert_eq!(sandbox.files(), NOTHING);
    }

    #[test]
    fn holds_no_name() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let _rude = never_read(&sandbox);
        server.expect("accepted connection 1 from (unnamed)");
        server.signal(Signal::TERM).unwrap();
        server.expect("stopping");
        assert_eq!(sandbox.files(), NOTHING);
        expect_nobody_listens(&sandbox);
        server.expect_containing("connection 1: cannot answer: ");
        assert_eq!(server.expect_end(), Exit::Code(0));
    }

    #[test]
    fn is_cut_off_at_once_by_a_second_signal() {
        let (term, int) = (Signal::TERM, Signal::INT);
        for (first, second) in
            [(term, term), (term, int), (int, int), (int, term)]
        {
            let sandbox = Sandbox::new();
            let mut server = start_server(&sandbox, &[]);
            let _rude = never_read(&sandbox);
            server.expect("accepted connection 1 from (unnamed)");
            server.signal(first).unwrap();
            server.expect("stopping");
            server.signal(second).unwrap();
            assert_eq!(server.expect_end(), Exit::Signal(second.as_raw()));
            assert_eq!(sandbox.files(), NOTHING);
        }
    }
}

mod its_name {
    use super::*;

    #[test]
    fn is_free_for_the_next_server_whose_socket_it_leaves_alone() {
        let sandbox = Sandbox::new();
        let mut older = start_server(&sandbox, &[]);
        let _rude = never_read(&sandbox);
        older.expect("accepted connection 1 from (unnamed)");
        older.signal(Signal::TERM).unwrap();
        older.expect("stopping");
        let mut newer = start_server(&sandbox, &[]);
        let mut client = connect_and_ask(&sandbox);
        older.expect_containing("connection 1: cannot answer: ");
        assert_eq!(older.expect_end(), Exit::Code(0));

        assert_eq!(client.ask("GET n"), "NONE");
        connect_and_ask(&sandbox);
        newer.signal(Signal::TERM).unwrap();
        expect_orderly_end(&sandbox, &mut newer);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn is_left_to_the_next_server_by_a_second_signal_too() {
        let sandbox = Sandbox::new();
        let mut older = start_server(&sandbox, &[]);
        let _rude = never_read(&sandbox);
        older.expect("accepted connection 1 from (unnamed)");
        older.signal(Signal::TERM).unwrap();
        older.expect("stopping");
        freeze(&older);
        let _newer = start_server(&sandbox, &[]);
        older.signal(Signal::TERM).unwrap();
        older.signal(Signal::CONT).unwrap();
        let killed = Exit::Signal(Signal::TERM.as_raw());
        assert_eq!(older.expect_end(), killed);
        connect_and_ask(&sandbox);
    }

    #[test]
    fn is_left_alone_when_it_is_another_servers() {
        let sandbox = Sandbox::new();
        let mut older = start_server(&sandbox, &[]);
        let (name, moved) = (sandbox.join("mysocket"), sandbox.join("moved"));
        fs::rename(name, moved).unwrap();
        let mut newer = start_server(&sandbox, &[]);
        older.signal(Signal::TERM).unwrap();
        older.expect("stopping");
        assert_eq!(older.expect_end(), Exit::Code(0));

        connect_and_ask(&sandbox);
        newer.signal(Signal::TERM).unwrap();
        newer.expect_containing("stopping");
        assert_eq!(newer.expect_end(), Exit::Code(0));
        assert_eq!(sandbox.files(), ["moved"]);
    }

    #[test]
    fn is_left_alone_when_it_is_a_files() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let (name, moved) = (sandbox.join("mysocket"), sandbox.join("moved"));
        fs::rename(&name, moved).unwrap();
        fs::write(&name, "precious").unwrap();
        server.signal(Signal::TERM).unwrap();
        server.expect("stopping");
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert_eq!(fs::read_to_string(name).unwrap(), "precious");
    }

    #[test]
    fn may_be_gone_already() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut client = connect_and_ask(&sandbox);
        fs::remove_file(sandbox.join("mysocket")).unwrap();
        assert_eq!(client.ask("GET n"), "NONE");
        server.expect("accepted connection 1 from (unnamed)");
        server.signal(Signal::TERM).unwrap();
        server.expect("stopping");
        assert_eq!(server.expect_end(), Exit::Code(0));
    }

    #[test]
    fn is_not_taken_from_a_server_that_lives() {
        let sandbox = Sandbox::new();
        let mut first = start_server(&sandbox, &[]);
        let second = sandbox.command(cargo_bin!("step13-server"));
        Command::from_std(second)
            .timeout(DEADLINE)
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains("a server is already listening on mysocket"));
        connect_and_ask(&sandbox);
        first.signal(Signal::TERM).unwrap();
        expect_orderly_end(&sandbox, &mut first);
    }

    #[test]
    fn is_not_taken_from_a_file() {
        let sandbox = Sandbox::new();
        fs::write(sandbox.join("mysocket"), "precious").unwrap();
        let server = sandbox.command(cargo_bin!("step13-server"));
        Command::from_std(server)
            .timeout(DEADLINE)
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains("mysocket is in the way"));
        let content = fs::read_to_string(sandbox.join("mysocket")).unwrap();
        assert_eq!(content, "precious");
    }
}

/// All that the chapters have warned of, done to one server each.
#[cfg(target_os = "linux")]
mod it_withstands {
    use super::*;

    use std::os::fd::OwnedFd;
    use std::os::unix::process::ExitStatusExt;
    use std::thread;

    use harness::{limit_descriptors, peak_memory, processor_time};

    /// A server to which something is done. Others are served afterwards, and
    /// then it stops.
    fn withstand(abuse: impl FnOnce(&Sandbox, &mut Program)) {
        withstand_with(&[], abuse);
    }

    /// The same, with a second for a request.
    fn withstand_soon(abuse: impl FnOnce(&Sandbox, &mut Program)) {
        withstand_with(&["1000"], abuse);
    }

    fn withstand_with(
        arguments: &[&str],
        abuse: impl FnOnce(&Sandbox, &mut Program),
    ) {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, arguments);
        harness::wait_for_sleep(&server);
        let sockets = server.socket_inodes().len();

        abuse(&sandbox, &mut server);

        expect_service(&sandbox);
        wait_for_sockets(&server, sockets);
        harness::wait_for_sleep(&server);
        let peak = peak_memory(&server);
        assert!(peak < 64 * 1024, "{peak} KiB");
        // An idle client does not hold it.
        let mut idle = connect_and_ask(&sandbox);
        server.signal(Signal::TERM).unwrap();
        expect_orderly_end(&sandbox, &mut server);
        assert_eq!(idle.line(), None);
    }

    #[track_caller]
    fn expect_service(sandbox: &Sandbox) {
        let mut client = connect(sandbox);
        assert_eq!(client.ask("#healthy SET n 1"), "#healthy OK");
        assert_eq!(client.ask("GET n"), "VALUE 1");
    }

    /// Waits until the server has only so many sockets open.
    #[track_caller]
    fn wait_for_sockets(server: &Program, most: usize) {
        let deadline = Instant::now() + DEADLINE;
        while server.socket_inodes().len() > most {
            assert!(Instant::now() < deadline, "it keeps sockets open");
            thread::yield_now();
        }
    }

    /// Standard input, output and error are open already. The limit is not 0:
    /// poll(2) waits for no more descriptors than a program may have.
    fn use_up_descriptors(server: &Program) {
        limit_descriptors(server, 3);
    }

    /// What is left to read, whether the connection ends or is reset.
    fn rest(mut stream: &UnixStream) -> String {
        let mut rest = Vec::new();
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        String::from_utf8(rest).unwrap()
    }

    #[test]
    fn two_hundred_clients_at_once() {
        withstand(|sandbox, _| {
            let clients: Vec<_> = (0..200).map(|_| connect(sandbox)).collect();
            thread::scope(|scope| {
                for (number, mut client) in clients.into_iter().enumerate() {
                    scope.spawn(move || {
                        let set = format!("#{number} SET {number} mine");
                        let answer = format!("#{number} OK");
                        assert_eq!(client.ask(&set), answer);
                        let get = format!("GET {number}");
                        assert_eq!(client.ask(&get), "VALUE mine");
                    });
                }
            });
        });
    }

    #[test]
    fn more_clients_than_it_serves() {
        withstand(|sandbox, _| {
            let mut served: Vec<_> =
                (0..256).map(|_| connect(sandbox)).collect();
            // Clients are accepted in order: these are too many.
            for _ in 0..20 {
                assert_eq!(connect(sandbox).line().unwrap(), "ERR busy");
            }
            let last = served.last_mut().unwrap();
            assert_eq!(last.ask("GET n"), "NONE");
            drop(served);
            // It takes a moment until it has seen that they are gone.
            let deadline = Instant::now() + DEADLINE;
            loop {
                let mut client = connect(sandbox);
                // It may be refused and gone before it has asked.
                let _ = client.stream().write_all(b"GET n\n");
                if client.line().as_deref() == Some("NONE") {
                    return;
                }
                assert!(Instant::now() < deadline, "busy for ever");
            }
        });
    }

    #[test]
    fn a_client_that_never_reads() {
        withstand_soon(|sandbox, server| {
            let rude = never_read(sandbox);
            expect_service(sandbox);
            // It is cut off as soon as its time is over.
            server.expect_containing("connection 1: cannot answer: ");
            drop(rude);
        });
    }

    #[test]
    fn a_client_that_never_writes() {
        withstand_soon(|sandbox, server| {
            let time = processor_time(server);
            let mut mute = connect(sandbox);
            expect_service(sandbox);
            let answer = mute.line().unwrap();
            assert_eq!(answer, "ERR cannot read the request: timed out");
            assert_eq!(mute.line(), None);
            // It slept while it waited.
            let time = processor_time(server) - time;
            assert!(time.as_millis() < 200, "{time:?}");
        });
    }

    #[test]
    fn a_client_that_drips() {
        withstand_soon(|sandbox, server| {
            let dripping = sandbox.connect("mysocket");
            expect_service(sandbox);
            // An answer is awaited for a moment after each byte.
            let moment = Some(Duration::from_millis(20));
            dripping.set_read_timeout(moment).unwrap();
            let deadline = Instant::now() + DEADLINE;
            let mut answer = [0; 100];
            let length = loop {
                assert!(Instant::now() < deadline, "it drips on and on");
                // It fails once the server has closed; the answer is there.
                let _ = (&dripping).write(b"x");
                match (&dripping).read(&mut answer) {
                    Ok(length) => break length,
                    Err(error) => assert!(matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::Interrupted
                    )),
                }
            };
            assert_eq!(
                str::from_utf8(&answer[..length]).unwrap(),
                "ERR cannot read the request: timed out\n"
            );
            server.expect_containing("connection 1: cannot read the request");
        });
    }

    #[test]
    fn sixty_four_megabytes_without_an_end() {
        withstand(|sandbox, _| {
            let mut stream = sandbox.connect("mysocket");
            let flood = vec![b'x'; 64 * 1024 * 1024];
            let error = stream.write_all(&flood).unwrap_err();
            assert!(matches!(
                error.kind(),
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
            ));
            assert_eq!(rest(&stream), "ERR the line is too long\n");
        });
    }

    #[test]
    fn sixty_four_megabytes_of_requests() {
        withstand(|sandbox, _| {
            let stream = sandbox.connect("mysocket");
            let request = format!("SET n {}\n", "x".repeat(1000));
            let requests = request.repeat(64 * 1024 * 1024 / request.len());
            thread::scope(|scope| {
                let writer = scope.spawn(|| {
                    (&stream).write_all(requests.as_bytes()).unwrap();
                    stream.shutdown(std::net::Shutdown::Write).unwrap();
                });
                let answers = rest(&stream);
                writer.join().unwrap();
                assert_eq!(answers.lines().count(), requests.lines().count());
                assert!(answers.lines().all(|answer| answer == "OK"));
            });
        });
    }

    #[test]
    fn bytes_that_are_no_text() {
        withstand(|sandbox, _| {
            let mut client = connect(sandbox);
            client.write(b"\xff\xfe\n\0\n\n\x1b[2J\n# \n#\n");
            let first = client.line().unwrap();
            assert_eq!(first, "ERR the request is not text");
            for _ in 0..5 {
                assert!(client.line().unwrap().contains("ERR I know "));
            }
            assert_eq!(client.ask("GET n"), "NONE");
        });
    }

    #[test]
    fn a_client_that_is_killed_in_the_middle_of_a_request() {
        withstand(|sandbox, server| {
            let status = sandbox
                .command("sh")
                .args(["-c", "printf 'SET n'; kill -9 $$; printf ' 1\n'"])
                .stdout(OwnedFd::from(sandbox.connect("mysocket")))
                .status();
            assert_eq!(status.unwrap().signal(), Some(9));
            server.expect_containing("connection 1: the last line has no end");
            assert_eq!(connect(sandbox).ask("GET n"), "NONE");
        });
    }

    #[test]
    fn a_client_that_leaves_without_its_answers() {
        withstand(|sandbox, server| {
            drop(never_read(sandbox));
            server.expect_containing("connection 1: cannot ");
        });
    }

    #[test]
    fn a_thousand_clients_that_come_and_go() {
        withstand(|sandbox, server| {
            for _ in 0..1000 {
                drop(sandbox.connect("mysocket"));
            }
            server.expect_containing("accepted connection 1000 from");
        });
    }

    #[test]
    fn descriptors_that_are_used_up() {
        withstand(|sandbox, server| {
            let mut before = connect_and_ask(sandbox);
            let (started, time) = (Instant::now(), processor_time(server));
            use_up_descriptors(server);
            let mut waiting = connect(sandbox);
            waiting.write("GET n\n");
            for _ in 0..10 {
                server.expect_containing("cannot accept: Too many open files");
            }
            // A pause lay between each and the next, and next to no work.
            assert!(started.elapsed() >= Duration::from_millis(900));
            let time = processor_time(server) - time;
            assert!(time.as_millis() < 200, "{time:?}");
            // Whoever has a connection does not notice.
            assert_eq!(before.ask("GET n"), "NONE");
            drop(before);
            limit_descriptors(server, 1000);
            assert_eq!(waiting.line().unwrap(), "NONE");
        });
    }

    #[test]
    fn a_signal_while_descriptors_are_used_up() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let mut idle = connect_and_ask(&sandbox);
        use_up_descriptors(&server);
        let waiting = sandbox.connect("mysocket");
        server.expect_containing("cannot accept: Too many open files");
        assert_eq!(idle.ask("GET n"), "NONE");
        server.signal(Signal::TERM).unwrap();
        expect_orderly_end(&sandbox, &mut server);
        assert_eq!(idle.line(), None);
        // There was no descriptor for it.
        assert_eq!(rest(&waiting), "");
    }

    #[test]
    fn all_of_it_at_once() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let _rude = never_read(&sandbox);
        let mut mute = connect(&sandbox);
        let mut half = connect(&sandbox);
        half.write("SET n");
        let mut flood = sandbox.connect("mysocket");
        let _ = flood.write_all(&[b'x'; 1024 * 1024]);
        assert_eq!(rest(&flood), "ERR the line is too long\n");
        drop(never_read(&sandbox));
        let _crowd: Vec<_> =
            (0..100).map(|_| connect_and_ask(&sandbox)).collect();
        expect_service(&sandbox);
        assert!(peak_memory(&server) < 64 * 1024);

        server.signal(Signal::TERM).unwrap();
        expect_orderly_end(&sandbox, &mut server);
        assert_eq!(mute.line(), None);
        assert_eq!(half.line().unwrap(), "ERR the last line has no end");
        assert_eq!(half.line(), None);
    }
}

/// What the chapter says of signals, and not of the program.
mod facts {
    use super::*;

    use signal_hook::consts::SIGUSR1;
    use signal_hook::low_level::{pipe, raise};

    #[test]
    fn a_signal_that_is_not_caught_runs_no_destructor() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        server.signal(Signal::HUP).unwrap();
        let killed = Exit::Signal(Signal::HUP.as_raw());
        assert_eq!(server.expect_end(), killed);
        assert_eq!(sandbox.files(), ["mysocket"]);
    }

    #[test]
    fn a_handler_may_write_to_a_pair_that_we_read() {
        let (mut ours, asked) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(DEADLINE)).unwrap();
        pipe::register(SIGUSR1, asked).unwrap();
        raise(SIGUSR1).unwrap();
        ours.read_exact(&mut [0]).unwrap();
    }

    #[test]
    fn a_client_that_waits_is_accepted_although_the_name_is_gone() {
        let sandbox = Sandbox::new();
        let path = sandbox.join("mysocket");
        let listener = UnixListener::bind(&path).unwrap();
        let mut client = sandbox.connect("mysocket");
        fs::remove_file(path).unwrap();
        expect_nobody_listens(&sandbox);
        let mut stream = harness::accept(&listener);
        stream.write_all(b"served").unwrap();
        let mut bytes = [0; 6];
        client.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"served");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn after_a_shutdown_of_reading_what_has_arrived_is_still_read() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"arrived").unwrap();
        ours.shutdown(std::net::Shutdown::Read).unwrap();
        let error = theirs.write_all(b"late").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let mut bytes = Vec::new();
        ours.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"arrived");
        ours.write_all(b"answer").unwrap();
    }
}
