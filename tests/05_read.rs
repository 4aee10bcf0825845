//! What step 5 promises: a message is all that a client writes until it closes
//! its end, however it comes in pieces. The server prints it, escaped, and
//! turns to the next client. A message that is no text, or longer than 65,536
//! bytes, is reported, and the next client is served all the same. The client
//! is that of step 4.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use harness::{DEADLINE, Program, Sandbox};
use predicates::str::contains;

/// A server that is ready.
fn start_server(sandbox: &Sandbox) -> Program {
    let mut server = sandbox.start(cargo_bin!("step5-server"), &[]);
    server.expect("listening on mysocket");
    server
}

/// Sends a healthy message, which must arrive as that of client `number`.
#[track_caller]
fn expect_service(sandbox: &Sandbox, server: &mut Program, number: u64) {
    sandbox.connect("mysocket").write_all(b"still there?").unwrap();
    server.expect(&format!("accepted connection {number} from (unnamed)"));
    server.expect(r#"received 12 bytes: "still there?""#);
}

#[test]
fn what_the_client_writes_the_server_prints() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    let client = sandbox.command(cargo_bin!("step5-client"));
    Command::from_std(client).timeout(DEADLINE).assert().success();
    server.expect("accepted connection 1 from (unnamed)");
    server.expect(r#"received 6 bytes: "Hello?""#);
    expect_service(&sandbox, &mut server, 2);
}

#[test]
fn three_writes_are_one_message() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    let mut client = sandbox.connect("mysocket");
    server.expect("accepted connection 1 from (unnamed)");
    for part in ["one", "two", "three"] {
        // Asleep, the server has read all that came before.
        #[cfg(target_os = "linux")]
        harness::wait_for_state(&server, 'S');
        client.write_all(part.as_bytes()).unwrap();
    }
    drop(client);
    server.expect(r#"received 11 bytes: "onetwothree""#);
}

#[test]
fn a_message_may_come_byte_by_byte() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    let mut client = sandbox.connect("mysocket");
    server.expect("accepted connection 1 from (unnamed)");
    // ü is two bytes: half of it is not text yet.
    for byte in "Grüße!".bytes() {
        #[cfg(target_os = "linux")]
        harness::wait_for_state(&server, 'S');
        client.write_all(&[byte]).unwrap();
    }
    drop(client);
    server.expect(r#"received 8 bytes: "Grüße!""#);
}

#[test]
fn a_client_that_writes_nothing_sends_an_empty_message() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    drop(sandbox.connect("mysocket"));
    server.expect("accepted connection 1 from (unnamed)");
    server.expect(r#"received 0 bytes: """#);
    expect_service(&sandbox, &mut server, 2);
}

#[test]
fn a_half_closed_connection_ends_the_message_too() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    let mut client = sandbox.connect("mysocket");
    client.write_all(b"Hello?").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    server.expect("accepted connection 1 from (unnamed)");
    server.expect(r#"received 6 bytes: "Hello?""#);
    // The server sends no answer and hangs up.
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"");
}

#[test]
fn bytes_that_are_no_text_are_reported() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    sandbox.connect("mysocket").write_all(b"\xff\xfe").unwrap();
    server.expect("accepted connection 1 from (unnamed)");
    let report = server.expect_containing("connection 1");
    assert!(
        report.starts_with("connection 1: the message is not text"),
        "{report}"
    );
    expect_service(&sandbox, &mut server, 2);
}

#[test]
fn control_characters_are_printed_escaped() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    sandbox.connect("mysocket").write_all(b"\x1b[2J\r\n\0\"").unwrap();
    server.expect("accepted connection 1 from (unnamed)");
    server.expect(r#"received 8 bytes: "\u{1b}[2J\r\n\0\"""#);
}

#[test]
fn a_message_of_65536_bytes_is_taken() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    let message = "x".repeat(65536);
    sandbox.connect("mysocket").write_all(message.as_bytes()).unwrap();
    server.expect("accepted connection 1 from (unnamed)");
    server.expect(&format!("received 65536 bytes: {message:?}"));
}

#[test]
fn a_message_of_65537_bytes_is_refused() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    let message = "x".repeat(65537);
    sandbox.connect("mysocket").write_all(message.as_bytes()).unwrap();
    server.expect("accepted connection 1 from (unnamed)");
    server.expect("connection 1: the message is longer than 65536 bytes");
    expect_service(&sandbox, &mut server, 2);
}

#[test]
fn a_flood_is_cut_off_and_fills_no_memory() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    let flood = vec![b'x'; 64 * 1024 * 1024];
    let error = sandbox.connect("mysocket").write_all(&flood).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    server.expect("accepted connection 1 from (unnamed)");
    server.expect("connection 1: the message is longer than 65536 bytes");
    expect_service(&sandbox, &mut server, 2);

    #[cfg(target_os = "linux")]
    {
        let file = format!("/proc/{}/status", server.id());
        let status = std::fs::read_to_string(file).unwrap();
        // The most memory that it ever had: "VmHWM:     2436 kB".
        let peak = status.split("VmHWM:").nth(1).unwrap();
        let peak: u64 =
            peak.split_whitespace().next().unwrap().parse().unwrap();
        assert!(peak < 16 * 1024, "{peak} KiB");
    }
}

/// The server cannot tell: an end is an end. Whoever needs to know whether a
/// message is complete must say so in the message.
#[test]
fn what_a_killed_client_has_written_is_taken_for_a_message() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    let client = sandbox.connect("mysocket");
    let status = sandbox
        .command("sh")
        .args(["-c", "printf 'delete all '; kill -9 $$; printf 'but one'"])
        .stdout(OwnedFd::from(client))
        .status();
    assert_eq!(status.unwrap().signal(), Some(9));
    server.expect("accepted connection 1 from (unnamed)");
    server.expect(r#"received 11 bytes: "delete all ""#);
    expect_service(&sandbox, &mut server, 2);
}

/// A known limit: one client at a time.
#[test]
fn a_silent_client_keeps_the_others_waiting_until_it_leaves() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    let silent = sandbox.connect("mysocket");
    server.expect("accepted connection 1 from (unnamed)");
    for message in ["second", "third"] {
        let mut client = sandbox.connect("mysocket");
        client.write_all(message.as_bytes()).unwrap();
    }

    drop(silent);
    server.expect(r#"received 0 bytes: """#);
    server.expect("accepted connection 2 from (unnamed)");
    server.expect(r#"received 6 bytes: "second""#);
    server.expect("accepted connection 3 from (unnamed)");
    server.expect(r#"received 5 bytes: "third""#);
}

#[test]
#[cfg(target_os = "linux")]
fn a_failed_accept_is_reported_and_uses_up_no_number() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    // A blocked accept has its descriptor already; the next gets none.
    harness::wait_for_state(&server, 'S');
    harness::limit_descriptors(&server, 0);
    drop(sandbox.connect("mysocket"));
    server.expect("accepted connection 1 from (unnamed)");
    server.expect(r#"received 0 bytes: """#);
    server.expect("cannot accept: Too many open files (os error 24)");

    let _second = sandbox.connect("mysocket");
    harness::limit_descriptors(&server, 100);
    server.expect_containing("accepted connection 2 from (unnamed)");
}

#[test]
fn a_second_server_is_refused_while_the_first_goes_on() {
    let sandbox = Sandbox::new();
    let mut first = start_server(&sandbox);
    let second = sandbox.command(cargo_bin!("step5-server"));
    Command::from_std(second)
        .timeout(DEADLINE)
        .assert()
        .code(1)
        .stderr(contains("Address already in use"));
    expect_service(&sandbox, &mut first, 1);
}

/// What the chapter says of the standard library, and not of the program.
mod facts_about_std {
    use super::*;

    #[test]
    fn a_read_of_zero_bytes_is_the_end() {
        let (mut stream, mut peer) = UnixStream::pair().unwrap();
        peer.write_all(b"Hello?").unwrap();
        drop(peer);
        let mut buffer = [0; 100];
        assert_eq!(stream.read(&mut buffer).unwrap(), 6);
        assert_eq!(stream.read(&mut buffer).unwrap(), 0);
        assert_eq!(stream.read(&mut buffer).unwrap(), 0);
    }

    #[test]
    fn read_to_string_fails_on_bytes_that_are_no_text() {
        let (mut stream, mut peer) = UnixStream::pair().unwrap();
        peer.write_all(b"\xff\xfe").unwrap();
        drop(peer);
        let error = stream.read_to_string(&mut String::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
