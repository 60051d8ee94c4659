//! The files of an environment that are made, not taken from a prefix: those of wheels, and its own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wheelfix_format::RecordHash;

use crate::env::merge::Claim;

/// A file that is made.
#[derive(Clone, Debug)]
pub(crate) struct Made<'a> {
    /// Relative to the prefix, with `/` as separator.
    pub(crate) path: String,
    /// Position of its source.
    pub(crate) source: usize,
    pub(crate) content: MadeContent<'a>,
}

/// The content of a file, as far as it is known before the file is made.
#[derive(Clone, Debug)]
pub(crate) enum MadeContent<'a> {
    /// A member of a wheel.
    Member {
        len: u64,
        crc32: u32,
        hash: Option<&'a RecordHash>,
    },
    /// RECORD of a wheel, which is written when all its other files are what they will be.
    Record,
    /// A text.
    Text { text: String, executable: bool },
    /// A link, as it is written.
    Link(PathBuf),
}

/// The directories of files that are made.
#[derive(Debug, Default)]
pub(crate) struct Virtual {
    /// Files that claim this very place: positions.
    files: Vec<usize>,
    below: BTreeMap<String, Self>,
}

impl Virtual {
    /// The tree of the given files.
    pub(crate) fn new(made: &[Made<'_>]) -> Self {
        let mut root = Self::default();
        for (position, file) in made.iter().enumerate() {
            let mut node = &mut root;
            for name in file.path.split('/') {
                node = node.below.entry(name.to_owned()).or_default();
            }
            node.files.push(position);
        }
        root
    }

    /// The claims to this place.
    pub(crate) fn claims<'a>(&'a self, made: &[Made<'_>]) -> impl Iterator<Item = Claim<'a>> {
        let file = |position: &usize| {
            let source = made.get(*position)?.source;
            Some(Claim::File {
                source,
                file: *position,
            })
        };
        let files: Vec<Claim<'a>> = self.files.iter().filter_map(file).collect();
        files.into_iter().chain(self.directory(made))
    }

    /// The claim to this place as a directory, if files lie below it.
    pub(crate) fn directory<'a>(&'a self, made: &[Made<'_>]) -> Option<Claim<'a>> {
        let source = made.get(self.below.values().find_map(Self::first)?)?.source;
        Some(Claim::Directory {
            source,
            below: &self.below,
        })
    }

    fn first(&self) -> Option<usize> {
        let here = self.files.first().copied();
        here.or_else(|| self.below.values().find_map(Self::first))
    }
}
