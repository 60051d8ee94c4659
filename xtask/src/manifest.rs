//! `test-wheels/wheels.toml`, the list of the real wheels, `test-wheels/popular.toml`, the many that
//! are only compared, and `test-wheels/rodeo.toml`, those of large environments.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::failure::Result;
use crate::place;

/// The list of the real wheels.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// The CPython that the wheels are chosen for, like `3.11`.
    pub(crate) python: String,
    /// Dependencies before those that need them.
    #[serde(rename = "wheel")]
    pub(crate) wheels: Vec<Wheel>,
    /// Source distributions, all of the set `full`.
    #[serde(skip)]
    pub(crate) sdists: Vec<Listed>,
    /// Name and version of each wheel of an environment, by its name.
    #[serde(skip)]
    environments: BTreeMap<String, Vec<String>>,
}

/// The list of the much downloaded projects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Popular {
    python: String,
    #[serde(rename = "wheel")]
    wheels: Vec<Listed>,
    #[serde(rename = "sdist")]
    sdists: Vec<Listed>,
}

/// The lists of the wheels of environments.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rodeo {
    python: String,
    /// Name and version of each wheel, by name of the environment.
    environments: BTreeMap<String, Vec<String>>,
    #[serde(rename = "wheel")]
    wheels: Vec<Listed>,
}

/// A file of which nothing else is said.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    /// Its name.
    pub(crate) file: String,
    /// Its digest, in hexadecimal.
    pub(crate) sha256: String,
    /// Its size in bytes.
    pub(crate) size: u64,
}

/// One real wheel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wheel {
    /// The file name, `name-version-python-abi-platform.whl`.
    pub(crate) file: String,
    /// The digest of the file, in hexadecimal.
    pub(crate) sha256: String,
    /// The size of the file in bytes.
    pub(crate) size: u64,
    /// The smallest set that it belongs to.
    pub(crate) set: Set,
    /// The special properties of the wheel, for the reader of the list.
    #[expect(dead_code, reason = "for people; reading it makes it compulsory")]
    pub(crate) exercises: String,
}

/// A group of wheels; each contains the ones before it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Set {
    /// About 100 MB: the everyday tests.
    Small,
    /// About 3 GB: torch with its CUDA libraries.
    Cuda,
    /// The wheels that only `cargo xtask test --full` uses.
    Full,
}

impl Manifest {
    /// Reads all lists.
    pub(crate) fn read() -> Result<Self> {
        let mut manifest: Self = parse("test-wheels/wheels.toml")?;
        let popular: Popular = parse("test-wheels/popular.toml")?;
        let rodeo: Rodeo = parse("test-wheels/rodeo.toml")?;
        if [&popular.python, &rodeo.python] != [&manifest.python; 2] {
            return Err("the lists in test-wheels are for different versions of Python".into());
        }
        let more = popular.wheels.into_iter().chain(rodeo.wheels);
        manifest.wheels.extend(more.map(Wheel::from));
        manifest.sdists = popular.sdists;
        manifest.environments = rodeo.environments;
        for name in manifest.environments.keys() {
            manifest.environment(name)?;
        }
        Ok(manifest)
    }

    /// The first wheel of the distribution with this name, spelt as in file names.
    pub(crate) fn named(&self, name: &str) -> Result<&Wheel> {
        let found = self.wheels.iter().find(|wheel| wheel.name() == name);
        found.ok_or_else(|| format!("`{name}` is not in test-wheels/wheels.toml").into())
    }

    /// The wheels of an environment, dependencies before those that need them.
    pub(crate) fn environment(&self, name: &str) -> Result<Vec<&Wheel>> {
        let wheel = |name: &String| {
            let is_named =
                |wheel: &&Wheel| name == &format!("{}-{}", wheel.name(), wheel.version());
            let found = self.wheels.iter().find(is_named);
            found.ok_or_else(|| format!("`{name}` of an environment is in no list").into())
        };
        let names = self.environments.get(name);
        let names = names.ok_or_else(|| format!("`{name}` is not an environment"))?;
        names.iter().map(wheel).collect()
    }

    /// The wheels of a set and of the smaller sets within it.
    pub(crate) fn of_set(&self, set: Set) -> impl Iterator<Item = &Wheel> {
        self.wheels.iter().filter(move |wheel| wheel.set <= set)
    }
}

/// Reads a list.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(path: &str) -> Result<T> {
    let path = place::root().join(path);
    let text = fs_err::read_to_string(&path)?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

impl From<Listed> for Wheel {
    /// Belongs to the set `full`.
    fn from(listed: Listed) -> Self {
        Self {
            file: listed.file,
            sha256: listed.sha256,
            size: listed.size,
            set: Set::Full,
            exercises: String::new(),
        }
    }
}

impl Wheel {
    /// The name of the distribution as the file name spells it, like `nvidia_cublas`.
    pub(crate) fn name(&self) -> &str {
        self.part(0)
    }

    /// The version of the distribution.
    pub(crate) fn version(&self) -> &str {
        self.part(1)
    }

    /// The platform tags, like `manylinux_2_28_x86_64` or `any`.
    pub(crate) fn platforms(&self) -> impl Iterator<Item = &str> {
        let stem = self.file.strip_suffix(".whl").unwrap_or(&self.file);
        stem.rsplit('-').take(1).flat_map(|tags| tags.split('.'))
    }

    fn part(&self, index: usize) -> &str {
        self.file.split('-').nth(index).unwrap_or_default()
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Small => "small",
            Self::Cuda => "cuda",
            Self::Full => "full",
        })
    }
}

impl FromStr for Set {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        [Self::Small, Self::Cuda, Self::Full]
            .into_iter()
            .find(|set| set.to_string() == text)
            .ok_or_else(|| format!("expected small, cuda or full, got `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_is_described_by_its_file_name() {
        let manifest = Manifest::read().unwrap();
        let numpy = manifest.named("numpy").unwrap();
        assert_eq!(numpy.version(), "2.4.6");
        let platforms: Vec<&str> = numpy.platforms().collect();
        assert_eq!(
            platforms,
            ["manylinux_2_27_x86_64", "manylinux_2_28_x86_64"]
        );
    }

    #[test]
    fn sets_contain_each_other() {
        let manifest = Manifest::read().unwrap();
        let count = |set| manifest.of_set(set).count();
        assert!(count(Set::Small) < count(Set::Cuda));
        assert!(count(Set::Cuda) <= count(Set::Full));
    }

    #[test]
    fn a_set_prints_as_it_is_parsed() {
        for set in [Set::Small, Set::Cuda, Set::Full] {
            assert_eq!(set.to_string().parse(), Ok(set));
        }
        let error = "medium".parse::<Set>().unwrap_err();
        assert_eq!(error, "expected small, cuda or full, got `medium`");
    }
}
