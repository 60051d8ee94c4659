//! The tests of linear algebra and OpenMP that wheels bring along, with the host's runtimes in place of
//! the bundled ones.

use std::path::Path;
use std::process::Command;

use rayon::prelude::*;
use walkdir::WalkDir;
use wheelfix_testkit::{cache, host};

use crate::run::succeed;

/// The arguments of pytest, and how many tests pass at least. Tests that take long, or much memory,
/// are left out.
const SUITES: [(&[&str], usize); 3] = [
    (&["numpy.linalg"], 450),
    (
        &[
            "scipy.linalg",
            "-m",
            "not slow and not xslow",
            "-k",
            "not test_expm_cond and not test_svd_gesdd_nofegfault and not TestFractionalMatrixPower",
        ],
        7000,
    ),
    (
        &[
            "sklearn.tests.test_build",
            "sklearn.utils.tests.test_parallel",
            "sklearn.cluster.tests.test_k_means",
            "sklearn.ensemble._hist_gradient_boosting.tests.test_histogram",
            "sklearn.ensemble._hist_gradient_boosting.tests.test_grower",
            "-k",
            "not loky",
        ],
        200,
    ),
];

/// Imports the modules of the suites, and prints the run-time libraries that are loaded.
const RUNTIMES: &str = "
import numpy.linalg, scipy.linalg, sklearn.cluster
maps = {line.split()[-1] for line in open('/proc/self/maps') if '.so' in line}
names = 'libgfortran', 'libgomp', 'libquadmath'
print(*sorted(map for map in maps if any(name in map for name in names)))
";

#[test]
fn the_wheels_own_tests_pass_with_other_runtimes() {
    let guard = tempfile::tempdir().unwrap();
    let dir = fs_err::canonicalize(guard.path()).unwrap();
    let (runtimes, prefix) = (dir.join("runtimes"), dir.join("env"));
    host::copy_runtimes(&runtimes);
    let mut env = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    env.args(["env", "--quiet", "--no-bytecode", "--python"]);
    env.arg(cache::tool("python3"));
    env.arg("--lib-path").arg(&runtimes);
    env.arg("--prefix").arg(&prefix);
    succeed(env.args(cache::environment("linalg"))).unwrap();

    let runtime_names = ["libgfortran", "libgomp", "libquadmath"];
    assert_eq!(files_with(&prefix, &runtime_names), Vec::<String>::new());
    let loaded = ["libgfortran.so.5", "libgomp.so.1", "libquadmath.so.0"];
    let loaded = loaded.map(|name| runtimes.join("lib").join(name).display().to_string());
    let mut python = Command::new(prefix.join("bin/python"));
    let answer = succeed(python.args(["-B", "-c", RUNTIMES])).unwrap();
    assert_eq!(answer.split_whitespace().collect::<Vec<_>>(), loaded);

    let failures: Vec<String> = SUITES
        .par_iter()
        .with_max_len(1)
        .filter_map(|(args, least)| failure(&prefix, args, *least))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The names of files whose names begin so.
fn files_with(prefix: &Path, names: &[&str]) -> Vec<String> {
    let entries = WalkDir::new(prefix).into_iter().map(Result::unwrap);
    let found = entries.map(|entry| entry.file_name().to_str().unwrap().to_owned());
    found
        .filter(|file| names.iter().any(|name| file.starts_with(name)))
        .collect()
}

/// The fault of a suite that does not pass, or does not run as many tests as it should; `None` if
/// all is well.
fn failure(prefix: &Path, args: &[&str], least: usize) -> Option<String> {
    let home = tempfile::tempdir().unwrap();
    let mut pytest = Command::new(prefix.join("bin/python"));
    pytest.args(["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"]);
    pytest.args(["--maxfail=5", "--pyargs"]).args(args);
    pytest.env("HOME", home.path()).env("OMP_NUM_THREADS", "2");
    // Threads that wait are not in the way of the other suites.
    pytest.env("OMP_WAIT_POLICY", "passive");
    let output = pytest.current_dir(home.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    // `486 passed, 2 skipped in 13.45s`
    let summary = text.lines().last().unwrap_or_default();
    let passed = summary.split(" passed").next().unwrap_or_default();
    let passed: usize = passed.trim_start_matches('=').trim().parse().unwrap_or(0);
    let is_well = output.status.success() && least <= passed;
    let errors = String::from_utf8_lossy(&output.stderr);
    (!is_well).then(|| format!("{args:?}: {}\n{text}{errors}", output.status))
}
