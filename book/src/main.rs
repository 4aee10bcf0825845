//! `cargo book`: builds, serves and checks the book.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use book::course::Course;
use book::{catch_up, compare, interrupt, pages, serve, site, transcript};
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

#[derive(Args)]
struct Serve {
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
            let Serve { port, no_open } = arguments.serve;
            serve::serve(course, port, !no_open)?;
        }
        Some(Command::Build { dest }) => {
            let default = || course.root.join("target/book");
            let dest = dest.unwrap_or_else(default);
            let name = dest.display().to_string();
            let write = move || site::write(&course, &dest);
            let report = interrupt::unless_interrupted(write)?
                .context("interrupted")??;
            println!("{report}");
            println!("written to {name}");
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
