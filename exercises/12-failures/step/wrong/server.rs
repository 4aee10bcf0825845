//! The server of chapter 12, but wrong, in the way that its first argument
//! names.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, process, thread};

use store::Store;

#[path = "../../../../steps/12-failures/src/store.rs"]
#[expect(dead_code, reason = "our memory for answers is wrong in its own way")]
mod store;

/// The requests with an id, the oldest first, and what they were answered.
type Answers = Vec<(String, String)>;

#[derive(Default)]
struct State {
    store: Store,
    answers: Answers,
}

fn main() {
    let fault: Arc<str> = env::args().nth(1).expect("a fault").into();
    let listener = UnixListener::bind("mysocket").expect("cannot bind");
    println!("listening on mysocket");
    let shared = Arc::new(Mutex::new(State::default()));
    for stream in listener.incoming() {
        let stream = stream.expect("cannot accept");
        let state = match &*fault {
            "remembers-for-a-connection" => {
                // The values are of no matter here.
                let values = State::default();
                Arc::new(Mutex::new(values))
            }
            _ => Arc::clone(&shared),
        };
        let (shared, fault) = (Arc::clone(&shared), Arc::clone(&fault));
        thread::spawn(move || serve(&stream, &state, &shared, &fault));
    }
}

fn serve(
    mut stream: &UnixStream,
    memory: &Mutex<State>,
    shared: &Mutex<State>,
    fault: &str,
) {
    let mut requests = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if requests.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if !line.ends_with('\n') && fault != "executes-half-a-request" {
            let _ = stream.write_all(b"ERR the last line has no end\n");
            return;
        }
        let line = line.trim_end_matches('\n');
        let parts = line.strip_prefix('#').and_then(|l| l.split_once(' '));
        let Some((id, request)) = parts else {
            let answer =
                execute(&mut shared.lock().unwrap().store, line, fault);
            let _ = stream.write_all(format!("{answer}\n").as_bytes());
            continue;
        };
        let key = match fault {
            "remembers-the-line" => line,
            _ => id,
        };
        let known = find(&memory.lock().unwrap().answers, key);
        let known = known.filter(|_| fault != "remembers-nothing");
        let is_new = known.is_none();
        let answer = known.unwrap_or_else(|| {
            if fault == "unlocks-in-between" && id == "k1" {
                thread::sleep(Duration::from_millis(50));
            }
            let mut state = shared.lock().unwrap();
            if fault != "unlocks-in-between"
                && fault != "remembers-nothing"
                && let Some(answer) = find(&state.answers, key)
                && fault != "remembers-for-a-connection"
            {
                return answer;
            }
            let answer = execute(&mut state.store, request, fault);
            let answer = match fault {
                "answers-without-the-id" => answer,
                _ => format!("#{id} {answer}"),
            };
            match fault {
                "remembers-what-was-heard" => {}
                "remembers-for-a-connection" => {
                    let mut memory = memory.lock().unwrap();
                    remember(&mut memory.answers, key, &answer, fault);
                }
                _ => remember(&mut state.answers, key, &answer, fault),
            }
            answer
        });
        let written = stream.write_all(format!("{answer}\n").as_bytes());
        if written.is_err() && fault == "dies-of-a-broken-pipe" {
            process::exit(1);
        }
        if written.is_ok() && is_new && fault == "remembers-what-was-heard" {
            remember(&mut memory.lock().unwrap().answers, key, &answer, fault);
        }
    }
}

fn find(answers: &Answers, key: &str) -> Option<String> {
    let (_, answer) = answers.iter().find(|(known, _)| known == key)?;
    Some(answer.clone())
}

fn remember(answers: &mut Answers, key: &str, answer: &str, fault: &str) {
    if fault == "remembers-successes" && !answer.contains(" VALUE ") {
        return;
    }
    let most = match fault {
        "remembers-everything" => usize::MAX,
        "remembers-100" => 100,
        _ => 1000,
    };
    if answers.len() == most {
        if fault == "forgets-all-at-once" {
            answers.clear();
        } else {
            answers.remove(0);
        }
    }
    answers.push((key.to_owned(), answer.to_owned()));
}

fn execute(store: &mut Store, request: &str, fault: &str) -> String {
    match request.splitn(3, ' ').collect::<Vec<_>>()[..] {
        ["SET", name, value] if store.set(name, value) => "OK".to_owned(),
        ["GET", name] => match store.get(name) {
            Some(value) => format!("VALUE {value}"),
            None => "NONE".to_owned(),
        },
        ["DEL", name] if store.delete(name) => "OK".to_owned(),
        ["DEL", _] => "NONE".to_owned(),
        ["ADD", name, number] if fault == "adds-to-anything" => {
            let entry = store.get(name).unwrap_or("0").parse().unwrap_or(0);
            let number: i64 = number.parse().unwrap_or(0);
            let sum = number.wrapping_add(entry).to_string();
            store.set(name, &sum);
            format!("VALUE {sum}")
        }
        ["ADD", name, number] => {
            match number.parse().ok().and_then(|n| store.add(name, n)) {
                Some(sum) => format!("VALUE {sum}"),
                None => "ERR cannot add".to_owned(),
            }
        }
        _ => "ERR cannot do that".to_owned(),
    }
}
