//! Which client works with which server: the table that `{{#matrix}}` shows.
//!
//! Nobody types the table. Its rows and columns are the clients and servers of
//! the steps, those that are the same to the byte in one; its words come from
//! the transcripts of the page that it stands on, one for each pair, which are
//! played like all others. A pair without a transcript stops the build, so a
//! new step must be played against all others before the book is built again.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use pulldown_cmark::HeadingLevel;

use crate::course::{Course, Step};
use crate::problem::Problem;
use crate::transcript::{Event, Transcript, compare};

/// A transcript of the page, and the headings that it stands under.
pub(crate) struct Played {
    pub headings: Headings,
    pub transcript: Transcript,
}

/// The headings of a place in a page: of its section (`##`), and the last.
#[derive(Clone, Default)]
pub(crate) struct Headings {
    section: String,
    last: String,
}

impl Headings {
    /// Reads on, past this heading.
    pub fn set(&mut self, level: HeadingLevel, title: &str) {
        if level <= HeadingLevel::H2 {
            self.section = title.to_owned();
        }
        self.last = title.to_owned();
    }
}

/// The steps whose program is the same to the byte, in order: `[4, 5, 6]`.
type Group = Vec<u32>;

/// The lowest steps of a client's group and of a server's.
type Pair = (u32, u32);

/// What a client gets from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Works,
    Hangs,
    Refused,
    Garbled,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Hangs => "hangs",
            Self::Refused => "refused",
            Self::Garbled => "garbled",
        }
    }

    /// THE rule. What it says is printed on the page, too:
    ///
    /// - *hangs*: timeout(1) had to end the client, and says so with 124;
    /// - *refused*: the client ended with another exit code than 0;
    /// - *garbled*: the client ended well, but the server reported an error
    ///   with its connection, or the client printed other lines than in
    ///   `own`, which is with the server of its own step;
    /// - *works*: all else.
    fn of(transcript: &Transcript, own: Option<&Transcript>) -> Self {
        let code = events(transcript, "client").find_map(|event| match event {
            Event::ExitCode(code) => Some(*code),
            _ => None,
        });
        match code {
            Some(124) => return Self::Hangs,
            None | Some(0) => {}
            Some(_) => return Self::Refused,
        }
        let got = printed(transcript, "client");
        let is_same = own.is_none_or(|own| {
            let expected = printed(own, "client");
            got.len() == expected.len()
                && got.iter().zip(expected).all(|(a, b)| compare::same(a, b))
        });
        if !is_same || printed(transcript, "server").iter().any(is_error) {
            return Self::Garbled;
        }
        Self::Works
    }
}

/// Whether a server's line is about an error with a client:
/// `connection 1: cannot read the request`.
fn is_error(line: &&str) -> bool {
    let number = line
        .strip_prefix("connection ")
        .and_then(|rest| rest.split_once(": "))
        .map(|(number, _)| number);
    number.is_some_and(|number| number.parse::<u64>().is_ok())
}

/// The table as one block of HTML.
///
/// `played` is what the page holds, and `line` where in `file` the table is to
/// stand.
///
/// # Errors
///
/// A page without transcripts; a transcript that is for no pair, or for one
/// that another is for already, or under another heading than its own; a
/// client that is not played with all servers.
pub(crate) fn html(
    course: &Course,
    played: &[Played],
    file: &Path,
    line: usize,
) -> Result<String, Vec<Problem>> {
    if played.is_empty() {
        let message = "this table is made from the transcripts of its page, \
                       and this page has none";
        return Err(vec![Problem::new(file, line, message)]);
    }
    let (clients, servers) =
        (groups(course, "client")?, groups(course, "server")?);
    let mut problems = Vec::new();
    let mut pairs: BTreeMap<Pair, &Transcript> = BTreeMap::new();
    for Played { headings, transcript } in played {
        let at = transcript.line;
        let pair = match pair(transcript, &clients, &servers) {
            Ok(pair) => pair,
            Err(message) => {
                problems.push(Problem::new(file, at, message));
                continue;
            }
        };
        let (client, server) = pair;
        let group = clients.iter().find(|group| group[0] == client);
        let section = format!("Client {}", label(group.expect("it has one")));
        let name = format!("Client {client}, server {server}");
        if headings.section != section || headings.last != name {
            let message = format!(
                "the table leads to this transcript by its heading: it must \
                 stand under `## {section}` and `### {name}`"
            );
            problems.push(Problem::new(file, at, message));
        }
        if let Some(first) = pairs.insert(pair, transcript) {
            let message = format!(
                "client {client} with server {server} is in line {} already",
                first.line
            );
            problems.push(Problem::new(file, at, message));
        }
    }
    // What is wrong in a transcript would show again as a missing pair.
    if problems.is_empty() {
        for client in &clients {
            let missing: Vec<String> = servers
                .iter()
                .filter(|server| !pairs.contains_key(&(client[0], server[0])))
                .map(|server| server[0].to_string())
                .collect();
            if !missing.is_empty() {
                let message = format!(
                    "no transcript plays client {} with server {}: add one \
                     under `### Client {0}, server …` for each",
                    client[0],
                    missing.join(", "),
                );
                problems.push(Problem::new(file, line, message));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(table(&clients, &servers, &pairs))
}

fn table(
    clients: &[Group],
    servers: &[Group],
    pairs: &BTreeMap<Pair, &Transcript>,
) -> String {
    let mut html = format!(
        "<div class=\"matrix\" role=\"region\" tabindex=\"0\" \
         aria-labelledby=\"matrix-caption\">\n<table>\n\
         <caption id=\"matrix-caption\"><span>What each client gets from each \
         server. The numbers are those of the steps, and each word leads to \
         its transcript.</span></caption>\n<thead>\n<tr><td></td>\
         <th scope=\"colgroup\" colspan=\"{}\">server</th></tr>\n\
         <tr><th scope=\"col\">client</th>",
        servers.len()
    );
    let put = |html: &mut String, arguments: std::fmt::Arguments| {
        html.write_fmt(arguments).expect("a string takes everything");
    };
    for server in servers {
        let server = label(server);
        put(&mut html, format_args!("<th scope=\"col\">{server}</th>"));
    }
    html.push_str("</tr>\n</thead>\n<tbody>\n");
    for client in clients {
        let name = label(client);
        put(&mut html, format_args!("<tr><th scope=\"row\">{name}</th>"));
        // The server of its own step may be in the group of an earlier one.
        let own = servers.iter().find(|server| server.contains(&client[0]));
        let own = own.map(|own| pairs[&(client[0], own[0])]);
        for server in servers {
            let (client, server) = (client[0], server[0]);
            let word = Outcome::of(pairs[&(client, server)], own).word();
            // The id is the one that mdBook gives to the heading.
            put(
                &mut html,
                format_args!(
                    "<td class=\"{word}\">\
                     <a href=\"#client-{client}-server-{server}\">{word}</a>\
                     </td>"
                ),
            );
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
    html
}

/// Which pair a transcript is for: one server in the terminal `server`, one
/// client in the terminal `client`, each the first of its group.
fn pair(
    transcript: &Transcript,
    clients: &[Group],
    servers: &[Group],
) -> Result<Pair, String> {
    let server = step(transcript, "server", "cargo run -p step", "")?;
    let client = step(transcript, "client", "step", "-client")?;
    for (name, step, groups) in
        [("client", client, clients), ("server", server, servers)]
    {
        let Some(group) = groups.iter().find(|group| group.contains(&step))
        else {
            return Err(format!("step {step} has no {name}"));
        };
        if group[0] != step {
            let first = group[0];
            return Err(format!(
                "{name} {step} is the same program as {name} {first}: play \
                 that one"
            ));
        }
    }
    Ok((client, server))
}

/// The number of the step whose program is the only command in a terminal. It
/// stands between `before` and `after`.
fn step(
    transcript: &Transcript,
    terminal: &str,
    before: &str,
    after: &str,
) -> Result<u32, String> {
    let mut commands = events(transcript, terminal).filter_map(|event| {
        let Event::Command(command) = event else { return None };
        Some(command)
    });
    let (first, second) = (commands.next(), commands.next());
    let number = first.filter(|_| second.is_none()).and_then(|command| {
        command.split(before).skip(1).find_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            let (number, rest) = rest.split_at(end.unwrap_or(rest.len()));
            let is_end = match after {
                "" => rest.is_empty(),
                after => rest.starts_with(after),
            };
            number.parse().ok().filter(|_| is_end)
        })
    });
    number.ok_or_else(|| {
        format!(
            "on the page of the table, a transcript is for one pair: it has \
             one command in the terminal `{terminal}`, a step's {terminal}"
        )
    })
}

/// What happens in the terminal of this name.
fn events<'t>(
    transcript: &'t Transcript,
    terminal: &str,
) -> impl Iterator<Item = &'t Event> {
    let terminal = transcript.terminals.iter().position(|t| t == terminal);
    transcript
        .entries
        .iter()
        .filter(move |entry| Some(entry.terminal) == terminal)
        .map(|entry| &entry.event)
}

fn printed<'t>(transcript: &'t Transcript, terminal: &str) -> Vec<&'t str> {
    let lines = events(transcript, terminal).filter_map(|event| match event {
        Event::Printed(line) => Some(line.as_str()),
        _ => None,
    });
    lines.collect()
}

/// The steps that have this program, those with the same program together.
fn groups(course: &Course, program: &str) -> Result<Vec<Group>, Vec<Problem>> {
    let mut groups: Vec<(BTreeMap<String, String>, Group)> = Vec::new();
    for step in &course.steps {
        if step.file(program).is_none() {
            continue;
        }
        let sources = sources(course, step, program).map_err(|p| vec![p])?;
        match groups.iter_mut().find(|(known, _)| *known == sources) {
            Some((_, group)) => group.push(step.number),
            None => groups.push((sources, vec![step.number])),
        }
    }
    Ok(groups.into_iter().map(|(_, group)| group).collect())
}

/// The text of a program and of the modules that it uses, by their names.
fn sources(
    course: &Course,
    step: &Step,
    program: &str,
) -> Result<BTreeMap<String, String>, Problem> {
    let mut sources = BTreeMap::new();
    let mut names = vec![program.to_owned()];
    while let Some(name) = names.pop() {
        // Where a module has no file, the compiler says so.
        let Some(file) = step.file(&name) else { continue };
        let text = fs::read_to_string(course.root.join(&file.path)).map_err(
            |error| {
                Problem::new(&file.path, 0, format!("cannot read it: {error}"))
            },
        )?;
        let modules = text.lines().filter_map(|line| {
            let line = line.trim_start_matches("pub ");
            line.strip_prefix("mod ")?.strip_suffix(';')
        });
        let modules: Vec<String> = modules.map(str::to_owned).collect();
        if sources.insert(name, text).is_none() {
            names.extend(modules);
        }
    }
    Ok(sources)
}

/// `4–6`, or `8, 10`.
fn label(group: &[u32]) -> String {
    let runs = group.chunk_by(|a, b| a + 1 == *b);
    let runs = runs.map(|run| match run {
        [one] => one.to_string(),
        [first, .., last] => format!("{first}–{last}"),
        [] => unreachable!("a run has a step"),
    });
    runs.collect::<Vec<_>>().join(", ")
}
