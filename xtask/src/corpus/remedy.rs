//! The fixes that wheelfix prints, as somebody who follows them to the letter reads them.

/// The options of fixes for files that are broken.
pub(crate) const OF_FILES: &[&str] = &["--exclude", "--accept-mismatch"];
/// All options of fixes that stand for themselves; the others name what somebody has to bring.
pub(crate) const ALL: &[&str] = &["--exclude", "--accept-mismatch", "--ignore-missing"];

/// The flags of some options that a refusal prints.
pub(crate) fn printed<'l>(lines: impl Iterator<Item = &'l str>, options: &[&str]) -> Vec<String> {
    let fixes = lines.filter_map(|line| line.trim().strip_prefix("fix: add "));
    let fixes = fixes.map(|fix| fix.split_once("  # ").map_or(fix, |(flags, _)| flags));
    let mut flags: Vec<String> = Vec::new();
    for fix in fixes {
        let words: Vec<&str> = fix.split_ascii_whitespace().collect();
        for pair in words.chunks(2) {
            if let [option, value] = pair
                && options.contains(option)
                && !flags.iter().any(|flag| flag == value)
            {
                flags.extend([option, value].map(|word| (*word).to_owned()));
            }
        }
    }
    flags
}

/// The files that flags leave out, in `site-packages`.
pub(crate) fn left_out(flags: &[String]) -> impl Iterator<Item = &String> {
    let pairs = flags.chunks(2);
    pairs.filter_map(|pair| match pair {
        [option, file] if option == "--exclude" => Some(file),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixes_that_stand_for_themselves_are_followed() {
        let lines = [
            "error: 2 faults in the wheel",
            "  fix: add --accept-mismatch m/a.py  # if you know its content",
            "  fix: add --exclude m/x.so --exclude m/y.so",
            "  fix: add --lib-path DIR  # where DIR has `libx.so`",
            "  fix: add --exclude m/x.so",
        ];
        let flags = printed(lines.into_iter(), OF_FILES);
        let want = "--accept-mismatch m/a.py --exclude m/x.so --exclude m/y.so";
        assert_eq!(flags.join(" "), want);
        assert_eq!(left_out(&flags).collect::<Vec<_>>(), ["m/x.so", "m/y.so"]);
    }
}
