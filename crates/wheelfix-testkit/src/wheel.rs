//! Valid wheels, made with the `zip` crate, and wheels that are wrong in one chosen place.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The type of a symbolic link in a Unix mode.
const LINK: u32 = 0o120_000;

/// Builds a wheel whose metadata and `RECORD` are right, unless it is told otherwise.
///
/// ```
/// use wheelfix_testkit::wheel::WheelBuilder;
///
/// let wheel = WheelBuilder::new("demo", "1.0")
///     .file("demo/__init__.py", "answer = 42\n")
///     .data("scripts/demo", "#!python\nprint(42)\n")
///     .entry_points("[console_scripts]\ndemo-cli = demo:main\n");
/// assert_eq!(wheel.file_name(), "demo-1.0-py3-none-any.whl");
/// assert!(wheel.build().starts_with(b"PK"));
/// ```
#[derive(Clone, Debug)]
pub struct WheelBuilder {
    name: String,
    version: String,
    build: Option<String>,
    tags: String,
    wheel: String,
    metadata: String,
    members: Vec<Member>,
    /// Files whose row in `RECORD` is replaced, and what by.
    record_edits: Vec<(String, String)>,
    /// Rows that are added to `RECORD`.
    record_more: String,
    has_record: bool,
    method: CompressionMethod,
}

#[derive(Clone, Debug)]
struct Member {
    path: String,
    content: Vec<u8>,
    mode: u32,
    is_recorded: bool,
}

impl WheelBuilder {
    /// A wheel of pure Python with no file but its metadata.
    ///
    /// The name is used as it is for the file name and the dist-info directory.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            build: None,
            tags: "py3-none-any".to_owned(),
            wheel: "Wheel-Version: 1.0\nGenerator: wheelfix-testkit\nRoot-Is-Purelib: true\n"
                .to_owned(),
            metadata: String::new(),
            members: Vec::new(),
            record_edits: Vec::new(),
            record_more: String::new(),
            has_record: true,
            method: CompressionMethod::Deflated,
        }
    }

    /// Sets the tags, such as `cp311-cp311-manylinux_2_28_x86_64`; a set may be compressed.
    #[must_use]
    pub fn tags(mut self, tags: &str) -> Self {
        tags.clone_into(&mut self.tags);
        self
    }

    /// Sets the build tag, such as `1`.
    #[must_use]
    pub fn build_tag(mut self, build: &str) -> Self {
        self.build = Some(build.to_owned());
        self
    }

    /// Makes it a wheel with platform-specific files at its root.
    #[must_use]
    pub fn platlib(self) -> Self {
        self.wheel_text("Root-Is-Purelib: true", "Root-Is-Purelib: false")
    }

    /// Replaces a part of the text of `WHEEL`, which has no `Tag` lines yet.
    #[must_use]
    pub fn wheel_text(mut self, from: &str, to: &str) -> Self {
        assert!(self.wheel.contains(from), "no `{from}` in {}", self.wheel);
        self.wheel = self.wheel.replace(from, to);
        self
    }

    /// Adds lines to the header of `METADATA`, such as `Requires-Dist: numpy`.
    #[must_use]
    pub fn metadata(mut self, lines: &str) -> Self {
        self.metadata.push_str(lines.trim_end());
        self.metadata.push('\n');
        self
    }

    /// Adds a file; the path is relative to the root of the wheel.
    #[must_use]
    pub fn file(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.member(path, content.into(), 0o644, true)
    }

    /// Adds a file that may be executed.
    #[must_use]
    pub fn executable(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.member(path, content.into(), 0o755, true)
    }

    /// Adds a symbolic link, with the hash of its text in `RECORD`.
    #[must_use]
    pub fn link(self, path: &str, target: &str) -> Self {
        self.member(path, target.into(), LINK | 0o777, true)
    }

    /// Adds a file that `RECORD` does not list.
    #[must_use]
    pub fn unrecorded(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.member(path, content.into(), 0o644, false)
    }

    /// Adds a file to the `.data` directory; the path begins with a scheme, such as `scripts/demo`.
    #[must_use]
    pub fn data(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        let path = format!("{}-{}.data/{path}", self.name, self.version);
        self.file(&path, content)
    }

    /// Adds a file to the dist-info directory.
    #[must_use]
    pub fn dist_info(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        let path = format!("{}/{path}", self.dist_info_dir());
        self.file(&path, content)
    }

    /// Adds `entry_points.txt`.
    #[must_use]
    pub fn entry_points(self, text: &str) -> Self {
        self.dist_info("entry_points.txt", text)
    }

    /// Adds a directory with an entry of its own; the path has no slash at its end.
    #[must_use]
    pub fn directory(self, path: &str) -> Self {
        self.member(&format!("{path}/"), Vec::new(), 0o755, false)
    }

    /// Replaces the row of `RECORD` for a file by other lines, or by none: a lie.
    #[must_use]
    pub fn record_row(mut self, path: &str, lines: &str) -> Self {
        self.record_edits.push((path.to_owned(), lines.to_owned()));
        self
    }

    /// Adds a row to `RECORD`.
    #[must_use]
    pub fn record_more(mut self, row: &str) -> Self {
        writeln!(self.record_more, "{row}").unwrap();
        self
    }

    /// Leaves `RECORD` out.
    #[must_use]
    pub fn without_record(mut self) -> Self {
        self.has_record = false;
        self
    }

    /// Stores the members instead of compressing them.
    #[must_use]
    pub fn stored(mut self) -> Self {
        self.method = CompressionMethod::Stored;
        self
    }

    /// The file name that belongs to the wheel.
    pub fn file_name(&self) -> String {
        let build = self
            .build
            .as_ref()
            .map_or_else(String::new, |build| format!("-{build}"));
        format!("{}-{}{build}-{}.whl", self.name, self.version, self.tags)
    }

    /// The bytes of the wheel: always the same for the same calls.
    pub fn build(&self) -> Vec<u8> {
        self.write(&self.all_members())
    }

    /// The paths and the contents of all members, in their order.
    pub fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let parts = self.all_members().into_iter();
        parts.map(|member| (member.path, member.content)).collect()
    }

    /// Writes the wheel into a directory, under its name; gives its path.
    pub fn write_to(&self, dir: &Path) -> PathBuf {
        let path = dir.join(self.file_name());
        fs_err::write(&path, self.build()).unwrap();
        path
    }

    /// The members with those that are computed.
    fn all_members(&self) -> Vec<Member> {
        let mut members = self.members.clone();
        for (name, text) in [
            ("METADATA", self.metadata_text()),
            ("WHEEL", self.wheel_file()),
        ] {
            let path = format!("{}/{name}", self.dist_info_dir());
            if members.iter().all(|member| member.path != path) {
                members.push(Member::recorded(path, text));
            }
        }
        if self.has_record {
            let record = self.record(&members);
            members.push(Member::recorded(
                format!("{}/RECORD", self.dist_info_dir()),
                record,
            ));
        }
        members
    }

    fn member(mut self, path: &str, content: Vec<u8>, mode: u32, is_recorded: bool) -> Self {
        self.members.push(Member {
            path: path.to_owned(),
            content,
            mode,
            is_recorded,
        });
        self
    }

    fn dist_info_dir(&self) -> String {
        format!("{}-{}.dist-info", self.name, self.version)
    }

    fn metadata_text(&self) -> String {
        format!(
            "Metadata-Version: 2.1\nName: {}\nVersion: {}\n{}\nA package for tests.\n",
            self.name, self.version, self.metadata
        )
    }

    /// `WHEEL` with one tag for each element of the compressed set.
    fn wheel_file(&self) -> String {
        let mut text = self.wheel.clone();
        if let Some(build) = &self.build {
            writeln!(text, "Build: {build}").unwrap();
        }
        let [pythons, abis, platforms] = self.tags.split('-').collect::<Vec<_>>()[..] else {
            panic!("not three tags: `{}`", self.tags);
        };
        for python in pythons.split('.') {
            for abi in abis.split('.') {
                for platform in platforms.split('.') {
                    writeln!(text, "Tag: {python}-{abi}-{platform}").unwrap();
                }
            }
        }
        text
    }

    fn record(&self, members: &[Member]) -> String {
        let mut text = String::new();
        for member in members.iter().filter(|member| member.is_recorded) {
            let digest = BASE64URL_NOPAD.encode(&Sha256::digest(&member.content));
            let path = csv_field(&member.path);
            writeln!(text, "{path},sha256={digest},{}", member.content.len()).unwrap();
        }
        writeln!(text, "{}/RECORD,,", self.dist_info_dir()).unwrap();
        for (path, lines) in &self.record_edits {
            let start = format!("{},", csv_field(path));
            let row = text.lines().find(|line| line.starts_with(&start));
            let row = format!(
                "{}\n",
                row.unwrap_or_else(|| panic!("no row for {path} in {text}"))
            );
            text = text.replace(&row, lines);
        }
        text + &self.record_more
    }

    fn write(&self, members: &[Member]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for member in members {
            let options = SimpleFileOptions::default()
                .compression_method(self.method)
                .last_modified_time(DateTime::default())
                .unix_permissions(member.mode);
            if let Some(path) = member.path.strip_suffix('/') {
                writer.add_directory(path, options).unwrap();
            } else if member.mode & 0o170_000 == LINK {
                let target = str::from_utf8(&member.content).unwrap();
                writer.add_symlink(&member.path, target, options).unwrap();
            } else {
                writer.start_file(&member.path, options).unwrap();
                writer.write_all(&member.content).unwrap();
            }
        }
        writer.finish().unwrap().into_inner()
    }
}

impl Member {
    fn recorded(path: String, content: impl Into<Vec<u8>>) -> Self {
        Self {
            path,
            content: content.into(),
            mode: 0o644,
            is_recorded: true,
        }
    }
}

/// Quotes a field of a CSV file if it has to be.
fn csv_field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
