//! The variables that a marker asks for, with their values.

use super::{
    Condition, Context, Marker, MarkerEnvironment, Operand, Selected, VARIABLES, Variable,
};

impl Marker {
    /// The variables of the environment that the marker asks for, by the names that it gives them, and their values;
    /// extras and groups are none.
    pub fn values<'e>(&self, environment: &'e MarkerEnvironment) -> Vec<(&'static str, &'e str)> {
        let mut asked = Vec::new();
        variables(&self.condition, &mut asked);
        let context = Context {
            environment,
            selected: Selected::Extra(""),
        };
        let name = |variable: Variable| {
            let mut names = VARIABLES.iter().filter(|(_, other)| *other == variable);
            names.find(|(name, _)| self.text.contains(name))
        };
        let named = asked.into_iter().filter_map(name);
        named
            .map(|(name, variable)| (*name, variable.value(&context)))
            .collect()
    }
}

/// Adds the variables with a value, each once.
fn variables(condition: &Condition, found: &mut Vec<Variable>) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            for part in parts {
                variables(part, found);
            }
        }
        Condition::Compare { left, right, .. } => {
            for operand in [left, right] {
                if let Operand::Variable(variable) = operand
                    && !variable.is_name()
                    && !found.contains(variable)
                {
                    found.push(*variable);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PythonVersion, Target};

    #[test]
    fn each_variable_has_its_value_once() {
        let version = PythonVersion {
            major: 3,
            minor: 12,
        };
        let target = Target::linux(version, "aarch64", crate::Libc::ASSUMED_GLIBC);
        let marker = "python_version < '3.10' and (sys_platform == 'win32' or 'x' == extra) or python_version == '2'";
        let marker = marker.parse::<Marker>().unwrap();
        let want = [("python_version", "3.12"), ("sys_platform", "linux")];
        assert_eq!(marker.values(&target.marker_environment()), want);
    }
}
