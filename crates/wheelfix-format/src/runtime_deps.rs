//! The check that every dependency of a distribution is installed in a version that will do.
//!
//! The messages are those of nixpkgs' `pythonRuntimeDepsCheckHook`, because people and scripts know
//! them:
//! <https://github.com/NixOS/nixpkgs/blob/master/pkgs/development/interpreters/python/hooks/python-runtime-deps-check-hook.py>.

use std::collections::BTreeMap;

use crate::{Constraint, MarkerEnvironment, Metadata, PackageName, Version};

/// A dependency that is not there as asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UnmetDependency {
    /// Nothing of this name is installed.
    #[error("{0} not installed")]
    NotInstalled(PackageName),
    /// Something of this name is installed, in a version that will not do.
    #[error("{name}{specifiers} not satisfied by version {version}")]
    Version {
        /// The dependency.
        name: PackageName,
        /// Its version clauses, sorted.
        specifiers: String,
        /// The installed version.
        version: Version,
    },
    /// A dependency that cannot be read.
    #[error("invalid requirement: {0}")]
    Invalid(String),
}

impl Metadata {
    /// All dependencies that the installed distributions do not meet, in the order of the metadata.
    ///
    /// Markers are evaluated without extras, prereleases will do, and a dependency by URL is met by any
    /// version.
    pub fn unmet_dependencies(
        &self,
        environment: &MarkerEnvironment,
        installed: &BTreeMap<PackageName, Version>,
    ) -> Vec<UnmetDependency> {
        let mut unmet = Vec::new();
        for (field, requirement) in self.requires_dist() {
            let Ok(requirement) = requirement else {
                unmet.push(UnmetDependency::Invalid(field.value.to_owned()));
                continue;
            };
            if !requirement.applies(environment, &[]) {
                continue;
            }
            let name = requirement.name();
            match (installed.get(name), requirement.constraint()) {
                (None, _) => unmet.push(UnmetDependency::NotInstalled(name.clone())),
                (Some(version), Constraint::Versions(specifiers))
                    if !specifiers.contains(version) =>
                {
                    unmet.push(UnmetDependency::Version {
                        name: name.clone(),
                        specifiers: requirement.specifier_text(),
                        version: version.clone(),
                    });
                }
                (Some(_), _) => {}
            }
        }
        unmet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Libc, PythonVersion, Target};

    #[track_caller]
    fn check(requirement: &str, installed: &[(&str, &str)], want: &[&str]) {
        let text =
            format!("Metadata-Version: 2.1\nName: x\nVersion: 1\nRequires-Dist: {requirement}\n");
        let metadata: Metadata = text.parse().unwrap();
        let installed = installed
            .iter()
            .map(|(name, version)| (name.parse().unwrap(), version.parse().unwrap()));
        let glibc = Libc::Glibc {
            major: 2,
            minor: 36,
        };
        let target = Target::linux(
            PythonVersion {
                major: 3,
                minor: 11,
            },
            "x86_64",
            glibc,
        );
        let unmet = metadata.unmet_dependencies(&target.marker_environment(), &installed.collect());
        let got: Vec<String> = unmet.iter().map(ToString::to_string).collect();
        assert_eq!(got, want, "for {requirement:?}");
    }

    #[test]
    fn what_is_installed_is_met() {
        check("a", &[("A", "1")], &[]);
        check("a>=1,<3", &[("a", "2")], &[]);
        check("a>=1", &[("a", "2.0b1")], &[]);
        check("a @ https://x/y.whl", &[("a", "1")], &[]);
    }

    #[test]
    fn what_is_missing_or_of_the_wrong_version_is_named() {
        check("Foo.Bar>1", &[], &["foo-bar not installed"]);
        check(
            "setuptools >= 40 , <82",
            &[("setuptools", "84.2.1")],
            &["setuptools<82,>=40 not satisfied by version 84.2.1"],
        );
        check("a >= 1 b", &[], &["invalid requirement: a >= 1 b"]);
    }

    #[test]
    fn markers_are_evaluated_without_extras() {
        check("a; extra == 'x'", &[], &[]);
        check("a; python_version < '3.10'", &[], &[]);
        check(
            "a; platform_machine == 'x86_64' and sys_platform == 'linux'",
            &[],
            &["a not installed"],
        );
    }
}
