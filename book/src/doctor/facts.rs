//! What this machine is and has, as far as the book is concerned. Nothing is
//! judged here.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, geteuid, getrlimit};

use super::ask::{Answer, ask, within};
use super::mount::Mount;
use crate::serve::FIRST_PORT;
use crate::transcript::{Transcript, is_installed};

/// What was found. An `Err` says in one line why nothing was.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The operating system, as Rust calls it: `linux`, `macos`.
    pub os: String,
    /// The release of its kernel, from uname(2).
    pub kernel: String,
    /// The processor, as Rust calls it: `x86_64`.
    pub processor: String,
    /// Whether we run as root, to whom permissions do not apply.
    pub root: bool,
    /// What `rustc -vV` prints.
    pub rustc: Answer,
    /// What `git --version` prints.
    pub git: Answer,
    /// The commit of the repository, shortened.
    pub commit: Answer,
    /// Whether Cargo has all that the book and its tests are made of.
    pub offline: Answer<()>,
    /// Whether this system has Unix sockets at all: a socketpair(2).
    pub pair: Answer<()>,
    /// The repository's folder.
    pub repository: Place,
    /// `/tmp`, where tests make their folders.
    pub tmp: Place,
    /// The folder for temporary files, `TMPDIR`, and whether files can be
    /// made in it.
    pub tmpdir: (PathBuf, Answer<()>),
    /// The folder that is built into, the bytes that it takes up, and the
    /// bytes that are free there.
    pub target: (PathBuf, Answer<(u64, u64)>),
    /// Whether a connection to 127.0.0.1 comes to be.
    pub loopback: Answer<()>,
    /// Whether the port is free that `cargo book` tries first.
    pub port: Answer<()>,
    /// What opens a browser, if there is anything.
    pub opener: Option<String>,
    /// Whether there is a screen: always, but for `DISPLAY` and
    /// `WAYLAND_DISPLAY` on Linux.
    pub display: bool,
    /// Whether we were called from another machine, over SSH.
    pub ssh: bool,
    /// What has the name `mysocket` in the repository's folder.
    pub leftover: Option<Leftover>,
    /// How many files a process may have open, if there is a limit.
    pub open_files: Option<u64>,
    /// The tools that transcripts need, by name.
    pub tools: BTreeMap<String, Tool>,
    /// The package manager that is here: `apt`, `dnf` or `brew`.
    pub packages: Option<String>,
}

/// A folder in which sockets are to be bound.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its absolute path.
    pub path: PathBuf,
    /// The file system that it lies on, where the system tells.
    pub mount: Option<Mount>,
    /// What came of binding a socket there.
    pub trial: Answer<Trial>,
}

/// What came of binding a socket in a folder of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    /// No folder or file can be made there.
    NoFolder(String),
    /// A folder can be made, and no socket in it.
    NoSocket(String),
    /// A socket can be bound, connected to and removed. Whether its
    /// permissions are honored: kept, and refused to whom they exclude.
    Works(Answer<()>),
}

/// What has the name that the steps bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftover {
    /// A socket.
    Socket,
    /// Something else.
    Other,
}

/// A tool that transcripts need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tool {
    /// Why it cannot be used, if it cannot.
    pub missing: Option<String>,
    /// How many transcripts need it, by chapter: `03-connect`.
    pub chapters: BTreeMap<String, usize>,
}

impl Facts {
    /// Looks. `root` is the repository, which must be the current directory,
    /// since steps bind their sockets by a name without a folder. No check
    /// lasts longer than `limit`.
    pub fn look<'t>(
        root: &Path,
        transcripts: impl Iterator<Item = &'t Transcript>,
        limit: Duration,
    ) -> Self {
        let uname = rustix::system::uname();
        let is_root = geteuid().is_root();
        let run = |program: &str, arguments: &[&str]| {
            ask(Command::new(program).args(arguments), limit)
        };
        let variable =
            |name| std::env::var(name).ok().filter(|v| !v.is_empty());
        let rustc = variable("RUSTC").unwrap_or_else(|| "rustc".to_owned());
        let rustc = run(&rustc, &["-vV"]);
        let mounts = mounts(limit);
        let place = |path: &Path, here: &Path| Place {
            path: path.to_owned(),
            mount: mounts.as_ref().and_then(|find| find(path)),
            trial: {
                let here = here.to_owned();
                within(limit, move || Ok(bind_in(&here, is_root)))
            },
        };
        // What /tmp is a link to, as on macOS, is on a file system as well.
        let tmp = Path::new("/tmp");
        let tmp = tmp.canonicalize().unwrap_or(tmp.to_owned());
        let target = std::env::var_os("CARGO_TARGET_DIR");
        let target = root.join(target.unwrap_or("target".into()));
        let tmpdir = std::env::temp_dir();
        Self {
            os: std::env::consts::OS.to_owned(),
            kernel: uname.release().to_string_lossy().into_owned(),
            processor: std::env::consts::ARCH.to_owned(),
            root: is_root,
            offline: rustc
                .as_deref()
                .map_err(|_| "not tried, for want of rustc".to_owned())
                .and_then(|said| offline(said, limit)),
            rustc,
            git: run("git", &["--version"]),
            commit: run("git", &["rev-parse", "--short", "HEAD"]),
            pair: UnixStream::pair()
                .map(|_| ())
                .map_err(|error| error.to_string()),
            repository: place(root, Path::new("")),
            tmp: place(&tmp, &tmp),
            tmpdir: (tmpdir.clone(), {
                within(limit, move || match tempfile::tempfile_in(&tmpdir) {
                    Ok(_) => Ok(()),
                    Err(error) => Err(error.to_string()),
                })
            }),
            target: (target.clone(), within(limit, move || space(&target))),
            loopback: within(limit, || {
                loopback().map_err(|error| error.to_string())
            }),
            port: TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST_PORT))
                .map(|_| ())
                .map_err(|error| error.to_string()),
            opener: opener(variable("BROWSER")),
            display: !cfg!(target_os = "linux")
                || variable("DISPLAY").is_some()
                || variable("WAYLAND_DISPLAY").is_some(),
            ssh: variable("SSH_CONNECTION").is_some(),
            leftover: leftover(Path::new("mysocket")),
            open_files: getrlimit(Resource::Nofile).current,
            tools: tools(transcripts, limit),
            packages: ["apt", "dnf", "brew"]
                .into_iter()
                .find(|name| is_installed(name))
                .map(str::to_owned),
        }
    }
}

/// What finds the mount that holds a path.
type Find = Box<dyn Fn(&Path) -> Option<Mount>>;

fn mounts(limit: Duration) -> Option<Find> {
    if let Ok(table) = fs::read_to_string("/proc/self/mountinfo") {
        return Some(Box::new(move |path| Mount::in_mountinfo(&table, path)));
    }
    if !cfg!(target_os = "macos") {
        return None;
    }
    let table = ask(&mut Command::new("mount"), limit).ok()?;
    Some(Box::new(move |path| Mount::in_list(&table, path)))
}

/// Has Cargo look for all that the workspace needs on this machine, without a
/// network. It may unpack what it has downloaded before.
fn offline(rustc: &str, limit: Duration) -> Answer<()> {
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc does not say what it compiles for")?;
    // Set by Cargo for all that it runs.
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let arguments = ["fetch", "--offline", "--locked", "--quiet", "--target"];
    ask(Command::new(cargo).args(arguments).arg(host), limit).map(|_| ())
}

/// Binds, connects to and removes a socket in a new folder in `folder`.
fn bind_in(folder: &Path, is_root: bool) -> Trial {
    let own = tempfile::Builder::new().prefix(".doctor-").tempdir_in(folder);
    let own = match own {
        Ok(own) => own,
        // Without the path, which is long and random.
        Err(error) => {
            let error = std::io::Error::from(error.kind());
            return Trial::NoFolder(error.to_string());
        }
    };
    // By the name that was given: an absolute one may be too long.
    let name = own.path().file_name().unwrap_or_default();
    let path = folder.join(name).join("mysocket");
    let trial = bind(&path, is_root).map_or_else(Trial::NoSocket, Trial::Works);
    match own.close() {
        Ok(()) => trial,
        Err(error) => {
            Trial::NoSocket(format!("cannot remove a folder: {error}"))
        }
    }
}

fn bind(path: &Path, is_root: bool) -> Answer<Answer<()>> {
    let failed = |what: &'static str| {
        move |error: std::io::Error| format!("{what}: {error}")
    };
    let listener = UnixListener::bind(path).map_err(failed("cannot bind"))?;
    let mut client =
        UnixStream::connect(path).map_err(failed("cannot connect"))?;
    let (mut server, _) = listener.accept().map_err(failed("cannot accept"))?;
    client.write_all(b"?").map_err(failed("cannot write"))?;
    server.read_exact(&mut [0]).map_err(failed("cannot read"))?;
    let honored = permissions(path, is_root);
    fs::remove_file(path).map_err(failed("cannot remove the socket"))?;
    Ok(honored)
}

/// Closes the socket to all, and sees whether it is.
fn permissions(path: &Path, is_root: bool) -> Answer<()> {
    fs::set_permissions(path, Permissions::from_mode(0o000))
        .map_err(|error| format!("they cannot be changed: {error}"))?;
    let metadata = fs::symlink_metadata(path);
    let mode = metadata.map_err(|error| error.to_string())?.mode() & 0o777;
    if mode != 0 {
        return Err(format!("mode 0000 has become {mode:04o}"));
    }
    match UnixStream::connect(path) {
        Ok(_) if !is_root => {
            Err("a socket of mode 0000 could be connected to".to_owned())
        }
        _ => Ok(()),
    }
}

/// The bytes that `folder` takes up and that are free on its file system.
fn space(folder: &Path) -> Answer<(u64, u64)> {
    let existing = folder.ancestors().find(|folder| folder.exists());
    let existing = existing.ok_or("there is no such folder")?;
    let free =
        rustix::fs::statvfs(existing).map_err(|error| error.to_string())?;
    Ok((size(folder), free.f_bavail * free.f_frsize))
}

/// The bytes that a folder takes up. What cannot be read counts nothing.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

fn loopback() -> std::io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    client.write_all(b"?")?;
    server.read_exact(&mut [0])
}

/// The first of the programs with which `cargo book` would try to open a page.
/// `browser` is what xdg-open obeys, a list of commands.
fn opener(browser: Option<String>) -> Option<String> {
    let named = browser.iter().flat_map(|list| list.split(':'));
    let named = named.filter_map(|command| command.split(' ').next());
    let others = open::commands("http://127.0.0.1").into_iter();
    let others = others.map(|command| command.get_program().to_owned());
    named
        .map(Into::into)
        .chain(others)
        .find(|program| {
            Path::new(program).is_absolute() && Path::new(program).is_file()
                || program.to_str().is_some_and(is_installed)
        })
        .map(|program| program.to_string_lossy().into_owned())
}

fn leftover(path: &Path) -> Option<Leftover> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some(match metadata.file_type().is_socket() {
        true => Leftover::Socket,
        false => Leftover::Other,
    })
}

fn tools<'t>(
    transcripts: impl Iterator<Item = &'t Transcript>,
    limit: Duration,
) -> BTreeMap<String, Tool> {
    let mut tools: BTreeMap<String, Tool> = BTreeMap::new();
    for transcript in transcripts {
        let chapter = transcript.file.file_stem().unwrap_or_default();
        let chapter = chapter.to_string_lossy();
        for need in &transcript.needs {
            let tool = tools.entry(need.clone()).or_default();
            *tool.chapters.entry(chapter.clone().into_owned()).or_default() +=
                1;
        }
    }
    for (name, tool) in &mut tools {
        tool.missing = missing(name, limit);
    }
    tools
}

/// Why a tool cannot be used, if it cannot. Of `nc` there are several, and not
/// all know Unix sockets.
fn missing(name: &str, limit: Duration) -> Option<String> {
    if !is_installed(name) {
        return Some("not found".to_owned());
    }
    if name != "nc" {
        return None;
    }
    // It tells about itself on either stream, and some take that for failure.
    let help = ["-c", "nc -h 2>&1; true"];
    match ask(Command::new("sh").args(help), limit) {
        Ok(help) if help.contains("-U") => None,
        Ok(_) => Some("this one has no -U, for Unix sockets".to_owned()),
        Err(why) => Some(why),
    }
}
