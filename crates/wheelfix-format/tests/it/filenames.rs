//! File names, against `packaging.utils`.

use wheelfix_format::{PackageName, SdistFilename, WheelFilename};

use crate::oracle;

const WHEELS: &str = r"
import sys
from packaging import utils
for line in open(sys.argv[1]):
    try:
        name, version, build, tags = utils.parse_wheel_filename(line.rstrip('\n'))
        build = f'{build[0]}/{build[1]}' if build else '-'
        print(name, version, build, *sorted(map(str, tags)))
    except Exception:
        print('refused')
";

#[test]
fn wheels_are_read_as_packaging_does() {
    let names = [
        "torch-2.15.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
        "Foo.Bar_baz-1.0-1-py2.py3-none-any.whl",
        "foo-1.0-1abc-py3-none-any.whl",
        "foo-1.0-01-py3-none-any.whl",
        "foo-1.0+cu118-py3-none-any.whl",
        "foo-1.0.post1.dev3-py3-none-any.whl",
        "foo-1!1.0rc1-py3-none-any.whl",
        "foo-v1.0-PY3-None-Any.whl",
        "foo-1.0-x1-py3-none-any.whl",
        "foo-1.0-py3-none.whl",
        "foo-1.0-py3-none-any.zip",
        "foo-1.0-py3-none-any",
        "foo-one-py3-none-any.whl",
        "-1.0-py3-none-any.whl",
        "foo-1.0--none-any.whl",
        "foo-1.0-py3--any.whl",
        "foo-1.0-py3-none-.whl",
        "foo-1.0-py2.-none-any.whl",
        "foo-1.0-3-none-any.whl",
        ".whl",
        "",
    ];
    oracle::compare(WHEELS, &names.map(str::to_owned), |question| match question
        .parse::<WheelFilename>()
    {
        Err(_) => "refused".to_owned(),
        Ok(name) => {
            let build = name.build().map_or("-".to_owned(), |build| {
                format!("{}/{}", build.number(), build.suffix())
            });
            let mut tags: Vec<String> = name.tags().iter().map(|tag| tag.to_string()).collect();
            tags.sort();
            format!(
                "{} {} {build} {}",
                name.name(),
                name.version(),
                tags.join(" ")
            )
        }
    });
}

const SDISTS: &str = r"
import sys
from packaging import utils
for line in open(sys.argv[1]):
    try:
        print(*utils.parse_sdist_filename(line.rstrip('\n')))
    except Exception:
        print('refused')
";

#[test]
fn source_distributions_are_read_as_packaging_does() {
    // Unlike packaging we also read the packings that PyPI once took: not compared here.
    let names = [
        "foo-1.0.tar.gz",
        "Foo_Bar-1.0.zip",
        "python-dateutil-2.9.0.post0.tar.gz",
        "foo.tar.gz",
        "foo-one.tar.gz",
        "-1.0.tar.gz",
        "foo-1.0.whl",
    ];
    oracle::compare(SDISTS, &names.map(str::to_owned), |question| match question
        .parse::<SdistFilename>()
    {
        Err(_) => "refused".to_owned(),
        Ok(name) => format!("{} {}", name.name(), name.version()),
    });
}

const NAMES: &str = r"
import sys
from packaging import utils
for line in open(sys.argv[1]):
    try:
        print(utils.canonicalize_name(line.rstrip('\n'), validate=True))
    except Exception:
        print('refused')
";

#[test]
fn names_are_normalised_as_packaging_does() {
    let names = [
        "a",
        "A.b_c--d",
        "ruamel.yaml",
        "-a",
        "a-",
        "a b",
        "1",
        "_",
        "",
        "\u{e9}",
        "a\u{130}",
        "zope._.-i",
    ];
    oracle::compare(NAMES, &names.map(str::to_owned), |question| {
        question
            .parse::<PackageName>()
            .map_or("refused".to_owned(), |name| name.to_string())
    });
}
