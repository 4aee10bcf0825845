//! What step 6 promises beyond its contract: that a failed accept serves nobody
//! and a panic leaves no name, whichever signal kills it, and what it says of
//! each failure. The rest is in its contract.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use harness::{DEADLINE, Exit, Program, Sandbox, Signal, unprivileged};
use predicates::str::contains;

const NOTHING: [&str; 0] = [];

/// A server that is ready.
fn start_server(sandbox: &Sandbox, arguments: &[&str]) -> Program {
    let mut server = sandbox.start(cargo_bin!("step6-server"), arguments);
    server.expect("listening on mysocket");
    server
}

/// Sends a message, which must arrive as that of client `number`.
#[track_caller]
fn expect_service(sandbox: &Sandbox, server: &mut Program, number: u64) {
    sandbox.connect("mysocket").write_all(b"Hello?").unwrap();
    server.expect(&format!("accepted connection {number} from (unnamed)"));
    server.expect(r#"received 6 bytes: "Hello?""#);
}

mod when_it_ends {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_failed_accept_has_served_nobody() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["2"]);
        // A blocked accept has its descriptor already; the next gets none.
        harness::wait_for_state(&server, 'S');
        harness::limit_descriptors(&server, 0);
        drop(sandbox.connect("mysocket"));
        server.expect("accepted connection 1 from (unnamed)");
        server.expect(r#"received 0 bytes: """#);
        server.expect("cannot accept: Too many open files (os error 24)");

        sandbox.connect("mysocket").write_all(b"Hello?").unwrap();
        harness::limit_descriptors(&server, 100);
        server.expect_containing("accepted connection 2 from (unnamed)");
        server.expect(r#"received 6 bytes: "Hello?""#);
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert_eq!(sandbox.files(), NOTHING);
    }

    /// `println!` panics when it cannot print.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_panic_removes_the_name_too() {
        let sandbox = Sandbox::new();
        let mut shell = sandbox.command("sh");
        shell.args(["-c", "exec \"$0\" >/dev/full"]);
        shell.arg(cargo_bin!("step6-server"));
        Command::from_std(shell)
            .timeout(DEADLINE)
            .assert()
            .code(101)
            .stderr(contains("panicked"))
            .stderr(contains("No space left on device"));
        assert_eq!(sandbox.files(), NOTHING);
    }
}

mod when_it_starts {
    use super::*;

    #[test]
    fn it_replaces_what_a_killed_server_has_left() {
        for signal in [Signal::KILL, Signal::INT, Signal::TERM, Signal::HUP] {
            let sandbox = Sandbox::new();
            let mut killed = start_server(&sandbox, &[]);
            killed.signal(signal).unwrap();
            let number = signal.as_raw();
            assert_eq!(killed.expect_end(), Exit::Signal(number));
            assert_eq!(sandbox.files(), ["mysocket"]);

            let mut next = start_server(&sandbox, &["1"]);
            expect_service(&sandbox, &mut next, 1);
            assert_eq!(next.expect_end(), Exit::Code(0));
            assert_eq!(sandbox.files(), NOTHING);
        }
    }

    /// The first server sees that it was asked: a client that says nothing.
    #[test]
    fn its_question_is_a_client_to_the_server_that_lives() {
        let sandbox = Sandbox::new();
        let mut first = start_server(&sandbox, &[]);
        let second = sandbox.command(cargo_bin!("step6-server"));
        Command::from_std(second)
            .timeout(DEADLINE)
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains("a server is already listening on mysocket"));

        first.expect("accepted connection 1 from (unnamed)");
        first.expect(r#"received 0 bytes: """#);
        expect_service(&sandbox, &mut first, 2);
    }

    #[test]
    fn it_says_so_where_it_may_not_remove_a_stale_socket() {
        let sandbox = Sandbox::new();
        start_server(&sandbox, &[]).kill();
        let for_all = Permissions::from_mode(0o777);
        fs::set_permissions(sandbox.join("mysocket"), for_all).unwrap();
        let closed = sandbox.join("closed");
        fs::create_dir(&closed).unwrap();
        fs::rename(sandbox.join("mysocket"), closed.join("mysocket")).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();

        let mut server = unprivileged(&sandbox, cargo_bin!("step6-server"));
        server.current_dir(&closed);
        Command::from_std(server)
            .timeout(DEADLINE)
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains("cannot remove mysocket"))
            .stderr(contains("Permission denied"));
        // Else the sandbox cannot be removed.
        fs::set_permissions(&closed, Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn it_takes_only_a_number_of_clients() {
        for argument in [&b"-1"[..], b"\xff\xfe"].map(OsStr::from_bytes) {
            let sandbox = Sandbox::new();
            let mut server = sandbox.command(cargo_bin!("step6-server"));
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
}
