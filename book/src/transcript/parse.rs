//! From the text of a chapter to its transcripts, with exact errors.

use std::path::Path;

use pulldown_cmark::{CodeBlockKind, Event as Markdown, Parser, Tag, TagEnd};

use super::{Entry, Event, KERNEL, TOOLS, Transcript, programs};
use crate::problem::Problem;

const LINES: &str = "a line is NAME$ COMMAND, NAME| PRINTED, NAME> TYPED, \
    NAME^C, NAME^D or NAME? EXIT CODE, and a name is like `server`";

/// All transcripts of a chapter: its `console` blocks, in order.
///
/// `file` is the chapter's path, relative to the repository's root.
///
/// # Errors
///
/// All that is wrong in any of them.
pub fn find(
    markdown: &str,
    file: &Path,
) -> Result<Vec<Transcript>, Vec<Problem>> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    // The info string, the text and the place of the block that we are in.
    let mut block: Option<(String, String, usize)> = None;
    for (event, range) in Parser::new(markdown).into_offset_iter() {
        match event {
            Markdown::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info)))
                if is_transcript(&info) =>
            {
                let fence = line_at(markdown, range.start);
                block = Some((info.to_string(), String::new(), fence + 1));
            }
            Markdown::Text(part) => {
                if let Some((_, text, _)) = &mut block {
                    text.push_str(&part);
                }
            }
            Markdown::End(TagEnd::CodeBlock) => {
                if let Some((info, text, line)) = block.take() {
                    match Transcript::parse(&info, &text, file, line) {
                        Ok(transcript) => found.push(transcript),
                        Err(more) => problems.extend(more),
                    }
                }
            }
            _ => {}
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

fn is_transcript(info: &str) -> bool {
    info.split([',', ' ', '\t']).next() == Some("console")
}

/// The number, from 1, of the line that holds the byte at `offset`.
fn line_at(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

impl Transcript {
    /// Reads one transcript. `info` is what stands after the fence's
    /// backticks, `text` what stands between the fences, and `line` the number
    /// of the text's first line in `file`.
    ///
    /// # Errors
    ///
    /// All lines and options that are wrong.
    pub fn parse(
        info: &str,
        text: &str,
        file: &Path,
        line: usize,
    ) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader {
            transcript: Transcript {
                file: file.to_owned(),
                line,
                needs: Vec::new(),
                linux: false,
                unprivileged: false,
                terminals: Vec::new(),
                entries: Vec::new(),
            },
            states: Vec::new(),
        };
        let mut problems = Vec::new();
        let mut note = |line, result| {
            if let Err(message) = result {
                problems.push(Problem::new(file, line, message));
            }
        };
        for option in info.split(',').skip(1) {
            note(line - 1, reader.option(option));
        }
        for (text, line) in text.lines().zip(line..) {
            note(line, reader.line(text));
        }
        if text.is_empty() {
            note(line - 1, Err("an empty transcript".to_owned()));
        }
        for tool in TOOLS {
            note(line - 1, reader.tool(tool));
        }
        reader.put_kernel_last();
        if problems.is_empty() { Ok(reader.transcript) } else { Err(problems) }
    }
}

/// What may come next in a terminal.
#[derive(PartialEq)]
enum State {
    /// A command runs: anything.
    Running,
    /// Its exit code was given: a command.
    Ended,
}

struct Reader {
    transcript: Transcript,
    /// One for each terminal.
    states: Vec<State>,
}

impl Reader {
    fn option(&mut self, option: &str) -> Result<(), String> {
        if option == "linux" && !self.transcript.linux {
            self.transcript.linux = true;
            return Ok(());
        }
        if option == "unprivileged" && !self.transcript.unprivileged {
            self.transcript.unprivileged = true;
            return Ok(());
        }
        let Some(name) = option.strip_prefix("needs=") else {
            return Err(format!(
                "unknown or repeated option `{option}`: there are \
                 `needs=TOOL`, `linux` and `unprivileged`, without spaces \
                 around the commas"
            ));
        };
        if !TOOLS.contains(&name) {
            return Err(format!(
                "unknown tool `{name}`: there are {} (several are written \
                 `needs=socat,needs=nc`; new ones go into TOOLS in \
                 book/src/transcript/mod.rs)",
                TOOLS.join(", ")
            ));
        }
        if self.transcript.needs.iter().any(|tool| tool == name) {
            return Err(format!("`needs={name}` is repeated"));
        }
        self.transcript.needs.push(name.to_owned());
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() {
            return Err(
                "an empty line: where an empty line is printed, write \
                        the terminal's name and `|`"
                    .to_owned(),
            );
        }
        if line.trim_end() != line {
            return Err("white space at the end of the line, which nobody \
                        can see: remove it"
                .to_owned());
        }
        if line.contains(|c: char| c.is_control() && c != '\t') {
            return Err(
                "a control character, which a page cannot show".to_owned()
            );
        }
        let is_name =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let end = line.find(|c| !is_name(c)).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        let event = event(rest)?;
        if name.starts_with(|c: char| !c.is_ascii_lowercase()) {
            return Err(format!(
                "a terminal cannot be called `{name}`: a name begins with a \
                 letter"
            ));
        }
        let terminal = if name == KERNEL {
            self.kernel(&event)?
        } else {
            self.terminal(name, &event)?
        };
        if let Event::Command(command) = &event {
            check_command(command)?;
        }
        self.transcript.entries.push(Entry { terminal, event });
        Ok(())
    }

    /// The place of the lines about the kernel among the terminals, for now.
    fn kernel(&mut self, event: &Event) -> Result<usize, String> {
        if !matches!(event, Event::Printed(_)) {
            return Err("`kernel` is no terminal: `kernel| …` says what the \
                        kernel holds, and nothing else can"
                .to_owned());
        }
        let terminals = &mut self.transcript.terminals;
        if terminals.is_empty() {
            return Err("nothing has happened yet: what the kernel holds \
                        comes after a command"
                .to_owned());
        }
        let known = terminals.iter().position(|name| name == KERNEL);
        Ok(known.unwrap_or_else(|| {
            terminals.push(KERNEL.to_owned());
            self.states.push(State::Running);
            terminals.len() - 1
        }))
    }

    /// The terminals keep their numbers whether there is such a line or not.
    fn put_kernel_last(&mut self) {
        let Transcript { terminals, entries, .. } = &mut self.transcript;
        let Some(old) = terminals.iter().position(|name| name == KERNEL) else {
            return;
        };
        let name = terminals.remove(old);
        terminals.push(name);
        let last = terminals.len() - 1;
        for entry in entries {
            entry.terminal = match entry.terminal {
                terminal if terminal == old => last,
                terminal if terminal > old => terminal - 1,
                terminal => terminal,
            };
        }
    }

    /// The terminal called `name`, in which `event` may happen now.
    fn terminal(&mut self, name: &str, event: &Event) -> Result<usize, String> {
        let terminals = &mut self.transcript.terminals;
        let is_command = matches!(event, Event::Command(_));
        let Some(terminal) = terminals.iter().position(|t| t == name) else {
            if terminals.iter().any(|other| other != KERNEL)
                && (name.is_empty() || terminals[0].is_empty())
            {
                return Err("only where there is a single terminal may its \
                            name be left out, and then everywhere"
                    .to_owned());
            }
            if !is_command {
                return Err(format!(
                    "nothing runs in the terminal `{name}` yet: its first \
                     line must be `{name}$ COMMAND` (terminals so far: {})",
                    terminals.join(", ")
                ));
            }
            terminals.push(name.to_owned());
            self.states.push(State::Running);
            return Ok(terminals.len() - 1);
        };
        let state = &mut self.states[terminal];
        if *state == State::Ended && !is_command {
            return Err("the command has ended: its exit code is the last \
                        that can be said of it"
                .to_owned());
        }
        *state = match event {
            Event::ExitCode(_) => State::Ended,
            _ => State::Running,
        };
        Ok(terminal)
    }

    /// Checks that `tool` is declared if and only if a command uses it.
    fn tool(&mut self, tool: &str) -> Result<(), String> {
        let declared = self.transcript.needs.iter().any(|name| name == tool);
        match (declared, self.transcript.types(tool)) {
            (false, true) => Err(format!(
                "a command uses `{tool}`: declare it, as in \
                 ```console,needs={tool}"
            )),
            (true, false) => Err(format!(
                "`needs={tool}`, and no command uses it: remove the option"
            )),
            _ => Ok(()),
        }
    }
}

/// What stands after the terminal's name.
fn event(text: &str) -> Result<Event, String> {
    let mut rest = text.chars();
    let mark = rest.next();
    let rest = rest.as_str();
    // The text after the mark and one space.
    let argument = || match rest.strip_prefix(' ') {
        Some(argument) => Ok(argument.to_owned()),
        None if rest.is_empty() => Ok(String::new()),
        None => Err(format!(
            "expected a space after `{}`",
            mark.unwrap_or_default()
        )),
    };
    match mark {
        Some('$') => Ok(Event::Command(argument()?)),
        Some('|') => Ok(Event::Printed(argument()?)),
        Some('>') => Ok(Event::Typed(argument()?)),
        Some('^') => match rest {
            "C" => Ok(Event::Interrupt),
            "D" => Ok(Event::EndOfInput),
            _ => Err(format!("unknown key `^{rest}`: there are ^C and ^D")),
        },
        Some('?') => {
            let argument = argument()?;
            match argument.parse::<u8>() {
                Ok(code) if code.to_string() == argument => {
                    Ok(Event::ExitCode(code.into()))
                }
                _ => Err(format!(
                    "`{argument}` is no exit code: it is a number from 0 to \
                     255, and 128 + N where signal N killed the program"
                )),
            }
        }
        _ => Err(format!("this is not a line of a transcript: {LINES}")),
    }
}

/// The words of a command, without the shell's own signs.
pub fn words(command: &str) -> impl Iterator<Item = &str> {
    command.split(|c: char| " \t|&;()<>'\"`".contains(c))
}

fn check_command(command: &str) -> Result<(), String> {
    let first = command.split(' ').next().unwrap_or_default();
    if first.is_empty() {
        return Err("expected a command after `$ `".to_owned());
    }
    if let "cd" | "umask" | "ulimit" | "export" | "alias" | "set" = first {
        return Err(format!(
            "`{first}` would change the reader's shell for good, and here \
             each command has a shell of its own: write ({first} …; COMMAND)"
        ));
    }
    if let Some(word) = words(command)
        .find(|word| matches!(*word, "pkill" | "pgrep" | "killall"))
    {
        return Err(format!(
            "`{word}` would find programs that the transcript has not \
             started: write `kill $NAME`, with the terminal's name"
        ));
    }
    programs::check(command)
}
