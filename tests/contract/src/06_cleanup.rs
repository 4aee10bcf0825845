//! Chapter 6: starting over a leftover, and leaving none.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

use crate::Role::{Client, Server};
use crate::flaw::Hint;
use crate::read::{LIMIT, accepted, flood, received, reported};
use crate::{Checked, Contract, Exam, Exit, Promise, Running};

pub const CONTRACTS: &[Contract] = &[STEP, FOLDER_GUARD, QUIT, FOUR_LEFTOVERS];

const STEP: Contract = Contract {
    id: "06-cleanup",
    setting: "Two programs. The client is that of chapter 4. `server [N]` listens
at `mysocket`, prints `listening on mysocket`, and does with each client what the server of chapter 5
does: it prints `accepted connection` and its number, and `received 6 bytes:` and
the message, or a line that says what is wrong with it and names `connection` and
the number. With N it ends when it has served so many clients; without it, when it
is killed. A *stale* socket is one at which nobody listens.",
    promises: &[
        Promise {
            id: "serves-and-ends",
            says: "The server, told to serve 2 clients, serves two, removes \
                   `mysocket`, leaves no other file, and ends with exit code \
                   0.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&["2"])?;
                serve(exam, &mut server, 1)?;
                exam.expect_files(&["mysocket"]).hint(NOT_BEFORE)?;
                serve(exam, &mut server, 2)?;
                server.expect_code(0)?;
                expect_no_file(exam)
            },
        },
        Promise {
            id: "serves-its-client",
            says: "It receives what the client of this chapter writes.",
            takes: &[Server, Client],
            check: |exam| {
                let mut server = exam.server(&["1"])?;
                exam.start(Client, &[])?.expect_code(0)?;
                accepted(&mut server, 1)?;
                received(&mut server, "Hello?")?;
                server.expect_code(0)?;
                expect_no_file(exam)
            },
        },
        Promise {
            id: "goes-on-without-a-number",
            says: "It goes on, and keeps its name, if it was not told how many \
                   clients to serve.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                for number in 1..=3 {
                    serve(exam, &mut server, number).hint(
                        "without a number it serves until it is killed",
                    )?;
                }
                server.expect_asleep()?;
                server.expect_runs()?;
                exam.expect_files(&["mysocket"])
            },
        },
        Promise {
            id: "counts-every-client",
            says: "It has served a client whose message is not UTF-8 or has \
                   more than 65,536 bytes, or that leaves without a word: it \
                   says what is wrong, and counts it.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&["3"])?;
                let mut client = exam.connect("mysocket")?;
                client.send(b"\xff\xfe")?;
                client.close();
                accepted(&mut server, 1)?;
                reported(&mut server, 1)?;
                let mut client = exam.connect("mysocket")?;
                exam.note(format!("client: sends {} bytes", LIMIT + 1));
                flood(&mut client, LIMIT + 1);
                client.close();
                accepted(&mut server, 2)?;
                reported(&mut server, 2)?;
                exam.connect("mysocket")?.close();
                accepted(&mut server, 3)?;
                server.expect_start("received 0 bytes")?;
                server.expect_code(0).hint(
                    "whoever was accepted was served, however that ended",
                )?;
                expect_no_file(exam)
            },
        },
        Promise {
            id: "replaces-a-stale-socket",
            says: "It takes the place of a stale socket, be it its own from before it \
                   was killed or another's, and clients reach it there.",
            takes: &[Server],
            check: |exam| {
                exam.server(&[])?.kill();
                exam.expect_files(&["mysocket"]).hint(NOT_BEFORE)?;
                starts_over(exam)?;
                exam.leave_socket("mysocket");
                starts_over(exam)
            },
        },
        Promise {
            id: "leaves-a-live-server-alone",
            says: "It is refused where a server listens: it prints why, names \
                   `mysocket`, and ends with exit code 1, and that server is \
                   reached as before.",
            takes: &[Server],
            check: leaves_a_live_server_alone,
        },
        Promise {
            id: "leaves-its-like-alone",
            says: "It is refused in the same way where another server of its \
                   kind listens, and that one goes on to serve its clients.",
            takes: &[Server],
            check: |exam| {
                let mut first = exam.server(&[])?;
                let before = exam.identity("mysocket");
                expect_refusal(exam).hint(ASK)?;
                unchanged(exam, "mysocket", before).hint(ASK)?;
                // To the first, the second may have been a client.
                let mut client = exam.connect("mysocket")?;
                client.send("Hello?")?;
                client.close();
                first.find("received 6 bytes").map(drop)
            },
        },
        Promise {
            id: "leaves-datagrams-alone",
            says: "It is refused where the socket at `mysocket` receives \
                   datagrams, and that socket stays.",
            takes: &[Server],
            check: |exam| {
                exam.note("other: receives datagrams at mysocket");
                let path = exam.join("mysocket");
                let _datagrams = UnixDatagram::bind(path).expect("a free path");
                let before = exam.identity("mysocket");
                expect_refusal(exam).hint(ONLY_REFUSED)?;
                unchanged(exam, "mysocket", before).hint(ONLY_REFUSED)
            },
        },
        Promise {
            id: "leaves-what-it-may-not-ask",
            says: "It is refused where it may not connect to `mysocket` (mode \
                   444), for then it cannot tell whether somebody listens.",
            takes: &[Server],
            check: |exam| {
                exam.note("$ mkdir open; chmod 777 open; cd open");
                let mode = Permissions::from_mode;
                let folder = exam.join("open");
                fs::create_dir(&folder).expect("a folder");
                fs::set_permissions(&folder, mode(0o777)).expect("our own");
                exam.note("other: listens at mysocket");
                exam.note("$ chmod 444 mysocket");
                let path = folder.join("mysocket");
                let _listener = UnixListener::bind(&path).expect("a free path");
                fs::set_permissions(&path, mode(0o444)).expect("our own");
                let before = exam.identity("open/mysocket");
                let server = exam.start_unprivileged(Server, "open", &[])?;
                refused(exam, server).hint(ONLY_REFUSED)?;
                unchanged(exam, "open/mysocket", before).hint(ONLY_REFUSED)
            },
        },
        Promise {
            id: "leaves-a-file-alone",
            says: "It is refused where `mysocket` is not a socket: a file \
                   keeps its content, and a folder stays.",
            takes: &[Server],
            check: |exam| {
                exam.write("mysocket", "precious");
                expect_refusal(exam).hint(LOOK)?;
                still_precious(exam, "mysocket").hint(LOOK)?;
                fs::remove_file(exam.join("mysocket")).expect("it is there");
                exam.note("$ rm mysocket; mkdir mysocket");
                fs::create_dir(exam.join("mysocket")).expect("a folder");
                expect_refusal(exam).hint(LOOK)?;
                let is_there = exam.join("mysocket").is_dir();
                exam.expect(is_there, "the folder to stay", "it is gone")
            },
        },
        Promise {
            id: "follows-no-symlink",
            says: "It is refused where `mysocket` is a symbolic link, to a \
                   socket that is stale or live, to a file or to nothing, and \
                   the link stays.",
            takes: &[Server],
            check: |exam| {
                exam.leave_socket("stale");
                let _door = exam.listen("live");
                exam.write("file", "precious");
                for target in ["stale", "live", "file", "nothing"] {
                    link(exam, target);
                    expect_refusal(exam).hint(LINK)?;
                    still_links(exam, target)?;
                    let link = exam.join("mysocket");
                    fs::remove_file(link).expect("it is there");
                }
                exam.expect_files(&["file", "live", "stale"])
            },
        },
        Promise {
            id: "leaves-a-newer-server-alone",
            says: "It ends with exit code 0 also if `mysocket` is another \
                   server's by then, and leaves that alone.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&["1"])?;
                move_away(exam)?;
                exam.note("other: listens at mysocket");
                let path = exam.join("mysocket");
                let _listener = UnixListener::bind(path).expect("a free path");
                let before = exam.identity("mysocket");
                ends_elsewhere(exam, &mut server)?;
                unchanged(exam, "mysocket", before).hint(STILL_OURS)
            },
        },
        Promise {
            id: "leaves-a-newer-file-alone",
            says: "It does the same where there is a file by then, or nothing.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&["1"])?;
                move_away(exam)?;
                ends_elsewhere(exam, &mut server)?;
                exam.note("$ rm moved");
                fs::remove_file(exam.join("moved")).expect("it is there");
                let mut server = exam.server(&["1"])?;
                move_away(exam)?;
                exam.write("mysocket", "precious");
                ends_elsewhere(exam, &mut server)?;
                still_precious(exam, "mysocket").hint(STILL_OURS)
            },
        },
        Promise {
            id: "refuses-what-is-no-number",
            says: "It prints a line with the word `usage` for an argument that \
                   is not a number, ends with exit code 1, and makes nothing.",
            takes: &[Server],
            check: |exam| {
                for argument in ["many", "-1", ""] {
                    let server = exam.start(Server, &[argument])?;
                    let lines = refused(exam, server)?;
                    exam.expect(
                        lines.iter().any(|line| line.contains("usage")),
                        "server| … usage …",
                        format!("server| {}", lines.join("\nserver| ")),
                    )?;
                }
                exam.expect_files(&[])
            },
        },
    ],
};

const REMOVE_IT: &str = "closing the listener leaves the name where it is: \
    remove it at the end, whichever way that comes (`Drop` in Rust, `finally` \
    in Python, unlink(2) after the loop in C). What ends the process on the spot runs neither: \
    `process::exit`, `os._exit`, a signal";

const NOT_BEFORE: &str =
    "the name is removed when the server ends, and not before";

const LOOK: &str = "look what it is before you ask whether anybody listens: \
    connecting to a file is refused in the same words as to a stale socket";

const ASK: &str = "connect, to find out whether anybody listens: what is in \
    the way may be removed only if that is refused";

const ONLY_REFUSED: &str = "only *Connection refused* says that nobody \
    listens: at any other error you cannot tell, so do not guess";

const LINK: &str = "look at the link itself, with `symlink_metadata` or \
    lstat(2): `metadata` and stat(2) tell about what it leads to";

const STILL_OURS: &str = "remember which file is yours, by device and inode, \
    as soon as you have bound it, and compare before you remove: the same name \
    need not be the same file. (lstat(2) of the path tells them; fstat(2) of \
    the socket's descriptor tells of something else.)";

/// Serves a client that does nothing wrong.
fn serve(exam: &Exam, server: &mut Running, number: u32) -> Checked {
    let mut client = exam.connect("mysocket")?;
    client.send("Hello?")?;
    client.close();
    accepted(server, number)?;
    received(server, "Hello?")
}

fn expect_no_file(exam: &Exam) -> Checked {
    exam.expect_files(&[]).hint(REMOVE_IT)
}

/// Starts the server over what is there, and lets it come to its end.
fn starts_over(exam: &Exam) -> Checked {
    let mut server = exam.server(&["1"]).hint(
        "what a dead server has left is in the way: look what it is, ask \
         whether anybody listens, remove it, and bind",
    )?;
    serve(exam, &mut server, 1)?;
    server.expect_code(0)?;
    expect_no_file(exam)
}

/// Starts the server where it must not.
fn expect_refusal(exam: &Exam) -> Checked {
    let server = exam.start(Server, &[])?;
    let lines = refused(exam, server)?;
    exam.expect(
        lines.iter().any(|line| line.contains("mysocket")),
        "the server to name `mysocket` where it says what is wrong",
        "none of its lines does",
    )
}

/// Expects the server to say that it cannot start, and returns what it says.
fn refused(exam: &Exam, mut server: Running) -> Checked<Vec<String>> {
    let expected = "a line that says why it cannot start";
    let is_refusal = |line: &str| !line.starts_with("listening on");
    let first = server.expect_that(expected, is_refusal)?;
    let mut lines = server.expect_code(1)?;
    lines.insert(0, first);
    exam.expect(
        lines.iter().any(|line| !line.trim().is_empty()),
        expected,
        "empty lines",
    )?;
    Ok(lines)
}

fn leaves_a_live_server_alone(exam: &Exam) -> Checked {
    let door = exam.listen("mysocket");
    let before = exam.identity("mysocket");
    expect_refusal(exam).hint(ASK)?;
    unchanged(exam, "mysocket", before).hint(ASK)?;
    let mut client = exam.connect("mysocket")?;
    client.send("still there?")?;
    client.close();
    // The program that was refused may have come first, to ask.
    loop {
        let mut server = door.accept()?;
        if server.rest()? == b"still there?" {
            return Ok(());
        }
    }
}

/// Puts a symbolic link in the server's way.
fn link(exam: &Exam, target: &str) {
    exam.note(format!("$ ln -s {target} mysocket"));
    symlink(target, exam.join("mysocket")).expect("a link");
}

fn still_links(exam: &Exam, target: &str) -> Checked {
    let link = fs::read_link(exam.join("mysocket"));
    exam.expect(
        link.is_ok_and(|path| path == Path::new(target)),
        format!("mysocket to be a link to {target} still"),
        "the link is gone",
    )
    .hint(LINK)
}

fn still_precious(exam: &Exam, name: &str) -> Checked {
    let content = fs::read(exam.join(name));
    exam.expect(
        content.is_ok_and(|content| content == b"precious"),
        format!("`cat {name}` to print `precious`"),
        "the file is gone or changed",
    )
}

fn unchanged(exam: &Exam, name: &str, before: Option<(u64, u64)>) -> Checked {
    exam.expect(
        exam.identity(name) == before,
        format!("{name} to stay the same file, by its inode"),
        "it was removed or replaced",
    )
}

/// Renames the socket of a server that runs.
fn move_away(exam: &Exam) -> Checked {
    exam.note("$ mv mysocket moved");
    let moved = fs::rename(exam.join("mysocket"), exam.join("moved"));
    exam.expect(
        moved.is_ok(),
        "mysocket to be there while the server runs",
        "it is gone",
    )
    .hint(NOT_BEFORE)
}

/// Brings the server to its end through its socket's new name.
fn ends_elsewhere(exam: &Exam, server: &mut Running) -> Checked {
    exam.connect("moved")?.close();
    accepted(server, 1)?;
    server.expect_start("received 0 bytes")?;
    server.expect_code(0).map(drop)
}

const FOLDER_GUARD: Contract = Contract {
    id: "folder-guard",
    setting: "`client FOLDER` makes an empty folder at this path, prints `made`
and the path, and reads its input. At the end of the input it ends with exit code
0. If a line comes before that, it panics, or ends as a program in your language
does that has a bug: by an exception that nobody catches, and with another exit
code than 0. Either way a guard removes the folder.",
    promises: &[
        Promise {
            id: "makes-the-folder",
            says: "The client makes the folder, empty, before it prints `made \
                   FOLDER`, and keeps it while it runs.",
            takes: &[Client],
            check: |exam| {
                let mut client = makes(exam)?;
                client.expect_asleep()?;
                client.expect_runs()?;
                expect_folder(exam)
            },
        },
        Promise {
            id: "removes-it-at-the-end",
            says: "It removes the folder when its input ends, and ends with \
                   exit code 0.",
            takes: &[Client],
            check: |exam| {
                let mut client = makes(exam)?;
                client.end_input();
                client.expect_code(0)?;
                expect_no_folder(exam)
            },
        },
        Promise {
            id: "removes-it-after-a-panic",
            says: "It removes the folder when it panics at a line, and ends \
                   with an exit code that is not 0.",
            takes: &[Client],
            check: |exam| {
                let mut client = makes(exam)?;
                client.type_line("panic")?;
                let (exit, _) = client.end()?;
                exam.expect(
                    matches!(exit, Exit::Code(code) if code != 0),
                    "an exit code that says that it failed",
                    exit.to_string(),
                )?;
                expect_no_folder(exam)
            },
        },
        Promise {
            id: "leaves-what-is-not-empty",
            says: "It leaves the folder if somebody has put a file into it: \
                   the file keeps its content, a line names the folder, and \
                   the exit code is 0.",
            takes: &[Client],
            check: |exam| {
                let mut client = makes(exam)?;
                exam.write("folder/file", "precious");
                client.end_input();
                let lines = client.expect_code(0).hint(
                    "an error in `drop` cannot be returned: print it",
                )?;
                still_precious(exam, "folder/file").hint(
                    "`remove_dir` removes a folder only if it is empty; \
                     `remove_dir_all` removes what is in it, too",
                )?;
                exam.expect(
                    lines.iter().any(|line| line.contains("folder")),
                    "a line that names the folder that stays",
                    "there is none",
                )
            },
        },
        Promise {
            id: "leaves-what-was-there",
            says: "It leaves what is at the path already, be it an empty \
                   folder or a file: it prints why, names the path, and ends \
                   with exit code 1.",
            takes: &[Client],
            check: |exam| {
                exam.note("$ mkdir folder");
                fs::create_dir(exam.join("folder")).expect("a folder");
                exam.write("file", "precious");
                for path in ["folder", "file"] {
                    let mut client = exam.start(Client, &[path])?;
                    client.end_input();
                    let lines = client.expect_failure().hint(NOT_MADE)?;
                    exam.expect(
                        lines.iter().any(|line| line.contains(path)),
                        format!("a line that names `{path}`"),
                        "there is none",
                    )?;
                    exam.expect_files(&["file", "folder"]).hint(NOT_MADE)?;
                }
                still_precious(exam, "file")
            },
        },
    ],
};

const NOT_MADE: &str = "remove only what you made: `create_dir` fails where \
    something is already, `create_dir_all` is content with a folder that is \
    there. Make the guard only when the folder was made";

/// Starts the client, and waits until it has made the folder.
fn makes(exam: &Exam) -> Checked<Running> {
    let mut client = exam.start(Client, &["folder"])?;
    client.expect("made folder")?;
    expect_folder(exam)?;
    Ok(client)
}

fn expect_folder(exam: &Exam) -> Checked {
    let entries = fs::read_dir(exam.join("folder"));
    exam.expect(
        entries.is_ok_and(|mut entries| entries.next().is_none()),
        "`folder` to be there, and empty",
        "it is not",
    )
    .hint(
        "a guard lives as long as its variable: `let _ = …` drops it at once, \
         `let _guard = …` at the end of the scope",
    )
}

fn expect_no_folder(exam: &Exam) -> Checked {
    exam.expect_files(&[]).hint(
        "the guard has not run, or has not removed it: `drop` runs when the \
         scope is left, by a return or a panic, and not at `process::exit` or \
         `abort`",
    )
}

const QUIT: Contract = Contract {
    id: "quit",
    setting: "The server listens at `mysocket`, without arguments, and does with
each client what the server of this chapter does: it prints `accepted connection`
and its number, and `received 6 bytes:` and the message. When a message is `quit`,
these four bytes and no others, it ends with exit code 0, and its name is gone.
What it prints about this message is up to you.",
    promises: &[
        Promise {
            id: "quits",
            says: "The server ends with exit code 0 when a client has sent \
                   `quit` and closed, and no file is left.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                serve(exam, &mut server, 1)?;
                let mut client = exam.connect("mysocket")?;
                client.send("quit")?;
                client.close();
                server.expect_code(0)?;
                expect_no_file(exam)
            },
        },
        Promise {
            id: "quits-for-four-bytes",
            says: "It does so as well if the four bytes come one by one, from \
                   a client that half-closes and stays.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let mut client = exam.connect("mysocket")?;
                accepted(&mut server, 1)?;
                for byte in ["q", "u", "i", "t"] {
                    // Asleep, it has read all that came before.
                    server.expect_asleep()?;
                    client.send(byte).hint(TO_THE_END)?;
                }
                client.end();
                server.expect_code(0).hint(TO_THE_END)?;
                expect_no_file(exam)
            },
        },
        Promise {
            id: "quits-for-nothing-else",
            says: "It receives `quit` with anything before or after it, be it a \
                   newline, like any other message, and goes on.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                let others = [
                    "quit\n", "quit\r\n", " quit", "quit ", "quit\0",
                    "quitquit", "do not quit", "QUIT", "qui", "",
                ];
                for (message, number) in others.iter().zip(1..) {
                    receives(exam, &mut server, number, message)
                        .hint(WHOLE)?;
                }
                serve(exam, &mut server, others.len() as u32 + 1).hint(WHOLE)
            },
        },
        Promise {
            id: "leaves-a-newer-server-alone",
            says: "It leaves `mysocket` alone at its end if that is another \
                   server's by then.",
            takes: &[Server],
            check: |exam| {
                let mut server = exam.server(&[])?;
                move_away(exam)?;
                exam.note("other: listens at mysocket");
                let path = exam.join("mysocket");
                let _listener = UnixListener::bind(path).expect("a free path");
                let before = exam.identity("mysocket");
                let mut client = exam.connect("moved")?;
                client.send("quit")?;
                client.close();
                server.expect_code(0)?;
                unchanged(exam, "mysocket", before).hint(STILL_OURS)
            },
        },
    ],
};

const WHOLE: &str = "compare the whole message, and only that";

const TO_THE_END: &str = "a message is all that comes until the end: read to \
    that, and then look what it is";

/// Sends a message that is like any other.
fn receives(
    exam: &Exam,
    server: &mut Running,
    number: u32,
    message: &str,
) -> Checked {
    let mut client = exam.connect("mysocket")?;
    client.send(message)?;
    client.close();
    accepted(server, number)?;
    let start = format!("received {} bytes", message.len());
    server.expect_start(&start).map(drop)
}

const FOUR_LEFTOVERS: Contract = Contract {
    id: "four-leftovers",
    setting: "The server starts at `mysocket`, without arguments: it prints
`listening on mysocket` when clients can connect, accepts them, and goes on until
it is killed. Or it says in a line why it cannot start, and ends with exit code 1.
What it does with its clients is up to you.",
    promises: &[
        Promise {
            id: "starts-over-nothing",
            says: "The server starts where nothing is at the path.",
            takes: &[Server],
            check: |exam| starts(exam),
        },
        Promise {
            id: "starts-over-a-stale-socket",
            says: "It takes the place of a socket at which nobody listens.",
            takes: &[Server],
            check: |exam| {
                exam.leave_socket("mysocket");
                starts(exam)
            },
        },
        Promise {
            id: "leaves-a-live-server-alone",
            says: "It does not start where a server listens, which has the \
                   same inode afterwards and is reached as before.",
            takes: &[Server],
            check: leaves_a_live_server_alone,
        },
        Promise {
            id: "leaves-a-file-alone",
            says: "It does not start where a regular file is, which has the \
                   same inode and content afterwards.",
            takes: &[Server],
            check: |exam| {
                exam.write("mysocket", "precious");
                let before = exam.identity("mysocket");
                expect_refusal(exam).hint(LOOK)?;
                still_precious(exam, "mysocket").hint(LOOK)?;
                unchanged(exam, "mysocket", before)
            },
        },
        Promise {
            id: "leaves-a-link-alone",
            says: "It does not start where a symbolic link to a file is: the \
                   link stays, and the file has the same inode and content.",
            takes: &[Server],
            check: |exam| {
                exam.write("file", "precious");
                let before = exam.identity("file");
                link(exam, "file");
                expect_refusal(exam).hint(LINK)?;
                still_links(exam, "file")?;
                still_precious(exam, "file")?;
                unchanged(exam, "file", before)
            },
        },
    ],
};

/// Starts the server, which must be reached and go on.
fn starts(exam: &Exam) -> Checked {
    let mut server = exam.server(&[])?;
    exam.connect("mysocket")?.close();
    exam.connect("mysocket")?.close();
    server.expect_asleep()?;
    server.expect_runs()
}
