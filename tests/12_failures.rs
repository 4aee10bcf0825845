//! What step 12 promises: a request that starts with `#`, an id and a space is
//! safe to repeat. Whoever sends the same id again gets the same answer, and it
//! was executed once; the server knows the latest 1000 ids. `ADD` is the
//! request that must not be executed twice. The client gives each request an
//! id of its own and asks up to five times, each time over a connection of its
//! own, and says how far each attempt came. A client that is gone undoes
//! nothing, and a request without its newline is none.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};

use assert_cmd::cargo::cargo_bin;
use harness::{Conversation, Exit, Program, Sandbox, Signal, accept};

/// A server that is ready.
fn start_server(sandbox: &Sandbox) -> Program {
    let mut server = sandbox.start(cargo_bin!("step12-server"), &[]);
    server.expect("listening on mysocket");
    server
}

fn start_client(sandbox: &Sandbox, requests: &[&str]) -> Program {
    sandbox.start(cargo_bin!("step12-client"), requests)
}

fn connect(sandbox: &Sandbox) -> Conversation {
    Conversation::over(sandbox.connect("mysocket"))
}

mod the_server {
    use super::*;

    use std::os::fd::OwnedFd;
    use std::os::unix::process::ExitStatusExt;
    use std::thread;

    #[test]
    fn executes_each_id() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        assert_eq!(client.ask("#a ADD n 1"), "#a VALUE 1");
        assert_eq!(client.ask("#b ADD n 1"), "#b VALUE 2");
        assert_eq!(client.ask("#A ADD n 1"), "#A VALUE 3");
        // The first answer is still the answer, whatever came since.
        assert_eq!(client.ask("#a ADD n 1"), "#a VALUE 1");
    }

    #[test]
    fn repeats_an_error_too() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        assert_eq!(client.ask("SET n much"), "OK");
        assert_eq!(client.ask("#a ADD n 1"), "#a ERR cannot add");
        assert_eq!(client.ask("SET n 1"), "OK");
        assert_eq!(client.ask("#a ADD n 1"), "#a ERR cannot add");
        assert_eq!(client.ask("GET n"), "VALUE 1");
    }

    #[test]
    fn gives_each_kind_of_answer_its_id() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        assert_eq!(client.ask("#1 SET n two words"), "#1 OK");
        assert_eq!(client.ask("#2 GET n"), "#2 VALUE two words");
        assert_eq!(client.ask("#3 DEL n"), "#3 OK");
        assert_eq!(client.ask("#4 GET n"), "#4 NONE");
        let answer = client.ask("#5 PUT n");
        assert!(answer.starts_with("#5 ERR I know "), "{answer}");
        let answer = client.ask("#no-space");
        assert!(answer.starts_with("ERR I know "), "{answer}");
    }

    #[test]
    fn forgets_an_id_after_1000_others() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        assert_eq!(client.ask("#first ADD n 1"), "#first VALUE 1");
        for id in 1..1000 {
            assert_eq!(
                client.ask(&format!("#{id} GET x")),
                format!("#{id} NONE")
            );
        }
        assert_eq!(client.ask("#first ADD n 1"), "#first VALUE 1");
        assert_eq!(client.ask("#1000 GET x"), "#1000 NONE");
        assert_eq!(client.ask("#first ADD n 1"), "#first VALUE 2");
    }

    #[test]
    fn executes_each_request_without_an_id_and_remembers_none() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        assert_eq!(client.ask("#a ADD other 1"), "#a VALUE 1");
        for sum in 1..=1000 {
            assert_eq!(client.ask("ADD n 1"), format!("VALUE {sum}"));
        }
        assert_eq!(client.ask("#a ADD other 1"), "#a VALUE 1");
    }

    #[test]
    fn executes_once_what_200_clients_ask_at_once() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox);
        let clients: Vec<_> = (0..200).map(|_| connect(&sandbox)).collect();
        thread::scope(|scope| {
            for mut client in clients {
                scope.spawn(move || {
                    assert_eq!(client.ask("#same ADD n 1"), "#same VALUE 1");
                });
            }
        });
        assert_eq!(connect(&sandbox).ask("#last ADD n 1"), "#last VALUE 2");
    }

    #[test]
    fn loses_no_addition_of_200_clients() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox);
        let clients: Vec<_> = (0..200).map(|_| connect(&sandbox)).collect();
        thread::scope(|scope| {
            for (id, mut client) in clients.into_iter().enumerate() {
                scope.spawn(move || {
                    client.ask(&format!("#{id} ADD n 1"));
                });
            }
        });
        assert_eq!(connect(&sandbox).ask("GET n"), "VALUE 200");
    }

    /// On Linux the server's write fails once the client has said that it reads
    /// no more, as it does when the client is gone.
    #[test]
    #[cfg(target_os = "linux")]
    fn has_executed_what_it_could_not_answer() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        client.stream().shutdown(Shutdown::Read).unwrap();
        client.write("#a ADD n 1\n");
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("connection 1: cannot answer: Broken pipe (os error 32)");

        let mut again = connect(&sandbox);
        assert_eq!(again.ask("GET n"), "VALUE 1");
        assert_eq!(again.ask("#a ADD n 1"), "#a VALUE 1");
        assert_eq!(again.ask("GET n"), "VALUE 1");
    }

    #[test]
    fn executes_no_request_of_which_a_killed_client_wrote_half() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox);
        let script = r"printf '#a ADD n 1'; kill -9 $$; printf '0\n'";
        let status = sandbox
            .command("sh")
            .args(["-c", script])
            .stdout(OwnedFd::from(sandbox.connect("mysocket")))
            .status();
        assert_eq!(status.unwrap().signal(), Some(9));
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("connection 1: the last line has no end");

        let mut client = connect(&sandbox);
        assert_eq!(client.ask("GET n"), "NONE");
        assert_eq!(client.ask("#a ADD n 10"), "#a VALUE 10");
    }

    #[test]
    fn remembers_no_line_that_is_not_text() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        client.write(b"#a SET n \xff\n");
        assert_eq!(client.line().unwrap(), "ERR the request is not text");
        assert_eq!(client.ask("#a GET n"), "#a NONE");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn stays_small_with_1000_of_the_longest_answers() {
        let sandbox = Sandbox::new();
        let server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        let value = "v".repeat(1000);
        assert_eq!(client.ask(&format!("SET n {value}")), "OK");
        for id in 0..1100 {
            let id = format!("{id:01000}");
            let answer = client.ask(&format!("#{id} GET n"));
            assert_eq!(answer, format!("#{id} VALUE {value}"));
        }
        let peak = harness::peak_memory(&server);
        assert!(peak < 32 * 1024, "{peak} KiB");
    }
}

mod add {
    use super::*;

    #[test]
    fn changes_nothing_when_the_sum_is_too_large() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        for (entry, number) in [(i64::MAX, 1), (i64::MIN, -1)] {
            let value = format!("VALUE {entry}");
            assert_eq!(client.ask(&format!("SET n {entry}")), "OK");
            let add = format!("ADD n {number}");
            assert_eq!(client.ask(&add), "ERR cannot add");
            assert_eq!(client.ask("GET n"), value);
            assert_eq!(client.ask("ADD n 0"), value);
        }
    }

    #[test]
    fn adds_no_text() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        for number in ["one", "", "1.5", "1 2", " 1", "9223372036854775808"] {
            let add = format!("ADD n {number}");
            assert_eq!(client.ask(&add), "ERR cannot add", "{add:?}");
        }
        assert_eq!(client.ask("GET n"), "NONE");
        assert!(client.ask("ADD n").starts_with("ERR I know "));
    }

    #[test]
    fn adds_to_no_text() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        for text in ["seven", "", "1.5", " 1"] {
            assert_eq!(client.ask(&format!("SET n {text}")), "OK");
            assert_eq!(client.ask("ADD n 1"), "ERR cannot add", "{text:?}");
            assert_eq!(client.ask("GET n"), format!("VALUE {text}"));
        }
    }

    #[test]
    fn makes_no_entry_where_there_is_no_room() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        for entry in 0..1000 {
            assert_eq!(client.ask(&format!("SET {entry} 1")), "OK");
        }
        assert_eq!(client.ask("ADD n 1"), "ERR cannot add");
        assert_eq!(client.ask("GET n"), "NONE");
        assert_eq!(client.ask("ADD 999 1"), "VALUE 2");
    }
}

/// Its servers are the tests themselves, but where they say otherwise.
mod the_client {
    use super::*;

    use std::collections::HashSet;
    use std::fs;
    use std::time::{Duration, Instant};

    use assert_cmd::Command;
    use harness::DEADLINE;
    use predicates::str::contains;

    fn listen(sandbox: &Sandbox) -> UnixListener {
        UnixListener::bind(sandbox.join("mysocket")).unwrap()
    }

    /// The next client and what it asks: its id with `#`, and its request.
    #[track_caller]
    fn next_request(listener: &UnixListener) -> (Conversation, String, String) {
        let mut client = Conversation::over(accept(listener));
        let line = client.line().expect("it asks for something");
        let (id, request) = line.split_once(' ').expect("an id comes first");
        assert!(id.starts_with('#') && id.len() > 1, "{line:?}");
        (client, id.to_owned(), request.to_owned())
    }

    /// Accepts the second attempt, which must be the same, and answers it.
    #[track_caller]
    fn expect_the_same_again(
        listener: &UnixListener,
        client: &mut Program,
        first: (String, String),
    ) {
        let (mut conversation, id, request) = next_request(listener);
        assert_eq!((&id, &request), (&first.0, &first.1));
        conversation.write(format!("{id} VALUE 1\n"));
        client.expect("VALUE 1");
        assert_eq!(client.expect_end(), Exit::Code(0));
    }

    #[test]
    fn prints_the_answers_of_the_server() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox);
        let requests = ["SET n 7", "ADD n 1", "GET n", "DEL n", "GET n"];
        let mut client = start_client(&sandbox, &requests);
        for answer in ["OK", "VALUE 8", "VALUE 8", "OK", "NONE"] {
            client.expect(answer);
        }
        assert_eq!(client.expect_end(), Exit::Code(0));
    }

    #[test]
    fn asks_again_when_the_server_ends_without_an_answer() {
        let sandbox = Sandbox::new();
        let listener = listen(&sandbox);
        let mut client = start_client(&sandbox, &["ADD n 1"]);
        let (conversation, id, request) = next_request(&listener);
        assert_eq!(request, "ADD n 1");
        drop(conversation);
        client.expect("attempt 1: sent, and no answer: the server ended");
        expect_the_same_again(&listener, &mut client, (id, request));
    }

    /// Closing with something unread is a reset on Linux, and no end.
    #[test]
    fn asks_again_when_the_connection_is_reset() {
        let sandbox = Sandbox::new();
        let listener = listen(&sandbox);
        let mut client = start_client(&sandbox, &["ADD n 1"]);
        let mut stream = accept(&listener);
        stream.read_exact(&mut [0]).unwrap();
        drop(stream);
        let line = client.expect_containing("attempt 1: ");
        assert!(line.contains("sent, and no answer: "), "{line}");
        #[cfg(target_os = "linux")]
        assert!(line.contains("cannot read: Connection reset"), "{line}");

        let (mut conversation, id, request) = next_request(&listener);
        assert_eq!(request, "ADD n 1");
        conversation.write(format!("{id} OK\n"));
        client.expect("OK");
        assert_eq!(client.expect_end(), Exit::Code(0));
    }

    #[test]
    fn takes_half_an_answer_for_none() {
        let sandbox = Sandbox::new();
        let listener = listen(&sandbox);
        let mut client = start_client(&sandbox, &["ADD n 1"]);
        let (mut conversation, id, request) = next_request(&listener);
        conversation.write(format!("{id} VALUE 1"));
        drop(conversation);
        client.expect("attempt 1: sent, and half an answer: the server ended");
        expect_the_same_again(&listener, &mut client, (id, request));
    }

    #[test]
    fn takes_no_answer_to_another_request() {
        for answer in ["#0 VALUE 9", "VALUE 9", "ERR busy", ""] {
            let sandbox = Sandbox::new();
            let listener = listen(&sandbox);
            let mut client = start_client(&sandbox, &["ADD n 1"]);
            let (mut conversation, id, request) = next_request(&listener);
            conversation.write(format!("{answer}\n"));
            client.expect(&format!(
                "attempt 1: sent, and this is no answer to it: {answer:?}"
            ));
            expect_the_same_again(&listener, &mut client, (id, request));
        }
    }

    /// Two seconds: the one limit that takes its time here.
    #[test]
    fn waits_two_seconds_for_an_answer_and_then_asks_again() {
        let sandbox = Sandbox::new();
        let listener = listen(&sandbox);
        let started = Instant::now();
        let mut client = start_client(&sandbox, &["ADD n 1"]);
        let (conversation, id, request) = next_request(&listener);
        let line = client.expect_containing("attempt 1: ");
        let expected = "attempt 1: sent, and no answer: cannot read: ";
        assert!(line.starts_with(expected), "{line}");
        assert!(started.elapsed() >= Duration::from_secs(2));
        expect_the_same_again(&listener, &mut client, (id, request));
        drop(conversation);
    }

    #[test]
    fn gives_up_after_five_attempts() {
        let sandbox = Sandbox::new();
        let listener = listen(&sandbox);
        let mut client = start_client(&sandbox, &["ADD n 1", "GET n"]);
        let mut asked = HashSet::new();
        let started = Instant::now();
        for attempt in 1..=5 {
            let (conversation, id, request) = next_request(&listener);
            asked.insert((id, request));
            drop(conversation);
            let reason = "sent, and no answer: the server ended";
            client.expect(&match attempt {
                5 => format!("Error: {reason}"),
                _ => format!("attempt {attempt}: {reason}"),
            });
        }
        assert_eq!(client.expect_end(), Exit::Code(1));
        assert_eq!(asked.len(), 1, "{asked:?}");
        // Pauses of 100, 200, 300 and 400 milliseconds.
        assert!(started.elapsed() >= Duration::from_secs(1));
        // Neither a sixth attempt nor the next request.
        listener.set_nonblocking(true).unwrap();
        let error = listener.accept().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn says_that_nothing_was_sent_where_there_is_no_server() {
        let sandbox = Sandbox::new();
        let mut client = start_client(&sandbox, &["ADD n 1"]);
        for attempt in 1..5 {
            client.expect(&format!(
                "attempt {attempt}: not sent: no connection: \
                 No such file or directory (os error 2)"
            ));
        }
        client.expect("Error: not sent: no connection");
        client.expect_containing("No such file or directory");
        assert_eq!(client.expect_end(), Exit::Code(1));
    }

    /// Stopped meanwhile, so that its attempts wait for a slow machine.
    #[test]
    fn finds_a_server_that_starts_late() {
        let sandbox = Sandbox::new();
        let mut client = start_client(&sandbox, &["ADD n 1"]);
        client.expect_containing("attempt 1: not sent: ");
        client.signal(Signal::STOP).unwrap();
        let _server = start_server(&sandbox);
        client.signal(Signal::CONT).unwrap();
        client.expect_containing("VALUE 1");
        assert_eq!(client.expect_end(), Exit::Code(0));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn survives_a_server_that_is_killed_and_started_again() {
        let sandbox = Sandbox::new();
        let mut killed = start_server(&sandbox);
        killed.signal(Signal::STOP).unwrap();
        harness::wait_for_state(&killed, 'T');
        // It connects and writes, and waits for a server that does not run.
        let mut client = start_client(&sandbox, &["ADD n 1"]);
        wait_for_socket(&client);
        harness::wait_for_state(&client, 'S');
        client.signal(Signal::STOP).unwrap();
        harness::wait_for_state(&client, 'T');
        killed.kill();
        let _server = start_server(&sandbox);

        client.signal(Signal::CONT).unwrap();
        client.expect(
            "attempt 1: sent, and no answer: cannot read: \
             Connection reset by peer (os error 104)",
        );
        client.expect("VALUE 1");
        assert_eq!(client.expect_end(), Exit::Code(0));
        assert_eq!(connect(&sandbox).ask("GET n"), "VALUE 1");
    }

    /// Once it has a socket, it sleeps only when it waits for an answer.
    #[cfg(target_os = "linux")]
    #[track_caller]
    fn wait_for_socket(client: &Program) {
        let deadline = Instant::now() + DEADLINE;
        while client.socket_inodes().is_empty() {
            assert!(Instant::now() < deadline, "it opens no socket");
            std::thread::yield_now();
        }
    }

    /// We stand between the client and the real server, and lose its answer.
    #[test]
    fn and_the_server_together_execute_once_what_is_asked_twice() {
        let (sandbox, elsewhere) = (Sandbox::new(), Sandbox::new());
        let _server = start_server(&elsewhere);
        let listener = listen(&sandbox);
        let mut client = start_client(&sandbox, &["ADD n 1"]);

        let (conversation, id, request) = next_request(&listener);
        let lost = connect(&elsewhere).ask(&format!("{id} {request}"));
        drop(conversation);
        client.expect("attempt 1: sent, and no answer: the server ended");

        let (mut conversation, id, request) = next_request(&listener);
        let answer = connect(&elsewhere).ask(&format!("{id} {request}"));
        assert_eq!(answer, lost);
        conversation.write(format!("{answer}\n"));
        client.expect("VALUE 1");
        assert_eq!(client.expect_end(), Exit::Code(0));
        assert_eq!(connect(&elsewhere).ask("GET n"), "VALUE 1");
    }

    #[test]
    fn gives_each_request_an_id_of_its_own() {
        let sandbox = Sandbox::new();
        let listener = listen(&sandbox);
        let mut ids = HashSet::new();
        for _ in 0..3 {
            let mut client = start_client(&sandbox, &["ADD n 1"; 10]);
            for _ in 0..10 {
                let (mut conversation, id, _) = next_request(&listener);
                conversation.write(format!("{id} OK\n"));
                // Each request has its connection, which ends with it.
                assert_eq!(conversation.line(), None);
                client.expect("OK");
                ids.insert(id);
            }
            assert_eq!(client.expect_end(), Exit::Code(0));
        }
        assert_eq!(ids.len(), 30);
    }

    #[test]
    fn asks_only_once_where_it_is_answered() {
        let sandbox = Sandbox::new();
        let listener = listen(&sandbox);
        let mut client = start_client(&sandbox, &["SET a  b c "]);
        let (mut conversation, id, request) = next_request(&listener);
        assert_eq!(request, "SET a  b c ");
        conversation.write(format!("{id} VALUE  x \n"));
        client.expect("VALUE  x ");
        assert_eq!(client.expect_end(), Exit::Code(0));
        listener.set_nonblocking(true).unwrap();
        let error = listener.accept().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn sends_no_request_of_two_lines() {
        let sandbox = Sandbox::new();
        let listener = listen(&sandbox);
        let mut client = sandbox.command(cargo_bin!("step12-client"));
        client.arg("SET n 1\nSET m 2");
        Command::from_std(client)
            .timeout(DEADLINE)
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains("a request is a single line"));
        listener.set_nonblocking(true).unwrap();
        let error = listener.accept().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn reports_each_attempt_where_nobody_listens_any_more() {
        let sandbox = Sandbox::new();
        start_server(&sandbox).kill();
        assert!(fs::exists(sandbox.join("mysocket")).unwrap());
        let mut client = start_client(&sandbox, &["GET n"]);
        for attempt in 1..5 {
            let line = client.expect_containing("attempt ");
            let expected = format!(
                "attempt {attempt}: not sent: no connection: \
                 Connection refused"
            );
            assert!(line.starts_with(&expected), "{line}");
        }
        client.expect("Error: not sent: no connection");
    }
}

/// What the chapter says of sockets, and not of the programs.
mod facts_about_std {
    use super::*;

    /// `theirs` closes with something that it has not read.
    fn reset(ours: &mut UnixStream, theirs: UnixStream) {
        ours.write_all(b"never read").unwrap();
        drop(theirs);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_reset_is_reported_once_and_then_it_is_an_end() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        reset(&mut ours, theirs);
        let error = ours.read_exact(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(ours.read(&mut [0]).unwrap(), 0);
        assert_eq!(ours.read(&mut [0]).unwrap(), 0);
        let error = ours.write(b"more").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_was_written_before_a_reset_is_read_first() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"answer").unwrap();
        reset(&mut ours, theirs);
        let mut answer = [0; 6];
        ours.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"answer");
        let error = ours.read_exact(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn who_waits_at_a_listener_that_closes_gets_a_reset() {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
        let mut silent = sandbox.connect("mysocket");
        let mut asking = sandbox.connect("mysocket");
        asking.write_all(b"GET n\n").unwrap();
        drop(listener);
        for stream in [&mut silent, &mut asking] {
            let error = stream.read_exact(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    }

    #[test]
    fn a_write_to_nobody_is_an_error_and_no_signal() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        theirs.shutdown(Shutdown::Both).unwrap();
        let errors = [
            ours.write(b"x").unwrap_err(),
            ours.write_all(b"x").unwrap_err(),
            // writev(2) takes no MSG_NOSIGNAL: Rust ignores SIGPIPE anyway.
            ours.write_vectored(&[IoSlice::new(b"x")]).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        }
    }

    #[test]
    fn an_end_is_no_error_but_to_who_wants_more() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"half").unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        let error = ours.read_exact(&mut [0; 5]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(ours.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn the_kernel_closes_for_a_killed_server_at_once() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        assert_eq!(client.ask("GET n"), "NONE");
        server.kill();
        // It was reaped: no wait any more.
        client.stream().set_nonblocking(true).unwrap();
        assert_eq!(client.line(), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_killed_server_that_had_not_read_resets() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox);
        let mut client = connect(&sandbox);
        assert_eq!(client.ask("GET n"), "NONE");
        server.signal(Signal::STOP).unwrap();
        harness::wait_for_state(&server, 'T');
        // A write that succeeds says nothing of the server.
        client.write("SET n 1\n");
        server.kill();
        let mut stream = client.stream();
        stream.set_nonblocking(true).unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}
