//! Transcripts are parsed, played, compared and recorded as the documentation
//! of `book::transcript` says; and each way in which one can be untrue is
//! found, and its place is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use book::course::Course;
use book::problem::Problem;
use book::transcript::{Failure, Programs, Recording, Transcript};
use book::transcript::{find, play, record};
use harness::{DEADLINE, Program, Sandbox, Signal};
use proptest::prelude::*;

/// For what is planted to hang: nothing else in its test takes long.
const SHORT: Duration = Duration::from_millis(300);

const FILE: &str = "book/chapters/03-connect.md";

/// Parses a transcript whose first entry stands on line 10.
#[track_caller]
fn parse(info: &str, text: &str) -> Transcript {
    let result = Transcript::parse(info, text, Path::new(FILE), 10);
    result.unwrap_or_else(|problems| panic!("{}", joined(&problems)))
}

fn joined(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

#[track_caller]
fn rejects(info: &str, text: &str, problem: &str) {
    let result = Transcript::parse(info, text, Path::new(FILE), 10);
    let problems = joined(&result.expect_err("it was accepted"));
    assert!(problems.contains(problem), "{problems}\nexpected: {problem}");
    assert_eq!(problems.lines().count(), 1, "one error each: {problems}");
}

/// Plays a transcript that names programs of the real steps.
fn result(text: &str, limit: Duration) -> Result<(), Box<Failure>> {
    let transcript = parse("console", text);
    let course = Course::here().unwrap();
    let programs = Programs::build(&course, std::slice::from_ref(&transcript))
        .unwrap_or_else(|problems| panic!("{}", joined(&problems)));
    play(&transcript, &programs, limit)
}

#[track_caller]
fn plays(text: &str) {
    if let Err(failure) = result(text, DEADLINE) {
        panic!("{failure}");
    }
}

/// Plays a transcript that is not true. The failure must begin as `expected`:
/// whether a program runs at its end is not always certain.
#[track_caller]
fn fails(text: &str, limit: Duration, expected: &str) {
    let failure = result(text, limit).expect_err("it was played").to_string();
    assert!(
        failure.starts_with(expected.trim_start()),
        "{failure}\nexpected:{expected}"
    );
}

// Parsing

#[test]
fn every_form_of_line_is_printed_as_it_was_written() {
    let text = "\
server$ cargo run -q -p step6 -- 2
server| listening on mysocket
server|
server|   indented
web-1$ cat
web-1> hello
web-1>
web-1^D
server^C
server? 130
";
    let transcript = parse("console,linux", text);
    assert_eq!(transcript.to_string(), text);
    assert_eq!(transcript.terminals, ["server", "web-1"]);
    assert!(transcript.linux);

    let text = "$ printf x | nc -N -U mysocket\n| x\n> y\n^C\n? 1\n";
    let transcript = parse("console,needs=nc", text);
    assert_eq!(transcript.to_string(), text);
    assert_eq!(transcript.terminals, [""]);
    assert_eq!(transcript.needs, ["nc"]);
}

#[test]
fn a_wrong_line_is_named() {
    let at = "book/chapters/03-connect.md:10: ";
    let start = "server$ true\n";
    let next = "book/chapters/03-connect.md:11: ";
    let cases = [
        ("", "listening", at, "this is not a line of a transcript"),
        ("", "Server$ true", at, "this is not a line of a transcript"),
        ("", "9a$ true", at, "a terminal cannot be called `9a`"),
        ("", "$ ", at, "white space at the end"),
        ("", "$", at, "expected a command after `$ `"),
        ("", "$ls", at, "expected a space after `$`"),
        ("", "sever| text", at, "nothing runs in the terminal `sever` yet"),
        ("", "$ cd /tmp", at, "`cd` would change the reader's shell"),
        ("", "$ cargo test", at, "a program of a step is run by"),
        ("", "$ target/release/step1-server", at, "a program of a step"),
        ("", "$ pkill -x step1-server", at, "`pkill` would find programs"),
        ("", "$ printf \u{1b}", at, "a control character"),
        (start, "\nserver^C", next, "an empty line"),
        (start, "sever^C", next, "terminals so far: server"),
        (start, "server^Z", next, "unknown key `^Z`: there are ^C and ^D"),
        (start, "server? one", next, "`one` is no exit code"),
        (start, "server? 256", next, "`256` is no exit code"),
        (start, "server? 01", next, "`01` is no exit code"),
        (start, "$ true", next, "only where there is a single terminal"),
    ];
    for (start, line, place, message) in cases {
        let message = format!("{place}{message}");
        // Its place and its message are on one line of the error.
        let result = Transcript::parse(
            "console",
            &format!("{start}{line}\n"),
            Path::new(FILE),
            10,
        );
        let problems = joined(&result.expect_err(line));
        let found = problems.lines().any(|problem| {
            problem.starts_with(place)
                && problem.contains(&message[place.len()..])
        });
        assert!(found, "{line:?}: {problems}\nexpected: {message}");
        assert_eq!(problems.lines().count(), 1, "{problems}");
    }
    rejects("console", "$ true\n? 0\n| x\n", ".md:12: the command has ended");
    rejects("console", "", ".md:9: an empty transcript");
}

#[test]
fn a_wrong_option_is_named() {
    let at = "03-connect.md:9: ";
    let nc = "$ nc -h\n";
    for (info, text, message) in [
        ("console,mac", "$ true", "unknown or repeated option `mac`"),
        ("console, linux", "$ true", "unknown or repeated option ` linux`"),
        ("console,linux,linux", "$ true", "unknown or repeated option"),
        ("console,needs=socatt", "$ true", "unknown tool `socatt`"),
        ("console,needs=nc,needs=nc", nc, "`needs=nc` is repeated"),
        ("console", nc, "a command uses `nc`: declare it"),
        ("console,needs=nc", "$ true", "`needs=nc`, and no command uses"),
    ] {
        rejects(info, text, &format!("{at}{message}"));
    }
}

#[test]
fn all_transcripts_of_a_chapter_are_found_with_their_places() {
    let markdown = "\
# Connect

```console
$ true
```

1. In a list:

   ~~~console,linux
   a$ printf 'x\\n'
   a| x
   ~~~

```text
$ no transcript
```
";
    let found = find(markdown, Path::new(FILE)).unwrap();
    let places: Vec<_> = found
        .iter()
        .map(|transcript| (transcript.line, transcript.to_string()))
        .collect();
    let second = "a$ printf 'x\\n'\na| x\n".to_owned();
    assert_eq!(places, [(4, "$ true\n".to_owned()), (10, second)]);

    let problems = find("x\n```console\n$ true\noops\n```\n", Path::new(FILE));
    let problems = joined(&problems.unwrap_err());
    assert!(problems.starts_with("book/chapters/03-connect.md:4: this is"));
}

fn text() -> impl Strategy<Value = String> {
    "[ -~é]{0,20}[!-~]"
}

/// A transcript in its notation.
fn notation() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        text().prop_map(|text| format!("| {text}")),
        text().prop_map(|text| format!("> {text}")),
        Just("|".to_owned()),
        Just("^C".to_owned()),
        Just("^D".to_owned()),
    ];
    let turn = (
        prop::sample::select(vec!["server", "client-1", "x"]),
        prop::collection::vec(line, 0..4),
        prop::option::of(0..=255u8),
    );
    prop::collection::vec(turn, 1..5).prop_map(|turns| {
        let mut text = String::new();
        for (name, lines, code) in turns {
            text += &format!("{name}$ true\n");
            for line in lines {
                text += &format!("{name}{line}\n");
            }
            if let Some(code) = code {
                text += &format!("{name}? {code}\n");
            }
        }
        text
    })
}

proptest! {
    #[test]
    fn what_is_parsed_is_printed_as_it_was(text in notation()) {
        let transcript = parse("console", &text);
        prop_assert_eq!(transcript.to_string(), text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(
        info in "(console)?(,needs=|,linux|[ -~])*",
        text in "([a-z0-9-]*[$|>^? ]?\\PC*\n?)*",
        any in any::<String>(),
    ) {
        let file = Path::new(FILE);
        let _ = Transcript::parse(&info, &text, file, 10);
        let _ = Transcript::parse(&info, &any, file, 10);
        let _ = find(&any, file);
        let _ = find(&format!("```{info}\n{text}\n```\n{any}"), file);
    }

    #[test]
    fn html_has_no_empty_line_and_no_text_of_ours_as_markup(
        text in notation(),
        printed in "\\PC{0,20}[<>&\"]",
    ) {
        let text = format!("{text}a$ true\na| {printed}\n");
        let html = parse("console", &text).html("03-connect-1");
        prop_assert!(!html.contains("\n\n"), "{}", html);
        let escaped = printed
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;");
        let samp = format!("<samp>{escaped}</samp>");
        prop_assert!(html.contains(&samp), "{}", html);
    }
}

#[test]
fn a_page_shows_the_turns_of_the_terminals_in_the_order_of_time() {
    let text = "\
server$ cargo run -p step3
server| listening
a$ ls -l mysocket
server^C
server? 130
";
    let html = parse("console,linux", text).html("03-connect-1");
    assert_eq!(
        html,
        "\
<figure class=\"transcript\" id=\"03-connect-1\" data-terminals=\"2\" \
aria-label=\"Terminals: server, a\">
<figcaption><span>Linux only</span></figcaption>
<div class=\"terminals\" style=\"--columns:minmax(0,24fr) minmax(0,24fr);--rows:3\">
<div class=\"screen color1\" style=\"--column:1\" aria-hidden=\"true\"><span>server</span></div>
<div class=\"screen color2\" style=\"--column:2\" aria-hidden=\"true\"><span>a</span></div>
<div class=\"turn color1 first\" style=\"--column:1;--row:1\"><span class=\"who\">server</span>
<div class=\"command\"><kbd>cargo run <span>-p</span> step3</kbd></div>
<div class=\"printed\"><samp>listening</samp></div>
</div>
<div class=\"turn color2\" style=\"--column:2;--row:2\"><span class=\"who\">a</span>
<div class=\"command\"><kbd>ls <span>-l</span> mysocket</kbd></div>
</div>
<div class=\"turn color1\" style=\"--column:1;--row:3\"><span class=\"who\">server</span>
<div class=\"key\"><kbd>Ctrl</kbd>+<kbd>C</kbd></div>
<div class=\"exit\">exit code 130</div>
</div>
</div>
</figure>
"
    );
}

// Playing

#[test]
fn a_server_and_a_client_are_played_in_two_terminals() {
    plays(
        "\
server$ cargo run -p step3
server| listening on mysocket
client$ cargo run -p step3 --bin step3-client
client| connected to mysocket
server| accepted connection 1 from (unnamed)
server^C
other$ ls -l mysocket
other| srwxr-xr-x 1 ada staff 0 Jan  1 12:00 mysocket
other$ target/debug/step3-client
other| Error: cannot connect to mysocket
other|
other| Caused by:
other|     Connection refused (os error 111)
other? 1
",
    );
}

#[test]
fn input_is_typed_ended_and_interrupted() {
    plays("$ cat\n> hello\n| hello\n>\n|\n^D\n");
    plays("$ cat\n> a\n| a\n^C\n");
    plays("$ cat\n> a\n| a\n^C\n? 130\n");
    plays("$ cat | cat\n> a\n| a\n^C\n");
}

#[test]
fn interrupts_arrive_though_a_shell_in_the_background_started_us() {
    let script = "trap '' INT; exec \"$0\" --exact \
                  input_is_typed_ended_and_interrupted";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(std::env::current_exe().unwrap());
    let mut tests = Program::start(&mut shell).unwrap();
    assert_eq!(tests.wait(DEADLINE), Ok(harness::Exit::Code(0)));
}

#[test]
fn a_terminal_can_kill_what_runs_in_another() {
    plays(
        "\
web-1$ cargo run -p step2
web-1| listening on mysocket
b$ kill -9 $web_1
web-1? 137
",
    );
    plays(
        "\
server$ cargo run -p step5
server| listening on mysocket
other$ kill -s TERM $server
server? 143
",
    );
}

#[test]
fn a_line_without_a_line_feed_and_control_characters_are_shown() {
    plays("$ printf 'a\\nb'\n| a\n| b\n");
    plays("$ printf 'a\\033[1mb\\r\\n'\n| a^[[1mb\n");
}

#[test]
fn the_environment_is_the_same_everywhere() {
    plays(
        "$ umask; ls -a; echo $LC_ALL $TZ $TERM $RUST_BACKTRACE\n\
        | 0022\n| .\n| ..\n| C.UTF-8 UTC dumb\n",
    );
}

#[test]
fn an_altered_line_is_found() {
    fails(
        "\
server$ cargo run -p step3
server| listening on yoursocket
server^C
",
        DEADLINE,
        "
book/chapters/03-connect.md:11: server: expected the line \"listening on yoursocket\", and \"listening on mysocket\" was printed

  - as in the book, + as it ran:
    server$ cargo run -p step3
  - server| listening on yoursocket
  + server| listening on mysocket
    (1 more not played)
  server: it still runs
",
    );
}

#[test]
fn a_missing_line_is_found() {
    // The book lacks what the program prints.
    fails(
        "$ printf 'one\\ntwo\\nthree\\n'\n| one\n| three\n",
        DEADLINE,
        "
book/chapters/03-connect.md:12: the terminal: expected the line \"three\", and \"two\" was printed

  - as in the book, + as it ran:
    $ printf 'one\\ntwo\\nthree\\n'
    | one
  + | two
    | three
",
    );
    fails(
        "$ printf 'one\\ntwo\\n'\n| one\n",
        DEADLINE,
        "
book/chapters/03-connect.md:11: the terminal: expected its end, and \"two\" was printed

  - as in the book, + as it ran:
    $ printf 'one\\ntwo\\n'
    | one
  + | two
  the terminal: it has ended: exit code 0
",
    );
}

#[test]
fn an_extra_line_is_found() {
    // The book has what no program prints.
    fails(
        "$ echo one\n| one\n| two\n",
        DEADLINE,
        "
book/chapters/03-connect.md:12: the terminal: expected the line \"two\", but its output has ended; it has ended: exit code 0

  - as in the book, + as it ran:
    $ echo one
    | one
  - | two
  the terminal: it has ended: exit code 0
",
    );
}

#[test]
fn a_wrong_exit_code_is_found() {
    fails(
        "a$ (exit 3)\nb$ true\n",
        DEADLINE,
        "
book/chapters/03-connect.md:10: a: expected exit code 0, and it is exit code 3

  - as in the book, + as it ran:
    a$ (exit 3)
  + a? 3
    (1 more not played)
  a: it has ended: exit code 3
",
    );
    fails(
        "a$ (exit 3)\na? 4\n",
        DEADLINE,
        "
book/chapters/03-connect.md:11: a: expected exit code 4, and it is exit code 3

  - as in the book, + as it ran:
    a$ (exit 3)
  - a? 4
  + a? 3
  a: it has ended: exit code 3
",
    );
    // Nobody pressed Ctrl-C.
    let failure = result("$ kill -s INT $$\n", DEADLINE).unwrap_err();
    assert!(failure.problem.message.ends_with("it is killed by signal 2"));
}

#[test]
fn a_program_that_hangs_is_found() {
    fails(
        "server$ cargo run -p step3\nserver| listening on mysocket\n",
        SHORT,
        "
book/chapters/03-connect.md:11: server: this is the command's last line here, but it still runs: end it with ^C or ^D, or by another terminal and `? 0`

  - as in the book, + as it ran:
    server$ cargo run -p step3
    server| listening on mysocket
  server: it still runs
",
    );
    fails(
        "a$ cat\na| text\na^C\n",
        SHORT,
        "
book/chapters/03-connect.md:11: a: expected the line \"text\", but nothing came within the deadline; it still runs

  - as in the book, + as it ran:
    a$ cat
  - a| text
    (1 more not played)
  a: it still runs
",
    );
}

#[test]
fn a_process_that_is_left_behind_is_found_and_killed() {
    for command in ["sleep 1000 &", "sleep 1000 >/dev/null 2>&1 &"] {
        let failure = result(&format!("$ {command}\n"), SHORT).unwrap_err();
        let message = &failure.problem.message;
        let (_, process) = message.split_once("but left sleep (").unwrap();
        let pid = process.trim_end_matches(')');
        let stat = format!("/proc/{pid}/stat");
        wait_for(|| match fs::read_to_string(&stat) {
            Ok(stat) => stat.contains(") Z ").then_some(()),
            Err(_) => Some(()),
        });
    }
}

#[test]
fn a_transcript_cannot_use_what_another_left() {
    plays("$ touch mysocket\n");
    let failure = result("$ ls mysocket\n| mysocket\n", DEADLINE);
    let failure = failure.unwrap_err().to_string();
    assert!(failure.contains("No such file or directory"), "{failure}");
}

#[test]
fn a_key_for_a_program_that_has_ended_is_found() {
    let text = "\
a$ head -n 1
a> x
a| x
b$ while kill -0 $a 2>/dev/null; do :; done
a^C
";
    let message = result(text, DEADLINE).unwrap_err().problem.to_string();
    assert!(message.contains(".md:14: a: Ctrl-C was to end it"), "{message}");
}

#[test]
fn a_key_for_a_program_that_may_not_run_yet_is_found() {
    let text = "a$ echo x\na| x\na$ cat\na^C\n";
    let message = result(text, DEADLINE).unwrap_err().problem.to_string();
    assert!(message.contains(".md:13: a: Ctrl-C could come"), "{message}");
}

#[test]
fn a_program_that_no_step_has_is_found() {
    for (command, program) in [
        ("cargo run -p step99", "step99-server"),
        ("cargo run -p step1 --bin step1-client", "step1-client"),
        ("strace target/debug/step3-clint", "step3-clint"),
    ] {
        let needs = if command.starts_with("strace") {
            "console,needs=strace"
        } else {
            "console"
        };
        let transcript = parse(needs, &format!("$ true\n$ {command}\n"));
        let course = Course::here().unwrap();
        let Err(problems) = Programs::build(&course, &[transcript]) else {
            panic!("{program} was built")
        };
        assert_eq!(
            joined(&problems),
            format!("{FILE}:11: no step has the program {program}")
        );
    }
}

#[test]
fn tools_that_see_the_kernel_show_what_the_book_can_show() {
    let text = "\
server$ strace -f -e trace=listen target/debug/step1-server
server| listen(3, -1)                           = 0
server| listening on mysocket
server| +++ exited with 0 +++
client$ strace -e trace=execve target/debug/step1-server 2>&1 | head -n 1
client| execve(\"target/debug/step1-server\", [\"target/debug/step1-server\"], 0x7ffd0bad0bad /* 9 vars */) = 0
";
    let transcript = parse("console,needs=strace,linux", text);
    if let Some(why) = transcript.missing() {
        return eprintln!("not tested: {why}");
    }
    let course = Course::here().unwrap();
    let programs =
        Programs::build(&course, std::slice::from_ref(&transcript)).unwrap();
    if let Err(failure) = play(&transcript, &programs, DEADLINE) {
        panic!("{failure}");
    }
}

// What the kernel holds

/// Whether a view can be true here; where `CI` is set, it must be.
fn can_look() -> bool {
    let can = parse("console", "$ true\nkernel| nothing\n");
    let missing = can.missing();
    assert!(missing.is_none() || std::env::var_os("CI").is_none());
    missing.is_none()
}

const VIEWS: &str = "\
server$ cargo run -p step2
server| listening on mysocket
kernel| srwxr-xr-x mysocket
kernel| server 3 listens at mysocket, 0 connections wait
client$ cat > typed; cargo run -p step4 --bin step4-client
client> something
client^D
client| connected to mysocket
client| wrote 6 bytes
server| accepted connection 1 from (unnamed)
kernel| srwxr-xr-x mysocket
kernel| -rw-r--r-- typed
kernel| server 3 listens at mysocket, 0 connections wait
kernel| server 4 ⇄ nobody, 6 bytes wait for server 4
server^C
kernel| srwxr-xr-x mysocket
kernel| -rw-r--r-- typed
";

#[test]
fn the_kernel_holds_what_a_view_says() {
    assert_eq!(parse("console", VIEWS).to_string(), VIEWS);
    if can_look() {
        plays(VIEWS);
        plays("$ true\nkernel| nothing\n");
    }
}

#[test]
fn a_view_that_is_not_true_is_found() {
    if !can_look() {
        return;
    }
    for (line, other) in [
        ("kernel| -rw-r--r-- typed\n", ""),
        (", 6 bytes wait for server 4", ""),
        ("srwxr-xr-x", "srwxrwxrwx"),
        ("kernel| server 4", "kernel| other\nkernel| server 4"),
    ] {
        let text = VIEWS.replacen(line, other, 1);
        let failure = result(&text, SHORT).expect_err(&text).to_string();
        assert!(failure.contains("the kernel holds something else"), "{text}");
        let shown = line.trim_end();
        assert!(failure.contains(shown), "{failure}\nwithout {shown}");
    }
}

#[test]
fn a_line_about_the_kernel_is_no_terminal() {
    let unused = "`needs=ss`, and no command uses";
    rejects("console,needs=ss", "$ true\nkernel| nothing\n", unused);
    let kernel = "`kernel` is no terminal";
    rejects("console", "$ true\nkernel$ ls\n", kernel);
    rejects("console", "$ true\nkernel? 0\n", kernel);
    let early = "nothing has happened yet";
    rejects("console", "kernel| nothing\n$ true\n", early);
    let html = parse("console", VIEWS).html("id");
    assert!(html.contains("data-terminals=\"2\""), "{html}");
    assert_eq!(html.matches("class=\"screen").count(), 2, "{html}");
    assert_eq!(html.matches("the kernel holds").count(), 3, "{html}");
}

#[test]
fn recording_looks_into_the_kernel() {
    if !can_look() {
        return;
    }
    let chapter = "```console\n$ touch one two\nkernel| -rw-r--r-- \
                   one\nkernel| -rw-r--r-- two\n$ rm one two\nkernel| \
                   nothing\n```\n";
    // A line is missing, another is wrong, and one is too much.
    let altered = chapter
        .replace("kernel| -rw-r--r-- one\n", "")
        .replace("kernel| nothing", "kernel| something\nkernel| more");
    let repository = Repository::new("fn main() {}\n", &altered);
    repository.record();
    let recorded = fs::read_to_string(repository.chapter()).unwrap();
    assert_eq!(recorded, chapter);
    assert!(repository.record().rewritten.is_empty());
}

#[test]
fn the_sockets_of_others_are_not_shown() {
    let text = "\
server$ cargo run -p step2
server| listening on mysocket
other$ ss -xl src mysocket
other| Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess
other| u_str LISTEN 0      4096        mysocket 21992            * 0
server^C
";
    let transcript = parse("console,linux,needs=ss", text);
    if let Some(why) = transcript.missing() {
        return eprintln!("not tested: {why}");
    }
    let course = Course::here().unwrap();
    let programs =
        Programs::build(&course, std::slice::from_ref(&transcript)).unwrap();
    // Somebody else's, of the same name: as when two are played at once.
    let others = Sandbox::new();
    let mut listen = others.command("nc");
    if listen.arg("-h").output().is_err() {
        return eprintln!("not tested: needs nc");
    }
    let mut server = others.start("nc", &["-l", "-v", "-U", "mysocket"]);
    server.expect_containing("mysocket");
    if let Err(failure) = play(&transcript, &programs, DEADLINE) {
        panic!("{failure}");
    }
}

// Programs are never stale

/// A repository with one step and one chapter.
struct Repository {
    sandbox: Sandbox,
    course: Course,
}

impl Repository {
    fn new(program: &str, chapter: &str) -> Self {
        let sandbox = Sandbox::new();
        let step = sandbox.join("steps/01-print");
        fs::create_dir_all(step.join("src/bin")).unwrap();
        fs::create_dir_all(sandbox.join("book/chapters")).unwrap();
        let workspace =
            "[workspace]\nresolver = \"3\"\nmembers = [\"steps/*\"]\n";
        fs::write(sandbox.join("Cargo.toml"), workspace).unwrap();
        let manifest = "[package]\nname = \"step1\"\nedition = \"2024\"\n\
            [[bin]]\nname = \"step1-server\"\npath = \"src/bin/server.rs\"\n";
        fs::write(step.join("Cargo.toml"), manifest).unwrap();
        fs::write(step.join("src/bin/server.rs"), program).unwrap();
        fs::write(sandbox.join("book/chapters/01-print.md"), chapter).unwrap();
        let course = Course::read(sandbox.path()).unwrap();
        Self { sandbox, course }
    }

    fn program(&self) -> PathBuf {
        self.sandbox.join("steps/01-print/src/bin/server.rs")
    }

    fn chapter(&self) -> PathBuf {
        self.sandbox.join("book/chapters/01-print.md")
    }

    #[track_caller]
    fn record(&self) -> Recording {
        record(&self.course, Some("01-print"))
            .unwrap_or_else(|problems| panic!("{}", joined(&problems)))
    }
}

#[test]
fn a_program_is_never_stale() {
    let one = "fn main() { println!(\"one\") }";
    let repository = Repository::new(one, "");
    let transcript = parse("console", "$ cargo run -p step1\n| one\n");
    let build = || {
        let transcripts = std::slice::from_ref(&transcript);
        Programs::build(&repository.course, transcripts)
    };
    play(&transcript, &build().unwrap(), DEADLINE).unwrap();

    fs::write(repository.program(), one.replace("one", "two")).unwrap();
    let failure = play(&transcript, &build().unwrap(), DEADLINE).unwrap_err();
    assert!(failure.problem.message.contains("\"two\" was printed"));

    fs::write(repository.program(), "fn main() { oops }").unwrap();
    let Err(problems) = build() else { panic!("it was built") };
    assert!(joined(&problems).contains("cannot find value `oops`"));
}

// Recording

#[test]
fn recording_writes_what_is_printed_and_nothing_else() {
    let before = "\
# Print\r
\r
```console\r
$ printf 'one\\ntwo\\n'\r
| one\r
| old\r
```\r
Text with a | line.

> - ```console
>   a$ cat
>   b$ ls -l; touch x; ls -l x
>   b| total 0
>   b| -rw-r--r-- 1 ada staff 0 Jan  1 12:00 x
>   b$ (exit 2)
>   a> typed
>   a^D
>   b$ true
>   b| gone
>   b? 1
>   ```

```console,needs=socat
$ socat -h
| not here
```

    indented code\t
no line feed at the end";
    let after = before
        .replace("| old\r\n", "| two\r\n")
        .replace("(exit 2)\n", "(exit 2)\n>   b? 2\n")
        .replace("a> typed\n", "a> typed\n>   a| typed\n")
        .replace("b| gone\n>   b? 1\n", "b? 0\n");
    let without_socat = |text: &str| {
        let (start, rest) = text.split_once("```console,needs=socat").unwrap();
        let (_, end) = rest.split_once("```").unwrap();
        format!("{start}{end}")
    };
    let (before, after) = (without_socat(before), without_socat(&after));
    let repository = Repository::new("fn main() {}", &before);

    assert_eq!(
        repository.record().rewritten,
        [Path::new("book/chapters/01-print.md")]
    );
    assert_eq!(fs::read_to_string(repository.chapter()).unwrap(), after);
    assert!(repository.record().rewritten.is_empty());
    assert_eq!(fs::read_to_string(repository.chapter()).unwrap(), after);

    // And it is true.
    let file = Path::new("book/chapters/01-print.md");
    let transcripts = find(&after, file).unwrap();
    let programs = Programs::build(&repository.course, &transcripts).unwrap();
    for transcript in &transcripts {
        if let Err(failure) = play(transcript, &programs, DEADLINE) {
            panic!("{failure}");
        }
    }
}

#[test]
fn recording_fills_in_what_was_not_there() {
    let program = "fn main() {
        println!(\"ready\");
        let mut line = String::new();
        while std::io::stdin().read_line(&mut line).unwrap() > 0 {}
        println!(\"end\");
    }";
    let chapter = "\
```console
server$ cargo run -p step1
client$ echo hello
server^D
```
";
    let repository = Repository::new(program, chapter);
    repository.record();
    assert_eq!(
        fs::read_to_string(repository.chapter()).unwrap(),
        "\
```console
server$ cargo run -p step1
server| ready
client$ echo hello
client| hello
server^D
server| end
```
"
    );
    assert!(repository.record().rewritten.is_empty());
}

#[test]
fn a_chapter_in_which_anything_is_wrong_is_not_rewritten() {
    // The second transcript leaves something running.
    let chapter = "\
```console
$ echo new
| old
```
```console
$ oops
```
oops, and
```console
oops
```
";
    let repository = Repository::new("fn main() {}", chapter);
    let problems = record(&repository.course, None).unwrap_err();
    let message = "book/chapters/01-print.md:10: this is not a line";
    assert!(joined(&problems).starts_with(message), "{problems:?}");
    let unchanged = fs::read_to_string(repository.chapter()).unwrap();
    assert_eq!(unchanged, chapter);

    let problems = record(&repository.course, Some("02")).unwrap_err();
    assert_eq!(
        joined(&problems),
        "book/chapters: there is no chapter `02`; there are 01-print"
    );
}

#[test]
fn a_chapter_that_changes_while_it_is_recorded_is_not_overwritten() {
    let repository = Repository::new("fn main() {}", "");
    let file = repository.chapter();
    let chapter =
        format!("```console\n$ echo edit >> {}\n| x\n```\n", file.display());
    fs::write(&file, &chapter).unwrap();
    let problems = record(&repository.course, None).unwrap_err();
    assert!(joined(&problems).contains("it changed while it was recorded"));
    assert_eq!(fs::read_to_string(&file).unwrap(), chapter + "edit\n");
}

// Nothing outlives the player

/// Not a test: what the next one kills while it plays.
#[test]
#[ignore = "it plays for ever"]
fn plays_for_ever() {
    let sandbox = Sandbox::new();
    let script = "sleep 1000 & sleep 1000";
    let mut program = sandbox.start("sh", &["-c", script]);
    println!("{} runs in {}", program.id(), sandbox.path().display());
    let _ = program.wait(Duration::from_secs(1000));
}

#[test]
fn a_player_that_is_killed_leaves_nothing_running() {
    let mut runner = Command::new(std::env::current_exe().unwrap());
    runner.args(["--exact", "plays_for_ever", "--ignored", "--nocapture"]);
    let mut player = Program::start(&mut runner).unwrap();
    let line = player.expect_containing(" runs in ");
    let (group, folder) = line.split_once(" runs in ").unwrap();
    let group = group.split(' ').next_back().unwrap();
    assert!(group_runs(group));
    player.signal(Signal::KILL).unwrap();
    wait_for(|| (!group_runs(group)).then_some(()));
    // It was killed before it could remove its folder: the watchdog does.
    wait_for(|| (!Path::new(folder).exists()).then_some(()));
}

fn wait_for<T>(mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + DEADLINE;
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(std::time::Instant::now() < deadline, "it never came");
        std::thread::yield_now();
    }
}

/// Whether any process of a group runs, from proc_pid_stat(5).
fn group_runs(group: &str) -> bool {
    fs::read_dir("/proc").unwrap().any(|entry| {
        let stat = entry.unwrap().path().join("stat");
        let stat = fs::read_to_string(stat).unwrap_or_default();
        let (_, fields) = stat.rsplit_once(") ").unwrap_or_default();
        let fields: Vec<&str> = fields.split(' ').collect();
        fields.get(2) == Some(&group) && fields[0] != "Z"
    })
}
