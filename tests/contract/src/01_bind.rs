//! Chapter 1: binding a name to a socket.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::{Checked, Contract, Exam, Promise};

pub const CONTRACTS: &[Contract] =
    &[STEP, ANY_PATH, FIVE_CAUSES, IS_ANYBODY_THERE];

const STEP: Contract = Contract {
    id: "01-bind",
    setting: "One program, the server, without arguments. It binds a listening
socket to the name `mysocket` in the folder in which it runs, says so, and
ends.",
    promises: &[
        Promise {
            id: "says-that-it-listens",
            says: "The server prints `listening on mysocket`, nothing else, \
                   and ends with exit code 0.",
            takes: &[Server],
            check: |exam| run_server(exam),
        },
        Promise {
            id: "makes-a-socket",
            says: "Afterwards `mysocket` is a file of the kind socket, and no \
                   other file is there.",
            takes: &[Server],
            check: |exam| {
                run_server(exam)?;
                exam.expect_files(&["mysocket"])
                    .hint("the name stays when the program ends")
                    .hint_if(
                        "an empty folder",
                        "nothing is in the folder: which path does it bind?",
                    )?;
                let file = fs::symlink_metadata(exam.join("mysocket"));
                exam.expect(
                    file.is_ok_and(|file| file.file_type().is_socket()),
                    "`ls -l mysocket` to begin with `s`",
                    "it is a file of another kind",
                )
            },
        },
        Promise {
            id: "was-listening",
            says: "The socket listened, and nobody does when the program has \
                   ended: connecting is refused.",
            takes: &[Server],
            check: |exam| {
                run_server(exam)?;
                exam.note("client: connects to mysocket");
                let error = match UnixStream::connect(exam.join("mysocket")) {
                    Ok(_) => "somebody still listens".to_owned(),
                    Err(error)
                        if error.kind() == ErrorKind::ConnectionRefused =>
                    {
                        return Ok(());
                    }
                    Err(error) => error.to_string(),
                };
                Err(exam.flaw("Connection refused", error))
            },
        },
        Promise {
            id: "listens-when-it-says-so",
            says: "When it says that it listens, it does: with its output \
                   stopped up, so that it cannot go on, a client is connected.",
            takes: &[Server],
            check: listens_when_it_says_so,
        },
        Promise {
            id: "leaves-the-mode-to-the-umask",
            says: "The file has all permissions that the umask leaves: with \
                   umask 027, `srwxr-x---`.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.start_after("umask 027", Server, &[])?;
                server.expect("listening on mysocket")?;
                server.expect_code(0)?;
                let file = fs::symlink_metadata(exam.join("mysocket"));
                let mode = file.map_or_else(
                    |_| "no file".to_owned(),
                    |f| format!("mode {:03o}", f.permissions().mode() & 0o777),
                );
                exam.expect(mode == "mode 750", "mode 750", &mode).hint_if(
                    "mode",
                    "bind(2) does it by itself: no chmod(2), and no umask(2)",
                )
            },
        },
        Promise {
            id: "refuses-its-own-leftover",
            says: "Started again, the server is refused: it prints why, names \
                   `mysocket`, ends with exit code 1, and the socket there \
                   stays the same.",
            takes: &[Server],
            check: |exam| {
                run_server(exam)?;
                let before = exam.identity("mysocket");
                expect_refusal(exam)?;
                exam.expect(
                    exam.identity("mysocket") == before,
                    "the same socket as before, by its inode",
                    "it was removed or replaced",
                )
            },
        },
        Promise {
            id: "leaves-a-live-server-alone",
            says: "It is refused in the same way where another server \
                   listens, and that server goes on.",
            takes: &[Server],
            check: |exam| {
                let listener = listener(exam, "mysocket");
                expect_refusal(exam)?;
                exam.note("client: connects to mysocket");
                let found = UnixStream::connect(exam.join("mysocket"));
                drop(listener);
                exam.expect(
                    found.is_ok(),
                    "the other server to be reached as before",
                    "its name was taken away",
                )
                .hint("a program that removes what is in its way does this")
            },
        },
        Promise {
            id: "leaves-a-file-alone",
            says: "It is refused where `mysocket` is a file of any other \
                   kind, and the file keeps its content.",
            takes: &[Server],
            check: |exam| {
                exam.write("mysocket", "precious");
                expect_refusal(exam)?;
                let content = fs::read(exam.join("mysocket"));
                exam.expect(
                    content.is_ok_and(|content| content == b"precious"),
                    "`cat mysocket` to print `precious`",
                    "the file is gone or changed",
                )
            },
        },
        Promise {
            id: "follows-no-symlink",
            says: "It is refused where `mysocket` is a symbolic link that \
                   leads to nothing, and makes nothing there.",
            takes: &[Server],
            check: |exam| {
                exam.note("$ ln -s nothing mysocket");
                symlink("nothing", exam.join("mysocket")).expect("a link");
                expect_refusal(exam)?;
                exam.expect_files(&["mysocket"])
            },
        },
        Promise {
            id: "reports-a-closed-folder",
            says: "In a folder in which it may not make files, it prints why \
                   and ends with exit code 1.",
            takes: &[Server],
            check: |exam| {
                closed_folder(exam);
                let mut server =
                    exam.start_unprivileged(Server, "closed", &[])?;
                server.expect_failure().map(drop)
            },
        },
    ],
};

/// Runs the server until it ends.
fn run_server(exam: &Exam) -> Checked {
    let mut server = exam.server(&[])?;
    let lines = server.expect_code(0)?;
    exam.expect(
        lines.is_empty(),
        "one line, and no more",
        format!("server| {}", lines.join("\nserver| ")),
    )
}

/// Holds the server where it prints its line, and connects to it.
#[cfg(target_os = "linux")]
fn listens_when_it_says_so(exam: &Exam) -> Checked {
    use std::fs::File;
    use std::io::Write;
    use std::process::Command;

    /// What a pipe holds, if nobody has asked for more: see pipe(7).
    const PIPE: usize = 65_536;

    exam.note("$ mkfifo full; head -c 65536 /dev/zero > full");
    let path = exam.join("full");
    let made = Command::new("mkfifo").arg(&path).status();
    // Open for both, it waits for nobody.
    let open = || File::options().read(true).write(true).open(&path);
    let (Ok(true), Ok(mut full)) = (made.map(|it| it.success()), open()) else {
        return Err(exam.cannot_examine("there is no mkfifo"));
    };
    full.write_all(&[0; PIPE]).expect("an empty pipe");
    let mut server = exam.start_after("exec > full", Server, &[])?;
    server.expect_asleep()?;
    exam.note("client: connects to mysocket");
    let connected = UnixStream::connect(exam.join("mysocket"));
    // It may print now, and end.
    drop(full);
    let got = match connected {
        Ok(_) => return Ok(()),
        Err(error) => format!("connecting fails: {error}"),
    };
    let _ = server.end();
    Err(exam.flaw("a client that is connected", got)).hint(
        "a socket of the type SOCK_STREAM, then bind(2), then listen(2), and \
         then the line",
    )
}

#[cfg(not(target_os = "linux"))]
fn listens_when_it_says_so(exam: &Exam) -> Checked {
    Err(exam.cannot_examine("how much a pipe holds is known on Linux"))
}

/// Runs the server where something has its name already.
fn expect_refusal(exam: &Exam) -> Checked {
    let mut server = exam.start(Server, &[])?;
    let lines = server
        .expect_failure()
        .hint_if(
            "exit code 0",
            "bind(2) fails there, and that is what the server has to report, \
             with exit code 1. If it did not fail, the name was taken from \
             whatever has it",
        )
        .hint_if("it still runs", "if it cannot bind, there is nothing to do")
        .hint_if("exit code 255", "-1 from `main` is the exit code 255")
        .hint_if("printed nothing", "say why it ends: perror(3) does in C")?;
    exam.expect(
        lines.iter().any(|line| line.contains("mysocket")),
        "the server to name `mysocket` where it says what is wrong",
        "none of its lines does",
    )
}

/// A listener of our own at `path`.
fn listener(exam: &Exam, path: &str) -> UnixListener {
    exam.note(format!("other: listens at {path}"));
    UnixListener::bind(exam.join(path)).expect("a path that is free")
}

/// A folder `closed` in which nobody may make files.
fn closed_folder(exam: &Exam) {
    exam.note("$ mkdir closed; chmod 555 closed; cd closed");
    fs::create_dir(exam.join("closed")).expect("a folder");
    let mode = Permissions::from_mode(0o555);
    fs::set_permissions(exam.join("closed"), mode).expect("our own folder");
}

const ANY_PATH: Contract = Contract {
    id: "any-path",
    setting: "`server PATH` binds a listening socket to the path, prints
`listening on` and the path as `local_addr()` has it, and ends.",
    promises: &[
        Promise {
            id: "binds-the-path",
            says: "For a path that nobody used before, the server prints \
                   `listening on PATH`, ends with exit code 0, and a socket \
                   is there.",
            takes: &[Server],
            check: |exam| {
                for path in ["one.sock", "./with space", "-n.sock"] {
                    let mut server = exam.start(Server, &[path])?;
                    let line = server.expect_that(
                        &format!("server| listening on {path}"),
                        |line| line.contains(path),
                    )?;
                    exam.expect(
                        line.starts_with("listening on "),
                        format!("server| listening on {path}"),
                        format!("server| {line}"),
                    )?;
                    server.expect_code(0)?;
                    let file = fs::symlink_metadata(exam.join(path));
                    exam.expect(
                        file.is_ok_and(|file| file.file_type().is_socket()),
                        format!("a socket at {path}"),
                        "there is none",
                    )?;
                }
                Ok(())
            },
        },
        Promise {
            id: "explains-its-use",
            says: "For no argument, and for an empty one, it prints how to \
                   use it, ends with exit code 2, and makes nothing.",
            takes: &[Server],
            check: |exam| {
                for arguments in [&[][..], &[""]] {
                    let mut server = exam.start(Server, arguments)?;
                    let lines = server.expect_code(2).hint(
                        "an empty path is no error for the kernel, which \
                         then makes up a name of its own",
                    )?;
                    exam.expect(
                        !lines.is_empty(),
                        "a line that says how to use it",
                        "it printed nothing",
                    )?;
                }
                exam.expect_files(&[])
            },
        },
    ],
};

const FIVE_CAUSES: Contract = Contract {
    id: "five-causes",
    setting: "`server PATH` binds a listening socket to the path and ends with
0, or prints a sentence of advice and ends with the code of what went wrong.",
    promises: &[
        Promise {
            id: "binds",
            says: "Where nothing is wrong the exit code is 0.",
            takes: &[Server],
            check: |exam| ends_with(exam, "mysocket", 0),
        },
        Promise {
            id: "in-the-way",
            says: "10: something is in the way, be it a socket or a file.",
            takes: &[Server],
            check: |exam| {
                exam.write("file", "precious");
                ends_with(exam, "file", 10)?;
                let _listener = listener(exam, "live");
                ends_with(exam, "live", 10)
            },
        },
        Promise {
            id: "no-such-folder",
            says: "11: there is no such folder.",
            takes: &[Server],
            check: |exam| ends_with(exam, "missing/mysocket", 11),
        },
        Promise {
            id: "no-permission",
            says: "12: no permission.",
            takes: &[Server],
            check: |exam| {
                closed_folder(exam);
                let mut server =
                    exam.start_unprivileged(Server, "closed", &["mysocket"])?;
                advice(exam, server.expect_code(12)?)
            },
        },
        Promise {
            id: "cannot-be-a-path",
            says: "13: the path cannot be one of a socket: it has 200 bytes.",
            takes: &[Server],
            check: |exam| ends_with(exam, &"x".repeat(200), 13),
        },
        Promise {
            id: "anything-else",
            says: "1: anything else. A folder in the path is a file.",
            takes: &[Server],
            check: |exam| {
                exam.write("file", "precious");
                ends_with(exam, "file/mysocket", 1)
            },
        },
    ],
};

/// Runs the server with a path, and expects this exit code; if it is not 0,
/// some words as well.
fn ends_with(exam: &Exam, path: &str, code: i32) -> Checked {
    let mut server = exam.start(Server, &[path])?;
    let lines = server.expect_code(code)?;
    if code == 0 { Ok(()) } else { advice(exam, lines) }
}

fn advice(exam: &Exam, lines: Vec<String>) -> Checked {
    let words = lines.join(" ").split_whitespace().count();
    exam.expect(
        words >= 3,
        "a sentence that says what to do",
        format!("{words} words"),
    )
}

const IS_ANYBODY_THERE: Contract = Contract {
    id: "is-anybody-there",
    setting: "`client PATH`, your `sockinfo`, prints one line and ends with 0.
It changes nothing.",
    promises: &[
        Promise {
            id: "missing",
            says: "The client prints `missing` where nothing is at the path, \
                   and makes nothing there.",
            takes: &[Client],
            check: |exam| {
                says(exam, "nothing", "missing")?;
                exam.expect_files(&[])
            },
        },
        Promise {
            id: "live",
            says: "It prints `live` where somebody listens, and asking again \
                   gives the same answer.",
            takes: &[Client],
            check: |exam| {
                let _listener = listener(exam, "mysocket");
                let before = exam.identity("mysocket");
                says(exam, "mysocket", "live")?;
                says(exam, "mysocket", "live")?;
                unchanged(exam, "mysocket", before)
            },
        },
        Promise {
            id: "stale",
            says: "It prints `stale` where a socket is but nobody listens, \
                   and the socket stays the same.",
            takes: &[Client],
            check: |exam| {
                exam.leave_socket("mysocket");
                let before = exam.identity("mysocket");
                says(exam, "mysocket", "stale")?;
                unchanged(exam, "mysocket", before)
            },
        },
        Promise {
            id: "not-a-socket",
            says: "It prints `not a socket` for a file and for a folder, and \
                   a file keeps its content.",
            takes: &[Client],
            check: |exam| {
                exam.write("file", "precious");
                let before = exam.identity("file");
                says(exam, "file", "not a socket").hint(
                    "connecting to a file that is not a socket is refused in \
                     the same way as to one at which nobody listens: look at \
                     the kind of the file first",
                )?;
                unchanged(exam, "file", before)?;
                let content = fs::read(exam.join("file"));
                exam.expect(
                    content.is_ok_and(|content| content == b"precious"),
                    "`cat file` to print `precious`",
                    "the file has changed",
                )?;
                says(exam, ".", "not a socket")
            },
        },
    ],
};

/// Runs the client with a path, and expects this answer.
fn says(exam: &Exam, path: &str, answer: &str) -> Checked {
    let mut client = exam.start(Client, &[path])?;
    client.expect(answer)?;
    client.expect_code(0).map(drop)
}

fn unchanged(exam: &Exam, name: &str, before: Option<(u64, u64)>) -> Checked {
    exam.expect(
        exam.identity(name) == before,
        format!("{name} to stay the same file, by its inode"),
        "it was removed or replaced",
    )
}
