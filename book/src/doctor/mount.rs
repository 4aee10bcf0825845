//! Which file system a path lies on, and what is known of its kind.

use std::path::{Path, PathBuf};

/// A file system, as it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub point: PathBuf,
    /// Its kind, as the kernel calls it: `ext4`, `9p`, `fuse.sshfs`.
    pub kind: String,
    /// Its options, among them `ro` and `noexec`.
    pub options: Vec<String>,
}

/// What is known of a kind of file system that is not for programs and their
/// sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A disk of Windows, seen from WSL or from a virtual machine.
    Windows,
    /// On another machine.
    Network,
    /// Without permissions and without sockets, as on memory cards.
    Plain,
    /// Served by a program, or by the host of a virtual machine.
    Served,
}

impl Mount {
    /// The mount in `table`, in the form of `/proc/self/mountinfo` (see
    /// proc_pid_mountinfo(5)), that holds the absolute `path`.
    pub fn in_mountinfo(table: &str, path: &Path) -> Option<Self> {
        innermost(table.lines().filter_map(Self::from_mountinfo), path)
    }

    /// The mount in `table`, as mount(8) of macOS prints it, that holds the
    /// absolute `path`.
    pub fn in_list(table: &str, path: &Path) -> Option<Self> {
        innermost(table.lines().filter_map(Self::from_list), path)
    }

    /// `36 35 98:0 /root /point rw,noexec master:1 - ext3 /dev/root rw`.
    fn from_mountinfo(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(4);
        Some(Self {
            point: unescape(fields.next()?).into(),
            options: fields.next()?.split(',').map(str::to_owned).collect(),
            kind: after.split(' ').next()?.to_owned(),
        })
    }

    /// `/dev/disk3s1 on /point (apfs, local, journaled)`.
    fn from_list(line: &str) -> Option<Self> {
        let (place, options) = line.strip_suffix(')')?.rsplit_once(" (")?;
        let (_, point) = place.split_once(" on ")?;
        let mut options = options.split(", ").map(str::to_owned);
        let kind = options.next()?;
        Some(Self { point: point.into(), kind, options: options.collect() })
    }

    /// Whether it was mounted with this option.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|other| other == option)
    }

    /// What is known of its kind, if that is no good.
    pub fn trouble(&self) -> Option<Trouble> {
        match self.kind.as_str() {
            "9p" | "drvfs" | "vboxsf" | "prl_fs" | "virtiofs" | "ntfs"
            | "ntfs3" => Some(Trouble::Windows),
            "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "afs" | "afpfs"
            | "ceph" | "webdav" => Some(Trouble::Network),
            "vfat" | "msdos" | "exfat" => Some(Trouble::Plain),
            // NTFS on Linux, most of the time.
            "fuseblk" => Some(Trouble::Windows),
            kind if kind.starts_with("fuse") => Some(Trouble::Served),
            kind if kind.ends_with("fuse") => Some(Trouble::Served),
            _ => None,
        }
    }
}

/// Of the mounts that hold `path`, the innermost; of several at one place, the
/// last, which hides the others.
fn innermost(
    mounts: impl Iterator<Item = Mount>,
    path: &Path,
) -> Option<Mount> {
    mounts
        .filter(|mount| path.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.components().count())
}

/// Space, tab, line feed and backslash are written in octal: `\040`.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:40 / /home rw,nosuid shared:7 - nfs4 server:/home rw,vers=4.2
41 40 0:41 / /home/a\\040b rw,noexec - fuse.sshfs far:/ rw
42 27 8:1 / /stick rw - vfat /dev/sda1 rw
43 42 8:1 / /stick ro - exfat /dev/sda1 ro
";

    const LIST: &str = "\
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
devfs on /dev (devfs, local, nobrowse)
/dev/disk4s1 on /Volumes/My (old) stick (msdos, local, noowners)
";

    #[track_caller]
    fn kind(path: &str) -> String {
        Mount::in_mountinfo(MOUNTINFO, path.as_ref()).unwrap().kind
    }

    #[test]
    fn finds_the_innermost_mount() {
        assert_eq!(kind("/"), "ext4");
        assert_eq!(kind("/tmp/x"), "ext4");
        assert_eq!(kind("/home"), "nfs4");
        assert_eq!(kind("/homeless"), "ext4");
        assert_eq!(kind("/home/a b/c"), "fuse.sshfs");
        assert_eq!(kind("/stick/x"), "exfat", "the later one is on top");
    }

    #[test]
    fn reads_options() {
        let mount = Mount::in_mountinfo(MOUNTINFO, "/home/a b".as_ref());
        let mount = mount.unwrap();
        assert!(mount.has("noexec"));
        assert!(!mount.has("exec"));
        assert_eq!(mount.point, Path::new("/home/a b"));
    }

    #[test]
    fn reads_what_macos_prints() {
        let kind = |path: &str| Mount::in_list(LIST, path.as_ref()).unwrap();
        assert_eq!(kind("/Users/anna").kind, "apfs");
        assert_eq!(kind("/Volumes/My (old) stick/book").kind, "msdos");
        assert!(kind("/Volumes/My (old) stick/book").has("noowners"));
    }

    #[test]
    fn says_nothing_where_there_is_no_table() {
        assert_eq!(Mount::in_mountinfo("", "/".as_ref()), None);
        assert_eq!(Mount::in_mountinfo("what?\n", "/".as_ref()), None);
    }

    #[test]
    fn knows_which_kinds_are_no_good() {
        let trouble = |kind: &str| {
            let (point, options) = ("/".into(), Vec::new());
            Mount { point, kind: kind.to_owned(), options }.trouble()
        };
        for kind in ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "apfs"] {
            assert_eq!(trouble(kind), None, "{kind}");
        }
        assert_eq!(trouble("9p"), Some(Trouble::Windows));
        assert_eq!(trouble("nfs4"), Some(Trouble::Network));
        assert_eq!(trouble("exfat"), Some(Trouble::Plain));
        assert_eq!(trouble("fuse.sshfs"), Some(Trouble::Served));
        assert_eq!(trouble("macfuse"), Some(Trouble::Served));
    }
}
