//! `wheelfix lock --fetch`, with indexes on the loopback.

use std::os::unix::fs::PermissionsExt;

use fs_err as fs;
use sha2::{Digest as _, Sha256};
use wheelfix_testkit::sdist::{Packing, SdistBuilder};
use wheelfix_testkit::server::{Page, Server};
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// `me:p@ss w` in base64.
const USER: &str = "bWU6cEBzcyB3";

/// The arguments of most tests.
const TARGET: [&str; 3] = ["--target", "x86_64-linux-cp313", "--fetch"];

fn hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let texts: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    texts.concat()
}

/// The METADATA of a package.
fn metadata(name: &str, requires: &str) -> String {
    format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}")
}

/// An index with the wheels of `app` and `base`; the one of `app` has its METADATA beside it.
struct Index {
    server: Server,
    app: Vec<u8>,
    base: Vec<u8>,
}

impl Index {
    fn start() -> Self {
        let of_app = "Requires-Dist: base>=1\nRequires-Dist: absent; extra == 'more'\n";
        let app = WheelBuilder::new("app", "1.0").metadata(of_app);
        let base = WheelBuilder::new("base", "1.0").metadata("Requires-Dist: app\n");
        let index = Self {
            server: Server::start(),
            app: app.build(),
            base: base.build(),
        };
        let (of_app, name) = (metadata("app", of_app), app.file_name());
        let more = format!(
            ", \"core-metadata\": {{\"sha256\": \"{}\"}}",
            hex(of_app.as_bytes())
        );
        index.answer("app", &index.app, &more);
        index.answer("base", &index.base, ", \"core-metadata\": false");
        index.page(&format!("/files/{name}"), Page::new(index.app.clone()));
        index.page(&format!("/files/{name}.metadata"), Page::new(of_app));
        index.page(
            "/files/base-1.0-py3-none-any.whl",
            Page::new(index.base.clone()),
        );
        index
    }

    fn page(&self, path: &str, page: Page) {
        self.server.page(path, page);
    }

    /// The answer about a package, whose one file is at a relative URL.
    fn answer(&self, name: &str, wheel: &[u8], more: &str) {
        let path = format!("/simple/{name}/");
        self.page(&path, Page::new(answer(name, "../../files/", wheel, more)));
    }

    fn url(&self) -> String {
        self.server.url("/simple")
    }

    fn requirements(&self) -> String {
        let (app, base) = (hex(&self.app), hex(&self.base));
        format!("app==1.0 --hash=sha256:{app}\nbase==1.0 --hash=sha256:{base}\n")
    }
}

fn answer(name: &str, files: &str, wheel: &[u8], more: &str) -> String {
    format!(
        "{{\"meta\": {{\"api-version\": \"1.1\"}}, \"name\": \"{name}\", \"files\": [{{\"filename\": \
         \"{name}-1.0-py3-none-any.whl\", \"url\": \"{files}{name}-1.0-py3-none-any.whl\", \
         \"hashes\": {{\"sha256\": \"{}\"}}, \"size\": {}{more}}}]}}",
        hex(wheel),
        wheel.len()
    )
}

/// A sandbox with a `requirements.txt`.
fn sandbox(requirements: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("requirements.txt"), requirements).unwrap();
    sandbox
}

/// Runs with the variables of an index; nothing that is asked for is in the way of a proxy.
fn run(sandbox: &Sandbox, args: &[&str], variables: &[(&str, &str)]) -> String {
    let args = [&["lock"], args, &TARGET].concat();
    let home = sandbox.path("");
    let more = [("HOME", home.to_str().unwrap()), ("no_proxy", "*")];
    sandbox.run_with(&args, &[variables, &more].concat())
}

#[test]
fn what_is_required_and_not_in_the_lock_is_told() {
    let index = Index::start();
    let requires = "Requires-Dist: base>=1\nRequires-Dist: Zoo[x]; python_version > '3'\n\
        Requires-Dist: winapi; sys_platform == 'win32'\nRequires-Dist: absent; extra == 'more'\n\
        Requires-Dist: also; extra == 'some'\n";
    let app = WheelBuilder::new("app", "1.0").metadata(requires);
    index.answer("app", &app.build(), "");
    index.page(
        &format!("/files/{}", app.file_name()),
        Page::new(app.build()),
    );
    let name = format!("/files/{}.metadata", app.file_name());
    index.page(&name, Page::new(metadata("app", requires)));
    let sandbox = sandbox("app[some]==1.0\n");
    let got = run(
        &sandbox,
        &["requirements.txt"],
        &[("UV_DEFAULT_INDEX", &index.url())],
    );
    assert!(got.starts_with("exit: 0\n"), "{got}");
    let want = "note: app 1.0 requires also, base, zoo, which the lock does not have: give what is wanted to a \
        resolver, as by `uv pip compile`, for a lock of all packages\n";
    assert!(got.contains(want), "{got}");
    // A version that it does not allow is none.
    let index = Index::start();
    let requires = "Requires-Dist: base>=2,<3\nRequires-Dist: base>=9; sys_platform == 'win32'\n";
    let app = WheelBuilder::new("app", "1.0").metadata(requires);
    index.answer("app", &app.build(), "");
    let file = format!("/files/{}", app.file_name());
    index.page(&file, Page::new(app.build()));
    index.page(
        &format!("{file}.metadata"),
        Page::new(metadata("app", requires)),
    );
    let pins = "app==1.0\nbase==1.0\n";
    let got = run(
        &self::sandbox(pins),
        &["requirements.txt"],
        &[("UV_DEFAULT_INDEX", &index.url())],
    );
    let want = "note: app 1.0 requires base<3,>=2, which the lock does not have";
    assert!(got.contains(want), "{got}");
    // So is METADATA of another one: that of the wheel counts.
    let other = metadata("app", "Requires-Dist: nobody\n").replace("1.0", "2.0");
    index.page(&format!("{file}.metadata"), Page::new(other));
    let got = run(
        &self::sandbox(pins),
        &["requirements.txt"],
        &[("UV_DEFAULT_INDEX", &index.url())],
    );
    assert!(got.contains(want) && !got.contains("nobody"), "{got}");
}

#[test]
fn what_a_lock_lacks_is_asked_of_the_index() {
    let index = Index::start();
    let sandbox = sandbox(&index.requirements());
    let got = run(
        &sandbox,
        &["requirements.txt"],
        &[("UV_DEFAULT_INDEX", &index.url())],
    );
    assert!(got.starts_with("exit: 0\n"), "{got}");
    let of_app = index.server.url("/files/app-1.0-py3-none-any.whl");
    for want in [
        format!("\"url\": \"{of_app}\""),
        format!("\"size\": {}", index.app.len()),
        "\"dependencies\": [\n                \"base\"\n              ]".to_owned(),
        "\"component\": \"app\"".to_owned(),
        "\"notes\": []".to_owned(),
    ] {
        assert!(got.contains(&want), "no {want} in {got}");
    }
    assert_eq!(
        index.server.asked(),
        [
            "GET /files/app-1.0-py3-none-any.whl.metadata",
            "GET /files/base-1.0-py3-none-any.whl",
            "GET /files/base-1.0-py3-none-any.whl.metadata",
            "GET /simple/app/",
            "GET /simple/base/",
        ]
    );
    // A `poetry.lock` and a `Pipfile.lock` have edges or an index of their own.
    let (app, url) = (hex(&index.app), index.url());
    let poetry = format!(
        "[[package]]\nname = \"app\"\nversion = \"1.0\"\noptional = false\npython-versions = \"*\"\ngroups = [\"main\"]\n\
         files = [{{file = \"app-1.0-py3-none-any.whl\", hash = \"sha256:{app}\"}}]\n\
         [package.source]\ntype = \"legacy\"\nurl = \"{url}\"\nreference = \"own\"\n\
         [metadata]\nlock-version = \"2.1\"\npython-versions = \"*\"\ncontent-hash = \"x\"\n"
    );
    fs::write(sandbox.path("poetry.lock"), poetry).unwrap();
    let pipfile = format!(
        "{{\"_meta\": {{\"pipfile-spec\": 6, \"sources\": [{{\"url\": \"{url}\", \"name\": \"x\", \"verify_ssl\": true}}]}}, \
         \"default\": {{\"app\": {{\"version\": \"==1.0\", \"hashes\": [\"sha256:{app}\"]}}}}}}"
    );
    fs::write(sandbox.path("Pipfile.lock"), pipfile).unwrap();
    for lock in ["poetry.lock", "Pipfile.lock"] {
        let got = run(&sandbox, &[lock], &[]);
        assert!(
            got.starts_with("exit: 0\n") && got.contains(&of_app),
            "{lock}: {got}"
        );
        assert_eq!(index.server.asked().last().unwrap(), "GET /simple/app/");
    }
}

#[test]
fn without_fetch_nothing_is_asked() {
    let index = Index::start();
    let sandbox = sandbox(&index.requirements());
    let url = index.url();
    let args = ["lock", "requirements.txt", "--target", "x86_64-linux-cp313"];
    let got = sandbox.run_with(&args, &[("UV_DEFAULT_INDEX", &url)]);
    assert!(
        got.starts_with("exit: 1\n") && got.contains("hint: `--fetch` asks"),
        "{got}"
    );
    assert!(index.server.asked().is_empty());
}

/// A `PATH` whose curl writes its command line, which everybody may read, to `words`.
fn watched_curl(sandbox: &Sandbox) -> String {
    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|dir| dir.join("curl"))
        .find(|path| path.is_file())
        .unwrap();
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> '{}'\nexec {} \"$@\"\n",
        sandbox.path("words").display(),
        real.display()
    );
    fs::create_dir(sandbox.path("bin")).unwrap();
    fs::write(sandbox.path("bin/curl"), script).unwrap();
    fs::set_permissions(sandbox.path("bin/curl"), PermissionsExt::from_mode(0o755)).unwrap();
    format!("{}:/usr/bin:/bin", sandbox.path("bin").display())
}

#[test]
fn credentials_go_to_their_host_alone() {
    let index = Index::start();
    let files = Server::start();
    let sandbox = sandbox(&index.requirements());
    // The index is for one user; it sends to another host, which may not learn who that is.
    for (name, wheel) in [("app", &index.app), ("base", &index.base)] {
        let text = answer(name, &files.url("/"), wheel, "");
        index.page(&format!("/simple/{name}/"), Page::new(text).only_for(USER));
        let path = format!("/{name}-1.0-py3-none-any.whl");
        let moved = index.server.url(&format!("/files{path}"));
        files.page(&path, Page::moved(&moved));
        let moved = files.url(&format!("/elsewhere{path}"));
        index.page(&format!("/files{path}"), Page::moved(&moved).only_for(USER));
        files.page(&format!("/elsewhere{path}"), Page::new(wheel.clone()));
    }
    let url = index.url().replace("http://", "http://me:p%40ss%20w@");
    let path = watched_curl(&sandbox);
    let got = run(
        &sandbox,
        &["requirements.txt"],
        &[("PIP_INDEX_URL", &url), ("PATH", &path)],
    );
    // The index asks for its user again, who is not told by a redirect that comes from elsewhere.
    assert!(
        got.starts_with("exit: 1\n") && got.contains("status 401"),
        "{got}"
    );
    assert!(files.asked().iter().all(|line| !line.contains("Basic")));
    let asked = index.server.asked();
    assert!(
        asked.contains(&format!("GET /simple/app/ Basic {USER}")),
        "{asked:?}"
    );
    for secret in ["p@ss", "p%40ss", "me:", USER] {
        assert!(!got.contains(secret), "{secret} in {got}");
        assert!(
            !fs::read_to_string(sandbox.path("words"))
                .unwrap()
                .contains(secret)
        );
    }
}

#[test]
fn users_are_told_by_variables_and_netrc() {
    let index = Index::start();
    let sandbox = sandbox(&index.requirements());
    for (name, wheel) in [("app", &index.app), ("base", &index.base)] {
        let url = index
            .server
            .url("/files/")
            .replace("http://", "http://other:secret@");
        let text = answer(name, &url, wheel, "");
        index.page(&format!("/simple/{name}/"), Page::new(text).only_for(USER));
        let path = format!("/files/{name}-1.0-py3-none-any.whl");
        // Here it says itself as whom.
        index.page(&path, Page::new(wheel.clone()).only_for("b3RoZXI6c2VjcmV0"));
    }
    let netrc = "machine 127.0.0.1 login me password \"p@ss w\"\n";
    fs::write(sandbox.path(".netrc"), netrc).unwrap();
    let url = index.url();
    for variables in [
        &[
            ("UV_INDEX", format!("own={url}")),
            ("UV_INDEX_OWN_USERNAME", "me".to_owned()),
            ("UV_INDEX_OWN_PASSWORD", "p@ss w".to_owned()),
        ][..],
        &[("PIP_EXTRA_INDEX_URL", url.clone())],
    ] {
        let variables: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let got = run(&sandbox, &["requirements.txt"], &variables);
        assert!(got.starts_with("exit: 0\n"), "{variables:?}: {got}");
        assert!(
            got.contains("the URL of app-1.0-py3-none-any.whl had a user, which was left out"),
            "{got}"
        );
        assert!(!got.contains("secret") && !got.contains("p@ss"), "{got}");
    }
}

#[test]
fn files_without_hashes_are_fetched() {
    let index = Index::start();
    let sandbox = sandbox("app==1.0\nbase==1.0\n");
    let url = index.url();
    let got = run(&sandbox, &["requirements.txt"], &[("PIP_INDEX_URL", &url)]);
    assert!(got.starts_with("exit: 0\n"), "{got}");
    assert!(
        got.contains("note: the lock has no hash of app 1.0, which is what the index has now\n"),
        "{got}"
    );
    let lock = format!(
        "version = 1\n[[package]]\nname = \"app\"\nversion = \"1.0\"\nsource = {{ registry = \"{0}\" }}\n\
         wheels = [{{ url = \"{0}/app-1.0-py3-none-any.whl\" }}]\n\
         [manifest]\nrequirements = [{{ name = \"app\" }}]\n",
        index.server.url("/files")
    );
    fs::write(sandbox.path("uv.lock"), lock).unwrap();
    let got = run(&sandbox, &["uv.lock"], &[]);
    assert!(got.starts_with("exit: 0\n"), "{got}");
    let digest = wheelfix_lock_hash(&index.app);
    assert!(got.contains(&digest), "no {digest} in {got}");
    assert!(
        got.contains("no hash of app-1.0-py3-none-any.whl, which is what its URL gives now"),
        "{got}"
    );
}

/// Of several hashes one must be that of the file, and is the one that counts.
#[test]
fn one_of_several_hashes_is_that_of_the_file() {
    let index = Index::start();
    let (own, other) = (hex(&index.app), "1".repeat(64));
    let url = index.server.url("/files/app-1.0-py3-none-any.whl");
    let lock = |hashes: [&str; 2]| {
        let hashes = hashes.map(|hash| format!(" --hash=sha256:{hash}")).concat();
        format!("app @ {url}{hashes}\n")
    };
    let line = lock([&own, &"f".repeat(64)]);
    let got = run(&sandbox(&line), &["requirements.txt"], &[]);
    assert!(got.starts_with("exit: 0\n"), "{got}");
    assert!(got.contains(&wheelfix_lock_hash(&index.app)), "{got}");
    assert!(!got.contains("has no hash"), "{got}");
    let line = lock([&other, &"f".repeat(64)]);
    let got = run(&sandbox(&line), &["requirements.txt"], &[]);
    assert!(got.starts_with("exit: 1\n"), "{got}");
    assert!(
        got.contains("another file than the one of the hash is at `app-1.0-py3-none-any.whl`"),
        "{got}"
    );
}

#[test]
fn an_sdist_says_what_it_is_built_with() {
    let server = Server::start();
    let sandbox = Sandbox::new();
    let build = "[build-system]\nrequires = [\"Hatchling>=1\", \"hatch_vcs\", \"tomli; python_version < '3.11'\"]\n";
    let sdist = SdistBuilder::without_texts("app", "1.0")
        .file(
            "PKG-INFO",
            "Metadata-Version: 2.2\nName: app\nVersion: 1.0\nRequires-Dist: other\n",
        )
        .file("pyproject.toml", build);
    let path = sdist.write_to(&sandbox.path(""), Packing::TarGz);
    let bytes = fs::read(&path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    server.page(&format!("/{name}"), Page::new(bytes.clone()));
    let lock = format!(
        "lock-version = \"1.0\"\ncreated-by = \"pip\"\n[[packages]]\nname = \"app\"\nversion = \"1.0\"\n\
         [packages.sdist]\nname = \"{name}\"\nurl = \"{}\"\n[packages.sdist.hashes]\nsha256 = \"{}\"\n",
        server.url(&format!("/{name}")),
        hex(&bytes)
    );
    fs::write(sandbox.path("pylock.toml"), lock).unwrap();
    let got = run(&sandbox, &["pylock.toml"], &[]);
    let got: String = got.split_whitespace().collect();
    for want in [
        "\"build\":[\"hatch-vcs\",\"hatchling\"]",
        "\"dependencies\":[]",
    ] {
        assert!(got.contains(want), "no {want} in {got}");
    }
    assert_eq!(server.asked(), [format!("GET /{name}")]);
}

/// A hash as documents have it.
fn wheelfix_lock_hash(bytes: &[u8]) -> String {
    let digest = data_encoding::BASE64.encode(&Sha256::digest(bytes));
    format!("sha256-{digest}")
}

/// Checks the errors of a run, each without its beginning, and that nothing is written.
#[track_caller]
fn check(index: &Index, sandbox: &Sandbox, variables: &[(&str, &str)], want: &[&str]) {
    let got = run(sandbox, &["requirements.txt", "-o", "out.json"], variables);
    let got = got.replace(&index.server.host(), "HOST");
    let is_error = |line: &&str| !line.starts_with("hint: ") && !line.starts_with("---");
    let got: Vec<&str> = got.lines().filter(is_error).collect();
    let want = want
        .iter()
        .map(|line| format!("error: `requirements.txt`: package `{line}"));
    let want: Vec<String> = ["exit: 1".to_owned()].into_iter().chain(want).collect();
    assert_eq!(got, want);
    assert!(!sandbox.path("out.json").is_file());
}

#[test]
fn what_indexes_do_wrong_is_told_at_once() {
    let index = Index::start();
    let sandbox = sandbox(&index.requirements());
    let url = index.url();
    check(
        &index,
        &sandbox,
        &[],
        &[
            "app`: no index is known that could be asked",
            "base`: no index is known that could be asked",
        ],
    );
    check(
        &index,
        &sandbox,
        &[("UV_INDEX_URL", &index.server.url("/other/"))],
        &[
            "app`: no index has it: asked http://HOST/other",
            "base`: no index has it: asked http://HOST/other",
        ],
    );
    // Another file at the URL, METADATA of another hash.
    let base = "/files/base-1.0-py3-none-any.whl";
    let other = WheelBuilder::new("base", "1.0").file("other.py", "");
    index.page(base, Page::new(other.build()));
    index.page(
        "/files/app-1.0-py3-none-any.whl.metadata",
        Page::new(metadata("app", "")),
    );
    check(
        &index,
        &sandbox,
        &[("UV_INDEX_URL", &url)],
        &[
            "app 1.0`: another file than the one of the hash is at `http://HOST/files/app-1.0-py3-none-any.whl.metadata`",
            "base 1.0`: another file than the one of the hash is at `http://HOST/files/base-1.0-py3-none-any.whl`",
        ],
    );
    // A page for people, and none at all.
    index.page("/simple/app/", Page::new("<html>"));
    index.page("/simple/base/", Page::failed(403));
    check(
        &index,
        &sandbox,
        &[("UV_INDEX_URL", &url)],
        &[
            "app`: the answer of `http://HOST/simple/app/` is not JSON as indexes have it: line 1, column 1: expected value at line 1 column 1",
            "base`: `http://HOST/simple/base/`: status 403",
        ],
    );
}

#[test]
fn what_cannot_be_asked_is_told() {
    let index = Index::start();
    let sandbox = sandbox(&index.requirements());
    let url = index.url();
    // Another file than the lock has.
    index.answer("app", b"other", "");
    index.answer("base", &index.base, "");
    let got = run(&sandbox, &["requirements.txt"], &[("UV_INDEX_URL", &url)]);
    assert!(
        got.ends_with("package `app 1.0`: `wheels`: the index does not have a file of `app 1.0` with a hash of the lock\n"),
        "{got}"
    );
    let got = run(
        &sandbox,
        &["requirements.txt"],
        &[("UV_INDEX_URL", "file:///simple")],
    );
    assert!(
        got.contains("`file:///simple/app/` is not fetched: only https:// and http:// are"),
        "{got}"
    );
    let got = run(
        &sandbox,
        &["requirements.txt"],
        &[("UV_INDEX_URL", &url), ("PATH", "/no/such")],
    );
    assert!(
        got.starts_with("exit: 3\n") && got.contains("curl fetches files, and cannot be run"),
        "{got}"
    );
}
