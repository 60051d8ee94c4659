//! The path of an archive member: the only door from a name in an archive to a path on disk.

use std::cmp::Ordering;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization as _;

/// Longest part of a path, in bytes: what file systems accept (`NAME_MAX`).
const MAX_PART_LEN: usize = 255;

/// Longest path, in bytes: leaves room for a prefix below the kernel's `PATH_MAX` of 4096.
const MAX_LEN: usize = 3072;

/// Most parts of a path; real packages have fewer than 20.
const MAX_PARTS: usize = 128;

/// The beginning of the names of temporary files.
const TEMPORARY: &str = ".wheelfix-";

/// The path of a member, relative to the directory it is unpacked to, with `/` as separator.
///
/// Never empty or absolute, no part is empty, `.` or `..`, and it holds no backslash and no control
/// character, so joining it to a directory stays below that directory.
///
/// Paths are ordered part by part: a directory comes directly before what is below it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct MemberPath(Box<str>);

/// Why a name cannot be the path of a member.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MemberPathError {
    /// The name is empty.
    #[error("name is empty")]
    Empty,
    /// The name begins with a slash.
    #[error("name must be relative")]
    Absolute,
    /// The name begins with a drive letter.
    #[error("name begins with a drive letter: `{0}`")]
    DriveLetter(String),
    /// The name holds a backslash, which is a separator elsewhere.
    #[error("name holds a backslash")]
    Backslash,
    /// The name holds a NUL, a line break or another control character.
    #[error("name holds the control character U+{:04X}", u32::from(*.0))]
    Control(char),
    /// The name holds a character that is invisible or reorders the text around it.
    #[error("name holds the invisible character U+{:04X}", u32::from(*.0))]
    Invisible(char),
    /// Two slashes follow each other, or the name ends in one.
    #[error("name has an empty part")]
    EmptyPart,
    /// A part is `.`.
    #[error("name has the part `.`")]
    CurrentDir,
    /// A part is `..`.
    #[error("name has the part `..`")]
    ParentDir,
    /// A part is a name of our own for files on their way, which later runs remove.
    #[error("name has a part that begins with `{TEMPORARY}`, which is for temporary files")]
    Temporary,
    /// A part is longer than file systems accept.
    #[error("name has a part of {got} bytes, expected at most {MAX_PART_LEN}")]
    PartTooLong {
        /// Length of the first such part, in bytes.
        got: usize,
    },
    /// The name as a whole is too long.
    #[error("name has {got} bytes, expected at most {MAX_LEN}")]
    TooLong {
        /// Length of the name, in bytes.
        got: usize,
    },
    /// The name has too many parts.
    #[error("name has {got} parts, expected at most {MAX_PARTS}")]
    TooDeep {
        /// Number of parts.
        got: usize,
    },
}

impl MemberPath {
    /// Checks `name` and makes it a path.
    pub fn new(name: &str) -> Result<Self, MemberPathError> {
        check(name)?;
        Ok(Self(name.into()))
    }

    /// The path with `/` as separator.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path for the file system; relative.
    pub fn as_path(&self) -> &Path {
        Path::new(&*self.0)
    }

    /// The parts from the outermost directory to the file name; never empty.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&*self.0, |(_, name)| name)
    }

    /// The directory it lies in; `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once('/')?;
        Some(Self(parent.into()))
    }

    /// The path of `below`, a path relative to this directory.
    pub fn join(&self, below: &Self) -> Result<Self, MemberPathError> {
        Self::new(&format!("{}/{}", self.0, below.0))
    }

    /// The rest of the path after the directory `dir`; `None` if the path is not below it.
    pub fn strip_prefix(&self, dir: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(&*dir.0)?.strip_prefix('/')?;
        Some(Self(rest.into()))
    }

    /// Whether it lies in the directory `dir` or deeper; a path is not below itself.
    pub fn is_below(&self, dir: &Self) -> bool {
        self.0
            .strip_prefix(&*dir.0)
            .is_some_and(|rest| rest.starts_with('/'))
    }

    /// Whether a part is the name of a device on Windows, where opening it never gives a file.
    pub fn has_device(&self) -> bool {
        self.parts().any(is_device)
    }

    /// A key that is equal for two paths which a file system may hold to be the same file: one that
    /// ignores case or normalises Unicode.
    pub fn collision_key(&self) -> String {
        collision_key(&self.0)
    }
}

impl FromStr for MemberPath {
    type Err = MemberPathError;

    fn from_str(name: &str) -> Result<Self, MemberPathError> {
        Self::new(name)
    }
}

impl fmt::Display for MemberPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<Path> for MemberPath {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

impl AsRef<str> for MemberPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Ord for MemberPath {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl PartialOrd for MemberPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl serde::Serialize for MemberPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// See [`MemberPath::collision_key`].
pub(crate) fn collision_key(path: &str) -> String {
    if path.is_ascii() {
        return path.to_ascii_lowercase();
    }
    path.nfd().flat_map(char::to_lowercase).nfc().collect()
}

/// Compares part by part, by making the separator the lowest of all bytes.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
    let common = left.bytes().zip(right.bytes()).find(|(l, r)| l != r);
    match common {
        Some((l, r)) => rank(l).cmp(&rank(r)),
        None => left.len().cmp(&right.len()),
    }
}

fn check(name: &str) -> Result<(), MemberPathError> {
    if name.is_empty() {
        return Err(MemberPathError::Empty);
    }
    if MAX_LEN < name.len() {
        return Err(MemberPathError::TooLong { got: name.len() });
    }
    check_characters(name)?;
    if name.starts_with('/') {
        return Err(MemberPathError::Absolute);
    }
    if let [letter, b':', ..] = name.as_bytes()
        && letter.is_ascii_alphabetic()
    {
        return Err(MemberPathError::DriveLetter(name.chars().take(2).collect()));
    }
    let mut count = 0;
    for part in name.split('/') {
        check_part(part)?;
        count += 1;
    }
    if MAX_PARTS < count {
        return Err(MemberPathError::TooDeep { got: count });
    }
    Ok(())
}

fn check_characters(name: &str) -> Result<(), MemberPathError> {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\\';
    if name.bytes().all(plain) {
        return Ok(());
    }
    for c in name.chars() {
        if c == '\\' {
            return Err(MemberPathError::Backslash);
        }
        if c.is_control() {
            return Err(MemberPathError::Control(c));
        }
        if is_invisible(c) {
            return Err(MemberPathError::Invisible(c));
        }
    }
    Ok(())
}

/// Line and paragraph separators, format characters (among them those that reorder text), tags and
/// noncharacters: what makes two names look the same or one name look like another.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
        || 0xfffe <= (u32::from(c) & 0xffff)
}

fn check_part(part: &str) -> Result<(), MemberPathError> {
    match part {
        "" => return Err(MemberPathError::EmptyPart),
        "." => return Err(MemberPathError::CurrentDir),
        ".." => return Err(MemberPathError::ParentDir),
        part if part.starts_with(TEMPORARY) => return Err(MemberPathError::Temporary),
        _ => {}
    }
    if MAX_PART_LEN < part.len() {
        return Err(MemberPathError::PartTooLong { got: part.len() });
    }
    Ok(())
}

/// Whether a part is a device name of Windows, which ignores case and spaces or dots at the end.
///
/// With an extension it is accepted: packages for Linux hold files like `aux.py`, and Windows has
/// opened those as files since version 11.
///
/// <https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file#naming-conventions>
fn is_device(part: &str) -> bool {
    let name = part.trim_end_matches([' ', '.', ':']);
    let is = |device: &str| name.eq_ignore_ascii_case(device);
    if ["con", "prn", "aux", "nul", "conin$", "conout$"]
        .into_iter()
        .any(is)
    {
        return true;
    }
    let mut chars = name.chars();
    let Some(number) = chars.next_back() else {
        return false;
    };
    matches!(number, '1'..='9' | '\u{b9}' | '\u{b2}' | '\u{b3}')
        && ["com", "lpt"]
            .iter()
            .any(|port| chars.as_str().eq_ignore_ascii_case(port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_name(name: &str, want: &str) {
        let got = match MemberPath::new(name) {
            Ok(path) => path.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, want, "for {name:?}");
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in [
            "a",
            "a/b.py",
            "a b/ü.txt",
            "日本/x",
            "ab:c",
            "x/c:",
            "...",
            "..a/b..",
            "~/x",
            "aux.py",
            "com0",
            "com",
            "-rf",
            " ",
        ] {
            check_name(name, name);
        }
    }

    #[test]
    fn names_that_leave_the_directory_are_refused() {
        check_name("", "error: name is empty");
        check_name("/etc/passwd", "error: name must be relative");
        check_name("../x", "error: name has the part `..`");
        check_name("a/../../x", "error: name has the part `..`");
        check_name("a/..", "error: name has the part `..`");
        check_name("./a", "error: name has the part `.`");
        check_name(
            "a/.wheelfix-aB3dEf/journal",
            "error: name has a part that begins with `.wheelfix-`, which is for temporary files",
        );
        check_name("a//b", "error: name has an empty part");
        check_name("a/", "error: name has an empty part");
        check_name("a\\..\\b", "error: name holds a backslash");
        check_name("c:/x", "error: name begins with a drive letter: `c:`");
        check_name("C:x", "error: name begins with a drive letter: `C:`");
    }

    #[test]
    fn names_that_deceive_are_refused() {
        check_name("a\0b", "error: name holds the control character U+0000");
        check_name("a\nb", "error: name holds the control character U+000A");
        check_name("a\u{85}b", "error: name holds the control character U+0085");
        check_name(
            "a\u{202e}b",
            "error: name holds the invisible character U+202E",
        );
        check_name(
            "\u{feff}a",
            "error: name holds the invisible character U+FEFF",
        );
    }

    #[test]
    fn devices_of_windows_are_known_by_name() {
        let has_device = |name| MemberPath::new(name).unwrap().has_device();
        for name in ["a/NUL", "con .", "Com1/x", "lpt²"] {
            assert!(has_device(name), "{name}");
        }
        for name in ["aux.py", "com0", "com", "console/x"] {
            assert!(!has_device(name), "{name}");
        }
    }

    #[test]
    fn names_that_no_file_system_takes_are_refused() {
        check_name(
            &"a".repeat(256),
            "error: name has a part of 256 bytes, expected at most 255",
        );
        check_name(
            &"abcdefg/".repeat(400),
            "error: name has 3200 bytes, expected at most 3072",
        );
        check_name(
            &["a"; 129].join("/"),
            "error: name has 129 parts, expected at most 128",
        );
    }

    #[test]
    fn parts_and_parents() {
        let path = MemberPath::new("a/b/c.py").unwrap();
        assert_eq!(path.parts().collect::<Vec<_>>(), ["a", "b", "c.py"]);
        assert_eq!(path.file_name(), "c.py");
        let parent = path.parent().unwrap();
        assert_eq!(parent.as_str(), "a/b");
        assert_eq!(parent.parent().unwrap().parent(), None);
        assert_eq!(path.strip_prefix(&parent).unwrap().as_str(), "c.py");
        assert_eq!(path.strip_prefix(&path), None);
        assert_eq!(path.strip_prefix(&MemberPath::new("a/b/c").unwrap()), None);
        assert_eq!(parent.join(&MemberPath::new("c.py").unwrap()), Ok(path));
    }

    #[test]
    fn a_directory_comes_directly_before_what_is_below() {
        let mut names =
            ["a-b", "a/b", "a", "a.b", "a/a", "A"].map(|name| MemberPath::new(name).unwrap());
        names.sort();
        assert_eq!(
            names.map(|path| path.to_string()),
            ["A", "a", "a/a", "a/b", "a-b", "a.b"]
        );
    }

    #[test]
    fn keys_ignore_case_and_normal_form() {
        let key = |name| MemberPath::new(name).unwrap().collision_key();
        assert_eq!(key("Pkg/Mod.py"), key("pkg/mod.py"));
        assert_eq!(key("caf\u{e9}"), key("CAFE\u{301}"));
        assert_ne!(key("a"), key("b"));
    }

    proptest! {
        #[test]
        fn an_accepted_name_stays_below_the_root(name in "[a./\\\\\\x00-\\x20:~NUL]{0,12}|\\PC{0,16}") {
            if let Ok(path) = MemberPath::new(&name) {
                prop_assert_eq!(path.as_str(), name.as_str());
                let normal = path.as_path().components()
                    .all(|part| matches!(part, std::path::Component::Normal(_)));
                prop_assert!(normal);
                prop_assert_eq!(path.as_path().components().count(), path.parts().count());
            }
        }

        #[test]
        fn the_order_is_that_of_the_parts(left in "[a-c/.-]{1,8}", right in "[a-c/.-]{1,8}") {
            let parts = |name: &str| name.split('/').map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(compare(&left, &right), parts(&left).cmp(&parts(&right)));
        }
    }
}
