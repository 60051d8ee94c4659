//! Runs that are ended by signals at moments drawn from a seed.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use wheelfix_testkit::random::Random;

use crate::scene::{Scene, State};

impl Scene {
    /// The scenes by name.
    pub(crate) const NAMES: [&'static str; 6] =
        ["install", "merge", "env", "patch", "unbundle", "wheel"];

    /// Breaks runs off by signals at moments drawn from a seed; returns how many ended by theirs.
    pub(crate) fn kill(&self, seed: u64, kills: u64) -> usize {
        let (before, want, whole) = self.undisturbed();
        let mut random = Random(seed);
        let mut ended = 0;
        for number in 0..kills {
            self.reset();
            let signal = [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP][random.below(4)];
            let moment = whole * u32::try_from(random.below(1000)).unwrap() / 1000;
            let when = format!("seed {seed}, number {number}, {signal:?} after {moment:?}");
            let status = self.break_off(signal, moment, &when);
            ended += usize::from(!status.success());
            let got = self.state();
            if signal != Signal::KILL {
                assert!(got == before || got == want, "{when}: partial");
                self.is_clean(&when);
            }
            self.heals(&want, &when);
        }
        ended
    }

    /// The states before and after a run, and how long it takes.
    fn undisturbed(&self) -> (State, State, Duration) {
        let mut whole = Duration::MAX;
        let mut before = State::new();
        for _ in 0..3 {
            self.reset();
            before = self.state();
            let start = Instant::now();
            assert!(self.command().status().unwrap().success());
            whole = whole.min(start.elapsed());
        }
        (before, self.state(), whole)
    }

    fn break_off(&self, signal: Signal, moment: Duration, when: &str) -> ExitStatus {
        let mut child = self.command().spawn().unwrap();
        std::thread::sleep(moment);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let start = Instant::now();
        let status = child.wait().unwrap();
        // A second, and as much again for a machine that has other work.
        let took = start.elapsed();
        assert!(took < Duration::from_secs(4), "{when}: took {took:?}");
        let number = signal.as_raw();
        let is_ended = status.code() == Some(128 + number) || status.signal() == Some(number);
        assert!(is_ended || status.success(), "{when}: {status}");
        status
    }
}
