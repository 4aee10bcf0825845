//! What the programs of each step and each exercise must do, as seen from
//! outside: through the terminal, the file system and the socket.
//!
//! A [`Contract`] is written once. The book's pages print it, `cargo book
//! check` examines a learner's programs by it, in whatever language they are
//! written, and the tests examine the book's own: each step, each solution,
//! and programs that are wrong on purpose, one for each way to break it.
//!
//! A promise is one sentence and one function that finds out whether it holds.
//! The function is given an [`Exam`]: an empty folder, the programs, and our
//! side of the conversation. What happens there is noted down as a transcript,
//! and a promise that is broken is reported with it.

mod exam;
mod flaw;
mod role;
mod verdict;

#[path = "01_bind.rs"]
mod bind;

#[path = "02_accept.rs"]
mod accept;

#[path = "03_connect.rs"]
mod connect;

#[path = "04_write.rs"]
mod write;

#[path = "05_read.rs"]
mod read;

#[path = "06_cleanup.rs"]
mod cleanup;

#[path = "07_reply.rs"]
mod reply;

#[path = "08_lines.rs"]
mod lines;

#[path = "09_frames.rs"]
mod frames;

#[path = "10_many_clients.rs"]
mod many_clients;

#[path = "11_limits.rs"]
mod limits;

#[path = "12_failures.rs"]
mod failures;

#[path = "13_stop.rs"]
mod stop;

pub use exam::{Door, Exam, Peer, Running};
pub use flaw::{Checked, Flaw};
pub use harness::{Exit, Signal};
pub use role::{Programs, Role};
pub use verdict::{Verdict, examine};

/// What the programs of a step or an exercise must do.
pub struct Contract {
    /// A step's stem, such as `03-connect`, or the name of an exercise, such
    /// as `any-path`, which no other exercise of the book has.
    pub id: &'static str,
    /// What the programs are, what they are given and what they print: all
    /// that somebody needs who writes them. Markdown.
    pub setting: &'static str,
    /// What is examined, in the order in which one would write it.
    pub promises: &'static [Promise],
}

/// One thing that a program must do.
pub struct Promise {
    /// Its name, in the contract's own file and in the tests: `refuses-a-file`.
    pub id: &'static str,
    /// What it is, in one sentence that begins with the program. Markdown.
    pub says: &'static str,
    /// Which programs it takes to find out.
    pub takes: &'static [Role],
    /// Finds out.
    pub check: fn(&Exam) -> Checked,
}

/// All contracts, chapter by chapter: that of the step first.
pub const CHAPTERS: &[&[Contract]] = &[
    bind::CONTRACTS,
    accept::CONTRACTS,
    connect::CONTRACTS,
    write::CONTRACTS,
    read::CONTRACTS,
    cleanup::CONTRACTS,
    reply::CONTRACTS,
    lines::CONTRACTS,
    frames::CONTRACTS,
    many_clients::CONTRACTS,
    limits::CONTRACTS,
    failures::CONTRACTS,
    stop::CONTRACTS,
];

/// The contract with this id.
pub fn find(id: &str) -> Option<&'static Contract> {
    CHAPTERS.iter().copied().flatten().find(|contract| contract.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_id_names_one_contract_and_each_promise_of_it_one() {
        let mut ids = BTreeSet::new();
        for contract in CHAPTERS.iter().copied().flatten() {
            assert!(ids.insert(contract.id), "{}", contract.id);
            let mut promises = BTreeSet::new();
            for promise in contract.promises {
                let id = promise.id;
                assert!(promises.insert(id), "{} {id}", contract.id);
                assert!(!promise.takes.is_empty(), "{} {id}", contract.id);
                let is_sentence = promise.says.ends_with('.');
                assert!(is_sentence, "{} {id}", contract.id);
            }
        }
    }
}
