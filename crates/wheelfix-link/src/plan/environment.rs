//! Variables that rules give to the programs of an environment.

use std::path::{Path, PathBuf};

use wheelfix_format::Requirement;

use crate::fault::BREAK;
use crate::fault::remedy::{Remedy, RuleClass};
use crate::plan::replace::{NamedPaths, fill};
use crate::rules::{Environment, Rule, Rules};

/// The placeholder for the directory of modules.
const SITE_PACKAGES: &str = "{site-packages}";

/// A variable that is set unless the user has set it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The rule that gives it.
    pub rule: String,
}

/// A rule that cannot give its variable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VariableFault {
    /// A file or directory that the value names is not there.
    #[error("`{variable}` leads to `{}`, which is not there (rule `{rule}`){BREAK}  why: {reason}", path.display())]
    Missing {
        /// The variable.
        variable: String,
        /// The path that is not there.
        path: PathBuf,
        /// The rule.
        rule: String,
        /// Why it exists.
        reason: String,
    },
    /// A library or program of the value is on no library path.
    #[error(
        "`{variable}` is to be `{value}`, of which no library path has a part (rule `{rule}`){BREAK}  why: {reason}"
    )]
    Unfilled {
        /// The variable.
        variable: String,
        /// The value, as the rule has it.
        value: String,
        /// The rule.
        rule: String,
        /// Why it exists.
        reason: String,
    },
    /// A rule of the user for distributions that are not there.
    #[error("rule `{name}` of `{}` applies to nothing", file.display())]
    Unused {
        /// Its name.
        name: String,
        /// Its file.
        file: PathBuf,
    },
}

impl VariableFault {
    /// Remedies, each of which mends it.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Missing { variable, .. } | Self::Unfilled { variable, .. } => {
                vec![Remedy::rule(RuleClass::Environment, variable)]
            }
            Self::Unused { name, file } => vec![Remedy::RemoveRule {
                name: name.clone(),
                file: file.clone(),
            }],
        }
    }
}

/// The places that values name.
#[derive(Clone, Copy, Debug)]
pub struct VariablePlaces<'a> {
    /// The directory of modules of the environment.
    pub site_packages: &'a Path,
    /// The driver path, and library paths.
    pub named: NamedPaths<'a>,
}

impl Rules {
    /// The variables for an environment in which some requirements are met, and in which some paths will be there. Of
    /// several rules for a variable the first one that applies counts, and where the user has some, only those.
    pub fn variables(
        &self,
        is_met: impl Fn(&Requirement) -> bool,
        is_there: impl Fn(&Path) -> bool,
        places: VariablePlaces<'_>,
    ) -> (Vec<Variable>, Vec<VariableFault>) {
        let (mut variables, mut faults) = (Vec::<Variable>::new(), Vec::new());
        let mut given: Vec<&str> = Vec::new();
        let own = self.environment.iter().filter(|rule| rule.file.is_some());
        let own: Vec<&str> = own.map(|rule| rule.body.variable.as_str()).collect();
        for rule in &self.environment {
            let (body, name) = (&rule.body, rule.body.variable.as_str());
            if !body.distribution.iter().any(&is_met) {
                faults.extend(rule.file.clone().map(|file| VariableFault::Unused {
                    name: rule.name.clone(),
                    file,
                }));
                continue;
            }
            let is_ours = rule.file.is_none();
            if given.contains(&name) || (is_ours && own.contains(&name)) {
                continue;
            }
            let value = value(rule, &is_there, places);
            if body.if_there && value.is_err() {
                continue;
            }
            given.push(name);
            match value {
                Ok(value) if value.is_empty() => {}
                Ok(value) => variables.push(Variable {
                    name: name.to_owned(),
                    value,
                    rule: rule.name.clone(),
                }),
                Err(fault) => faults.push(fault),
            }
        }
        variables.sort_by(|one, other| one.name.cmp(&other.name));
        (variables, faults)
    }
}

/// The value that a rule gives.
fn value(
    rule: &Rule<Environment>,
    is_there: impl Fn(&Path) -> bool,
    places: VariablePlaces<'_>,
) -> Result<String, VariableFault> {
    let body = &rule.body;
    let (variable, reason) = (body.variable.clone(), rule.reason.clone());
    let site_packages = places.site_packages.to_string_lossy();
    for (at, _) in body.value.match_indices(SITE_PACKAGES) {
        let rest = body
            .value
            .get(at + SITE_PACKAGES.len()..)
            .unwrap_or_default();
        let end = rest.find([':', ';', ',', ' ']).unwrap_or(rest.len());
        let below = rest.get(..end).unwrap_or_default();
        let path = places.site_packages.join(below.trim_start_matches('/'));
        if !is_there(&path) {
            let rule = rule.name.clone();
            return Err(VariableFault::Missing {
                variable,
                path,
                rule,
                reason,
            });
        }
    }
    fill(&body.value, places.named)
        .map(|value| value.replace(SITE_PACKAGES, &site_packages))
        .ok_or_else(|| VariableFault::Unfilled {
            variable,
            value: body.value.clone(),
            rule: rule.name.clone(),
            reason,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_applies_gives_the_value_and_the_users_come_first() {
        let text = |name: &str, value: &str| {
            format!(
                "[[environment]]\nname='{name}'\nreason='a'\nsource='b'\ndistribution=['demo>=2']\n\
                variable='DEMO'\nvalue='{value}'\n"
            )
        };
        let mut rules = Rules::of_text(&text("r", "x={site-packages}/demo:{driver_path}")).unwrap();
        let places = VariablePlaces {
            site_packages: Path::new("/e/site-packages"),
            named: NamedPaths {
                driver_path: Path::new("/drv"),
                lib_paths: &[],
            },
        };
        let get = |rules: &Rules, met: bool, there: bool| {
            let is_met = |requirement: &Requirement| met && requirement.to_string() == "demo>=2";
            let is_there = |path: &Path| there && path == Path::new("/e/site-packages/demo");
            let (variables, faults) = rules.variables(is_met, is_there, places);
            let values = variables.into_iter().map(|it| it.value);
            let faults = faults.iter().map(ToString::to_string);
            values.chain(faults).collect::<Vec<_>>()
        };
        assert_eq!(get(&rules, true, true), ["x=/e/site-packages/demo:/drv"]);
        assert!(get(&rules, false, true).is_empty());
        let gone =
            "`DEMO` leads to `/e/site-packages/demo`, which is not there (rule `r`)\n  why: a";
        assert_eq!(get(&rules, true, false), [gone]);
        let if_there = Rules::of_text(&(text("t", "{site-packages}/demo") + "if_there=true\n"));
        let if_there = if_there.unwrap();
        assert_eq!(get(&if_there, true, true), ["/e/site-packages/demo"]);
        assert!(get(&if_there, true, false).is_empty());
        let mut own = Rules::of_text(&text("own", "mine")).unwrap().environment;
        for rule in &mut own {
            rule.file = Some(PathBuf::from("r.toml"));
        }
        rules.environment.splice(0..0, own);
        assert_eq!(get(&rules, true, false), ["mine"]);
        let unused = ["rule `own` of `r.toml` applies to nothing"];
        assert_eq!(get(&rules, false, false), unused);
        let unfilled = Rules::of_text(&text("u", "{lib:libgone.so}")).unwrap();
        let got = get(&unfilled, true, true);
        assert!(
            got[0].contains("of which no library path has a part"),
            "{got:?}"
        );
    }

    #[test]
    fn variables_that_come_too_late_are_refused() {
        for name in ["PYTHONPATH", "LD_PRELOAD", "a b", "1X", ""] {
            let text = format!(
                "[[environment]]\nname='r'\nreason='a'\nsource='b'\ndistribution=['demo']\n\
                variable='{name}'\nvalue='x'\n"
            );
            assert!(Rules::of_text(&text).is_err(), "{name}");
        }
    }
}
