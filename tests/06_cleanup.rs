//! What step 6 promises: told how many clients to serve, the server serves
//! them, removes its name and exits with code 0; it removes the name when it
//! panics, too. No program can do so when a signal kills it, therefore the
//! next start replaces the name that a dead server has left, and nothing else:
//! no server that lives, no file that is not a socket, and at its end no file
//! that is not its own. What it does with messages is what step 5 does.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

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

/// Runs a server that cannot start, until it ends.
#[track_caller]
fn expect_refusal(sandbox: &Sandbox, reason: &str) {
    let server = sandbox.command(cargo_bin!("step6-server"));
    Command::from_std(server)
        .timeout(DEADLINE)
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains(reason));
}

/// Sends a message, which must arrive as that of client `number`.
#[track_caller]
fn expect_service(sandbox: &Sandbox, server: &mut Program, number: u64) {
    sandbox.connect("mysocket").write_all(b"Hello?").unwrap();
    server.expect(&format!("accepted connection {number} from (unnamed)"));
    server.expect(r#"received 6 bytes: "Hello?""#);
}

fn inode(sandbox: &Sandbox, name: &str) -> u64 {
    fs::symlink_metadata(sandbox.join(name)).unwrap().ino()
}

mod when_it_ends {
    use super::*;

    #[test]
    fn the_server_has_served_its_clients_and_removed_its_name() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["2"]);
        assert_eq!(sandbox.files(), ["mysocket"]);
        let client = sandbox.command(cargo_bin!("step6-client"));
        Command::from_std(client).timeout(DEADLINE).assert().success();
        server.expect("accepted connection 1 from (unnamed)");
        server.expect(r#"received 6 bytes: "Hello?""#);
        expect_service(&sandbox, &mut server, 2);
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert_eq!(sandbox.files(), NOTHING);
    }

    #[test]
    fn a_client_whose_message_is_refused_was_served() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["2"]);
        sandbox.connect("mysocket").write_all(b"\xff\xfe").unwrap();
        server.expect("accepted connection 1 from (unnamed)");
        server.expect_containing("connection 1: the message is not text");
        sandbox.connect("mysocket").write_all(&[b'x'; 65537]).unwrap();
        server.expect("accepted connection 2 from (unnamed)");
        server.expect("connection 2: the message is longer than 65536 bytes");
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert_eq!(sandbox.files(), NOTHING);
    }

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

    #[test]
    fn a_name_that_somebody_has_removed_is_no_fault() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["1"]);
        let (name, moved) = (sandbox.join("mysocket"), sandbox.join("moved"));
        fs::rename(name, &moved).unwrap();
        drop(UnixStream::connect(moved).unwrap());
        server.expect("accepted connection 1 from (unnamed)");
        server.expect(r#"received 0 bytes: """#);
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert_eq!(sandbox.files(), ["moved"]);
    }

    #[test]
    fn the_socket_of_a_newer_server_is_left_alone() {
        let sandbox = Sandbox::new();
        let mut older = start_server(&sandbox, &["1"]);
        let (name, moved) = (sandbox.join("mysocket"), sandbox.join("moved"));
        fs::rename(name, &moved).unwrap();
        let mut newer = start_server(&sandbox, &[]);

        drop(UnixStream::connect(moved).unwrap());
        older.expect("accepted connection 1 from (unnamed)");
        older.expect(r#"received 0 bytes: """#);
        assert_eq!(older.expect_end(), Exit::Code(0));
        expect_service(&sandbox, &mut newer, 1);
    }

    #[test]
    fn a_regular_file_with_its_name_is_left_alone() {
        let sandbox = Sandbox::new();
        let mut server = start_server(&sandbox, &["1"]);
        let (name, moved) = (sandbox.join("mysocket"), sandbox.join("moved"));
        fs::rename(&name, &moved).unwrap();
        fs::write(&name, "precious").unwrap();

        drop(UnixStream::connect(moved).unwrap());
        server.expect("accepted connection 1 from (unnamed)");
        server.expect(r#"received 0 bytes: """#);
        assert_eq!(server.expect_end(), Exit::Code(0));
        assert_eq!(fs::read_to_string(name).unwrap(), "precious");
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
    fn it_leaves_its_name_to_a_server_that_lives() {
        let sandbox = Sandbox::new();
        let mut first = start_server(&sandbox, &[]);
        let before = inode(&sandbox, "mysocket");
        expect_refusal(&sandbox, "a server is already listening on mysocket");
        assert_eq!(inode(&sandbox, "mysocket"), before);

        first.expect("accepted connection 1 from (unnamed)");
        first.expect(r#"received 0 bytes: """#);
        expect_service(&sandbox, &mut first, 2);
    }

    #[test]
    fn it_does_not_delete_a_regular_file() {
        let sandbox = Sandbox::new();
        fs::write(sandbox.join("mysocket"), "precious").unwrap();
        expect_refusal(&sandbox, "mysocket is in the way");
        let content = fs::read_to_string(sandbox.join("mysocket")).unwrap();
        assert_eq!(content, "precious");
    }

    #[test]
    fn it_does_not_delete_a_directory() {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.join("mysocket")).unwrap();
        expect_refusal(&sandbox, "mysocket is in the way");
        assert!(sandbox.join("mysocket").is_dir());
    }

    #[test]
    fn it_does_not_delete_a_symlink_wherever_it_leads() {
        let sandbox = Sandbox::new();
        let _listener = UnixListener::bind(sandbox.join("live")).unwrap();
        start_server(&sandbox, &[]).kill();
        fs::rename(sandbox.join("mysocket"), sandbox.join("stale")).unwrap();
        fs::write(sandbox.join("file"), "precious").unwrap();
        for target in ["live", "stale", "file", "nothing"] {
            symlink(target, sandbox.join("mysocket")).unwrap();
            expect_refusal(&sandbox, "mysocket is in the way");
            let link = fs::read_link(sandbox.join("mysocket")).unwrap();
            assert_eq!(link.to_str(), Some(target));
            fs::remove_file(sandbox.join("mysocket")).unwrap();
        }
        assert_eq!(sandbox.files(), ["file", "live", "stale"]);
    }

    #[test]
    fn it_does_not_delete_a_socket_of_another_type() {
        let sandbox = Sandbox::new();
        let path = sandbox.join("mysocket");
        let _datagrams = UnixDatagram::bind(&path).unwrap();
        expect_refusal(&sandbox, "Protocol wrong type for socket");
        UnixDatagram::unbound().unwrap().send_to(b"", path).unwrap();
    }

    /// It cannot tell whether somebody listens there, so it keeps away.
    #[test]
    fn it_does_not_delete_a_socket_that_it_may_not_connect_to() {
        let sandbox = Sandbox::new();
        let path = sandbox.join("mysocket");
        let _listener = UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        let before = inode(&sandbox, "mysocket");

        let server = unprivileged(&sandbox, cargo_bin!("step6-server"));
        // The directory does not protect the name: that is up to the server.
        let for_all = Permissions::from_mode(0o777);
        fs::set_permissions(sandbox.path(), for_all).unwrap();
        Command::from_std(server)
            .timeout(DEADLINE)
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains("cannot tell whether a server listens"))
            .stderr(contains("Permission denied"));
        assert_eq!(inode(&sandbox, "mysocket"), before);
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
        let no_text = OsStr::from_bytes(b"\xff\xfe");
        for argument in ["", "many", "-1"].map(OsStr::new) {
            expect_usage(argument);
        }
        expect_usage(no_text);
    }

    #[track_caller]
    fn expect_usage(argument: &OsStr) {
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
