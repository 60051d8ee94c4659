//! Pages of `wheelfix inspect --html` in a browser.

use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// The document that Chromium makes of a page, written out again.
fn document(sandbox: &Sandbox, page: &str) -> String {
    let profile = format!("--user-data-dir={}", sandbox.path("profile").display());
    let url = format!("file://{}", sandbox.path(page).display());
    let args = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=360,800",
        &profile,
        "--dump-dom",
        &url,
    ];
    Tool::CHROMIUM.run(&args).expect()
}

#[test]
fn a_browser_shows_all_rows_without_scripts() {
    let sandbox = Sandbox::new();
    sandbox.library("int f;", &["-o", "libgone.so", "-Wl,-soname,libgone.so.2"]);
    sandbox.library("int g;", &["-o", "m.so", "libgone.so"]);
    let wheel = WheelBuilder::new("demo", "1.0")
        .metadata("Summary: <script>document.title = 'run'</script>\n")
        .tags("cp311-cp311-linux_x86_64")
        .platlib()
        .file("demo/m.so", fs_err::read(sandbox.path("m.so")).unwrap());
    let file = sandbox.wheel(&wheel);
    assert_eq!(
        sandbox.run(&["inspect", &file, "--html", "page.html"]),
        "exit: 0\n"
    );
    let document = document(&sandbox, "page.html");
    for part in [
        "<title>demo 1.0</title>",
        "&lt;script&gt;document.title = 'run'&lt;/script&gt;",
        "<h2>Who needs whom",
        "<title>libgone.so.2</title>",
        "<dt>ELF files</dt><dd>1</dd>",
        "<td><code>libgone.so.2</code></td>",
    ] {
        assert!(document.contains(part), "no `{part}` in\n{document}");
    }
    assert!(!document.contains("<script"), "{document}");
}
