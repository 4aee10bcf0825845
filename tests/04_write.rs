//! What step 4 promises: the client writes `Hello?`, as many times as it is
//! told, and exits with code 0 only when the kernel has taken every byte, read
//! or not. Where that fails, it says why and exits with code 1. The server is
//! that of step 2: it keeps what was written, unread.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use assert_cmd::cargo::cargo_bin;
use harness::{DEADLINE, Exit, Sandbox, accept};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

/// The longest message: twice as much as the kernel keeps for a reader.
const MOST: &str = "65535";

/// Runs the client until it ends.
fn run_client<A: AsRef<OsStr>>(sandbox: &Sandbox, arguments: &[A]) -> Assert {
    let mut client = sandbox.command(cargo_bin!("step4-client"));
    client.args(arguments);
    Command::from_std(client).timeout(DEADLINE).assert()
}

/// All that the next client writes.
fn receive(listener: &UnixListener) -> Vec<u8> {
    let mut received = Vec::new();
    accept(listener).read_to_end(&mut received).unwrap();
    received
}

#[test]
fn the_client_writes_and_the_server_keeps_what_it_wrote() {
    let sandbox = Sandbox::new();
    let mut server = sandbox.start(cargo_bin!("step4-server"), &[]);
    server.expect("listening on mysocket");
    for number in 1..=3 {
        run_client(&sandbox, &[""; 0])
            .code(0)
            .stdout("connected to mysocket\nwrote 6 bytes\n")
            .stderr("");
        server.expect(&format!("accepted connection {number} from (unnamed)"));
    }
}

#[test]
fn a_message_waits_to_be_accepted_though_its_sender_has_gone() {
    let sandbox = Sandbox::new();
    let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
    run_client(&sandbox, &[""; 0]).success();
    assert_eq!(receive(&listener), b"Hello?");
}

#[test]
fn the_message_is_repeated_with_nothing_in_between() {
    let sandbox = Sandbox::new();
    let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
    for times in [0, 1, 2, 1000] {
        run_client(&sandbox, &[times.to_string()])
            .code(0)
            .stdout(contains(format!("wrote {} bytes", 6 * times)));
        assert_eq!(receive(&listener), b"Hello?".repeat(times));
    }
}

#[test]
fn a_slow_reader_gets_every_byte_of_a_long_message() {
    let sandbox = Sandbox::new();
    let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
    let mut client = sandbox.start(cargo_bin!("step4-client"), &[MOST]);
    client.expect("connected to mysocket");
    let stream = accept(&listener);
    let mut received = Vec::new();
    while (&stream).take(1000).read_to_end(&mut received).unwrap() > 0 {}
    assert_eq!(received, b"Hello?".repeat(65535));
    client.expect("wrote 393210 bytes");
    assert_eq!(client.expect_end(), Exit::Code(0));
}

/// On Linux a blocking write(2) is short only if a signal interrupts it: this
/// is how to tell `write_all` from `write`, which would report success here.
#[test]
#[cfg(target_os = "linux")]
fn every_byte_arrives_though_a_signal_cuts_a_write_short() {
    use harness::{Signal, wait_for_state};

    let sandbox = Sandbox::new();
    let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
    let mut client = sandbox.start(cargo_bin!("step4-client"), &[MOST]);
    client.expect("connected to mysocket");
    let mut stream = accept(&listener);

    // Once bytes have come, the only thing that it can sleep in is the write.
    let mut received = vec![0];
    stream.read_exact(&mut received).unwrap();
    wait_for_state(&client, 'S');
    client.signal(Signal::STOP).unwrap();
    wait_for_state(&client, 'T');
    client.signal(Signal::CONT).unwrap();

    stream.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), 393_210);
    client.expect("wrote 393210 bytes");
    assert_eq!(client.expect_end(), Exit::Code(0));
}

/// Not killed by SIGPIPE, as a program in C would be: that is no exit code.
#[test]
fn a_server_that_hangs_up_in_the_middle_is_reported() {
    let sandbox = Sandbox::new();
    let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
    let mut client = sandbox.start(cargo_bin!("step4-client"), &[MOST]);
    client.expect("connected to mysocket");
    accept(&listener).read_exact(&mut [0]).unwrap();

    client.expect("Error: cannot write the message");
    client.expect_containing("Broken pipe");
    assert_eq!(client.wait(DEADLINE), Ok(Exit::Code(1)));
}

#[test]
fn without_a_server_the_client_fails_before_it_writes() {
    run_client(&Sandbox::new(), &[""; 0])
        .code(1)
        .stdout("")
        .stderr(contains("cannot connect to mysocket"))
        .stderr(contains("No such file or directory"));
}

#[test]
fn an_argument_that_is_not_a_number_up_to_65535_is_refused() {
    let no_text = OsStr::from_bytes(b"\xff\xfe");
    for argument in ["", "many", "-1", "65536", "1 "].map(OsStr::new) {
        expect_usage(argument);
    }
    expect_usage(no_text);
}

#[track_caller]
fn expect_usage(argument: &OsStr) {
    run_client(&Sandbox::new(), &[argument])
        .code(1)
        .stdout("")
        .stderr(contains("usage: client [HOW MANY TIMES TO SAY HELLO]"))
        .stderr(contains("cannot connect").not());
}

/// What the chapter says of the standard library, and not of the program.
mod facts_about_std {
    use super::*;

    #[test]
    fn one_write_may_take_less_than_it_was_given() {
        let (mut stream, _reader) = UnixStream::pair().unwrap();
        let limit = Duration::from_millis(20);
        stream.set_write_timeout(Some(limit)).unwrap();
        let message = vec![b'x'; 1_000_000];
        let written = stream.write(&message).unwrap();
        assert!(0 < written && written < message.len(), "{written}");
    }

    /// More than the kernel keeps: for a moment a program that another test
    /// starts may hold a copy of `reader`.
    #[test]
    fn a_write_to_nobody_is_an_error_and_no_signal() {
        let (mut stream, reader) = UnixStream::pair().unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        drop(reader);
        let error = stream.write_all(&[b'x'; 1_000_000]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}
