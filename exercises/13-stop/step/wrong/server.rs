//! The server of chapter 13, but wrong, in the way that its first argument
//! names.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use std::{env, fs, process, thread};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level::pipe};
use store::Store;

#[path = "../../../../steps/13-stop/src/store.rs"]
mod store;

const NAME: &str = "mysocket";
const GRACE: Duration = Duration::from_secs(2);

/// The faults that show only where answers take longer than the end.
const IN_A_HURRY: [&str; 3] =
    ["exits-at-once", "waits-for-nobody", "ends-the-conversations"];

fn main() -> io::Result<()> {
    let fault: Arc<str> = env::args().nth(1).expect("a fault").into();
    let has = |name: &str| *fault == *name;
    let (stop, asked) = UnixStream::pair()?;
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        if has("catches-nothing")
            || has("catches-no-sigint") && signal == SIGINT
        {
            continue;
        }
        // Two of them would race against it.
        let ignored =
            ["ignores-the-second-signal", "exits-at-once", "waits-for-nobody"];
        if !ignored.contains(&&*fault) {
            flag::register_conditional_default(signal, Arc::clone(&stopping))?;
        }
        flag::register(signal, Arc::clone(&stopping))?;
        if !has("sets-only-a-flag") {
            pipe::register(signal, asked.try_clone()?)?;
        }
    }

    let is_free = UnixStream::connect(NAME)
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
    if is_free && !has("trips-over-a-dead-name") || has("takes-a-live-name") {
        let _ = fs::remove_file(NAME);
    }
    let listener = match UnixListener::bind(NAME) {
        Ok(listener) => listener,
        Err(error) => {
            println!("cannot bind {NAME}: {error}");
            process::exit(1);
        }
    };
    listener.set_nonblocking(true)?;
    let inode = fs::symlink_metadata(NAME)?.ino();
    println!("listening on {NAME}");

    let store = Arc::new(Mutex::new(Store::default()));
    let mut clients: Vec<Weak<UnixStream>> = Vec::new();
    let (working, all_done) = mpsc::channel::<()>();
    let mut is_stopping = false;
    loop {
        if !is_stopping {
            let mut ready = [
                PollFd::new(&listener, PollFlags::IN),
                PollFd::new(&stop, PollFlags::IN),
            ];
            retry_on_intr(|| poll(&mut ready, None))?;
            is_stopping = !ready[1].revents().is_empty();
            if is_stopping {
                if !has("removes-its-name-last") {
                    remove_name(inode, &fault);
                }
                if !has("says-nothing") {
                    println!("stopping");
                }
                if has("exits-at-once") {
                    process::exit(0);
                }
                if has("drops-its-backlog") {
                    break;
                }
            }
        }
        let stream = match listener.accept() {
            Ok((stream, _)) => Arc::new(stream),
            Err(_) if is_stopping => break,
            Err(_) => continue,
        };
        clients.push(Arc::downgrade(&stream));
        let working = working.clone();
        let (store, fault) = (Arc::clone(&store), Arc::clone(&fault));
        thread::spawn(move || {
            let _ = serve(&stream, &store, &fault);
            drop(stream);
            drop(working);
        });
    }
    drop(listener);
    let how = match &*fault {
        "joins-without-waking" => None,
        "ends-the-conversations" => Some(Shutdown::Both),
        _ => Some(Shutdown::Read),
    };
    let connected = || clients.iter().filter_map(Weak::upgrade);
    if let Some(how) = how {
        connected().for_each(|client| drop(client.shutdown(how)));
    }
    drop(working);
    if has("waits-for-everybody") || has("joins-without-waking") {
        let _ = all_done.recv();
    } else if !has("waits-for-nobody")
        && all_done.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout)
    {
        connected().for_each(|client| drop(client.shutdown(Shutdown::Both)));
    }
    if has("removes-its-name-last") {
        remove_name(inode, &fault);
    }
    if has("ends-the-conversations") {
        // A second signal shall find it.
        thread::sleep(Duration::from_millis(500));
    }
    if has("ends-with-1") {
        process::exit(1);
    }
    Ok(())
}

fn remove_name(inode: u64, fault: &str) {
    let is_mine = fs::symlink_metadata(NAME).is_ok_and(|f| f.ino() == inode);
    if fault != "keeps-its-name"
        && (is_mine || fault == "removes-whatever-has-its-name")
    {
        let _ = fs::remove_file(NAME);
    }
}

fn serve(
    mut stream: &UnixStream,
    store: &Mutex<Store>,
    fault: &str,
) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let mut requests = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if requests.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if !line.ends_with('\n') && fault != "does-half-a-request" {
            return stream.write_all(b"ERR the last line has no end\n");
        }
        if IN_A_HURRY.contains(&fault) {
            thread::sleep(Duration::from_millis(100));
        }
        let answer = answer(line.trim_end(), &mut store.lock().unwrap());
        stream.write_all(format!("{answer}\n").as_bytes())?;
    }
}

fn answer(line: &str, store: &mut Store) -> String {
    let parts = line.strip_prefix('#').and_then(|l| l.split_once(' '));
    if let Some((id, request)) = parts {
        if let Some(answer) = store.answer_to(id) {
            return answer.to_owned();
        }
        let answer = format!("#{id} {}", answer(request, store));
        store.remember(id, &answer);
        return answer;
    }
    match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
        ["SET", name, value] if store.set(name, value) => "OK".to_owned(),
        ["GET", name] => match store.get(name) {
            Some(value) => format!("VALUE {value}"),
            None => "NONE".to_owned(),
        },
        ["DEL", name] if store.delete(name) => "OK".to_owned(),
        ["ADD", name, number] => {
            match number.parse().ok().and_then(|n| store.add(name, n)) {
                Some(sum) => format!("VALUE {sum}"),
                None => "ERR cannot add".to_owned(),
            }
        }
        _ => "NONE".to_owned(),
    }
}
