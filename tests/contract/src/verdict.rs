use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use crate::{Exam, Flaw, Programs, Promise};

/// How many promises are examined at the same time: enough to wait in several
/// places at once, few enough not to keep a program from its work.
const AT_ONCE: usize = 4;

/// What was found out about a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Kept,
    Broken(Flaw),
    /// It cannot be examined: what is missing.
    NotExamined(String),
}

/// Examines promises, several at a time. `limit` is how long a program may
/// take for anything that it must do. `tell` hears of each, in their order.
pub fn examine<'p>(
    promises: impl IntoIterator<Item = &'p Promise>,
    programs: &Programs,
    limit: Duration,
    tell: &mut dyn FnMut(&Promise, Verdict),
) {
    let promises: Vec<&Promise> = promises.into_iter().collect();
    let next = AtomicUsize::new(0);
    let (sender, verdicts) = mpsc::channel();
    let sender = Mutex::new(sender);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            let sender = sender.lock().expect("nobody panics with it").clone();
            let (next, promises) = (&next, &promises);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(promise) = promises.get(index) else {
                        return;
                    };
                    let verdict = promise.examine(programs, limit);
                    // Whoever listens is told all of them.
                    let _ = sender.send((index, verdict));
                }
            });
        }
        let mut found: Vec<Option<Verdict>> =
            promises.iter().map(|_| None).collect();
        let mut told = 0;
        for _ in &promises {
            let (index, verdict) = verdicts.recv().expect("one for each");
            found[index] = Some(verdict);
            while let Some(Some(verdict)) =
                found.get_mut(told).map(Option::take)
            {
                tell(promises[told], verdict);
                told += 1;
            }
        }
    });
}

impl Promise {
    /// Finds out whether the programs keep it. `limit` is how long they may
    /// take for anything.
    pub fn examine(&self, programs: &Programs, limit: Duration) -> Verdict {
        for &role in self.takes {
            if programs.get(role).is_none() {
                return Verdict::NotExamined(format!("no {role} was given"));
            }
        }
        let examine = || {
            let exam = Exam::new(programs, limit);
            (self.check)(&exam).map_err(|mut flaw| {
                flaw.transcript.extend(exam.later());
                flaw
            })
        };
        match catch_unwind(AssertUnwindSafe(examine)) {
            Ok(Ok(())) => Verdict::Kept,
            Ok(Err(flaw)) if flaw.is_no_verdict() => {
                Verdict::NotExamined(flaw.got)
            }
            Ok(Err(flaw)) => Verdict::Broken(flaw),
            // What failed is neither the program's nor the contract's: /tmp
            // is full, or there are no more descriptors. It has been printed.
            Err(_) => Verdict::NotExamined("the exam itself failed".into()),
        }
    }
}
