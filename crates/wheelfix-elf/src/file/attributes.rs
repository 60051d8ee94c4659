//! Extended attributes of a file: capabilities, access lists, what users and security modules put there.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};

/// The longest value and the longest list of names that Linux has, in bytes.
const MAX_LEN: usize = 1 << 16;

/// Reads all attributes that the user may see. None where the file system has no such thing.
pub(crate) fn read(file: &File) -> BTreeMap<CString, Vec<u8>> {
    let mut attributes = BTreeMap::new();
    let mut names = vec![0; MAX_LEN];
    let len = flistxattr(file, &mut names[..]).unwrap_or(0);
    names.truncate(len);
    if names.is_empty() {
        return attributes;
    }
    let mut value = vec![0; MAX_LEN];
    for name in names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let Ok(name) = CString::new(name) else {
            continue;
        };
        if let Ok(len) = fgetxattr(file, name.as_c_str(), &mut value[..]) {
            let value = value.get(..len).unwrap_or_default().to_vec();
            attributes.insert(name, value);
        }
    }
    attributes
}

/// Gives a file the attributes that it does not have, as far as the user may: some are for root alone.
pub(crate) fn restore(file: &File, attributes: &BTreeMap<CString, Vec<u8>>) {
    if attributes.is_empty() {
        return;
    }
    let present = read(file);
    for (name, value) in attributes {
        if present.get(name) != Some(value) {
            // An attribute that the user may not set is left out.
            fsetxattr(file, name.as_c_str(), value, XattrFlags::empty()).ok();
        }
    }
}
