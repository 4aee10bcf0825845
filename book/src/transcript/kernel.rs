//! What the kernel holds for the programs of a transcript, at this moment.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;

use super::is_installed;
use super::play::Stage;

/// What the kernel holds. All of it is empty where there is no `/proc`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Kernel {
    /// The names in the transcript's folder, sorted.
    pub names: Vec<Name>,
    /// The Unix sockets that the programs hold.
    pub sockets: Vec<Socket>,
    /// The programs, in the order of their terminals.
    pub processes: Vec<Process>,
}

/// An entry in the folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Name {
    pub name: String,
    /// Type and mode, as `ls -l` shows them: `srwxr-xr-x`.
    pub mode: String,
    /// The user id of the owner.
    pub owner: u32,
}

/// A Unix socket, as `ss -xa` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Socket {
    pub inode: String,
    /// The inode of its peer; `0` if it has none.
    pub peer: String,
    /// `LISTEN`, `ESTAB`, …
    pub state: String,
    /// Its name, or `*`.
    pub name: String,
    /// Bytes that wait to be read; for a listener, connections that wait to be
    /// accepted. `None` without `ss`.
    pub waiting: Option<u64>,
}

/// A program, or what it has started.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Process {
    pub terminal: usize,
    pub id: i32,
    pub name: String,
    /// Its descriptors and what they lead to, the terminal's left out.
    pub descriptors: Vec<(u32, String)>,
}

/// Looks at what the programs on a stage have made.
pub fn look(stage: &Stage) -> Kernel {
    let names = names(stage.folder());
    let mut processes = Vec::new();
    let mut inodes = Vec::new();
    for (terminal, program) in stage.running() {
        inodes.extend(program.socket_inodes());
        for id in program.process_ids() {
            // It may end while we look at it.
            let Ok(name) = fs::read_to_string(format!("/proc/{id}/comm"))
            else {
                continue;
            };
            let name = name.trim_end().to_owned();
            let descriptors = descriptors(id, stage.folder());
            processes.push(Process { terminal, id, name, descriptors });
        }
    }
    let mut sockets = match inodes.is_empty() {
        true => Vec::new(),
        false => sockets(),
    };
    sockets.retain(|socket| {
        inodes.contains(&socket.inode) || inodes.contains(&socket.peer)
    });
    Kernel { names, sockets, processes }
}

fn names(folder: &Path) -> Vec<Name> {
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
        names.push(Name { name, mode, owner: file.uid() });
    }
    names.sort_by(|one, other| one.name.cmp(&other.name));
    names
}

/// See proc_pid_fd(5). What is connected to the terminal is left out.
fn descriptors(id: i32, folder: &Path) -> Vec<(u32, String)> {
    let mut descriptors = Vec::new();
    let entries = fs::read_dir(format!("/proc/{id}/fd"));
    for entry in entries.into_iter().flatten().flatten() {
        let number = entry.file_name().to_string_lossy().parse();
        let (Ok(number), Ok(target)) = (number, fs::read_link(entry.path()))
        else {
            continue;
        };
        if number > 2 {
            let target = target.strip_prefix(folder).unwrap_or(&target);
            descriptors.push((number, target.display().to_string()));
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
}
