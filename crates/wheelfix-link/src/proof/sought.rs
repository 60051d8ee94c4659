//! Files that objects look for where those of another distribution are.

use std::path::Path;

use wheelfix_loader::FileView;

use crate::fault::Fault;
use crate::fault::left_out::SoughtFile;
use crate::rules::Rules;
use crate::tree::Tree;
use crate::tree::site::SITE_PACKAGES;

/// A warning for each file that a rule says an object of the tree looks for below its `site-packages`, and that is not
/// there.
pub(crate) fn sought(tree: &Tree, rules: &Rules, view: &FileView) -> Vec<Fault> {
    let mut faults = Vec::new();
    for object in tree.objects() {
        let mut above = object.path.ancestors();
        let Some(site) = above.find(|directory| directory.ends_with(SITE_PACKAGES)) else {
            continue;
        };
        for rule in &rules.sought {
            let mut from = rule.body.from.iter();
            if !from.any(|from| from.matches_end(&object.path)) {
                continue;
            }
            let files = rule.body.files.iter().map(|file| site.join(file));
            let missing = files.filter(|file| !is_there(file, view));
            faults.extend(missing.map(|file| {
                Fault::Sought(SoughtFile {
                    path: object.path.clone(),
                    file,
                    distribution: rule.body.distribution.clone(),
                    rule: rule.name.clone(),
                    reason: rule.reason.clone(),
                })
            }));
        }
    }
    faults
}

fn is_there(file: &Path, view: &FileView) -> bool {
    view.file(&file.to_string_lossy()).is_some()
}
