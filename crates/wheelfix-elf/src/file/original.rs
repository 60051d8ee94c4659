//! The bytes that an edit overwrites, kept outside of the file.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use fs_err::os::unix::fs::FileExt as _;
use serde::{Deserialize, Serialize};

use crate::edit::Plan;
use crate::file::attributes;
use crate::file::patch::{FileEdit, open_for_writing};

/// The state of a file before an edit in its place, as far as the edit changes it.
///
/// Whoever keeps it where it outlives the process can take back an edit that was broken off at any point, as often as
/// needed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Original {
    /// In bytes.
    len: u64,
    mode: u32,
    modified: SystemTime,
    /// File offsets and lengths of the parts.
    ranges: Vec<(u64, u64)>,
    /// The bytes of all parts, one after the other; they are serialised elsewhere.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

impl FileEdit {
    /// Reads the bytes that [`apply`](Self::apply) would overwrite in the file at `path`.
    pub fn original(&self, path: &Path) -> io::Result<Original> {
        let file = fs_err::File::open(path)?;
        let metadata = file.metadata()?;
        let mut original = Original {
            len: metadata.len(),
            mode: metadata.permissions().mode(),
            modified: metadata.modified()?,
            ranges: overwritten(self.as_plan()),
            bytes: Vec::new(),
        };
        for (offset, len) in &original.ranges {
            let mut bytes = vec![0; usize::try_from(*len).map_err(io::Error::other)?];
            file.read_exact_at(&mut bytes, *offset)?;
            original.bytes.append(&mut bytes);
        }
        Ok(original)
    }
}

/// The parts of a file that a plan overwrites or cuts off: file offsets and lengths.
fn overwritten(plan: &Plan) -> Vec<(u64, u64)> {
    let writes = plan.writes.iter().map(|write| (write.offset, write.end()));
    let cut = (plan.new_len, plan.old_len);
    let parts = writes.chain([cut]).map(|(start, end)| {
        let end = end.min(plan.old_len);
        (start, end.saturating_sub(start))
    });
    parts.filter(|(_, len)| *len != 0).collect()
}

impl Original {
    /// Makes the file at `path` what it was.
    pub fn restore(&self, path: &Path) -> io::Result<()> {
        let metadata = fs_err::metadata(path)?;
        let file = open_for_writing(path, &metadata)?;
        let attributes = attributes::read(file.file());
        let mut bytes = self.bytes.as_slice();
        for (offset, len) in &self.ranges {
            let len = usize::try_from(*len).map_err(io::Error::other)?;
            let (part, rest) = bytes
                .split_at_checked(len)
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            file.write_all_at(part, *offset)?;
            bytes = rest;
        }
        file.set_len(self.len)?;
        file.set_permissions(std::fs::Permissions::from_mode(self.mode))?;
        attributes::restore(file.file(), &attributes);
        file.file().set_modified(self.modified)
    }
}
