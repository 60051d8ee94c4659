//! The newest version of glibc that a library may need.

use std::path::Path;

use wheelfix_elf::minimum_versions;
use wheelfix_link::Found;
use wheelfix_loader::{Object, ReadOutcome, existing_path, read_object};

use crate::request::Request;

/// The newest that objects need.
pub(crate) fn needed_by<'a>(objects: impl Iterator<Item = &'a Object>) -> Option<String> {
    let needs = objects.flat_map(|object| &object.version_needs);
    newest(needs.map(|need| (need.version.as_str(), need.weak, ())))
}

/// The newest that is there: in the target's libc, in that on the `--lib-path`, or else what the
/// tree asks for already.
pub(crate) fn available(request: &Request<'_>) -> Option<String> {
    let interpreter = request
        .target
        .and_then(|target| target.interpreter.as_deref());
    if let Some(newest) = interpreter.and_then(of_interpreter) {
        return Some(newest);
    }
    let mut objects = request.tree.objects();
    let on_lib_path = objects.next().and_then(|object| {
        match request
            .index
            .by_file_name("libc.so.6", object, request.rules)
        {
            Found::Library(libc) => newest_defined(&libc.object),
            _ => None,
        }
    });
    on_lib_path.or_else(|| needed_by(request.tree.objects()))
}

/// The libc beside a loader.
fn of_interpreter(interpreter: &Path) -> Option<String> {
    let libc = existing_path(interpreter).ok()?.with_file_name("libc.so.6");
    match read_object(libc.clone(), &libc).ok()? {
        ReadOutcome::Object(object) => newest_defined(&object),
        _ => None,
    }
}

fn newest_defined(libc: &Object) -> Option<String> {
    let versions = libc.version_definitions.iter();
    newest(versions.map(|version| (version.as_str(), false, ())))
}

fn newest<'a>(versions: impl Iterator<Item = (&'a str, bool, ())>) -> Option<String> {
    let (number, ()) = minimum_versions(versions).remove("GLIBC")?;
    Some(number.to_owned())
}
