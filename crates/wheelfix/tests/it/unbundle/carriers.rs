//! Libraries that no object needs: they may be what a wheel is for.

use super::{COPY, FOO, RULES, Shop, VERSIONS};

const BAR: (&str, &str) = ("int bar(void) { return 0; }", "");

#[test]
fn a_library_that_lies_where_its_makers_put_it_is_carried_for_others() {
    let shop = Shop::new();
    fs_err::create_dir_all(shop.path("site/carrier/lib")).unwrap();
    let carried = "site/carrier/lib/libfoo.so.1.5";
    shop.library(carried, &["-Wl,-soname,libfoo.so.1"], (FOO, VERSIONS));
    let text = shop.run(&["--bundled", "pkg.libs/*=keep"]);
    assert!(shop.path(carried).is_file(), "{text}");
    assert!(text.contains("others may be meant to load it"), "{text}");
}

#[test]
fn a_directory_of_which_nothing_is_needed_stays() {
    let shop = Shop::new();
    fs_err::create_dir_all(shop.path("site/data.libs")).unwrap();
    let carried = "site/data.libs/libbar-89abcdef.so.2";
    shop.library(carried, &["-Wl,-soname,libbar-89abcdef.so.2"], BAR);
    let text = shop.run(&[]);
    assert!(shop.path(carried).is_file(), "{text}");
}

#[test]
fn the_only_elf_file_stays() {
    let shop = Shop::new();
    for gone in [COPY, "site/pkg/ext.so"] {
        fs_err::remove_file(shop.path(gone)).unwrap();
    }
    let carried = "site/pkg.libs/libbar-89abcdef.so.2";
    shop.library(carried, &["-Wl,-soname,libbar-89abcdef.so.2"], BAR);
    let text = shop.run(&[]);
    assert!(shop.path(carried).is_file(), "{text}");
}

#[test]
fn orphans_go_unless_somebody_names_them_or_their_directory() {
    let orphan = "site/pkg.libs/libbar-89abcdef.so.2";
    let shop = Shop::new();
    let source = ("int bar(void) { return 0; }", "");
    shop.library(orphan, &["-Wl,-soname,libbar-89abcdef.so.2"], source);
    for line in [
        "ctypes.CDLL('libbar-89abcdef.so.2')",
        "[f for f in files(dist) if f.stem.startswith('libbar')]",
        "os.listdir(os.path.join(here, '..', 'pkg.libs'))",
    ] {
        shop.write("site/pkg/load.py", line);
        let text = shop.run(&[]);
        let is_kept = text.contains(
            "site/pkg/load.py names it or its directory, or lists libraries, and may open it",
        );
        assert!(is_kept && shop.path(orphan).is_file(), "{line}: {text}");
    }
    shop.write("site/pkg/load.py", "ctypes.CDLL('libother.so.2')");
    let text = shop.run(&[]);
    assert!(text.contains("nobody needs it") && !shop.path(orphan).is_file());
}

#[test]
fn a_source_that_lists_libraries_uses_them() {
    let shop = Shop::new();
    let orphan = "site/pkg.libs/libbar-89abcdef.so.2";
    shop.library(orphan, &["-Wl,-soname,libbar-89abcdef.so.2"], BAR);
    for line in [
        "here.parent.joinpath(__name__ + '.libs').iterdir()",
        "glob.glob(os.path.join(directory, '*.so*'))",
        "[f for f in csv.reader(open(info / \"RECORD\")) if \".so\" in f[0]]",
    ] {
        shop.write("site/pkg/load.py", line);
        let text = shop.run(&[]);
        assert!(shop.path(orphan).is_file(), "{line}: {text}");
    }
}

#[test]
fn what_only_a_removed_library_needed_stays_if_a_source_names_it() {
    let shop = Shop::new();
    shop.write("foo.toml", RULES);
    let helper = "site/pkg.libs/libhelp-76543210.so.3";
    let source = ("int help(void) { return 0; }", "");
    shop.library(helper, &["-Wl,-soname,libhelp-76543210.so.3"], source);
    let flags = [
        "-Wl,-soname,libfoo-01234567.so.1.0.0",
        helper,
        "-Wl,-rpath,$ORIGIN",
    ];
    shop.library(COPY, &flags, (FOO, VERSIONS));
    shop.substitute(FOO, VERSIONS);
    shop.write("site/pkg/load.py", "CDLL(libs / 'libhelp-76543210.so.3')");
    let text = shop.run(&[]);
    assert!(!shop.path(COPY).is_file(), "{text}");
    assert!(shop.path(helper).is_file(), "{text}");
}
