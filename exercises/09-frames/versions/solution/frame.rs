//! Frames: four bytes that say how many bytes follow, then those bytes.

use std::io::{self, ErrorKind, Read};

/// The most bytes that a frame may carry.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// The frame that carries these bytes.
pub fn encode(payload: &[u8]) -> io::Result<Vec<u8>> {
    if payload.len() > MAX_PAYLOAD {
        return Err(too_long());
    }
    let length = payload.len() as u32;
    Ok([&length.to_be_bytes(), payload].concat())
}

/// What the frame at the start of `bytes` carries, if all of it is there.
pub fn decode(bytes: &[u8]) -> io::Result<Option<&[u8]>> {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length > MAX_PAYLOAD {
        return Err(too_long());
    }
    Ok(rest.get(..length))
}

fn too_long() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the frame is too long")
}

/// What the next frame carries. `None` if the stream ends before it.
///
/// `unread` keeps what was read of the frames after it.
pub fn read(
    stream: &mut impl Read,
    unread: &mut Vec<u8>,
) -> io::Result<Option<Vec<u8>>> {
    let mut piece = [0; 4096];
    loop {
        if let Some(payload) = decode(unread)?.map(<[u8]>::to_vec) {
            unread.drain(..4 + payload.len());
            return Ok(Some(payload));
        }
        match stream.read(&mut piece) {
            Ok(0) if unread.is_empty() => return Ok(None),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => unread.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
