use std::fmt;

/// What a check returns: nothing to say, or what was found.
pub type Checked<T = ()> = Result<T, Flaw>;

/// A promise that was not kept, or that cannot be examined here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// What should have happened. Empty if it cannot be examined.
    pub expected: String,
    /// What did.
    pub got: String,
    /// What may be behind it, likeliest first.
    pub hints: Vec<String>,
    /// What happened until then, as a transcript.
    pub transcript: Vec<String>,
    /// Whether the program has crashed: then that is all there is to say.
    pub has_crashed: bool,
}

impl Flaw {
    /// Whether it only says that this machine is not one to find out on.
    pub fn is_no_verdict(&self) -> bool {
        self.expected.is_empty()
    }
}

/// Puts what a failure means here before what it may mean anywhere.
pub trait Hint {
    /// Adds what may be behind a failure, if it is one, and no crash.
    fn hint(self, hint: &str) -> Self;

    /// The same, if what happened has these words in it.
    fn hint_if(self, got: &str, hint: &str) -> Self;
}

impl<T> Hint for Checked<T> {
    fn hint(self, hint: &str) -> Self {
        self.map_err(|mut flaw| {
            if !flaw.has_crashed {
                flaw.hints.insert(0, hint.to_owned());
            }
            flaw
        })
    }

    fn hint_if(self, got: &str, hint: &str) -> Self {
        match &self {
            Err(flaw) if flaw.got.contains(got) => self.hint(hint),
            _ => self,
        }
    }
}

/// The report of a promise that was not kept, without the promise.
impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for line in &self.transcript {
            writeln!(f, "    {line}")?;
        }
        if self.is_no_verdict() {
            return writeln!(f, "  {}", self.got);
        }
        writeln!(f, "  expected: {}", self.expected)?;
        writeln!(f, "  but:      {}", self.got)?;
        for hint in &self.hints {
            writeln!(f, "  → {hint}")?;
        }
        Ok(())
    }
}
