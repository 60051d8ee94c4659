//! The name of a wheel that was linked, which must not promise more than it holds.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use wheelfix_format::{PlatformTag, WheelFilename};
use wheelfix_link::{LinkPlan, RunPathEdit};
use wheelfix_loader::real_path;

use crate::pipeline::error::OutputNameError;

/// The directory and the name of an output.
#[derive(Debug)]
pub(crate) struct Output {
    /// Absolute; it need not exist yet.
    pub(crate) directory: PathBuf,
    /// The file name; `None` if one is to be chosen.
    name: Option<OsString>,
}

impl Output {
    /// A path that ends in `.whl` or names a file, and no directory, names a wheel, any other a directory.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let path = real_path(path)?;
        let is_wheel = path.extension().is_some_and(|extension| extension == "whl");
        if path.is_dir() || !(is_wheel || path.is_file()) {
            return Ok(Self {
                directory: path,
                name: None,
            });
        }
        Ok(Self {
            directory: path.parent().unwrap_or(&path).to_owned(),
            name: path.file_name().map(ToOwned::to_owned),
        })
    }
}

/// The name of the output, chosen here if only a directory is given.
pub(crate) fn of_output(
    input: &WheelFilename,
    output: &Output,
    link_plan: &LinkPlan,
) -> Result<WheelFilename, OutputNameError> {
    let file_name = output.name.clone().unwrap_or_default();
    let invalid = |source| OutputNameError::Filename {
        path: output.directory.join(&file_name),
        source: Box::new(source),
    };
    let name = if output.name.is_none() {
        None
    } else {
        let name: WheelFilename = file_name.to_string_lossy().parse().map_err(invalid)?;
        let is_same = name.name() == input.name() && name.version() == input.version();
        if !is_same || name.stem() != input.stem() {
            return Err(OutputNameError::Other {
                expected: input.stem().to_owned(),
                got: name.to_string(),
            });
        }
        Some(name)
    };
    if !leads_outside(link_plan) {
        return Ok(name.unwrap_or_else(|| input.clone()));
    }
    let plain = plain(name.as_ref().unwrap_or(input));
    match name {
        Some(name) if name.to_string() == plain => Ok(name),
        Some(_) => Err(OutputNameError::Platform { expected: plain }),
        None => plain.parse().map_err(invalid),
    }
}

/// Whether a library names a directory or a loader outside of the wheel.
fn leads_outside(link_plan: &LinkPlan) -> bool {
    link_plan.edits().any(|object| {
        let path = match &object.edit.run_path {
            Some(RunPathEdit::Set(path)) => path.elements.as_slice(),
            Some(RunPathEdit::Remove) | None => &[],
        };
        object.edit.interpreter.is_some() || path.iter().any(|element| element.starts_with('/'))
    })
}

/// The name with tags that promise nothing of the system but its machine.
fn plain(name: &WheelFilename) -> String {
    let tags = name.tags();
    let mut platforms: Vec<String> = tags
        .platforms()
        .iter()
        .map(|tag| match PlatformTag::parse(tag) {
            PlatformTag::Linux { arch, .. } => format!("linux_{arch}"),
            PlatformTag::Any | PlatformTag::Other(_) => {
                format!("linux_{}", std::env::consts::ARCH)
            }
        })
        .collect();
    platforms.sort();
    platforms.dedup();
    let build = name.build().map(|build| format!("-{build}"));
    let variant = name.variant().map(|label| format!("-{label}"));
    format!(
        "{}{}-{}-{}-{}{}.whl",
        name.stem(),
        build.unwrap_or_default(),
        tags.pythons().join("."),
        tags.abis().join("."),
        platforms.join("."),
        variant.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::python_version;

    #[track_caller]
    fn check(name: &str, want: &str, want_python: &str) {
        let name: WheelFilename = name.parse().unwrap();
        assert_eq!(plain(&name), want);
        assert_eq!(python_version(&name).to_string(), want_python);
    }

    #[test]
    fn plain_tags_name_the_machine_alone() {
        check(
            "a_b-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "a_b-1.0-cp311-cp311-linux_x86_64.whl",
            "3.11",
        );
        check(
            "a-1-2x-py2.py3-none-musllinux_1_1_aarch64.whl",
            "a-1-2x-py2.py3-none-linux_aarch64.whl",
            "3.0",
        );
    }
}
