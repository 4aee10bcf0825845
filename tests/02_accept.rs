//! What step 2 promises beyond its contract: the words in which the server
//! tells of a client and of a failed accept.

use assert_cmd::cargo::cargo_bin;
use harness::{Program, Sandbox};

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

/// A client may bind a name of its own before it connects. The name tells one
/// client from another here, but it proves nothing: the client chose it.
#[cfg(target_os = "linux")]
mod clients_that_have_a_name {
    use std::os::unix::net::UnixStream;

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
