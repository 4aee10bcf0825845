//! What step 1 promises: the server binds a listening socket to the name
//! `mysocket`, says so, and ends. The name stays. Whatever had that name
//! before is never touched: the server reports it and exits with code 1.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use assert_cmd::cargo::cargo_bin;
use harness::{DEADLINE, Sandbox, unprivileged};
use predicates::str::contains;

/// Runs the server until it ends.
fn run_server(sandbox: &Sandbox) -> Assert {
    let server = sandbox.command(cargo_bin!("step1-server"));
    Command::from_std(server).timeout(DEADLINE).assert()
}

/// Runs the server where something else has its name already.
#[track_caller]
fn expect_refusal(sandbox: &Sandbox) {
    run_server(sandbox)
        .code(1)
        .stdout("")
        .stderr(contains("cannot bind mysocket"))
        .stderr(contains("Address already in use"));
}

#[test]
fn the_server_says_that_it_listens_and_ends() {
    let sandbox = Sandbox::new();
    run_server(&sandbox).code(0).stdout("listening on mysocket\n").stderr("");
}

#[test]
fn the_name_is_an_empty_file_of_the_kind_socket() {
    let sandbox = Sandbox::new();
    run_server(&sandbox).success();
    assert_eq!(sandbox.files(), ["mysocket"]);
    let file = fs::symlink_metadata(sandbox.join("mysocket")).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.len(), 0);
}

#[test]
fn the_umask_says_who_may_connect() {
    for umask in [0o000, 0o022, 0o027, 0o077] {
        let sandbox = Sandbox::new();
        let script = format!("umask {umask:03o}; exec \"$0\"");
        let mut shell = sandbox.command("sh");
        shell.args(["-c", &script]).arg(cargo_bin!("step1-server"));
        Command::from_std(shell).timeout(DEADLINE).assert().success();

        let file = fs::symlink_metadata(sandbox.join("mysocket")).unwrap();
        let mode = file.mode() & 0o777;
        assert_eq!(mode, 0o777 & !umask, "{mode:03o}, umask {umask:03o}");
    }
}

#[test]
fn the_name_stays_but_nobody_listens_there() {
    let sandbox = Sandbox::new();
    run_server(&sandbox).success();
    let error = UnixStream::connect(sandbox.join("mysocket")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_second_start_is_refused_though_the_first_server_has_ended() {
    let sandbox = Sandbox::new();
    run_server(&sandbox).success();
    let before = fs::symlink_metadata(sandbox.join("mysocket")).unwrap().ino();
    expect_refusal(&sandbox);
    let after = fs::symlink_metadata(sandbox.join("mysocket")).unwrap().ino();
    assert_eq!(before, after);
}

#[test]
fn a_server_that_lives_is_not_disturbed() {
    let sandbox = Sandbox::new();
    let _listener = UnixListener::bind(sandbox.join("mysocket")).unwrap();
    expect_refusal(&sandbox);
    UnixStream::connect(sandbox.join("mysocket")).unwrap();
}

#[test]
fn a_regular_file_is_not_touched() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.join("mysocket"), "precious").unwrap();
    expect_refusal(&sandbox);
    let content = fs::read_to_string(sandbox.join("mysocket")).unwrap();
    assert_eq!(content, "precious");
}

#[test]
fn a_directory_is_not_touched() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.join("mysocket")).unwrap();
    expect_refusal(&sandbox);
    assert!(sandbox.join("mysocket").is_dir());
}

#[test]
fn a_symlink_to_nothing_is_not_followed() {
    let sandbox = Sandbox::new();
    symlink("nothing", sandbox.join("mysocket")).unwrap();
    expect_refusal(&sandbox);
    assert_eq!(sandbox.files(), ["mysocket"]);
    let target = fs::read_link(sandbox.join("mysocket")).unwrap();
    assert_eq!(target.to_str(), Some("nothing"));
}

#[test]
fn a_directory_that_we_may_not_write_is_reported() {
    let sandbox = Sandbox::new();
    let closed = sandbox.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();

    let mut server = unprivileged(&sandbox, cargo_bin!("step1-server"));
    server.current_dir(closed);
    Command::from_std(server)
        .timeout(DEADLINE)
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("cannot bind mysocket"))
        .stderr(contains("Permission denied"));
}

#[test]
fn a_directory_that_was_removed_is_reported() {
    let sandbox = Sandbox::new();
    let mut shell = sandbox.command("sh");
    shell.args(["-c", "mkdir gone; cd gone; rmdir ../gone; exec \"$0\""]);
    shell.arg(cargo_bin!("step1-server"));
    Command::from_std(shell)
        .timeout(DEADLINE)
        .assert()
        .code(1)
        .stderr(contains("No such file or directory"));
}

/// What the chapter says of the standard library, and not of the program.
mod facts_about_std {
    use super::*;

    #[test]
    fn local_addr_is_the_path_that_was_bound() {
        let sandbox = Sandbox::new();
        let path = sandbox.join("mysocket");
        let listener = UnixListener::bind(&path).unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(address.as_pathname(), Some(path.as_path()));
    }

    #[test]
    fn a_path_in_a_directory_that_is_missing_is_not_found() {
        let sandbox = Sandbox::new();
        let error = UnixListener::bind(sandbox.join("missing/mysocket"));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_name_that_exists_is_in_use_whether_its_server_lives_or_not() {
        let sandbox = Sandbox::new();
        let path = sandbox.join("mysocket");
        let listener = UnixListener::bind(&path).unwrap();
        let error = UnixListener::bind(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        drop(listener);
        let error = UnixListener::bind(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }

    /// The limit is 107 bytes on Linux and 103 on macOS.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_path_has_at_most_107_bytes() {
        let sandbox = Sandbox::new();
        let rest = 107 - sandbox.join("").as_os_str().len();
        UnixListener::bind(sandbox.join("x".repeat(rest))).unwrap();

        let too_long = sandbox.join("x".repeat(rest + 1));
        assert_eq!(too_long.as_os_str().len(), 108);
        let error = UnixListener::bind(too_long).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        // The kernel was not asked: the check is std's own.
        assert_eq!(error.raw_os_error(), None);
    }

    #[test]
    fn a_path_holds_no_nul() {
        let sandbox = Sandbox::new();
        let error = UnixListener::bind(sandbox.join("my\0socket")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(sandbox.files(), [""; 0]);
    }

    /// On Linux the kernel chooses a name outside the file system (unix(7),
    /// "Autobind feature").
    #[test]
    #[cfg(target_os = "linux")]
    fn an_empty_path_is_no_error() {
        use std::os::linux::net::SocketAddrExt;

        let address = UnixListener::bind("").unwrap().local_addr().unwrap();
        assert_eq!(address.as_pathname(), None);
        assert_eq!(address.as_abstract_name().unwrap().len(), 5);
    }
}
