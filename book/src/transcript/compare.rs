//! Whether what was printed is what the book says, but for what differs from
//! one run, user or machine to the next.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use similar::{Algorithm, ChangeTag, capture_diff_slices};

/// Something that differs from run to run.
struct Rule {
    pattern: Regex,
    /// What stands in its place on both sides; `$1` is what is kept.
    mask: &'static str,
}

/// ALL that may differ between the book and a run. Each pattern is as narrow
/// as it can be: it names the line or the field that it is about.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    [
        // The user, the group, the date and the inode (with -i) in a line of
        // `ls -l`, and the padding around them. Mode, links, size and name
        // count.
        (
            r"^(?:\d+ +)?([bcdlps-](?:[r-][w-][xsStT-]){3})[.+@]? +(\d+) +\S+ +\S+ +(\d+) +[A-Z][a-z]{2} +\d+ +(?:\d\d:\d\d|\d{4}) ",
            "$1 $2 USER GROUP $3 DATE ",
        ),
        // The inode in stat(1), strace(1) and /proc.
        (r"\b([Ii]node: ?|ino=|st_ino=|socket:\[)\d+ *", "${1}INODE "),
        (r"^(Device: )\S+\s", "${1}DEVICE "),
        // The users and groups of stat(1), id(1) and our own programs.
        (r"\b([UG]id: \() *\d+/ *\S+\)", "${1}USER)"),
        (r"\b((?:si_|e)?[ug]id)[= ]\d+(?:\(\w+\))?", "$1=USER"),
        // Times in ISO 8601, as stat(1) has them.
        (
            r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| ?[+-]\d\d:?\d\d)?",
            "TIME",
        ),
        // Process ids: our programs' and ss's, strace's, and the shell's.
        (r"\b((?:si_)?pid[= ])\d+", "${1}PID"),
        (r"\[pid +\d+\]", "[pid PID]"),
        (r"\b(Process )\d+( attached| detached)", "${1}PID$2"),
        // A row of `ss -x`: its padding, and the inodes beside the addresses.
        // State, queues and addresses count, and whether there is a peer.
        (
            r"^(u_(?:str|dgr|seq)) +([A-Z-]+) +(\d+) +(\d+) +(\S+) +\d+ +(\S+) +0\b *",
            "$1 $2 $3 $4 $5 INODE $6 0 ",
        ),
        (
            r"^(u_(?:str|dgr|seq)) +([A-Z-]+) +(\d+) +(\d+) +(\S+) +\d+ +(\S+) +[1-9]\d* *",
            "$1 $2 $3 $4 $5 INODE $6 PEER ",
        ),
        (
            r"^(?:Netid +)?State +Recv-Q +Send-Q +Local Address:Port +Peer Address:Port *(?:Process)?",
            "HEADER OF SS",
        ),
        // A row of `lsof -U`: pid, user, kernel address, inode and padding.
        // Program, descriptor and name count.
        (
            r"^(\S+) +\d+ +\S+ +(\d+[urw]) +unix 0x[0-9a-f]+ +0t0 +\d+ +",
            "$1 PID USER $2 unix ADDRESS INODE ",
        ),
        (
            r"^COMMAND +PID +USER +FD +TYPE +DEVICE +SIZE/OFF +NODE +NAME",
            "HEADER OF LSOF",
        ),
        // The ids that step 12's client gives to its requests, and what the
        // server of step 7 makes of them.
        (r"#(?:[0-9a-f]{16}|[0-9A-F]{16}) ", "#ID "),
        // Addresses in memory. Flags and lengths are shorter, and count.
        (r"\b0x[0-9a-f]{9,16}\b", "ADDRESS"),
        // The size of the environment in strace's execve.
        (r"/\* \d+ vars \*/", "/* N vars */"),
        // How long something took: a fraction, as Rust prints a `Duration`
        // that was measured, or strace -T a call. `5s` and `100ms` count.
        (r"\b\d+\.\d+(ns|µs|us|ms|s)\b", "DURATION"),
        (r"<\d+\.\d{6}>", "<DURATION>"),
        // The transcript's own directory.
        (r"/tmp/sock[A-Za-z0-9]{6}\b", "/tmp/DIRECTORY"),
        // Nobody can see it.
        (r"\s+$", ""),
    ]
    .into_iter()
    .map(|(pattern, mask)| Rule {
        pattern: Regex::new(pattern).expect("the pattern is right"),
        mask,
    })
    .collect()
});

/// Whether two lines are the same but for what differs from run to run.
pub fn same(one: &str, other: &str) -> bool {
    one == other || mask(one) == mask(other)
}

/// The same for as many lines on both sides.
pub fn all_same(some: &[String], others: &[String]) -> bool {
    some.len() == others.len()
        && some.iter().zip(others).all(|(one, other)| same(one, other))
}

/// A line without what differs from run to run.
fn mask(line: &str) -> String {
    let mut line = Cow::Borrowed(line);
    for rule in RULES.iter() {
        if let Cow::Owned(masked) = rule.pattern.replace_all(&line, rule.mask) {
            line = Cow::Owned(masked);
        }
    }
    line.into_owned()
}

/// Lines of the book beside the lines of a run: `-` is in the book only, `+`
/// in the run only.
pub fn difference(book: &[String], run: &[String]) -> String {
    let masked = |lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| mask_notation(line)).collect()
    };
    let (old, new) = (masked(book), masked(run));
    let mut text = String::new();
    for operation in capture_diff_slices(Algorithm::Myers, &old, &new) {
        for change in operation.iter_changes(&old, &new) {
            let (sign, line) = match (change.tag(), change.old_index()) {
                (ChangeTag::Equal, Some(index)) => (' ', &book[index]),
                (ChangeTag::Delete, Some(index)) => ('-', &book[index]),
                _ => ('+', &run[change.new_index().expect("it is new")]),
            };
            text.push_str(&format!("  {sign} {line}\n"));
        }
    }
    text
}

/// [`mask`] for a line in a transcript's notation: rules about whole lines are
/// about what is printed.
fn mask_notation(line: &str) -> String {
    match line.split_once("| ") {
        Some((name, printed)) => format!("{name}| {}", mask(printed)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_same(one: &str, other: &str) {
        assert!(same(one, other), "{:?} != {:?}", mask(one), mask(other));
    }

    #[track_caller]
    fn assert_differ(one: &str, other: &str) {
        assert!(!same(one, other), "both are {:?}", mask(one));
    }

    #[test]
    fn user_group_date_and_inode_of_a_file_may_differ() {
        assert_same(
            "srwxr-xr-x 1 ada staff 0 Jan  2 09:10 mysocket",
            "srwxr-xr-x 1 root root 0 Nov 22 2025 mysocket",
        );
        assert_same(
            "10108940 srwxr-xr-x 1 root root 0 Nov 22 23:47 mysocket",
            "77 srwxr-xr-x 1 ada ada 0 Nov 22 23:47 mysocket",
        );
        assert_same(
            "Device: 254,0\tInode: 10108940    Links: 1",
            "Device: 8,1\tInode: 4711  Links: 1",
        );
        assert_same(
            "Access: (0755/srwxr-xr-x)  Uid: (    0/    root)   Gid: (    0/    root)",
            "Access: (0755/srwxr-xr-x)  Uid: ( 1000/     ada)   Gid: (  100/   users)",
        );
        assert_same(
            "Modify: 2026-11-22 23:47:19.122174684 +0000",
            "Modify: 2025-01-02 03:04:05.000000001 +0000",
        );
    }

    #[test]
    fn mode_links_size_and_name_of_a_file_count() {
        let line = "srwxr-xr-x 1 ada staff 0 Jan  2 09:10 mysocket";
        assert_differ(line, &line.replace("srwxr-xr-x", "srwx------"));
        assert_differ(line, &line.replace("srwx", "-rwx"));
        assert_differ(line, &line.replace(" 1 ada", " 2 ada"));
        assert_differ(line, &line.replace(" 0 Jan", " 6 Jan"));
        assert_differ(line, &line.replace("mysocket", "yoursocket"));
        assert_differ("Access: (0755/srwxr-xr-x)", "Access: (0700/srwx------)");
    }

    #[test]
    fn process_ids_may_differ_and_other_numbers_count() {
        assert_same("peer: pid=7 uid=0 gid=0", "peer: pid=8 uid=1 gid=1");
        assert_same("[pid  712] listen(3, 128)", "[pid 9] listen(3, 128)");
        assert_same(
            "strace: Process 712 attached",
            "strace: Process 9 attached",
        );
        assert_differ("[pid 7] listen(3, 128)", "[pid 7] listen(4, 128)");
        assert_differ("[pid 7] listen(3, 128)", "[pid 7] listen(3, 4096)");
        assert_differ("accepted connection 1", "accepted connection 2");
        assert_differ("wrote 6 bytes", "wrote 600 bytes");
        assert_differ("(os error 98)", "(os error 48)");
        assert_differ("212992 bytes", "212993 bytes");
        assert_differ("{\"id\": 1}", "{\"id\": 2}");
    }

    #[test]
    fn padding_and_inodes_of_ss_may_differ_and_the_rest_counts() {
        let listening = "u_str LISTEN 0      4096        mysocket 21992            * 0    users:((\"step5-server\",pid=16307,fd=3))";
        assert_same(
            listening,
            "u_str LISTEN 0 4096 mysocket 7 * 0 users:((\"step5-server\",pid=8,fd=3))",
        );
        assert_differ(listening, &listening.replace("LISTEN", "ESTAB"));
        assert_differ(listening, &listening.replace(" 4096 ", " 128 "));
        assert_differ(listening, &listening.replace("mysocket", "other"));
        assert_differ(listening, &listening.replace("fd=3", "fd=4"));
        assert_differ(listening, &listening.replace("* 0 ", "* 21993 "));
        assert_same(
            "Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess",
            "Netid State Recv-Q Send-Q  Local Address:Port Peer Address:PortProcess",
        );
    }

    #[test]
    fn pid_user_address_and_inode_of_lsof_may_differ() {
        let line = "step5-ser 12111 root    3u  unix 0x0000000082c95561      0t0 18751 mysocket type=STREAM (LISTEN)";
        assert_same(
            line,
            "step5-ser 7 ada 3u  unix 0x0000000000000000 0t0 1 mysocket type=STREAM (LISTEN)",
        );
        assert_differ(line, &line.replace("3u", "4u"));
        assert_differ(line, &line.replace("LISTEN", "CONNECTED"));
    }

    #[test]
    fn addresses_durations_and_the_directory_may_differ() {
        assert_same("at 0x7ffd12345678", "at 0x7ffe87654321");
        assert_differ("flags 0x8", "flags 0x9");
        assert_same(
            "0x7ffd12345678 /* 9 vars */",
            "0x7ffd12345679 /* 30 vars */",
        );
        assert_same("after 1.234ms", "after 25.1ms");
        assert_same("close(3) = 0 <0.000012>", "close(3) = 0 <0.001200>");
        assert_differ("timeout of 5s", "timeout of 6s");
        assert_differ("timeout of 100ms", "timeout of 200ms");
        assert_same("/tmp/sockAbCdE1/x", "/tmp/sockZzZzZ2/x");
        assert_differ("/tmp/sockAbCdE1/x", "/tmp/sockAbCdE1/y");
        assert_same("text", "text  ");
        assert_differ("text", "  text");
    }

    #[test]
    fn the_ids_of_requests_may_differ_and_requests_count() {
        let line = "received 26 bytes: \"#0123456789abcdef SET a 1\"";
        assert_same(line, &line.replace("cdef", "0000"));
        assert_same("#0123456789ABCDEF SET", "#FEDCBA9876543210 SET");
        assert_differ(line, &line.replace("SET", "GET"));
        assert_differ(line, &line.replace("#0", "#"));
        assert_differ(line, &line.replace("abcdef", "ABCDEf"));
        assert_differ("#1 SET a 1", "#2 SET a 1");
    }

    #[test]
    fn a_difference_shows_the_book_and_the_run() {
        let lines = |text: &str| -> Vec<String> {
            text.lines().map(str::to_owned).collect()
        };
        let book = lines("a$ x\na| same\na| pid=1\na| old");
        let run = lines("a$ x\na| same\na| pid=2\na| new\na| more");
        assert_eq!(
            difference(&book, &run),
            "    a$ x\n    a| same\n    a| pid=1\n  - a| old\n  + a| new\n  + a| more\n"
        );
    }
}
