//! The kinds of the members, and the targets of the links among them.

use std::collections::BTreeMap;

use crate::fault::printable;
use crate::member_path::MemberPath;
use crate::tar::fault::TarProblem;
use crate::tar::{TarKind, TarMember};

/// Most links that are followed for one path; the kernel's own limit.
const MAX_HOPS: usize = 40;

/// The directory that the archive unpacks to, as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Names {
    nodes: BTreeMap<MemberPath, Node>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Node {
    File,
    Directory,
    Symlink(String),
}

impl Names {
    /// Adds a member, which must fit those before it.
    pub(super) fn add(&mut self, member: &TarMember) -> Result<(), TarProblem> {
        let node = match &member.kind {
            TarKind::File { .. } => Node::File,
            TarKind::Directory => Node::Directory,
            TarKind::Symlink(target) => Node::Symlink(target.clone()),
            TarKind::HardLink(target) if self.nodes.get(target) == Some(&Node::File) => Node::File,
            TarKind::HardLink(target) => return Err(TarProblem::HardLink(target.to_string())),
        };
        self.add_parents(&member.path)?;
        match (self.nodes.get(&member.path), &node) {
            (None, _) => {}
            // A directory may be listed after what is in it, and again.
            (Some(Node::Directory), Node::Directory) => return Ok(()),
            (Some(_), _) => return Err(TarProblem::Duplicate),
        }
        self.nodes.insert(member.path.clone(), node);
        Ok(())
    }

    /// Adds the directories above a member.
    fn add_parents(&mut self, path: &MemberPath) -> Result<(), TarProblem> {
        let Some(parent) = path.parent() else {
            return Ok(());
        };
        match self.nodes.get(&parent) {
            Some(Node::Directory) => return Ok(()),
            Some(_) => return Err(TarProblem::BelowFile(parent.to_string())),
            None => {}
        }
        self.add_parents(&parent)?;
        self.nodes.insert(parent, Node::Directory);
        Ok(())
    }

    /// Checks where a symbolic link leads, now that all members are known.
    pub(super) fn check_link(&self, path: &MemberPath, target: &str) -> Result<(), TarProblem> {
        if target.starts_with('/') {
            return Err(TarProblem::LinkAbsolute(printable(target.as_bytes())));
        }
        let mut dir: Vec<&str> = path.parts().collect();
        dir.pop();
        // The parts that are still to be followed, the next one last.
        let mut pending: Vec<&str> = target.rsplit('/').collect();
        let mut hops = 0;
        while let Some(part) = pending.pop() {
            match part {
                "" | "." => continue,
                ".." => {
                    if dir.pop().is_none() {
                        return Err(TarProblem::LinkOutside(printable(target.as_bytes())));
                    }
                    continue;
                }
                part => dir.push(part),
            }
            // A name that cannot be a path is not a member, so it is not a link either.
            let Ok(at) = MemberPath::new(&dir.join("/")) else {
                continue;
            };
            if let Some(Node::Symlink(next)) = self.nodes.get(&at) {
                hops += 1;
                if MAX_HOPS < hops {
                    return Err(TarProblem::LinkLoop(printable(target.as_bytes())));
                }
                if next.starts_with('/') {
                    return Err(TarProblem::LinkAbsolute(printable(next.as_bytes())));
                }
                dir.pop();
                pending.extend(next.rsplit('/'));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the last of `links`, which are pairs of path and target.
    #[track_caller]
    fn check(links: &[(&str, &str)], want: &str) {
        let mut names = Names::default();
        let mut last = Ok(());
        for (path, target) in links {
            let member = TarMember {
                path: MemberPath::new(path).unwrap(),
                kind: TarKind::Symlink((*target).to_owned()),
            };
            names.add(&member).unwrap();
        }
        if let Some((path, target)) = links.last() {
            last = names.check_link(&MemberPath::new(path).unwrap(), target);
        }
        let got = last.map_or_else(|problem| problem.to_string(), |()| "inside".to_owned());
        assert_eq!(got, want, "for {links:?}");
    }

    #[test]
    fn links_may_lead_anywhere_inside() {
        check(&[("a/l", "b")], "inside");
        check(&[("a/l", "../b/./c//d")], "inside");
        check(&[("a/l", "..")], "inside");
        check(&[("a/l", "missing/../x")], "inside");
    }

    #[test]
    fn links_must_not_lead_outside() {
        check(&[("l", "..")], "link leads out of the archive: `..`");
        check(
            &[("a/l", "../../x")],
            "link leads out of the archive: `../../x`",
        );
        check(
            &[("a/l", "b/../../../x")],
            "link leads out of the archive: `b/../../../x`",
        );
        check(&[("a/l", "/etc")], "link leads to an absolute path: `/etc`");
    }

    #[test]
    fn links_are_followed_as_the_kernel_does() {
        // By its text the last link stays inside, but the first one leads to the top.
        check(
            &[("a/b/up", "../../top"), ("out", "a/b/up/../..")],
            "link leads out of the archive: `a/b/up/../..`",
        );
        check(&[("a/b", "c"), ("l", "a/b/../..")], "inside");
        check(&[("a", "b"), ("b", "a")], "link leads to itself: `a`");
        check(&[("a/x", "x/y")], "link leads to itself: `x/y`");
    }
}
