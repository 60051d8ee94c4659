//! Requirements, markers and versions, against `packaging`.

use std::collections::BTreeSet;

use wheelfix_format::{
    Constraint, Libc, Marker, MarkerSets, PackageName, PythonVersion, Requirement, Target, Version,
    VersionSpecifiers,
};

use crate::oracle;

const REQUIREMENTS: &str = r"
import sys
from packaging import requirements, utils
for line in open(sys.argv[1]):
    try:
        it = requirements.Requirement(line.rstrip('\n'))
        extras = ','.join(sorted(map(utils.canonicalize_name, it.extras)))
        print(utils.canonicalize_name(it.name), extras, it.specifier, it.url or '', bool(it.marker), sep='|')
    except Exception as error:
        print('refused')
";

#[test]
fn requirements_are_read_as_packaging_does() {
    let texts = [
        "torch",
        "torch<3,>=2.4",
        "Foo.Bar [A_b, c] ( >= 1.0 , != 1.1 )",
        "a>=1;extra=='x'",
        "a ; python_version < '3'",
        "a[]",
        "a[b]",
        "a @ https://x/y.whl",
        "a @ https://x/y.whl ; extra == 'c'",
        "a[b]@https://x/y.whl",
        "a==1.*",
        "a~=1.4.2",
        "a===1.0",
        "cuda-toolkit[cublas,cudart]==13.2.2; platform_system == \"Linux\"",
        "zope.interface>5,<6 ; (python_version >= '3.8' and extra == 'a') or os_name == 'nt'",
        "",
        ">=1",
        "a[b",
        "a (>=1",
        "a[b c]",
        "a >= 1 2",
        "a >== 1",
        "a ; python_version",
        "a ; nonsense == 'x'",
        "a;",
    ];
    oracle::compare(
        REQUIREMENTS,
        &texts.map(str::to_owned),
        |question| match question.parse::<Requirement>() {
            Err(_) => "refused".to_owned(),
            Ok(it) => {
                let mut extras: Vec<&str> = it.extras().iter().map(PackageName::as_str).collect();
                extras.sort_unstable();
                let url = match it.constraint() {
                    Constraint::Url(url) => url,
                    Constraint::Versions(_) => "",
                };
                let has_marker = if it.marker().is_some() {
                    "True"
                } else {
                    "False"
                };
                format!(
                    "{}|{}|{}|{url}|{has_marker}",
                    it.name(),
                    extras.join(","),
                    it.specifier_text()
                )
            }
        },
    );
}

const MARKERS: &str = r"
import sys
from packaging import markers
environment = {
    'implementation_name': 'cpython', 'implementation_version': '3.11.0', 'os_name': 'posix',
    'platform_machine': 'x86_64', 'platform_python_implementation': 'CPython', 'platform_release': '',
    'platform_system': 'Linux', 'platform_version': '', 'python_full_version': '3.11.0',
    'python_version': '3.11', 'sys_platform': 'linux', 'extra': 'big-one',
}
for line in open(sys.argv[1]):
    try:
        print(markers.Marker(line.rstrip('\n')).evaluate(environment))
    except Exception as error:
        print('refused')
";

/// Every variable with every operator and some values.
fn comparisons() -> Vec<String> {
    let versions = ["3.8", "3.10", "3.11", "3.11.0", "3.11.1", "3.12", "4"];
    let mut markers = Vec::new();
    for variable in [
        "python_version",
        "python_full_version",
        "implementation_version",
    ] {
        for operator in ["==", "!=", "<", "<=", ">", ">=", "~="] {
            for version in versions
                .iter()
                .filter(|version| operator != "~=" || version.contains('.'))
            {
                markers.push(format!("{variable} {operator} '{version}'"));
                if operator != "~=" {
                    markers.push(format!("'{version}' {operator} {variable}"));
                }
            }
        }
        markers.push(format!("{variable} == '3.11.*'"));
        markers.push(format!("{variable} != '3.*'"));
        markers.push(format!("{variable} in '3.10 3.11 3.12'"));
        markers.push(format!("{variable} not in '2.7, 3.6'"));
    }
    let texts = [
        ("os_name", ["posix", "nt"]),
        ("sys_platform", ["linux", "win32"]),
        ("platform_machine", ["x86_64", "aarch64"]),
        ("platform_system", ["Linux", "Windows"]),
        ("platform_python_implementation", ["CPython", "PyPy"]),
        ("implementation_name", ["cpython", "pypy"]),
        ("extra", ["big-one", "other"]),
        ("extra", ["Big_One", "big.one"]),
    ];
    for (variable, values) in texts {
        for value in values {
            markers.push(format!("{variable} == '{value}'"));
            markers.push(format!("{variable} != \"{value}\""));
            markers.push(format!("'{value}' == {variable}"));
            if variable != "extra" {
                markers.push(format!("{variable} in '{value} and more'"));
                markers.push(format!("{variable} not in '{value}'"));
                markers.push(format!("'{}' in {variable}", value.get(..2).unwrap()));
            }
        }
    }
    markers
}

#[test]
fn markers_are_evaluated_as_packaging_does() {
    let mut questions = comparisons();
    let simple = questions.clone();
    for (index, marker) in simple.iter().enumerate() {
        let other = &simple[(index * 7 + 3) % simple.len()];
        questions.push(format!("{marker} and {other}"));
        questions.push(format!("({marker} or {other}) and os_name == 'posix'"));
    }
    assert!(500 < questions.len());
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
    let environment = target.marker_environment();
    oracle::compare(MARKERS, &questions, |question| {
        match format!("a; {question}").parse::<Requirement>() {
            Err(_) => "refused".to_owned(),
            Ok(it) if it.applies(&environment, &["big-one".parse().unwrap()]) => "True".to_owned(),
            Ok(_) => "False".to_owned(),
        }
    });
}

/// A question is `EXTRAS|GROUPS|MARKER`.
const SETS: &str = r"
import sys
from packaging import markers
environment = {
    'implementation_name': 'cpython', 'implementation_version': '3.11.0', 'os_name': 'posix',
    'platform_machine': 'x86_64', 'platform_python_implementation': 'CPython', 'platform_release': '',
    'platform_system': 'Linux', 'platform_version': '', 'python_full_version': '3.11.0',
    'python_version': '3.11', 'sys_platform': 'linux',
}
for line in open(sys.argv[1]):
    extras, groups, marker = line.rstrip('\n').split('|')
    environment['extras'] = frozenset(extras.split())
    environment['dependency_groups'] = frozenset(groups.split())
    try:
        print(markers.Marker(marker).evaluate(environment, context='lock_file'))
    except Exception as error:
        print('refused')
";

/// The names of a question.
fn names(text: &str) -> BTreeSet<PackageName> {
    text.split(' ')
        .filter_map(|name| name.parse().ok())
        .collect()
}

#[test]
fn sets_of_extras_and_groups_are_those_of_packaging() {
    let mut simple = Vec::new();
    for variable in ["extras", "dependency_groups"] {
        for name in ["x", "Big_One", "big-one", "none"] {
            simple.push(format!("'{name}' in {variable}"));
            simple.push(format!("\"{name}\" not in {variable}"));
        }
        simple.push(format!("{variable} == 'x'"));
        simple.push(format!("{variable} in 'x'"));
    }
    let others = comparisons();
    let mut questions = Vec::new();
    for (at, one) in simple.iter().enumerate() {
        for (index, two) in simple.iter().enumerate() {
            let other = &others[(at * 31 + index * 7) % others.len()];
            for (extras, groups) in [("", ""), ("x", ""), ("", "x big-one"), ("big-one y", "x")] {
                // Without an environment of METADATA there is no `extra`.
                let other = if other.contains("extra") {
                    "os_name == 'nt'"
                } else {
                    other
                };
                questions.push(format!("{extras}|{groups}|{one} and ({two} or {other})"));
            }
        }
    }
    assert!(1500 < questions.len());
    let environment = Target::linux(
        PythonVersion {
            major: 3,
            minor: 11,
        },
        "x86_64",
        Libc::ASSUMED_GLIBC,
    )
    .marker_environment();
    oracle::compare(SETS, &questions, |question| {
        let parts: Vec<&str> = question.split('|').collect();
        let sets = MarkerSets {
            extras: names(parts[0]),
            groups: names(parts[1]),
        };
        match parts[2].parse::<Marker>() {
            Err(_) => "refused".to_owned(),
            Ok(marker) if marker.holds(&environment, &sets) => "True".to_owned(),
            Ok(_) => "False".to_owned(),
        }
    });
}

const SPECIFIERS: &str = r"
import sys
from packaging import specifiers
for line in open(sys.argv[1]):
    specifier, version = line.rstrip('\n').split(' ')
    try:
        print(specifiers.SpecifierSet(specifier).contains(version, prereleases=True))
    except Exception:
        print('refused')
";

const VERSION_SPECIFIERS: [&str; 20] = [
    "==1.0",
    "==1.0.*",
    "!=1.0",
    "!=1.*",
    ">=1.0",
    ">1.0",
    "<1.0",
    "<=1.0",
    "~=1.0",
    "~=1.0.1",
    "===1.0",
    ">=1.0,<2",
    ">1.0.post1",
    "<1.0.post1",
    ">=1.0rc1",
    "<1.0rc1",
    "==1.0+local",
    ">=1.0.dev1",
    "==1!1.0",
    "<2,!=1.0",
];

const VERSIONS: [&str; 14] = [
    "1.0",
    "1",
    "1.0.0",
    "1.0.1",
    "0.9",
    "2.0",
    "1.0rc1",
    "1.0.post1",
    "1.0.post2",
    "1.0.dev1",
    "1.0+local",
    "1.0.1+cu118",
    "2.0b1",
    "1!1.0",
];

#[test]
fn specifiers_accept_the_versions_that_packaging_accepts() {
    // The crate for versions takes "before the prerelease" narrower than `packaging`; nobody asks.
    let is_different = |question: &String| {
        [
            "<1.0.post1 1.0rc1",
            "<1.0.post1 1.0.dev1",
            "<1.0rc1 1.0.dev1",
        ]
        .contains(&question.as_str())
    };
    let questions = VERSION_SPECIFIERS.iter().flat_map(|specifier| {
        VERSIONS
            .iter()
            .map(move |version| format!("{specifier} {version}"))
    });
    let questions: Vec<String> = questions
        .filter(|question| !is_different(question))
        .collect();
    oracle::compare(SPECIFIERS, &questions, |question| {
        let (specifiers, version) = question.split_once(' ').unwrap();
        let version: Version = version.parse().unwrap();
        match specifiers.parse::<VersionSpecifiers>() {
            Ok(specifiers) if specifiers.contains(&version) => "True".to_owned(),
            Ok(_) => "False".to_owned(),
            Err(_) => "refused".to_owned(),
        }
    });
}
