//! `cargo book compare`: how the learner's programs differ from a step's.
//!
//! What makes no difference to a compiler is not shown: comments, blank lines
//! and, as far as rustfmt can even it out, formatting.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::io::{self, ErrorKind, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, bail, ensure};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use similar::{Algorithm, DiffTag, capture_diff_slices, group_diff_ops};

use crate::catch_up;
use crate::course::Course;
use crate::work::{PROJECT, Work, shown};

/// How many lines before and after a difference are shown.
const CONTEXT: usize = 2;

/// The edition of the steps, and the one that `cargo new` gives.
const EDITION: &str = "2024";

/// Prints how the programs in the Cargo package `folder` differ from those at
/// the end of a chapter, file by file; by default those in `work/unix_sockets`.
/// Colors only on a terminal, and not where `NO_COLOR` is set.
///
/// Returns whether they are the same, but for comments and formatting.
///
/// # Errors
///
/// That there is no such chapter or folder, or a file cannot be read.
pub fn compare(
    course: &Course,
    chapter: u32,
    folder: Option<PathBuf>,
) -> anyhow::Result<bool> {
    let step = course.numbered(chapter)?;
    let folder =
        folder.unwrap_or_else(|| Work::of(course).path().join(PROJECT));
    let mut mine = sources(&folder)?;
    let mut text = String::new();
    let mut is_same = true;
    for (path, book) in catch_up::sources(course, step)? {
        let book = String::from_utf8_lossy(&book);
        let verdict = match mine.remove(&path) {
            None => Verdict::Missing,
            Some(file) => Verdict::of(&book, &read(&file)?, course),
        };
        is_same &= verdict.is_same();
        verdict.write(&mut text, &path, is_colored());
    }
    for path in mine.keys() {
        is_same = false;
        Verdict::Additional.write(&mut text, path, is_colored());
    }
    match io::stdout().write_all(text.as_bytes()) {
        // Who reads, as `head` does, has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error)?,
        _ => Ok(is_same),
    }
}

fn is_colored() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    io::stdout().is_terminal() && !is_set("NO_COLOR")
}

/// The Rust files in a package: their paths in it, and where they are.
fn sources(folder: &Path) -> anyhow::Result<BTreeMap<PathBuf, PathBuf>> {
    let metadata = match folder.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "there is no folder {}: write your programs there, or name their \
             folder with --dir",
            shown(folder)
        ),
        metadata => metadata
            .with_context(|| format!("cannot read {}", shown(folder)))?,
    };
    ensure!(
        metadata.is_dir(),
        "{} is no folder: name that of your programs with --dir",
        shown(folder)
    );
    let mut sources = BTreeMap::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(inner) = folders.pop() {
        let path = folder.join(&inner);
        let cannot_read = || format!("cannot read {}", shown(&path));
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries.with_context(cannot_read)?,
        };
        for entry in entries {
            let entry = entry.with_context(cannot_read)?;
            let inner = inner.join(entry.file_name());
            if entry.file_type().with_context(cannot_read)?.is_dir() {
                folders.push(inner);
            } else if inner.extension().is_some_and(|end| end == "rs") {
                sources.insert(inner, entry.path());
            }
        }
    }
    Ok(sources)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let cannot_read = || format!("cannot read {}", shown(path));
    // A FIFO would wait for a writer.
    ensure!(
        path.metadata().with_context(cannot_read)?.is_file(),
        "{}: it is no file",
        cannot_read()
    );
    let content = fs::read(path).with_context(cannot_read)?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}

/// What is said of a file.
enum Verdict {
    /// To the byte.
    Same,
    /// But for comments and formatting.
    Alike,
    Different(Differences),
    /// The learner does not have it.
    Missing,
    /// The book does not have it.
    Additional,
}

/// The lines of two versions in which there is code, and how they differ.
struct Differences {
    book: Vec<Line>,
    mine: Vec<Line>,
    /// Where they differ, with the lines around.
    groups: Vec<Vec<similar::DiffOp>>,
    note: Option<Note>,
}

/// A line in which there is code.
struct Line {
    /// Counted from 1, in the file as it is on the disk; `None` if it is
    /// formatted anew.
    number: Option<usize>,
    text: String,
    /// What the compiler sees of it.
    code: String,
}

/// Why differences are shown that are perhaps none.
enum Note {
    /// The learner's file, at this line.
    NotRust(usize),
    NoRustfmt,
}

impl Verdict {
    fn of(book: &str, mine: &str, course: &Course) -> Self {
        if book == mine {
            return Self::Same;
        }
        let (old, new) = (lines(book), lines(mine));
        if let (Ok(old), Ok(new)) = (&old, &new)
            && code(old) == code(new)
        {
            return Self::Alike;
        }
        let old = old.unwrap_or_else(|_| plain_lines(book));
        let not_rust =
            syn::parse_file(mine).err().map(|error| error.span().start().line);
        let (old, new, note) = match (new, not_rust) {
            (Err(line), _) => {
                let new = plain_lines(mine);
                (plain_lines(book), new, Some(Note::NotRust(line)))
            }
            (Ok(new), Some(line)) => (old, new, Some(Note::NotRust(line))),
            (Ok(new), None) => match both_formatted(book, mine, course) {
                Some((old, new)) => (old, new, None),
                None => (old, new, Some(Note::NoRustfmt)),
            },
        };
        let keys = |lines: &[Line]| -> Vec<String> {
            lines.iter().map(|line| line.code.clone()).collect()
        };
        let operations =
            capture_diff_slices(Algorithm::Patience, &keys(&old), &keys(&new));
        if operations.iter().all(|op| op.tag() == DiffTag::Equal) {
            return Self::Alike;
        }
        let groups = group_diff_ops(operations, CONTEXT);
        Self::Different(Differences { book: old, mine: new, groups, note })
    }

    fn is_same(&self) -> bool {
        matches!(self, Self::Same | Self::Alike)
    }

    /// Says it in words, and then shows the lines.
    fn write(&self, text: &mut String, path: &Path, is_colored: bool) {
        let words = match self {
            Self::Same => "as in the book".to_owned(),
            Self::Alike => {
                "as in the book, but for comments and formatting".to_owned()
            }
            Self::Different(differences) => match differences.count() {
                1 => "1 line differs".to_owned(),
                count => format!("{count} lines differ"),
            },
            Self::Missing => "the book has it, you do not".to_owned(),
            Self::Additional => "you have it, the book does not".to_owned(),
        };
        let written = match self {
            Self::Different(differences) => {
                writeln!(text, "{}: {words}", path.display())
                    .and_then(|()| differences.write(text, is_colored))
            }
            _ => writeln!(text, "{}: {words}", path.display()),
        };
        written.expect("a String takes everything");
    }
}

impl Differences {
    /// How many lines differ: of a line that was changed, one.
    fn count(&self) -> usize {
        let operations = self.groups.iter().flatten();
        operations
            .filter(|op| op.tag() != DiffTag::Equal)
            .map(|op| op.old_range().len().max(op.new_range().len()))
            .sum()
    }

    fn write(&self, text: &mut String, is_colored: bool) -> fmt::Result {
        match self.note {
            Some(Note::NotRust(line)) => writeln!(
                text,
                "  yours is not Rust yet (line {line}): its formatting counts \
                 as well"
            )?,
            Some(Note::NoRustfmt) => writeln!(
                text,
                "  there is no rustfmt: formatting counts as well (rustup \
                 component add rustfmt)"
            )?,
            None => {}
        }
        for group in &self.groups {
            let mine = group.first().map_or(0, |op| op.new_range().start);
            match self.mine.get(mine).map(|line| line.number) {
                Some(Some(number)) => {
                    writeln!(text, "  from line {number} of yours:")?;
                }
                // Formatted anew, it has other lines.
                Some(None) => writeln!(text, "  in yours, formatted:")?,
                None => writeln!(text, "  at the end of yours:")?,
            }
            for op in group {
                if op.tag() == DiffTag::Equal {
                    for line in &self.mine[op.new_range()] {
                        writeln!(text, "        | {}", line.text)?;
                    }
                    continue;
                }
                let book = &self.book[op.old_range()];
                let mine = &self.mine[op.new_range()];
                for (lines, name, color) in
                    [(book, " book", "\x1b[31m"), (mine, "yours", "\x1b[32m")]
                {
                    let (on, off) = match is_colored {
                        true => (color, "\x1b[0m"),
                        false => ("", ""),
                    };
                    for line in lines {
                        writeln!(text, "{on}  {name} | {}{off}", line.text)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The lines of a program in which there is code.
///
/// # Errors
///
/// The line, counted from 1, where it stops being Rust.
fn lines(text: &str) -> Result<Vec<Line>, usize> {
    let tokens: TokenStream = text
        .parse()
        .map_err(|error: proc_macro2::LexError| error.span().start().line)?;
    let mut code = BTreeMap::new();
    collect(tokens, &mut code);
    let all: Vec<&str> = text.lines().collect();
    Ok(code
        .into_iter()
        .map(|(number, code)| {
            let text = all.get(number - 1).copied().unwrap_or_default();
            Line { number: Some(number), text: text.to_owned(), code }
        })
        .collect())
}

/// Adds each token to the code of the line where it starts. What is written in
/// a comment is no token, but for `///` and `//!`, which are left out here.
fn collect(tokens: TokenStream, code: &mut BTreeMap<usize, String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut rest = tokens.as_slice();
    while let [token, after @ ..] = rest {
        if let Some(comment) = doc_comment(rest) {
            rest = &rest[comment..];
            continue;
        }
        let mut add = |line: usize, token: &str| {
            *code.entry(line).or_default() += &format!("{token} ");
        };
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                add(group.span_open().start().line, open);
                collect(group.stream(), code);
                let line = group.span_close().start().line;
                *code.entry(line).or_default() += &format!("{close} ");
            }
            other => add(other.span().start().line, &other.to_string()),
        }
        rest = after;
    }
}

/// How many tokens make the doc comment at the beginning, if there is one:
/// `#[doc = "…"]` or `#![doc = "…"]`.
fn doc_comment(tokens: &[TokenTree]) -> Option<usize> {
    let is = |token: &TokenTree, character| matches!(token, TokenTree::Punct(p) if p.as_char() == character);
    let (group, count) = match tokens {
        [a, TokenTree::Group(group), ..] if is(a, '#') => (group, 2),
        [a, b, TokenTree::Group(group), ..] if is(a, '#') && is(b, '!') => {
            (group, 3)
        }
        _ => return None,
    };
    let first = group.stream().into_iter().next();
    matches!(first, Some(TokenTree::Ident(name)) if name == "doc")
        .then_some(count)
}

/// The same for what is not Rust: all lines but the blank ones and those that
/// begin with `//`.
fn plain_lines(text: &str) -> Vec<Line> {
    let lines = (1..).zip(text.lines());
    lines
        .filter(|(_, line)| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with("//")
        })
        .map(|(number, line)| Line {
            number: Some(number),
            text: line.to_owned(),
            code: line.trim().to_owned(),
        })
        .collect()
}

/// All that the compiler sees, without the lines.
fn code(lines: &[Line]) -> String {
    lines.iter().map(|line| line.code.as_str()).collect()
}

/// The lines of both programs as rustfmt prints them.
fn both_formatted(
    book: &str,
    mine: &str,
    course: &Course,
) -> Option<(Vec<Line>, Vec<Line>)> {
    let old = lines(&formatted(book, course)?).ok()?;
    let text = formatted(mine, course)?;
    let mut new = lines(&text).ok()?;
    if text != mine {
        for line in &mut new {
            line.number = None;
        }
    }
    Some((old, new))
}

/// The program as rustfmt prints it, with the book's settings; `None` if there
/// is no rustfmt, or it does not understand the program.
fn formatted(program: &str, course: &Course) -> Option<String> {
    let mut command = Command::new("rustfmt");
    command.args(["--quiet", "--edition", EDITION]);
    let settings = course.root.join("rustfmt.toml");
    if settings.is_file() {
        command.arg("--config-path").arg(settings);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take()?;
    let output = thread::scope(|scope| {
        // It may print before it has read all.
        scope.spawn(move || input.write_all(program.as_bytes()));
        child.wait_with_output()
    });
    let output = output.ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_differ_have_a_color() {
        let course = Course { root: PathBuf::new(), steps: Vec::new() };
        let verdict = Verdict::of("fn a() {}", "fn b() {}", &course);
        for (is_colored, book, mine) in [
            (false, "   book | fn a() {}\n", "  yours | fn b() {}\n"),
            (
                true,
                "\x1b[31m   book | fn a() {}\x1b[0m\n",
                "\x1b[32m  yours | fn b() {}\x1b[0m\n",
            ),
        ] {
            let mut text = String::new();
            verdict.write(&mut text, Path::new("a.rs"), is_colored);
            assert!(text.starts_with("a.rs: 1 line differs\n"), "{text}");
            assert!(text.ends_with(&format!("{book}{mine}")), "{text}");
        }
    }
}
