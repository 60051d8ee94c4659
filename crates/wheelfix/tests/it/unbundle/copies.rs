//! Copies of libraries that need each other, of which one of each kind stays.

use super::{COPY, FOO, RULES, Shop, USER, VERSIONS};

/// A library that uses all of libfoo.
const BAR_VERSIONS: &str = "BAR_1 { global: use; local: *; };";

#[test]
fn a_copy_that_stands_in_stays_though_its_own_users_go() {
    let shop = Shop::new();
    let bar = RULES.replace("foo", "bar").replace("FOO", "BAR");
    shop.write("bar.toml", &bar.replace("bar_open", "use"));
    let other_foo = "site/pkg.libs/libfoo-89abcdef.so.1.0.0";
    let soname = "-Wl,-soname,libfoo-89abcdef.so.1.0.0";
    shop.library(other_foo, &[soname], (FOO, VERSIONS));
    // Of libbar the first copy stays, which needs the second one of libfoo, of which the first stays.
    for (hash, foo, module) in [("1111", other_foo, "ext"), ("2222", COPY, "more")] {
        let bar = format!("site/pkg.libs/libbar-{hash}1111.so.1.0.0");
        let soname = format!("-Wl,-soname,libbar-{hash}1111.so.1.0.0");
        let flags = [soname.as_str(), foo, "-Wl,-rpath,$ORIGIN"];
        shop.library(&bar, &flags, (USER, BAR_VERSIONS));
        let source = "extern int use(void); int f(void) { return use(); }";
        shop.user(&format!("site/pkg/{module}.so"), source, &bar);
    }
    let args = [
        "unbundle", "site", "--rules", "foo.toml", "--rules", "bar.toml",
    ];
    let text = shop.sandbox.run(&args);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let left = shop.sandbox.tree("site/pkg.libs");
    assert!(
        left.contains("libfoo-01234567") && left.contains("libbar-11111111"),
        "{left}"
    );
    assert_eq!(left.lines().count(), 2, "{left}");
}
