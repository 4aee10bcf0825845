//! Agendas for workshops, from the timings in `book/teaching/schedule.toml`.
//!
//! An agenda takes exactly the time that there is. It has every part of its
//! chapters that may not be left out, then as many of the others as fit, a
//! pause after at most 75 minutes, and on a long day a lunch.

use std::fmt::{self, Write};
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use crate::course::Course;
use crate::links;
use crate::pages::{CHAPTERS, line_of};
use crate::problem::Problem;

/// The timings, relative to the repository's root.
pub const FILE: &str = "book/teaching/schedule.toml";

/// The shortest agenda that has a server and a client in it, in minutes.
pub const SHORTEST: u32 = 45;

/// From this length on, in minutes, a day has a lunch.
const DAY: u32 = 6 * 60;

/// The longest day, in minutes.
pub const LONGEST: u32 = 8 * 60;

/// The last of the chapters that belong together: rather all of them in short
/// than half of them at ease.
const LAST_OF_THE_SIX: u32 = 6;

/// The highest `keep`.
const MOST_KEEP: u8 = 4;

/// Up to here, `keep` makes what a chapter takes at ease.
const AT_EASE: u8 = 3;

/// How much longer than all that there is to teach an agenda may be, in
/// minutes.
const SPARE: u32 = 30;

/// What takes how long.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The longest time without a pause, in minutes.
    longest: u32,
    /// A pause, in minutes.
    pause: u32,
    /// A lunch, in minutes.
    lunch: u32,
    /// The opening, the chapters of the steps in their order, the closing.
    #[serde(rename = "block")]
    blocks: Vec<Block>,
}

/// A chapter, as it is taught.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    /// The chapter's stem: `03-connect`.
    chapter: Spanned<String>,
    parts: Vec<Part>,
    /// Its heading.
    #[serde(skip)]
    title: String,
    /// The number of its step. The opening and the closing have none.
    #[serde(skip)]
    number: Option<u32>,
}

/// Something that is done in the room.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    minutes: u32,
    /// 1 for what is never left out; of the others, the higher ones go first.
    keep: u8,
    how: How,
    /// A heading of the chapter, or an exercise: `★ Advice`.
    #[serde(rename = "where")]
    place: Spanned<String>,
    #[serde(default)]
    say: String,
}

/// Who does what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    /// The teacher shows it.
    Show,
    /// The teacher asks the room.
    Ask,
    /// All guess what will be printed, and then it is.
    Predict,
    /// All run it on their own machines.
    Run,
    /// Two and two talk about it.
    Pairs,
    /// All write code.
    Exercise,
}

impl How {
    fn word(self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::Ask => "ask",
            Self::Predict => "predict",
            Self::Run => "run",
            Self::Pairs => "pairs",
            Self::Exercise => "exercise",
        }
    }
}

impl Block {
    fn stem(&self) -> &str {
        self.chapter.get_ref()
    }

    /// `3 Connect`, or without a number where it has none.
    fn name(&self) -> String {
        match self.number {
            Some(number) => format!("{number} {}", self.title),
            None => self.title.clone(),
        }
    }
}

impl Schedule {
    /// Reads the timings and compares them with the chapters.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is no such file; a chapter that the book
    /// does not have; a step that has no timings or not in its place; a heading
    /// or an exercise that the chapter does not have; minutes that make no
    /// agenda.
    pub fn read(course: &Course) -> Result<Self, Problem> {
        let path = Path::new(FILE);
        let text =
            fs::read_to_string(course.root.join(path)).map_err(|error| {
                Problem::new(path, 0, format!("cannot read this: {error}"))
            })?;
        let mut schedule: Self =
            toml::from_str(&text).map_err(|error: toml::de::Error| {
                let at = error.span().map(|span| line_of(&text, span.start));
                Problem::new(path, at.unwrap_or(0), error.message())
            })?;
        for block in &mut schedule.blocks {
            let stem = block.chapter.get_ref();
            let line = |span: Range<usize>| line_of(&text, span.start);
            let chapter = Path::new(CHAPTERS).join(format!("{stem}.md"));
            let chapter_text = fs::read_to_string(course.root.join(&chapter))
                .map_err(|error| {
                let at = line(block.chapter.span());
                let message = format!("cannot read {}", chapter.display());
                Problem::new(path, at, format!("{message}: {error}"))
            })?;
            let places = places(&chapter_text);
            for part in &block.parts {
                part.check(&places, &chapter).map_err(|message| {
                    Problem::new(path, line(part.place.span()), message)
                })?;
            }
            block.number = course.step(stem).map(|step| step.number);
            block.title = places.into_iter().next().unwrap_or_default();
        }
        schedule.check(course)?;
        Ok(schedule)
    }

    /// Whether it has the blocks that a course needs.
    fn check(&self, course: &Course) -> Result<(), Problem> {
        let problem = |message: String| Err(Problem::new(FILE, 0, message));
        let [_, steps @ .., _] = self.blocks.as_slice() else {
            return problem("an opening and a closing are missing".to_owned());
        };
        if steps.is_empty() {
            return problem("it has no step between its ends".to_owned());
        }
        for (number, step) in course.steps.iter().enumerate() {
            let stem = &step.stem;
            if steps.get(number).is_none_or(|block| block.stem() != stem) {
                return problem(format!(
                    "block {} must be that of {stem}: an opening, a block for \
                     each step in order, a closing",
                    number + 2
                ));
            }
        }
        if steps.len() > course.steps.len() {
            return problem("it has more blocks than steps".to_owned());
        }
        for block in &self.blocks {
            let minutes: u32 = block.parts.iter().map(|p| p.minutes).sum();
            if minutes > self.longest {
                return problem(format!(
                    "{} takes {minutes} minutes without a pause, more than {}",
                    block.stem(),
                    self.longest
                ));
            }
            if block.parts.iter().all(|part| part.keep > 1) {
                return problem(format!(
                    "{} has no part with `keep = 1`",
                    block.stem()
                ));
            }
        }
        Ok(())
    }

    /// The agenda for `length` minutes that begins with the opening or, for
    /// those who have begun already, with the chapter of step `from`.
    ///
    /// # Errors
    ///
    /// A step that there is not, and a length that is too short or too long.
    pub fn plan(
        &self,
        length: u32,
        from: Option<u32>,
    ) -> Result<Agenda<'_>, String> {
        let last = self.blocks.len() as u32 - 2;
        if let Some(from) = from
            && !(1..=last).contains(&from)
        {
            return Err(format!(
                "there is no chapter {from}: it is one of 1 to {last}, as in \
                 `--from 4`"
            ));
        }
        if length > LONGEST {
            return Err(format!(
                "{} is too long for a day: the longest is {}; plan a second \
                 day from where the first one ends, as in `--length 7h --from \
                 8`",
                Length(length),
                Length(LONGEST)
            ));
        }
        let mut taught = self.choose(length, from)?;
        let added = self.fill(&mut taught, length);
        // What was added last is the first to go.
        let cuts: Vec<(usize, usize)> = added.into_iter().rev().collect();
        let spare = length - self.total(&taught, length);
        if spare > SPARE {
            let mut enough = length - spare;
            // A shorter day may need no lunch.
            while self.total(&taught, enough) < enough {
                enough = self.total(&taught, enough);
            }
            return Err(format!(
                "{} is too long: there is enough to teach from chapter {} on \
                 for {}, as in `--length {}m`",
                Length(length),
                from.unwrap_or(1),
                Length(enough),
                enough
            ));
        }
        Ok(self.agenda(&taught, &cuts, length, spare))
    }

    /// As many chapters as there is time for, with what is never left out.
    fn choose(
        &self,
        length: u32,
        from: Option<u32>,
    ) -> Result<Vec<Taught<'_>>, String> {
        let [opening, steps @ .., closing] = self.blocks.as_slice() else {
            unreachable!("both were there when this was read");
        };
        let steps = &steps[from.unwrap_or(1) as usize - 1..];
        let core = |count: usize| -> Vec<Taught> {
            let opening = from.is_none().then_some(opening);
            let blocks = opening.into_iter().chain(&steps[..count]);
            blocks.chain([closing]).map(Taught::new).collect()
        };
        let shortest = match from {
            None => SHORTEST,
            Some(_) => core(1).iter().map(Taught::minutes).sum(),
        };
        if length < shortest {
            let from = from.map(|from| format!(" from chapter {from}"));
            return Err(format!(
                "{} is too short for anything: the shortest agenda{} takes \
                 {}, as in `--length {shortest}m`",
                Length(length),
                from.unwrap_or_default(),
                Length(shortest),
            ));
        }
        let has_time = |count: &usize| {
            let core = core(*count);
            let mut at_ease = core.clone();
            at_ease.iter_mut().for_each(|block| block.add_up_to(AT_EASE));
            let belongs = steps[count - 1].number <= Some(LAST_OF_THE_SIX);
            let taught = if belongs { core } else { at_ease };
            self.total(&taught, length) <= length
        };
        let count = (1..=steps.len()).rev().find(has_time);
        Ok(core(count.unwrap_or(1)))
    }

    /// Adds the other parts as they fit, those to keep first; returns which
    /// blocks have got which parts, in this order.
    fn fill(&self, taught: &mut [Taught], length: u32) -> Vec<(usize, usize)> {
        let mut added = Vec::new();
        for keep in 2..=MOST_KEEP {
            for at in 0..taught.len() {
                for part in 0..taught[at].parts.len() {
                    if taught[at].block.parts[part].keep != keep {
                        continue;
                    }
                    taught[at].parts[part] = true;
                    if self.total(taught, length) <= length {
                        added.push((at, part));
                    } else {
                        taught[at].parts[part] = false;
                    }
                }
            }
        }
        added
    }

    /// What a teacher should know about the minutes of a step's chapter, in
    /// Markdown for the end of its notes.
    pub(crate) fn notes(&self, stem: &str) -> Option<String> {
        let block = self.blocks.iter().find(|block| block.stem() == stem)?;
        let minutes = |keep| -> u32 {
            let parts = block.parts.iter().filter(|part| part.keep <= keep);
            parts.map(|part| part.minutes).sum()
        };
        let (least, at_ease) = (minutes(1), minutes(AT_EASE));
        let mut text = format!(
            "\n## Time\n\n{least} minutes at the least, {at_ease} at ease, {} \
             with the exercise.\n\n",
            minutes(u8::MAX)
        );
        for part in &block.parts {
            let _ = writeln!(text, "- {}", part.markdown(block.stem()));
        }
        text += "\n## If late\n\nLeave out, in this order:\n\n";
        let mut parts: Vec<&Part> =
            block.parts.iter().filter(|part| part.keep > 1).collect();
        parts.reverse();
        parts.sort_by_key(|part| std::cmp::Reverse(part.keep));
        for (number, part) in (1..).zip(parts) {
            let (how, place) = (part.how.word(), part.place());
            let _ = writeln!(
                text,
                "{number}. {how} *{place}*: wins {} minutes",
                part.minutes
            );
        }
        Some(text)
    }

    /// How many pauses there are at least: none may be farther away than
    /// `longest` minutes, and more time than that has one in any case.
    fn least_pauses(&self, minutes: &[u32], length: u32) -> usize {
        let least = usize::from(length > self.longest);
        pauses(minutes, self.longest).len().max(least)
    }

    /// How many minutes all of it takes, pauses included.
    fn total(&self, taught: &[Taught], length: u32) -> u32 {
        let minutes: Vec<u32> = taught.iter().map(Taught::minutes).collect();
        let pauses = self.least_pauses(&minutes, length) as u32;
        let lunch = match length >= DAY && pauses > 0 {
            true => self.lunch - self.pause,
            false => 0,
        };
        minutes.iter().sum::<u32>() + pauses * self.pause + lunch
    }

    /// Puts it in order. The closing gets the minutes to spare; if that makes
    /// it too long, the last pause gets the rest.
    fn agenda<'a>(
        &self,
        taught: &[Taught<'a>],
        cuts: &[(usize, usize)],
        length: u32,
        spare: u32,
    ) -> Agenda<'a> {
        let minutes: Vec<u32> = taught.iter().map(Taught::minutes).collect();
        let least = self.least_pauses(&minutes, length);
        // As evenly as so many pauses allow.
        let pauses = (1..=self.longest)
            .map(|limit| pauses(&minutes, limit))
            .find(|pauses| pauses.len() <= least)
            .unwrap_or_default();
        let work = |until: usize| minutes[..until].iter().sum::<u32>();
        let all = work(taught.len());
        let since_pause = all - work(pauses.last().copied().unwrap_or(0));
        let questions = spare.min(self.longest - since_pause);
        let middle = |at: usize| (2 * work(at)).abs_diff(all);
        let lunch = match length >= DAY {
            true => pauses.iter().copied().min_by_key(|at| middle(*at)),
            false => None,
        };

        let mut items = Vec::new();
        let mut start = 0;
        for (at, block) in taught.iter().enumerate() {
            if pauses.contains(&at) {
                let (name, mut minutes) = match lunch == Some(at) {
                    true => ("Lunch", self.lunch),
                    false => ("Pause", self.pause),
                };
                if pauses.last() == Some(&at) {
                    minutes += spare - questions;
                }
                items.push(Item { start, minutes, what: What::Pause(name) });
                start += minutes;
            }
            let parts = block.block.parts.iter().enumerate();
            let parts = parts.filter(|(number, _)| block.parts[*number]);
            let parts = parts
                .map(|(number, part)| Taken {
                    part,
                    cut: cuts.iter().position(|cut| *cut == (at, number)),
                })
                .collect();
            let is_last = at + 1 == taught.len();
            let questions = if is_last { questions } else { 0 };
            let minutes = block.minutes() + questions;
            let what = What::Block { block: block.block, parts, questions };
            items.push(Item { start, minutes, what });
            start += minutes;
        }
        Agenda { length, items }
    }
}

impl Part {
    fn place(&self) -> &str {
        self.place.get_ref()
    }

    fn check(&self, places: &[String], chapter: &Path) -> Result<(), String> {
        if self.minutes == 0 || !self.minutes.is_multiple_of(5) {
            return Err(format!(
                "{} minutes are no multiple of five",
                self.minutes
            ));
        }
        if !(1..=MOST_KEEP).contains(&self.keep) {
            return Err(format!(
                "`keep` is 1 to {MOST_KEEP}, not {}",
                self.keep
            ));
        }
        if !places.contains(self.place.get_ref()) {
            return Err(format!(
                "{} has no heading or exercise `{}`; it has: {}",
                chapter.display(),
                self.place(),
                places.join(" | ")
            ));
        }
        Ok(())
    }

    /// `5 min, ask: [Run it twice](…), who uses the address?`
    fn markdown(&self, chapter: &str) -> String {
        let (minutes, how, place) = (self.minutes, self.how, self.place());
        let id = match place.starts_with('★') {
            true => "exercises".to_owned(),
            false => links::id_of(place),
        };
        let how = how.word();
        let link = format!("[{place}](../{chapter}.md#{id})");
        match self.say.as_str() {
            "" => format!("{minutes} min, {how}: {link}"),
            say if place.ends_with('?') => {
                format!("{minutes} min, {how}: {link} {say}")
            }
            say => format!("{minutes} min, {how}: {link}, {say}"),
        }
    }

    /// `Run it twice: who uses the address?`
    fn text(&self) -> String {
        match self.say.as_str() {
            "" => self.place().to_owned(),
            say if self.place().ends_with('?') => {
                format!("{} {say}", self.place())
            }
            say => format!("{}: {say}", self.place()),
        }
    }
}

/// The headings and exercises of a chapter, its title first.
fn places(chapter: &str) -> Vec<String> {
    let mut places = Vec::new();
    let mut is_code = false;
    for line in chapter.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        let heading = line.strip_prefix("## ").or(line.strip_prefix("# "));
        if let Some(heading) = heading {
            places.push(heading.trim().to_owned());
        } else if line.starts_with('★')
            && let Some((stars, rest)) = line.split_once(" **")
            && let Some((name, _)) = rest.split_once("**")
        {
            places.push(format!("{stars} {}", name.trim_end_matches('.')));
        }
    }
    places
}

/// Before which blocks there is a pause, if each comes as late as it may: at
/// most `limit` minutes after the one before it.
fn pauses(minutes: &[u32], limit: u32) -> Vec<usize> {
    let mut pauses = Vec::new();
    let mut since = 0;
    for (at, minutes) in minutes.iter().enumerate() {
        if since > 0 && since + minutes > limit {
            pauses.push(at);
            since = 0;
        }
        since += minutes;
    }
    pauses
}

/// A block, and which of its parts are taken.
#[derive(Debug, Clone)]
struct Taught<'a> {
    block: &'a Block,
    parts: Vec<bool>,
}

impl<'a> Taught<'a> {
    /// With what is never left out.
    fn new(block: &'a Block) -> Self {
        let parts = block.parts.iter().map(|part| part.keep == 1).collect();
        Self { block, parts }
    }

    fn add_up_to(&mut self, keep: u8) {
        for (taken, part) in self.parts.iter_mut().zip(&self.block.parts) {
            *taken |= part.keep <= keep;
        }
    }

    fn minutes(&self) -> u32 {
        let parts = self.block.parts.iter().zip(&self.parts);
        parts.filter(|(_, taken)| **taken).map(|(part, _)| part.minutes).sum()
    }
}

/// What happens when.
#[derive(Debug)]
pub struct Agenda<'a> {
    /// How long all of it takes, in minutes.
    length: u32,
    items: Vec<Item<'a>>,
}

/// A line of the agenda.
#[derive(Debug)]
struct Item<'a> {
    /// When it begins, in minutes after the start.
    start: u32,
    minutes: u32,
    what: What<'a>,
}

#[derive(Debug)]
enum What<'a> {
    Pause(&'static str),
    Block {
        block: &'a Block,
        parts: Vec<Taken<'a>>,
        /// Minutes that are left over.
        questions: u32,
    },
}

/// A part that is taken.
#[derive(Debug)]
struct Taken<'a> {
    part: &'a Part,
    /// Its place in the order of what to leave out, from 0.
    cut: Option<usize>,
}

impl Agenda<'_> {
    /// As text for a terminal, with lines of at most 80 characters.
    pub fn text(&self, start: Clock) -> String {
        let mut text = format!("{}\n\n", self.head(start));
        for item in &self.items {
            let (clock, minutes) = (start.after(item.start), item.minutes);
            let name = match &item.what {
                What::Pause(name) => (*name).to_owned(),
                What::Block { block, .. } => block.name(),
            };
            line(&mut text, format_args!("{clock}  {minutes:3}  {name}"));
            let What::Block { parts, questions, .. } = &item.what else {
                continue;
            };
            for Taken { part, cut } in parts {
                let (minutes, how) = (part.minutes, part.how.word());
                let what = part.text();
                let mut row = format!("{:12}{minutes:2} {how:9}{what}", "");
                if let Some(cut) = cut {
                    let width = 73;
                    row = format!("{row:width$}cut {}", cut + 1);
                }
                line(&mut text, format_args!("{row}"));
            }
            if *questions > 0 {
                let row = format!("{:12}{questions:2} questions", "");
                line(&mut text, format_args!("{row}"));
            }
        }
        let end = start.after(self.length);
        line(&mut text, format_args!("{end}       End"));
        let wins: u32 = self.cuts().map(|part| part.minutes).sum();
        if wins > 0 {
            let _ = write!(
                text,
                "\nLate? Of what is still to come, leave out cut 1 first, \
                 then cut 2, and so on.\nAll of them together win {wins} \
                 minutes.\n"
            );
        }
        let _ = write!(
            text,
            "\nLater than that? cargo book schedule --from CHAPTER --start NOW \
             --end {end}\n"
        );
        text
    }

    /// The parts that may be left out, in the order of the agenda.
    fn cuts(&self) -> impl Iterator<Item = &Part> {
        let parts = self.items.iter().flat_map(|item| match &item.what {
            What::Block { parts, .. } => parts.as_slice(),
            What::Pause(_) => &[],
        });
        parts.filter(|step| step.cut.is_some()).map(|step| step.part)
    }

    /// As Markdown for a page in `book/teaching`.
    pub(crate) fn markdown(&self, start: Clock) -> String {
        let mut text = format!("{}\n", self.head(start));
        for item in &self.items {
            let (clock, minutes) = (start.after(item.start), item.minutes);
            let when = format!("{clock}, {minutes} min");
            let What::Block { block, parts, questions } = &item.what else {
                let What::Pause(name) = &item.what else { continue };
                let _ = write!(text, "\n**{when}: {name}**\n");
                continue;
            };
            let (name, chapter) = (block.name(), block.stem());
            let _ = write!(text, "\n**{when}: [{name}](../{chapter}.md)**");
            if block.number.is_some() {
                let _ = write!(text, " ([notes]({chapter}.md))");
            }
            text += "\n\n";
            for Taken { part, cut } in parts {
                let _ = write!(text, "- {}", part.markdown(chapter));
                if let Some(cut) = cut {
                    let _ = write!(text, " *(cut {})*", cut + 1);
                }
                text.push('\n');
            }
            if *questions > 0 {
                let _ = writeln!(text, "- {questions} min, questions");
            }
        }
        let _ = write!(text, "\n**{}: End**\n", start.after(self.length));
        text
    }

    /// `2 h, 09:30 to 11:30: chapters 1 to 6`
    fn head(&self, start: Clock) -> String {
        let mut numbers = self.items.iter().filter_map(|item| {
            let What::Block { block, .. } = &item.what else { return None };
            block.number
        });
        let first = numbers.next().unwrap_or_default();
        let chapters = match numbers.next_back() {
            Some(last) => format!("chapters {first} to {last}"),
            None => format!("chapter {first}"),
        };
        let (length, end) = (Length(self.length), start.after(self.length));
        format!("{length}, {start} to {end}: {chapters}")
    }
}

fn line(text: &mut String, line: fmt::Arguments) {
    let _ = writeln!(text, "{line}");
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Minutes since midnight.
    minutes: u32,
}

impl Clock {
    /// How long it is from here to the next time that it is `end`.
    pub fn until(self, end: Self) -> Length {
        const DAY: u32 = 24 * 60;
        Length((DAY + end.minutes - self.minutes) % DAY)
    }

    fn after(self, minutes: u32) -> Self {
        Self { minutes: (self.minutes + minutes) % (24 * 60) }
    }
}

impl FromStr for Clock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str, limit: u32| {
            let is_number = matches!(text.len(), 1 | 2)
                && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| is_number);
            number.filter(|number: &u32| *number < limit)
        };
        let minutes = text.split_once(':').and_then(|(hours, minutes)| {
            let minutes = number(minutes, 60).filter(|_| minutes.len() == 2);
            Some(number(hours, 24)? * 60 + minutes?)
        });
        let minutes = minutes.ok_or(
            "this is no time of day; write hours and minutes, as in `09:30`",
        )?;
        Ok(Self { minutes })
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

/// A length of time, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length(pub u32);

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| -> Option<u32> {
            let is_number = matches!(text.len(), 1..=3)
                && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_number)
        };
        let (hours, minutes) = match text.split_once('h') {
            Some((hours, minutes)) => (number(hours), minutes),
            None => (Some(0), text),
        };
        let minutes = match minutes.strip_suffix('m').unwrap_or(minutes) {
            "" if minutes.is_empty() && text.ends_with('h') => Some(0),
            minutes => number(minutes),
        };
        let length = hours.zip(minutes).map(|(h, m)| Self(h * 60 + m));
        length.ok_or_else(|| {
            "this is no length of time; write hours, minutes or both, as in \
             `3h`, `90m` or `1h30`"
                .to_owned()
        })
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match (self.0 / 60, self.0 % 60) {
            (0, minutes) => write!(f, "{minutes} min"),
            (hours, 0) => write!(f, "{hours} h"),
            (hours, minutes) => write!(f, "{hours} h {minutes} min"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule() -> Schedule {
        Schedule::read(&Course::here().unwrap()).unwrap()
    }

    /// All that an agenda promises.
    fn check(schedule: &Schedule, length: u32, from: Option<u32>) {
        let agenda = schedule.plan(length, from);
        let agenda = agenda.unwrap_or_else(|why| panic!("{length}: {why}"));
        let (mut at, mut since_pause) = (0, 0);
        let (mut number, mut lunches) = (from.unwrap_or(1), 0);
        let mut cuts = Vec::new();
        for item in &agenda.items {
            assert_eq!(item.start, at, "{length}: a gap");
            assert!(item.minutes > 0, "{length}: nothing at {at}");
            at += item.minutes;
            let (block, parts, questions) = match &item.what {
                What::Pause(name) => {
                    assert!(since_pause > 0, "{length}: two pauses");
                    assert!(item.minutes >= schedule.pause, "{length}");
                    lunches += u32::from(*name == "Lunch");
                    since_pause = 0;
                    continue;
                }
                What::Block { block, parts, questions } => {
                    (*block, parts, questions)
                }
            };
            since_pause += item.minutes;
            assert!(since_pause <= 75, "{length}: {since_pause} min");
            let sum: u32 = parts.iter().map(|step| step.part.minutes).sum();
            assert_eq!(sum + questions, item.minutes, "{length}");
            for part in block.parts.iter().filter(|part| part.keep == 1) {
                assert!(parts.iter().any(|step| step.part == part));
            }
            for step in parts {
                assert_eq!(step.cut.is_some(), step.part.keep > 1);
                cuts.extend(step.cut.map(|cut| (cut, step.part.keep)));
            }
            if block.number.is_some() {
                assert_eq!(block.number, Some(number), "{length}");
                number += 1;
            }
        }
        assert_eq!(at, length, "minutes do not add up");
        assert_eq!(lunches, u32::from(length >= DAY), "{length}: lunch");
        assert!(since_pause > 0, "{length}: it ends with a pause");
        cuts.sort();
        let numbers = cuts.iter().map(|(number, _)| *number);
        assert!(numbers.eq(0..cuts.len()), "{length}: {cuts:?}");
        let keeps = cuts.iter().map(|(_, keep)| keep);
        assert!(keeps.is_sorted_by(|a, b| a >= b), "{length}");
        for row in agenda.text(Clock { minutes: 23 * 60 }).lines() {
            assert!(row.chars().count() <= 80, "{row}");
        }
    }

    #[test]
    fn every_length_adds_up() {
        let schedule = schedule();
        for length in SHORTEST..=LONGEST {
            check(&schedule, length, None);
        }
    }

    #[test]
    fn every_rest_adds_up_or_is_refused_with_a_length_that_does() {
        let schedule = schedule();
        for from in 1..=13 {
            for length in 0..=LONGEST {
                let Err(why) = schedule.plan(length, Some(from)) else {
                    check(&schedule, length, Some(from));
                    continue;
                };
                let (_, example) = why.split_once("--length ").unwrap();
                let example = example.trim_end_matches('`').parse();
                let Length(minutes) = example.unwrap();
                check(&schedule, minutes, Some(from));
            }
        }
    }

    #[test]
    fn known_lengths_have_the_chapters_that_they_are_known_for() {
        let schedule = schedule();
        let head = |length| {
            let agenda = schedule.plan(length, None).unwrap();
            agenda.head("09:30".parse().unwrap())
        };
        assert_eq!(head(45), "45 min, 09:30 to 10:15: chapters 1 to 3");
        assert_eq!(head(90), "1 h 30 min, 09:30 to 11:00: chapters 1 to 6");
        assert_eq!(head(180), "3 h, 09:30 to 12:30: chapters 1 to 6");
        assert_eq!(head(240), "4 h, 09:30 to 13:30: chapters 1 to 8");
        assert_eq!(head(420), "7 h, 09:30 to 16:30: chapters 1 to 13");
    }

    #[test]
    fn exercises_and_headings_are_places_and_code_is_not() {
        let chapter = "# Bind\n\n## Run `it`\n\n```console\n# no\n```\n\n\
                       ★★ **Five causes.** Give\n★ none\n";
        assert_eq!(places(chapter), ["Bind", "Run `it`", "★★ Five causes"]);
    }

    #[test]
    fn times_are_read_in_the_usual_spellings_only() {
        let clock = |text: &str| text.parse::<Clock>().map(|t| t.to_string());
        assert_eq!(clock("9:05"), Ok("09:05".to_owned()));
        assert_eq!(clock("00:00"), Ok("00:00".to_owned()));
        for bad in ["25:00", "24:00", "9", "9:5", "9:60", "+9:00", "", ":"] {
            assert!(clock(bad).is_err(), "{bad}");
        }
        let length = |text: &str| text.parse::<Length>().map(|l| l.0);
        for (text, minutes) in
            [("3h", 180), ("90m", 90), ("90", 90), ("1h30", 90), ("1h05m", 65)]
        {
            assert_eq!(length(text), Ok(minutes), "{text}");
        }
        for bad in ["", "h", "m", "1hm", "3 h", "-5", "+5", "1.5h", "99999"] {
            assert!(length(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_is_not(text in "[0-9:hm+ .]{0,6}") {
            let _ = text.parse::<Clock>();
            let _ = text.parse::<Length>();
        }
    }
}
