//! `cargo book doctor`, on machines where each of its checks fails.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use harness::{DEADLINE, Exit, Program, Sandbox, Signal, unprivileged};

use crate::forbidden::without_unix_sockets;
use crate::repository::write_script;

const RUSTC: &str = "echo 'rustc 1.99.0'; echo 'host: x86_64-unknown-linux-gnu'
    echo 'release: 1.99.0'";

const CHAPTER: &str = "\
# One

```console,needs=socat
$ socat -V
```

```console,needs=nc,needs=socat
$ nc -h | socat - -
```
";

/// A machine with all that is needed, and a book in a folder of its own.
struct Machine {
    sandbox: Sandbox,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { sandbox: Sandbox::new() };
        for folder in ["bin", "tmp", "here/steps", "here/book/chapters"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        let chapter = machine.path("here/book/chapters/01-one.md");
        fs::write(chapter, CHAPTER).unwrap();
        machine.tool("rustc", RUSTC);
        machine.tool("git", "echo git version 2.99");
        machine.tool("cargo", "test \"$1 $2 $3\" = 'fetch --offline --locked'");
        machine.tool("nc", "echo '  -U  Use Unix domain sockets' >&2; exit 1");
        machine.tool("socat", "exit 0");
        machine.tool("xdg-open", "exit 0");
        // Scripts need one, and `nc` is asked through it.
        machine.tool("sh", "exec /bin/sh \"$@\"");
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.join(name)
    }

    /// Puts a program of this name into the only folder of PATH.
    fn tool(&self, name: &str, script: &str) {
        write_script(&self.path("bin").join(name), script);
    }

    fn remove(&self, tool: &str) {
        fs::remove_file(self.path("bin").join(tool)).unwrap();
    }

    /// A command that will run `cargo book doctor` there.
    fn command(&self) -> Command {
        self.prepared(
            self.sandbox.command(assert_cmd::cargo::cargo_bin!("book")),
        )
    }

    /// The same, by way of `program`, which runs what its arguments name.
    fn through(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(program);
        command.args(arguments).arg(assert_cmd::cargo::cargo_bin!("book"));
        self.prepared(command)
    }

    fn prepared(&self, mut command: Command) -> Command {
        command
            .args(["doctor", "--root"])
            .arg(self.path("here"))
            .env("PATH", self.path("bin"))
            .env("TMPDIR", self.path("tmp"))
            .env("DISPLAY", ":0");
        command
    }

    /// What it says here.
    fn examine(&self) -> Report {
        self.report(self.command())
    }

    /// What it says when called like this. It must leave nothing behind.
    #[track_caller]
    fn report(&self, command: Command) -> Report {
        let before = self.files();
        let output = assert_cmd::Command::from_std(command)
            .timeout(DEADLINE)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(self.files(), before, "it has left something");
        let text = String::from_utf8(output.stdout).unwrap();
        Report { code: output.status.code(), text }
    }

    fn files(&self) -> BTreeMap<PathBuf, usize> {
        let count = |name: &str| {
            let folder = self.path(name);
            let number = fs::read_dir(&folder).unwrap().count();
            (folder, number)
        };
        ["", "bin", "here", "here/steps", "tmp"].map(count).into()
    }
}

struct Report {
    code: Option<i32>,
    text: String,
}

impl Report {
    /// Expects a line with this sign, name and beginning, and all of `parts`
    /// in that line and the next.
    #[track_caller]
    fn says(&self, sign: char, about: &str, found: &str, parts: &[&str]) {
        let begin = format!("{sign} {about:<15} {found}");
        let mut lines = self.text.lines();
        let line = lines.find(|line| line.starts_with(&begin));
        let Some(line) = line else {
            panic!("no line begins with {begin:?}:\n{}", self.text)
        };
        let text = format!("{line} {}", lines.next().unwrap_or_default());
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }

    /// Expects it to end like this.
    #[track_caller]
    fn ends(&self, code: i32, verdict: &str) {
        assert!(self.text.contains(&format!("\n{verdict}")), "{}", self.text);
        assert_eq!(self.code, Some(code), "{}", self.text);
    }

    /// What is meant for the teacher.
    fn block(&self) -> &str {
        let (_, block) = self.text.split_once("for your teacher:\n").unwrap();
        block
    }
}

/// The arguments with which unshare(1) gives a program namespaces of its own,
/// and `None` where that is not allowed, or there is no such tool.
fn unshare<'a>(arguments: &[&'a str]) -> Option<Vec<&'a str>> {
    let tried = Command::new("unshare").args(arguments).arg("true").output();
    if tried.is_ok_and(|output| output.status.success()) {
        return Some(arguments.to_vec());
    }
    let test = thread::current().name().unwrap_or_default().to_owned();
    assert!(env::var_os("CI").is_none(), "{test} needs unshare");
    eprintln!("{test} is skipped: it needs unshare, with {arguments:?}");
    None
}

/// Where a program really is: PATH is not what it was.
fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut found = env::split_paths(&path).map(|folder| folder.join(program));
    found.find(|file| file.is_file())
}

#[test]
fn is_content_with_a_good_machine() {
    let machine = Machine::new();
    let mut command =
        unprivileged(&machine.sandbox, assert_cmd::cargo::cargo_bin!("book"));
    machine.sandbox.hand_over();
    // Whoever we are now, this folder is ours.
    for name in ["here", "tmp"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(machine.path(name), mode).unwrap();
    }
    command = machine.prepared(command);
    let report = machine.report(command);
    report.says('✓', "Rust", "rustc 1.99.0; the book needs 1.", &[]);
    report.says('✓', "git", "2.99", &[]);
    for about in ["Unix sockets", "sockets here", "sockets in /tmp"] {
        report.says('✓', about, "", &[]);
    }
    report.says('✓', "permissions", "a socket's", &[]);
    report.says('✓', "TMPDIR", "/tmp/sock", &[]);
    report.says('✓', "loopback", "127.0.0.1 works", &[]);
    report.says('✓', "offline", "Cargo has", &[]);
    report.says('✓', "mysocket", "the name is free", &[]);
    report.says('✓', "user", "not root", &[]);
    report.says('✓', "browser", "opened by xdg-open", &[]);
    if cfg!(target_os = "linux") {
        report.says('✓', "tools", "nc, socat", &[]);
        report.ends(0, "Ready");
    }
}

#[test]
fn says_what_to_install_where_there_is_nothing() {
    let machine = Machine::new();
    let mut command = machine.command();
    command.env("PATH", machine.path("tmp"));
    let report = machine.report(command);
    report.says('✗', "Rust", "rustc: not found", &["https://rustup.rs"]);
    report.says('!', "git", "not found", &["`sudo apt install git`"]);
    report.says('✗', "offline", "not tried, for want of rustc", &[]);
    if cfg!(target_os = "linux") {
        let loss = "2 printed terminals are not played: 01-one (2)";
        report.says('!', "socat", "not found", &[loss]);
        report.says('!', "nc", "not found", &["`sudo dnf install netcat`"]);
        report.says('!', "browser", "nothing here", &["--no-open"]);
    }
    report.ends(1, "Not ready: 2 things to mend first");
}

#[test]
fn wants_a_new_rust() {
    let machine = Machine::new();
    machine.tool("rustc", "echo 'host: x'; echo 'release: 1.70.0'");
    let report = machine.examine();
    report.says('✗', "Rust", "rustc 1.70.0; the book", &["rustup update"]);
    report.ends(1, "Not ready: 1 thing to mend first");
}

#[test]
fn shows_why_rust_does_not_start() {
    let machine = Machine::new();
    machine.tool("rustc", "echo 'error: no toolchain' >&2; exit 1");
    let report = machine.examine();
    let why = "rustc: exit status: 1: error: no toolchain";
    report.says('✗', "Rust", why, &["rustup"]);
    report.ends(1, "Not ready: 2 things");
}

#[test]
fn can_do_without_git() {
    let machine = Machine::new();
    machine.remove("git");
    let report = machine.examine();
    report.says('!', "git", "not found", &["keep a copy"]);
    assert!(report.block().contains(", no commit\n"));
    report.ends(0, "Ready, with");
}

#[test]
fn does_not_wait_for_a_program_that_hangs() {
    let machine = Machine::new();
    let child = machine.path("tmp/child");
    let script = format!("sleep 1000 & echo $! >{}; wait", child.display());
    machine.tool("git", &script);
    machine.tool("sleep", "exec /bin/sleep 1000");
    fs::write(&child, "").unwrap();
    let mut command = machine.command();
    command.args(["--limit", "1"]);
    let report = machine.report(command);
    report.says('!', "git", "no answer within 1 s", &[]);
    report.ends(0, "Ready, with");
    // What the program had started ends, too.
    let child = fs::read_to_string(child).unwrap();
    let runs = || {
        let stat = format!("/proc/{}/stat", child.trim());
        let stat = fs::read_to_string(stat).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    assert_ne!(child, "");
    let deadline = Instant::now() + DEADLINE;
    while runs() {
        assert!(Instant::now() < deadline, "it still runs");
        thread::yield_now();
    }
}

#[test]
fn says_nothing_more_when_it_is_interrupted() {
    let machine = Machine::new();
    let started = machine.path("tmp/started");
    let script = format!("echo >{}; exec /bin/sleep 1000", started.display());
    machine.tool("git", &script);
    let mut command = machine.command();
    command.args(["--limit", "1"]);
    let mut program = Program::start(&mut command).unwrap();
    let deadline = Instant::now() + DEADLINE;
    while !started.exists() {
        assert!(Instant::now() < deadline, "it does not ask git");
        thread::yield_now();
    }
    program.signal(Signal::INT).unwrap();
    program.expect("interrupted");
    assert_eq!(program.expect_end(), Exit::Code(1));
    assert_eq!(fs::read_dir(machine.path("here")).unwrap().count(), 2);
}

#[test]
fn knows_an_nc_without_unix_sockets() {
    let machine = Machine::new();
    machine.tool("nc", "echo 'usage: nc [-46] host port' >&2; exit 1");
    let report = machine.examine();
    if cfg!(target_os = "linux") {
        let loss = "1 printed terminal is not played: 01-one (1)";
        report.says('!', "nc", "this one has no -U", &[loss, "netcat"]);
    }
    report.ends(0, "Ready, with");
}

#[test]
fn names_the_package_for_this_system() {
    let machine = Machine::new();
    machine.remove("socat");
    machine.tool("dnf", "exit 0");
    let report = machine.examine();
    if cfg!(target_os = "linux") {
        let install = "Install it: `sudo dnf install socat`.";
        report.says('!', "socat", "not found", &[install]);
    }
    report.ends(0, "Ready, with");
}

#[test]
fn says_that_the_folder_cannot_be_written_to() {
    let machine = Machine::new();
    let read_only = std::os::unix::fs::PermissionsExt::from_mode(0o555);
    fs::set_permissions(machine.path("here"), read_only).unwrap();
    let mut command =
        unprivileged(&machine.sandbox, assert_cmd::cargo::cargo_bin!("book"));
    command = machine.prepared(command);
    command.env("TMPDIR", "/tmp");
    let report = machine.report(command);
    let here = machine.path("here").canonicalize().unwrap();
    let found = format!(
        "no folder can be made in {}: permission denied",
        here.display()
    );
    report.says('✗', "sockets here", &found, &["ls -ld", "df -i"]);
    report.says('✓', "sockets in /tmp", "", &[]);
    report.says('!', "permissions", "not tried", &[]);
    report.ends(1, "Not ready: 1 thing");
}

#[test]
fn binds_in_a_folder_whose_path_is_too_long_for_an_address() {
    let machine = Machine::new();
    let long = machine.path("here").join("d".repeat(120));
    fs::create_dir_all(long.join("steps")).unwrap();
    let mut command =
        machine.sandbox.command(assert_cmd::cargo::cargo_bin!("book"));
    command
        .args(["doctor", "--root"])
        .arg(&long)
        .env("PATH", machine.path("bin"))
        .env("TMPDIR", machine.path("tmp"));
    let report = machine.report(command);
    report.says('✓', "sockets here", "bound", &[]);
    report.says('!', "path lengths", "a socket here 1", &["by that name"]);
    report.ends(0, "Ready, with");
}

#[test]
fn names_a_folder_for_temporary_files_that_is_not_there() {
    let machine = Machine::new();
    let mut command = machine.command();
    command.env("TMPDIR", machine.path("gone"));
    let report = machine.report(command);
    let found = format!(
        "no file can be made in {}: No such file",
        machine.path("gone").display()
    );
    report.says('✗', "TMPDIR", &found, &["export TMPDIR=/tmp"]);
    report.ends(1, "Not ready: 1 thing");
}

#[test]
fn says_what_has_the_name_of_the_socket() {
    let machine = Machine::new();
    let name = machine.path("here/mysocket");
    let listener = UnixListener::bind(&name).unwrap();
    let report = machine.examine();
    report.says('!', "mysocket", "a socket", &["Ctrl-C", "`rm mysocket`"]);
    report.ends(0, "Ready, with");
    // Nobody has connected in order to find out.
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());

    fs::remove_file(&name).unwrap();
    fs::write(&name, "precious").unwrap();
    let report = machine.examine();
    report.says('!', "mysocket", "something", &["ls -ld mysocket"]);
    report.ends(0, "Ready, with");
    assert_eq!(fs::read_to_string(&name).unwrap(), "precious");
}

#[test]
fn wants_some_open_files() {
    let machine = Machine::new();
    let limit = "ulimit -n 100; exec \"$0\" \"$@\"";
    let report = machine.report(machine.through("/bin/sh", &["-c", limit]));
    report.says('!', "open files", "at most 100", &["`ulimit -n 256`"]);
    report.ends(0, "Ready, with");
}

#[test]
fn says_how_to_read_without_a_display() {
    let machine = Machine::new();
    let mut command = machine.command();
    command.env_remove("DISPLAY").env("SSH_CONNECTION", "::1 1 ::1 22");
    let report = machine.report(command);
    if cfg!(target_os = "linux") {
        report.says('!', "browser", "no display", &["ssh -L 3000:127"]);
    }
    let mut command = machine.command();
    command.env("BROWSER", "lynx:socat %s");
    let report = machine.report(command);
    report.says('✓', "browser", "opened by socat", &[]);
}

/// A package with this dependency, and its lock file.
fn package(machine: &Machine, dependency: &str, locked: &str) {
    let manifest = format!(
        "[package]\nname = \"a\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [dependencies]\n{dependency}"
    );
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"0.0.0\"\n\
         {locked}"
    );
    fs::create_dir_all(machine.path("here/src")).unwrap();
    fs::write(machine.path("here/Cargo.toml"), manifest).unwrap();
    fs::write(machine.path("here/Cargo.lock"), lock).unwrap();
    fs::write(machine.path("here/src/lib.rs"), "").unwrap();
}

#[test]
fn finds_out_whether_the_book_can_be_built_without_a_network() {
    let machine = Machine::new();
    let cargo = PathBuf::from(env::var_os("CARGO").unwrap());
    let home = machine.path("tmp/cargo");
    fs::create_dir(&home).unwrap();
    let command = || {
        let mut command = machine.command();
        command
            .env("CARGO", &cargo)
            .env("RUSTC", cargo.with_file_name("rustc"))
            .env("CARGO_HOME", &home);
        command
    };
    package(&machine, "", "");
    let report = machine.report(command());
    report.says('✓', "offline", "Cargo has", &[]);
    report.ends(0, "Ready");

    let source = "registry+https://github.com/rust-lang/crates.io-index";
    let sum = "0".repeat(64);
    let locked = format!(
        "dependencies = [\"anyhow\"]\n\n[[package]]\nname = \"anyhow\"\n\
         version = \"1.0.100\"\nsource = \"{source}\"\nchecksum = \"{sum}\"\n"
    );
    package(&machine, "anyhow = \"1\"\n", &locked);
    let report = machine.report(command());
    let found = "exit status: 101: error: ";
    report.says('✗', "offline", found, &["anyhow", "`cargo fetch`"]);
    report.ends(1, "Not ready: 1 thing");
}

#[test]
fn needs_the_loopback_interface() {
    let arguments = ["--user", "--map-root-user", "--net"];
    let Some(arguments) = unshare(&arguments) else { return };
    let machine = Machine::new();
    let unshare = which("unshare").unwrap();
    let command = machine.through(unshare.to_str().unwrap(), &arguments);
    let report = machine.report(command);
    report.says('✗', "loopback", "no connection", &["Network is unreach"]);
    report.ends(1, "Not ready: 1 thing");
}

/// A report from where `script` has mounted something over the folder.
fn report_after_mount(machine: &Machine, script: &str) -> Option<Report> {
    let arguments = unshare(&["--user", "--map-root-user", "--mount"])?;
    let path = env::var("PATH").unwrap();
    let here = machine.path("here");
    // The mounts are made with this machine's own tools.
    let script = format!(
        "here={} && fakes=$PATH && PATH={path} && {script} && PATH=$fakes && \
         exec \"$0\" \"$@\"",
        here.display()
    );
    let unshare = which("unshare").unwrap();
    let shell = ["/bin/sh", "-c", &script];
    let arguments: Vec<&str> = arguments.into_iter().chain(shell).collect();
    let command = machine.through(unshare.to_str().unwrap(), &arguments);
    Some(machine.report(command))
}

#[test]
fn needs_a_disk_with_room() {
    let machine = Machine::new();
    let script = "mount -t tmpfs -o size=64m none $here && mkdir $here/steps";
    let Some(report) = report_after_mount(&machine, script) else { return };
    let parts = ["0.1 GB free", "Make room for", "CARGO_TARGET_DIR"];
    report.says('✗', "disk space", "", &parts);
    report.says('✓', "file system", "tmpfs here", &[]);
    report.ends(1, "Not ready: 1 thing");
}

#[test]
fn needs_a_disk_that_is_not_full() {
    let machine = Machine::new();
    let script = "mount -t tmpfs -o nr_inodes=2 none $here && \
        mkdir $here/steps";
    let Some(report) = report_after_mount(&machine, script) else { return };
    report.says('✗', "sockets here", "no folder can be made", &["no storage"]);
    assert_eq!(report.code, Some(1));
}

#[test]
fn needs_a_file_system_that_can_be_written_to() {
    let machine = Machine::new();
    let script = "mount --bind $here $here && mount -o remount,bind,ro $here";
    let Some(report) = report_after_mount(&machine, script) else { return };
    let found = "no folder can be made";
    report.says('✗', "sockets here", found, &["read-only filesystem"]);
    report.ends(1, "Not ready: 1 thing");
}

#[test]
fn needs_a_file_system_from_which_programs_run() {
    let machine = Machine::new();
    let script =
        "mount --bind $here $here && mount -o remount,bind,noexec $here";
    let Some(report) = report_after_mount(&machine, script) else { return };
    report.says('✗', "file system", "", &["noexec", "cannot be run"]);
    report.ends(1, "Not ready: 1 thing");
}

#[test]
fn sees_that_permissions_are_not_honored() {
    // Not root, and yet allowed to pass every check of permissions.
    let arguments =
        ["--user", "--map-user=1000", "--map-group=1000", "--keep-caps"];
    let Some(arguments) = unshare(&arguments) else { return };
    let machine = Machine::new();
    let unshare = which("unshare").unwrap();
    let command = machine.through(unshare.to_str().unwrap(), &arguments);
    let report = machine.report(command);
    let why = ["a socket of mode 0000 could be connected to", "who may"];
    report.says('!', "permissions", "not honored", &why);
    report.ends(0, "Ready, with");
}

#[test]
fn gives_up_where_unix_sockets_are_forbidden() {
    let Some(without) = without_unix_sockets() else { return };
    let machine = Machine::new();
    let without: Vec<_> = without.iter().map(String::as_str).collect();
    let report = machine.report(machine.through(without[0], &without[1..]));
    let why = "none can be made: Address family not supported";
    report.says('✗', "Unix sockets", why, &["use another machine"]);
    report.says('✗', "sockets here", "in /tmp/sock", &["cannot bind"]);
    report.ends(2, "The book will not work here");
}

#[test]
fn tells_the_teacher_nothing_private() {
    let machine = Machine::new();
    machine.tool("git", "echo git of zaphod, on heart-of-gold");
    let mut command = machine.command();
    command
        .env("HOME", machine.sandbox.path())
        .env("USER", "zaphod")
        .env("HOSTNAME", "heart-of-gold")
        .env("TMPDIR", machine.path("gone"));
    let report = machine.report(command);
    let block = report.block();
    assert!(block.starts_with("------------"), "{block}");
    assert!(block.ends_with("------------\n"), "{block}");
    assert!(block.contains("Not ready: 1 thing to mend first."), "{block}");
    assert!(block.contains("ok   git             git of …, on …\n"), "{block}");
    let tmpdir = "MEND TMPDIR          no file can be made in ~/gone: ";
    assert!(block.contains(tmpdir), "{block}");
    let private = machine.sandbox.path().to_str().unwrap();
    for name in ["zaphod", "heart", private] {
        assert!(!block.contains(name), "{name}: {block}");
    }
    // Readers themselves see all of it.
    assert!(report.text.contains(private));
}

#[test]
fn changes_nothing_in_the_repository_it_was_built_from() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let machine = Machine::new();
    let names = || -> Vec<_> {
        let entries = fs::read_dir(root).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let before = names();
    let mut command =
        machine.sandbox.command(assert_cmd::cargo::cargo_bin!("book"));
    command.arg("doctor").env("PATH", machine.path("bin"));
    let report = machine.report(command);
    assert!(report.text.contains("for your teacher"));
    assert_eq!(names(), before);
}

#[test]
fn refuses_a_limit_that_is_no_time() {
    let machine = Machine::new();
    for limit in ["0", "soon", "3601"] {
        let mut command = machine.command();
        let output = command.args(["--limit", limit]).output().unwrap();
        let says = String::from_utf8(output.stderr).unwrap();
        assert!(says.contains("'--limit <SECONDS>'"), "{says}");
        assert_eq!(output.status.code(), Some(2));
    }
}
