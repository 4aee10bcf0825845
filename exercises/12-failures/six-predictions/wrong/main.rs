//! Shows what `read` and `write` say, but wrong, in the way that its first
//! argument names.

use std::env;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let fault = arguments.next().expect("a fault");
    let case = arguments.next().expect("a case");
    let (mut ours, theirs) = UnixStream::pair()?;
    let kept = theirs.try_clone()?;
    match case.as_str() {
        "shut" if fault == "closes-instead" => {
            theirs.shutdown(Shutdown::Both)?;
        }
        "shut" => theirs.shutdown(Shutdown::Read)?,
        "clone" if fault == "closes-instead" => {
            drop(kept);
            drop(theirs);
            return show(ours, &fault);
        }
        "clone" => drop(theirs),
        "ended" => ours.shutdown(Shutdown::Write)?,
        "backlog" => {
            let listener = UnixListener::bind("mysocket")?;
            ours = UnixStream::connect("mysocket")?;
            let accepted = match &*fault {
                "accepts-first" => Some(listener.accept()?),
                _ => None,
            };
            drop(listener);
            fs::remove_file("mysocket")?;
            drop(accepted);
        }
        "killed" => {
            ours.set_nonblocking(true)?;
            while ours.write(&[b'x'; 4096]).is_ok() {}
            drop(theirs);
            if fault != "keeps-a-descriptor" {
                drop(kept);
            }
            return show(ours, &fault);
        }
        _ => {}
    }
    show(ours, &fault)
}

fn show(mut ours: UnixStream, fault: &str) -> io::Result<()> {
    ours.set_nonblocking(fault != "waits")?;
    let word = |result: io::Result<usize>| match result {
        Ok(0) => "end".to_owned(),
        Ok(count) => count.to_string(),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock => "would block".to_owned(),
            ErrorKind::ConnectionReset => "reset".to_owned(),
            _ => "broken pipe".to_owned(),
        },
    };
    println!("read: {}", word(ours.read(&mut [0; 99])));
    println!("write: {}", word(ours.write(b"x")));
    Ok(())
}
