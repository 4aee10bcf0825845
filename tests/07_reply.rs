//! Step 7: the server sends each client its bytes back as they come, with the
//! letters a to z in capitals, until the client closes its end or half of it.
//! The client writes and reads at once, so that neither can wait for the other.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use assert_cmd::cargo::cargo_bin;
use harness::{DEADLINE, Exit, Program, Sandbox, accept};

/// A running server, ready for its first client.
fn server(sandbox: &Sandbox, arguments: &[&str]) -> Program {
    let mut server = sandbox.start(cargo_bin!("step7-server"), arguments);
    server.expect("listening on mysocket");
    server
}

/// All that comes until the other end is closed.
fn rest(mut stream: &UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("cannot read the answer");
    bytes
}

#[test]
fn a_client_that_half_closes_gets_the_whole_answer() {
    let sandbox = Sandbox::new();
    let mut server = server(&sandbox, &[]);
    let mut client = sandbox.connect("mysocket");
    client.write_all(b"Hello?").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&client), b"HELLO?");
    server.expect("accepted connection 1 from (unnamed)");
    server.expect("answered 6 bytes");
}

#[test]
fn the_answer_does_not_wait_for_the_end_of_the_question() {
    let sandbox = Sandbox::new();
    let _server = server(&sandbox, &[]);
    let mut client = sandbox.connect("mysocket");
    for word in [b"one", b"two"] {
        client.write_all(word).unwrap();
        let mut answer = [0; 3];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer, word.map(|byte| byte.to_ascii_uppercase()));
    }
}

#[test]
fn ten_megabytes_go_there_and_back() {
    let sandbox = Sandbox::new();
    let _server = server(&sandbox, &[]);
    let client = sandbox.connect("mysocket");
    let question = b"0123456789abcdef".repeat(10 * 65_536);
    let answer = thread::scope(|scope| {
        scope.spawn(|| {
            (&client).write_all(&question).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        });
        rest(&client)
    });
    assert!(answer == question.to_ascii_uppercase());
}

#[test]
fn bytes_that_are_no_text_come_back_as_they_were() {
    let sandbox = Sandbox::new();
    let _server = server(&sandbox, &[]);
    let mut client = sandbox.connect("mysocket");
    client.write_all(b"\xff\xfe\0a").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&client), b"\xff\xfe\0A");
}

#[test]
fn a_client_that_leaves_without_its_answer_stops_nobody() {
    let sandbox = Sandbox::new();
    let mut server = server(&sandbox, &[]);
    let mut rude = sandbox.connect("mysocket");
    rude.write_all(&[b'x'; 100_000]).unwrap();
    drop(rude);
    server.expect("accepted connection 1 from (unnamed)");
    server.expect_containing("connection 1: cannot ");

    let mut client = sandbox.connect("mysocket");
    client.write_all(b"still there?").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&client), b"STILL THERE?");
}

#[test]
fn it_still_cleans_up() {
    let sandbox = Sandbox::new();
    let mut server = server(&sandbox, &["1"]);
    drop(sandbox.connect("mysocket"));
    server.expect("accepted connection 1 from (unnamed)");
    server.expect("answered 0 bytes");
    assert_eq!(server.expect_end(), Exit::Code(0));
    assert!(sandbox.files().is_empty());
}

#[test]
fn the_client_prints_the_answer() {
    let sandbox = Sandbox::new();
    let _server = server(&sandbox, &[]);
    let mut client = sandbox.start(cargo_bin!("step7-client"), &[]);
    client.expect("connected to mysocket");
    client.expect("received 6 bytes: \"HELLO?\"");
    assert_eq!(client.expect_end(), Exit::Code(0));
}

#[test]
fn the_client_reads_while_it_writes() {
    let sandbox = Sandbox::new();
    let _server = server(&sandbox, &[]);
    let mut client = sandbox.start(cargo_bin!("step7-client"), &["65535"]);
    client.expect("connected to mysocket");
    client.expect("received 393210 bytes: \"HELLO?HELLO?\"");
    assert_eq!(client.expect_end(), Exit::Code(0));
}

#[test]
fn the_client_ends_its_question_and_waits_for_the_answer() {
    let sandbox = Sandbox::new();
    let listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
    let mut client = sandbox.start(cargo_bin!("step7-client"), &["2"]);
    let mut stream = accept(&listener);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // Comes to its end only because the client closes its half.
    assert_eq!(rest(&stream), b"Hello?Hello?");
    stream.write_all(b"fine").unwrap();
    drop(stream);
    client.expect("connected to mysocket");
    client.expect("received 4 bytes: \"fine\"");
    assert_eq!(client.expect_end(), Exit::Code(0));
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
        assert_eq!(rest(&ours), b"answer");
        let error = ours.write_all(b"more").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    }
}
