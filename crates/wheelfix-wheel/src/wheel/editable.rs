//! Remains of an editable installation: files that lead out of the wheel, to sources on the machine
//! that built it.

use wheelfix_archive::{MemberPath, ZipArchive};

use super::fault::WheelWarning;
use super::placement::Placement;

/// Larger `.pth` files are not lists of directories; in bytes.
const MAX_LEN: u64 = 64 << 10;

/// Names each file at the top of `site-packages` that a build backend writes for development only, and
/// each `.pth` file that adds an absolute directory to the search path.
pub(crate) fn warn(
    archive: &ZipArchive,
    placements: &[Placement],
    warnings: &mut Vec<WheelWarning>,
) {
    for (member, placement) in archive.members().iter().zip(placements) {
        let Placement::File { scheme, path } = placement else {
            continue;
        };
        if !scheme.is_site() || path.as_str().contains('/') {
            continue;
        }
        let is_editable = path.as_str().starts_with("__editable__")
            || (is_path_file(path) && leads_out(&archive.read(member, MAX_LEN)));
        if is_editable {
            warnings.push(WheelWarning::Editable(member.path.to_string()));
        }
    }
}

fn is_path_file(path: &MemberPath) -> bool {
    path.as_str().as_bytes().ends_with(b".pth")
}

/// Whether a line is an absolute path. One that cannot be read is found to be wrong elsewhere.
fn leads_out<E>(content: &Result<Vec<u8>, E>) -> bool {
    let mut lines = content
        .iter()
        .flat_map(|bytes| bytes.split(|b| *b == b'\n'));
    lines.any(|line| line.starts_with(b"/"))
}
