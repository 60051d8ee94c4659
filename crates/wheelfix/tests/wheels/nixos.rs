//! Wheels of the small set compute and start in the bed, whichever way they got there.

use wheelfix_testkit::cache;

use crate::ways::Case;

#[test]
fn numpy_and_scipy_compute() {
    let case = Case {
        wheels: ["numpy", "scipy"].map(cache::wheel).to_vec(),
        unmet: &[],
        packages: &["libgcc-s1", "libstdc++6", "zlib1g"],
        code: "import numpy, scipy.linalg, scipy.special\n\
            a = numpy.arange(9.0).reshape(3, 3) + numpy.eye(3)\n\
            assert abs(a @ scipy.linalg.inv(a) - numpy.eye(3)).max() < 1e-12\n\
            assert abs(scipy.special.gamma(5) - 24) < 1e-9",
        programs: &[&["f2py", "-v"], &["numpy-config", "--version"]],
    };
    case.run();
}

#[test]
fn ruff_and_cmake_start() {
    let case = Case {
        wheels: ["ruff", "cmake"].map(cache::wheel).to_vec(),
        unmet: &[],
        packages: &["libgcc-s1", "libstdc++6", "zlib1g"],
        code: "import cmake, ruff, subprocess\n\
            subprocess.run([ruff.find_ruff_bin(), '--version'], check=True)\n\
            subprocess.run([cmake.CMAKE_BIN_DIR + '/cmake', '--version'], check=True)",
        programs: &[
            &["ruff", "--version"],
            &["cmake", "--version"],
            &["cmake/data/bin/ctest", "--version"],
        ],
    };
    case.run();
}
