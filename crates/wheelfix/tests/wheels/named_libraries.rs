//! Some small Python packages that open libraries by name, in the bed; `full::named_libraries` has more.

use wheelfix_testkit::cache;

use crate::named_library::{Row, Without, run_all};

const ROWS: &[Row] = &[
    Row {
        name: "hid",
        packages: &["libhidapi-hidraw0"],
        without: Without::Refused("hidapi"),
        code: "import hid; assert hid.hidapi.hid_init() == 0; hid.enumerate()",
        ..Row::NONE
    },
    Row {
        name: "libevdev",
        packages: &["libevdev2"],
        without: Without::Told("libevdev"),
        code: "import libevdev; assert libevdev.evbit('EV_KEY').value==1",
        ..Row::NONE
    },
    Row {
        name: "pylibftdi",
        packages: &["libftdi1-2", "libusb-1.0-0"],
        without: Without::Told("libftdi1"),
        code: "from pylibftdi import Driver; assert Driver().libftdi_version().major==1",
        ..Row::NONE
    },
];

#[test]
fn small_packages_find_what_they_open_by_name() {
    run_all(ROWS, |name| vec![cache::wheel(name)]);
}
