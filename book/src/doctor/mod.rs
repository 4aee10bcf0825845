//! `cargo book doctor`: is this machine ready for the book and for a workshop?
//!
//! What the machine is and has ([`Facts`]) is looked at in one place, and what
//! that means ([`conclude`]) is said in another, without looking again.

mod ask;
mod conclude;
mod facts;
mod mount;
mod report;

use std::io::{self, Write};
use std::time::Duration;

use crate::course::Course;
use crate::pages::Problems;
use crate::transcript;

pub use conclude::{Finding, Mark, conclude, verdict};
pub use facts::Facts;

/// What was found on this machine, and what it means.
pub struct Examination {
    facts: Facts,
    findings: Vec<Finding>,
}

/// Looks at this machine.
///
/// It changes nothing: what it makes in order to try things is removed again.
/// No check lasts longer than `limit`. It goes into the repository's folder,
/// because that is where readers bind their sockets.
///
/// # Errors
///
/// A repository that cannot be read or entered.
pub fn examine(
    mut course: Course,
    limit: Duration,
) -> anyhow::Result<Examination> {
    course.root = course.root.canonicalize()?;
    let transcripts = transcript::by_id(&course).map_err(Problems)?;
    std::env::set_current_dir(&course.root)?;
    let facts = Facts::look(&course.root, transcripts.values(), limit);
    let findings = conclude(&facts);
    Ok(Examination { facts, findings })
}

impl Examination {
    /// Says what was found, one line each, and for all that is not as it
    /// should be, what to do; then the same for the teacher.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn print(&self, out: impl Write) -> io::Result<()> {
        report::print(out, &self.facts, &self.findings)
    }

    /// The worst that was found.
    pub fn verdict(&self) -> Mark {
        verdict(&self.findings)
    }
}
