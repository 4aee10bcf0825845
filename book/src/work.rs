//! The learner's folder, `work/`, and what is put into it so that nothing of
//! theirs is ever lost.
//!
//! What is put there is made under another name, `.unfinished-NAME-XXXXXX`,
//! written to the disk, and then renamed. A run that is killed leaves such a
//! folder behind, or an empty `before-…`, and both may be removed at any time.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail, ensure};
use jiff::Zoned;
use rustix::fs::CWD;
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
use rustix::fs::{RenameFlags, renameat_with};
use rustix::io::Errno;
use tempfile::TempDir;

use crate::course::Course;
use crate::problem::Problem;

/// The name of the learner's project in their folder.
pub const PROJECT: &str = "unix_sockets";

/// Files with their paths, relative to the folder that they are for.
pub type Files = Vec<(PathBuf, Vec<u8>)>;

/// The learner's folder: `work/` in the repository, or what a link of that
/// name leads to. It is made when something is put into it.
#[derive(Debug, Clone)]
pub struct Work {
    path: PathBuf,
}

/// What [`Work::replace`] has done.
#[derive(Debug)]
pub struct Replaced {
    /// The new folder.
    pub new: PathBuf,
    /// Where that is now which had this name before, if there was something.
    pub before: Option<PathBuf>,
}

impl Work {
    /// That of this course. Nothing is read or written yet.
    pub fn of(course: &Course) -> Self {
        Self { path: course.root.join("work") }
    }

    /// Its path. There may be nothing yet, or something that is no folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a new folder `name` with these files into it; returns its path.
    ///
    /// Whole or not at all: the folder gets its name when all is written. When
    /// this returns, it survives a loss of power.
    ///
    /// # Errors
    ///
    /// That something has this name already (a file, a folder, a link that
    /// leads nowhere, …), which stays as it is; that `work` cannot be made or
    /// written, or the disk is full. Nothing has changed then.
    pub fn create(
        &self,
        name: &str,
        files: &[(PathBuf, Vec<u8>)],
    ) -> anyhow::Result<PathBuf> {
        let path = self.entry(name)?;
        self.make()?;
        self.stage(name, files)?.put(&path)?;
        self.sync()?;
        Ok(path)
    }

    /// Puts a new folder `name` with these files in the place of what has this
    /// name, which is set aside as by [`Work::set_aside`].
    ///
    /// Nothing is moved before the new folder is complete. Between the two
    /// renames there is a moment in which nothing has this name: a run that is
    /// killed then leaves all that was there in the dated folder.
    ///
    /// # Errors
    ///
    /// Those of [`Work::create`] and [`Work::set_aside`]. What had this name
    /// still has it then, or the error says where it is.
    pub fn replace(
        &self,
        name: &str,
        files: &[(PathBuf, Vec<u8>)],
    ) -> anyhow::Result<Replaced> {
        let new = self.entry(name)?;
        self.make()?;
        let staged = self.stage(name, files)?;
        let before = self.set_aside(name)?;
        staged.put(&new).with_context(|| match &before {
            Some(before) => {
                format!("what was there is in {} now", shown(before))
            }
            None => cannot_write(&new),
        })?;
        self.sync()?;
        Ok(Replaced { new, before })
    }

    /// Moves what has this name to `before-2026-11-23-101530/NAME`, which is
    /// named after the local time, and says where it is now; `None` if there is
    /// nothing. When two come in the same second, the second one goes to
    /// `before-2026-11-23-101530-2`.
    ///
    /// It is moved as a whole, whatever it is, and nothing in it is touched. Of
    /// a link, the link is moved, and not what it leads to.
    ///
    /// # Errors
    ///
    /// That `work` is no folder or cannot be written. What was there is still
    /// there, or the error says where it was moved to.
    pub fn set_aside(&self, name: &str) -> anyhow::Result<Option<PathBuf>> {
        let path = self.entry(name)?;
        self.refuse_other_than_folder()?;
        if !is_there(&path)? {
            return Ok(None);
        }
        let folder = self.dated_folder()?;
        let aside = folder.join(name);
        // The folder is ours and new, so there is nothing that this replaces.
        if let Err(error) = fs::rename(&path, &aside) {
            // If there is something in it, it is not ours to remove.
            let _ = fs::remove_dir(&folder);
            // Another command was faster.
            if error.kind() == ErrorKind::NotFound {
                return Ok(None);
            }
            return Err(error)
                .with_context(|| format!("cannot move {}", shown(&path)));
        }
        sync(&folder)
            .and_then(|()| self.sync())
            .with_context(|| format!("moved to {}", shown(&aside)))?;
        Ok(Some(aside))
    }

    fn entry(&self, name: &str) -> anyhow::Result<PathBuf> {
        let mut parts = Path::new(name).components();
        let is_one_name = matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(part)), None) if part == name
        );
        ensure!(is_one_name, "`{name}` is no name for a folder in work/");
        Ok(self.path.join(name))
    }

    fn make(&self) -> anyhow::Result<()> {
        self.refuse_other_than_folder()?;
        match fs::create_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error)
                .with_context(|| format!("cannot make {}", self.shown())),
            Ok(()) => self.path.parent().map_or(Ok(()), sync),
        }
    }

    fn refuse_other_than_folder(&self) -> anyhow::Result<()> {
        let cannot_use = || format!("cannot use {}", self.shown());
        match fs::metadata(&self.path) {
            Ok(file) if file.is_dir() => Ok(()),
            Ok(_) => bail!(
                "{} is no folder, and your own programs go into a folder of \
                 this name: move it away",
                self.shown()
            ),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                ensure!(
                    !self.path.is_symlink(),
                    "{} is a link that leads nowhere: make the folder that it \
                     leads to, or remove the link",
                    self.shown()
                );
                Ok(())
            }
            Err(error) => Err(error).with_context(cannot_use),
        }
    }

    fn dated_folder(&self) -> anyhow::Result<PathBuf> {
        let date = Zoned::now().strftime("before-%Y-%m-%d-%H%M%S").to_string();
        let mut folder = self.path.join(&date);
        for number in 2.. {
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    folder = self.path.join(format!("{date}-{number}"));
                }
                Err(error) => {
                    return Err(error).with_context(|| {
                        format!("cannot make {}", shown(&folder))
                    });
                }
                Ok(()) => break,
            }
        }
        Ok(folder)
    }

    /// Writes the files into a new folder beside where they are to go.
    fn stage(
        &self,
        name: &str,
        files: &[(PathBuf, Vec<u8>)],
    ) -> anyhow::Result<Staged> {
        let folder = tempfile::Builder::new()
            .prefix(&format!(".unfinished-{name}-"))
            // What the umask leaves of it, as for every folder.
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in(&self.path)
            .with_context(|| format!("cannot write {}", self.shown()))?;
        let mut folders = vec![folder.path().to_owned()];
        for (path, content) in files {
            ensure!(
                is_inside(path),
                "{} is no path of a file in a folder",
                shown(path)
            );
            let mut parent = folder.path().to_owned();
            for part in path.parent().into_iter().flat_map(Path::components) {
                parent.push(part);
                if !folders.contains(&parent) {
                    fs::create_dir(&parent)
                        .with_context(|| cannot_write(&parent))?;
                    folders.push(parent.clone());
                }
            }
            let path = folder.path().join(path);
            write_new(&path, content).with_context(|| cannot_write(&path))?;
        }
        for folder in &folders {
            sync(folder)?;
        }
        Ok(Staged(folder))
    }

    fn sync(&self) -> anyhow::Result<()> {
        sync(&self.path)
    }

    fn shown(&self) -> String {
        shown(&self.path)
    }
}

/// A complete folder that has not its name yet. It is removed when it is
/// dropped.
struct Staged(TempDir);

impl Staged {
    /// Gives it its name.
    fn put(self, path: &Path) -> anyhow::Result<()> {
        match rename_new(self.0.path(), path) {
            Ok(()) => {
                // There is nothing to remove any more.
                let _ = self.0.keep();
                Ok(())
            }
            // A folder that is not empty, or a file: what rename(2) says.
            Err(
                Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR | Errno::ISDIR,
            ) => bail!(exists(path)),
            Err(error) => Err(io::Error::from(error))
                .with_context(|| format!("cannot make {}", shown(path))),
        }
    }
}

/// A path as it is to be typed where the command was: relative, if it is in the
/// current folder.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

fn exists(path: &Path) -> String {
    format!(
        "{} exists already, and stays as it is: rename it, or move it away",
        shown(path)
    )
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", shown(path))
}

/// Whether something has this path, be it a link that leads nowhere.
fn is_there(path: &Path) -> anyhow::Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => {
            Err(error).with_context(|| format!("cannot read {}", shown(path)))
        }
    }
}

/// Whether a path leads to something in the folder that it starts from.
fn is_inside(path: &Path) -> bool {
    path.file_name().is_some()
        && path.components().all(|part| matches!(part, Component::Normal(_)))
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes what was done in a folder survive a loss of power, where the file
/// system can (EINVAL says that it cannot; see fsync(2)).
fn sync(folder: &Path) -> anyhow::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() != ErrorKind::InvalidInput => {
            Err(error).with_context(|| cannot_write(folder))
        }
        _ => Ok(()),
    }
}

/// Renames, and replaces nothing.
///
/// Where the system or the file system cannot promise that (see the errors of
/// renameat2(2)), a look before is all that there is. Something that appears
/// between the look and the rename is refused by rename(2) if it is no folder
/// or not empty, and `from` is a folder. An empty folder is replaced.
fn rename_new(from: &Path, to: &Path) -> Result<(), Errno> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::NOSYS | Errno::INVAL | Errno::NOTSUP) => {}
        done => return done,
    }
    rename_after_a_look(from, to)
}

fn rename_after_a_look(from: &Path, to: &Path) -> Result<(), Errno> {
    if to.symlink_metadata().is_ok() {
        return Err(Errno::EXIST);
    }
    rustix::fs::renameat(CWD, from, CWD, to)
}

/// The files of a Cargo package of its own, apart from the book's workspace:
/// `Cargo.toml`, `Cargo.lock` and the sources.
///
/// The edition and the versions and features of the dependencies are those of
/// the book's workspace, and the lock file has the same packages, so that it
/// builds offline with what Cargo has downloaded for the book.
///
/// `dependencies` are names under `[workspace.dependencies]`; `sources` have
/// paths such as `src/bin/server.rs`.
///
/// # Errors
///
/// That the workspace's manifest or lock file cannot be read, or one of the
/// dependencies is not in it, or is in the lock file in two versions.
pub fn package(
    course: &Course,
    name: &str,
    dependencies: &[&str],
    sources: Files,
) -> Result<Files, Problem> {
    let read = |file: &str| {
        fs::read_to_string(course.root.join(file)).map_err(|error| {
            Problem::new(file, 0, format!("cannot read this file: {error}"))
        })
    };
    let manifest = manifest(&read("Cargo.toml")?, name, dependencies)
        .map_err(|message| Problem::new("Cargo.toml", 0, message))?;
    let lock = lock(&read("Cargo.lock")?, name, dependencies)
        .map_err(|message| Problem::new("Cargo.lock", 0, message))?;
    let mut files = vec![
        (PathBuf::from("Cargo.toml"), manifest.into_bytes()),
        (PathBuf::from("Cargo.lock"), lock.into_bytes()),
    ];
    files.extend(sources);
    Ok(files)
}

/// A manifest with dependencies as the workspace's manifest has them.
fn manifest(
    workspace: &str,
    name: &str,
    dependencies: &[&str],
) -> Result<String, String> {
    let parsed = table(workspace)?;
    let workspace_table = parsed.get("workspace");
    let edition = workspace_table
        .and_then(|workspace| {
            workspace.get("package")?.get("edition")?.as_str()
        })
        .ok_or("no `edition` under [workspace.package]")?;
    let known = workspace_table
        .and_then(|workspace| workspace.get("dependencies")?.as_table());
    let mut text = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\n\
         edition = \"{edition}\"\n\n[dependencies]\n"
    );
    for dependency in dependencies {
        let value = known.and_then(|known| known.get(*dependency)).ok_or_else(
            || format!("no `{dependency}` under [workspace.dependencies]"),
        )?;
        text += &format!("{dependency} = {}\n", inline(value));
    }
    text += "\n# A workspace of its own, and not a part of the book's.\n\
             [workspace]\n";
    Ok(text)
}

/// A value of a manifest, in one line.
fn inline(value: &toml::Value) -> String {
    match value {
        toml::Value::Table(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(key, _)| *key != "version");
            let entries: Vec<String> = entries
                .into_iter()
                .map(|(key, value)| format!("{key} = {}", inline(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        toml::Value::Array(values) => {
            let values: Vec<String> = values.iter().map(inline).collect();
            format!("[{}]", values.join(", "))
        }
        // What versions and features have in them needs no other escapes than
        // Rust's.
        toml::Value::String(text) => format!("{text:?}"),
        toml::Value::Boolean(value) => value.to_string(),
        toml::Value::Integer(value) => value.to_string(),
        toml::Value::Float(value) => value.to_string(),
        toml::Value::Datetime(value) => value.to_string(),
    }
}

/// A package in a lock file.
struct Locked<'a> {
    /// Its lines, without the `[[package]]` above them.
    text: &'a str,
    name: String,
    version: String,
    /// Names, with a version where there are several.
    dependencies: Vec<String>,
}

/// A lock file with a new package of this name, and of the workspace's lock
/// file what that needs.
fn lock(
    workspace: &str,
    name: &str,
    dependencies: &[&str],
) -> Result<String, String> {
    let mut parts = workspace.split("[[package]]\n");
    let head = parts.next().unwrap_or_default();
    let all = parts.map(Locked::read).collect::<Result<Vec<_>, _>>()?;
    let mut wanted: Vec<&str> = dependencies.to_vec();
    let mut needed: Vec<&Locked> = Vec::new();
    while let Some(dependency) = wanted.pop() {
        let mut fits = all.iter().filter(|package| package.is(dependency));
        let package = match (fits.next(), fits.next()) {
            (Some(package), None) => package,
            (None, _) => return Err(format!("no package `{dependency}`")),
            (Some(_), Some(_)) => {
                return Err(format!("several packages `{dependency}`"));
            }
        };
        if !needed.iter().any(|known| std::ptr::eq(*known, package)) {
            needed.push(package);
            wanted.extend(package.dependencies.iter().map(String::as_str));
        }
    }
    let mut packages: Vec<(&str, &str, String)> = needed
        .iter()
        .map(|package| {
            let text = package.text.trim_end().to_owned();
            (package.name.as_str(), package.version.as_str(), text)
        })
        .collect();
    let mut names = dependencies.to_vec();
    names.sort_unstable();
    let mut own = format!("name = \"{name}\"\nversion = \"0.1.0\"");
    if !names.is_empty() {
        own += "\ndependencies = [\n";
        for name in names {
            own += &format!(" \"{name}\",\n");
        }
        own += "]";
    }
    packages.push((name, "0.1.0", own));
    packages.sort();
    let mut text = head.trim_end().to_owned();
    for (_, _, package) in packages {
        text += &format!("\n\n[[package]]\n{package}");
    }
    text += "\n";
    Ok(text)
}

impl<'a> Locked<'a> {
    fn read(text: &'a str) -> Result<Self, String> {
        let package = table(text)?;
        let word = |key: &str| {
            let word = package.get(key).and_then(toml::Value::as_str);
            word.map(str::to_owned)
                .ok_or_else(|| format!("a package without a {key}"))
        };
        let dependencies = package.get("dependencies");
        let dependencies = dependencies.and_then(toml::Value::as_array);
        let dependencies = dependencies.into_iter().flatten();
        Ok(Self {
            text,
            name: word("name")?,
            version: word("version")?,
            dependencies: dependencies
                .filter_map(|name| Some(name.as_str()?.to_owned()))
                .collect(),
        })
    }

    /// Whether this is what a lock file means by `name` or `name version`.
    fn is(&self, dependency: &str) -> bool {
        let mut words = dependency.split(' ');
        words.next() == Some(&self.name)
            && words.next().is_none_or(|version| version == self.version)
    }
}

/// Reads a manifest, or a part of a lock file.
pub(crate) fn table(text: &str) -> Result<toml::Table, String> {
    text.parse().map_err(|error: toml::de::Error| {
        format!("cannot read this: {}", error.message())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As on a file system that knows no better.
    #[test]
    fn a_rename_after_a_look_replaces_nothing() {
        let sandbox = harness::Sandbox::new();
        let from = sandbox.join("from");
        fs::create_dir(&from).unwrap();
        fs::create_dir(sandbox.join("empty")).unwrap();
        fs::write(sandbox.join("file"), "text").unwrap();
        std::os::unix::fs::symlink("nowhere", sandbox.join("link")).unwrap();
        for name in ["empty", "file", "link"] {
            let renamed = rename_after_a_look(&from, &sandbox.join(name));
            assert_eq!(renamed, Err(Errno::EXIST), "{name}");
        }
        assert_eq!(sandbox.files(), ["empty", "file", "from", "link"]);
        assert_eq!(rename_after_a_look(&from, &sandbox.join("new")), Ok(()));
        assert_eq!(sandbox.files(), ["empty", "file", "link", "new"]);
    }
}
