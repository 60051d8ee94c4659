//! `entry_points.txt`: objects that a distribution offers, among them its scripts.
//!
//! <https://packaging.python.org/en/latest/specifications/entry-points/>

use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::str::FromStr;

/// The contents of `entry_points.txt`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EntryPoints {
    /// Entry points by group, each group in the order of the file.
    pub groups: BTreeMap<String, Vec<EntryPoint>>,
    /// The lines that are not in the groups, and do not matter.
    pub oddities: Vec<EntryPointOddity>,
}

/// A line that is not as the format says, and of which no installer makes anything.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EntryPointOddity {
    /// One of another group than the scripts' without an object, as `x = %(y)s`.
    NoObject(String),
    /// A script that the other script group has, with the same object.
    SameScript(String),
}

/// One line of a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EntryPoint {
    /// Never empty. Inside the script groups it is a legal file name.
    pub name: String,
    /// The object that it points to.
    pub object: ObjectReference,
}

/// A Python object, for example `pkg.module:Class.method [extra]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObjectReference {
    /// Dotted name of the module.
    pub module: String,
    /// Dotted name of the object in the module; `None` for the module itself.
    pub attr: Option<String>,
    /// Extras that the object needs, as written. Deprecated, and ignored by installers.
    pub extras: Vec<String>,
}

/// A script that an installer has to make.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Script<'a> {
    /// Name of the file.
    pub name: &'a str,
    /// The group that it is from.
    pub kind: ScriptKind,
    /// The object that it calls; its `attr` is never `None`.
    pub object: &'a ObjectReference,
}

/// The two groups that installers make scripts from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ScriptKind {
    /// `console_scripts`
    Console,
    /// `gui_scripts`
    Gui,
}

/// A fault of one line of an `entry_points.txt`.
///
/// Lines count from 1.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryPointsError {
    /// A line that is neither a group, nor an entry point, nor a comment.
    #[error("line {line}: expected [group] or name = object, got `{got}`")]
    Syntax {
        /// The line.
        line: usize,
        /// The whole line.
        got: String,
    },
    /// An entry point before the first group.
    #[error("line {line}: entry point before the first group: `{got}`")]
    NoGroup {
        /// The line.
        line: usize,
        /// The whole line.
        got: String,
    },
    /// A group that occurs twice.
    #[error("line {line}: group occurs twice: `{group}`")]
    DuplicateGroup {
        /// The line.
        line: usize,
        /// The name of the group.
        group: String,
    },
    /// A name that occurs twice in one group, or in both script groups with different objects.
    #[error("line {line}: name occurs twice: `{name}`")]
    DuplicateName {
        /// The line.
        line: usize,
        /// The name of the entry point.
        name: String,
    },
    /// Not `module:attribute [extras]`.
    #[error("line {line}: expected module:attribute [extras], got `{got}`")]
    Object {
        /// The line.
        line: usize,
        /// The text behind the `=`.
        got: String,
    },
    /// A script that would call a module.
    #[error("line {line}: a script must call a function, got only the module: `{got}`")]
    NoFunction {
        /// The line.
        line: usize,
        /// The text behind the `=`.
        got: String,
    },
    /// A script whose text Python could not compile.
    #[error("line {line}: `{word}` is not a name in Python, so that the script would not compile")]
    NotPython {
        /// The line.
        line: usize,
        /// A part of a dotted name.
        word: String,
    },
    /// A script name that cannot be the name of a file in the scripts directory.
    #[error("line {line}: not a name for a script: `{name}`")]
    ScriptName {
        /// The line.
        line: usize,
        /// The name of the entry point.
        name: String,
    },
}

const CONSOLE: &str = "console_scripts";
const GUI: &str = "gui_scripts";

impl EntryPoints {
    /// Parses a text; all faults at once.
    pub fn parse(text: &str) -> Result<Self, Vec<EntryPointsError>> {
        let (mut points, mut faults) = (Self::default(), Vec::new());
        let mut group: Option<String> = None;
        let mut seen = Seen::default();
        for (index, text) in text.lines().enumerate() {
            let (line, text) = (index + 1, text.trim());
            if text.is_empty() || text.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = text
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                let name = name.trim().to_owned();
                if points.groups.insert(name.clone(), Vec::new()).is_some() {
                    faults.push(EntryPointsError::DuplicateGroup {
                        line,
                        group: name.clone(),
                    });
                }
                group = Some(name);
                continue;
            }
            match parse_line(line, text, group.as_deref()) {
                Err(EntryPointsError::Object { got, .. }) if !is_scripts(group.as_deref()) => {
                    points.oddities.push(EntryPointOddity::NoObject(got));
                }
                Err(fault) => faults.push(fault),
                Ok((group, point)) => match seen.add(group, &point) {
                    First::Yes => points
                        .groups
                        .entry(group.to_owned())
                        .or_default()
                        .push(point),
                    First::Same => points
                        .oddities
                        .push(EntryPointOddity::SameScript(point.name)),
                    First::No => faults.push(EntryPointsError::DuplicateName {
                        line,
                        name: point.name,
                    }),
                },
            }
        }
        if faults.is_empty() {
            Ok(points)
        } else {
            Err(faults)
        }
    }

    /// The scripts to make: console scripts first, each group in the order of the file.
    pub fn scripts(&self) -> impl Iterator<Item = Script<'_>> {
        let kinds = [(CONSOLE, ScriptKind::Console), (GUI, ScriptKind::Gui)];
        kinds.into_iter().flat_map(|(group, kind)| {
            let points = self.groups.get(group).into_iter().flatten();
            points.map(move |EntryPoint { name, object }| Script { name, kind, object })
        })
    }
}

/// The entry points before a line: by the directory that they write into, and the name.
#[derive(Default)]
struct Seen(BTreeMap<(String, String), (String, ObjectReference)>);

/// Whether an entry point is the first of its name.
enum First {
    Yes,
    /// The other script group has the same.
    Same,
    No,
}

impl Seen {
    fn add(&mut self, group: &str, point: &EntryPoint) -> First {
        // Both script groups write into one directory.
        let directory = if group == GUI { CONSOLE } else { group };
        let key = (directory.to_owned(), point.name.clone());
        match self.0.entry(key) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert((group.to_owned(), point.object.clone()));
                First::Yes
            }
            btree_map::Entry::Occupied(occupied) => {
                let (first_group, first_object) = occupied.get();
                if first_group != group && *first_object == point.object {
                    First::Same
                } else {
                    First::No
                }
            }
        }
    }
}

/// Whether a group is one that installers make scripts from.
fn is_scripts(group: Option<&str>) -> bool {
    matches!(group, Some(CONSOLE | GUI))
}

fn parse_line<'a>(
    line: usize,
    text: &str,
    group: Option<&'a str>,
) -> Result<(&'a str, EntryPoint), EntryPointsError> {
    let Some((name, value)) = text.split_once('=') else {
        let got = text.to_owned();
        return Err(EntryPointsError::Syntax { line, got });
    };
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() {
        let got = text.to_owned();
        return Err(EntryPointsError::Syntax { line, got });
    }
    let Some(group) = group else {
        let got = text.to_owned();
        return Err(EntryPointsError::NoGroup { line, got });
    };
    let got = value.to_owned();
    let Ok(object) = value.parse::<ObjectReference>() else {
        return Err(EntryPointsError::Object { line, got });
    };
    if is_scripts(Some(group)) {
        if !is_script_name(name) {
            let name = name.to_owned();
            return Err(EntryPointsError::ScriptName { line, name });
        }
        let Some(attr) = &object.attr else {
            return Err(EntryPointsError::NoFunction { line, got });
        };
        let mut words = object.module.split('.').chain(attr.split('.'));
        if let Some(word) = words.find(|word| !is_python_name(word)) {
            let word = word.to_owned();
            return Err(EntryPointsError::NotPython { line, word });
        }
    }
    let name = name.to_owned();
    Ok((group, EntryPoint { name, object }))
}

/// Stricter than the format, which only recommends: a script becomes a file, and in its text the
/// name stands nowhere, so anything that is one plain file name will do.
fn is_script_name(name: &str) -> bool {
    !matches!(name, "." | "..")
        && !name
            .chars()
            .any(|c| matches!(c, '/' | '\\') || c.is_control())
}

impl FromStr for ObjectReference {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (object, extras) = match text.trim().strip_suffix(']') {
            None => (text, Vec::new()),
            Some(rest) => {
                let (object, extras) = rest.split_once('[').ok_or(())?;
                let extras = extras
                    .split(',')
                    .map(str::trim)
                    .filter(|extra| !extra.is_empty());
                (object, extras.map(str::to_owned).collect())
            }
        };
        let (module, attr) = match object.split_once(':') {
            None => (object.trim(), None),
            Some((module, attr)) => (module.trim(), Some(attr.trim())),
        };
        if !is_dotted_name(module) || !attr.is_none_or(is_dotted_name) {
            return Err(());
        }
        Ok(Self {
            module: module.to_owned(),
            attr: attr.map(str::to_owned),
            extras,
        })
    }
}

/// Words that Python keeps for itself.
///
/// <https://docs.python.org/3/reference/lexical_analysis.html#keywords>
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// Whether a text is an identifier of Python and no keyword.
///
/// <https://docs.python.org/3/reference/lexical_analysis.html#identifiers>
fn is_python_name(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    first.is_some_and(|c| c == '_' || unicode_ident::is_xid_start(c))
        && chars.all(unicode_ident::is_xid_continue)
        && !KEYWORDS.contains(&text)
}

/// Whether the text can stand in `from text import ...`: identifiers with dots between.
fn is_dotted_name(text: &str) -> bool {
    text.split('.').all(|part| {
        let mut chars = part.chars();
        let first = chars.next();
        first.is_some_and(|c| c.is_alphabetic() || c == '_')
            && chars.all(|c| c.is_alphanumeric() || c == '_')
    })
}

impl fmt::Display for ObjectReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.module)?;
        if let Some(attr) = &self.attr {
            write!(f, ":{attr}")?;
        }
        if !self.extras.is_empty() {
            write!(f, " [{}]", self.extras.join(","))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match EntryPoints::parse(text) {
            Ok(points) => {
                let lines = points.groups.iter().flat_map(|(group, points)| {
                    points
                        .iter()
                        .map(move |point| format!("{group}: {} = {}\n", point.name, point.object))
                });
                lines.collect::<Vec<_>>().concat()
            }
            Err(faults) => faults
                .iter()
                .map(|fault| format!("error: {fault}\n"))
                .collect::<Vec<_>>()
                .concat(),
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn groups_names_and_objects_are_read() {
        check(
            "# comment\n[console_scripts]\nf2py = numpy.f2py.f2py2e:main\n\n[ g ]\na-b.c = m\n\tx = m : a.b [e1, e2]\n",
            "console_scripts: f2py = numpy.f2py.f2py2e:main\ng: a-b.c = m\ng: x = m:a.b [e1,e2]\n",
        );
    }

    #[test]
    fn scripts_come_from_two_groups() {
        let points =
            EntryPoints::parse("[gui_scripts]\ng = m:g\n[console_scripts]\nb = m:b\na = m:a\n")
                .unwrap();
        let scripts: Vec<_> = points
            .scripts()
            .map(|script| (script.name, script.kind))
            .collect();
        assert_eq!(
            scripts,
            [
                ("b", ScriptKind::Console),
                ("a", ScriptKind::Console),
                ("g", ScriptKind::Gui)
            ]
        );
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        check(
            "early = m:f\n[console_scripts]\noops\n= m:f\n../x = m:f\nmod = m\nbad = m:f()\nbad2 = ../m:f\n\
             a = m:f\na = m:g\n[gui_scripts]\na = m:g\n[console_scripts]\n",
            "error: line 1: entry point before the first group: `early = m:f`\n\
             error: line 3: expected [group] or name = object, got `oops`\n\
             error: line 4: expected [group] or name = object, got `= m:f`\n\
             error: line 5: not a name for a script: `../x`\n\
             error: line 6: a script must call a function, got only the module: `m`\n\
             error: line 7: expected module:attribute [extras], got `m:f()`\n\
             error: line 8: expected module:attribute [extras], got `../m:f`\n\
             error: line 10: name occurs twice: `a`\n\
             error: line 12: name occurs twice: `a`\n\
             error: line 13: group occurs twice: `console_scripts`\n",
        );
    }

    #[test]
    fn lines_of_which_no_installer_makes_anything_are_told_of() {
        let text =
            "[g]\nx = %(y)s\nz = m:f # why\n[console_scripts]\na = m:f\n[gui_scripts]\na = m:f\n";
        check(text, "console_scripts: a = m:f\n");
        let want = [
            EntryPointOddity::NoObject("%(y)s".to_owned()),
            EntryPointOddity::NoObject("m:f # why".to_owned()),
            EntryPointOddity::SameScript("a".to_owned()),
        ];
        assert_eq!(EntryPoints::parse(text).unwrap().oddities, want);
    }
}
