//! The default groups of projects whose lock does not say them: those of `[tool.uv]` in pyproject.toml.
//!
//! uv writes them into the lock from revision 5 on.

use serde::Deserialize;

use crate::lock::{DefaultGroups, Lock, Source};
use crate::read::reading::Reading;
use crate::read::toml_text;
use crate::read::uv::schema;
use crate::{Fault, Faults, Format};

/// The first revision of uv.lock that has the default groups.
const IN_LOCK: u32 = 5;

/// The part of a pyproject.toml that says which groups are selected.
#[derive(Debug, Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Project<'a> {
    #[serde(default)]
    tool: ProjectTool<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct ProjectTool<'a> {
    #[serde(default)]
    uv: ProjectUv<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"), rename_all = "kebab-case")]
struct ProjectUv<'a> {
    default_groups: Option<schema::Groups<'a>>,
}

impl Lock<'_> {
    /// Whether the default groups of projects stand in their pyproject.toml alone.
    pub(crate) fn lacks_default_groups(&self) -> bool {
        let revision = self.version.rsplit('.').next();
        let revision = revision.and_then(|revision| revision.parse::<u32>().ok());
        let has_groups = self.roots.iter().any(|root| !root.groups.is_empty());
        self.format == Format::Uv && has_groups && revision.is_some_and(|it| it < IN_LOCK)
    }

    /// Takes the default groups of each project from its pyproject.toml, which `read` gives by the directory,
    /// relative to that of the lock; those without keep what they have.
    ///
    /// # Errors
    ///
    /// A pyproject.toml that cannot be read.
    pub(crate) fn take_default_groups(
        &mut self,
        read: impl Fn(&str) -> Option<String>,
    ) -> Result<(), Faults> {
        let mut reading = Reading::default();
        for root in &mut self.roots {
            let package = root.package.and_then(|number| self.packages.get(number));
            let directory = match package.map(|package| &package.source) {
                // Those of the workspace, below.
                None if self.workspace_groups.is_some() => continue,
                None => ".",
                Some(Source::Directory { path, .. } | Source::Virtual { path }) => path,
                Some(_) => continue,
            };
            if let Some(groups) = of_project(&mut reading, directory, &read) {
                root.default_groups = groups;
            }
        }
        if let Some(groups) = &mut self.workspace_groups
            && let Some(of_top) = of_project(&mut reading, ".", &read)
        {
            *groups = of_top;
        }
        if reading.faults.is_empty() {
            Ok(())
        } else {
            Err(reading.faults)
        }
    }
}

/// The default groups of the pyproject.toml in a directory, if it has some.
fn of_project(
    reading: &mut Reading,
    directory: &str,
    read: impl Fn(&str) -> Option<String>,
) -> Option<DefaultGroups> {
    let text = read(directory)?;
    let project = match toml_text::read::<Project<'_>>(&text) {
        // Most of its keys are for others.
        Ok((project, _)) => project,
        Err(fault) => {
            let key = format!("{directory}/pyproject.toml");
            reading.faults.push(Fault { key, ..*fault });
            return None;
        }
    };
    Some(match project.tool.uv.default_groups? {
        schema::Groups::All => DefaultGroups::All,
        schema::Groups::Named(names) => {
            DefaultGroups::Named(reading.names("", "tool.uv.default-groups", &names))
        }
    })
}
