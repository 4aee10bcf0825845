//! `cargo book pack`: what is in the archive, and when there is none.
//!
//! Cargo is a script here that vendors one file. That the real archive builds
//! the book without a network is proved by `.ci/run`.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use harness::{DEADLINE, Exit, Program, Signal};

use crate::repository::{Repository, write_script};

const ARCHIVE: &str = "unix-sockets-book.tar.gz";

const CONFIG: &str = "[alias]\nbook = \"run\"\n";

const VENDOR: &str = "\
mkdir -p vendor/once && echo '//! Once.' >vendor/once/lib.rs
echo \"$@\" >vendor/arguments
echo '[source.crates-io]'
echo 'replace-with = \"vendored-sources\"'
";

/// A repository that git knows, and a Cargo that can only vendor.
struct Clone {
    repository: Repository,
}

impl Clone {
    fn new() -> Self {
        let clone = Self { repository: Repository::new() };
        clone.git(&["init", "--quiet"]);
        let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.gitignore");
        let ignored = fs::read_to_string(real).unwrap();
        clone.write(".gitignore", &format!("{ignored}/tmp\n/bin\n"));
        clone.write(".cargo/config.toml", CONFIG);
        clone.write("target/debug/large", "built");
        clone.write("work/mine.rs", "of the learner");
        clone.cargo(VENDOR);
        clone
    }

    fn write(&self, name: &str, text: &str) {
        self.repository.write(name, text);
    }

    fn git(&self, arguments: &[&str]) {
        let mut command = self.repository.sandbox.command("git");
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Takes this script for Cargo.
    fn cargo(&self, script: &str) {
        fs::create_dir_all(self.repository.path("bin")).unwrap();
        write_script(&self.repository.path("bin/cargo"), script);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let arguments = [&["pack"], arguments].concat();
        let mut command = self.repository.command(&arguments);
        command.env("CARGO", self.repository.path("bin/cargo"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        assert_cmd::Command::from_std(self.command(arguments))
            .timeout(DEADLINE)
            .output()
            .unwrap()
    }

    /// Expects an archive, and returns what is printed.
    #[track_caller]
    fn packs(&self) -> String {
        let output = self.run(&[]);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
        assert!(self.repository.path(ARCHIVE).is_file());
        self.leaves_nothing_else();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Expects no archive, and this.
    #[track_caller]
    fn fails(&self, says: &str) {
        let output = self.run(&[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with(says), "{said}");
        assert_eq!(output.status.code(), Some(1));
        assert!(!self.repository.path(ARCHIVE).exists());
        self.leaves_nothing_else();
    }

    #[track_caller]
    fn leaves_nothing_else(&self) {
        let files = self.repository.sandbox.files();
        let ours: Vec<_> =
            files.iter().filter(|name| name.starts_with(".pack")).collect();
        assert!(ours.is_empty(), "{ours:?}");
        let temporary = self.repository.temporary();
        assert!(temporary.is_empty(), "{temporary:?}");
    }

    /// Unpacks the archive; returns all names in it, sorted.
    fn unpack(&self) -> Vec<String> {
        let mut command = self.repository.sandbox.command("tar");
        command.args(["-xvzf", ARCHIVE, "-C", "tmp"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        // bsdtar says it elsewhere, and with an `x` before each.
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        let names = said.lines().map(|line| line.trim_start_matches("x "));
        let names = names.filter(|name| !name.ends_with('/'));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names
    }

    fn unpacked(&self, name: &str) -> String {
        let name = Path::new("tmp/unix-sockets-book").join(name);
        self.repository.read(name.to_str().unwrap())
    }
}

#[test]
fn packs_sources_crates_and_pages() {
    let clone = Clone::new();
    let report = clone.packs();
    let last = report.lines().last().unwrap();
    assert!(last.ends_with(" MB, written to unix-sockets-book.tar.gz"));
    let names = clone.unpack();
    for name in [
        ".cargo/config.toml",
        ".gitignore",
        "START.txt",
        "book/chapters/preface.md",
        "site/index.html",
        "site/preface.html",
        "steps/01-one/src/bin/server.rs",
        "vendor/once/lib.rs",
    ] {
        let times =
            names.iter().filter(|n| **n == format!("unix-sockets-book/{name}"));
        assert_eq!(times.count(), 1, "{name}: {names:?}");
    }
    for part in ["/target/", "/work/", "/tmp/", "/bin/cargo", "/.git/"] {
        assert!(!names.iter().any(|name| name.contains(part)), "{part}");
    }
    assert!(names.iter().all(|name| name.starts_with("unix-sockets-book/")));
    assert!(clone.unpacked("START.txt").contains("Rust 1."));
    assert!(clone.unpacked("site/preface.html").contains("The first text."));
    let arguments = clone.unpacked("vendor/arguments");
    assert!(arguments.starts_with("vendor --locked --versioned-dirs"));
}

#[test]
fn keeps_the_settings_of_cargo_and_adds_where_crates_are() {
    let clone = Clone::new();
    clone.packs();
    clone.unpack();
    let config = clone.unpacked(".cargo/config.toml");
    assert!(config.starts_with(CONFIG), "{config}");
    let config: toml::Table = config.parse().unwrap();
    let replaced = &config["source"]["crates-io"]["replace-with"];
    assert_eq!(replaced.as_str(), Some("vendored-sources"));
    assert_eq!(config["alias"]["book"].as_str(), Some("run"));
    assert_eq!(clone.repository.read(".cargo/config.toml"), CONFIG);
}

#[test]
fn refuses_settings_that_replace_crates_already() {
    let clone = Clone::new();
    clone.write(".cargo/config.toml", "[source.crates-io]\n");
    clone.fails(
        ".cargo/config.toml does not go with what cargo vendor adds to it: ",
    );
}

#[test]
fn packs_what_is_there_and_tells_what_git_does_not_know() {
    let clone = Clone::new();
    clone.write("gone.txt", "");
    clone.git(&["add", "."]);
    clone.repository.preface("The second text.");
    clone.write("notes für mich.txt", "");
    fs::remove_file(clone.repository.path("gone.txt")).unwrap();
    clone.repository.link("nowhere", "link");
    let report = clone.packs();
    let told = "not in git yet: link\nnot in git yet: notes für mich.txt\n";
    assert!(report.starts_with(told), "{report}");
    let names = clone.unpack();
    assert!(!names.contains(&"unix-sockets-book/gone.txt".to_owned()));
    assert_eq!(clone.unpacked("notes für mich.txt"), "");
    let text = clone.unpacked("book/chapters/preface.md");
    assert!(text.contains("The second text."));
    let link = clone.repository.path("tmp/unix-sockets-book/link");
    assert_eq!(fs::read_link(link).unwrap(), Path::new("nowhere"));
}

#[test]
fn never_packs_an_archive_into_the_next() {
    let clone = Clone::new();
    clone.packs();
    let output = clone.run(&["--dest", "second.tar.gz"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.ends_with(" written to second.tar.gz\n"), "{said}");
    assert!(!said.contains(ARCHIVE), "{said}");
}

#[test]
fn never_overwrites() {
    let clone = Clone::new();
    for name in ["file", "link", "folder"] {
        match name {
            "file" => clone.write(ARCHIVE, "precious"),
            "link" => clone.repository.link("nowhere", ARCHIVE),
            _ => fs::create_dir(clone.repository.path(ARCHIVE)).unwrap(),
        }
        let output = clone.run(&[]);
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "cannot write unix-sockets-book.tar.gz: it exists already; move \
             it away, or name another file with --dest\n"
        );
        assert_eq!(output.status.code(), Some(1));
        clone.leaves_nothing_else();
        let path = clone.repository.path(ARCHIVE);
        match name {
            "file" => {
                assert_eq!(clone.repository.read(ARCHIVE), "precious");
                fs::remove_file(path).unwrap();
            }
            "link" => fs::remove_file(path).unwrap(),
            _ => fs::remove_dir(path).unwrap(),
        }
    }
}

#[test]
fn never_overwrites_what_appears_meanwhile() {
    let clone = Clone::new();
    let archive = clone.repository.path(ARCHIVE);
    let script = format!("echo precious >{}", archive.display());
    clone.cargo(&script);
    let output = clone.run(&[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("cannot write unix-sockets-book.tar"), "{said}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(clone.repository.read(ARCHIVE), "precious\n");
    clone.leaves_nothing_else();
}

#[test]
fn everybody_may_read_it_whom_the_umask_allows() {
    let clone = Clone::new();
    let mut command = clone.repository.sandbox.command("sh");
    let umask = "umask 022; exec \"$0\" pack --root .";
    command
        .args(["-c", umask])
        .arg(assert_cmd::cargo::cargo_bin!("book"))
        .env("CARGO", clone.repository.path("bin/cargo"));
    assert!(command.output().unwrap().status.success());
    let metadata = fs::metadata(clone.repository.path(ARCHIVE)).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o644);
}

#[test]
fn says_what_cargo_says() {
    let clone = Clone::new();
    clone.cargo("mkdir vendor; echo 'error: no network' >&2; exit 101");
    clone.fails("`cargo vendor` has failed: error: no network\n");
    fs::remove_file(clone.repository.path("bin/cargo")).unwrap();
    clone.fails("cannot run cargo vendor: No such file");
}

#[test]
fn packs_no_book_that_cannot_be_built() {
    let clone = Clone::new();
    clone.repository.preface("{{#oops}}");
    clone.fails("book/chapters/preface.md:3: ");
}

#[test]
fn needs_a_repository_that_git_knows() {
    let clone = Clone::new();
    fs::rename(clone.repository.path(".git"), clone.repository.path("tmp/git"))
        .unwrap();
    let output = clone.run(&[]);
    let said = String::from_utf8(output.stderr).unwrap();
    let begin = "the files to pack are those that git knows: `git rev-parse` \
                 has failed: ";
    assert!(said.starts_with(begin), "{said}");

    // A folder in somebody else's repository.
    let outer = clone.repository.path("tmp");
    fs::rename(outer.join("git"), clone.repository.path(".git")).unwrap();
    fs::create_dir_all(outer.join("inner/steps")).unwrap();
    let mut command =
        clone.repository.sandbox.command(assert_cmd::cargo::cargo_bin!("book"));
    command.args(["pack", "--root", "tmp/inner"]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let end = "is no git repository of its own: make the archive in a clone\n";
    assert!(said.ends_with(end), "{said}");
    assert!(!clone.repository.path(ARCHIVE).exists());
}

#[test]
fn names_a_folder_that_is_not_there() {
    let clone = Clone::new();
    let output = clone.run(&["--dest", "gone/book.tar.gz"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("cannot write gone/book.tar.gz: "), "{said}");
    assert!(said.contains("No such file or directory"), "{said}");
    assert_eq!(output.status.code(), Some(1));
    clone.leaves_nothing_else();
}

#[test]
fn leaves_nothing_when_it_is_interrupted() {
    let clone = Clone::new();
    // It shows that it runs, and then waits until it may go on.
    let pipe = clone.repository.path("tmp/pipe");
    let runs = clone.repository.path("tmp/runs");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    // Open for both, so that nobody waits for the other to open it.
    let mut both = File::options().read(true).write(true).open(&pipe).unwrap();
    let script =
        format!(": >{}; read line <{}", runs.display(), pipe.display());
    clone.cargo(&script);
    let mut program = Program::start(&mut clone.command(&[])).unwrap();
    let deadline = Instant::now() + DEADLINE;
    while !runs.exists() {
        assert!(Instant::now() < deadline, "it does not vendor");
        std::thread::yield_now();
    }
    program.signal(Signal::INT).unwrap();
    // A shell may lose an interrupt.
    both.write_all(b"\n").unwrap();
    fs::remove_file(&pipe).unwrap();
    fs::remove_file(&runs).unwrap();
    program.expect("interrupted");
    assert_eq!(program.expect_end(), Exit::Code(1));
    assert!(!clone.repository.path(ARCHIVE).exists());
    clone.leaves_nothing_else();
}
