//! Pictures of who needs whom, drawn by Graphviz.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;
use wheelfix_relocate::{Graph, Place, Rules, Target, Tree, World};

use crate::error::Error;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
enum GraphError {
    #[error("a picture is a `.dot` or a `.svg` file, got `{}`", .0.display())]
    Kind(PathBuf),
    #[error("`{}` is no directory or ELF file: install or unpack it first", .0.display())]
    Subject(PathBuf),
    #[error(
        "failed to run `dot`: install Graphviz (`apt-get install graphviz`, `nix-shell -p graphviz`), or write a `.dot` file"
    )]
    NoGraphviz(#[source] io::Error),
    #[error("`dot` failed: {0}")]
    Graphviz(String),
}

/// Draws the libraries below a path.
pub(crate) fn draw(subject: &Path, picture: &Path) -> Result<(), Error> {
    let extension = picture.extension().unwrap_or_default();
    if extension != "dot" && extension != "svg" {
        return Err(Error::refused(GraphError::Kind(picture.to_owned())));
    }
    let path = fs::canonicalize(subject)?;
    let tree = Tree::scan(&Place::fixed(path)).map_err(Error::environment)?;
    if tree.is_empty() {
        return Err(Error::refused(GraphError::Subject(subject.to_owned())));
    }
    let rules = Rules::shipped().map_err(Error::refused)?;
    let target = Target::unknown(PathBuf::from("/run/opengl-driver/lib"));
    let graph = Graph::new(&tree, &World::new(Vec::new()), &target, &rules).to_string();
    let bytes = if extension == "dot" {
        graph.into_bytes()
    } else {
        svg(&graph).map_err(Error::environment)?
    };
    fs::write(picture, bytes)?;
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
