//! Larger wheels compute and start in the bed, whichever way they got there.

use wheelfix_testkit::cache;

use crate::ways::Case;

#[test]
fn opencv_computes() {
    let case = Case {
        wheels: ["numpy", "opencv_python"].map(cache::wheel).to_vec(),
        unmet: &[],
        packages: &[],
        code: "import ctypes, cv2, numpy, os\n\
            image = numpy.zeros((64, 64, 3), numpy.uint8)\n\
            cv2.circle(image, (32, 32), 20, (255, 255, 255), -1)\n\
            assert 1000 < cv2.countNonZero(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)) < 1500\n\
            assert cv2.imdecode(cv2.imencode('.png', image)[1], 1).shape == image.shape\n\
            plugin = os.path.join(os.path.dirname(cv2.__file__), 'qt/plugins/platforms/libqxcb.so')\n\
            ctypes.CDLL(plugin, os.RTLD_NOW)",
        programs: &[],
    };
    case.run();
}

#[test]
fn the_node_of_playwright_starts() {
    let case = Case {
        wheels: vec![cache::wheel("playwright")],
        unmet: &["greenlet"],
        packages: &["libgcc-s1", "libstdc++6", "libatomic1"],
        code: "import importlib.util, os, subprocess\n\
            root = importlib.util.find_spec('playwright').submodule_search_locations[0]\n\
            node = os.path.join(root, 'driver/node')\n\
            answer = subprocess.run([node, '-p', '6 * 7'], check=True, capture_output=True)\n\
            assert answer.stdout == b'42\\n', answer",
        programs: &[&["playwright/driver/node", "--version"]],
    };
    case.run();
}
