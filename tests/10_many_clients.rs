//! What step 10 promises: every client has a thread of its own, and the store
//! is theirs together. Whatever a client does or leaves undone, the others do
//! not notice: it may be silent, slow, deaf, long-winded, gone, or talk junk.
//! Where the server cannot take another client, it says so and goes on, without
//! burning the processor. Told how many clients to serve, it waits for the last
//! of them, and leaves nothing behind. What it says is what step 8 says.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use harness::{DEADLINE, Exit, Program, Sandbox, ask, next_line, rest};
use predicates::str::contains;

const NOTHING: [&str; 0] = [];

/// A server that is ready.
fn start_server(sandbox: &Sandbox, arguments: &[&str]) -> Program {
    let mut server = sandbox.start(cargo_bin!("step10-server"), arguments);
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

/// A client that asks for more than the kernel keeps for it, and reads nothing.
fn deaf_client(sandbox: &Sandbox) -> UnixStream {
    let mut client = sandbox.connect("mysocket");
    let value = "x".repeat(1000);
    assert_eq!(ask(&client, &format!("SET long {value}")), "OK");
    client.write_all(&b"GET long\n".repeat(800)).unwrap();
    client
}

mod each_client_alone {
    use super::*;

    #[test]
    fn has_what_it_says_understood() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let client = sandbox.connect("mysocket");
        for (request, answer) in [
            ("GET color", "NONE"),
            ("SET color dark blue", "OK"),
            ("GET color", "VALUE dark blue"),
            ("DEL color", "OK"),
            ("DEL color", "NONE"),
            ("PUT color red", "ERR I know GET name, SET name value, DEL name"),
        ] {
            assert_eq!(ask(&client, request), answer, "{request}");
        }
    }

    #[test]
    fn gets_its_answers_in_the_order_of_its_requests() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let mut client = sandbox.connect("mysocket");
        client.write_all(b"GET x\nSET x 1\nGET x\nDEL x\nGET x\n").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&client), b"NONE\nOK\nVALUE 1\nOK\nNONE\n");
    }
}

mod together {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")] // macOS lets us have 256 descriptors.
    fn two_hundred_are_served_at_once() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let clients: Vec<UnixStream> =
            (1..=200).map(|_| sandbox.connect("mysocket")).collect();
        for number in 1..=200 {
            server.expect(&format!(
                "accepted connection {number} from (unnamed)"
            ));
        }
        // In turns, and the last one first: nobody waits for anybody.
        for (number, client) in clients.iter().enumerate().rev() {
            let request = format!("SET name{number} value{number}");
            assert_eq!(ask(client, &request), "OK");
        }
        for (number, mut client) in clients.iter().enumerate() {
            client.write_all(format!("GET name{number}\n").as_bytes()).unwrap();
        }
        for (number, client) in clients.iter().enumerate().rev() {
            assert_eq!(next_line(client), format!("VALUE value{number}"));
        }
    }

    #[test]
    fn they_lose_nothing_when_all_write_at_once() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let writers = 0..20;
        thread::scope(|scope| {
            for writer in writers.clone() {
                let client = sandbox.connect("mysocket");
                scope.spawn(move || {
                    for number in 0..50 {
                        let name = format!("{writer}.{number}");
                        let set = format!("SET {name} value of {name}");
                        assert_eq!(ask(&client, &set), "OK");
                        let get = format!("GET {name}");
                        let answer = format!("VALUE value of {name}");
                        assert_eq!(ask(&client, &get), answer);
                    }
                });
            }
        });
        let client = sandbox.connect("mysocket");
        for writer in writers {
            for number in 0..50 {
                let name = format!("{writer}.{number}");
                let answer = format!("VALUE value of {name}");
                assert_eq!(ask(&client, &format!("GET {name}")), answer);
            }
        }
        // A thousand entries: that many are kept, however they came.
        assert_eq!(ask(&client, "SET more 1"), "ERR the store is full");
    }
}

mod is_not_held_up_by {
    use super::*;

    #[test]
    fn a_client_that_writes_a_byte_at_a_time() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let mut slow = sandbox.connect("mysocket");
        for byte in b"GET service\n" {
            expect_service(&sandbox);
            slow.write_all(&[*byte]).unwrap();
        }
        assert_eq!(next_line(&slow), "VALUE works");
    }

    /// Its thread waits in `write`, and must not hold the store meanwhile.
    #[test]
    fn a_client_that_reads_no_answers() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let before = sandbox.connect("mysocket");
        assert_eq!(ask(&before, "GET service"), "NONE");
        let mut deaf = deaf_client(&sandbox);
        #[cfg(target_os = "linux")]
        harness::wait_for_sleep(&server);
        expect_service(&sandbox);
        assert_eq!(ask(&before, "GET service"), "VALUE works");
        assert_eq!(ask(&before, "DEL service"), "OK");

        // As soon as it reads, it gets them all.
        deaf.write_all(b"GET service\n").unwrap();
        let long = format!("VALUE {}", "x".repeat(1000));
        for _ in 0..800 {
            assert_eq!(next_line(&deaf), long);
        }
        assert_eq!(next_line(&deaf), "NONE");
        drop((before, deaf));
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("accepted connection 2 from (unnamed)");
        server.expect("accepted connection 3 from (unnamed)");
    }

    #[test]
    fn a_client_that_leaves_without_its_answers() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let deaf = deaf_client(&sandbox);
        server.expect("accepted connection 1 from (unnamed)");
        #[cfg(target_os = "linux")]
        harness::wait_for_sleep(&server);
        drop(deaf);
        // A write that waits is reset, a later one finds a broken pipe.
        server.expect_containing("connection 1: cannot answer: ");
        expect_service(&sandbox);
    }

    /// What it sent is no request, and its connection is at its end.
    #[test]
    fn a_client_that_leaves_in_the_middle_of_a_request() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let witness = sandbox.connect("mysocket");
        assert_eq!(ask(&witness, "SET color blue"), "OK");
        server.expect("accepted connection 1 from (unnamed)");
        sandbox.connect("mysocket").write_all(b"DEL color").unwrap();
        server.expect("accepted connection 2 from (unnamed)");
        server.expect("connection 2: the last line has no end");
        assert_eq!(ask(&witness, "GET color"), "VALUE blue");
        expect_service(&sandbox);
    }

    #[test]
    fn a_client_that_talks_junk() {
        let sandbox = Sandbox::new();
        let _server = start_server(&sandbox, &[]);
        let witness = sandbox.connect("mysocket");
        assert_eq!(ask(&witness, "SET color blue"), "OK");
        let mut junk = sandbox.connect("mysocket");
        for (bytes, answer) in [
            (b"\xff\xfe\n".as_slice(), "ERR the request is not text"),
            (b"\n", "ERR I know GET name, SET name value, DEL name"),
            (
                b"\0\0\0\x05hello\n",
                "ERR I know GET name, SET name value, DEL name",
            ),
            (b"GET color\r\n", "VALUE blue"),
        ] {
            junk.write_all(bytes).unwrap();
            assert_eq!(next_line(&junk), answer);
            assert_eq!(ask(&witness, "GET color"), "VALUE blue");
        }
    }

    #[test]
    fn a_client_that_does_not_end_its_line() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let witness = sandbox.connect("mysocket");
        assert_eq!(ask(&witness, "SET color blue"), "OK");
        server.expect("accepted connection 1 from (unnamed)");
        let flood = vec![b'x'; 64 * 1024 * 1024];
        let mut client = sandbox.connect("mysocket");
        let error = client.write_all(&flood).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(rest(&client), b"ERR the line is too long\n");
        server.expect("accepted connection 2 from (unnamed)");
        server.expect("connection 2: the line is too long");
        assert_eq!(ask(&witness, "GET color"), "VALUE blue");
        expect_service(&sandbox);

        // A thread has a stack of 2 MiB, but uses little of it: memory that
        // nobody has touched does not count.
        #[cfg(target_os = "linux")]
        {
            let peak = harness::peak_memory(&server);
            assert!(peak < 16 * 1024, "{peak} KiB");
        }
    }
}

#[cfg(target_os = "linux")]
mod at_its_limits {
    use std::time::{Duration, Instant};

    use harness::{
        WaitError, allow_threads, forbid_threads, limit_descriptors,
        processor_time, wait_for_sleep, wait_for_state, wait_for_threads,
    };

    use super::*;

    const NO_DESCRIPTOR: &str =
        "cannot accept: Too many open files (os error 24)";

    #[test]
    fn it_takes_the_next_client_when_one_has_left() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        wait_for_state(&server, 'S');
        limit_descriptors(&server, 16);
        let mut clients: Vec<UnixStream> =
            (0..20).map(|_| sandbox.connect("mysocket")).collect();
        // A dozen, if the server has inherited nothing but its terminal.
        let mut accepted = 0;
        while server.next_line(DEADLINE).unwrap() != NO_DESCRIPTOR {
            accepted += 1;
        }
        assert!((1..20).contains(&accepted), "{accepted}");
        // Those that it has are served; the others wait.
        for client in &clients[..accepted] {
            assert_eq!(ask(client, "SET color blue"), "OK");
        }
        let mut waiting = clients.split_off(accepted);
        drop(clients.pop());
        assert_eq!(ask(&waiting.remove(0), "GET color"), "VALUE blue");

        drop(clients);
        for client in &waiting {
            assert_eq!(ask(client, "GET color"), "VALUE blue");
        }
        drop(waiting);
        expect_service(&sandbox);
    }

    /// Five failures in a row come with four pauses between them. A busy
    /// machine makes that longer, never shorter.
    #[test]
    fn it_does_not_burn_the_processor_when_it_cannot_accept() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        wait_for_state(&server, 'S');
        let start = Instant::now();
        limit_descriptors(&server, 0);
        // A blocked accept has its descriptor already; the next gets none.
        let served = sandbox.connect("mysocket");
        server.expect("accepted connection 1 from (unnamed)");
        let _waiting = sandbox.connect("mysocket");
        for _ in 0..5 {
            server.expect(NO_DESCRIPTOR);
        }
        assert_eq!(ask(&served, "GET color"), "NONE");
        let (took, used) = (start.elapsed(), processor_time(&server));
        assert!(took >= Duration::from_millis(4 * 50), "took {took:?}");
        assert!(used < took / 4, "used {used:?} in {took:?}");
    }

    #[test]
    fn it_lives_on_when_it_gets_no_thread() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        wait_for_state(&server, 'S');
        forbid_threads(&server);
        for number in 1..=3 {
            let refused = sandbox.connect("mysocket");
            assert_eq!(rest(&refused), b"");
            let line = format!("accepted connection {number} from (unnamed)");
            server.expect(&line);
            server.expect(&format!(
                "connection {number}: no thread: \
                 Resource temporarily unavailable (os error 11)"
            ));
        }
        allow_threads(&server);
        expect_service(&sandbox);
    }

    #[test]
    fn it_rests_when_its_clients_do() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &[]);
        let clients: Vec<UnixStream> =
            (0..50).map(|_| sandbox.connect("mysocket")).collect();
        for client in &clients {
            assert_eq!(ask(client, "SET color blue"), "OK");
        }
        for number in 1..=50 {
            let line = format!("accepted connection {number} from (unnamed)");
            server.expect(&line);
        }
        wait_for_sleep(&server);
        expect_rest(&mut server);

        // When they have gone, so have their threads.
        drop(clients);
        wait_for_threads(&server, 1);
        expect_rest(&mut server);
        expect_service(&sandbox);
    }

    #[track_caller]
    fn expect_rest(server: &mut Program) {
        let span = Duration::from_millis(300);
        let before = processor_time(server);
        assert_eq!(server.next_line(span), Err(WaitError::TimedOut));
        let used = processor_time(server) - before;
        assert!(used < span / 4, "used {used:?}");
    }
}

mod when_it_starts {
    use super::*;

    #[test]
    fn it_leaves_its_name_to_a_server_that_has_clients() {
        let sandbox = Sandbox::new();
        let _first = start_server(&sandbox, &[]);
        let client = sandbox.connect("mysocket");
        assert_eq!(ask(&client, "SET color blue"), "OK");
        let second = sandbox.command(cargo_bin!("step10-server"));
        Command::from_std(second)
            .timeout(DEADLINE)
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains("a server is already listening on mysocket"));
        assert_eq!(ask(&client, "GET color"), "VALUE blue");
        expect_service(&sandbox);
    }

    /// The clients of a killed server see the end. What it kept is lost.
    #[test]
    fn it_replaces_a_server_that_was_killed_among_its_clients() {
        let sandbox = Sandbox::new();
        let mut killed = start_server(&sandbox, &[]);
        let client = sandbox.connect("mysocket");
        assert_eq!(ask(&client, "SET color blue"), "OK");
        killed.kill();
        assert_eq!(rest(&client), b"");
        assert_eq!(sandbox.files(), ["mysocket"]);

        let _next = start_server(&sandbox, &[]);
        let client = sandbox.connect("mysocket");
        assert_eq!(ask(&client, "GET color"), "NONE");
    }
}

mod when_it_ends {
    use super::*;

    #[test]
    fn the_last_clients_have_been_served_together() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["3"]);
        let clients: Vec<UnixStream> =
            (0..3).map(|_| sandbox.connect("mysocket")).collect();
        for client in clients.iter().rev() {
            assert_eq!(ask(client, "SET color blue"), "OK");
        }
        for number in 1..=3 {
            let line = format!("accepted connection {number} from (unnamed)");
            server.expect(&line);
        }
        // It accepts no more clients, but it ends only with its last one.
        for client in &clients {
            assert_eq!(ask(client, "GET color"), "VALUE blue");
        }
        assert_eq!(sandbox.files(), ["mysocket"]);
        drop(clients);
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert_eq!(sandbox.files(), NOTHING);
    }

    #[test]
    fn a_client_that_was_refused_counts() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["2"]);
        drop(sandbox.connect("mysocket"));
        sandbox.connect("mysocket").write_all(b"no end").unwrap();
        server.expect("accepted connection 1 from (unnamed)");
        server.expect("accepted connection 2 from (unnamed)");
        server.expect("connection 2: the last line has no end");
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert_eq!(sandbox.files(), NOTHING);
    }

    #[test]
    fn it_takes_only_a_number_of_clients() {
        for argument in ["", "many", "-1"] {
            let sandbox = Sandbox::new();
            let mut server = sandbox.command(cargo_bin!("step10-server"));
            server.arg(argument);
            Command::from_std(server)
                .timeout(DEADLINE)
                .assert()
                .code(1)
                .stdout("")
                .stderr(contains("usage: server [HOW MANY CLIENTS TO SERVE]"));
            assert_eq!(sandbox.files(), NOTHING);
        }
    }

    /// What it prints is for us; whom it serves does not depend on it.
    #[test]
    fn it_has_not_minded_that_nobody_reads_what_it_prints() {
        const SCRIPT: &str =
            r#""$0" 2 | { read -r line; exec <&-; echo "$line"; }"#;
        let sandbox = Sandbox::new();
        let mut command = sandbox.command("sh");
        command.args(["-c", SCRIPT]).arg(cargo_bin!("step10-server"));
        let mut shell = Program::start(&mut command).unwrap();
        shell.expect("listening on mysocket");
        expect_service(&sandbox);
        // It has something to say about this one in its thread, too.
        let mut client = sandbox.connect("mysocket");
        client.write_all(b"no end").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&client), b"ERR the last line has no end\n");
        assert_eq!(shell.expect_end(), Exit::Code(0));
        assert_eq!(sandbox.files(), NOTHING);
    }
}

/// What the chapter says of the standard library, and not of the program.
mod facts_about_std {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    const MESSAGE: usize = 1_000_000;

    /// Two threads write a message each. How often does the letter change, as
    /// the reader sees it?
    fn changes(lock: Option<&Mutex<()>>) -> usize {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(DEADLINE)).unwrap();
        theirs.set_write_timeout(Some(DEADLINE)).unwrap();
        let mut bytes = vec![0; 2 * MESSAGE];
        thread::scope(|scope| {
            for letter in [b'a', b'b'] {
                let mut clone = theirs.try_clone().unwrap();
                scope.spawn(move || {
                    let _guard = lock.map(|lock| lock.lock().unwrap());
                    clone.write_all(&[letter; MESSAGE]).unwrap();
                });
            }
            (&ours).read_exact(&mut bytes).unwrap();
        });
        bytes.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    #[test]
    fn two_threads_that_write_to_one_stream_tear_their_messages() {
        assert!((0..100).any(|_| changes(None) > 1));
    }

    #[test]
    fn under_a_lock_messages_arrive_whole() {
        let lock = Mutex::new(());
        assert!((0..10).all(|_| changes(Some(&lock)) == 1));
    }

    #[test]
    fn a_scope_waits_for_its_threads() {
        let mut done = false;
        thread::scope(|scope| {
            scope.spawn(|| {
                (0..1000).for_each(|_| thread::yield_now());
                done = true;
            });
        });
        assert!(done);
    }

    #[test]
    fn what_a_panicked_thread_had_locked_can_still_be_had() {
        let lock = Mutex::new("whole");
        let panicked = thread::scope(|scope| {
            let holder = scope.spawn(|| {
                let _guard = lock.lock().unwrap();
                panic!("on purpose");
            });
            holder.join().is_err()
        });
        assert!(panicked && lock.is_poisoned());
        let value = lock.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*value, "whole");
    }
}
