//! The programs that rewrite a file after us.

use std::path::Path;

use super::platform::Platform;
use super::tool::Tool;

/// A way to strip a file.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Stripper {
    /// `strip`: all symbols.
    Strip,
    /// `strip -g`: debug information.
    StripDebug,
    /// `llvm-strip`.
    LlvmStrip,
    /// `eu-strip`.
    EuStrip,
    /// `llvm-strip` of LLVM 19.
    LlvmStrip19,
}

impl Stripper {
    /// Every way; the stripper of binutils knows this machine only.
    pub fn all(platform: Platform) -> impl Iterator<Item = Self> {
        [
            Self::Strip,
            Self::StripDebug,
            Self::LlvmStrip,
            Self::EuStrip,
        ]
        .into_iter()
        .filter(move |stripper| {
            platform.is_native() || matches!(stripper, Self::LlvmStrip | Self::EuStrip)
        })
    }

    /// Writes a stripped copy; `Err` has what the program said, warnings included.
    pub fn strip(self, input: &Path, output: &Path) -> Result<(), String> {
        let (input, output) = (input.to_str().unwrap(), output.to_str().unwrap());
        let outcome = match self {
            Self::Strip => Tool::STRIP.run(&[input, "-o", output]),
            Self::StripDebug => Tool::STRIP.run(&["-g", input, "-o", output]),
            Self::LlvmStrip => Tool::LLVM_STRIP.run(&[input, "-o", output]),
            Self::EuStrip => Tool::EU_STRIP.run(&[input, "-o", output]),
            Self::LlvmStrip19 => Tool::LLVM_STRIP_19.run(&[input, "-o", output]),
        };
        if outcome.code == Some(0) && outcome.stderr.is_empty() {
            Ok(())
        } else {
            Err(outcome.to_string())
        }
    }
}
