//! The interpreter of an environment: a program in its `bin` that sees its modules, whichever way
//! it is called.

use std::path::{Path, PathBuf};

use wheelfix_loader::existing_path;

use crate::env::generated::{GeneratedContent, GeneratedFile};
use crate::launcher::shell_quote;
use crate::layout::Layout;
use crate::python::Python;

/// How the interpreter of an environment learns where the modules are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Activation {
    /// A link to the Python, with a `pyvenv.cfg` beside it, which every `CPython` reads:
    /// <https://docs.python.org/3/library/venv.html>.
    Venv,
    /// A shell script that sets the variables which nixpkgs' `sitecustomize.py` reads.
    Variables,
}

/// The files that make an interpreter; none if nothing is known of the Python.
pub(crate) fn files(
    activation: Activation,
    python: &Python,
    prefix: &Path,
    layout: &Layout,
) -> Vec<GeneratedFile<'static>> {
    let Some(base) = python.base() else {
        return Vec::new();
    };
    let name = python.name();
    let own = |path: String, content| GeneratedFile {
        path,
        source: 0,
        content,
    };
    let link = |alias: &str| {
        own(
            format!("bin/{alias}"),
            GeneratedContent::Link(PathBuf::from(&name)),
        )
    };
    let mut files = vec![link("python"), link("python3")];
    let program = match activation {
        Activation::Venv => {
            let executable = beside_its_library(&base.executable, layout);
            let home = executable.parent().unwrap_or(Path::new("/"));
            let text = format!(
                "home = {}\ninclude-system-site-packages = false\nversion = {}\nexecutable = {}\n",
                home.display(),
                base.full_version,
                executable.display(),
            );
            files.push(own(
                "pyvenv.cfg".to_owned(),
                GeneratedContent::Text {
                    text,
                    executable: false,
                },
            ));
            GeneratedContent::Link(executable)
        }
        Activation::Variables => GeneratedContent::Text {
            text: launcher(&base.executable, prefix, &name, layout),
            executable: true,
        },
    };
    files.push(own(format!("bin/{name}"), program));
    files
}

/// The path of a Python for `home`, beside which it looks for its library: where there is none, as beside the links of
/// a profile of Nix or of uv's `~/.local/bin`, but where they lead, that.
fn beside_its_library(executable: &Path, layout: &Layout) -> PathBuf {
    let site_packages = layout.site_packages();
    let library = Path::new(&site_packages).with_file_name("os.py");
    let has_library = |path: &Path| {
        let prefix = path.parent().and_then(Path::parent);
        prefix.is_some_and(|prefix| prefix.join(&library).is_file())
    };
    let real = existing_path(executable).ok();
    match real {
        Some(real) if !has_library(executable) && has_library(&real) => real,
        _ => executable.to_owned(),
    }
}

/// The script that sets the variables of
/// <https://github.com/NixOS/nixpkgs/blob/master/pkgs/development/interpreters/python/sitecustomize.py>.
fn launcher(python: &Path, prefix: &Path, name: &str, layout: &Layout) -> String {
    let quote = |path: &Path| shell_quote(&path.to_string_lossy());
    format!(
        "#!/bin/sh\n\
         export NIX_PYTHONPREFIX={}\n\
         export NIX_PYTHONEXECUTABLE={}\n\
         export NIX_PYTHONPATH={}\n\
         export PYTHONNOUSERSITE=true\n\
         exec {} \"$@\"\n",
        quote(prefix),
        quote(&prefix.join("bin").join(name)),
        quote(&prefix.join(layout.site_packages())),
        quote(python),
    )
}
