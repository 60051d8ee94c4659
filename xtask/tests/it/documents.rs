//! Documents lead to one another: links, their anchors, and the list of the site.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree;

/// The documents beside docs/ that people read first.
const TOPS: &[&str] = &[
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "RELEASING.md",
    "SECURITY.md",
];

/// The list of the site, which is not a page.
const SUMMARY: &str = "docs/SUMMARY.md";

fn pages() -> Vec<String> {
    let names = tree::names("docs").into_iter();
    let pages = names.filter(|name| name.strip_suffix(".md").is_some());
    pages.map(|name| format!("docs/{name}")).collect()
}

/// The targets of the links of a document that lead to files.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}

/// The path from the root to the target of a link; without one it is the document itself.
fn resolved(document: &str, target: &str) -> String {
    let path = target.split('#').next().unwrap_or_default();
    if path.is_empty() {
        return document.to_owned();
    }
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => assert!(
                parts.pop().is_some(),
                "{document}: {target} leads out of the repository"
            ),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchors of the headings, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut is_code = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if is_code || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let anchor = anchor(heading.trim());
        let count = seen.entry(anchor.clone()).or_default();
        found.insert(match *count {
            0 => anchor,
            _ => format!("{anchor}-{count}"),
        });
        *count += 1;
    }
    found
}

fn anchor(heading: &str) -> String {
    let mut anchor = String::new();
    for letter in heading.to_lowercase().chars() {
        match letter {
            ' ' => anchor.push('-'),
            '-' | '_' => anchor.push(letter),
            _ if letter.is_alphanumeric() => anchor.push(letter),
            _ => {}
        }
    }
    anchor
}

#[test]
fn anchors_are_those_of_headings() {
    let text = "# A b\n```sh\n# no heading\n```\n## `--html FILE`\n#hash\n## A b\n";
    let want = ["a-b", "--html-file", "a-b-1"];
    assert_eq!(anchors(text), want.map(str::to_owned).into());
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut dead = Vec::new();
    for document in pages()
        .into_iter()
        .chain(TOPS.iter().map(|top| (*top).to_owned()))
    {
        let text = tree::read(&document);
        for target in links(&text) {
            let path = resolved(&document, target);
            let is_there = tree::root().join(&path).try_exists().unwrap();
            let has_anchor = match target.split_once('#') {
                Some((_, anchor)) if is_there => anchors(&tree::read(&path)).contains(anchor),
                _ => true,
            };
            if !is_there || !has_anchor {
                dead.push(format!("{document}: {target}"));
            }
        }
    }
    assert!(dead.is_empty(), "links that lead nowhere: {dead:#?}");
}

/// The site has nothing but docs/.
#[test]
fn pages_lead_to_nothing_outside_of_the_site() {
    for page in pages() {
        let text = tree::read(&page);
        let outside: Vec<&str> = links(&text)
            .into_iter()
            .filter(|target| !resolved(&page, target).starts_with("docs/"))
            .collect();
        assert!(
            outside.is_empty(),
            "{page}: name these by their URL: {outside:?}"
        );
    }
}

#[test]
fn the_site_lists_each_page_once() {
    let summary = tree::read(SUMMARY);
    let mut listed: Vec<String> = links(&summary)
        .into_iter()
        .map(|target| resolved(SUMMARY, target))
        .collect();
    listed.sort();
    let pages: Vec<String> = pages().into_iter().filter(|page| page != SUMMARY).collect();
    assert_eq!(listed, pages);
}

#[test]
fn every_document_is_linked_from_the_readme() {
    let readme = tree::read("README.md");
    let is_lost = |page: &String| page != SUMMARY && !readme.contains(&format!("]({page})"));
    let lost: Vec<String> = pages().into_iter().filter(is_lost).collect();
    assert!(
        lost.is_empty(),
        "README.md does not link to these documents: {lost:?}"
    );
}
