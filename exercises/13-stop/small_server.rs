//! What the wrong servers of this chapter's exercises do right: they listen,
//! serve each client in a thread, and know some of the requests.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, LazyLock, Mutex, Weak, mpsc};
use std::thread;

/// The clients that are served, and how to wait for the end of all of them.
#[derive(Default)]
pub struct Clients {
    streams: Mutex<Vec<Weak<UnixStream>>>,
    done: Mutex<Vec<mpsc::Receiver<()>>>,
}

static VALUES: LazyLock<Mutex<BTreeMap<String, String>>> =
    LazyLock::new(Mutex::default);

/// Listens, says so, and serves clients in threads from now on.
pub fn start() -> io::Result<Arc<Clients>> {
    let listener = UnixListener::bind("mysocket")?;
    println!("listening on mysocket");
    let clients = Arc::new(Clients::default());
    let theirs = Arc::clone(&clients);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let stream = Arc::new(stream);
            let (working, done) = mpsc::channel();
            theirs.streams.lock().unwrap().push(Arc::downgrade(&stream));
            theirs.done.lock().unwrap().push(done);
            thread::spawn(move || {
                let _ = serve(&stream);
                drop(stream);
                drop(working);
            });
        }
    });
    Ok(clients)
}

impl Clients {
    /// Shuts down all connections that are left, and returns their number.
    pub fn shut_down(&self, how: Shutdown) -> usize {
        let streams = self.streams.lock().unwrap();
        let left: Vec<_> = streams.iter().filter_map(Weak::upgrade).collect();
        for stream in &left {
            let _ = stream.shutdown(how);
        }
        left.len()
    }

    /// Waits until all have been served, or nobody should wait any more.
    pub fn wait(&self, grace: std::time::Duration) {
        let end = std::time::Instant::now() + grace;
        for done in self.done.lock().unwrap().iter() {
            let left = end.saturating_duration_since(std::time::Instant::now());
            let _ = done.recv_timeout(left);
        }
    }
}

fn serve(mut stream: &UnixStream) -> io::Result<()> {
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let answer = {
            let mut values = VALUES.lock().unwrap();
            match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
                ["SET", name, value] => {
                    values.insert(name.to_owned(), value.to_owned());
                    "OK\n".to_owned()
                }
                [_, name] => match values.get(name) {
                    Some(value) => format!("VALUE {value}\n"),
                    None => "NONE\n".to_owned(),
                },
                _ => "ERR cannot do that\n".to_owned(),
            }
        };
        stream.write_all(answer.as_bytes())?;
    }
    Ok(())
}
