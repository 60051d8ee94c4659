//! Running programs.

use std::env;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::failure::Result;
use crate::place;

/// A command that runs cargo in the root of the workspace.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(args).current_dir(place::root());
    command
}

/// Echoes the command, runs it with our own output streams, and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result {
    let text = show(command);
    eprintln!("$ {text}");
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("failed to run `{text}`: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{text}`: {status}").into())
    }
}

/// Like [`run`], but the command's output goes through our hands; returns its lines.
pub(crate) fn run_and_read(command: &mut Command) -> Result<Vec<String>> {
    let text = show(command);
    eprintln!("$ {text}");
    let (reader, writer) = io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let child = command.spawn();
    // The pipe ends when nobody holds its other end any more, the command included.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child.map_err(|error| format!("failed to run `{text}`: {error}"))?;
    let mut lines = Vec::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        lines.push(line);
    }
    let status = child.wait()?;
    if status.success() {
        Ok(lines)
    } else {
        Err(format!("`{text}`: {status}").into())
    }
}

/// Runs the command silently and returns its standard output; its standard error is part of the
/// failure.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let text = show(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("failed to run `{text}`: {error}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{text}`: {}\n{}", output.status, stderr.trim_end()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first executable file of this name on `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| {
            let metadata = fs_err::metadata(file);
            metadata.is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        })
}

/// The command as a person would type it, without the changes to its environment.
pub(crate) fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy()));
    let quoted: Vec<String> = words
        .iter()
        .map(|word| {
            if word.is_empty() || word.contains([' ', '\n', '*', '"']) {
                format!("'{word}'")
            } else {
                word.to_string()
            }
        })
        .collect();
    quoted.join(" ")
}
