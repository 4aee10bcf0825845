//! `cargo book catch-up`, and all that could be lost or broken in the learner's
//! folder.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use book::course::Course;
use book::work::{Work, package};
use harness::{DEADLINE, Exit, Program, Sandbox, Signal, unprivileged};

use crate::repository::Repository;

const WORKSPACE: &str = r#"[workspace]
members = ["steps/*"]
exclude = ["work"]

[workspace.package]
edition = "2024"

[workspace.dependencies]
anyhow = "1.0"
rustix = { version = "1.1", features = ["event", "net"] }
"#;

const LOCK: &str = r#"# Made by Cargo.
version = 4

[[package]]
name = "anyhow"
version = "1.0.1"

[[package]]
name = "bitflags"
version = "1.0.2"

[[package]]
name = "bitflags"
version = "2.0.3"

[[package]]
name = "rustix"
version = "1.1.4"
dependencies = [
 "bitflags 2.0.3",
]

[[package]]
name = "step1"
version = "0.1.0"

[[package]]
name = "zero"
version = "0.1.0"
"#;

pub const SERVER: &str = "\
//! Serves.

#[path = \"../store.rs\"]
mod store;

fn main() -> anyhow::Result<()> {
    // Where it goes.
    println!(\"{}\", store::NAME);
    let count = store::count(\"one\", 2)?;
    println!(\"{count}\");
    Ok(())
}
";

/// What the learner has written, in a shape that no command makes.
const THESIS: &str = "fn main() { years_of_work() }\n";

/// A small repository with three chapters: the second one has a module and a
/// dependency, and the third one goes on from it.
pub fn workshop() -> Repository {
    let repository = Repository::new();
    repository.write("Cargo.toml", WORKSPACE);
    repository.write("Cargo.lock", LOCK);
    for (stem, dependencies) in
        [("02-two", "anyhow.workspace = true"), ("03-three", "")]
    {
        let number = &stem[1..2];
        repository.write(
            &format!("steps/{stem}/Cargo.toml"),
            &format!(
                "[package]\nname = \"step{number}\"\nedition = \"2024\"\n\n\
                 [dependencies]\n{dependencies}\n"
            ),
        );
        repository.write(&format!("steps/{stem}/src/bin/server.rs"), SERVER);
        repository.write(
            &format!("steps/{stem}/src/bin/client.rs"),
            "//! Asks.\n\nfn main() {}\n",
        );
        repository.write(
            &format!("steps/{stem}/src/store.rs"),
            "pub const NAME: &str = \"store\";\n",
        );
    }
    repository
}

/// A workshop in whose project the learner has written something.
fn begun() -> Repository {
    let repository = workshop();
    repository.write("work/unix_sockets/src/bin/server.rs", THESIS);
    repository
}

/// Runs `cargo book catch-up N`; returns what it prints.
#[track_caller]
pub fn catches_up(repository: &Repository, chapter: &str) -> String {
    let output = repository.run(&["catch-up", chapter]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).unwrap()
}

/// All that is in a folder: of a file its content, of all else what it is.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.symlink_metadata().unwrap().file_type();
        if kind.is_dir() {
            contents.extend(self::contents(&path));
            contents.insert(path, b"folder".into());
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            contents.insert(path, target.as_os_str().as_bytes().into());
        } else if kind.is_file() {
            contents.insert(path.clone(), fs::read(&path).unwrap());
        } else {
            contents.insert(path, format!("{kind:?}").into());
        }
    }
    contents
}

/// The names in the learner's folder, without their dates.
fn names(repository: &Repository) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(repository.path("work"))
        .unwrap()
        .map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            match name.strip_prefix("before-") {
                Some(date) => {
                    let is_date =
                        date.chars().all(|c| c == '-' || c.is_ascii_digit())
                            && date.len() >= "2026-11-23-101530".len();
                    assert!(is_date, "{name}");
                    "before".to_owned()
                }
                None => name,
            }
        })
        .collect();
    names.sort();
    names
}

/// The folders with a date, sorted.
fn dated(repository: &Repository) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository.path("work")).unwrap();
    let mut dated: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap();
            name.as_bytes().starts_with(b"before-")
        })
        .collect();
    dated.sort();
    dated
}

mod catch_up {
    use super::*;

    #[test]
    fn starts_the_first_chapter_as_cargo_new_does() {
        let repository = workshop();
        assert_eq!(
            catches_up(&repository, "1"),
            "work/unix_sockets is as at the start of chapter 1\n\
             next: cd work/unix_sockets && cargo run\n"
        );
        let read = |name| repository.read(&format!("work/unix_sockets/{name}"));
        assert_eq!(
            read("Cargo.toml"),
            "[package]\nname = \"unix_sockets\"\nversion = \"0.1.0\"\n\
             edition = \"2024\"\n\n[dependencies]\n\n# A workspace of its own, \
             and not a part of the book's.\n[workspace]\n"
        );
        assert_eq!(
            read("src/main.rs"),
            "fn main() {\n    println!(\"Hello, world!\");\n}\n"
        );
        assert_eq!(
            read("Cargo.lock"),
            "# Made by Cargo.\nversion = 4\n\n[[package]]\n\
             name = \"unix_sockets\"\nversion = \"0.1.0\"\n"
        );
        assert_eq!(names(&repository), ["unix_sockets"]);
    }

    #[test]
    fn starts_a_later_chapter_with_the_programs_of_the_step_before() {
        let repository = workshop();
        assert_eq!(
            catches_up(&repository, "3"),
            "work/unix_sockets is as at the start of chapter 3\n\
             next: cd work/unix_sockets && cargo run --bin server\n"
        );
        for file in ["src/bin/server.rs", "src/bin/client.rs", "src/store.rs"] {
            assert_eq!(
                repository.read(&format!("work/unix_sockets/{file}")),
                repository.read(&format!("steps/02-two/{file}")),
            );
        }
        let manifest = repository.read("work/unix_sockets/Cargo.toml");
        let dependencies = "\n[dependencies]\nanyhow = \"1.0\"\n\n";
        assert!(manifest.contains(dependencies), "{manifest}");
        let folder = repository.path("work/unix_sockets");
        let mode = folder.metadata().unwrap().permissions().mode();
        let usual = repository.path("steps").metadata().unwrap();
        assert_eq!(mode, usual.permissions().mode());
    }

    #[test]
    fn goes_on_from_the_step_that_a_step_follows() {
        let repository = workshop();
        let manifest = "steps/03-three/Cargo.toml";
        let text = repository.read(manifest);
        let follows = "\n[package.metadata.book]\nfollows = \"01-one\"\n";
        repository.write(manifest, &format!("{text}{follows}"));
        catches_up(&repository, "3");
        assert_eq!(
            repository.read("work/unix_sockets/src/bin/server.rs"),
            repository.read("steps/01-one/src/bin/server.rs"),
        );
        assert!(!repository.path("work/unix_sockets/src/store.rs").exists());
    }

    #[test]
    fn keeps_what_was_there_and_says_where() {
        let repository = begun();
        repository.write(
            "work/unix_sockets/Cargo.toml",
            "[dependencies]\nanyhow = \"1\"\ntokio = \"1\"\nrand = \"0.9\"\n",
        );
        let before = contents(&repository.path("work/unix_sockets"));
        let says = catches_up(&repository, "3");
        let [dated] = &dated(&repository)[..] else { panic!("{says}") };
        let name = dated.file_name().unwrap().to_str().unwrap();
        assert_eq!(
            says,
            format!(
                "what was in work/unix_sockets is in work/{name}/unix_sockets\n\
                 its Cargo.toml, which is there too, depends on rand, tokio; \
                 the new one does not\n\
                 work/unix_sockets is as at the start of chapter 3\n\
                 next: cd work/unix_sockets && cargo run --bin server\n"
            )
        );
        let now = contents(&dated.join("unix_sockets"));
        assert!(before.values().eq(now.values()), "{now:?}");
        assert_eq!(before.len(), now.len());

        // And again, at once: a folder of its own.
        repository.write("work/unix_sockets/src/bin/server.rs", "mine\n");
        catches_up(&repository, "3");
        catches_up(&repository, "2");
        assert_eq!(
            names(&repository),
            ["before", "before", "before", "unix_sockets"]
        );
        assert_eq!(
            fs::read_to_string(dated.join("unix_sockets/src/bin/server.rs"))
                .unwrap(),
            THESIS
        );
    }

    #[test]
    fn changes_nothing_that_is_so_already() {
        let repository = workshop();
        catches_up(&repository, "3");
        // What Cargo and the programs make, and notes.
        let project = "work/unix_sockets";
        repository.write(&format!("{project}/Cargo.lock"), "# other\n");
        repository.write(&format!("{project}/target/debug/server"), "");
        repository.write(&format!("{project}/notes.md"), "");
        let before = contents(&repository.path("work"));
        let nothing = "nothing to do: work/unix_sockets is as at the start of \
                       chapter 3\n";
        assert_eq!(catches_up(&repository, "3"), nothing);
        assert_eq!(contents(&repository.path("work")), before);

        for file in ["src/mine.rs", "src/bin/deep/mine.rs", "Cargo.toml"] {
            repository.write(&format!("{project}/{file}"), "");
            assert!(catches_up(&repository, "3").contains("what was in"));
            assert_eq!(catches_up(&repository, "3"), nothing);
        }
        fs::remove_file(repository.path(&format!("{project}/src/store.rs")))
            .unwrap();
        assert!(catches_up(&repository, "3").contains("what was in"));
        assert_eq!(names(&repository).len(), 5);
    }

    #[test]
    fn sets_aside_whatever_has_the_name() {
        type Make = fn(&Path);
        let kinds: [(&str, Make); 6] = [
            ("file", |path| fs::write(path, THESIS).unwrap()),
            ("empty folder", |path| fs::create_dir(path).unwrap()),
            ("dangling link", |path| symlink("nowhere", path).unwrap()),
            ("loop", |path| symlink("unix_sockets", path).unwrap()),
            ("socket", |path| drop(UnixListener::bind(path).unwrap())),
            ("FIFO", fifo),
        ];
        for (kind, make) in kinds {
            let repository = workshop();
            fs::create_dir(repository.path("work")).unwrap();
            make(&repository.path("work/unix_sockets"));
            let before = contents(&repository.path("work"));
            catches_up(&repository, "2");
            let [dated] = &dated(&repository)[..] else { panic!("{kind}") };
            let now = contents(dated);
            assert!(before.values().eq(now.values()), "{kind}: {now:?}");
            assert!(repository.path("work/unix_sockets/src/bin").is_dir());
        }
    }

    #[test]
    fn reads_nothing_that_has_no_end() {
        let repository = workshop();
        catches_up(&repository, "3");
        for name in ["Cargo.toml", "src/store.rs"] {
            let path = repository.path("work/unix_sockets").join(name);
            fs::remove_file(&path).unwrap();
            fifo(&path);
            assert!(catches_up(&repository, "3").contains("what was in"));
        }
    }

    #[test]
    fn says_which_chapters_there_are() {
        let repository = begun();
        let before = contents(&repository.path("work"));
        for number in ["0", "4", "4000000000"] {
            repository.fails(
                &["catch-up", number],
                &format!(
                    "there is no chapter {number}: there are chapters 1 to 3\n"
                ),
            );
        }
        let output = repository.run(&["catch-up", "three"]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(contents(&repository.path("work")), before);
    }

    #[test]
    fn goes_through_a_link_to_a_folder() {
        let repository = workshop();
        fs::create_dir(repository.path("elsewhere")).unwrap();
        repository.write("elsewhere/unix_sockets/src/main.rs", THESIS);
        repository.link("elsewhere", "work");
        catches_up(&repository, "2");
        assert!(repository.path("work").is_symlink());
        assert_eq!(names(&repository), ["before", "unix_sockets"]);
    }

    #[test]
    fn refuses_a_work_that_is_no_folder() {
        let repository = workshop();
        let work = repository.path("work");
        repository.write("work", THESIS);
        repository.fails(
            &["catch-up", "2"],
            "work is no folder, and your own programs go into a folder of \
             this name: move it away\n",
        );
        assert_eq!(repository.read("work"), THESIS);
        fs::remove_file(&work).unwrap();

        repository.link("nowhere", "work");
        repository.fails(
            &["catch-up", "2"],
            "work is a link that leads nowhere: make the folder that it leads \
             to, or remove the link\n",
        );
        fs::remove_file(&work).unwrap();

        repository.link("work", "work");
        let output = repository.run(&["catch-up", "2"]);
        assert_eq!(output.status.code(), Some(1));
        let says = String::from_utf8(output.stderr).unwrap();
        assert!(says.starts_with("cannot use work: Too many "), "{says}");
        assert!(work.is_symlink());
    }

    #[test]
    fn refuses_a_folder_that_is_not_the_book() {
        let repository = workshop();
        fs::remove_dir_all(repository.path("steps")).unwrap();
        repository.fails(
            &["catch-up", "2"],
            "steps: cannot read this folder: No such file or directory (os \
             error 2)\n",
        );
        let repository = workshop();
        fs::remove_file(repository.path("Cargo.lock")).unwrap();
        repository.fails(
            &["catch-up", "2"],
            "Cargo.lock: cannot read this file: No such file or directory (os \
             error 2)\n",
        );
        assert!(!repository.path("work").exists());
    }

    #[test]
    fn names_a_dependency_that_the_book_does_not_have() {
        let repository = begun();
        let two = "steps/02-two/Cargo.toml";
        let text = repository.read(two);
        repository.write(two, &text.replace("anyhow", "everyhow"));
        repository.fails(
            &["catch-up", "3"],
            "Cargo.toml: no `everyhow` under [workspace.dependencies]\n",
        );
        repository.write(two, &text);
        repository.write("Cargo.lock", &LOCK.replace("\"anyhow", "\"nohow"));
        repository
            .fails(&["catch-up", "3"], "Cargo.lock: no package `anyhow`\n");
        repository.write("Cargo.lock", &LOCK.replace("bitflags", "anyhow"));
        repository.fails(
            &["catch-up", "3"],
            "Cargo.lock: several packages `anyhow`\n",
        );
        assert_eq!(names(&repository), ["unix_sockets"]);
    }

    #[test]
    fn changes_nothing_in_a_folder_that_is_read_only() {
        let repository = begun();
        let work = repository.path("work");
        fs::set_permissions(&work, Permissions::from_mode(0o555)).unwrap();
        let before = contents(&work);
        let elsewhere = Sandbox::new();
        let mut command = unprivileged(&elsewhere, env!("CARGO_BIN_EXE_book"));
        let root = repository.sandbox.path();
        fs::set_permissions(root, Permissions::from_mode(0o755)).unwrap();
        command.current_dir(root);
        command.args(["catch-up", "3", "--root"]);
        command.arg(repository.sandbox.path());
        let mut program = Program::start(&mut command).unwrap();
        program.expect_containing(
            "cannot write work: Permission denied (os error 13)",
        );
        assert_eq!(program.expect_end(), Exit::Code(1));
        assert_eq!(contents(&work), before);
        fs::set_permissions(&work, Permissions::from_mode(0o755)).unwrap();
    }

    /// Every file may have 0 bytes: a disk on which there is no room.
    #[test]
    fn changes_nothing_on_a_full_disk() {
        let repository = begun();
        let before = contents(&repository.path("work"));
        let mut command = repository.sandbox.command("sh");
        command
            .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
            .arg(env!("CARGO_BIN_EXE_book"))
            .args(["catch-up", "3", "--root"])
            .arg(repository.sandbox.path());
        let output = end(&mut command);
        let says = String::from_utf8(output.stderr).unwrap();
        assert!(says.starts_with("cannot write work/.unfinished-"), "{says}");
        assert!(says.ends_with("(os error 27)\n"), "{says}");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(contents(&repository.path("work")), before);
    }

    /// Killed as soon as something appears in the learner's folder, at whatever
    /// it is doing then, and interrupted in the same way.
    #[test]
    fn loses_nothing_when_it_is_killed() {
        for (signal, first) in [
            (Signal::KILL, ".unfinished-"),
            (Signal::KILL, "before-"),
            (Signal::INT, ".unfinished-"),
            (Signal::INT, "before-"),
        ] {
            let repository = begun();
            // So large that it takes a while to write.
            let padding = format!("// {}\n", "-".repeat(4 << 20));
            let source = format!("{SERVER}{padding}");
            repository.write("steps/02-two/src/bin/server.rs", &source);
            let mut command = repository.command(&["catch-up", "3"]);
            let mut program = Program::start(&mut command).unwrap();
            let work = repository.path("work");
            let has_begun = || {
                fs::read_dir(&work).unwrap().any(|entry| {
                    let name = entry.unwrap().file_name();
                    name.as_bytes().starts_with(first.as_bytes())
                })
            };
            // Where the machine is busy, it may be done before we look.
            let deadline = Instant::now() + DEADLINE;
            while !has_begun() && program.wait(Duration::ZERO).is_err() {
                assert!(Instant::now() < deadline, "nothing was begun");
            }
            let _ = program.signal(signal);
            program.wait(DEADLINE).unwrap();
            whole(&repository, &source);

            // What was left is in nobody's way.
            catches_up(&repository, "3");
            assert_eq!(
                repository.read("work/unix_sockets/src/bin/server.rs"),
                source
            );
            whole(&repository, &source);
        }
    }

    /// Expects what the learner wrote to be in its place or in a dated folder,
    /// and nothing half made to have the name.
    #[track_caller]
    fn whole(repository: &Repository, source: &str) {
        let project = repository.path("work/unix_sockets");
        let file = "src/bin/server.rs";
        let mut all: Vec<PathBuf> = dated(repository);
        all.iter_mut().for_each(|path| path.push("unix_sockets"));
        all.push(project.clone());
        let is_kept = all.iter().any(|folder| {
            fs::read_to_string(folder.join(file)).ok().as_deref()
                == Some(THESIS)
        });
        assert!(is_kept, "{:?}", names(repository));
        if project.exists() {
            let text = fs::read_to_string(project.join(file)).unwrap();
            if text != THESIS {
                assert_eq!(text, source);
                for file in ["Cargo.toml", "Cargo.lock", "src/store.rs"] {
                    assert!(project.join(file).exists(), "{file}");
                }
            }
        }
        for name in names(repository) {
            let is_known = name.starts_with(".unfinished-unix_sockets-")
                || ["before", "unix_sockets"].contains(&name.as_str());
            assert!(is_known, "{name}");
        }
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let repository = begun();
        let mut programs: Vec<Program> = ["1", "2", "3", "1", "2", "3"]
            .iter()
            .map(|chapter| {
                let mut command = repository.command(&["catch-up", chapter]);
                Program::start(&mut command).unwrap()
            })
            .collect();
        for program in &mut programs {
            match program.wait(DEADLINE).unwrap() {
                Exit::Code(0) => {}
                exit => {
                    assert_eq!(exit, Exit::Code(1));
                    program.expect_containing(
                        "work/unix_sockets exists already, and stays as it is",
                    );
                }
            }
        }
        let mut kept = 0;
        for folder in dated(&repository) {
            let project = folder.join("unix_sockets");
            let server = project.join("src/bin/server.rs");
            let text = fs::read_to_string(&server).unwrap_or_default();
            match text == THESIS {
                true => kept += 1,
                false => assert!(project.join("Cargo.lock").exists()),
            }
        }
        assert_eq!(kept, 1, "{:?}", names(&repository));
        assert!(repository.path("work/unix_sockets/Cargo.lock").exists());
        let is_left = |name: &String| name.starts_with(".unfinished-");
        assert!(!names(&repository).iter().any(is_left));
    }
}

/// What other commands build on.
mod folder {
    use super::*;

    #[test]
    fn is_created_only_where_there_is_nothing() {
        let repository = workshop();
        let course = Course::read(repository.sandbox.path()).unwrap();
        let work = Work::of(&course);
        assert_eq!(work.set_aside("one").unwrap(), None);
        let files = [(PathBuf::from("a/b/c.txt"), b"text".to_vec())];
        let path = work.create("one", &files).unwrap();
        assert_eq!(path, repository.path("work/one"));
        assert_eq!(repository.read("work/one/a/b/c.txt"), "text");

        repository.write("work/file", THESIS);
        repository.link("nowhere", "work/link");
        fs::create_dir(repository.path("work/empty")).unwrap();
        let before = contents(work.path());
        for name in ["one", "file", "link", "empty"] {
            let error = work.create(name, &files).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "{} exists already, and stays as it is: rename it, or \
                     move it away",
                    work.path().join(name).display()
                )
            );
        }
        for name in ["", ".", "..", "../steps", "a/b", "/tmp/sock", "a/"] {
            assert!(work.create(name, &files).is_err(), "{name}");
            assert!(work.set_aside(name).is_err(), "{name}");
        }
        for path in ["", "/tmp/sock", "../up", "a/../../up", "a/.."] {
            let files = [(PathBuf::from(path), Vec::new())];
            let error = work.create("two", &files).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("{path} is no path of a file in a folder")
            );
        }
        assert_eq!(contents(work.path()), before);
    }

    #[test]
    fn a_package_has_what_its_dependencies_need() {
        let repository = workshop();
        let course = Course::read(repository.sandbox.path()).unwrap();
        let main = (PathBuf::from("src/main.rs"), b"fn main() {}".to_vec());
        let files =
            package(&course, "mine", &["rustix", "anyhow"], vec![main.clone()])
                .unwrap();
        let text = |at: usize| std::str::from_utf8(&files[at].1).unwrap();
        assert!(
            text(0).contains(
                "\nrustix = { version = \"1.1\", features = [\"event\", \
                 \"net\"] }\nanyhow = \"1.0\"\n"
            ),
            "{}",
            text(0)
        );
        let names: Vec<&str> =
            text(1).lines().filter(|line| line.contains("= \"")).collect();
        assert_eq!(
            names,
            [
                "name = \"anyhow\"",
                "version = \"1.0.1\"",
                "name = \"bitflags\"",
                "version = \"2.0.3\"",
                "name = \"mine\"",
                "version = \"0.1.0\"",
                "name = \"rustix\"",
                "version = \"1.1.4\"",
            ]
        );
        let own = "\n\n[[package]]\nname = \"mine\"\nversion = \"0.1.0\"\n\
                   dependencies = [\n \"anyhow\",\n \"rustix\",\n]\n\n";
        assert!(text(1).contains(own), "{}", text(1));
        assert_eq!(files[2], main);
    }
}

/// With the steps of this repository.
mod real {
    use super::*;

    /// A repository that has the real steps, and a `work` of its own.
    fn real() -> Sandbox {
        let sandbox = Sandbox::new();
        let book = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = book.parent().unwrap();
        for entry in fs::read_dir(root).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            let is_theirs = name == "work" || name == "target";
            if !is_theirs && entry.file_type().unwrap().is_dir() {
                symlink(entry.path(), sandbox.join(name)).unwrap();
            }
        }
        for name in ["Cargo.toml", "Cargo.lock"] {
            fs::copy(root.join(name), sandbox.join(name)).unwrap();
        }
        sandbox
    }

    /// What Cargo does, without a network, in a folder of the sandbox.
    fn cargo(sandbox: &Sandbox, folder: &str, arguments: &[&str]) -> Output {
        end(Command::new(env!("CARGO"))
            .args(arguments)
            .arg("--offline")
            .current_dir(sandbox.join(folder))
            .env("CARGO_TARGET_DIR", sandbox.join("target")))
    }

    #[track_caller]
    fn succeeds(output: &Output) -> String {
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{says}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn every_chapter_starts_with_the_programs_of_a_step() {
        let sandbox = real();
        let course = Course::read(sandbox.path()).unwrap();
        for step in &course.steps {
            let output = end(sandbox
                .command(env!("CARGO_BIN_EXE_book"))
                .args(["catch-up", &step.number.to_string(), "--root"])
                .arg(sandbox.path()));
            succeeds(&output);
            let Some(before) = course.before(step) else { continue };
            for file in &before.files {
                let source = course.root.join(&file.path);
                let folder = Path::new("steps").join(&before.stem);
                let copy = file.path.strip_prefix(folder).unwrap();
                let copy = sandbox.join("work/unix_sockets").join(copy);
                assert_eq!(fs::read(copy).unwrap(), fs::read(source).unwrap());
            }
        }
    }

    #[test]
    fn what_catch_up_makes_builds_offline() {
        let sandbox = real();
        let output = end(sandbox
            .command(env!("CARGO_BIN_EXE_book"))
            .args(["catch-up", "4", "--root"])
            .arg(sandbox.path()));
        succeeds(&output);
        let project = "work/unix_sockets";
        succeeds(&cargo(&sandbox, project, &["build", "--locked"]));
        for name in ["server", "client"] {
            assert!(sandbox.join("target/debug").join(name).exists());
        }
    }

    /// Whatever a step or an exercise will depend on.
    #[test]
    fn a_package_with_every_dependency_has_all_that_cargo_asks_for() {
        let sandbox = real();
        let course = Course::read(sandbox.path()).unwrap();
        let manifest = fs::read_to_string(sandbox.join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let known = manifest["workspace"]["dependencies"].as_table().unwrap();
        let names: Vec<&str> = known
            .iter()
            // A crate of the workspace itself cannot be copied out of it.
            .filter(|(_, value)| value.get("path").is_none())
            .map(|(name, _)| name.as_str())
            .collect();
        assert!(names.contains(&"rustix"), "{names:?}");
        let main = (PathBuf::from("src/main.rs"), b"fn main() {}".to_vec());
        let files = package(&course, "mine", &names, vec![main]).unwrap();
        Work::of(&course).create("mine", &files).unwrap();
        // What is there for a feature that nobody asks for here, it removes.
        succeeds(&cargo(&sandbox, "work/mine", &["update", "--workspace"]));
        let packages = |text: &str| -> Vec<String> {
            let parts = text.split("[[package]]\n").skip(1);
            let lines = parts.map(|part| part.lines().take(2).collect());
            lines.collect()
        };
        let ours = packages(std::str::from_utf8(&files[1].1).unwrap());
        let now = fs::read_to_string(sandbox.join("work/mine/Cargo.lock"));
        let now = packages(&now.unwrap());
        assert!(now.iter().all(|package| ours.contains(package)), "{now:?}");
        assert!(now.len() > names.len(), "{now:?}");
    }

    /// Things that a learner may have there, and that would break a command
    /// which looks into the folder.
    fn clutter(work: &Path) {
        let write = |name: &str, text: &str| {
            let path = work.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let package = "[package]\nname = \"book\"\n";
        write("Cargo.toml", "[package\nname =");
        write("book/Cargo.toml", package);
        write("book/src/main.rs", "fn main( {");
        write("book/chapters/preface.md", "{{#oops}} [dead](end.md)");
        write("steps/99-x/Cargo.toml", "not TOML");
        write("mine/Cargo.toml", &package.replace("book", "mine"));
        write("mine/src/main.rs", "fn main() {}");
        fs::write(work.join("bytes.md"), b"\xff\xfe").unwrap();
        symlink(".", work.join("loop")).unwrap();
        symlink("..", work.join("up")).unwrap();
        symlink("self", work.join("self")).unwrap();
        drop(UnixListener::bind(work.join("mysocket")).unwrap());
        fifo(&work.join("fifo.rs"));
    }

    #[test]
    fn cargo_does_not_look_into_the_learners_folder() {
        let sandbox = real();
        let members = |arguments: &[&str]| -> Vec<String> {
            let text = succeeds(&cargo(&sandbox, ".", arguments));
            let metadata: serde_json::Value =
                serde_json::from_str(&text).unwrap();
            let members = metadata["workspace_members"].as_array().unwrap();
            members.iter().map(|member| member.to_string()).collect()
        };
        let ask = ["metadata", "--no-deps", "--format-version", "1"];
        let before = members(&ask);
        fs::create_dir(sandbox.join("work")).unwrap();
        clutter(&sandbox.join("work"));
        assert_eq!(members(&ask), before);
        assert!(before.len() > 10, "{before:?}");
        // And a package of theirs, as `cargo new` makes it, is not of the
        // book's workspace.
        fs::remove_file(sandbox.join("work/Cargo.toml")).unwrap();
        succeeds(&cargo(&sandbox, "work/mine", &ask));
    }

    #[test]
    fn git_does_not_look_into_it_either() {
        let book = Path::new(env!("CARGO_MANIFEST_DIR"));
        let ignored = fs::read_to_string(book.join("../.gitignore")).unwrap();
        assert!(ignored.lines().any(|line| line == "/work"), "{ignored}");
    }

    #[test]
    fn no_command_looks_into_the_learners_folder() {
        let repository = workshop();
        for chapter in ["02-two", "03-three"] {
            fs::remove_dir_all(repository.path(&format!("steps/{chapter}")))
                .unwrap();
        }
        fs::create_dir(repository.path("work")).unwrap();
        let work = repository.path("work");
        clutter(&work);
        let before = contents(&work);
        repository.builds("site");
        assert!(repository.run(&["record"]).status.success());
        let server = repository.serve();
        let now = server.status();
        assert!(now["error"].is_null(), "{now}");
        // Nor is a change in it a change of the book.
        repository.write("work/book/chapters/preface.md", "# Other\n");
        repository.write("work/steps/99-x/src/bin/server.rs", "oops");
        repository.preface("{{#oops}}");
        let then = server.until(|now| now["error"].is_string());
        assert_eq!(then["version"], now["version"]);
        server.end();
        assert_eq!(contents(&work).len(), before.len() + 3);
    }
}

/// A FIFO. Who opens it waits for somebody at the other end.
pub fn fifo(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success());
}

/// Runs a command to its end, with a deadline.
fn end(command: &mut Command) -> Output {
    let command = std::mem::replace(command, Command::new("true"));
    assert_cmd::Command::from_std(command).timeout(DEADLINE).output().unwrap()
}
