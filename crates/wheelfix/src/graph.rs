//! Pictures of who needs whom, drawn by Graphviz.

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;
use wheelfix_archive::{Digest, ExtractError, ExtractItem, Silent, extract};
use wheelfix_format::is_wheel_name;
use wheelfix_install::{Staging, scan_clean};
use wheelfix_link::{Graph, Rules, Tree};
use wheelfix_loader::{FileView, Place, Target, existing_path};
use wheelfix_wheel::{Placement, Wheel, WheelError};

use crate::error::Error;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
enum GraphError {
    #[error("a picture is a `.dot` or a `.svg` file, got `{}`", .0.display())]
    Kind(PathBuf),
    #[error("`{}` is not a wheel, directory or ELF file, or there are no libraries in it", .0.display())]
    Subject(PathBuf),
    #[error(
        "failed to run `dot`: install Graphviz (`apt-get install graphviz`, `nix-shell -p graphviz`), or write a `.dot` file"
    )]
    NoGraphviz(#[source] io::Error),
    #[error("`dot` failed: {0}")]
    Graphviz(String),
}

/// Where the libraries of a wheel are said to be: no name of a temporary directory is in the picture.
const IN_WHEEL: &str = "/wheel/site-packages";

/// Draws the libraries below a path or in a wheel.
pub(crate) fn draw(subject: &Path, picture: &Path, jobs: NonZeroUsize) -> Result<(), Error> {
    let extension = picture.extension().unwrap_or_default();
    if extension != "dot" && extension != "svg" {
        return Err(Error::refused(GraphError::Kind(picture.to_owned())));
    }
    let Some(graph) = read(subject, jobs)? else {
        return Err(Error::refused(GraphError::Subject(subject.to_owned())));
    };
    let graph = graph.to_string();
    let bytes = if extension == "dot" {
        graph.into_bytes()
    } else {
        svg(&graph).map_err(Error::environment)?
    };
    fs::write(picture, bytes)?;
    Ok(())
}

/// The graph of the libraries below a path or in a wheel; `None` if there are none.
pub(crate) fn read(subject: &Path, jobs: NonZeroUsize) -> Result<Option<Graph>, Error> {
    let path = existing_path(subject)?;
    // It goes when this returns, or when a signal ends the run.
    let scratch = Staging::never(Path::new(IN_WHEEL), true).map_err(Error::environment)?;
    let place = if is_wheel_name(&path) {
        unpack(&path, scratch.root(), jobs)?;
        Place {
            on_disk: scratch.root().to_owned(),
            used_at: PathBuf::from(IN_WHEEL),
        }
    } else {
        Place::fixed(path)
    };
    let tree = scan_clean(std::slice::from_ref(&place), Tree::scan_all);
    let tree = tree.map_err(Error::environment)?;
    if tree.is_empty() {
        return Ok(None);
    }
    let rules = Rules::shipped().map_err(Error::refused)?;
    let target = Target::unknown(PathBuf::from("/run/opengl-driver/lib"));
    let view = FileView::new(vec![place]);
    Ok(Some(Graph::new(&tree, &view, &target, &rules)))
}

/// Writes the ELF files of a wheel into a directory, as they lie in it.
fn unpack(wheel: &Path, root: &Path, jobs: NonZeroUsize) -> Result<(), Error> {
    let wheel = Wheel::open(wheel).map_err(|error| match error {
        WheelError::Io(error) => error.into(),
        error => Error::refused(error),
    })?;
    let elf = wheel.elf_files();
    wheel.check_source()?;
    let numbers: Vec<usize> = elf.iter().map(|member| member.file.index).collect();
    let mut items = Vec::new();
    for member in wheel.members() {
        if let Placement::File { path, .. } = member.placement
            && numbers.contains(&member.file.index)
        {
            items.push(ExtractItem {
                archive: wheel.archive(),
                member: member.file,
                dst: path.clone(),
                executable: false,
                digest: Digest::Skip,
                prioritized: false,
            });
        }
    }
    extract(&items, root, jobs, &Silent).map_err(|error| match error {
        ExtractError::Content(_) => Error::refused(error),
        _ => Error::environment(error),
    })?;
    Ok(())
}

fn svg(graph: &str) -> Result<Vec<u8>, GraphError> {
    #[expect(clippy::disallowed_methods, reason = "Graphviz lays the picture out")]
    let mut command = Command::new("dot");
    command.arg("-Tsvg").stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut dot = command.spawn().map_err(GraphError::NoGraphviz)?;
    // It reads everything before it writes.
    let written = match dot.stdin.take() {
        Some(mut stdin) => stdin.write_all(graph.as_bytes()),
        None => Ok(()),
    };
    let output = dot.wait_with_output().map_err(GraphError::NoGraphviz)?;
    if output.status.success() && written.is_ok() {
        Ok(output.stdout)
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(GraphError::Graphviz(said.trim().to_owned()))
    }
}
