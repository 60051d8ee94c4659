//! Progress on long work: a bar on a terminal, nothing elsewhere.

use std::io::{self, IsTerminal as _};

use wheelfix_install::{Event, Phase};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error that counts bytes.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

/// A phase that reads or writes so many bytes.
const WITH_BYTES: &str =
    "{msg:10} {wide_bar} {bytes:>10} / {total_bytes:10} {bytes_per_sec:>12} {elapsed:>4}";

/// A phase of which nobody knows how long it takes.
const WITHOUT_BYTES: &str = "{msg:10} {spinner} {elapsed:>4}";

impl Progress {
    /// A bar for the given number of bytes; hidden when `quiet` or when nobody watches.
    pub(crate) fn bytes(quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), target(quiet));
        let progress = Self { bar };
        progress.set_template(WITHOUT_BYTES);
        progress
    }

    /// Shows what the pipeline does.
    pub(crate) fn show(&self, event: Event) {
        match event {
            Event::Phase { phase, bytes } => {
                let template = if bytes == 0 {
                    WITHOUT_BYTES
                } else {
                    WITH_BYTES
                };
                // A bar with bytes is never drawn before it has their number.
                self.bar.set_length(bytes);
                self.bar.set_position(0);
                self.bar.set_message(name(phase));
                self.set_template(template);
            }
            Event::Bytes(bytes) => self.bar.inc(bytes),
            _ => {}
        }
    }

    /// The templates are constants; without a style the bar still counts.
    fn set_template(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Read => "reading",
        Phase::Extract => "extracting",
        Phase::Plan => "planning",
        Phase::Apply => "editing",
        Phase::Compile => "compiling",
        Phase::Verify => "proving",
        Phase::Publish => "publishing",
        _ => "working",
    }
}

fn target(quiet: bool) -> ProgressDrawTarget {
    if quiet || !io::stderr().is_terminal() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    }
}
