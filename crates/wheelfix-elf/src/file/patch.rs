//! One file, read, planned, checked, written and checked again.

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::SystemTime;

use serde::Serialize;

use crate::edit::{EditError, Plan, Request};
use crate::error::ReadError;
use crate::file::apply::ApplyError;
use crate::file::attributes;
use crate::file::temporary::temporary_file;
use crate::read::elf::Elf;
use crate::source::FileSource;
use crate::verify::{Checked, Names, Violation, verify_source};

/// Why a file was not edited. It is as it was, unless the error is [`ApplyError::Undo`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// The file cannot be read as an ELF file.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The edits cannot be made.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The path does not lead to a regular file.
    #[error("expected a regular file, got {got}")]
    NotRegular {
        /// The kind of file that is there, with its article.
        got: &'static str,
    },
    /// Something else wrote to the file after its edit was planned.
    #[error("the file has changed after its edit was planned")]
    Changed,
    /// The writes failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The written file is not as planned. It was restored.
    #[error("the written file differs from the planned one; it was restored")]
    Differs {
        /// The rules that it breaks.
        violations: Vec<Violation>,
    },
    /// An operation on the file failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl PatchError {
    /// Whether the editor is at fault, and not the file, the request or the system: it planned or wrote what it must not.
    pub fn is_our_fault(&self) -> bool {
        matches!(
            self,
            Self::Edit(EditError::Violations { .. }) | Self::Differs { .. }
        )
    }
}

/// The result of an edit: its plan, and how the file was written.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The plan; [`Plan::is_noop`] tells whether anything was done.
    pub plan: Plan,
    /// How the file was written.
    pub method: Method,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Not at all: it was as asked for.
    Untouched,
    /// In place; every byte that was overwritten was kept until the result was checked.
    InPlace,
    /// A copy was edited and took the file's name, because the file has other names too or is running.
    Replaced,
}

/// Plans and checks an edit without making it: refuses what [`patch_file`] would refuse.
pub fn plan_file(path: &Path, request: &Request) -> Result<Plan, PatchError> {
    FileEdit::plan(path, request).map(FileEdit::into_plan)
}

/// Edits the file at `path`.
///
/// A file with several names (hard links) keeps its bytes under the other names. Mode and owner stay; a file that may not be
/// written is made writable for the time of the edit, if the user may do that. The time of change is left to the caller.
pub fn patch_file(path: &Path, request: &Request) -> Result<Outcome, PatchError> {
    let edit = FileEdit::plan(path, request)?;
    let method = edit.apply(path)?;
    let plan = edit.into_plan();
    Ok(Outcome { plan, method })
}

/// Writes the edited file to `output`, which takes the mode of the file at `path`; that one stays as it is.
///
/// `output` appears whole or not at all; it is written also if there is nothing to change. A symbolic link there is
/// followed, as by anything that opens a file for writing.
pub fn patch_file_to(path: &Path, output: &Path, request: &Request) -> Result<Outcome, PatchError> {
    let edit = FileEdit::plan(path, request)?;
    match fs_err::canonicalize(output) {
        Ok(output) => {
            check_regular(fs_err::metadata(&output)?.file_type())?;
            edit.replace(path, &output)?;
        }
        Err(_) => edit.replace(path, output)?,
    }
    Ok(Outcome {
        plan: edit.into_plan(),
        method: Method::Replaced,
    })
}

/// Opens a file for reading if it is a regular one: opening a pipe would wait for its other end, and a device may do
/// anything.
pub fn open_regular(path: &Path) -> Result<FileSource, PatchError> {
    check_regular(fs_err::metadata(path)?.file_type())?;
    let source = FileSource::open(path)?;
    check_regular(source.file().metadata()?.file_type())?;
    Ok(source)
}

/// An edit of a file that is planned and checked, to be made once the edits of all others are.
#[derive(Clone, Debug)]
pub struct FileEdit {
    plan: Plan,
    /// The rules that the result breaks, because the file did so before.
    known: Vec<Violation>,
    /// How the names of symbols were checked.
    names: Names,
    /// When the file was changed last.
    modified: SystemTime,
}

impl FileEdit {
    /// Plans and checks the edit of the file at `path`.
    pub fn plan(path: &Path, request: &Request) -> Result<Self, PatchError> {
        let source = open_regular(path)?;
        let elf = Elf::read(&source)?;
        let plan = Plan::new(&source, &elf, request)?;
        let mut checked = Checked::default();
        if !plan.is_noop() {
            checked = plan.check(&source)?;
            if !checked.new.is_empty() {
                return Err(EditError::Violations {
                    violations: checked.new,
                }
                .into());
            }
        }
        let Checked {
            all: known, names, ..
        } = checked;
        let modified = source.file().metadata()?.modified()?;
        Ok(Self {
            plan,
            known,
            names,
            modified,
        })
    }

    /// The plan.
    pub fn as_plan(&self) -> &Plan {
        &self.plan
    }

    /// The plan, without what a check of the result needs.
    pub fn into_plan(self) -> Plan {
        self.plan
    }

    /// Makes the edit. The file at `path` has the bytes for which it was planned.
    pub fn apply(&self, path: &Path) -> Result<Method, PatchError> {
        if self.plan.is_noop() {
            return Ok(Method::Untouched);
        }
        if !self.needs_copy(path)? {
            match self.apply_in_place(path) {
                // It could not be told before the file was made writable.
                Err(PatchError::Io(error)) if is_running(&error) => {}
                result => return result.map(|()| Method::InPlace),
            }
        }
        let path = fs_err::canonicalize(path)?;
        self.write_to(&path, &path)?;
        Ok(Method::Replaced)
    }

    /// Whether the file at `path` cannot be written to: it has other names too, which are not to change, or is running.
    pub fn needs_copy(&self, path: &Path) -> io::Result<bool> {
        let open = || fs_err::OpenOptions::new().write(true).open(path);
        Ok(fs_err::metadata(path)?.nlink() > 1 || open().is_err_and(|error| is_running(&error)))
    }

    /// Makes the edit in the file itself: it stays the one that it is.
    pub fn apply_in_place(&self, path: &Path) -> Result<(), PatchError> {
        let metadata = self.refuse_changed(path)?;
        let file = open_for_writing(path, &metadata)?;
        let attributes = attributes::read(file.file());
        let result = self.write_in_place(&file);
        // Writing takes the set-user-ID bit and capabilities away; and the mode may have been changed to open the file.
        let restored = restore_mode(&file, &metadata);
        attributes::restore(file.file(), &attributes);
        result?;
        Ok(restored?)
    }

    /// Writes the edited file to `output`, which appears whole or not at all; the file at `path` stays as it is.
    pub fn write_to(&self, path: &Path, output: &Path) -> Result<(), PatchError> {
        self.refuse_changed(path)?;
        self.replace(path, output)
    }

    fn refuse_changed(&self, path: &Path) -> Result<std::fs::Metadata, PatchError> {
        let metadata = fs_err::metadata(path)?;
        check_regular(metadata.file_type())?;
        if metadata.modified()? != self.modified {
            return Err(PatchError::Changed);
        }
        Ok(metadata)
    }

    fn write_in_place(&self, file: &fs_err::File) -> Result<(), PatchError> {
        let applied = self.plan.apply(file)?;
        let checked = self.check_written(file);
        if checked.is_err() {
            applied.undo(file)?;
        }
        checked
    }

    /// Reads the result back and checks it.
    fn check_written(&self, file: &fs_err::File) -> Result<(), PatchError> {
        let written = FileSource::new(file.try_clone()?)?;
        let violations = verify_source(&written, self.names)?;
        let as_planned = self.plan.is_written(&written)?;
        if violations == self.known && as_planned {
            return Ok(());
        }
        Err(PatchError::Differs { violations })
    }

    /// Writes what the file at `from` becomes beside `path` and renames it.
    fn replace(&self, from: &Path, path: &Path) -> Result<(), PatchError> {
        let dir = path
            .parent()
            .filter(|dir| !dir.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let source = open_regular(from)?;
        let metadata = source.file().metadata()?;
        let temporary = temporary_file(dir)?;
        let (file, temporary_path) = temporary.into_parts();
        let file = fs_err::File::from_parts(file, temporary_path.to_path_buf());
        copy_all(&source, &file)?;
        // The copy is thrown away if anything fails, so that nothing has to be taken back.
        drop(self.plan.apply(&file)?);
        if !self.plan.is_noop() {
            self.check_written(&file)?;
        }
        let owner = file.metadata()?;
        if (owner.uid(), owner.gid()) != (metadata.uid(), metadata.gid()) {
            // Only root may give files away; others keep what they write.
            std::os::unix::fs::fchown(file.file(), Some(metadata.uid()), Some(metadata.gid())).ok();
        }
        file.set_permissions(metadata.permissions())?;
        attributes::restore(file.file(), &attributes::read(source.file().file()));
        temporary_path.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Whether a file cannot be written because a program runs from it.
fn is_running(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ExecutableFileBusy
}

fn check_regular(kind: std::fs::FileType) -> Result<(), PatchError> {
    use std::os::unix::fs::FileTypeExt as _;
    let got = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_block_device() || kind.is_char_device() => "a device",
        _ => "something else",
    };
    Err(PatchError::NotRegular { got })
}

pub(crate) fn open_for_writing(
    path: &Path,
    metadata: &std::fs::Metadata,
) -> io::Result<fs_err::File> {
    let open = || fs_err::OpenOptions::new().read(true).write(true).open(path);
    match open() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let mode = metadata.permissions().mode();
            // Only the owner may do this; for anybody else the first error tells more.
            if fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode | 0o200)).is_err()
            {
                return Err(error);
            }
            let opened = open();
            if opened.is_err() {
                fs_err::set_permissions(path, metadata.permissions())?;
            }
            opened
        }
        opened => opened,
    }
}

fn restore_mode(file: &fs_err::File, metadata: &std::fs::Metadata) -> io::Result<()> {
    let mode = metadata.permissions().mode();
    if file.metadata()?.permissions().mode() != mode {
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Copies a file: by sharing its blocks where the file system can do that.
fn copy_all(source: &FileSource, file: &fs_err::File) -> io::Result<()> {
    if rustix::fs::ioctl_ficlone(file.file(), source.file().file()).is_ok() {
        return Ok(());
    }
    let mut from = source.file();
    let mut to = file;
    io::Seek::seek(&mut from, io::SeekFrom::Start(0))?;
    io::copy(&mut from, &mut to)?;
    Ok(())
}
