//! Plays a transcript for somebody who watches, goes on step by step, and may
//! take over.
//!
//! Nothing here fails because a line differs: the one who watches may have
//! changed the program. What differs is told, and the play goes on.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use harness::{Signal, WaitError};
use serde::{Deserialize, Serialize};

use super::kernel::{self, Kernel};
use super::play::{Stage, shell_code};
use super::{Event, Programs, Transcript, compare};

/// How long a line of the transcript is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the kernel may take to hold what a view says.
const REST: Duration = Duration::from_secs(2);

/// How long a play may last, in all. A teacher talks between two steps.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// How many bytes the programs of a play may print.
const MAX_OUTPUT: usize = 256 * 1024;

/// How long a wait lasts before we look whether anything was asked for. No
/// event says that a line came or that something was asked for.
const GLANCE: Duration = Duration::from_millis(10);

/// How often we look into the kernel, at most and at least.
const OFTEN: Duration = Duration::from_millis(100);
const SELDOM: Duration = Duration::from_secs(1);

/// How many processes a play may have at the same time.
const MAX_PROCESSES: usize = 64;

/// How often something is told at least, so that it shows when nobody is there
/// any more to be told.
const BEAT: Duration = Duration::from_millis(500);

/// A key that is pressed, or a signal that is sent, in a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Key {
    /// Ctrl-C: SIGINT.
    Interrupt,
    /// SIGTERM, as `kill` sends it.
    Terminate,
    /// SIGKILL, as `kill -9` sends it.
    Kill,
    /// Ctrl-D: the end of the input.
    End,
}

/// What the one who watches asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// Play the next entry, and wait then.
    Step,
    /// Play all that is left.
    Go,
    /// Wait before the next entry.
    Pause,
    /// Leave the transcript: from now on only what is asked for happens.
    Take,
    /// Take over, and type a line into the program in a terminal.
    Type { terminal: usize, text: String },
    /// Take over, and press a key, or send a signal to a terminal.
    Press { terminal: usize, key: Key },
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "news")]
pub enum News {
    /// Nothing happens.
    Beat,
    /// The transcript has come to this entry, which it waits to play.
    Next { entry: usize },
    /// What a person does was done.
    Did { entry: usize },
    /// The line of an entry was printed, or another one in its place.
    Printed { entry: usize, text: String, same: bool },
    /// A line was printed for which there is no entry.
    Extra { terminal: usize, text: String },
    /// The line of an entry did not come.
    Missing { entry: usize, why: String },
    /// The command in a terminal has ended. `entry` says so, if one does.
    Ended { terminal: usize, entry: Option<usize>, code: i32, same: bool },
    /// What was asked for could not be done.
    Refused { why: String },
    /// Somebody has taken over.
    Taken,
    /// What the kernel holds now.
    Kernel(Kernel),
    /// The play is over: how many lines differed, or why it was ended.
    Done { differences: usize, why: Option<String> },
}

/// Why a play ends before its time.
enum End {
    /// Nobody watches any more.
    Alone,
    /// A limit was met.
    Limit(String),
    /// Somebody has taken over, and all programs have ended.
    Over,
}

/// Plays `transcript`, tells what happens, and does what is asked for, until
/// the transcript is over or nobody asks or listens any more: `asks` is closed
/// or `tell` returns false. Nothing that was started runs any more afterwards.
pub fn live(
    transcript: &Transcript,
    programs: &Programs,
    step: bool,
    asks: Receiver<Ask>,
    tell: impl FnMut(News) -> bool,
) {
    let mut live = Live {
        stage: Stage::new(transcript, programs),
        transcript,
        asks,
        tell,
        waits: step,
        steps: 0,
        taken: false,
        differences: 0,
        printed: 0,
        began: Instant::now(),
        told: Instant::now(),
        happened: Instant::now(),
        looked: None,
        ended: vec![true; transcript.terminals.len()],
    };
    let why = match live.play() {
        Err(End::Alone) => return,
        Ok(()) | Err(End::Over) => None,
        Err(End::Limit(why)) => Some(why),
    };
    let differences = live.differences;
    // Nobody may listen any more, and it ends in any case.
    let _ = live.tell(News::Done { differences, why });
}

struct Live<'a, T> {
    stage: Stage<'a>,
    transcript: &'a Transcript,
    asks: Receiver<Ask>,
    tell: T,
    /// Whether each entry waits to be asked for.
    waits: bool,
    /// How many were asked for, and not played yet.
    steps: u32,
    taken: bool,
    differences: usize,
    /// How many bytes were printed.
    printed: usize,
    began: Instant,
    /// When something was told last.
    told: Instant,
    /// When something happened last, or was asked for.
    happened: Instant,
    /// What the kernel held, and when we looked.
    looked: Option<(Kernel, Instant)>,
    /// For each terminal, whether its end was told, or nothing runs in it.
    ended: Vec<bool>,
}

impl<T: FnMut(News) -> bool> Live<'_, T> {
    fn play(&mut self) -> Result<(), End> {
        for index in 0..self.transcript.entries.len() {
            // A view of the kernel is one step.
            let is_kernel = self.transcript.is_kernel(index);
            if is_kernel && self.transcript.view(index).is_none() {
                continue;
            }
            self.tell(News::Next { entry: index })?;
            self.answer()?;
            while self.waits && self.steps == 0 && !self.taken {
                self.wait(GLANCE)?;
                self.look_again()?;
            }
            // One step is one entry.
            self.steps = self.steps.saturating_sub(1);
            if !self.taken {
                self.entry(index)?;
            }
            if self.taken {
                return self.free();
            }
            self.look()?;
        }
        Ok(())
    }

    fn entry(&mut self, index: usize) -> Result<(), End> {
        if self.transcript.is_kernel(index) {
            return self.view(index);
        }
        let entry = &self.transcript.entries[index];
        let terminal = entry.terminal;
        let mut code = None;
        match &entry.event {
            Event::Printed(expected) => {
                self.expect(index, terminal, expected)?;
            }
            Event::ExitCode(expected) => code = Some((index, *expected)),
            action => {
                if let Event::Command(_) = action {
                    self.ended[terminal] = false;
                }
                match self.stage.act(terminal, action) {
                    Ok(()) => self.tell(News::Did { entry: index })?,
                    Err(why) => self.miss(index, why)?,
                }
            }
        }
        if self.transcript.ends_command(index) && !self.taken {
            self.end(terminal, code)?;
        }
        Ok(())
    }

    /// Waits for the line of an entry.
    fn expect(
        &mut self,
        index: usize,
        terminal: usize,
        expected: &str,
    ) -> Result<(), End> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.stage.next_line(terminal, GLANCE) {
                Ok(text) => {
                    let same = compare::same(expected, &text);
                    self.differences += usize::from(!same);
                    self.count(&text)?;
                    return self.tell(News::Printed {
                        entry: index,
                        text,
                        same,
                    });
                }
                Err(WaitError::Ended) => {
                    let why = "the program has ended without it".to_owned();
                    return self.miss(index, why);
                }
                Err(WaitError::TimedOut) if Instant::now() > deadline => {
                    let seconds = PATIENCE.as_secs();
                    let why = format!("it did not come in {seconds} seconds");
                    return self.miss(index, why);
                }
                Err(WaitError::TimedOut) => {}
            }
            self.answer()?;
            self.look_again()?;
            if self.taken {
                return Ok(());
            }
        }
    }

    /// Tells what the kernel holds in the place of what a view says.
    fn view(&mut self, index: usize) -> Result<(), End> {
        let Some(view) = self.transcript.view(index) else { return Ok(()) };
        let expected = self.transcript.held(view.clone());
        let mut found = self.stage.look_until(&expected, REST);
        // What is too much stands in the last line.
        if found.len() > expected.len() {
            let rest = found.split_off(expected.len() - 1);
            found.push(rest.join("; "));
        }
        for (entry, expected) in view.zip(&expected) {
            if found.is_empty() {
                self.miss(entry, "the kernel holds no more".to_owned())?;
                continue;
            }
            let text = found.remove(0);
            let same = compare::same(expected, &text);
            self.differences += usize::from(!same);
            self.tell(News::Printed { entry, text, same })?;
        }
        Ok(())
    }

    /// Waits for the end of the command in a terminal.
    fn end(
        &mut self,
        terminal: usize,
        code: Option<(usize, i32)>,
    ) -> Result<(), End> {
        let deadline = Instant::now() + PATIENCE;
        while !self.drain(terminal)? {
            if Instant::now() > deadline {
                self.differences += 1;
                let why = "the command was to end here, and it still runs";
                return match code {
                    Some((entry, _)) => {
                        self.tell(News::Missing { entry, why: why.to_owned() })
                    }
                    None => self.tell(News::Refused { why: why.to_owned() }),
                };
            }
            self.wait(GLANCE)?;
            self.look_again()?;
            if self.taken {
                return Ok(());
            }
        }
        self.tell_end(terminal, code)
    }

    fn miss(&mut self, entry: usize, why: String) -> Result<(), End> {
        self.differences += 1;
        self.tell(News::Missing { entry, why })
    }

    /// Tells what was printed beyond the transcript, and whether the output of
    /// the command in a terminal has ended, and it itself as well.
    fn drain(&mut self, terminal: usize) -> Result<bool, End> {
        loop {
            match self.stage.next_line(terminal, Duration::ZERO) {
                Ok(text) => {
                    self.differences += usize::from(!self.taken);
                    self.count(&text)?;
                    self.tell(News::Extra { terminal, text })?;
                }
                Err(WaitError::Ended) => {
                    return Ok(!self.stage.is_running(terminal));
                }
                Err(WaitError::TimedOut) => return Ok(false),
            }
        }
    }

    fn tell_end(
        &mut self,
        terminal: usize,
        code: Option<(usize, i32)>,
    ) -> Result<(), End> {
        let Ok(exit) = self.stage.end(terminal, Duration::ZERO) else {
            // It has left something running, which ends with the play.
            self.ended[terminal] = true;
            return Ok(());
        };
        self.ended[terminal] = true;
        let expected = code.map(|(_, expected)| expected);
        let same =
            self.taken || self.stage.is_as_expected(terminal, exit, expected);
        self.differences += usize::from(!same);
        let entry = code.map(|(entry, _)| entry);
        let code = shell_code(exit);
        self.tell(News::Ended { terminal, entry, code, same })
    }

    /// What happens when somebody has taken over.
    fn free(&mut self) -> Result<(), End> {
        self.tell(News::Taken)?;
        loop {
            for terminal in 0..self.ended.len() {
                if !self.ended[terminal] && self.drain(terminal)? {
                    self.tell_end(terminal, None)?;
                }
            }
            self.look_again()?;
            if self.ended.iter().all(|ended| *ended) {
                return Err(End::Over);
            }
            self.wait(GLANCE)?;
        }
    }

    /// Waits a moment for what is asked for, and does it.
    fn wait(&mut self, moment: Duration) -> Result<(), End> {
        match self.asks.recv_timeout(moment) {
            Ok(ask) => self.act(ask),
            Err(RecvTimeoutError::Timeout) => self.beat(),
            Err(RecvTimeoutError::Disconnected) => Err(End::Alone),
        }
    }

    /// Does what was asked for meanwhile.
    fn answer(&mut self) -> Result<(), End> {
        loop {
            match self.asks.try_recv() {
                Ok(ask) => self.act(ask)?,
                Err(TryRecvError::Empty) => return self.beat(),
                Err(TryRecvError::Disconnected) => return Err(End::Alone),
            };
        }
    }

    fn act(&mut self, ask: Ask) -> Result<(), End> {
        self.happened = Instant::now();
        match ask {
            Ask::Step => self.steps += 1,
            Ask::Go => self.waits = false,
            Ask::Pause => self.waits = true,
            Ask::Take => self.taken = true,
            Ask::Type { terminal, text } => {
                // One line, whatever comes: it is typed, and not pasted.
                let text = text.lines().next().unwrap_or_default().to_owned();
                self.touch(terminal, |stage| {
                    stage.act(terminal, &Event::Typed(text))
                })?;
            }
            Ask::Press { terminal, key: Key::End } => {
                self.touch(terminal, |stage| {
                    stage.act(terminal, &Event::EndOfInput)
                })?;
            }
            Ask::Press { terminal, key } => {
                let signal = match key {
                    Key::Interrupt => Signal::INT,
                    Key::Terminate => Signal::TERM,
                    Key::Kill | Key::End => Signal::KILL,
                };
                self.touch(terminal, |stage| stage.signal(terminal, signal))?;
            }
        }
        Ok(())
    }

    /// Takes over and does something to what runs in a terminal.
    fn touch(
        &mut self,
        terminal: usize,
        act: impl FnOnce(&mut Stage) -> Result<(), String>,
    ) -> Result<(), End> {
        self.taken = true;
        let runs = self.ended.get(terminal) == Some(&false);
        let done = match runs {
            true => act(&mut self.stage),
            false => Err("nothing runs in this terminal".to_owned()),
        };
        match done {
            Ok(()) => Ok(()),
            Err(why) => self.tell(News::Refused { why }),
        }
    }

    fn count(&mut self, text: &str) -> Result<(), End> {
        self.printed += text.len() + 1;
        if self.printed > MAX_OUTPUT {
            let why = format!("more than {MAX_OUTPUT} bytes were printed");
            return Err(End::Limit(why));
        }
        Ok(())
    }

    fn beat(&mut self) -> Result<(), End> {
        if self.began.elapsed() > LONGEST {
            return Err(End::Limit("it lasted an hour".to_owned()));
        }
        if self.told.elapsed() > BEAT {
            return self.tell(News::Beat);
        }
        Ok(())
    }

    /// Looks into the kernel, and tells what has changed there.
    fn look(&mut self) -> Result<(), End> {
        let programs = self.stage.running();
        let processes =
            programs.map(|(_, program)| program.process_ids().len());
        if processes.sum::<usize>() > MAX_PROCESSES {
            let why = format!("more than {MAX_PROCESSES} processes run");
            return Err(End::Limit(why));
        }
        let now = kernel::look(&self.stage);
        let is_news =
            self.looked.as_ref().is_none_or(|(before, _)| *before != now);
        self.looked = Some((now.clone(), Instant::now()));
        if is_news {
            self.tell(News::Kernel(now))?;
        }
        Ok(())
    }

    /// The same, while something is waited for: the longer nothing happens,
    /// the less often. A look takes some milliseconds of a processor.
    fn look_again(&mut self) -> Result<(), End> {
        let pause = (self.happened.elapsed() / 4).clamp(OFTEN, SELDOM);
        match &self.looked {
            Some((_, when)) if when.elapsed() < pause => Ok(()),
            _ => self.look(),
        }
    }

    fn tell(&mut self, news: News) -> Result<(), End> {
        self.told = Instant::now();
        if news != News::Beat {
            self.happened = self.told;
        }
        match (self.tell)(news) {
            true => Ok(()),
            false => Err(End::Alone),
        }
    }
}
