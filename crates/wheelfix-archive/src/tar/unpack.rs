//! Unpacks an archive.

use std::io::{self, Read, Write as _};
use std::path::Path;

use crate::output::Output;
use crate::tar::{TarArchive, TarError, TarKind, TarMember};

/// Number of bytes that are read and written at once.
const PIECE: usize = 256 << 10;

/// Unpacks everything below `root`.
pub(super) fn unpack(
    archive: &TarArchive,
    root: &Path,
    progress: &dyn Fn(u64),
) -> Result<Vec<TarMember>, TarError> {
    let mut output = Output::new(root).map_err(|error| named(root, &error.into()))?;
    let mut buffer = vec![0; PIECE];
    let mut members = Vec::new();
    archive.visit(&mut |member, content| {
        let written = write(&mut output, member, content, &mut buffer);
        if let TarKind::File { len, .. } = member.kind {
            progress(len);
        }
        members.push(member.clone());
        written.map_err(|error| named(&root.join(member.path.as_path()), &error))
    })?;
    // Only now is it known that all of them stay inside; until here no name led through a link.
    for member in &members {
        if let TarKind::Symlink(target) = &member.kind {
            output
                .create_symlink(&member.path, target)
                .map_err(|error| named(&root.join(member.path.as_path()), &error.into()))?;
        }
    }
    Ok(members)
}

fn write(
    output: &mut Output,
    member: &TarMember,
    content: &mut dyn Read,
    buffer: &mut [u8],
) -> io::Result<()> {
    match &member.kind {
        TarKind::Directory => output.create_dir(&member.path)?,
        TarKind::HardLink(target) => output.create_hard_link(&member.path, target)?,
        TarKind::File { executable, .. } => {
            let mut file = output.create_file(&member.path, *executable)?;
            loop {
                match content.read(buffer)? {
                    0 => break,
                    len => file.write_all(buffer.get(..len).unwrap_or_default())?,
                }
            }
        }
        // Made at the end.
        TarKind::Symlink(_) => {}
    }
    Ok(())
}

/// An error with the file that it is about.
fn named(path: &Path, error: &io::Error) -> io::Error {
    let text = format!("failed to write `{}`: {error}", path.display());
    io::Error::new(error.kind(), text)
}
