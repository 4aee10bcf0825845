//! What the kernel holds for the programs of a transcript, at this moment.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use serde::Serialize;

use super::play::Stage;
#[cfg(target_os = "linux")]
use super::sock_diag::sockets;

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

/// A Unix socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Socket {
    /// Its number, as in `/proc/PID/fd`: `socket:[23135]`.
    pub(super) inode: u32,
    pub(super) state: State,
    /// The path it is bound to; `@` and more, if it is abstract.
    pub(super) name: Option<String>,
    /// The inode of its peer, if that is open and has been accepted.
    pub(super) peer: Option<u32>,
    /// The bytes that wait to be read; of a listener, the connections that
    /// wait to be accepted.
    pub(super) waiting: u32,
    /// Whether it has shut down its writing, or its peer its reading.
    pub(super) writes_no_more: bool,
    /// Of a listener: the inodes of those who wait to be accepted.
    pub(super) backlog: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum State {
    Connected,
    Listening,
    #[default]
    Other,
}

/// A descriptor that leads to a socket: who has it, and the socket's inode.
struct Holder {
    /// The place of its terminal.
    terminal: usize,
    /// `server 3`: the terminal's name, or the program's if it has none, and
    /// the number of the descriptor.
    name: String,
    inode: u32,
}

/// Whether the kernel tells what it holds.
pub(super) fn tells() -> bool {
    sockets().is_ok()
}

/// Only Linux has sock_diag(7).
#[cfg(not(target_os = "linux"))]
fn sockets() -> std::io::Result<Vec<Socket>> {
    Err(std::io::ErrorKind::Unsupported.into())
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
    let sockets = match sockets() {
        Ok(_) if holders.is_empty() => Vec::new(),
        Ok(all) => describe(&all, &holders),
        Err(error) => vec![format!("which sockets is not told: {error}")],
    };
    Kernel { folder, sockets }
}

/// A line for each listener and for each connection, in the order of the
/// terminals and of the descriptors.
fn describe(sockets: &[Socket], holders: &[Holder]) -> Vec<String> {
    let find = |inode| sockets.iter().find(|s| s.inode == inode);
    let holder = |inode| holders.iter().find(|h| h.inode == inode);
    let mut lines = Vec::new();
    let mut seen = Vec::new();
    for mine in holders {
        let Some(socket) = find(mine.inode) else { continue };
        if seen.contains(&mine.inode) {
            continue;
        }
        seen.push(mine.inode);
        let name = &mine.name;
        if socket.state == State::Listening {
            let waits = match socket.waiting {
                1 => "1 connection waits".to_owned(),
                number => format!("{number} connections wait"),
            };
            let path = socket.name.as_deref().unwrap_or("no name");
            lines.push(format!("{name} listens at {path}, {waits}"));
            continue;
        }
        if socket.state != State::Connected {
            lines.push(format!("{name} is not connected"));
            continue;
        }
        let peer = socket.peer.and_then(find);
        seen.extend(peer.map(|peer| peer.inode));
        let is_in = |s: &&Socket| s.backlog.contains(&mine.inode);
        let other = match peer.map(|peer| holder(peer.inode)) {
            Some(Some(other)) => (other.terminal, other.name.as_str()),
            Some(None) => (usize::MAX, "another program"),
            // Nobody has a descriptor for it yet.
            None if sockets.iter().any(|s| is_in(&s)) => {
                (usize::MAX, "the backlog")
            }
            None => (usize::MAX, "nobody"),
        };
        let mut ends = [
            (mine.terminal, name.as_str(), Some(socket)),
            (other.0, other.1, peer),
        ];
        ends.sort_by_key(|(terminal, ..)| *terminal);
        let mut line = format!("{} ⇄ {}", ends[0].1, ends[1].1);
        for (_, name, socket) in &ends {
            match socket.map_or(0, |socket| socket.waiting) {
                0 => {}
                1 => line += &format!(", 1 byte waits for {name}"),
                bytes => line += &format!(", {bytes} bytes wait for {name}"),
            }
        }
        // Where the other end is gone, nobody can write any more.
        for (_, name, socket) in &ends {
            if peer.is_some() && socket.is_some_and(|s| s.writes_no_more) {
                line += &format!(", {name} writes no more");
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
fn socket_descriptors(id: i32) -> Vec<(u32, u32)> {
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
        let inode =
            inode.and_then(|inode| inode.strip_suffix(']')?.parse().ok());
        descriptors.extend(inode.map(|inode| (number, inode)));
    }
    descriptors.sort();
    descriptors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_is_told_once_the_server_first() {
        let listener = Socket {
            inode: 10,
            state: State::Listening,
            name: Some("mysocket".to_owned()),
            waiting: 1,
            backlog: vec![21],
            ..Socket::default()
        };
        let connected = |inode, peer, waiting| Socket {
            inode,
            state: State::Connected,
            peer,
            waiting,
            ..Socket::default()
        };
        let half_closed =
            Socket { writes_no_more: true, ..connected(24, Some(13), 0) };
        let sockets = [
            listener,
            connected(11, Some(20), 6),
            connected(20, Some(11), 0),
            connected(21, None, 0),
            Socket { writes_no_more: true, ..connected(22, None, 2) },
            Socket { inode: 23, ..Socket::default() },
            connected(13, Some(24), 0),
            half_closed,
            connected(25, Some(90), 0),
            connected(90, Some(25), 0),
        ];
        let holder = |terminal, name: &str, inode| Holder {
            terminal,
            name: name.to_owned(),
            inode,
        };
        let holders = [
            holder(0, "server 3", 10),
            holder(0, "server 4", 11),
            // A clone is a second descriptor for the same socket.
            holder(0, "server 5", 11),
            holder(1, "client 3", 20),
            holder(2, "other 3", 21),
            holder(2, "other 4", 22),
            holder(2, "other 5", 23),
            holder(2, "other 6", 24),
            holder(0, "server 6", 13),
            holder(2, "other 7", 25),
        ];
        assert_eq!(
            describe(&sockets, &holders),
            [
                "server 3 listens at mysocket, 1 connection waits",
                "server 4 ⇄ client 3, 6 bytes wait for server 4",
                "other 3 ⇄ the backlog",
                "other 4 ⇄ nobody, 2 bytes wait for other 4",
                "other 5 is not connected",
                "server 6 ⇄ other 6, other 6 writes no more",
                "other 7 ⇄ another program",
            ]
        );
        assert_eq!(Kernel::default().lines(), ["nothing"]);
    }
}
