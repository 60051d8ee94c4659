//! Larger wheels compute and start in the bed, whichever way they got there.

use wheelfix_testkit::cache;

use crate::ways::Trial;

#[test]
fn opencv_computes() {
    let trial = Trial {
        wheels: ["numpy-2.4.6-cp311-cp311-manylinux", "opencv_python"]
            .map(cache::wheel)
            .to_vec(),
        packages: &[],
        code: "import cv2, numpy, os\n\
            os.environ['QT_QPA_PLATFORM'] = 'offscreen'\n\
            image = numpy.zeros((64, 64, 3), numpy.uint8)\n\
            cv2.circle(image, (32, 32), 20, (255, 255, 255), -1)\n\
            assert 1000 < cv2.countNonZero(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)) < 1500\n\
            assert cv2.imdecode(cv2.imencode('.png', image)[1], 1).shape == image.shape\n\
            cv2.imshow('window', image); cv2.waitKey(10)",
        programs: &[],
    };
    trial.run();
}

#[test]
fn the_node_of_playwright_starts() {
    let trial = Trial {
        wheels: vec![cache::wheel("playwright")],
        packages: &["libgcc-s1", "libstdc++6", "libatomic1"],
        code: "import importlib.util, os, subprocess\n\
            root = importlib.util.find_spec('playwright').submodule_search_locations[0]\n\
            node = os.path.join(root, 'driver/node')\n\
            answer = subprocess.run([node, '-p', '6 * 7'], check=True, capture_output=True)\n\
            assert answer.stdout == b'42\\n', answer",
        programs: &[&["playwright/driver/node", "--version"]],
    };
    trial.run();
}
