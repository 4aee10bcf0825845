//! From a chapter's text to what mdBook makes a page of.
//!
//! In a chapter, a line of its own like `{{#listing 03-connect client}}` or
//! `{{#listing 05-read server handle_client MAX_MESSAGE}}` shows a file of a
//! step, or some of its items (see [`Listing::read`]), and `{{#diagram bind}}`
//! a picture (see [`diagram::html`]). `{{#matrix}}` shows which client works
//! with which server, according to the page's transcripts (see [`matrix`]).
//! `{{#sequence CAPTION}}` draws what the kernel saw in the transcript before
//! it, which traces its programs (see `transcript/sequence/mod.rs`).
//! `{{#contract}}` shows what the programs of the chapter's step must do, and
//! `{{#exercise any-path}}` what the exercise before it asks for (see
//! [`exercise`]). `{{#index calls}}` and the like show where things are (see
//! [`Index`]). A fence is one of
//!
//! - `console`: a transcript;
//! - `rust,not-from-a-step`: a whole program that compiles, or, with
//!   `fails=E0433`, one that the compiler refuses with that error;
//! - `toml`, `text`, `c`, `python`: something that is not run.
//!
//! All else stops the build: see [`process`].

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::panic::resume_unwind;
use std::path::{Component, Path, PathBuf};
use std::thread;

use anyhow::Context;
use mdbook_preprocessor::book::{Book, BookItem};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext, parse_input};
use pulldown_cmark::{
    BrokenLink, CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag,
};

use crate::check::{self, Report};
use crate::contracts;
use crate::course::Course;
use crate::diagram;
use crate::exercise::{self, Exercise};
use crate::index::Index;
use crate::links::{self, Outline};
use crate::listing::{Listing, hand_typed_html};
use crate::matrix::{self, Headings, Played};
use crate::problem::Problem;
use crate::teaching;
use crate::transcript::{self, Transcript};

/// The folder of the chapters, relative to the repository's root.
pub const CHAPTERS: &str = "book/chapters";

/// The file that a page is made from, relative to the repository's root.
/// `page` is its path in the book: `03-connect.md`, `teaching/03-connect.md`.
pub(crate) fn source(page: &Path) -> PathBuf {
    match page.starts_with(teaching::FOLDER) {
        true => Path::new("book").join(page),
        false => Path::new(CHAPTERS).join(page),
    }
}

/// The fences that are shown as they are. None of them can be mistaken for
/// something that was run.
const PLAIN: [&str; 4] = ["toml", "text", "c", "python"];

const SHELLS: [&str; 5] = ["sh", "bash", "shell", "zsh", "shell-session"];

/// A chapter's text.
#[derive(Debug, Clone)]
pub struct Chapter {
    /// The file, relative to the chapters' folder.
    pub file: PathBuf,
    /// What is in it.
    pub text: String,
}

/// What the chapters become.
#[derive(Debug, Clone)]
pub struct Pages {
    /// The chapters' texts, in the order in which they came, for mdBook.
    pub texts: Vec<String>,
    /// What they hold.
    pub report: Report,
    /// The code in them that must be compiled to be believed.
    pub hand_typed: Vec<HandTyped>,
}

/// A program in a chapter that is not from a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandTyped {
    /// The chapter, relative to the repository's root.
    pub file: PathBuf,
    /// The line of its fence.
    pub line: usize,
    /// The program.
    pub code: String,
    /// The code of the error with which the compiler refuses it (`E0433`), if
    /// it is not to compile.
    pub fails: Option<String>,
}

/// A chapter that was read.
pub(crate) struct Page {
    /// The file, relative to the chapters' folder.
    pub file: PathBuf,
    /// The listings, each with the line of its directive.
    pub listings: Vec<(usize, Listing)>,
    /// How many transcripts it has.
    pub transcripts: usize,
    hand_typed: Vec<HandTyped>,
    outline: Outline,
    text: String,
}

/// Makes pages of chapters: every listing and transcript as HTML, the rest of
/// the text as it is.
///
/// # Errors
///
/// All that would let a page lie or lead nowhere, sorted by place: a listing
/// that cannot be resolved, another directive than `listing`, a transcript
/// that is not one, Rust or shell code typed by hand, a fence that does not
/// say what it holds, a link or anchor that leads nowhere, an image or drawing
/// without a text, a file that a step adds or changes and its chapter never
/// lists.
pub fn process(
    course: &Course,
    chapters: &[Chapter],
) -> Result<Pages, Vec<Problem>> {
    let (pages, problems): (Vec<_>, Vec<_>) = thread::scope(|scope| {
        let read = |chapter| {
            scope.spawn(move || {
                let mut problems = Vec::new();
                let page = Reader::new(course, chapter, &mut problems).read();
                (page, problems)
            })
        };
        // All are started before the first is waited for.
        let threads: Vec<_> = chapters.iter().map(read).collect();
        let pages = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        });
        pages.unzip()
    });
    let mut problems = problems.concat();
    // Each problem of a chapter would show again as something missing.
    let report = match check::report(course, &pages) {
        Ok(report) => Some(report),
        Err(found) if problems.is_empty() => {
            problems.extend(found);
            None
        }
        Err(_) => None,
    };
    let mut texts = Vec::new();
    let mut hand_typed = Vec::new();
    let mut outlines = BTreeMap::new();
    for page in pages {
        texts.push(page.text);
        hand_typed.extend(page.hand_typed);
        outlines.insert(page.file, page.outline);
    }
    problems.extend(links::check(course, &outlines));
    problems.sort();
    match report {
        Some(report) if problems.is_empty() => {
            Ok(Pages { texts, report, hand_typed })
        }
        _ => Err(problems),
    }
}

/// Reads and processes the chapters that `SUMMARY.md` names.
///
/// # Errors
///
/// Those of [`process`], and a chapter that is missing or that `SUMMARY.md`
/// does not name.
pub fn check(course: &Course) -> Result<Report, Vec<Problem>> {
    Ok(process(course, &chapters(course)?)?.report)
}

/// The chapters that `SUMMARY.md` names, in its order.
///
/// # Errors
///
/// A chapter that cannot be read or that `SUMMARY.md` does not name.
pub fn chapters(course: &Course) -> Result<Vec<Chapter>, Vec<Problem>> {
    let folder = course.root.join(CHAPTERS);
    let read = |file: &Path, from: &Path, line: usize| {
        fs::read_to_string(folder.join(file)).map_err(|error| {
            let file = Path::new(CHAPTERS).join(file);
            let message = format!("cannot read {}: {error}", file.display());
            Problem::new(from, line, message)
        })
    };
    let summary = Path::new(CHAPTERS).join("SUMMARY.md");
    let text = read(Path::new("SUMMARY.md"), &summary, 0)
        .map_err(|problem| vec![problem])?;
    let mut chapters: Vec<Chapter> = Vec::new();
    let mut problems = Vec::new();
    let mut named = BTreeSet::new();
    for (event, range) in Parser::new(&text).into_offset_iter() {
        let Event::Start(Tag::Link { dest_url, .. }) = event else { continue };
        if dest_url.is_empty() {
            continue; // mdBook's way to announce a chapter
        }
        let parts = Path::new(&*dest_url).components();
        let file: PathBuf =
            parts.filter(|part| *part != Component::CurDir).collect();
        let line = line_of(&text, range.start);
        let is_plain = |part| matches!(part, Component::Normal(_));
        if !file.components().all(is_plain) {
            // Its page would lie outside of the book, too.
            let message = format!(
                "`{dest_url}` is not in {CHAPTERS}: move the chapter there"
            );
            problems.push(Problem::new(&summary, line, message));
        } else if !named.insert(file.clone()) {
            let message = format!("`{dest_url}` is named a second time");
            problems.push(Problem::new(&summary, line, message));
        } else {
            match read(&file, &summary, line) {
                Ok(text) => chapters.push(Chapter { file, text }),
                Err(problem) => problems.push(problem),
            }
        }
    }
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    for file in entries.map(|entry| PathBuf::from(entry.file_name())) {
        let is_chapter = file.extension().is_some_and(|end| end == "md")
            && file != Path::new("SUMMARY.md");
        if is_chapter && !named.contains(&file) {
            let message = "SUMMARY.md does not name this chapter, so nobody \
                           will read it: add it there";
            let file = Path::new(CHAPTERS).join(file);
            problems.push(Problem::new(file, 0, message));
        }
    }
    problems.sort();
    if problems.is_empty() { Ok(chapters) } else { Err(problems) }
}

/// The line, counted from 1, that a byte of a text stands in.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// A chapter that is being read.
struct Reader<'a> {
    course: &'a Course,
    /// The chapter, relative to the repository's root.
    file: PathBuf,
    /// What the ids of this chapter's listings and transcripts have in
    /// common. mdBook prints all chapters on one page.
    slug: String,
    text: &'a str,
    problems: &'a mut Vec<Problem>,
    page: Page,
    /// What its indexes are made from, if it has any.
    index: OnceCell<Index>,
    /// The transcripts, each with the headings that it stands under.
    played: Vec<Played>,
    /// Those that stand above what is read.
    headings: Headings,
    /// What to put where.
    replacements: Vec<(Range<usize>, Replacement)>,
    /// The chapter's exercises.
    exercises: Vec<Exercise>,
}

/// What a directive asks for.
enum Directive {
    Html(String),
    Listing(Listing),
    Matrix,
    /// With its caption.
    Sequence(String),
}

/// What takes the place of a part of the text.
enum Replacement {
    Html(String),
    /// The listing of this number. It can refer to a later one.
    Listing(usize),
}

impl<'a> Reader<'a> {
    fn new(
        course: &'a Course,
        chapter: &'a Chapter,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        let page = Page {
            file: chapter.file.clone(),
            listings: Vec::new(),
            transcripts: 0,
            hand_typed: Vec::new(),
            outline: Outline::default(),
            text: String::new(),
        };
        let slug = chapter.file.with_extension("");
        Self {
            course,
            file: source(&chapter.file),
            slug: slug.display().to_string().replace('/', "-"),
            text: &chapter.text,
            problems,
            page,
            index: OnceCell::new(),
            played: Vec::new(),
            headings: Headings::default(),
            replacements: Vec::new(),
            exercises: Vec::new(),
        }
    }

    fn read(mut self) -> Page {
        let (events, broken) = parse(self.text);
        for (at, message) in broken {
            self.problem(at, message);
        }
        self.read_fences(&events);
        match exercise::of_chapter(self.course, &self.slug, self.text) {
            Ok(exercises) => self.exercises = exercises,
            Err(problems) => self.problems.extend(problems),
        }
        self.read_directives(&events);
        self.page.outline =
            links::outline(&self.file, self.text, &events, self.problems);
        self.page.text = self.replaced();
        self.page
    }

    fn problem(&mut self, at: usize, message: impl Into<String>) {
        let line = line_of(self.text, at);
        self.problems.push(Problem::new(&self.file, line, message));
    }

    fn read_fences(&mut self, events: &[(Event, Range<usize>)]) {
        let mut events = events.iter();
        while let Some((event, range)) = events.next() {
            let kind = match event {
                Event::Start(Tag::CodeBlock(kind)) => kind,
                Event::Start(Tag::Heading { level, .. }) => {
                    let title = self.text[range.clone()].trim_matches('#');
                    self.headings.set(*level, title.trim());
                    continue;
                }
                _ => continue,
            };
            let code: String = events
                .by_ref()
                .map_while(|(event, _)| match event {
                    Event::Text(text) => Some(&**text),
                    _ => None,
                })
                .collect();
            match kind {
                CodeBlockKind::Fenced(info) => {
                    self.fence(info, &code, range.clone());
                }
                CodeBlockKind::Indented => self.problem(
                    range.start,
                    "indented code does not say what it is: write a fence \
                     (or, in a list, indent the text less)",
                ),
            }
        }
    }

    fn fence(&mut self, info: &str, code: &str, range: Range<usize>) {
        let at = range.start;
        let last = self.text[range.clone()].trim_end().lines().skip(1).last();
        let is_closed = last.is_some_and(|line| {
            let line = line.trim_start_matches([' ', '>']);
            line.starts_with("```") || line.starts_with("~~~")
        });
        if !is_closed {
            return self.problem(at, "this fence is never closed");
        }
        let (language, options) = info.split_once(',').unwrap_or((info, ""));
        match language.trim() {
            "console" | "rust" if !self.is_line_start(at) => self.problem(
                at,
                "this fence must start at the start of its line, outside of \
                 lists and quotes",
            ),
            "console" => self.transcript(info, code, range),
            "rust" => self.hand_typed(options, code, range),
            language if SHELLS.contains(&language) => self.problem(
                at,
                format!(
                    "a `{language}` fence is not run: write a transcript, in \
                     a `console` fence"
                ),
            ),
            language if PLAIN.contains(&language) => {
                if !options.is_empty() {
                    let message =
                        format!("a `{language}` fence has no options");
                    self.problem(at, message);
                }
                let prompt = code.lines().position(has_prompt);
                if let Some(line) = prompt.filter(|_| language == "text") {
                    let line = line_of(self.text, at) + 1 + line;
                    self.problems.push(Problem::new(
                        &self.file,
                        line,
                        "this looks typed at a prompt, but a `text` fence is \
                         not run: write a transcript, in a `console` fence",
                    ));
                }
            }
            "" => self.problem(
                at,
                "this fence does not say what it holds: write ```text, or \
                 ```console for what is typed and printed",
            ),
            language => self.problem(
                at,
                format!(
                    "this book has no `{language}` fences; it has console \
                     rust,not-from-a-step {}",
                    PLAIN.join(" ")
                ),
            ),
        }
    }

    fn is_line_start(&self, at: usize) -> bool {
        at == 0 || self.text.as_bytes()[at - 1] == b'\n'
    }

    fn transcript(&mut self, info: &str, code: &str, range: Range<usize>) {
        let line = line_of(self.text, range.start) + 1;
        self.page.transcripts += 1;
        let id = transcript::id(&self.slug, self.page.transcripts);
        match Transcript::parse(info, code, &self.file, line) {
            Ok(transcript) => {
                let html = Replacement::Html(transcript.html(&id));
                self.replacements.push((range, html));
                let headings = self.headings.clone();
                self.played.push(Played { headings, transcript });
            }
            Err(problems) => self.problems.extend(problems),
        }
    }

    fn hand_typed(&mut self, options: &str, code: &str, range: Range<usize>) {
        let at = range.start;
        let options: Vec<&str> = options.split(',').map(str::trim).collect();
        let fails = match options.as_slice() {
            ["not-from-a-step"] => None,
            ["not-from-a-step", option] => {
                let code = option.strip_prefix("fails=").filter(|code| {
                    let digits = code.strip_prefix('E').unwrap_or_default();
                    digits.len() == 4
                        && digits.chars().all(|c| c.is_ascii_digit())
                });
                let Some(code) = code else {
                    let message = format!(
                        "`{option}` is not an option of Rust code; \
                         `fails=E0433` is"
                    );
                    return self.problem(at, message);
                };
                Some(code.to_owned())
            }
            _ => {
                return self.problem(
                    at,
                    "Rust code typed by hand may be wrong: show it from a \
                     step, as in `{{#listing 03-connect client}}`, or, if it \
                     is a whole program of its own, write \
                     ```rust,not-from-a-step",
                );
            }
        };
        if code.trim().is_empty() {
            return self.problem(at, "there is no code in this fence");
        }
        let html = hand_typed_html(code, fails.as_deref());
        self.replacements.push((range, Replacement::Html(html)));
        self.page.hand_typed.push(HandTyped {
            file: self.file.clone(),
            line: line_of(self.text, at),
            code: code.to_owned(),
            fails,
        });
    }

    fn read_directives(&mut self, events: &[(Event, Range<usize>)]) {
        let is_code = |at: &usize| {
            events.iter().any(|(event, range)| {
                matches!(event, Event::Start(Tag::CodeBlock(_)))
                    && range.contains(at)
            })
        };
        let mut at = 0;
        for line in self.text.split_inclusive('\n') {
            let range = at..at + line.trim_end().len();
            at += line.len();
            if !line.contains("{{#") {
                continue;
            }
            if is_code(&range.start) || !line.starts_with("{{#") {
                self.problem(
                    range.start,
                    "`{{#` may only start a directive, which stands alone at \
                     the start of its line, outside of code, lists and \
                     quotes",
                );
                continue;
            }
            match self.directive(line.trim_end()) {
                Ok(Directive::Html(html)) => {
                    self.replacements.push((range, Replacement::Html(html)));
                }
                Ok(Directive::Listing(listing)) => {
                    let number = self.page.listings.len();
                    let line = line_of(self.text, range.start);
                    self.page.listings.push((line, listing));
                    let listing = Replacement::Listing(number);
                    self.replacements.push((range, listing));
                }
                Ok(Directive::Matrix) => self.matrix(range),
                Ok(Directive::Sequence(caption)) => {
                    self.sequence(range, &caption);
                }
                Err(message) => self.problem(range.start, message),
            }
        }
    }

    fn matrix(&mut self, range: Range<usize>) {
        // One that cannot be read would show again as a missing one.
        if self.played.len() < self.page.transcripts {
            return;
        }
        let line = line_of(self.text, range.start);
        match matrix::html(self.course, &self.played, &self.file, line) {
            Ok(html) => {
                self.replacements.push((range, Replacement::Html(html)));
            }
            Err(problems) => self.problems.extend(problems),
        }
    }

    fn sequence(&mut self, range: Range<usize>, caption: &str) {
        let line = line_of(self.text, range.start);
        // One that cannot be read has its own problems.
        let is_read = self.played.len() == self.page.transcripts;
        let number = self
            .played
            .iter()
            .filter(|played| played.transcript.line < line)
            .count();
        let Some(played) = number.checked_sub(1).map(|at| &self.played[at])
        else {
            if is_read {
                self.problem(
                    range.start,
                    "there is no transcript before this: a sequence is drawn \
                     from the one above it",
                );
            }
            return;
        };
        let id = format!("sequence-{}-{number}", self.slug);
        match played.transcript.sequence(&id, caption) {
            Ok(html) => {
                self.replacements.push((range, Replacement::Html(html)));
            }
            Err(problems) if is_read => self.problems.extend(problems),
            Err(_) => {}
        }
    }

    fn directive(&self, line: &str) -> Result<Directive, String> {
        const FORM: &str = "`{{#listing STEP FILE}}`, or `{{#listing STEP \
                            FILE ITEM…}}` for some items of the file, or \
                            `{{#diagram NAME}}`, or `{{#sequence CAPTION}}`, \
                            or `{{#matrix}}`, or `{{#contract}}`, or \
                            `{{#exercise NAME}}`, or `{{#index WHICH}}`";
        let inside = line
            .strip_prefix("{{#")
            .and_then(|line| line.strip_suffix("}}"))
            .filter(|inside| !inside.contains(['{', '}']));
        let Some(inside) = inside else {
            return Err(format!("this is not a directive: write {FORM}"));
        };
        let words: Vec<&str> = inside.split_whitespace().collect();
        match words.as_slice() {
            ["listing", step, file, items @ ..] => {
                let listing = Listing::read(self.course, step, file, items)?;
                if listing.html("", None).contains("{{#") {
                    return Err("this code holds `{{#`, which no page may \
                                hold: write it in another way"
                        .to_owned());
                }
                Ok(Directive::Listing(listing))
            }
            ["listing", ..] => {
                Err(format!("a step or a file is missing: write {FORM}"))
            }
            ["diagram", name] => {
                diagram::html(self.course, name).map(Directive::Html)
            }
            ["diagram", ..] => {
                Err(format!("a diagram has one name: write {FORM}"))
            }
            ["sequence"] => Err(format!(
                "a sequence has a caption, one sentence: write {FORM}"
            )),
            ["sequence", words @ ..] => {
                Ok(Directive::Sequence(words.join(" ")))
            }
            ["matrix"] => Ok(Directive::Matrix),
            ["matrix", ..] => {
                Err("this table is made from its page, and needs no words: \
                     write `{{#matrix}}`"
                    .to_owned())
            }
            ["index", which] => {
                let index = self.index.get_or_init(|| Index::read(self.course));
                index.html(self.course, which).map(Directive::Html)
            }
            ["contract"] => {
                contracts::of_step(self.course, &self.slug).map(Directive::Html)
            }
            ["exercise", name] => {
                let mut exercises = self.exercises.iter();
                match exercises.find(|exercise| exercise.name == *name) {
                    Some(exercise) => {
                        Ok(Directive::Html(contracts::of_exercise(exercise)))
                    }
                    None => Err(format!("no exercise is called `{name}`")),
                }
            }
            [other, ..] => Err(format!(
                "`{other}` is not a directive of this book: write {FORM}"
            )),
            [] => Err(format!("this directive is empty: write {FORM}")),
        }
    }

    /// The text with everything replaced.
    fn replaced(&mut self) -> String {
        self.replacements.sort_by_key(|(range, _)| range.start);
        let mut text = String::new();
        let mut at = 0;
        for (range, replacement) in &self.replacements {
            text += &self.text[at..range.start];
            // In Markdown, a blank line ends a block.
            text.push('\n');
            let html = match replacement {
                Replacement::Html(html) => html,
                Replacement::Listing(number) => &self.listing_html(*number),
            };
            text += html.trim_end();
            text += "\n\n";
            at = range.end;
        }
        text + &self.text[at..]
    }

    fn listing_html(&self, number: usize) -> String {
        let id =
            |number: usize| format!("listing-{}-{}", self.slug, number + 1);
        let (_, listing) = &self.page.listings[number];
        // The last one: after its parts comes the whole program.
        let whole_file = self.page.listings.iter().rposition(|(_, other)| {
            other.is_whole_file && other.source.path == listing.source.path
        });
        let whole_file = whole_file.filter(|whole| *whole != number).map(id);
        listing.html(&id(number), whole_file.as_deref())
    }
}

/// Whether a line is typed at a prompt: `$ ls`, `server$ cargo run`.
fn has_prompt(line: &str) -> bool {
    let prompt = line.trim_start().split(' ').next().unwrap_or_default();
    let name = prompt.strip_suffix('$');
    line.contains("$ ")
        && name.is_some_and(|name| {
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
}

type Events<'a> = Vec<(Event<'a>, Range<usize>)>;

/// Reads Markdown as mdBook does (`new_cmark_parser` in mdbook-markdown
/// 0.5.4). Also returns the links that are not defined.
pub(crate) fn parse(text: &str) -> (Events<'_>, Vec<(usize, String)>) {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_SMART_PUNCTUATION
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_GFM;
    let mut broken = Vec::new();
    let callback = |link: BrokenLink| -> Option<(CowStr, CowStr)> {
        // A word in brackets alone need not be meant as a link.
        if link.link_type != LinkType::Shortcut {
            let reference = &link.reference;
            let message =
                format!("no link `[{reference}]` is defined in this chapter");
            broken.push((link.span.start, message));
        }
        None
    };
    let parser =
        Parser::new_with_broken_link_callback(text, options, Some(callback));
    let events = parser.into_offset_iter().collect();
    (events, broken)
}

/// Problems, as mdBook reports them: one to a line.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            let newline = if number == 0 { "" } else { "\n" };
            write!(f, "{newline}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The preprocessor, as mdBook knows it.
#[derive(Debug)]
pub struct Sockets {
    course: Course,
    /// What the chapters become, by their files, if that is known already.
    texts: Option<BTreeMap<PathBuf, String>>,
}

impl Sockets {
    /// A preprocessor for the chapters of a course.
    pub fn new(course: Course) -> Self {
        Self { course, texts: None }
    }

    /// The same, where `pages` is what `chapters` become.
    pub fn prepared(
        course: Course,
        chapters: &[Chapter],
        pages: Pages,
    ) -> Self {
        let files = chapters.iter().map(|chapter| chapter.file.clone());
        Self { course, texts: Some(files.zip(pages.texts).collect()) }
    }

    /// What the chapters of a book become, by their files.
    fn texts(
        &self,
        book: &Book,
    ) -> Result<BTreeMap<PathBuf, String>, Problems> {
        if let Some(texts) = &self.texts {
            return Ok(texts.clone());
        }
        let mut chapters = Vec::new();
        for item in book.iter() {
            if let BookItem::Chapter(chapter) = item
                && let Some(file) = &chapter.source_path
            {
                chapters.push(Chapter {
                    file: file.clone(),
                    text: chapter.content.clone(),
                });
            }
        }
        let pages = process(&self.course, &chapters).map_err(Problems)?;
        let files = chapters.into_iter().map(|chapter| chapter.file);
        Ok(files.zip(pages.texts).collect())
    }
}

impl Preprocessor for Sockets {
    fn name(&self) -> &str {
        "sockets"
    }

    /// # Errors
    ///
    /// Those of [`process`], one to a line.
    fn run(
        &self,
        _context: &PreprocessorContext,
        mut book: Book,
    ) -> anyhow::Result<Book> {
        let mut texts = self.texts(&book)?;
        book.for_each_chapter_mut(|chapter| {
            let text = chapter.source_path.as_ref();
            if let Some(text) = text.and_then(|file| texts.remove(file)) {
                chapter.content = text;
            }
        });
        Ok(book)
    }
}

/// Is the preprocessor for a stock mdBook, which runs it as a command and
/// talks JSON with it on the standard streams.
///
/// # Errors
///
/// Those of [`process`], one to a line, and input that is not mdBook's.
pub fn run_as_command(course: Course) -> anyhow::Result<()> {
    let (context, book) = parse_input(io::stdin())
        .context("the standard input is not what mdBook sends")?;
    let book = Sockets::new(course).run(&context, book)?;
    serde_json::to_writer(io::stdout(), &book)?;
    Ok(())
}
