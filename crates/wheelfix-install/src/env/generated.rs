//! The files of an environment that are made, not taken from a prefix: those of wheels, and its own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wheelfix_format::RecordHash;

use crate::env::merge::Candidate;

/// A file that is made.
#[derive(Clone, Debug)]
pub(crate) struct GeneratedFile<'a> {
    /// Relative to the prefix, with `/` as separator.
    pub(crate) path: String,
    /// Position of its source.
    pub(crate) source: usize,
    pub(crate) content: GeneratedContent<'a>,
}

/// The content of a file, as far as it is known before the file is made.
#[derive(Clone, Debug)]
pub(crate) enum GeneratedContent<'a> {
    /// A member of a wheel.
    Member {
        len: u64,
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
    /// Files for this very place: positions.
    files: Vec<usize>,
    below: BTreeMap<String, Self>,
}

impl Virtual {
    /// The tree of the given files.
    pub(crate) fn new(generated: &[GeneratedFile<'_>]) -> Self {
        let mut root = Self::default();
        for (position, file) in generated.iter().enumerate() {
            let mut node = &mut root;
            for name in file.path.split('/') {
                node = node.below.entry(name.to_owned()).or_default();
            }
            node.files.push(position);
        }
        root
    }

    /// The candidates for this place.
    pub(crate) fn candidates<'a>(
        &'a self,
        generated: &[GeneratedFile<'_>],
    ) -> impl Iterator<Item = Candidate<'a>> {
        let file = |position: &usize| {
            let source = generated.get(*position)?.source;
            Some(Candidate::File {
                source,
                file: *position,
            })
        };
        let files: Vec<Candidate<'a>> = self.files.iter().filter_map(file).collect();
        files.into_iter().chain(self.directory(generated))
    }

    /// The candidate for this place as a directory, if files lie below it.
    pub(crate) fn directory<'a>(
        &'a self,
        generated: &[GeneratedFile<'_>],
    ) -> Option<Candidate<'a>> {
        let source = generated
            .get(self.below.values().find_map(Self::first)?)?
            .source;
        Some(Candidate::Directory {
            source,
            below: &self.below,
        })
    }

    fn first(&self) -> Option<usize> {
        let here = self.files.first().copied();
        here.or_else(|| self.below.values().find_map(Self::first))
    }
}
