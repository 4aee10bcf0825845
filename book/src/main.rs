//! `cargo book`: builds, serves and checks the book.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use book::course::Course;
use book::doctor::{self, Mark};
use book::schedule::{Clock, Length, Schedule};
use book::site::Edition;
use book::{
    catch_up, compare, epub, examine, interrupt, learn, pack, pages, serve,
    site, transcript,
};
use clap::{Args, Parser, Subcommand};

/// The book on Unix sockets: builds it, and opens it in your browser.
#[derive(Parser)]
#[command(
    name = "cargo book",
    bin_name = "cargo book",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  \
        cargo book                     read it, and see your edits at once\n  \
        cargo book --port 8080         on another port\n  \
        cargo book --teacher           with notes for teachers\n  \
        cargo book build --dest site   write pages for a web host\n  \
        cargo book record 03-connect   put what the programs print now into \
        a chapter"
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
    /// The repository, for the tests of this program.
    #[arg(long, hide = true, global = true)]
    root: Option<PathBuf>,
}

const SCHEDULE_EXAMPLES: &str = "Examples:
  cargo book schedule --length 90m --start 14:00
  cargo book schedule --from 4 --start 11:10 --end 12:00   when you are late
  cargo book schedule --from 7 --length 7h                 a second day";

#[derive(Args)]
struct Serve {
    /// With the pages for teachers
    #[arg(long)]
    teacher: bool,
    /// Serve on this port [default: 3000, or the next free one]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Do not open a browser
    #[arg(long)]
    no_open: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Write the book as static pages, for any web host
    Build {
        /// The folder to write; an earlier build there is replaced [default:
        /// target/book in the repository]
        #[arg(long, value_name = "DIR")]
        dest: Option<PathBuf>,
        /// With the pages for teachers [default DIR: target/teachers-book]
        #[arg(long)]
        teacher: bool,
    },
    /// Write the book as one file for e-readers
    Epub {
        /// The file; an earlier one of this book is replaced [default:
        /// unix-sockets-book.epub]
        #[arg(long, value_name = "FILE")]
        dest: Option<PathBuf>,
        /// With the pages for teachers
        #[arg(long)]
        teacher: bool,
    },
    /// Print an agenda for a workshop
    #[command(after_help = SCHEDULE_EXAMPLES)]
    Schedule {
        /// When it begins
        #[arg(long, value_name = "HH:MM", default_value = "09:30")]
        start: Clock,
        /// How long it is, from 45m to 8h
        #[arg(long, value_name = "TIME", default_value = "3h")]
        length: Length,
        /// When it ends, in place of a length
        #[arg(long, value_name = "HH:MM", conflicts_with = "length")]
        end: Option<Clock>,
        /// Plan the rest: from the start of this chapter on
        #[arg(long, value_name = "CHAPTER")]
        from: Option<u32>,
    },
    /// Play the transcripts, and put what is printed now into the chapters
    Record {
        /// Only this chapter, such as 03-connect
        chapter: Option<String>,
    },
    /// Put the programs from the start of a chapter into work/unix_sockets;
    /// what is there now is kept, in a folder with the date
    CatchUp {
        /// The number of the chapter
        #[arg(value_name = "N")]
        chapter: u32,
    },
    /// Show how your programs differ from those at the end of a chapter: exit
    /// code 0 if they do not, 1 if they do, 2 if they cannot be compared
    Compare {
        /// The number of the chapter
        #[arg(value_name = "N")]
        chapter: u32,
        /// The folder of your Cargo package [default: work/unix_sockets in
        /// the repository]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Examine a program of yours by what the book's must do
    #[command(after_help = "Examples:\n  \
        cargo book check 3                    your work/unix_sockets\n  \
        cargo book check 3 --server ./mine    a program in any language\n  \
        cargo book check 3 --client 'python3 client.py'\n  \
        cargo book check 5.2 --watch          an exercise, at each change\n\n\
        The exit code is 0 if all promises are kept, 1 if one is broken, and \
        2 if there is nothing to examine.")]
    Check {
        /// A step or an exercise: 3, 03-connect, 5.2 or exactly-full
        what: String,
        /// How your server is started; a folder is a Cargo package, built
        /// first [default: what is in work/]
        #[arg(long, value_name = "CMD")]
        server: Option<String>,
        /// How your client is started
        #[arg(long, value_name = "CMD")]
        client: Option<String>,
        /// How many seconds it may take for anything that it must do
        #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
        limit: f64,
        /// Do it again at each change
        #[arg(long)]
        watch: bool,
    },
    /// Begin an exercise: put its starter into work/
    Start {
        /// Its number or name: 5.2 or exactly-full
        exercise: String,
    },
    /// Show the next hint for an exercise
    Hint {
        /// Its number or name: 5.2 or exactly-full
        exercise: String,
    },
    /// Show the solution of an exercise
    Solution {
        /// Its number or name: 5.2 or exactly-full
        exercise: String,
        /// Show it though you have not solved it
        #[arg(long)]
        yes: bool,
    },
    /// Show what you have done
    Progress,
    /// Say whether this machine is ready for the book and for a workshop
    #[command(after_help = "Exit codes: 0 ready, 1 something to mend, 2 the \
        book will not work here.")]
    Doctor {
        /// How long a check may take
        #[arg(long, value_name = "SECONDS", default_value_t = 10,
            value_parser = clap::value_parser!(u64).range(1..=3600))]
        limit: u64,
    },
    /// Make one archive for a room without a network
    Pack {
        /// The archive, which must not exist [default: unix-sockets-book.tar.gz]
        #[arg(long, value_name = "FILE")]
        dest: Option<PathBuf>,
    },
    /// What a stock mdBook runs
    #[command(hide = true)]
    Preprocess {
        #[command(subcommand)]
        question: Option<Question>,
    },
}

#[derive(Subcommand)]
enum Question {
    /// Whether pages for this renderer can be made
    Supports { renderer: String },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_compare = matches!(arguments.command, Some(Command::Compare { .. }));
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            // As diff(1): 1 means that there are differences.
            if is_compare { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let course = match arguments.root {
        Some(root) => Course::read(root)?,
        None => Course::here()?,
    };
    match arguments.command {
        None => {
            let Serve { port, no_open, teacher } = arguments.serve;
            serve::serve(course, edition(teacher), port, !no_open)?;
        }
        Some(Command::Build { dest, teacher }) => {
            let edition = edition(teacher);
            let default = || course.root.join(edition.folder());
            let dest = dest.unwrap_or_else(default);
            let name = dest.display().to_string();
            let write = move || site::write(&course, edition, &dest);
            let report = interrupt::unless_interrupted(write)?
                .context("interrupted")??;
            println!("{report}");
            println!("written to {name}");
        }
        Some(Command::Epub { dest, teacher }) => {
            let write = move || epub::write(&course, edition(teacher), dest);
            let report = interrupt::unless_interrupted(write)?
                .context("interrupted")??;
            println!("{report}");
        }
        Some(Command::Schedule { start, length, end, from }) => {
            let length = end.map_or(length, |end| start.until(end));
            let schedule = Schedule::read(&course)?;
            let agenda =
                schedule.plan(length.0, from).map_err(anyhow::Error::msg)?;
            // That nobody reads it to its end is no failure.
            let _ = io::stdout().write_all(agenda.text(start).as_bytes());
        }
        Some(Command::Record { chapter }) => {
            record(&course, chapter.as_deref())?;
        }
        Some(Command::CatchUp { chapter }) => {
            println!("{}", catch_up::catch_up(&course, chapter)?);
        }
        Some(Command::Compare { chapter, dir }) => {
            let is_same = compare::compare(&course, chapter, dir)?;
            return Ok(ExitCode::from(u8::from(!is_same)));
        }
        Some(Command::Check { what, server, client, limit, watch }) => {
            return Ok(check(&course, &what, server, client, limit, watch)
                .unwrap_or_else(|error| {
                    eprintln!("{error:#}");
                    ExitCode::from(2)
                }));
        }
        Some(Command::Start { exercise }) => {
            let exercises = learn::exercises(&course)?;
            learn::start(&course, learn::exercise(&exercises, &exercise)?)?;
        }
        Some(Command::Hint { exercise }) => {
            let exercises = learn::exercises(&course)?;
            learn::hint(&course, learn::exercise(&exercises, &exercise)?)?;
        }
        Some(Command::Solution { exercise, yes }) => {
            let exercises = learn::exercises(&course)?;
            let exercise = learn::exercise(&exercises, &exercise)?;
            learn::solution(&course, exercise, yes)?;
        }
        Some(Command::Progress) => {
            learn::progress(&course, &learn::exercises(&course)?)?;
        }
        Some(Command::Doctor { limit }) => return examine(course, limit),
        Some(Command::Pack { dest }) => pack(course, dest)?,
        Some(Command::Preprocess { question }) => match question {
            Some(Question::Supports { renderer }) if renderer != "html" => {
                return Ok(ExitCode::FAILURE);
            }
            Some(_) => {}
            None => pages::run_as_command(course)?,
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn check(
    course: &Course,
    what: &str,
    server: Option<String>,
    client: Option<String>,
    limit: f64,
    watch: bool,
) -> anyhow::Result<ExitCode> {
    let limit = Duration::try_from_secs_f64(limit)
        .ok()
        .filter(|limit| *limit >= Duration::from_millis(100))
        .context("--limit is a number of seconds, 0.1 or more")?;
    let exercises = learn::exercises(course)?;
    let subject = learn::subject(course, &exercises, what)?;
    let given = examine::Given { server, client, limit };
    if watch {
        examine::watch(course, &subject, &given)?;
    }
    Ok(match examine::check(course, &subject, &given)? {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn edition(teacher: bool) -> Edition {
    if teacher { Edition::Teacher } else { Edition::Reader }
}

fn examine(course: Course, limit: u64) -> anyhow::Result<ExitCode> {
    let limit = Duration::from_secs(limit);
    let examine = move || doctor::examine(course, limit);
    let examination =
        interrupt::unless_interrupted(examine)?.context("interrupted")??;
    examination.print(io::stdout().lock())?;
    Ok(match examination.verdict() {
        Mark::Good | Mark::Note => ExitCode::SUCCESS,
        Mark::Mend => ExitCode::from(1),
        Mark::Hopeless => ExitCode::from(2),
    })
}

fn pack(course: Course, dest: Option<PathBuf>) -> anyhow::Result<()> {
    let default = || format!("{}.tar.gz", pack::NAME).into();
    let dest = dest.unwrap_or_else(default);
    let make = move || pack::make(&course, &dest);
    let archive =
        interrupt::unless_interrupted(make)?.context("interrupted")??;
    println!("{}", archive.keep()?);
    Ok(())
}

fn record(course: &Course, chapter: Option<&str>) -> anyhow::Result<()> {
    let recording =
        transcript::record(course, chapter).map_err(pages::Problems)?;
    for problem in &recording.skipped {
        println!("not recorded: {problem}");
    }
    for file in &recording.rewritten {
        println!("rewritten: {}", file.display());
    }
    if recording.rewritten.is_empty() {
        println!("nothing has changed");
    }
    Ok(())
}
