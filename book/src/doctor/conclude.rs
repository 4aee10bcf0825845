//! What the facts mean for a reader, and what to do about it. Nothing is
//! looked at here.

use super::facts::{Facts, Leftover, Place, Tool, Trial};
use super::mount::{Mount, Trouble};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// As it should be.
    Good,
    /// Something is missing or differs, and the book works nevertheless.
    Note,
    /// Something does not work, and can be mended.
    Mend,
    /// The book will not work here.
    Hopeless,
}

/// What one check has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub mark: Mark,
    /// What was looked at, in a word or two.
    pub about: String,
    /// What was found.
    pub found: String,
    /// What that means and what to do; empty where all is good.
    pub advice: String,
}

/// What is built, in a fresh clone, by `cargo book` and `cargo test`: 1.8 GB
/// were measured, and the pages and tests want some room, too.
const SPACE: u64 = 2_000_000_000;

/// Fewer open files than a shell allows on any system that we know of.
const OPEN_FILES: u64 = 256;

/// The packages that hold a tool: its name, then for apt, dnf and brew. An
/// empty name: there is none.
const PACKAGES: &[(&str, &str, &str, &str)] = &[
    ("curl", "curl", "curl", "curl"),
    ("git", "git", "git", "git"),
    ("logger", "bsdutils", "util-linux", ""),
    ("lsof", "lsof", "lsof", "lsof"),
    ("nc", "netcat-openbsd", "netcat", ""),
    ("python3", "python3", "python3", "python"),
    ("setpriv", "util-linux", "util-linux", ""),
    ("socat", "socat", "socat", "socat"),
    ("ss", "iproute2", "iproute", ""),
    ("strace", "strace", "strace", ""),
    ("systemd-notify", "systemd", "systemd", ""),
    ("systemd-socket-activate", "systemd", "systemd", ""),
    ("unshare", "util-linux", "util-linux", ""),
    ("xdg-open", "xdg-utils", "xdg-utils", ""),
];

/// What the facts mean, in the order in which it is told.
pub fn conclude(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![
        system(facts),
        rust(facts),
        git(facts),
        unix_sockets(facts),
        place("sockets here", &facts.repository),
        place("sockets in /tmp", &facts.tmp),
        permissions(facts),
        file_system(facts),
        path_lengths(facts),
        space(facts),
        tmpdir(facts),
        loopback(facts),
        browser(facts),
        offline(facts),
        leftover(facts),
        open_files(facts),
        user(facts),
    ];
    findings.extend(tools(facts));
    findings
}

/// The worst of all marks.
pub fn verdict(findings: &[Finding]) -> Mark {
    let marks = findings.iter().map(|finding| finding.mark);
    marks.max().unwrap_or(Mark::Good)
}

fn finding(
    about: &str,
    mark: Mark,
    found: impl Into<String>,
    advice: impl Into<String>,
) -> Finding {
    let (about, found) = (about.to_owned(), found.into());
    Finding { mark, about, found, advice: advice.into() }
}

fn good(about: &str, found: impl Into<String>) -> Finding {
    finding(about, Mark::Good, found, "")
}

fn system(facts: &Facts) -> Finding {
    let about = "system";
    let Facts { os, kernel, processor, .. } = facts;
    let name = match os.as_str() {
        "linux" => "Linux",
        "macos" => "macOS",
        other => other,
    };
    let found = format!("{name} {kernel} on {processor}");
    let wsl = kernel.to_lowercase().contains("microsoft");
    match os.as_str() {
        // The kernel of WSL2 calls itself `…-microsoft-standard-WSL2`.
        "linux" if wsl && !kernel.contains("WSL2") => finding(
            about,
            Mark::Mend,
            format!("{found}: WSL1"),
            "WSL1 is no Linux, and its sockets lack much. In PowerShell, \
             `wsl --list` names your distribution; `wsl --set-version NAME 2` \
             makes it WSL2.",
        ),
        "linux" => good(about, found),
        "macos" => finding(
            about,
            Mark::Note,
            found,
            "The steps run here. Error numbers differ from those in the book, \
             and `cargo test` skips the printed terminals, which were \
             recorded on Linux.",
        ),
        _ => finding(
            about,
            Mark::Note,
            found,
            "The book was tried on Linux. If something differs here, play it \
             on a Linux machine.",
        ),
    }
}

fn rust(facts: &Facts) -> Finding {
    let about = "Rust";
    let needed = env!("CARGO_PKG_RUST_VERSION");
    let said = match &facts.rustc {
        Ok(said) => said,
        Err(why) => {
            return finding(
                about,
                Mark::Mend,
                format!("rustc: {why}"),
                "Nothing can be compiled. Install Rust from \
                 https://rustup.rs, and open a new terminal.",
            );
        }
    };
    let version = said.lines().find_map(|line| line.strip_prefix("release: "));
    let Some(version) = version else {
        let first = said.lines().next().unwrap_or_default();
        return finding(
            about,
            Mark::Mend,
            format!("`rustc -vV` says {first:?}, and no version"),
            "Install Rust from https://rustup.rs, and see with `type rustc` \
             that it comes first in PATH.",
        );
    };
    if minor(version) < minor(needed) {
        return finding(
            about,
            Mark::Mend,
            format!("rustc {version}; the book needs {needed}"),
            "`rustup update stable` brings a new one. If `rustup` is not \
             found, your Rust is a package of the system: install it from \
             https://rustup.rs instead.",
        );
    }
    good(about, format!("rustc {version}; the book needs {needed}"))
}

/// `(1, 89)` for `1.89.0-nightly`.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(['.', '-']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn git(facts: &Facts) -> Finding {
    let about = "git";
    match &facts.git {
        Ok(said) => good(
            about,
            said.trim().strip_prefix("git version ").unwrap_or(said.trim()),
        ),
        Err(why) => finding(
            about,
            Mark::Note,
            why,
            format!(
                "`git restore steps` brings back a program that you have \
                 changed; without git, keep a copy of the folder. {}",
                install(facts, "git")
            ),
        ),
    }
}

fn unix_sockets(facts: &Facts) -> Finding {
    let about = "Unix sockets";
    match &facts.pair {
        Ok(()) => good(about, "this system has them"),
        Err(why) => finding(
            about,
            Mark::Hopeless,
            format!("none can be made: {why}"),
            "This system or this container forbids them: use another machine, \
             or a container without such a filter. The book can still be \
             read here.",
        ),
    }
}

fn place(about: &str, place: &Place) -> Finding {
    let path = place.path.display();
    let (found, advice) = match &place.trial {
        Ok(Trial::Works(_)) => {
            return good(about, "bound, connected to and removed");
        }
        Ok(Trial::NoFolder(why)) => (
            format!("no folder can be made in {path}: {why}"),
            format!(
                "The steps bind their sockets there. See who owns it and how \
                 full it is: `ls -ld {path}`, `df -h {path}`, `df -i {path}`."
            ),
        ),
        Ok(Trial::NoSocket(why)) => (
            format!("in {path}: {why}"),
            "This file system has no sockets.".to_owned(),
        ),
        Err(why) => (
            format!("in {path}: {why}"),
            "Is that on a network, and its server gone?".to_owned(),
        ),
    };
    let elsewhere = match about {
        "sockets here" => {
            " Or move the repository to a folder of your own on a local disk."
        }
        _ => {
            " The tests make their folders there: whoever administers this \
              machine can mend it."
        }
    };
    finding(about, Mark::Mend, found, advice + elsewhere)
}

fn permissions(facts: &Facts) -> Finding {
    let about = "permissions";
    for place in [&facts.repository, &facts.tmp] {
        if let Ok(Trial::Works(Err(why))) = &place.trial {
            return finding(
                about,
                Mark::Note,
                format!("not honored in {}: {why}", place.path.display()),
                "Experiments on who may connect end otherwise here. Move the \
                 repository to a local disk.",
            );
        }
    }
    match &facts.repository.trial {
        Ok(Trial::Works(Ok(()))) => {
            good(about, "a socket's permissions are honored")
        }
        _ => finding(
            about,
            Mark::Note,
            "not tried: there is no socket to try them on",
            "See above.",
        ),
    }
}

fn file_system(facts: &Facts) -> Finding {
    let about = "file system";
    let Some(mount) = &facts.repository.mount else {
        return finding(
            about,
            Mark::Note,
            "the system does not tell which one",
            "If it is on a network or a memory card, move the repository to \
             a local disk.",
        );
    };
    let found = match &facts.tmp.mount {
        Some(tmp) => format!("{} here, {} in /tmp", mount.kind, tmp.kind),
        None => format!("{} here", mount.kind),
    };
    if mount.has("noexec") {
        return finding(
            about,
            Mark::Mend,
            format!("{found}, mounted noexec"),
            "What Cargo builds here cannot be run. Move the repository to a \
             folder elsewhere, such as your home.",
        );
    }
    if let Some(trouble) = mount.trouble() {
        let mark = match &facts.repository.trial {
            Ok(Trial::Works(Ok(()))) => Mark::Note,
            _ => Mark::Mend,
        };
        return finding(about, mark, found, advice_on(trouble, mount));
    }
    if facts.tmp.mount.as_ref().is_some_and(|tmp| tmp.has("noexec")) {
        return finding(
            about,
            Mark::Note,
            format!("{found}, which is mounted noexec"),
            "Some tests run copies of programs there, and fail. As root, \
             `mount -o remount,exec /tmp` helps until the next start.",
        );
    }
    good(about, found)
}

fn advice_on(trouble: Trouble, mount: &Mount) -> String {
    let point = mount.point.display();
    match trouble {
        Trouble::Windows => format!(
            "{point} belongs to Windows or to the host: sockets do not work \
             there, or not as on Linux, and building is slow. Clone the \
             repository into your home in the Linux file system: `cd ~`."
        ),
        Trouble::Network => format!(
            "{point} is on another machine: a socket there can connect only \
             programs on this one, and building is slow. Clone the repository \
             to a local disk."
        ),
        Trouble::Plain => format!(
            "{point} keeps neither permissions nor sockets. Clone the \
             repository into your home."
        ),
        Trouble::Served => format!(
            "{point} is served by a program, which may know sockets and \
             permissions, or not. Clone the repository to a local disk."
        ),
    }
}

fn path_lengths(facts: &Facts) -> Finding {
    let about = "path lengths";
    // One byte of sun_path is for the zero at the end (see unix(7)).
    let most = if facts.os == "linux" { 107 } else { 103 };
    let repository = length(&facts.repository.path, "mysocket");
    let tests = length(&facts.tmp.path, "sockXXXXXX/mysocket");
    let found = format!(
        "a socket here {repository}, in a test {tests} of {most} bytes"
    );
    if repository > most {
        return finding(
            about,
            Mark::Note,
            found,
            "`mysocket` works, because it is bound by that name alone. The \
             absolute path does not fit into a socket's address: for \
             experiments with it, move the repository to a shorter path.",
        );
    }
    good(about, found)
}

fn length(folder: &std::path::Path, name: &str) -> usize {
    folder.join(name).as_os_str().len()
}

fn space(facts: &Facts) -> Finding {
    let about = "disk space";
    let (folder, space) = &facts.target;
    let (used, free) = match space {
        Ok(space) => *space,
        Err(why) => {
            return finding(
                about,
                Mark::Note,
                why,
                format!(
                    "All that is built takes {}: see that there is so much, \
                     with `df -h {}`.",
                    gigabytes(SPACE),
                    folder.display()
                ),
            );
        }
    };
    let needed = SPACE.saturating_sub(used);
    let found = format!(
        "{} free; all that is built takes about {}",
        gigabytes(free),
        gigabytes(SPACE)
    );
    if free < needed {
        return finding(
            about,
            Mark::Mend,
            found,
            format!(
                "`cargo book` and `cargo test` build into {}. Make room for \
                 {} more, or set CARGO_TARGET_DIR to a folder on another \
                 disk.",
                folder.display(),
                gigabytes(needed - free)
            ),
        );
    }
    good(about, found)
}

/// Rounded up: 1.3 GB for 1 201 000 000.
fn gigabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000_000);
    format!("{}.{} GB", tenths / 10, tenths % 10)
}

fn tmpdir(facts: &Facts) -> Finding {
    let about = "TMPDIR";
    let (folder, usable) = &facts.tmpdir;
    let folder = folder.display();
    match usable {
        Ok(()) => good(about, folder.to_string()),
        Err(why) => finding(
            about,
            Mark::Mend,
            format!("no file can be made in {folder}: {why}"),
            "The pages are built there: `export TMPDIR=/tmp`, and see who \
             set it otherwise.",
        ),
    }
}

fn loopback(facts: &Facts) -> Finding {
    let about = "loopback";
    if let Err(why) = &facts.loopback {
        return finding(
            about,
            Mark::Mend,
            format!("no connection to 127.0.0.1: {why}"),
            "`cargo book` serves the pages there. As root, `ip link set lo \
             up` may help; without it, `cargo book build` writes pages that \
             can be opened as files.",
        );
    }
    match &facts.port {
        Ok(()) => good(about, "127.0.0.1 works, and port 3000 is free"),
        Err(_) => good(
            about,
            "127.0.0.1 works; port 3000 is taken, `cargo book` takes the next",
        ),
    }
}

fn browser(facts: &Facts) -> Finding {
    let about = "browser";
    let by_hand = "open the address that `cargo book` prints, all of it, in \
        a browser";
    if !facts.display && facts.ssh {
        return finding(
            about,
            Mark::Note,
            "no display: you are here over SSH",
            format!(
                "Read it on your own machine: `ssh -L 3000:127.0.0.1:3000 \
                 THIS_MACHINE`, there `cargo book --no-open --port 3000`, and \
                 {by_hand} on yours."
            ),
        );
    }
    match &facts.opener {
        Some(opener) if facts.display || is_wsl(facts) => {
            good(about, format!("opened by {opener}"))
        }
        Some(_) => finding(
            about,
            Mark::Note,
            "no display",
            "That is fine: read it from another machine over SSH, or \
             `cargo book build --dest FOLDER` and copy that folder.",
        ),
        None => finding(
            about,
            Mark::Note,
            "nothing here opens one",
            format!(
                "Use `cargo book --no-open`, and {by_hand}. {}",
                install(facts, "xdg-open")
            ),
        ),
    }
}

fn is_wsl(facts: &Facts) -> bool {
    facts.kernel.to_lowercase().contains("microsoft")
}

fn offline(facts: &Facts) -> Finding {
    let about = "offline";
    match &facts.offline {
        Ok(()) => good(about, "Cargo has all that it needs"),
        Err(why) => finding(
            about,
            Mark::Mend,
            why,
            "Without a network, not all can be built. While there is one, run \
             `cargo test` here; `cargo fetch` is enough to download. In a \
             room without a network, use the archive that `cargo book pack` \
             has made elsewhere.",
        ),
    }
}

fn leftover(facts: &Facts) -> Finding {
    let about = "mysocket";
    match facts.leftover {
        None => good(about, "the name is free"),
        Some(Leftover::Socket) => finding(
            about,
            Mark::Note,
            "a socket of that name is left over, or in use",
            "The next server cannot bind it: \"Address already in use\". End \
             the server that uses it with Ctrl-C; if there is none, \
             `rm mysocket`.",
        ),
        Some(Leftover::Other) => finding(
            about,
            Mark::Note,
            "something of that name is here, and is no socket",
            "The steps bind that name, and cannot: see what it is with \
             `ls -ld mysocket`, and move it away.",
        ),
    }
}

fn open_files(facts: &Facts) -> Finding {
    let about = "open files";
    match facts.open_files {
        None => good(about, "no limit"),
        Some(limit) if limit < OPEN_FILES => finding(
            about,
            Mark::Note,
            format!("at most {limit} for a process"),
            format!(
                "Servers with many clients, and some tests, need more: \
                 `ulimit -n {OPEN_FILES}` in this terminal, before you go on."
            ),
        ),
        Some(limit) => good(about, format!("at most {limit} for a process")),
    }
}

fn user(facts: &Facts) -> Finding {
    let about = "user";
    match facts.root {
        false => good(about, "not root: permissions apply"),
        true => finding(
            about,
            Mark::Note,
            "root, to whom permissions do not apply",
            "Experiments on who may connect need another user. Where a page \
             plays one, it does so as nobody.",
        ),
    }
}

/// One finding on all tools that are here, and one on each that is not.
fn tools(facts: &Facts) -> Vec<Finding> {
    let about = "tools";
    if facts.os == "macos" {
        let found = "those of the printed terminals are for Linux";
        return vec![good(about, found)];
    }
    let (here, missing): (Vec<_>, Vec<_>) =
        facts.tools.iter().partition(|(_, tool)| tool.missing.is_none());
    let names: Vec<&str> =
        here.into_iter().map(|(name, _)| name.as_str()).collect();
    let mut findings = Vec::new();
    if !names.is_empty() || missing.is_empty() {
        findings.push(good(about, names.join(", ")));
    }
    for (name, tool) in missing {
        let why = tool.missing.as_deref().unwrap_or_default();
        findings.push(finding(
            name,
            Mark::Note,
            why,
            format!("{} {}", loss(tool), install(facts, name)),
        ));
    }
    findings
}

/// Which transcripts are lost without a tool.
fn loss(tool: &Tool) -> String {
    let number: usize = tool.chapters.values().sum();
    let terminals = match number {
        1 => "1 printed terminal is".to_owned(),
        _ => format!("{number} printed terminals are"),
    };
    let chapters: Vec<String> = tool
        .chapters
        .iter()
        .map(|(chapter, number)| format!("{chapter} ({number})"))
        .collect();
    let chapters = chapters.join(", ");
    format!("Without it, {terminals} not played: {chapters}.")
}

/// How to install the package that holds `tool`.
fn install(facts: &Facts, tool: &str) -> String {
    let names = PACKAGES.iter().find(|(name, ..)| *name == tool);
    let &(_, apt, dnf, brew) = names.unwrap_or(&("", tool, tool, tool));
    let all = [("apt", apt), ("dnf", dnf), ("brew", brew)];
    let command = |(manager, package): (&str, &str)| match manager {
        "brew" => format!("`brew install {package}`"),
        _ => format!("`sudo {manager} install {package}`"),
    };
    let here = facts.packages.as_deref();
    let fitting = all
        .into_iter()
        .filter(|(manager, _)| here.is_none_or(|here| here == *manager))
        .filter(|(_, package)| !package.is_empty());
    let commands: Vec<String> = fitting.map(command).collect();
    match commands.as_slice() {
        [] => "There is no package of it here.".to_owned(),
        commands => format!("Install it: {}.", commands.join(" or ")),
    }
}

#[cfg(test)]
mod tests;
