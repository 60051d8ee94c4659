//! The resources that a finished process has used.

use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fs_err::File;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use wait4::Wait4 as _;

use crate::failure::Result;
use crate::program;

/// Time between two looks at a running process.
const INTERVAL: Duration = Duration::from_millis(2);

/// The resources that a process has used, with the children it waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// From start to end.
    pub(crate) wall: Duration,
    /// User and system time of all threads.
    pub(crate) cpu: Duration,
    /// Largest resident set in bytes, pages of mapped files included. Never less than our own at
    /// the time of the start, a few megabytes.
    pub(crate) peak_rss: u64,
    /// Largest resident anonymous memory in bytes that was seen at one of the looks, without that
    /// of children.
    pub(crate) peak_anonymous: u64,
    /// Bytes that were passed to system calls that write, also by children it waited for.
    pub(crate) written: u64,
}

/// Runs the command with its output going to a file, and fails if it does, with that output.
pub(crate) fn measure(command: &mut Command, log: &Path) -> Result<Usage> {
    let start = Instant::now();
    let child = spawn(command, log)?;
    let (finished, peak_anonymous, written) = wait(child)?;
    let wall = start.elapsed();
    check(command, finished.status, log)?;
    Ok(Usage {
        wall,
        cpu: finished.rusage.utime + finished.rusage.stime,
        peak_rss: finished.rusage.maxrss,
        peak_anonymous,
        written,
    })
}

/// Like [`measure`], but nobody looks at the process meanwhile: for processes of milliseconds.
pub(crate) fn time(command: &mut Command, log: &Path) -> Result<Duration> {
    let start = Instant::now();
    let status = spawn(command, log)?.wait()?;
    let wall = start.elapsed();
    check(command, status, log)?;
    Ok(wall)
}

fn spawn(command: &mut Command, log: &Path) -> Result<Child> {
    let output = File::create(log)?.into_parts().0;
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let child = command.spawn();
    Ok(child.map_err(|error| format!("failed to run `{}`: {error}", program::show(command)))?)
}

/// Fails with what the command printed if it has failed.
fn check(command: &Command, status: ExitStatus, log: &Path) -> Result {
    if status.success() {
        return Ok(());
    }
    let output = fs_err::read_to_string(log)?;
    let text = program::show(command);
    Err(format!("`{text}`: {status}\n{}", output.trim_end()).into())
}

/// Bytes in millions, for tables.
#[expect(clippy::cast_precision_loss, reason = "a few digits are printed")]
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Waits, looking at the process's memory meanwhile.
fn wait(child: Child) -> Result<(wait4::ResUse, u64, u64)> {
    let [status, io] = ["status", "io"].map(|name| format!("/proc/{}/{name}", child.id()));
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let id = id.ok_or("the process has no number")?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(anonymous(Path::new(&status)));
                thread::sleep(INTERVAL);
            }
            peak
        });
        // Leaves the process there, ended: its numbers can still be read.
        let ended = waitid(
            WaitId::Pid(id),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        );
        let written = field(Path::new(&io), "wchar:");
        let finished = child.wait4();
        done.store(true, Ordering::Relaxed);
        let peak = watcher.join().map_err(|_| "the watching thread panicked")?;
        ended.map_err(io::Error::from)?;
        Ok((finished?, peak, written))
    })
}

/// `RssAnon` in bytes; 0 once the process has ended.
fn anonymous(status: &Path) -> u64 {
    field(status, "RssAnon:") * 1024
}

/// The number behind a name in one of the texts of `/proc`; 0 without one.
fn field(path: &Path, name: &str) -> u64 {
    let text = fs_err::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured() {
        let log = std::env::temp_dir().join(format!("wheelfix-usage-{}", std::process::id()));
        // 40 MB that are touched, held for a while.
        let script = "x=$(head -c 40000000 /dev/zero | tr '\\0' a); sleep 0.05";
        let usage = measure(Command::new("sh").args(["-c", script]), &log).unwrap();
        assert!(Duration::from_millis(50) <= usage.wall);
        assert!(40_000_000 <= usage.peak_rss && usage.peak_rss < 1_000_000_000);
        assert!(40_000_000 <= usage.written && usage.written < 100_000_000);
        assert!(40_000_000 <= usage.peak_anonymous && usage.peak_anonymous <= usage.peak_rss);
        let failure = measure(
            Command::new("sh").args(["-c", "echo why >&2; exit 4"]),
            &log,
        );
        let text = failure.unwrap_err().to_string();
        assert_eq!(text, "`sh -c 'echo why >&2; exit 4'`: exit status: 4\nwhy");
        fs_err::remove_file(&log).unwrap();
    }
}
