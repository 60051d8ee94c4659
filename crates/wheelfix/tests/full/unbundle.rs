//! Bundled libraries of torch, scikit-learn and torchvision, of older wheels, and of other targets.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use wheelfix_format::LibraryName;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::{cache, host};

use crate::programs::{command, python, wheelfix};

/// A directory with the host's runtimes, and libraries of torchvision's, as in a store.
fn store() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let runtimes = dir.path().join("runtimes");
    host::copy_runtimes(&runtimes);
    for soname in ["libpng16.so.16", "libjpeg.so.62"] {
        fs_err::copy(host::library(soname), runtimes.join("lib").join(soname)).unwrap();
    }
    dir
}

/// Installs wheels below the directory, with what lies there at hand.
#[track_caller]
fn install(dir: &Path, name: &str, wheels: &[PathBuf]) -> Value {
    let mut install = command("install");
    install
        .args(["--no-bytecode", "--python"])
        .arg(cache::tool("python3"));
    for lib_path in ["runtimes", "cuda"].map(|name| dir.join(name)) {
        if lib_path.is_dir() {
            install.arg("--lib-path").arg(lib_path);
        }
    }
    wheelfix(install.arg("--prefix").arg(dir.join(name)).args(wheels))
}

/// The decision about each bundled library, by file name.
fn decisions(document: &Value) -> Vec<(String, String)> {
    let libraries = document["unbundling"]["libraries"].as_array().unwrap();
    let decision = |library: &Value| {
        let path = Path::new(library["path"].as_str().unwrap());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (
            name,
            library["verdict"]["verdict"].as_str().unwrap().to_owned(),
        )
    };
    libraries.iter().map(decision).collect()
}

/// No file of the prefix has the name of a library that went and had a hash in its name.
#[track_caller]
fn assert_forgotten(prefix: &Path, document: &Value) {
    let removed = decisions(document)
        .into_iter()
        .filter(|(_, decision)| decision != "keep");
    let is_hashed =
        |name: &String| LibraryName::parse(name).is_some_and(|name| !name.hashes().is_empty());
    let hashed: BTreeSet<String> = removed.map(|(name, _)| name).filter(is_hashed).collect();
    assert!(!hashed.is_empty());
    // Gigabytes: grep is faster than what is not optimised.
    let mut grep = Command::new("grep");
    grep.args(["-rlaF"]);
    for name in &hashed {
        grep.args(["-e", name]);
    }
    let output = grep.arg(prefix).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    // It found nothing, and nothing else went wrong.
    assert_eq!(output.status.code(), Some(1));
}

/// NVIDIA's wheels of the CUDA set.
fn nvidia_wheels() -> Vec<PathBuf> {
    let is_wanted = |wheel: &PathBuf| {
        let file = wheel.file_name().unwrap().to_string_lossy();
        file.starts_with("nvidia_")
    };
    cache::wheels("cuda")
        .into_iter()
        .filter(is_wanted)
        .collect()
}

/// Torch, scikit-learn and what both need.
fn torch_and_scikit_learn() -> Vec<PathBuf> {
    let wheels = [
        "torch-2.15.0",
        "torchvision",
        "numpy-2.4.6",
        "scipy-1.17.1",
        "pillow",
        "filelock",
        "fsspec",
        "jinja2",
        "markupsafe",
        "mpmath-1.3.0",
        "networkx",
        "setuptools",
        "sympy",
        "typing_extensions",
    ];
    let popular = [
        "scikit_learn-",
        "joblib-",
        "cloudpickle-",
        "threadpoolctl-",
        "narwhals-",
    ];
    let is_wanted = |wheel: &PathBuf| {
        let file = wheel.file_name().unwrap().to_string_lossy();
        popular.iter().any(|name| file.starts_with(name))
    };
    let wheels = wheels.map(cache::wheel).into_iter();
    let popular = cache::popular_wheels().into_iter().filter(is_wanted);
    wheels.chain(popular).collect()
}

const ONE_OPENMP_RUNTIME: &str = "
import numpy as np, torch, sklearn, threadpoolctl, torchvision.io
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingRegressor
x = np.random.default_rng(0).random((500, 8))
assert KMeans(4, n_init=2, random_state=0).fit(x).inertia_ > 0
assert HistGradientBoostingRegressor(max_iter=5).fit(x, x[:, 0]).score(x, x[:, 0]) > 0.1
assert torch.allclose(torch.linalg.inv(torch.eye(40) * 2), torch.eye(40) / 2)
png = torchvision.io.encode_png(torch.zeros(3, 8, 8, dtype=torch.uint8))
assert torchvision.io.decode_png(png).shape == (3, 8, 8)
openmp = [library for library in threadpoolctl.threadpool_info() if library['user_api'] == 'openmp']
assert [library['filepath'].endswith('/runtimes/lib/libgomp.so.1') for library in openmp] == [True], openmp
";

const SCIKIT_LEARN_USES_OPENMP: &str = "
import sys, unittest
from sklearn.utils import _openmp_helpers
assert _openmp_helpers._openmp_parallelism_enabled()
assert _openmp_helpers._openmp_effective_n_threads(1) == 1
assert _openmp_helpers._openmp_effective_n_threads(None) >= 1
";

#[test]
fn torch_and_scikit_learn_have_one_openmp_runtime() {
    let dir = store();
    install(dir.path(), "cuda", &nvidia_wheels());
    let document = install(dir.path(), "env", &torch_and_scikit_learn());
    let prefix = dir.path().join("env");
    let decisions = decisions(&document);
    let of = |name: &str| {
        let found = decisions.iter().find(|(file, _)| file == name);
        found.map_or_else(
            || panic!("{name} is not bundled"),
            |(_, decision)| decision.as_str(),
        )
    };
    assert_eq!(of("libgomp.so.1"), "replace");
    assert_eq!(of("libgomp-e985bcbb.so.1.0.0"), "replace");
    assert_eq!(of("libgfortran.so.5"), "drop");
    assert_eq!(of("libpng16.86585de4.so.16"), "replace");
    assert_eq!(of("libz.def23b81.so.1"), "drop");
    // There is no libjpeg.so.8 among the host's libraries: another interface has another soname.
    assert_eq!(of("libjpeg.d33e0c76.so.8"), "keep");
    assert_forgotten(&prefix, &document);
    let groups: Vec<&str> = document["unbundling"]["twice"]
        .as_array()
        .unwrap()
        .iter()
        .map(|twice| twice["group"].as_str().unwrap())
        .collect();
    assert_eq!(groups, ["blas", "cuda-runtime"]);
    python(&prefix, ONE_OPENMP_RUNTIME);
    python(&prefix, SCIKIT_LEARN_USES_OPENMP);
}

#[test]
fn older_numpy_and_scipy_compute_without_their_libgfortran() {
    let dir = store();
    let wheels = ["numpy-1.26.4", "scipy-1.11.4"].map(cache::wheel);
    let document = install(dir.path(), "env", &wheels);
    let prefix = dir.path().join("env");
    let want = [
        ("libgfortran-040039e1.so.5.0.0", "replace"),
        ("libopenblas64_p-r0-0cf96a72.3.23.dev.so", "keep"),
        ("libquadmath-96973f99.so.0.0.0", "drop"),
        ("libgfortran-040039e1.so.5.0.0", "replace"),
        ("libopenblasp-r0-23e5df77.3.21.dev.so", "keep"),
        ("libquadmath-96973f99.so.0.0.0", "drop"),
    ];
    assert_eq!(
        decisions(&document),
        want.map(|(name, decision)| (name.to_owned(), decision.to_owned()))
    );
    assert_forgotten(&prefix, &document);
    python(
        &prefix,
        "
import numpy as np, scipy.linalg, scipy.odr, scipy.integrate
a = np.random.default_rng(1).random((60, 60)) + 60 * np.eye(60)
assert np.allclose(np.linalg.inv(a) @ a, np.eye(60))
u, s, v = scipy.linalg.svd(a)
assert np.allclose(u * s @ v, a)
assert abs(scipy.integrate.quad(np.sin, 0, np.pi)[0] - 2) < 1e-9
",
    );
}

/// Unpacks a wheel, unbundles it, and gives the document.
#[track_caller]
fn unbundle(dir: &Path, wheel: &Path) -> Value {
    let tree = dir.join("tree");
    let unpack = command("unpack").arg(wheel).arg(&tree).output().unwrap();
    assert!(
        unpack.status.success(),
        "{}",
        String::from_utf8_lossy(&unpack.stderr)
    );
    wheelfix(
        command("unbundle")
            .arg(&tree)
            .arg("--lib-path")
            .arg(dir.join("runtimes")),
    )
}

#[test]
fn runtimes_of_glibc_do_not_stand_in_for_those_of_musl() {
    let dir = store();
    let wheels = cache::wheels("full");
    let is_musl = |wheel: &&PathBuf| wheel.to_string_lossy().contains("musllinux");
    let document = unbundle(dir.path(), wheels.iter().find(is_musl).unwrap());
    let reasons = document["unbundling"]["libraries"].to_string();
    assert!(
        reasons.contains("other-libc") && reasons.contains("musl"),
        "{reasons}"
    );
    for (name, decision) in decisions(&document) {
        let one_of_two = name == "libgcc_s-0cd532bd.so.1";
        assert_eq!(
            decision,
            if one_of_two { "replace" } else { "keep" },
            "{name}"
        );
    }
}

#[test]
fn runtimes_of_another_machine_are_refused_and_those_of_the_same_stand_in() {
    let dir = store();
    let document = unbundle(dir.path(), &cache::wheel("torch-2.3.1"));
    let reasons = document["unbundling"]["libraries"].to_string();
    assert!(
        reasons.contains("expected AArch64") || reasons.contains("AArch64, 64 bits"),
        "{reasons}"
    );
    assert!(
        decisions(&document)
            .iter()
            .all(|(_, decision)| decision == "keep"),
        "{reasons}"
    );

    // A libgfortran of the right machine, with what the wheel takes from its own.
    let tree = dir.path().join("tree");
    let copy = "torch.libs/libgfortran-daac5196.so.5.0.0";
    let needed = Tool::READELF
        .run(&["-dW", tree.join(copy).to_str().unwrap()])
        .expect();
    assert!(needed.contains("libz.so.1"), "{needed}");
    let arm = dir.path().join("arm/lib");
    fs_err::create_dir_all(&arm).unwrap();
    let bytes = fs_err::read(tree.join(copy)).unwrap();
    fs_err::write(arm.join("libgfortran.so.5"), bytes).unwrap();
    for (option, value) in [
        ("--set-soname", "libgfortran.so.5"),
        ("--remove-needed", "libz.so.1"),
    ] {
        let output = Command::new(cache::tool("patchelf"))
            .args([option, value])
            .arg(arm.join("libgfortran.so.5"))
            .output()
            .unwrap();
        assert!(output.status.success());
    }
    let document = wheelfix(
        command("unbundle")
            .arg(&tree)
            .arg("--lib-path")
            .arg(dir.path().join("arm")),
    );
    let replaced: Vec<(String, String)> = decisions(&document)
        .into_iter()
        .filter(|(_, decision)| decision == "replace")
        .collect();
    assert_eq!(
        replaced,
        [(
            "libgfortran-daac5196.so.5.0.0".to_owned(),
            "replace".to_owned()
        )]
    );
    let openblas = tree.join("torch.libs/libopenblasp-r0-2e4c6a40.3.25.so");
    let dynamic = Tool::READELF
        .run(&["-dVW", openblas.to_str().unwrap()])
        .expect();
    assert!(
        dynamic.contains("[libgfortran.so.5]") && !dynamic.contains("daac5196"),
        "{dynamic}"
    );
}
