//! Modules for other Pythons than the target.

use super::{Case, GONE, MISSING, MODULE};

#[test]
fn modules_for_other_pythons_are_named_and_not_proved() {
    let other = "m/x.cpython-313-x86_64-linux-gnu.so";
    let case = Case::new("").module().elf(other, MODULE, GONE);
    let text = case.passes(&[]);
    assert!(case.has(other), "{text}");
    let note = format!("{other}` is left aside: it is a module for another Python");
    assert!(text.contains(&note), "{text}");
    // None of them is for this Python.
    let case = Case::new("").elf(other, MODULE, &[]);
    case.fails(
        &[],
        "is a module for another Python: there is nothing to prove, and Python imports it as `x`",
    );
}

#[test]
fn modules_for_other_pythons_that_are_loaded_by_name_must_load() {
    let name = "x.cpython-313-x86_64-linux-gnu.so";
    let other = format!("m/{name}");
    let source = format!("from ctypes import CDLL\nCDLL(HERE + '/{name}')\n");
    let case = Case::new(&source).module().elf(&other, MODULE, GONE);
    case.fails(&[], MISSING);
    let case = Case::new("").elf(&other, MODULE, GONE);
    case.sandbox.library(MODULE, &["-o", name]);
    let args = ["-Wl,--no-as-needed", "-L.", &format!("-l:{name}")];
    case.elf("m/x.so", MODULE, &args).fails(&[], MISSING);
}
