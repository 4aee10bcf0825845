//! A server with a journal, but wrong, in the way that its first argument
//! names.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, fs, process, thread};

use signal_hook::consts::SIGTERM;
use signal_hook::low_level::pipe;
use store::Store;

#[path = "../solution/store.rs"]
mod store;

struct Memory {
    store: Store,
    journal: BufWriter<File>,
}

fn main() -> io::Result<()> {
    let fault: Arc<str> = env::args().nth(1).expect("a fault").into();
    let _ = fs::remove_file("mysocket");
    let listener = UnixListener::bind("mysocket")?;
    let memory = Arc::new(Mutex::new(read(&fault)?));
    let (mut stop, asked) = UnixStream::pair()?;
    pipe::register(SIGTERM, asked)?;
    println!("listening on mysocket");
    let at_its_end = Arc::clone(&memory);
    let its = Arc::clone(&fault);
    thread::spawn(move || {
        let _ = stop.read_exact(&mut [0]);
        let _ = fs::remove_file("mysocket");
        println!("stopping");
        let _ = at_its_end.lock().unwrap().journal.flush();
        if *its == *"clears-up-when-it-stops" {
            let _ = fs::remove_file("journal");
        }
        process::exit(0);
    });
    for stream in listener.incoming().flatten() {
        let (memory, fault) = (Arc::clone(&memory), Arc::clone(&fault));
        thread::spawn(move || serve(&stream, &memory, &fault));
    }
    Ok(())
}

fn read(fault: &str) -> io::Result<Memory> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open("journal")?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let mut whole = text.rfind('\n').map_or(0, |end| end + 1);
    match fault {
        "needs-a-whole-journal" => assert!(text.len() == whole, "it is torn"),
        "continues-a-torn-line" => {}
        "begins-anew-where-it-is-torn" if text.len() > whole => {
            whole = 0;
            file.set_len(0)?;
        }
        _ => file.set_len(whole as u64)?,
    }
    let mut store = Store::default();
    for line in text[..whole].lines() {
        answer(line, &mut store);
    }
    Ok(Memory { store, journal: BufWriter::new(file) })
}

fn serve(
    mut stream: &UnixStream,
    memory: &Mutex<Memory>,
    fault: &str,
) -> io::Result<()> {
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let mut memory = memory.lock().unwrap();
        let (id, request) = split(&line);
        let is_known =
            id.is_some_and(|id| memory.store.answer_to(id).is_some());
        let answer = answer(&line, &mut memory.store) + "\n";
        let changes = !request.starts_with("GET") && !is_known;
        if fault == "writes-after-its-answer" {
            stream.write_all(answer.as_bytes())?;
            if id.is_none_or(|id| id == "k3") {
                thread::sleep(Duration::from_millis(200));
            }
        }
        if changes && fault != "writes-nothing" {
            let kept = match fault {
                "forgets-the-ids" => request,
                _ if fault == "keeps-only-what-has-an-id" && id.is_none() => "",
                _ => &line,
            };
            writeln!(memory.journal, "{kept}")?;
            if fault != "keeps-it-in-a-buffer" {
                memory.journal.flush()?;
            }
        }
        if fault != "writes-after-its-answer" {
            stream.write_all(answer.as_bytes())?;
        }
    }
    Ok(())
}

fn split(line: &str) -> (Option<&str>, &str) {
    match line.strip_prefix('#').and_then(|rest| rest.split_once(' ')) {
        Some((id, request)) => (Some(id), request),
        None => (None, line),
    }
}

fn answer(line: &str, store: &mut Store) -> String {
    let (id, request) = split(line);
    if let Some(id) = id {
        if let Some(known) = store.answer_to(id) {
            return known.to_owned();
        }
        let answer = format!("#{id} {}", answer(request, store));
        store.remember(id, &answer);
        return answer;
    }
    match request.splitn(3, ' ').collect::<Vec<_>>()[..] {
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
