//! All Unix sockets of this machine, as the kernel tells them: sock_diag(7).
//!
//! A request for all of them goes into a socket to the kernel (netlink(7)), and
//! messages come back, one for each socket, with attributes in them.

use std::io;

use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send,
    socket_with,
};

use super::kernel::{Socket, State};

// From linux/netlink.h, linux/sock_diag.h and linux/unix_diag.h.
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const UDIAG_SHOW_NAME: u32 = 0x1;
const UDIAG_SHOW_PEER: u32 = 0x4;
const UDIAG_SHOW_ICONS: u32 = 0x8;
const UDIAG_SHOW_RQLEN: u32 = 0x10;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_ICONS: u16 = 3;
const UNIX_DIAG_RQLEN: u16 = 4;
const UNIX_DIAG_SHUTDOWN: u16 = 6;

const AF_UNIX: u8 = 1;

/// The length of a message's header: length, type, flags, sequence, sender.
const HEADER: usize = 16;

/// The length of what comes before the attributes of a socket.
const FIXED: usize = 16;

/// What shutdown(2) leaves behind: `SEND_SHUTDOWN` in the kernel.
const SEND_SHUTDOWN: u8 = 2;

/// Asks the kernel for all Unix sockets of this network namespace.
///
/// # Errors
///
/// Where the kernel was built without it (`CONFIG_UNIX_DIAG`), or a sandbox
/// forbids netlink sockets.
pub(super) fn sockets() -> io::Result<Vec<Socket>> {
    let kernel = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(SOCK_DIAG),
    )?;
    // A netlink socket that is not connected sends to the kernel.
    send(&kernel, &request(), SendFlags::empty())?;
    let mut sockets = Vec::new();
    // The kernel fills 32 KiB at a time at most.
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let (_, length) = recv(&kernel, &mut buffer[..], RecvFlags::empty())?;
        let mut rest = &buffer[..length];
        while let Some(length) = u32_at(rest, 0) {
            let message = take(&mut rest, length as usize);
            match u16_at(message, 4) {
                Some(NLMSG_DONE) => return Ok(sockets),
                Some(NLMSG_ERROR) => {
                    let code = u32_at(message, HEADER).unwrap_or_default();
                    let code = code.cast_signed().wrapping_neg();
                    return Err(io::Error::from_raw_os_error(code));
                }
                Some(SOCK_DIAG_BY_FAMILY) => sockets.extend(socket(message)),
                _ => {}
            }
        }
    }
}

/// `struct nlmsghdr` and `struct unix_diag_req`.
fn request() -> Vec<u8> {
    let every_state = u32::MAX;
    let show =
        UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN;
    let no_cookie = [u32::MAX; 2];
    let mut rest = Vec::new();
    rest.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    rest.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    rest.extend([0; 8]);
    rest.extend([AF_UNIX, 0, 0, 0]);
    for word in [every_state, 0, show, no_cookie[0], no_cookie[1]] {
        rest.extend(word.to_ne_bytes());
    }
    let length = u32::try_from(rest.len() + 4).unwrap_or_default();
    [&length.to_ne_bytes()[..], &rest].concat()
}

/// A socket, from `struct unix_diag_msg` and the attributes behind it.
fn socket(message: &[u8]) -> Option<Socket> {
    let mut socket = Socket {
        state: match message.get(HEADER + 2)? {
            1 => State::Connected,
            10 => State::Listening,
            _ => State::Other,
        },
        inode: u32_at(message, HEADER + 4)?,
        ..Socket::default()
    };
    let mut rest = message.get(HEADER + FIXED..)?;
    while let Some(length) = u16_at(rest, 0) {
        let attribute = take(&mut rest, length.into());
        let value = attribute.get(4..)?;
        match u16_at(attribute, 2)? {
            UNIX_DIAG_NAME => socket.name = Some(name(value)),
            // 0: it is closed, or nobody has accepted it yet.
            UNIX_DIAG_PEER => {
                socket.peer = u32_at(value, 0).filter(|&inode| inode != 0);
            }
            UNIX_DIAG_ICONS => {
                let words = (0..value.len()).step_by(4);
                socket.backlog =
                    words.filter_map(|at| u32_at(value, at)).collect();
            }
            UNIX_DIAG_RQLEN => socket.waiting = u32_at(value, 0)?,
            UNIX_DIAG_SHUTDOWN => {
                socket.writes_no_more = value.first()? & SEND_SHUTDOWN != 0;
            }
            _ => {}
        }
    }
    Some(socket)
}

/// A name as `ss` prints it.
fn name(bytes: &[u8]) -> String {
    match bytes {
        [0, rest @ ..] => format!("@{}", String::from_utf8_lossy(rest)),
        path => {
            let path = String::from_utf8_lossy(path);
            path.trim_end_matches('\0').to_owned()
        }
    }
}

/// The next `length` bytes, which are left out of `rest` together with what
/// fills them up to a multiple of four. All of it, if that is not enough.
fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    // Whoever asks for nothing would never come to the end.
    let length = if length == 0 { rest.len() } else { length };
    let taken = rest.get(..length).unwrap_or(rest);
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    taken
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::net::Shutdown;
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    use super::*;

    /// What the kernel says of one of our sockets.
    fn look(descriptor: &impl std::os::fd::AsRawFd) -> Socket {
        let inode = inode(descriptor);
        let mut sockets = sockets().unwrap().into_iter();
        sockets.find(|socket| socket.inode == inode).unwrap()
    }

    fn inode(descriptor: &impl std::os::fd::AsRawFd) -> u32 {
        let link = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
        let target = fs::read_link(link).unwrap();
        let target = target.to_str().unwrap();
        let number = target.strip_prefix("socket:[").unwrap();
        number.strip_suffix(']').unwrap().parse().unwrap()
    }

    #[test]
    fn a_listener_has_a_name_and_a_backlog() {
        let name = format!("backlog of {}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let empty = look(&listener);
        assert_eq!(empty.state, State::Listening);
        assert_eq!(empty.name, Some(format!("@{name}")));
        assert_eq!((empty.waiting, empty.backlog), (0, Vec::new()));

        let clients =
            [0, 1].map(|_| UnixStream::connect_addr(&address).unwrap());
        let full = look(&listener);
        assert_eq!(full.waiting, 2);
        assert_eq!(full.backlog, clients.each_ref().map(inode));
        let client = look(&clients[0]);
        assert_eq!((client.state, client.peer), (State::Connected, None));

        let (accepted, _) = listener.accept().unwrap();
        assert_eq!(look(&clients[0]).peer, Some(inode(&accepted)));
        assert_eq!(look(&listener).backlog, [inode(&clients[1])]);
    }

    #[test]
    fn a_connection_has_two_ends_with_bytes_and_a_half_that_is_closed() {
        let (mut a, b) = UnixStream::pair().unwrap();
        a.write_all(b"Hello?").unwrap();
        let (left, right) = (look(&a), look(&b));
        assert_eq!(left.peer, Some(right.inode));
        assert_eq!(right.peer, Some(left.inode));
        assert_eq!((left.waiting, right.waiting), (0, 6));
        assert_eq!((left.name, right.name), (None, None));
        assert!(!left.writes_no_more && !right.writes_no_more);

        a.shutdown(Shutdown::Write).unwrap();
        assert!(look(&a).writes_no_more);
        assert!(!look(&b).writes_no_more);
        drop(a);
        let alone = look(&b);
        assert_eq!((alone.state, alone.peer), (State::Connected, None));
        assert_eq!(alone.waiting, 6);
    }

    #[test]
    fn what_is_cut_off_is_read_without_harm() {
        let whole = request();
        for length in 0..whole.len() {
            let _ = socket(&whole[..length]);
        }
        let mut rest = &[0u8; 3][..];
        assert_eq!(take(&mut rest, 0).len(), 3);
        assert!(rest.is_empty());
    }
}
