//! What step 3 promises beyond its contract: the cause that the client names
//! for each failure, which permissions it needs, and that it waits while the
//! backlog is full. The server is that of step 2.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener};

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use assert_cmd::cargo::cargo_bin;
use harness::{DEADLINE, Sandbox, accept, unprivileged};
use predicates::str::contains;

/// Runs the client until it ends.
fn run_client(sandbox: &Sandbox) -> Assert {
    let client = sandbox.command(cargo_bin!("step3-client"));
    Command::from_std(client).timeout(DEADLINE).assert()
}

/// Runs the client where it cannot connect because of `cause`.
#[track_caller]
fn expect_failure(sandbox: &Sandbox, cause: &str) {
    run_client(sandbox)
        .code(1)
        .stdout("")
        .stderr(contains("cannot connect to mysocket"))
        .stderr(contains(cause));
}

#[test]
fn there_is_no_such_name() {
    expect_failure(&Sandbox::new(), "No such file or directory");
}

#[test]
fn a_symlink_leads_nowhere() {
    let sandbox = Sandbox::new();
    symlink("nothing", sandbox.join("mysocket")).unwrap();
    expect_failure(&sandbox, "No such file or directory");
}

#[test]
fn the_server_has_ended_and_left_its_name() {
    let sandbox = Sandbox::new();
    let mut server = sandbox.start(cargo_bin!("step3-server"), &[]);
    server.expect("listening on mysocket");
    server.kill();
    expect_failure(&sandbox, "Connection refused");
}

#[test]
fn a_regular_file_has_the_name() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.join("mysocket"), "precious").unwrap();
    expect_failure(&sandbox, "Connection refused");
}

#[test]
fn a_directory_has_the_name() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.join("mysocket")).unwrap();
    expect_failure(&sandbox, "Connection refused");
}

#[test]
fn the_socket_is_of_another_type() {
    let sandbox = Sandbox::new();
    let _datagrams = UnixDatagram::bind(sandbox.join("mysocket")).unwrap();
    expect_failure(&sandbox, "Protocol wrong type for socket");
}

#[test]
fn to_connect_takes_the_permission_to_write() {
    let sandbox = Sandbox::new();
    let path = sandbox.join("mysocket");
    let _listener = UnixListener::bind(&path).unwrap();

    fs::set_permissions(&path, Permissions::from_mode(0o555)).unwrap();
    let client = unprivileged(&sandbox, cargo_bin!("step3-client"));
    Command::from_std(client)
        .timeout(DEADLINE)
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("cannot connect to mysocket"))
        .stderr(contains("Permission denied"));

    fs::set_permissions(&path, Permissions::from_mode(0o222)).unwrap();
    let client = unprivileged(&sandbox, cargo_bin!("step3-client"));
    Command::from_std(client).timeout(DEADLINE).assert().success();
}

/// As the chapter's picture has it: each of these is wrong in two ways, and
/// the client is told the one that is asked about first.
#[test]
#[cfg(target_os = "linux")]
fn the_kernel_asks_about_the_path_in_this_order() {
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketType, bind, socket,
    };

    let sandbox = Sandbox::new();
    let path = sandbox.join("mysocket");
    let expect = |cause: &str| {
        let client = unprivileged(&sandbox, cargo_bin!("step3-client"));
        let client = Command::from_std(client).timeout(DEADLINE).assert();
        client.code(1).stderr(contains(cause));
        fs::remove_file(&path).unwrap();
    };
    let close_to_all = || {
        fs::set_permissions(&path, Permissions::from_mode(0o555)).unwrap();
    };

    // You may not write on it, before: it is no socket.
    fs::write(&path, "years of work").unwrap();
    close_to_all();
    expect("Permission denied");

    // You may not write on it, before: it is of another type.
    let _datagrams = UnixDatagram::bind(&path).unwrap();
    close_to_all();
    expect("Permission denied");

    // It is of another type, before: it does not listen.
    let kind = SocketType::SEQPACKET;
    let packets = socket(AddressFamily::UNIX, kind, None).unwrap();
    bind(&packets, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    expect("Protocol wrong type");
}

#[test]
fn to_connect_takes_the_permission_to_search_the_directory() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.join("closed")).unwrap();
    let path = sandbox.join("closed/mysocket");
    let _listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    symlink("closed/mysocket", sandbox.join("mysocket")).unwrap();

    let searchable = |mode| {
        let permissions = Permissions::from_mode(mode);
        fs::set_permissions(sandbox.join("closed"), permissions).unwrap();
    };
    let client = unprivileged(&sandbox, cargo_bin!("step3-client"));
    let mut client = Command::from_std(client);
    client.timeout(DEADLINE);
    searchable(0o666);
    let failed = client.assert().code(1).stdout("");
    failed.stderr(contains("Permission denied"));
    // Also lets us remove the directory again.
    searchable(0o777);
    client.assert().success();
}

/// The kernel lets one client more than the backlog wait to be accepted. The
/// next one is not refused: its connect(2) blocks until there is room.
#[test]
#[cfg(target_os = "linux")]
fn the_client_waits_while_the_backlog_is_full() {
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen,
        socket_with,
    };

    let sandbox = Sandbox::new();
    let address = SocketAddrUnix::new(sandbox.join("mysocket")).unwrap();
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
    bind(&socket, &address).unwrap();
    listen(&socket, 0).unwrap();
    let listener = UnixListener::from(socket);

    let mut first = sandbox.start(cargo_bin!("step3-client"), &[]);
    first.expect("connected to mysocket");
    let mut second = sandbox.start(cargo_bin!("step3-client"), &[]);
    harness::wait_for_state(&second, 'S');

    accept(&listener);
    second.expect("connected to mysocket");
}
