//! Libraries that almost fit, and why they do not.

use wheelfix_loader::Abi;

use super::{Case, library, object};
use crate::index::lib_path::Tier;
use crate::rules::Pattern;

#[test]
fn near_misses_are_explained() {
    let mut arm = library(0, Tier::Public, "/a/lib/libx.so.1");
    arm.object.abi = Abi::AARCH64;
    let mut hashed = library(1, Tier::Bundled, "/b/m.libs/libx-040039e1.so.1");
    hashed.object.soname = Some("libx-040039e1.so.1".to_owned());
    let case = Case::new(vec![object("/p/a.so", "libx.so.1")], vec![arm, hashed]);
    case.check_faults(
        "`libx.so.1` is missing
  needed by: /p/a.so
  searched: the files themselves, /a, /b
  near miss: /a/lib/libx.so.1: it is for AArch64, 64 bits, not for x86-64, 64 bits
  near miss: /b/m.libs/libx-040039e1.so.1: a copy bundled under a name of its own",
    );
}

#[test]
fn a_hash_before_a_dot_of_the_name_is_seen() {
    let mut hashed = library(0, Tier::Bundled, "/b/m.libs/libbar-1a2b3c4d.3.so.2");
    hashed.object.soname = Some("libbar-1a2b3c4d.3.so.2".to_owned());
    let case = Case::new(vec![object("/p/a.so", "libbar.3.so.2")], vec![hashed]);
    case.check_faults(
        "`libbar.3.so.2` is missing
  needed by: /p/a.so
  searched: the files themselves, /a, /b
  near miss: /b/m.libs/libbar-1a2b3c4d.3.so.2: a copy bundled under a name of its own",
    );
}

/// As in `PySide6`, where some objects use what only the OS ABI of GNU has, and others do not.
#[test]
fn a_library_for_any_system_is_no_near_miss_by_its_system() {
    let mut gnu = object(
        "/p/bitsandbytes/libbitsandbytes_cuda128.so",
        "libcudart.so.12",
    );
    gnu.os_abi = 3;
    let user = object("/p/bitsandbytes/user.so", "libbitsandbytes_cuda128.so");
    let works = object("/p/bitsandbytes/libbitsandbytes_cpu.so", "");
    let mut case = Case::new(vec![user, works, gnu], Vec::new());
    case.check_faults(
        "`libcudart.so.12` is missing
  needed by: /p/bitsandbytes/libbitsandbytes_cuda128.so
  searched: the files themselves, /a, /b",
    );
    case.options.backends = vec![Pattern::new("cpu").unwrap()];
    case.check_faults(
        "`libbitsandbytes_cuda128.so` is missing
  needed by: /p/bitsandbytes/user.so
  searched: the files themselves, /a, /b
  near miss: /p/bitsandbytes/libbitsandbytes_cuda128.so: it is left out itself",
    );
    let mut other = library(0, Tier::Public, "/a/lib/libx.so.1");
    other.object.os_abi = 9;
    let mut user = object("/p/a.so", "libx.so.1");
    user.os_abi = 3;
    Case::new(vec![user], vec![other]).check_faults(
        "`libx.so.1` is missing
  needed by: /p/a.so
  searched: the files themselves, /a, /b
  near miss: /a/lib/libx.so.1: its OS ABI is 9, not 3",
    );
}
