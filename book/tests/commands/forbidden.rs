//! A machine where nobody may make a Unix socket.

use std::process::Command;

/// Forbids what comes after it all Unix sockets, as a container may: a filter
/// of seccomp(2) on socket(2) and socketpair(2).
const NO_UNIX_SOCKETS: &str = "
import ctypes, os, platform, struct, sys
calls = {'x86_64': (41, 53), 'aarch64': (198, 199)}[platform.machine()]
code = b''.join(struct.pack('HBBI', *line) for line in [
    (0x20, 0, 0, 0),         # which system call?
    (0x15, 1, 0, calls[0]),
    (0x15, 0, 3, calls[1]),
    (0x20, 0, 0, 16),        # its first argument: which kind of socket?
    (0x15, 0, 1, 1),
    (0x06, 0, 0, 0x50000 + 97),
    (0x06, 0, 0, 0x7fff0000),
])
code = ctypes.create_string_buffer(code)
filter = struct.pack('HP', 7, ctypes.addressof(code))
prctl = ctypes.CDLL(None, use_errno=True).prctl
if prctl(38, 1, 0, 0, 0) or prctl(22, 2, filter, 0, 0):
    sys.exit(ctypes.get_errno())
os.execv(sys.argv[1], sys.argv[1:])
";

/// The beginning of a command whose rest runs without Unix sockets. `None`,
/// and a note, where it cannot be had.
pub fn without_unix_sockets() -> Option<[String; 3]> {
    // The program itself: `python3` may be a script that finds it.
    let itself = ["-c", "import ctypes, sys; print(sys.executable)"];
    let python = Command::new("python3").args(itself).output();
    let python = python.map(|output| output.stdout).unwrap_or_default();
    let python = String::from_utf8(python).unwrap();
    let known = cfg!(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ));
    if python.is_empty() || !known {
        eprintln!("skipped: it needs python3, with ctypes, on Linux");
        return None;
    }
    Some([python.trim().into(), "-c".into(), NO_UNIX_SOCKETS.into()])
}
