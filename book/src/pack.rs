//! One archive with all that a room without a network needs: the sources, the
//! crates that they are built from, and the pages.
//!
//! The crates come as `cargo vendor` writes them, those for Windows included.
//! They are an eighth of the archive, and Cargo does not resolve a workspace
//! without them; nothing in `vendor/` differs from what crates.io has.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header, HeaderMode};
use tempfile::{NamedTempFile, TempDir};

use crate::course::Course;
use crate::site::{self, Edition};

/// The folder in the archive that holds all of it, and the archive's name.
pub const NAME: &str = "unix-sockets-book";

/// What to do with the archive.
const START: &str = include_str!("start.txt");

const CONFIG: &str = ".cargo/config.toml";

/// An archive that is complete, and has no name yet. It is removed when it is
/// dropped.
pub struct Archive {
    file: NamedTempFile,
    dest: PathBuf,
    report: String,
}

/// Makes an archive that will be at `dest`, where nothing may be yet.
///
/// In it are the repository's files as git knows them, committed or not, and
/// none that git ignores; all crates of `Cargo.lock`, in `vendor/`; the pages,
/// in `site/`; and `START.txt`. Cargo downloads the crates that are not on
/// this machine, those for other systems among them.
///
/// # Errors
///
/// A `dest` that exists or cannot be written, a folder that is no git
/// repository, a book that cannot be built, and what `cargo vendor` says.
pub fn make(course: &Course, dest: &Path) -> anyhow::Result<Archive> {
    let cannot_write = || format!("cannot write {}", dest.display());
    refuse_existing(dest).with_context(cannot_write)?;
    let root = &course.root;
    // Before there is any file of ours.
    let known = git_files(root, &["--cached"])?;
    let new = git_files(root, &["--others", "--exclude-standard"])?;

    let folder = match dest.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let file = tempfile::Builder::new()
        .prefix(".pack-")
        // As other files are made: what umask(2) leaves of this.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .with_context(cannot_write)?;
    let temporary = TempDir::new().context("cannot make a folder")?;
    let replacement = vendor(root, temporary.path())?;
    let config = config(root, &replacement)?;
    let site = temporary.path().join("site");
    site::build(course, Edition::Reader, &site, &[])?;

    let names = known.iter().chain(&new).map(PathBuf::as_path);
    fill(file.as_file(), root, names, temporary.path(), &config)
        .with_context(cannot_write)?;
    Ok(Archive { report: report(&file, &new)?, file, dest: dest.to_owned() })
}

impl Archive {
    /// Gives it its name; returns what to tell about it.
    ///
    /// # Errors
    ///
    /// That there is a file of this name by now.
    pub fn keep(self) -> anyhow::Result<String> {
        let Self { file, dest, report } = self;
        file.persist_noclobber(&dest)
            .with_context(|| format!("cannot write {}", dest.display()))?;
        Ok(format!("{report}written to {}", dest.display()))
    }
}

fn refuse_existing(dest: &Path) -> anyhow::Result<()> {
    match dest.symlink_metadata() {
        Ok(_) => bail!(
            "it exists already; move it away, or name another file with --dest"
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The names of files in the repository, by `git ls-files`.
fn git_files(root: &Path, which: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        run(command.current_dir(root).args(arguments))
            .context("the files to pack are those that git knows")
    };
    let prefix = git(&["rev-parse", "--show-prefix"])?;
    ensure!(
        prefix.stdout.trim_ascii().is_empty(),
        "the files to pack are those that git knows, and {} is no git \
         repository of its own: make the archive in a clone",
        root.display()
    );
    let listed = git(&[&["ls-files", "-z", "--deduplicate"], which].concat())?;
    let names = listed.stdout.split(|byte| *byte == 0);
    let names = names.filter(|name| !name.is_empty());
    Ok(names.map(|name| OsStr::from_bytes(name).into()).collect())
}

/// Puts all crates into `vendor` in a folder; returns the settings with which
/// Cargo takes them from there.
fn vendor(root: &Path, folder: &Path) -> anyhow::Result<String> {
    // Set by Cargo for all that it runs.
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = run(Command::new(cargo)
        .current_dir(folder)
        .args(["vendor", "--locked", "--versioned-dirs", "--manifest-path"])
        .arg(root.canonicalize()?.join("Cargo.toml"))
        .arg("vendor"))?;
    Ok(String::from_utf8(output.stdout)?)
}

/// The repository's settings for Cargo and, after them, `replacement`.
fn config(root: &Path, replacement: &str) -> anyhow::Result<String> {
    let own = match fs::read_to_string(root.join(CONFIG)) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        own => own.context(CONFIG)?,
    };
    let config = format!(
        "{own}\n# All crates are in vendor/: nothing is downloaded.\n\
         {replacement}"
    );
    // The same table may be in both.
    config.parse::<toml::Table>().with_context(|| {
        format!("{CONFIG} does not go with what cargo vendor adds to it")
    })?;
    Ok(config)
}

/// Runs `command` to its end.
fn run(command: &mut Command) -> anyhow::Result<Output> {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or_default().display();
    let first = command.get_args().next().unwrap_or_default().display();
    let name = format!("{program} {first}");
    let output =
        command.output().with_context(|| format!("cannot run {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`{name}` has failed: {}",
        said.trim_ascii()
    );
    Ok(output)
}

/// Writes the whole archive: what is named in `root`, and the folders that
/// were made in `temporary`.
fn fill<'n>(
    file: &File,
    root: &Path,
    names: impl Iterator<Item = &'n Path>,
    temporary: &Path,
    config: &str,
) -> io::Result<()> {
    let gzip = GzEncoder::new(BufWriter::new(file), Compression::default());
    let mut archive = Builder::new(gzip);
    // Nothing of this machine: no users, no times.
    archive.mode(HeaderMode::Deterministic);
    archive.follow_symlinks(false);
    let start = START.replace("{RUST}", env!("CARGO_PKG_RUST_VERSION"));
    append(&mut archive, "START.txt", &start)?;
    append(&mut archive, CONFIG, config)?;
    for name in names {
        let path = root.join(name);
        // A file that git knows may have been removed.
        if name != Path::new(CONFIG) && path.symlink_metadata().is_ok() {
            archive.append_path_with_name(path, Path::new(NAME).join(name))?;
        }
    }
    for folder in ["vendor", "site"] {
        let from = temporary.join(folder);
        // There is none for a workspace without dependencies.
        if from.exists() {
            archive.append_dir_all(Path::new(NAME).join(folder), from)?;
        }
    }
    archive.into_inner()?.finish()?.flush()
}

fn append(
    archive: &mut Builder<impl Write>,
    name: &str,
    text: &str,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(text.len() as u64);
    let path = Path::new(NAME).join(name);
    archive.append_data(&mut header, path, text.as_bytes())
}

/// What is to be told about an archive.
fn report(file: &NamedTempFile, new: &[PathBuf]) -> anyhow::Result<String> {
    let mut report = String::new();
    for name in new {
        report += &format!("not in git yet: {}\n", name.display());
    }
    let megabytes = file.as_file().metadata()?.len() as f64 / 1e6;
    Ok(report + &format!("{megabytes:.1} MB, "))
}
