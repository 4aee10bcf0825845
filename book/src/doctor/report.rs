//! What is printed: for the reader, and for the teacher.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::conclude::{Finding, Mark, verdict};
use super::facts::Facts;

/// Prints all findings with what to do, the verdict, and the block that goes
/// to the teacher.
///
/// # Errors
///
/// Those of `out`.
pub(super) fn print(
    mut out: impl Write,
    facts: &Facts,
    findings: &[Finding],
) -> io::Result<()> {
    for Finding { mark, about, found, advice } in findings {
        let sign = match mark {
            Mark::Good => '✓',
            Mark::Note => '!',
            Mark::Mend | Mark::Hopeless => '✗',
        };
        writeln!(out, "{sign} {about:<15} {found}")?;
        if !advice.is_empty() {
            writeln!(out, "{:18}{advice}", "")?;
        }
    }
    let rule = "-".repeat(72);
    let names = Names::of_this_machine();
    let block = names.hide(&for_teacher(facts, findings));
    writeln!(out, "\n{}\n", last_words(findings))?;
    writeln!(out, "To paste for your teacher:\n{rule}\n{block}{rule}")
}

/// The verdict, in a sentence.
fn last_words(findings: &[Finding]) -> String {
    let count = |mark| {
        let marks = findings.iter().map(|finding| finding.mark);
        match marks.filter(|other| *other == mark).count() {
            1 => "1 thing".to_owned(),
            number => format!("{number} things"),
        }
    };
    match verdict(findings) {
        Mark::Good => "Ready.".to_owned(),
        Mark::Note => {
            format!("Ready, with {} to know about (!).", count(Mark::Note))
        }
        Mark::Mend => {
            format!("Not ready: {} to mend first (✗).", count(Mark::Mend))
        }
        Mark::Hopeless => "The book will not work here (✗).".to_owned(),
    }
}

/// All findings in plain words, without advice.
fn for_teacher(facts: &Facts, findings: &[Finding]) -> String {
    let commit = facts.commit.as_deref().unwrap_or("no commit").trim();
    let mut text = format!(
        "cargo book doctor {}, {commit}\n{}\n",
        env!("CARGO_PKG_VERSION"),
        last_words(findings).replace(" (!)", "").replace(" (✗)", "")
    );
    for Finding { mark, about, found, .. } in findings {
        let mark = match mark {
            Mark::Good => "ok",
            Mark::Note => "note",
            Mark::Mend => "MEND",
            Mark::Hopeless => "NO",
        };
        let _ = writeln!(text, "{mark:<4} {about:<15} {found}");
    }
    text
}

/// The names that are nobody's business.
struct Names {
    home: Option<String>,
    /// Of the user and of the machine.
    words: Vec<String>,
}

impl Names {
    fn of_this_machine() -> Self {
        let variable = |name| std::env::var(name).ok();
        let home = variable("HOME").filter(|home| home.len() > 1);
        // The last part of a home's path is most often the user's name.
        let user = home.as_deref().and_then(|home| home.rsplit('/').next());
        let machine = rustix::system::uname();
        let machine = machine.nodename().to_string_lossy().into_owned();
        let words = ["USER", "LOGNAME", "HOSTNAME"];
        let words = words.into_iter().filter_map(variable);
        let words = words
            .chain(user.map(str::to_owned))
            .chain([machine])
            // Everybody's, and words of the findings.
            .filter(|word| !["", "root", "linux"].contains(&&**word))
            .collect();
        Self { home, words }
    }

    /// `text` with `~` for the home and `…` for each of the words, and for
    /// the name after `/home/` and `/Users/`.
    fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(home) = &self.home {
            text = replace_words(&text, home, "~");
        }
        for word in &self.words {
            text = replace_words(&text, word, "…");
        }
        for folder in ["/home/", "/Users/"] {
            let mut parts = text.split(folder);
            let mut hidden = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let end = part.find(['/', ' ', ':', '\n']);
                hidden += folder;
                hidden += "…";
                hidden += &part[end.unwrap_or(part.len())..];
            }
            text = hidden;
        }
        text
    }
}

/// Replaces `word` where neither a letter nor a digit is beside it.
fn replace_words(text: &str, word: &str, by: &str) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let end = at + word.len();
        let before = rest[..at].chars().next_back();
        let before = before.or(replaced.chars().next_back());
        let beside = [before, rest[end..].chars().next()];
        let is_whole = !beside.into_iter().flatten().any(char::is_alphanumeric);
        replaced += &rest[..at];
        replaced += if is_whole { by } else { word };
        rest = &rest[end..];
    }
    replaced + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hide(text: &str) -> String {
        let words = vec!["anna".to_owned(), "box".to_owned()];
        Names { home: Some("/home/anna".to_owned()), words }.hide(text)
    }

    #[test]
    fn hides_who_and_where() {
        assert_eq!(hide("in /home/anna/book: no"), "in ~/book: no");
        assert_eq!(hide("/mnt/c/Users/Anna B/x"), "/mnt/c/Users/… B/x");
        assert_eq!(hide("/home/bert/x"), "/home/…/x");
        assert_eq!(hide("/srv/anna/x on box"), "/srv/…/x on …");
        assert_eq!(hide("anna"), "…");
    }

    #[test]
    fn leaves_other_words_alone() {
        let text = "susanna, hannah, boxes, /home/annabel? sandbox";
        assert_eq!(hide(text), "susanna, hannah, boxes, /home/… sandbox");
        assert_eq!(hide("no path"), "no path");
    }
}
