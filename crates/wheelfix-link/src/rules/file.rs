//! Reading rules from TOML: the shipped tables and the user's files.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::fault::excuse_kind::ExcuseKind;
use crate::rules::{Rule, Rules};

/// The tables that are compiled in, by name.
const SHIPPED: &[(&str, &str)] = &[
    ("libc.toml", include_str!("../../rules/libc.toml")),
    ("driver.toml", include_str!("../../rules/driver.toml")),
    ("dlopen.toml", include_str!("../../rules/dlopen.toml")),
    (
        "accelerator.toml",
        include_str!("../../rules/accelerator.toml"),
    ),
    ("backend.toml", include_str!("../../rules/backend.toml")),
    ("plugin.toml", include_str!("../../rules/plugin.toml")),
    ("sought.toml", include_str!("../../rules/sought.toml")),
    ("together.toml", include_str!("../../rules/together.toml")),
    ("preload.toml", include_str!("../../rules/preload.toml")),
    ("stale.toml", include_str!("../../rules/stale.toml")),
    ("probe.toml", include_str!("../../rules/probe.toml")),
    ("library.toml", include_str!("../../rules/library.toml")),
    ("replace.toml", include_str!("../../rules/replace.toml")),
    ("bundled.toml", include_str!("../../rules/bundled.toml")),
    ("provider.toml", include_str!("../../rules/provider.toml")),
    (
        "environment.toml",
        include_str!("../../rules/environment.toml"),
    ),
    ("alias.toml", include_str!("../../rules/alias.toml")),
];

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
    /// Something that is not a regular file, or too long for one with rules.
    #[error("failed to read rules from `{file}`: {reason}")]
    Unfit {
        /// The file, as it was named.
        file: String,
        /// The reason why it is unfit.
        reason: String,
    },
    /// A file is not text.
    #[error(
        "`{file}` is not a rules file: expected TOML in UTF-8, got other bytes from offset {offset} on"
    )]
    NotText {
        /// The file.
        file: String,
        /// Where the first of the other bytes is; counts from 0.
        offset: usize,
    },
    /// A rule takes nearly everything for granted.
    #[error(
        "`{file}`: rule `{name}` of `[[{class}]]`: `{field}` matches nearly every {kind}, so that nothing would be proved: name what is meant"
    )]
    MatchesAll {
        /// The file.
        file: String,
        /// The class.
        class: &'static str,
        /// The rule.
        name: String,
        /// The field.
        field: &'static str,
        /// The kind of names that it matches.
        kind: ExcuseKind,
    },
    /// A file is not TOML.
    #[error("`{file}`, line {line}: not TOML: {reason}")]
    Syntax {
        /// The file, or the name of the shipped table.
        file: String,
        /// Counts from 1.
        line: usize,
        /// The fault there.
        reason: String,
    },
    /// A top-level key is not the name of a class of rules.
    #[error("`{file}`: unknown class of rules `{class}`, expected one of: {}", CLASSES.join(", "))]
    UnknownClass {
        /// The file.
        file: String,
        /// The key.
        class: String,
    },
    /// A rule has not the shape of its class.
    #[error("`{file}`: rule {number} of `[[{class}]]`: {reason}")]
    Shape {
        /// The file.
        file: String,
        /// The class.
        class: String,
        /// Counts from 1 in its class.
        number: usize,
        /// The fault, with the name of the field.
        reason: String,
    },
    /// Two rules of one file have one name.
    #[error("`{file}`: two rules are named `{name}`")]
    DuplicateName {
        /// The file.
        file: String,
        /// The name.
        name: String,
    },
}

/// The names of the tables of a rules file.
const CLASSES: &[&str] = &[
    "accelerator",
    "alias",
    "backend",
    "bundled",
    "dlopen",
    "driver",
    "environment",
    "libc",
    "prefer",
    "preload",
    "probe",
    "provider",
    "replace",
    "sought",
    "stale",
    "together",
];

/// Longest file with rules, in bytes; the shipped ones have 60 kB together.
const MAX_LEN: u64 = 16 << 20;

/// The bytes of a file with rules: one that has an end, and is not too long.
fn read(path: &Path) -> Result<Vec<u8>, RulesError> {
    let refused = |reason: String| RulesError::Unfit {
        file: path.display().to_string(),
        reason,
    };
    // Opening a pipe would wait for its other end, and a device may have no end.
    if fs_err::metadata(path).is_ok_and(|file| !file.is_file()) {
        return Err(refused("not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = fs_err::File::open(path)?;
    file.take(MAX_LEN + 1).read_to_end(&mut bytes)?;
    if MAX_LEN < bytes.len() as u64 {
        return Err(refused(format!("more than {MAX_LEN} bytes")));
    }
    Ok(bytes)
}

/// The number of the line that an offset lies in, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    before.split(|byte| *byte == b'\n').count()
}

impl Rules {
    /// The rules that come with the program.
    pub fn shipped() -> Result<Self, RulesError> {
        let mut rules = Self::default();
        for (name, text) in SHIPPED {
            rules.append(name, None, text)?;
        }
        Ok(rules)
    }

    /// The rules of one text alone, as if they were shipped.
    #[cfg(test)]
    pub(crate) fn of_text(text: &str) -> Result<Self, RulesError> {
        let mut rules = Self::default();
        rules.append("text", None, text)?;
        Ok(rules)
    }

    /// The user's files in their order, then the shipped rules.
    ///
    /// # Errors
    ///
    /// One for each file that cannot be used, in their order.
    pub fn with_files(files: &[PathBuf]) -> Result<Self, Vec<RulesError>> {
        let mut rules = Self::default();
        let of_user = files.iter().map(|file| rules.append_file(file));
        let mut errors: Vec<RulesError> = of_user.filter_map(Result::err).collect();
        let shipped = SHIPPED.iter();
        let shipped = shipped.map(|(name, text)| rules.append(name, None, text));
        errors.extend(shipped.filter_map(Result::err));
        if errors.is_empty() {
            Ok(rules)
        } else {
            Err(errors)
        }
    }

    /// Appends the rules of one file.
    fn append_file(&mut self, file: &Path) -> Result<(), RulesError> {
        let name = file.to_string_lossy();
        let text = String::from_utf8(read(file)?);
        let text = text.map_err(|error| RulesError::NotText {
            file: name.clone().into_owned(),
            offset: error.utf8_error().valid_up_to(),
        })?;
        self.append(&name, Some(file), &text)
    }

    /// Appends the rules of one text.
    fn append(&mut self, name: &str, file: Option<&Path>, text: &str) -> Result<(), RulesError> {
        let tables: Table = toml::from_str(text).map_err(|error| RulesError::Syntax {
            file: name.to_owned(),
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            reason: error.message().replace('\n', ", "),
        })?;
        let mut reader = Reader {
            name,
            file,
            names: BTreeSet::new(),
        };
        for (class, value) in tables {
            match class.as_str() {
                "accelerator" => self.accelerator.extend(reader.class(&class, value)?),
                "alias" => self.alias.extend(reader.class(&class, value)?),
                "backend" => self.backend.extend(reader.class(&class, value)?),
                "bundled" => self.bundled.extend(reader.class(&class, value)?),
                "dlopen" => self.dlopen.extend(reader.class(&class, value)?),
                "driver" => self.driver.extend(reader.class(&class, value)?),
                "environment" => self.environment.extend(reader.class(&class, value)?),
                "libc" => self.libc.extend(reader.class(&class, value)?),
                "prefer" => self.prefer.extend(reader.class(&class, value)?),
                "preload" => self.preload.extend(reader.class(&class, value)?),
                "probe" => self.probe.extend(reader.class(&class, value)?),
                "provider" => self.provider.extend(reader.class(&class, value)?),
                "replace" => self.replace.extend(reader.class(&class, value)?),
                "sought" => self.sought.extend(reader.class(&class, value)?),
                "stale" => self.stale.extend(reader.class(&class, value)?),
                "together" => self.together.extend(reader.class(&class, value)?),
                _ => {
                    let file = name.to_owned();
                    return Err(RulesError::UnknownClass { file, class });
                }
            }
        }
        // The shipped rules come last, and a test looks at them.
        if file.is_some() {
            self.refuse_excuses_of_all(name)?;
        }
        Ok(())
    }

    /// Refuses rules that take nearly everything for granted, as the user's own excuses are.
    fn refuse_excuses_of_all(&self, file: &str) -> Result<(), RulesError> {
        let driver = self.driver.iter().flat_map(|rule| {
            let (soname, exports) = (&rule.body.soname, &rule.body.exports);
            [
                ("driver", &rule.name, "soname", ExcuseKind::Library, soname),
                ("driver", &rule.name, "exports", ExcuseKind::Symbol, exports),
            ]
        });
        let library = ExcuseKind::Library;
        let accelerator = self.accelerator.iter().map(|rule| {
            let libraries = &rule.body.libraries;
            ("accelerator", &rule.name, "libraries", library, libraries)
        });
        let libc = self.libc.iter();
        let libc = libc.map(|rule| ("libc", &rule.name, "soname", library, &rule.body.soname));
        let probe = self.probe.iter();
        let probe = probe.map(|rule| ("probe", &rule.name, "names", library, &rule.body.names));
        let dlopen = self.dlopen.iter().filter(|rule| rule.body.optional);
        let dlopen = dlopen.map(|rule| ("dlopen", &rule.name, "opens", library, &rule.body.opens));
        let together = self.together.iter().map(|rule| {
            let symbols = &rule.body.symbols;
            (
                "together",
                &rule.name,
                "symbols",
                ExcuseKind::Symbol,
                symbols,
            )
        });
        let mut all = driver
            .chain(accelerator)
            .chain(libc)
            .chain(probe)
            .chain(dlopen)
            .chain(together);
        match all.find(|(.., kind, globs)| kind.is_matched_by(globs)) {
            None => Ok(()),
            Some((class, name, field, kind, _)) => Err(RulesError::MatchesAll {
                file: file.to_owned(),
                class,
                name: name.clone(),
                field,
                kind,
            }),
        }
    }
}

/// Reads the classes of one file.
struct Reader<'a> {
    name: &'a str,
    file: Option<&'a Path>,
    names: BTreeSet<String>,
}

impl Reader<'_> {
    fn class<T: DeserializeOwned>(
        &mut self,
        class: &str,
        value: Value,
    ) -> Result<Vec<Rule<T>>, RulesError> {
        let Value::Array(entries) = value else {
            return Err(self.shape(class, 1, "expected an array of tables"));
        };
        let mut rules = Vec::with_capacity(entries.len());
        for (index, entry) in entries.into_iter().enumerate() {
            let number = index + 1;
            let Value::Table(table) = entry else {
                return Err(self.shape(class, number, "expected a table"));
            };
            rules.push(self.rule(class, number, table)?);
        }
        Ok(rules)
    }

    fn rule<T: DeserializeOwned>(
        &mut self,
        class: &str,
        number: usize,
        mut table: Table,
    ) -> Result<Rule<T>, RulesError> {
        let mut text = |key: &str| match table.remove(key) {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
            Some(_) => Err(self.shape(class, number, &format!("`{key}` is not a text, or empty"))),
            None => Err(self.shape(class, number, &format!("missing field `{key}`"))),
        };
        let (name, reason, source) = (text("name")?, text("reason")?, text("source")?);
        let body = T::deserialize(table).map_err(|error| {
            let message = error.message();
            self.shape(class, number, &format!("`{name}`: {message}"))
        })?;
        if !self.names.insert(name.clone()) {
            return Err(RulesError::DuplicateName {
                file: self.name.to_owned(),
                name,
            });
        }
        Ok(Rule {
            name,
            reason,
            source,
            file: self.file.map(Path::to_path_buf),
            body,
        })
    }

    fn shape(&self, class: &str, number: usize, reason: &str) -> RulesError {
        RulesError::Shape {
            file: self.name.to_owned(),
            class: class.to_owned(),
            number,
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let mut rules = Rules::default();
        let got = match rules.append("t.toml", None, text) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "for {text}");
    }

    #[test]
    fn the_shipped_rules_are_of_the_documented_shape() {
        let rules = Rules::shipped().unwrap();
        assert!(!rules.driver.is_empty() && !rules.libc.is_empty() && !rules.stale.is_empty());
        rules.refuse_excuses_of_all("shipped").unwrap();
    }

    #[test]
    fn sonames_of_providers_are_those_of_real_packages() {
        let rules = Rules::shipped().unwrap();
        let packages = include_str!("../../tests/debian-sonames.txt");
        let packages: BTreeSet<&str> = packages
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        let exact: BTreeSet<&str> = rules
            .provider
            .iter()
            .flat_map(|rule| &rule.body.nixpkgs)
            .filter_map(|(glob, _)| glob.is_literal().then_some(glob.text()))
            .collect();
        let confirmed = exact.intersection(&packages).count();
        println!(
            "{confirmed} of {} exact sonames are in packages of Debian",
            exact.len()
        );
        assert!(250 <= confirmed, "only {confirmed} of {}", exact.len());
        assert!(
            exact.len() - confirmed <= 110,
            "{} are in no package",
            exact.len() - confirmed
        );
    }

    #[test]
    fn providers_name_no_package_that_nixpkgs_has_dropped() {
        let rules = Rules::shipped().unwrap();
        let attributes = rules.provider.iter().flat_map(|rule| &rule.body.nixpkgs);
        let dropped: Vec<&String> = attributes
            .map(|(_, attribute)| attribute)
            .filter(|attribute| {
                [
                    "xorg.",
                    "cudaPackages_11.",
                    "tbb_2020",
                    "python310",
                    "oneDNN",
                    "unixODBC",
                ]
                .iter()
                .any(|gone| attribute.starts_with(gone))
            })
            .collect();
        assert_eq!(dropped, [""; 0]);
    }

    #[test]
    fn a_rule_that_takes_all_for_granted_is_refused() {
        for (class, field, body) in [
            ("driver", "exports", "soname=['libx.so.1']\nexports=['*']"),
            ("driver", "soname", "soname=['libx.so.1', 'lib*']"),
            ("libc", "soname", "soname=['?*']"),
            ("probe", "names", "names=['*.so*']"),
            (
                "dlopen",
                "opens",
                "from=['x.so']\nopens=['lib*']\noptional=true",
            ),
        ] {
            let head = format!("[[{class}]]\nname='a'\nreason='b'\nsource='c'\n");
            let mut rules = Rules::default();
            let text = format!("{head}{body}");
            let error = rules.append("t", Some(Path::new("t")), &text).unwrap_err();
            let want = format!("`t`: rule `a` of `[[{class}]]`: `{field}` matches nearly every ");
            assert!(error.to_string().starts_with(&want), "{error}");
        }
        let opens = "[[dlopen]]\nname='a'\nreason='b'\nsource='c'\nfrom=['x.so']\nopens=['lib*']";
        Rules::default()
            .append("t", Some(Path::new("t")), opens)
            .unwrap();
    }

    #[test]
    fn a_file_that_is_not_text_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("r.toml");
        fs_err::write(&file, b"# \xff\n").unwrap();
        let errors = Rules::with_files(&[file]).unwrap_err();
        let error = errors[0].to_string();
        assert!(
            error.ends_with("got other bytes from offset 2 on"),
            "{error}"
        );
    }

    #[test]
    fn a_rule_must_say_why_it_exists() {
        check(
            "[[driver]]\nname='a'\nreason='b'\nsource='c'\nsoname=['x']",
            "ok",
        );
        check(
            "[[driver]]\nname='a'\nsource='c'\nsoname=['x']",
            "`t.toml`: rule 1 of `[[driver]]`: missing field `reason`",
        );
        check(
            "[[driver]]\nname='a'\nreason=' '\nsource='c'\nsoname=['x']",
            "`t.toml`: rule 1 of `[[driver]]`: `reason` is not a text, or empty",
        );
    }

    #[test]
    fn typing_errors_are_named() {
        check(
            "[[drivers]]\nname='a'",
            "`t.toml`: unknown class of rules `drivers`, expected one of: accelerator, alias, backend, bundled, dlopen, \
             driver, environment, libc, prefer, preload, probe, provider, replace, sought, stale, together",
        );
        check(
            "[[driver]]\nname='a'\nreason='b'\nsource='c'\nsonames=['x']",
            "`t.toml`: rule 1 of `[[driver]]`: `a`: unknown field `sonames`, expected `soname` or `exports`",
        );
        check(
            "[[driver]]\nname='a'\nreason='b'\nsource='c'\nsoname=['[x']",
            "`t.toml`: rule 1 of `[[driver]]`: `a`: error parsing glob '[x': unclosed character \
             class; missing ']'",
        );
        check(
            "driver = 1",
            "`t.toml`: rule 1 of `[[driver]]`: expected an array of tables",
        );
        check(
            "# a\n\nx",
            "`t.toml`, line 3: not TOML: key with no value, expected `=`",
        );
    }

    #[test]
    fn an_empty_text_is_not_replaced() {
        check(
            "[[replace]]
name='a'
reason='b'
source='c'
file=['x.py']
old=['y', '']
new='z'",
            "`t.toml`: rule 1 of `[[replace]]`: `a`: `old` has an empty text, which stands everywhere",
        );
    }

    #[test]
    fn names_are_unique_in_a_file() {
        let rule = "name='a'\nreason='b'\nsource='c'\nsoname=['x']\n";
        check(
            &format!("[[driver]]\n{rule}[[libc]]\n{rule}"),
            "`t.toml`: two rules are named `a`",
        );
    }
}
