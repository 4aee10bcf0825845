//! What the kernel holds for the programs of a transcript, at this moment.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;

use super::is_installed;
use super::play::Stage;

/// What the kernel holds, in words: a line for each thing. Both are empty where
/// there is no `/proc`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Kernel {
    /// The names in the transcript's folder, sorted, with type and mode as `ls
    /// -l` shows them: `srwxr-xr-x mysocket`.
    pub folder: Vec<String>,
    /// Who holds which end of what: `server 3 listens at mysocket, 1 connection
    /// waits`. The number is that of the descriptor.
    pub sockets: Vec<String>,
}

impl Kernel {
    /// All of it, as a transcript shows it.
    pub fn lines(&self) -> Vec<String> {
        let lines: Vec<String> =
            self.folder.iter().chain(&self.sockets).cloned().collect();
        if lines.is_empty() { vec!["nothing".to_owned()] } else { lines }
    }
}

/// A Unix socket, as `ss -xa` shows it.
#[derive(Debug, Clone, PartialEq)]
struct Socket {
    inode: String,
    /// The inode of its peer; `0` if it has none.
    peer: String,
    /// `LISTEN`, `ESTAB`, …
    state: String,
    /// Its name, or `*`.
    name: String,
    /// Bytes that wait to be read; for a listener, connections that wait to be
    /// accepted. `None` without `ss`.
    waiting: Option<u64>,
}

/// A descriptor that leads to a socket: who has it, and the socket's inode.
struct Holder {
    /// The place of its terminal.
    terminal: usize,
    /// `server 3`: the terminal's name, or the program's if it has none, and
    /// the number of the descriptor.
    name: String,
    inode: String,
}

/// Looks at what the programs on a stage have made.
pub fn look(stage: &Stage) -> Kernel {
    let folder = names(stage.folder());
    let mut holders = Vec::new();
    for (terminal, program) in stage.running() {
        for id in program.process_ids() {
            // It may end while we look at it.
            let Ok(comm) = fs::read_to_string(format!("/proc/{id}/comm"))
            else {
                continue;
            };
            let name = match stage.transcript.terminals[terminal].as_str() {
                "" => comm.trim_end(),
                name => name,
            };
            for (number, inode) in socket_descriptors(id) {
                let name = format!("{name} {number}");
                holders.push(Holder { terminal, name, inode });
            }
        }
    }
    let all = match holders.is_empty() {
        true => Vec::new(),
        false => sockets(),
    };
    Kernel { folder, sockets: describe(&all, &holders) }
}

/// A line for each listener and for each connection, in the order of the
/// terminals and of the descriptors.
fn describe(sockets: &[Socket], holders: &[Holder]) -> Vec<String> {
    let find = |inode: &str| sockets.iter().find(|s| s.inode == inode);
    let holder = |inode: &str| holders.iter().find(|h| h.inode == inode);
    let mut lines = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for mine in holders {
        let Some(socket) = find(&mine.inode) else { continue };
        if seen.contains(&mine.inode.as_str()) {
            continue;
        }
        seen.push(&mine.inode);
        let name = &mine.name;
        if socket.state == "LISTEN" {
            let waits = match socket.waiting {
                None => String::new(),
                Some(1) => ", 1 connection waits".to_owned(),
                Some(number) => format!(", {number} connections wait"),
            };
            lines.push(format!("{name} listens at {}{waits}", socket.name));
            continue;
        }
        if socket.state != "ESTAB" {
            lines.push(format!("{name} is not connected"));
            continue;
        }
        seen.push(&socket.peer);
        let peer = find(&socket.peer);
        let other = match (holder(&socket.peer), peer) {
            (Some(other), _) => (other.terminal, other.name.as_str()),
            // Nobody has a descriptor for it yet.
            (None, Some(_)) => (usize::MAX, "the backlog"),
            (None, None) => (usize::MAX, "nobody"),
        };
        let mut ends = [
            (mine.terminal, name.as_str(), Some(socket)),
            (other.0, other.1, peer),
        ];
        ends.sort_by_key(|(terminal, ..)| *terminal);
        let mut line = format!("{} ⇄ {}", ends[0].1, ends[1].1);
        for (_, name, socket) in ends {
            let bytes = socket.and_then(|socket| socket.waiting);
            match bytes.unwrap_or(0) {
                0 => {}
                1 => line += &format!(", 1 byte waits for {name}"),
                bytes => line += &format!(", {bytes} bytes wait for {name}"),
            }
        }
        lines.push(line);
    }
    lines
}

/// The names in a folder, with type and mode, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(file) = entry.path().symlink_metadata() else { continue };
        let kind = match file.file_type() {
            kind if kind.is_socket() => 's',
            kind if kind.is_dir() => 'd',
            kind if kind.is_symlink() => 'l',
            kind if kind.is_fifo() => 'p',
            _ => '-',
        };
        let mut mode = kind.to_string();
        for bit in (0..9).rev() {
            let letter = ['x', 'w', 'r'][bit % 3];
            let is_set = file.mode() & (1 << bit) != 0;
            mode.push(if is_set { letter } else { '-' });
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        names.push((name, mode));
    }
    names.sort();
    names.into_iter().map(|(name, mode)| format!("{mode} {name}")).collect()
}

/// The descriptors of a process that lead to sockets, with their inodes (see
/// proc_pid_fd(5)).
fn socket_descriptors(id: i32) -> Vec<(u32, String)> {
    let mut descriptors = Vec::new();
    let entries = fs::read_dir(format!("/proc/{id}/fd"));
    for entry in entries.into_iter().flatten().flatten() {
        let number = entry.file_name().to_string_lossy().parse();
        let (Ok(number), Ok(target)) = (number, fs::read_link(entry.path()))
        else {
            continue;
        };
        let target = target.to_string_lossy();
        let inode = target.strip_prefix("socket:[");
        if let Some(inode) = inode.and_then(|inode| inode.strip_suffix(']')) {
            descriptors.push((number, inode.to_owned()));
        }
    }
    descriptors.sort();
    descriptors
}

/// All Unix sockets of this machine, with what waits in them if `ss` is here.
fn sockets() -> Vec<Socket> {
    if is_installed("ss")
        && let Ok(output) = Command::new("ss")
            .args(["--unix", "--all", "--no-header"])
            .stdin(Stdio::null())
            .output()
    {
        let text = String::from_utf8_lossy(&output.stdout);
        return text.lines().filter_map(row_of_ss).collect();
    }
    let text = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    text.lines().skip(1).filter_map(row_of_proc).collect()
}

/// `u_str LISTEN 0 4096 mysocket 23135 * 0`
fn row_of_ss(line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, state, waiting, _, name, inode, _, peer, ..] = fields[..] else {
        return None;
    };
    Some(Socket {
        inode: inode.to_owned(),
        peer: peer.to_owned(),
        state: state.to_owned(),
        name: name.to_owned(),
        waiting: waiting.parse().ok(),
    })
}

/// `0000000000000000: 00000002 00000000 00010000 0001 01 23135 mysocket`: see
/// the table in unix(7)'s source, net/unix/af_unix.c.
fn row_of_proc(line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, _, _, flags, _, state, inode, ref name @ ..] = fields[..] else {
        return None;
    };
    let state = match (flags, state) {
        ("00010000", _) => "LISTEN",
        (_, "03") => "ESTAB",
        _ => "UNCONN",
    };
    Some(Socket {
        inode: inode.to_owned(),
        peer: "0".to_owned(),
        state: state.to_owned(),
        name: name.first().unwrap_or(&"*").to_string(),
        waiting: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_read_alike_from_both() {
        let ss = row_of_ss("u_str LISTEN 3 4096 mysocket 23135 * 0").unwrap();
        assert_eq!(ss.waiting, Some(3));
        let proc = "0000: 00000002 00000000 00010000 0001 01 23135 mysocket";
        let proc = row_of_proc(proc).unwrap();
        assert_eq!(proc, Socket { waiting: None, ..ss });
        let unnamed = "0000: 00000003 00000000 00000000 0001 03 23136";
        assert_eq!(row_of_proc(unnamed).unwrap().name, "*");
        assert_eq!(row_of_ss("Netid State"), None);
    }

    #[test]
    fn each_connection_is_told_once_the_server_first() {
        let rows = [
            "u_str LISTEN 1 4096 mysocket 10 * 0",
            "u_str ESTAB 6 0 mysocket 11 * 20",
            "u_str ESTAB 0 0 * 20 * 11",
            "u_str ESTAB 0 0 * 21 * 12",
            "u_str ESTAB 1 0 mysocket 12 * 21",
            "u_str ESTAB 2 0 * 22 * 0",
            "u_str UNCONN 0 0 * 23 * 0",
            "u_str ESTAB 0 0 elsewhere 90 * 91",
        ];
        let sockets: Vec<Socket> =
            rows.iter().map(|row| row_of_ss(row).unwrap()).collect();
        let holder = |terminal, name: &str, inode: &str| Holder {
            terminal,
            name: name.to_owned(),
            inode: inode.to_owned(),
        };
        let holders = [
            holder(0, "server 3", "10"),
            holder(0, "server 4", "11"),
            // A clone is a second descriptor for the same socket.
            holder(0, "server 5", "11"),
            holder(1, "client 3", "20"),
            holder(2, "other 3", "21"),
            holder(2, "other 4", "22"),
            holder(2, "other 5", "23"),
        ];
        assert_eq!(
            describe(&sockets, &holders),
            [
                "server 3 listens at mysocket, 1 connection waits",
                "server 4 ⇄ client 3, 6 bytes wait for server 4",
                "other 3 ⇄ the backlog, 1 byte waits for the backlog",
                "other 4 ⇄ nobody, 2 bytes wait for other 4",
                "other 5 is not connected",
            ]
        );
        assert_eq!(Kernel::default().lines(), ["nothing"]);
    }
}
