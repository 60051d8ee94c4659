//! The end of a run by a signal.
//!
//! Nothing that works looks whether it is to stop. On a signal the process becomes another one, by `exec`, which ends
//! all threads wherever they are; that one removes temporary files and takes edits back, as any later run
//! does after one that was killed. So there is one way to clean up, and it is the one that has to work anyway.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use crate::error;

/// The name by which the program calls itself after a signal.
const NAME: &str = "wheelfix-after-signal";

/// The signals that end a run.
const SIGNALS: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// How often a directory is tried in which a program that was started writes still, and the time between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(40);

/// Held while something is done that nobody could take back later.
static UNBROKEN: RwLock<()> = RwLock::new(());

/// Lets signals wait until this is dropped.
pub(crate) fn unbroken() -> RwLockReadGuard<'static, ()> {
    UNBROKEN.read().unwrap_or_else(PoisonError::into_inner)
}

/// From now on signals end the run with nothing left behind, and the code 128 + signal. One that is ignored, as under
/// `nohup`, stays so.
pub(crate) fn handle() -> Result<(), error::Error> {
    let ignored = ignored();
    let mut signals = Signals::new(SIGNALS.iter().filter(|signal| !is_in(ignored, **signal)))?;
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            end(signal);
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait)?;
    Ok(())
}

/// The signals that are ignored, a bit each from 1; none where the system does not tell.
fn ignored() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

fn is_in(mask: u64, signal: i32) -> bool {
    mask & (1 << (signal - 1)) != 0
}

#[expect(clippy::exit, reason = "the other threads are not asked")]
fn end(signal: i32) {
    let _unbroken = UNBROKEN.write().unwrap_or_else(PoisonError::into_inner);
    // Held to the end, so that nothing more is made.
    let in_use = wheelfix_install::in_use();
    if !in_use.is_empty() {
        #[expect(clippy::disallowed_methods, reason = "the program becomes itself")]
        let mut program = Command::new("/proc/self/exe");
        program
            .arg0(NAME)
            .arg(signal.to_string())
            .args(in_use.iter());
        // Without /proc it stays what it is, and a later run cleans up.
        drop(program.exec());
    }
    std::process::exit(128 + signal);
}

/// Cleans up if the program has called itself after a signal; returns the code to exit with.
pub(crate) fn after_signal(mut args: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    if args.next()? != NAME {
        return None;
    }
    for signal in SIGNALS {
        flag::register(signal, Arc::new(AtomicBool::new(false))).ok();
    }
    let signal: u8 = args.next()?.to_str()?.parse().ok()?;
    args.map(PathBuf::from).for_each(|path| clean_up(&path));
    Some(ExitCode::from(128_u8.saturating_add(signal)))
}

fn clean_up(path: &Path) {
    for _ in 0..TRIES {
        if let Err(error) = wheelfix_install::clean_up(path) {
            error::print("error", [error::chain(&error)]);
            return;
        }
        if !path.try_exists().unwrap_or(false) {
            return;
        }
        thread::sleep(PAUSE);
    }
}
