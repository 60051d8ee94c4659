//! The outputs of a derivation beside `out`.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use fs_err as fs;
use walkdir::WalkDir;
use wheelfix_format::{Record, RecordError};
use wheelfix_install::Layout;
use wheelfix_loader::{STORE, existing_path};

use crate::builder::attributes::Attributes;
use crate::error::{Error, print};

/// Refuses outputs that are there already.
pub(crate) fn refuse_existing(attributes: &Attributes) -> Result<(), Error> {
    let mut existing = Vec::new();
    for name in attributes.outputs() {
        if let Some(path) = attributes.output(name)
            && fs::symlink_metadata(path).is_ok()
        {
            existing.push((name, path));
        }
    }
    if existing.is_empty() {
        return Ok(());
    }
    print(
        "error",
        existing.iter().map(|(name, path)| {
            format!("the output `{name}` exists already: `{}`", path.display())
        }),
    );
    print(
        "hint",
        [
            "in the .nix file nothing but wheelfix may write to an output; inside of \
            `stdenv.mkDerivation` use the hooks instead of `wheelfix builder`",
        ],
    );
    Err(Error::Reported)
}

/// Removes the outputs, as far as they are there, so that a build that fails leaves nothing.
pub(crate) fn remove(attributes: &Attributes) {
    for path in attributes
        .outputs()
        .filter_map(|name| attributes.output(name))
    {
        // Why the build failed is told; Nix removes what is left.
        fs::remove_dir_all(path).ok();
    }
}

/// Refuses outputs that nothing would be written to.
pub(crate) fn refuse_unknown(attributes: &Attributes, known: &[&str]) -> Result<(), Error> {
    let unknown: Vec<&str> = attributes
        .outputs()
        .filter(|name| !known.contains(name))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    print(
        "error",
        unknown
            .iter()
            .map(|name| format!("nothing is written to the output `{name}`")),
    );
    let known: Vec<String> = known.iter().map(|name| format!("\"{name}\"")).collect();
    let known = known.join(", ");
    print(
        "hint",
        [format!("in the .nix file `outputs` may name {known}")],
    );
    Err(Error::Reported)
}

/// Why an output beside `out` was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// A RECORD that was just written cannot be read.
    #[error("`{}` cannot be read back", .0.display())]
    Record(PathBuf, Vec<RecordError>),
    /// The tree cannot be listed.
    #[error(transparent)]
    Walk(#[from] walkdir::Error),
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Links the wheels in the output `dist`, where nixpkgs would keep copies of them.
pub(crate) fn link_wheels<'a>(
    dist: &Path,
    wheels: impl Iterator<Item = (&'a Path, &'a str)>,
) -> io::Result<()> {
    fs::create_dir(dist)?;
    for (path, name) in wheels {
        symlink(path, dist.join(name))?;
    }
    Ok(())
}

/// Writes what makes stdenv show a package to the builds of pyproject.nix, where it may be a build system.
pub(crate) fn write_setup_hook(out: &Path, layout: &Layout) -> io::Result<()> {
    let directory = out.join("nix-support");
    fs::create_dir_all(&directory)?;
    let site = out.join(layout.site_packages());
    let text = format!(
        "addToSearchPath NIX_PYPROJECT_PYTHONPATH {}\n",
        site.display()
    );
    fs::write(directory.join("setup-hook"), text)
}

/// Puts wheels into the output `dist`, as links if they lie in the store and as copies if they were
/// made in this build.
pub(crate) fn keep_wheels(dist: &Path, wheels: &[PathBuf]) -> io::Result<()> {
    fs::create_dir_all(dist)?;
    for wheel in wheels {
        let source = existing_path(wheel)?;
        let to = dist.join(wheel.file_name().unwrap_or_default());
        if source.starts_with(STORE) {
            symlink(source, to)?;
        } else {
            fs::copy(source, to)?;
        }
    }
    Ok(())
}

/// Moves the headers to the output `dev`, and lists them in no RECORD any more.
pub(crate) fn move_headers(out: &Path, dev: &Path) -> Result<(), OutputError> {
    fs::create_dir(dev)?;
    let headers = out.join("include");
    if !headers.try_exists()? {
        return Ok(());
    }
    fs::rename(&headers, dev.join("include"))?;
    for entry in WalkDir::new(out.join("lib")).min_depth(4).max_depth(4) {
        let entry = entry?;
        if entry.file_name() == "RECORD" {
            forget_headers(entry.path())?;
        }
    }
    Ok(())
}

fn forget_headers(path: &Path) -> Result<(), OutputError> {
    let text = fs::read_to_string(path)?;
    let mut record =
        Record::parse(&text).map_err(|faults| OutputError::Record(path.to_owned(), faults))?;
    let rows = record.rows.len();
    record
        .rows
        .retain(|row| !row.path.starts_with("../../../include/"));
    if record.rows.len() < rows {
        fs::write(path, record.to_string())?;
    }
    Ok(())
}
