//! Whether a wheel whose name says Linux was made for another system: its file was renamed.

use wheelfix_archive::Member;
use wheelfix_format::{PlatformTag, TagSet};

use crate::Wheel;
use crate::elf_members::is_text;

/// A wheel whose name says Linux, and whose files are for another system.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the name says Linux, but the wheel is for {system}: `{path}` is {format}, and no file is ELF"
)]
pub struct ForeignWheel {
    /// The name of the system that its files are for.
    pub system: &'static str,
    /// One of these files.
    pub path: String,
    format: &'static str,
}

/// The format of a file, by its first bytes.
enum Format {
    Elf,
    /// The system that has it, and its name.
    Of(&'static str, &'static str),
    Other,
}

impl Format {
    /// A Java class begins as a fat Mach-O file does.
    fn of(magic: &[u8], path: &str) -> Self {
        match magic {
            b"\x7fELF" => Self::Elf,
            [b'M', b'Z', ..] => Self::Of("Windows", "PE"),
            b"\xfe\xed\xfa\xce" | b"\xfe\xed\xfa\xcf" | b"\xce\xfa\xed\xfe"
            | b"\xcf\xfa\xed\xfe" => Self::Of("macOS", "Mach-O"),
            b"\xca\xfe\xba\xbe" if extension(path) != "class" => Self::Of("macOS", "Mach-O"),
            _ => Self::Other,
        }
    }
}

impl Wheel {
    /// The other system that the wheel is for, although all platforms in its name are Linux.
    ///
    /// None of its files is an ELF file then, and an extension module is for the other system, or the tags in
    /// `WHEEL` are and any file is. Libraries and launchers for Windows in wheels for every system, as in
    /// setuptools, say nothing.
    pub fn foreign(&self) -> Option<ForeignWheel> {
        let tags = self.filename().tags().platforms().iter();
        let mut platforms = tags.map(|tag| PlatformTag::parse(tag));
        if !platforms.all(|platform| matches!(platform, PlatformTag::Linux { .. })) {
            return None;
        }
        let files = self.archive().members_by_path();
        let mut files: Vec<&Member> = files.filter(|file| !is_text(file)).collect();
        // Most wheels for Linux have such files, and the first one decides.
        files.sort_by_key(|file| !is_module(file.path.as_str()));
        let mut found: Option<ForeignWheel> = None;
        for file in files {
            let path = file.path.as_str();
            let magic = self.archive().read_prefix(file, 4).unwrap_or_default();
            match Format::of(&magic, path) {
                Format::Elf => return None,
                Format::Of(system, format) if found.is_none() => {
                    let path = path.to_owned();
                    found = Some(ForeignWheel {
                        system,
                        path,
                        format,
                    });
                }
                Format::Of(..) | Format::Other => {}
            }
        }
        found.filter(|found| is_module(&found.path) || self.has_foreign_tags())
    }

    /// Whether `WHEEL` has tags, and none that is for Linux or for every system.
    fn has_foreign_tags(&self) -> bool {
        let sets = self.wheel_file().tags.iter();
        let mut platforms = sets.flat_map(TagSet::platforms).peekable();
        platforms.peek().is_some()
            && platforms.all(|tag| matches!(PlatformTag::parse(tag), PlatformTag::Other(_)))
    }
}

/// Whether a file is an extension module by its name, or a library that is one of no system but Linux.
fn is_module(path: &str) -> bool {
    matches!(extension(path), "so" | "pyd")
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}
