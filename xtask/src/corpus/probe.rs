//! Using copies of distributions in the bed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};

use crate::corpus::list::Project;
use crate::failure::Result;
use crate::nixos::Bed;

const SCRIPT: &str = include_str!("probe.py");

/// A question to the bed.
#[derive(Debug, Serialize)]
pub(crate) struct Request {
    /// Directories of modules, the first wins.
    sites: Vec<PathBuf>,
    line: Option<String>,
    program: Vec<String>,
    /// The loader for programs whose own loader is not in the bed.
    loader: Option<PathBuf>,
    loader_of_the_bed: PathBuf,
    objects: Vec<PathBuf>,
    #[serde(skip)]
    library_path: Vec<PathBuf>,
}

/// The answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    /// `None` where nothing was to be used.
    used: Option<Used>,
    /// The objects that do not load, with the loader's message.
    pub(crate) failed: BTreeMap<PathBuf, String>,
}

#[derive(Debug, Deserialize)]
struct Used {
    error: Option<String>,
}

impl Request {
    /// Uses the project: in prefixes of which the last is its own.
    pub(crate) fn of_use(bed: &Bed, project: &Project, prefixes: &[PathBuf]) -> Self {
        let own = prefixes.last().map_or(Path::new(""), PathBuf::as_path);
        let program = project
            .program
            .iter()
            .enumerate()
            .map(|(index, word)| match index {
                0 => own.join(word).display().to_string(),
                _ => word.clone(),
            });
        Self {
            sites: prefixes
                .iter()
                .rev()
                .map(|prefix| super::copies::site_packages(prefix))
                .collect(),
            line: project.line.clone(),
            program: program.collect(),
            loader: None,
            loader_of_the_bed: bed.loader(),
            objects: Vec::new(),
            library_path: Vec::new(),
        }
    }

    /// Also opens these objects.
    pub(crate) fn opening(mut self, objects: Vec<PathBuf>) -> Self {
        self.objects = objects;
        self
    }

    /// With `LD_LIBRARY_PATH` and the loader of the bed, as a copy needs it that was not made for the bed.
    pub(crate) fn with_library_path(mut self, directories: Vec<PathBuf>) -> Self {
        self.loader = Some(self.loader_of_the_bed.clone());
        self.library_path = directories;
        self
    }

    /// Asks.
    pub(crate) fn ask(&self, bed: &Bed) -> Result<Answer> {
        let mut command = bed.python();
        command.args(["-I", "-B", "-c", SCRIPT]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env_remove("LD_LIBRARY_PATH");
        if !self.library_path.is_empty() {
            command.env("LD_LIBRARY_PATH", std::env::join_paths(&self.library_path)?);
        }
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(&serde_json::to_vec(self)?)?;
        }
        let output = child.wait_with_output()?;
        serde_json::from_slice(&output.stdout).map_err(|error| {
            format!(
                "the probe ended with {} and no answer: {error}",
                output.status
            )
            .into()
        })
    }
}

impl Answer {
    /// The end of what was printed where the use failed.
    pub(crate) fn error(&self) -> Option<&str> {
        self.used.as_ref()?.error.as_deref()
    }
}
