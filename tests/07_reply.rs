//! What chapter 7 says of std, and what step 7 says of its failures. The rest
//! is in its contract.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use harness::{DEADLINE, Sandbox};
use predicates::str::contains;

#[test]
fn without_a_server_the_client_says_what_it_could_not_do() {
    let sandbox = Sandbox::new();
    let client = sandbox.command(cargo_bin!("step7-client"));
    let client = Command::from_std(client).timeout(DEADLINE).assert();
    client.code(1).stderr(contains("cannot connect to mysocket"));
}

#[test]
fn an_argument_may_be_no_text() {
    for program in [cargo_bin!("step7-server"), cargo_bin!("step7-client")] {
        let sandbox = Sandbox::new();
        let mut command = sandbox.command(program);
        command.arg(OsStr::from_bytes(b"\xff"));
        let ended = Command::from_std(command).timeout(DEADLINE).assert();
        ended.code(1).stderr(contains("usage: "));
        assert!(sandbox.files().is_empty());
    }
}

mod facts_about_std {
    use super::*;

    #[test]
    fn the_end_comes_when_the_last_clone_is_dropped() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let clone = ours.try_clone().unwrap();
        drop(ours);
        theirs.set_nonblocking(true).unwrap();
        let error = (&theirs).read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        // A child that another thread starts just now may hold a copy until
        // its exec. Shutting down ends all copies at once.
        clone.shutdown(Shutdown::Write).unwrap();
        assert_eq!((&theirs).read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn after_a_shutdown_of_writing_reading_goes_on() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        ours.shutdown(Shutdown::Write).unwrap();
        theirs.write_all(b"answer").unwrap();
        drop(theirs);
        let mut answer = Vec::new();
        ours.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"answer");
        let error = ours.write_all(b"more").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    }
}
