//! What step 4 promises beyond its contract: what the client says of each
//! failure, and that it takes any argument. The rest is in its contract.

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
