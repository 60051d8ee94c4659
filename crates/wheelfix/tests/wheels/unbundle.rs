//! Bundled libraries of real wheels go, and everything still computes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use walkdir::WalkDir;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::{cache, host};

use crate::programs::{SITE_PACKAGES, command, python, wheelfix};

/// A prefix that lives as long as this.
struct Installed {
    _dir: tempfile::TempDir,
    prefix: PathBuf,
    document: Value,
}

/// Installs wheels with the host's runtimes at hand as in a store path.
#[track_caller]
fn install(wheels: &[&str]) -> Installed {
    let dir = tempfile::tempdir().unwrap();
    let runtimes = dir.path().join("runtimes");
    host::copy_runtimes(&runtimes);
    let prefix = dir.path().join("prefix");
    let document = wheelfix(
        command("install")
            .args(["--no-bytecode", "--python"])
            .arg(cache::tool("python3"))
            .arg("--lib-path")
            .arg(&runtimes)
            .arg("--prefix")
            .arg(&prefix)
            .args(wheels.iter().map(|name| cache::wheel(name))),
    );
    Installed {
        _dir: dir,
        prefix,
        document,
    }
}

/// The file names of the libraries that went.
fn removed(document: &Value) -> BTreeSet<String> {
    let removed = document["unbundling"]["removed"].as_array().unwrap();
    let names = removed.iter().map(|file| {
        Path::new(file["path"].as_str().unwrap())
            .file_name()
            .unwrap()
    });
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

/// Files that have one of the names in their bytes or their path.
fn mentions(prefix: &Path, names: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for entry in WalkDir::new(prefix) {
        let entry = entry.unwrap();
        if !entry.file_type().is_file() {
            continue;
        }
        let bytes = fs_err::read(entry.path()).unwrap();
        for name in names {
            if memchr::memmem::find(&bytes, name.as_bytes()).is_some()
                || entry.path().ends_with(name)
            {
                found.push(format!("{}: {name}", entry.path().display()));
            }
        }
    }
    found
}

#[test]
fn numpy_and_scipy_compute_with_the_runtimes_of_the_store() {
    let installed = install(&["numpy", "scipy"]);
    let prefix = &installed.prefix;
    let gone = removed(&installed.document);
    let want = [
        "libgfortran-040039e1-0352e75f.so.5.0.0",
        "libgfortran-8f1e9814.so.5.0.0",
        "libquadmath-828275a7.so.0.0.0",
        "libquadmath-96973f99-934c22de.so.0.0.0",
    ];
    assert_eq!(gone, want.map(str::to_owned).into());
    assert_eq!(mentions(prefix, &gone), Vec::<String>::new());
    for wheel in ["numpy-2.4.6", "scipy-1.17.1"] {
        let list = prefix
            .join(SITE_PACKAGES)
            .join(format!("{wheel}.dist-info/sboms/wheelfix.cdx.json"));
        let list: Value = serde_json::from_str(&fs_err::read_to_string(list).unwrap()).unwrap();
        assert_eq!(list["components"][0]["name"], "libgfortran");
    }
    python(
        prefix,
        "
import numpy as np, scipy.linalg, scipy.interpolate, scipy.optimize, scipy.odr
a = np.random.default_rng(1).random((60, 60)) + 60 * np.eye(60)
assert np.allclose(np.linalg.inv(a) @ a, np.eye(60))
assert np.allclose(np.linalg.solve(a, a[:, 0]), np.eye(60)[:, 0])
u, s, v = scipy.linalg.svd(a)
assert np.allclose(u * s @ v, a)
assert np.allclose(scipy.linalg.expm(scipy.linalg.logm(a)), a)
x = np.linspace(0, 6, 50)
assert abs(scipy.interpolate.splev(1.5, scipy.interpolate.splrep(x, np.sin(x))) - np.sin(1.5)) < 1e-4
assert scipy.optimize.minimize(lambda p: (p[0] - 3) ** 2, [0.0]).success
maps = {line.split()[-1] for line in open('/proc/self/maps') if 'libgfortran' in line}
assert len(maps) == 1 and maps.pop().endswith('/runtimes/lib/libgfortran.so.5'), maps
",
    );
}

/// The names of all symbols that a library defines or needs and that begin so, with versions cut off.
fn symbols(library: &Path, begin: &str, defined: bool) -> BTreeSet<String> {
    let text = Tool::READELF
        .run(&["--dyn-syms", "-W", library.to_str().unwrap()])
        .expect();
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [_, _, _, _, _, _, section, name, ..] = fields[..]
            && (section != "UND") == defined
        {
            let name = name.split('@').next().unwrap();
            if name.starts_with(begin) {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

#[test]
fn another_openblas_is_refused_with_exactly_the_symbols_that_it_lacks() {
    let installed = install(&["numpy"]);
    let site = installed.prefix.join(SITE_PACKAGES);
    // An OpenBLAS as distributions build it: the usual names, which numpy's wheel does not ask for.
    let dir = tempfile::tempdir().unwrap();
    let lib = dir.path().join("lib");
    fs_err::create_dir_all(&lib).unwrap();
    fs_err::write(
        lib.join("blas.c"),
        "void cblas_dgemm(void) {} void dgetrf_(void) {}",
    )
    .unwrap();
    let args = [
        "-shared",
        "-fPIC",
        "-nostdlib",
        "-Wl,-soname,libopenblas.so.0",
        "-o",
        "libopenblas.so.0",
        "blas.c",
    ];
    Tool::CC.run_in(&lib, &args).expect();

    let before = digest(&site);
    let output = Command::new(env!("CARGO_BIN_EXE_wheelfix"))
        .args([
            "unbundle",
            "--bundled",
            "libscipy_openblas*=replace",
            "--lib-path",
        ])
        .arg(dir.path())
        .arg(&site)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    let lacking: BTreeSet<String> = errors
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| !line.starts_with("needed by "))
        .map(str::to_owned)
        .collect();
    let openblas = site.join("numpy.libs/libscipy_openblas64_-32a4b2a6.so");
    let defined = symbols(&openblas, "", true);
    let mut wanted = BTreeSet::new();
    for user in [
        "linalg/_umath_linalg",
        "linalg/lapack_lite",
        "_core/_multiarray_umath",
    ] {
        let user = site.join(format!("numpy/{user}.cpython-311-x86_64-linux-gnu.so"));
        wanted.extend(symbols(&user, "", false).intersection(&defined).cloned());
    }
    assert!(
        20 < wanted.len() && wanted.iter().all(|name| name.starts_with("scipy_")),
        "{wanted:?}"
    );
    assert_eq!(lacking, wanted, "{errors}");
    assert!(before == digest(&site), "files have changed");
}

/// All files with their contents.
fn digest(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = WalkDir::new(directory)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| (entry.path().to_owned(), fs_err::read(entry.path()).unwrap()))
        .collect()
}

#[test]
fn bitsandbytes_keeps_the_backends_that_the_given_cuda_can_load() {
    let dir = tempfile::tempdir().unwrap();
    let (cuda, prefix) = (dir.path().join("cuda"), dir.path().join("prefix"));
    host::copy_runtimes(&dir.path().join("runtimes"));
    let libraries = [
        "nvidia_cublas",
        "nvidia_cuda_runtime",
        "nvidia_cusparse",
        "nvidia_nvjitlink",
    ];
    wheelfix(
        command("install")
            .args(["--no-bytecode", "--python"])
            .arg(cache::tool("python3"))
            .arg("--prefix")
            .arg(&cuda)
            .arg("--lib-path")
            .arg(dir.path().join("runtimes"))
            .args(libraries.map(cache::wheel)),
    );
    let document = wheelfix(
        command("install")
            .args(["--no-bytecode", "--python"])
            .arg(cache::tool("python3"))
            .arg("--prefix")
            .arg(&prefix)
            .args(
                ["runtimes", "cuda"]
                    .iter()
                    .flat_map(|name| ["--lib-path".into(), dir.path().join(name)]),
            )
            .arg(cache::wheel("bitsandbytes")),
    );
    let directory = prefix.join(SITE_PACKAGES).join("bitsandbytes");
    let names = fs_err::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: BTreeSet<String> = names.filter(|name| name.contains(".so")).collect();
    let want = ["cpu", "cuda130", "cuda132"].map(|name| format!("libbitsandbytes_{name}.so"));
    assert_eq!(left, want.clone().into());
    let drops = document["relocation"]["drops"].as_array().unwrap();
    assert_eq!(drops.len(), 13);
    let saved = document["bytes_saved"].as_u64().unwrap();
    assert!(100_000_000 < saved, "{saved}");
    let record = fs_err::read_to_string(
        prefix
            .join(SITE_PACKAGES)
            .join("bitsandbytes-0.50.2.dist-info/RECORD"),
    )
    .unwrap();
    let listed = record.lines().filter_map(|line| {
        line.split(',')
            .next()?
            .strip_prefix("bitsandbytes/libbitsandbytes_")
    });
    assert_eq!(listed.count(), 3);
    let paths = want.map(|name| directory.join(name).to_str().unwrap().to_owned());
    // All but the driver, which is not needed to be opened, is found.
    python(
        &prefix,
        &format!("import ctypes\nfor path in {paths:?}: ctypes.CDLL(path)"),
    );
}
