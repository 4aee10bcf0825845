//! What step 2 promises: the server accepts every client that connects, in
//! order, numbers them, and hangs up on none. No client and no failed accept
//! ends it. Killed, it leaves its name behind.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use harness::{DEADLINE, Program, Sandbox};
use predicates::str::contains;

/// A server that is ready.
fn start_server(sandbox: &Sandbox) -> Program {
    let mut server = sandbox.start(cargo_bin!("step2-server"), &[]);
    server.expect("listening on mysocket");
    server
}

#[test]
fn clients_are_numbered_and_have_no_name() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    let mut clients = Vec::new();
    for number in 1..=5 {
        clients.push(sandbox.connect("mysocket"));
        server.expect(&format!("accepted connection {number} from (unnamed)"));
    }
}

#[test]
fn connections_stay_open() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    let mut first = sandbox.connect("mysocket");
    server.expect("accepted connection 1 from (unnamed)");
    // Once the second is accepted, the server is through with the first.
    let _second = sandbox.connect("mysocket");
    server.expect("accepted connection 2 from (unnamed)");

    first.write_all(b"Hello?").unwrap();
    first.set_nonblocking(true).unwrap();
    let error = first.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
#[cfg(target_os = "linux")]
fn a_client_connects_before_the_server_accepts() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    server.signal(harness::Signal::STOP).unwrap();
    harness::wait_for_state(&server, 'T');
    let mut client = UnixStream::connect(sandbox.join("mysocket")).unwrap();
    client.write_all(b"Hello?").unwrap();

    server.signal(harness::Signal::CONT).unwrap();
    server.expect("accepted connection 1 from (unnamed)");
}

#[test]
fn a_client_that_leaves_at_once_does_not_stop_the_server() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    for number in 1..=3 {
        drop(sandbox.connect("mysocket"));
        server.expect(&format!("accepted connection {number} from (unnamed)"));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_failed_accept_is_reported_and_the_next_client_is_accepted() {
    let sandbox = Sandbox::new();
    let mut server = start_server(&sandbox);
    // A blocked accept has its descriptor already; the next gets none.
    harness::wait_for_state(&server, 'S');
    harness::limit_descriptors(&server, 0);
    let _first = sandbox.connect("mysocket");
    server.expect("accepted connection 1 from (unnamed)");
    server.expect("cannot accept: Too many open files (os error 24)");

    let _second = sandbox.connect("mysocket");
    harness::limit_descriptors(&server, 100);
    server.expect_containing("accepted connection 2 from (unnamed)");
}

#[test]
fn a_second_server_is_refused_while_the_first_goes_on() {
    let sandbox = Sandbox::new();
    let mut first = start_server(&sandbox);
    let second = sandbox.command(cargo_bin!("step2-server"));
    Command::from_std(second)
        .timeout(DEADLINE)
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("cannot bind mysocket"))
        .stderr(contains("Address already in use"));

    let _client = sandbox.connect("mysocket");
    first.expect("accepted connection 1 from (unnamed)");
}

#[test]
fn a_killed_server_leaves_its_name_in_the_way_of_the_next() {
    let sandbox = Sandbox::new();
    start_server(&sandbox).kill();
    assert_eq!(sandbox.files(), ["mysocket"]);

    let next = sandbox.command(cargo_bin!("step2-server"));
    Command::from_std(next)
        .timeout(DEADLINE)
        .assert()
        .code(1)
        .stderr(contains("Address already in use"));
}

/// A client may bind a name of its own before it connects. The name tells one
/// client from another here, but it proves nothing: the client chose it.
#[cfg(target_os = "linux")]
mod clients_that_have_a_name {
    use super::*;
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect,
        socket_with,
    };

    /// std has no bind for a client.
    fn connect_as(sandbox: &Sandbox, name: &str) -> UnixStream {
        let own = SocketAddrUnix::new(sandbox.join(name)).unwrap();
        let server = SocketAddrUnix::new(sandbox.join("mysocket")).unwrap();
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        let socket =
            socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
        bind(&socket, &own).unwrap();
        connect(&socket, &server).unwrap();
        UnixStream::from(socket)
    }

    #[test]
    fn are_accepted_in_the_order_in_which_they_connect() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox);
        let names = ["Ada", "Brian", "Carol", "Dennis", "Eve"];
        let _clients = names.map(|name| connect_as(&sandbox, name));
        for (name, number) in names.iter().zip(1..) {
            let path = sandbox.join(name);
            server.expect(&format!(
                "accepted connection {number} from {path:?} (pathname)"
            ));
        }
    }

    #[test]
    fn are_shown_by_it_and_it_is_escaped() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox);
        let _client = connect_as(&sandbox, "x;uid=0;\n\x1b[2J");
        let line = server.expect_containing("accepted connection 1");
        let name = r#"/x;uid=0;\n\u{1b}[2J" (pathname)"#;
        assert!(line.ends_with(name), "{line}");
    }
}
