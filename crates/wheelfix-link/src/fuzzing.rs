//! A property that holds for any bytes whatever: the body of the fuzz target, which tests run too.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use wheelfix_loader::{
    Abi, LoadConditions, Object, PathKind, ReadOutcome, RunPath, normalize, object_of,
};

use crate::index::lib_path::Tier;
use crate::index::{Library, LibraryIndex};
use crate::plan::PlanOptions;
use crate::plan::planner::plan;
use crate::rules::Rules;
use crate::tree::Tree;

/// More objects would only make the fuzzer slow.
const MOST_OBJECTS: usize = 32;

/// The rules, read once: that takes longer than a plan.
static RULES: LazyLock<Option<Rules>> = LazyLock::new(|| Rules::shipped().ok());

/// Whatever the objects of an output are and whatever they need, there is a plan, and it is the same each time.
///
/// An ELF file is one object of the output. Any other text has an object in each line: `/` for one of the output or `@` for
/// one of a `--lib-path`, its path, what it needs and, after `=`, its run path, with blanks between.
pub fn check_plan(bytes: &[u8]) {
    let Some(rules) = &*RULES else {
        return;
    };
    let mut tree = Tree::default();
    let mut libraries = Vec::new();
    if bytes.starts_with(b"\x7fELF") {
        let path = PathBuf::from("/out/lib/a.so");
        if let ReadOutcome::Object(object) = object_of(path.clone(), &path, bytes) {
            tree.add(Object::clone(&object));
        }
    }
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines().take(MOST_OBJECTS) {
        let Some(object) = object(line) else {
            continue;
        };
        if line.starts_with('@') {
            libraries.extend(library(object));
        } else {
            tree.add(object);
        }
    }
    let index = LibraryIndex::of(vec![PathBuf::from("/lib")], libraries);
    let options = PlanOptions::new(PathBuf::from("/run/opengl-driver/lib"));
    let first = plan(&tree, &index, rules, &options);
    let again = plan(&tree, &index, rules, &options);
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
    for fault in &first.faults {
        assert!(!fault.to_string().is_empty());
    }
}

/// The object of a line. `None` for one without a name.
fn object(line: &str) -> Option<Object> {
    let mut words = line.get(1..)?.split_ascii_whitespace();
    let name = words.next()?.trim_matches('/');
    let root = if line.starts_with('@') {
        "/lib"
    } else {
        "/out"
    };
    let path = normalize(&Path::new(root).join(name));
    let file_name = path.file_name()?.to_str()?.to_owned();
    let mut needed = Vec::new();
    let mut run_path = None;
    for word in words {
        match word.strip_prefix('=') {
            Some(text) => run_path = Some(RunPath::parse(PathKind::Runpath, text)),
            None => needed.push(word.to_owned()),
        }
    }
    Some(Object {
        file: path.clone(),
        path,
        abi: Abi::X86_64,
        os_abi: 0,
        soname: Some(file_name),
        needed,
        run_path,
        interpreter: None,
        flags_1: 0,
        load_conditions: LoadConditions::default(),
        version_needs: Vec::new(),
        version_definitions: Vec::new(),
        dlopen_notes: Vec::new(),
        names: Vec::new(),
        content: None,
    })
}

fn library(object: Object) -> Option<Library> {
    Some(Library {
        directory: object.path.parent()?.to_path_buf(),
        name: object.soname.clone()?,
        real: object.path.clone(),
        tier: Tier::Public,
        entry: 0,
        object,
    })
}
