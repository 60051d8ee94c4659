//! Programs, with a limit on the time they take.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs the command and returns its standard output, or what it said instead.
pub(crate) fn succeed(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{}: {stderr}", output.status))
}

/// How a program ended that is to print something short.
#[derive(Debug)]
pub(crate) enum Ending {
    Success,
    /// With the last line of its standard error.
    Failure(String),
    /// It did not end in time.
    Endless,
}

/// Runs the command for at most that long.
pub(crate) fn run_for(command: &mut Command, limit: Duration) -> Ending {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    // Read aside, so that a full pipe holds up nothing.
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stderr.read_to_end(&mut bytes).ok();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            if status.success() {
                return Ending::Success;
            }
            let text = reader.join().unwrap();
            let last = text.lines().last().unwrap_or_default();
            return Ending::Failure(format!("{status}: {last}"));
        }
        if limit < start.elapsed() {
            child.kill().unwrap();
            child.wait().unwrap();
            return Ending::Endless;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
