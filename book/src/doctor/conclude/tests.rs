//! Machines that nobody has at hand, and what is said of them.

use std::path::Path;

use super::*;

const RUSTC: &str = "rustc 1.89.0 (2948883e5 2025-08-04)\n\
    host: x86_64-unknown-linux-gnu\nrelease: 1.89.0\n";

fn mount(kind: &str, options: &[&str]) -> Option<Mount> {
    let options = options.iter().map(|option| (*option).into()).collect();
    Some(Mount { point: "/mnt/c".into(), kind: kind.into(), options })
}

fn place(path: &str) -> Place {
    let trial = Ok(Trial::Works(Ok(())));
    Place { path: path.into(), mount: mount("ext4", &[]), trial }
}

/// A machine on which all is good.
fn good_machine() -> Facts {
    Facts {
        os: "linux".into(),
        kernel: "6.1.0".into(),
        processor: "x86_64".into(),
        root: false,
        rustc: Ok(RUSTC.into()),
        git: Ok("git version 2.47.3\n".into()),
        commit: Ok("abcdef0\n".into()),
        offline: Ok(()),
        pair: Ok(()),
        repository: place("/home/anna/book"),
        tmp: place("/tmp"),
        tmpdir: ("/tmp".into(), Ok(())),
        target: ("/home/anna/book/target".into(), Ok((0, SPACE))),
        loopback: Ok(()),
        port: Ok(()),
        opener: Some("xdg-open".into()),
        display: true,
        ssh: false,
        leftover: None,
        open_files: Some(1024),
        tools: [("nc".into(), Tool::default())].into(),
        packages: Some("apt".into()),
    }
}

/// What is not good on a machine that differs from a good one by `change`:
/// exactly one finding.
#[track_caller]
fn only(change: impl FnOnce(&mut Facts)) -> (Mark, String) {
    let mut facts = good_machine();
    change(&mut facts);
    let findings = conclude(&facts);
    let bad: Vec<&Finding> =
        findings.iter().filter(|other| other.mark != Mark::Good).collect();
    let [Finding { mark, about, found, advice }] = bad.as_slice() else {
        panic!("expected one finding: {bad:#?}");
    };
    assert_ne!(advice, "");
    assert_eq!(verdict(&findings), *mark);
    (*mark, format!("{about}: {found}: {advice}"))
}

#[track_caller]
fn says(mark: Mark, parts: &[&str], change: impl FnOnce(&mut Facts)) {
    let (found, text) = only(change);
    assert_eq!(found, mark, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

fn text(findings: &[Finding], about: &str) -> String {
    let named = |finding: &&Finding| finding.about == about;
    let finding = findings.iter().find(named).unwrap();
    format!("{:?}: {}: {}", finding.mark, finding.found, finding.advice)
}

#[test]
fn a_good_machine_is_ready() {
    let findings = conclude(&good_machine());
    for finding in &findings {
        assert_eq!(finding.mark, Mark::Good, "{finding:?}");
        assert_eq!(finding.advice, "");
        assert_ne!(finding.found, "");
    }
    assert_eq!(verdict(&findings), Mark::Good);
}

#[test]
fn tells_wsl1_from_wsl2() {
    says(Mark::Mend, &["WSL1", "--set-version NAME 2"], |facts| {
        facts.kernel = "4.4.0-19041-Microsoft".into();
    });
    let mut facts = good_machine();
    facts.kernel = "5.15.167.4-microsoft-standard-WSL2".into();
    facts.display = false;
    facts.opener = Some("powershell.exe".into());
    assert_eq!(verdict(&conclude(&facts)), Mark::Good);
}

#[test]
fn knows_that_macos_differs() {
    let mut facts = good_machine();
    facts.os = "macos".into();
    facts.packages = Some("brew".into());
    facts.tools.get_mut("nc").unwrap().missing = Some("none".into());
    let findings = conclude(&facts);
    assert_eq!(verdict(&findings), Mark::Note);
    assert!(text(&findings, "system").contains("were recorded on Linux"));
    assert!(text(&findings, "tools").starts_with("Good: "));
    assert!(text(&findings, "path lengths").contains("of 103 bytes"));
}

#[test]
fn is_honest_about_other_systems() {
    says(Mark::Note, &["freebsd", "tried on Linux"], |facts| {
        facts.os = "freebsd".into();
    });
}

#[test]
fn wants_a_new_rust() {
    for version in ["1.88.0", "1.9.0", "0.99.0"] {
        says(Mark::Mend, &[version, "rustup update"], |facts| {
            facts.rustc = Ok(format!("release: {version}\n"));
        });
    }
    for version in ["1.89.0", "1.100.0", "2.0.0", "1.91.0-nightly"] {
        let mut facts = good_machine();
        facts.rustc = Ok(format!("release: {version}\n"));
        assert_eq!(verdict(&conclude(&facts)), Mark::Good, "{version}");
    }
    says(Mark::Mend, &["rustc: not found", "rustup.rs"], |facts| {
        facts.rustc = Err("not found".into());
    });
    says(Mark::Mend, &["\"hello\"", "type rustc"], |facts| {
        facts.rustc = Ok("hello\n".into());
    });
}

#[test]
fn can_do_without_git() {
    says(Mark::Note, &["git restore", "sudo apt install git"], |facts| {
        facts.git = Err("not found".into());
    });
}

#[test]
fn gives_up_where_there_are_no_unix_sockets() {
    says(Mark::Hopeless, &["none can be made: no"], |facts| {
        facts.pair = Err("no".into());
    });
}

#[test]
fn says_where_no_socket_can_be_bound() {
    let mut facts = good_machine();
    facts.repository.trial = Ok(Trial::NoSocket("cannot bind: no".into()));
    facts.repository.mount = mount("vfat", &[]);
    facts.tmp.trial = Err("no answer".into());
    let findings = conclude(&facts);
    let here = text(&findings, "sockets here");
    assert!(here.starts_with("Mend: in /home/anna/book: cannot bind: no"));
    assert!(here.contains("a local disk"));
    let tmp = text(&findings, "sockets in /tmp");
    assert!(tmp.starts_with("Mend: in /tmp: no answer"));
    assert!(text(&findings, "permissions").starts_with("Note: not tried"));
    // The reason for all of it.
    assert!(text(&findings, "file system").starts_with("Mend: vfat"));
    assert_eq!(verdict(&findings), Mark::Mend);
}

#[test]
fn knows_file_systems_by_name() {
    for (kind, part) in [
        ("9p", "/mnt/c belongs to Windows"),
        ("drvfs", "/mnt/c belongs to Windows"),
        ("fuseblk", "/mnt/c belongs to Windows"),
        ("nfs4", "/mnt/c is on another machine"),
        ("cifs", "/mnt/c is on another machine"),
        ("vfat", "neither permissions nor sockets"),
        ("exfat", "neither permissions nor sockets"),
        ("fuse.sshfs", "served by a program"),
    ] {
        says(Mark::Note, &[kind, part], |facts| {
            facts.repository.mount = mount(kind, &[]);
        });
    }
    says(Mark::Note, &["does not tell"], |facts| {
        facts.repository.mount = None;
    });
}

#[test]
fn wants_a_file_system_from_which_programs_run() {
    says(Mark::Mend, &["noexec", "cannot be run"], |facts| {
        facts.repository.mount = mount("ext4", &["rw", "noexec"]);
    });
    says(Mark::Note, &["noexec", "remount,exec /tmp"], |facts| {
        facts.tmp.mount = mount("tmpfs", &["noexec"]);
    });
}

#[test]
fn says_that_permissions_are_not_honored() {
    says(Mark::Note, &["not honored in /tmp: 0777"], |facts| {
        facts.tmp.trial = Ok(Trial::Works(Err("0777".into())));
    });
}

#[test]
fn counts_the_bytes_of_a_path() {
    let folder = |length: usize| {
        let name = "d".repeat(length - "/".len() - "/mysocket".len());
        Path::new("/").join(name)
    };
    let mut facts = good_machine();
    facts.repository.path = folder(107);
    assert_eq!(verdict(&conclude(&facts)), Mark::Good);
    says(Mark::Note, &["108, in a test 24 of 107 bytes"], |facts| {
        facts.repository.path = folder(108);
    });
}

#[test]
fn counts_the_space_that_is_used_already() {
    says(Mark::Mend, &["0.3 GB free", "0.2 GB more"], |facts| {
        let used = SPACE - 500_000_000;
        facts.target.1 = Ok((used, 300_000_000));
    });
    let mut facts = good_machine();
    facts.target.1 = Ok((SPACE, 0));
    assert_eq!(verdict(&conclude(&facts)), Mark::Good);
    says(Mark::Note, &["no answer", "df -h"], |facts| {
        facts.target.1 = Err("no answer".into());
    });
}

#[test]
fn names_the_folder_for_temporary_files() {
    says(Mark::Mend, &["in /nowhere: no", "TMPDIR=/tmp"], |facts| {
        facts.tmpdir = ("/nowhere".into(), Err("no".into()));
    });
}

#[test]
fn needs_the_loopback_interface_and_any_port() {
    says(Mark::Mend, &["no connection", "ip link"], |facts| {
        facts.loopback = Err("no".into());
    });
    let mut facts = good_machine();
    facts.port = Err("in use".into());
    let findings = conclude(&facts);
    assert_eq!(verdict(&findings), Mark::Good);
    assert!(text(&findings, "loopback").contains("takes the next"));
}

#[test]
fn says_how_to_read_without_a_browser() {
    says(Mark::Note, &["build --dest"], |facts| facts.display = false);
    says(Mark::Note, &["ssh -L 3000"], |facts| {
        facts.display = false;
        facts.ssh = true;
    });
    says(Mark::Note, &["--no-open", "install xdg-utils"], |facts| {
        facts.opener = None;
    });
}

#[test]
fn says_how_to_be_ready_for_a_room_without_a_network() {
    says(Mark::Mend, &["no anyhow", "cargo fetch"], |facts| {
        facts.offline = Err("no anyhow".into());
    });
}

#[test]
fn says_what_to_do_about_a_name_in_use() {
    says(Mark::Note, &["rm mysocket"], |facts| {
        facts.leftover = Some(Leftover::Socket);
    });
    let (_, text) = only(|facts| facts.leftover = Some(Leftover::Other));
    assert!(!text.contains("rm mysocket"), "it may be worth something");
}

#[test]
fn wants_some_open_files() {
    says(Mark::Note, &["at most 255", "ulimit -n"], |facts| {
        facts.open_files = Some(255);
    });
    let mut facts = good_machine();
    facts.open_files = None;
    assert_eq!(verdict(&conclude(&facts)), Mark::Good);
}

#[test]
fn says_that_root_is_not_like_others() {
    says(Mark::Note, &["as nobody"], |facts| facts.root = true);
}

#[test]
fn says_what_is_lost_without_a_tool() {
    let lost = |facts: &mut Facts| {
        let chapters = [("02-accept", 2), ("10-files", 1)];
        let chapters = chapters.map(|(name, n)| (name.to_owned(), n));
        let missing = Some("not found".into());
        let tool = Tool { missing, chapters: chapters.into() };
        facts.tools.insert("ss".into(), tool);
    };
    let terminals = "3 printed terminals are not played: 02-accept (2), \
        10-files (1).";
    let apt = "`sudo apt install iproute2`.";
    says(Mark::Note, &["ss: not found", terminals, apt], lost);
    says(Mark::Note, &["`sudo dnf install iproute`."], |facts| {
        lost(facts);
        facts.packages = Some("dnf".into());
    });
    says(Mark::Note, &["There is no package of it here."], |facts| {
        lost(facts);
        facts.packages = Some("brew".into());
    });
    let both = "iproute2` or `sudo dnf install iproute`.";
    says(Mark::Note, &[both], |facts| {
        lost(facts);
        facts.packages = None;
    });
}

#[test]
fn knows_a_package_for_each_tool() {
    for tool in crate::transcript::TOOLS {
        assert!(PACKAGES.iter().any(|(name, ..)| name == tool), "{tool}");
    }
}
