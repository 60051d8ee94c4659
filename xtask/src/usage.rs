//! What a finished process has used.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fs_err::File;
use wait4::Wait4 as _;

use crate::failure::Result;
use crate::program;

/// Time between two looks at a running process.
const INTERVAL: Duration = Duration::from_millis(2);

/// What a process has used, with the children it waited for.
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
}

/// Runs the command with its output going to a file, and fails if it does, with that output.
pub(crate) fn measure(command: &mut Command, log: &Path) -> Result<Usage> {
    let text = program::show(command);
    let output = File::create(log)?.into_parts().0;
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let start = Instant::now();
    let child = command
        .spawn()
        .map_err(|error| format!("failed to run `{text}`: {error}"))?;
    let (finished, peak_anonymous) = wait(child)?;
    let wall = start.elapsed();
    if !finished.status.success() {
        let output = fs_err::read_to_string(log)?;
        return Err(format!("`{text}`: {}\n{}", finished.status, output.trim_end()).into());
    }
    Ok(Usage {
        wall,
        cpu: finished.rusage.utime + finished.rusage.stime,
        peak_rss: finished.rusage.maxrss,
        peak_anonymous,
    })
}

/// Bytes in millions, for tables.
#[expect(clippy::cast_precision_loss, reason = "a few digits are printed")]
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Waits, looking at the process's memory meanwhile.
fn wait(child: Child) -> Result<(wait4::ResUse, u64)> {
    let status = format!("/proc/{}/status", child.id());
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
        let finished = child.wait4();
        done.store(true, Ordering::Relaxed);
        let peak = watcher.join().map_err(|_| "the watching thread panicked")?;
        Ok((finished?, peak))
    })
}

/// `RssAnon` in bytes; 0 once the process has ended.
fn anonymous(status: &Path) -> u64 {
    let text = fs_err::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
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
