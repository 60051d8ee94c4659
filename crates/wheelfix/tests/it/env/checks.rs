//! Checks of other things than files: duplicates, requirements, tags, torch, copies, loading.

use insta::assert_snapshot;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::prefix::{PrefixBuilder, SITE_PACKAGES};
use wheelfix_testkit::wheel::WheelBuilder;

use super::{env, failed, make, refused, sandbox};
use crate::support::Sandbox;

#[test]
fn a_distribution_that_comes_twice_is_named_with_both_chains() {
    let sandbox = Sandbox::new();
    let lib = |version: &str| {
        PrefixBuilder::new("lib", version).file("lib.py", format!("version = '{version}'\n"))
    };
    lib("1.0").write_to(&sandbox.path("lib1"));
    lib("2.0").write_to(&sandbox.path("lib2"));
    let user = |name: &str, lib: &str| {
        PrefixBuilder::new(name, "1.0")
            .metadata("Requires-Dist: lib\n")
            .propagates(&sandbox.path(lib))
    };
    user("one", "lib1").write_to(&sandbox.path("one"));
    user("two", "lib2").write_to(&sandbox.path("two"));
    PrefixBuilder::new("app", "3")
        .metadata("Requires-Dist: two\n")
        .propagates(&sandbox.path("two"))
        .write_to(&sandbox.path("app"));
    assert_snapshot!(refused(&sandbox, &["one", "app"]), @"
    error: `lib` comes from 2 inputs
      lib 1.0 in `[DIR]/lib1`, which `[DIR]/one` propagates
        needed by: one 1.0
      lib 2.0 in `[DIR]/lib2`, which `[DIR]/two` propagates, which `[DIR]/app` propagates
        needed by: two 1.0, which is needed by app 3
      they have 1 file at the same place
      fix: leave one input out, or build both users with the same one
    ");
}

#[test]
fn propagated_inputs_come_along() {
    let sandbox = Sandbox::new();
    PrefixBuilder::new("lib", "1.0")
        .file("lib.py", "x = 1\n")
        .write_to(&sandbox.path("lib"));
    // Holds no modules.
    fs_err::create_dir_all(sandbox.path("zlib/lib")).unwrap();
    PrefixBuilder::new("app", "1.0")
        .metadata("Requires-Dist: lib\n")
        .propagates(&sandbox.path("lib"))
        .propagates(&sandbox.path("zlib"))
        .write_to(&sandbox.path("app"));
    assert_snapshot!(make(&sandbox, &["app"]), @"
    exit: 0
    --- stdout
    [DIR]/env: 2 distributions, 2 directories and 1 file linked, not proved: no target is named
    --- stderr
    note: nothing is taken from `[DIR]/zlib`: it is a Python, or holds no modules for this one
    ");
    let lib = sandbox.path("env").join(SITE_PACKAGES).join("lib.py");
    assert_eq!(fs_err::read_to_string(lib).unwrap(), "x = 1\n");
}

#[test]
fn requirements_are_met_with_markers_and_extras() {
    let sandbox = sandbox(&[
        PrefixBuilder::new("app", "1.0").metadata(
            "Requires-Dist: lib[fast]>=2\n\
             Requires-Dist: tomli; python_version < '3.11'\n\
             Requires-Dist: pywin32; sys_platform == 'win32'\n\
             Requires-Dist: gone>=1\n\
             Requires-Dist: extra-of-mine; extra == 'mine'\n",
        ),
        PrefixBuilder::new("lib", "1.5").metadata(
            "Requires-Dist: speed>=3; extra == 'fast'\n\
             Requires-Dist: slow; extra == 'other'\n",
        ),
    ]);
    assert_snapshot!(refused(&sandbox, &["a", "b"]), @"
    error: app 1.0 requires `lib[fast]>=2`, the environment has lib 1.5
    error: app 1.0 requires `gone>=1`, which is not in the environment
    error: lib[fast] 1.5 requires `speed>=3; extra == 'fast'`, which is not in the environment; asked for by app 1.0
    error: 3 faults in all
    hint: add what is missing, or leave it unmet with `--allow-unmet NAME`
    next: pip download --only-binary=:all: -d wheels 'gone>=1' 'speed>=3' && wheelfix env wheels/*.whl --prefix env a b  # mends 2 of 3
    ");
    let leave = ["--allow-unmet", "lib", "--allow-unmet", "gone"];
    let stderr = refused(&sandbox, &[&["a", "b"][..], &leave].concat());
    assert_snapshot!(stderr, @"
    error: lib[fast] 1.5 requires `speed>=3; extra == 'fast'`, which is not in the environment; asked for by app 1.0
    hint: add what is missing, or leave it unmet with `--allow-unmet NAME`
    next: pip download --only-binary=:all: -d wheels 'speed>=3' && wheelfix env wheels/*.whl --prefix env a b --allow-unmet lib --allow-unmet gone
    ");
    let args = [&["a", "b"][..], &leave, &["--allow-unmet", "speed"]].concat();
    assert_snapshot!(make(&sandbox, &args), @"
    exit: 0
    --- stdout
    [DIR]/env: 2 distributions, 2 directories and 0 files linked, not proved: no target is named
    --- stderr
    warning: app 1.0 requires `lib[fast]>=2`, the environment has lib 1.5
    warning: app 1.0 requires `gone>=1`, which is not in the environment
    warning: lib[fast] 1.5 requires `speed>=3; extra == 'fast'`, which is not in the environment; asked for by app 1.0
    ");
}

#[test]
fn a_leave_that_nothing_needs_is_an_error() {
    let sandbox = sandbox(&[PrefixBuilder::new("one", "1.0")]);
    assert_snapshot!(refused(&sandbox, &["a", "--allow-unmet", "two"]), @"
    error: no unmet requirement matches `two`
      fix: remove --allow-unmet two
    next: wheelfix env --prefix env a
    ");
}

#[test]
fn what_is_for_another_python_is_named() {
    let sandbox = sandbox(&[
        PrefixBuilder::new("fits", "1.0").tag("cp311-cp311-linux_x86_64"),
        PrefixBuilder::new("newer", "1.0").tag("cp312-cp312-linux_x86_64"),
        PrefixBuilder::new("picky", "1.0").metadata("Requires-Python: >=3.12\n"),
    ]);
    fs_err::create_dir_all(sandbox.path("d/lib/python3.9/site-packages")).unwrap();
    let args = ["a", "b", "c", "d", "--python-version", "3.11"];
    assert_snapshot!(refused(&sandbox, &args), @"
    error: `[DIR]/d` is for Python 3.9, the environment for Python 3.11
    error: newer 1.0 does not fit (`[DIR]/b/lib/python3.11/site-packages/newer-1.0.dist-info`)
      cause: the wheel is for cp312, the target is cp311
    error: picky 1.0 needs Python >=3.12, the environment has 3.11 (`[DIR]/c/lib/python3.11/site-packages/picky-1.0.dist-info`)
    error: 3 faults in all
    hint: name the Python of the environment with `--python EXE` or `--python-version X.Y`
    ");
    assert_snapshot!(env(&sandbox, &["a", "d"]), @"
    exit: 2
    --- stderr
    error: the inputs are for Python 3.11, 3.9: choose with `--python EXE` or `--python-version X.Y`
    ");
}

#[test]
fn packages_for_another_torch_are_named() {
    let torch =
        PrefixBuilder::new("torch", "2.15.0").metadata("Requires-Dist: cuda-toolkit==13.2.2\n");
    let needs_torch = |name: &str, version: &str| {
        PrefixBuilder::new(name, version).metadata("Requires-Dist: torch\n")
    };
    let sandbox = sandbox(&[
        torch,
        PrefixBuilder::new("cuda-toolkit", "13.2.2"),
        PrefixBuilder::new("torchvision", "0.28.0").metadata("Requires-Dist: torch==2.14.0\n"),
        needs_torch("flash_attn", "2.8.3+cu12torch2.9cxx11abitrue"),
        needs_torch("torch_scatter", "2.1.2+pt215cu130"),
        needs_torch("xformers", "0.0.33").file(
            "xformers/cpp_lib.json",
            r#"{"version": {"cuda": 1300, "torch": "2.10.0+cu130"}}"#,
        ),
        PrefixBuilder::new("unrelated", "1.0+cu118"),
    ]);
    let text = refused(&sandbox, &["a", "b", "c", "d", "e", "f", "g"]);
    assert_snapshot!(text, @"
    error: torchvision 0.28.0 requires `torch==2.14.0`, the environment has torch 2.15.0
    error: flash-attn 2.8.3+cu12torch2.9cxx11abitrue was made for torch 2.9, the environment has torch 2.15.0: its version ends in `+cu12torch2.9cxx11abitrue` (`[DIR]/d/lib/python3.11/site-packages/flash_attn-2.8.3+cu12torch2.9cxx11abitrue.dist-info`)
    error: flash-attn 2.8.3+cu12torch2.9cxx11abitrue was made for CUDA 12, the environment has torch for CUDA 13: its version ends in `+cu12torch2.9cxx11abitrue` (`[DIR]/d/lib/python3.11/site-packages/flash_attn-2.8.3+cu12torch2.9cxx11abitrue.dist-info`)
    error: xformers 0.0.33 was made for torch 2.10, the environment has torch 2.15.0: `[DIR]/f/lib/python3.11/site-packages/xformers/cpp_lib.json` (`[DIR]/f/lib/python3.11/site-packages/xformers-0.0.33.dist-info`)
    error: 4 faults in all
    hint: add what is missing, or leave it unmet with `--allow-unmet NAME`
    ");
}

#[test]
fn wheels_for_another_torch_are_named() {
    let sandbox = sandbox(&[PrefixBuilder::new("torch", "2.15.0")]);
    let wheel = WheelBuilder::new("xformers", "0.0.33")
        .metadata("Requires-Dist: torch\n")
        .file(
            "xformers-0.0.33.data/platlib/xformers/cpp_lib.json",
            r#"{"version": {"cuda": 1300, "torch": "2.10.0+cu130"}}"#,
        );
    let wheel = sandbox.wheel(&wheel);
    assert_snapshot!(refused(&sandbox, &["a", &wheel]), @"error: xformers 0.0.33 was made for torch 2.10, the environment has torch 2.15.0: its `xformers/cpp_lib.json` (`[DIR]/xformers-0.0.33-py3-none-any.whl`)");
}

/// Compiles a library.
fn library(sandbox: &Sandbox, path: &str, source: &str, args: &[&str]) {
    let path = sandbox.path(path);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(sandbox.path("source.c"), source).unwrap();
    let start = ["-shared", "-fPIC", "-nostdlib", "-Wl,--no-as-needed", "-o"];
    let all = [&start[..], &[path.to_str().unwrap(), "source.c"], args].concat();
    Tool::CC.run_in(&sandbox.path("."), &all).expect();
    fs_err::remove_file(sandbox.path("source.c")).unwrap();
}

#[test]
fn two_copies_of_a_runtime_are_told() {
    let sandbox = sandbox(&[
        PrefixBuilder::new("torch", "2.15.0"),
        PrefixBuilder::new("sklearn", "1.0"),
    ]);
    let soname = "-Wl,-soname,libgomp.so.1";
    let inside = |path: &str| format!("{SITE_PACKAGES}/{path}");
    let one = format!("a/{}", inside("torch/lib/libgomp.so.1"));
    let two = format!("b/{}", inside("sklearn.libs/libgomp-a34b3233.so.1.0.0"));
    library(&sandbox, &one, "int one;", &[soname]);
    library(&sandbox, &two, "int two;", &[]);
    assert_snapshot!(make(&sandbox, &["a", "b"]), @"
    exit: 0
    --- stdout
    [DIR]/env: 2 distributions, 4 directories and 0 files linked, not proved: no target is named
    --- stderr
    warning: 2 copies of libgomp, each starts its own threads; scikit-learn beside torch runs out of static TLS: `sklearn.libs/libgomp-a34b3233.so.1.0.0`, `torch/lib/libgomp.so.1`
    ");
}

/// `b` holds a library, `a` one that needs it and finds it beside itself: in an environment, not
/// in its own prefix.
fn neighbours() -> Sandbox {
    let sandbox = sandbox(&[
        PrefixBuilder::new("user", "1.0"),
        PrefixBuilder::new("lib", "1.0"),
    ]);
    let lib = format!("b/{SITE_PACKAGES}/lib/liba.so");
    library(&sandbox, &lib, "void f(void) {}", &["-Wl,-soname,liba.so"]);
    let directory = sandbox.path(&lib);
    let directory = format!("-L{}", directory.parent().unwrap().display());
    let user = format!("a/{SITE_PACKAGES}/user/libuser.so");
    let source = "void f(void); void u(void) { f(); }";
    let args = [&directory, "-la", "-Wl,-rpath,$ORIGIN/../lib"];
    library(&sandbox, &user, source, &args);
    sandbox
}

#[test]
fn what_loads_by_one_path_must_load_by_the_other() {
    let sandbox = neighbours();
    let loader = "/lib64/ld-linux-x86-64.so.2";
    let args = ["a", "b", "--interpreter", loader, "--link", "symlink"];
    assert_snapshot!(refused(&sandbox, &args), @"
    error: `liba.so` is missing
      needed by: [DIR]/a/lib/python3.11/site-packages/user/libuser.so
      searched: the files themselves, [DIR]/a/lib/python3.11/site-packages/lib, /lib/x86_64-linux-gnu, /usr/lib/x86_64-linux-gnu, /lib, /usr/lib
      fix: add --lib-path DIR  # where DIR has `liba.so`
      fix: add --exclude user/libuser.so  # if nothing needs it
      fix: add --ignore-missing liba.so  # if all works without it
    ");
    let text = make(&sandbox, &[&args[..], &["--prove", "environment"]].concat());
    assert_snapshot!(text, @"
    exit: 0
    --- stdout
    [DIR]/env: 2 distributions, 0 directories and 8 files linked, 2 of 2 objects proved to load
    ");
}

#[test]
fn a_link_to_a_directory_leads_out_of_the_environment() {
    // The kernel follows the link before it goes up.
    let sandbox = neighbours();
    let loader = "/lib64/ld-linux-x86-64.so.2";
    let args = ["a", "b", "--interpreter", loader, "--prove", "environment"];
    assert_snapshot!(refused(&sandbox, &args), @"
    error: `liba.so` is missing
      needed by: user/libuser.so
      searched: the files themselves, lib, /lib/x86_64-linux-gnu, /usr/lib/x86_64-linux-gnu, /lib, /usr/lib
      fix: add --lib-path DIR  # where DIR has `liba.so`
      fix: add --exclude user/libuser.so  # if nothing needs it
      fix: add --ignore-missing liba.so  # if all works without it
    ");
    make(&sandbox, &[&args[..], &["--link", "copy"]].concat());
}

#[test]
fn what_does_not_load_makes_no_environment() {
    let sandbox = neighbours();
    let loader = "/lib64/ld-linux-x86-64.so.2";
    for scope in ["both", "environment"] {
        let args = ["a", "--interpreter", loader, "--prove", scope];
        let stderr = refused(&sandbox, &args);
        assert!(stderr.contains("`liba.so` is missing"), "{stderr}");
    }
    make(&sandbox, &["a", "--interpreter", loader, "--prove", "none"]);
}

#[test]
fn libraries_beside_bytecode_are_proved() {
    // cffi's `verify` puts them there.
    let sandbox = neighbours();
    let user = sandbox.path(&format!("a/{SITE_PACKAGES}/user"));
    fs_err::create_dir(user.join("__pycache__")).unwrap();
    fs_err::rename(
        user.join("libuser.so"),
        user.join("__pycache__/_cffi__x.so"),
    )
    .unwrap();
    let args = ["a", "--interpreter", "/lib64/ld-linux-x86-64.so.2"];
    let stderr = refused(&sandbox, &args);
    assert!(stderr.contains("__pycache__/_cffi__x.so"), "{stderr}");
    assert!(stderr.contains("`liba.so` is missing"), "{stderr}");
}

#[test]
fn libraries_of_a_wheel_find_those_of_a_prefix() {
    let sandbox = neighbours();
    let user = sandbox.path(&format!("a/{SITE_PACKAGES}/user/libuser.so"));
    let wheel = WheelBuilder::new("wheeled", "1.0")
        .platlib()
        .tags("py3-none-manylinux_2_28_x86_64")
        .file("wheeled/libuser.so", fs_err::read(user).unwrap());
    let name = sandbox.wheel(&wheel);
    let args = ["b", &name, "--interpreter", "/lib64/ld-linux-x86-64.so.2"];
    assert_snapshot!(make(&sandbox, &[&args[..], &["--python-version", "3.11"]].concat()), @"
    exit: 0
    --- stdout
    [DIR]/env: 2 distributions, 2 directories and 0 files linked, 4 new files, 2 of 2 objects proved to load
    ");
}

#[test]
fn a_distribution_serves_for_another_in_an_environment() {
    let user = PrefixBuilder::new("user", "1.0")
        .metadata("Requires-Dist: opencv-python\nRequires-Dist: old[x]\n");
    let cv = PrefixBuilder::new("opencv_python_headless", "4.12");
    let new = PrefixBuilder::new("new", "3");
    let sandbox = sandbox(&[user, cv, new]);
    let all = ["a", "b", "c", "--python-version", "3.11"];
    let text = refused(&sandbox, &all);
    assert!(
        text.contains("requires `old[x]`") && !text.contains("opencv"),
        "{text}"
    );
    let text = make(&sandbox, &[&all[..], &["--provides", "new=old"]].concat());
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let text = refused(&sandbox, &[&all[..], &["--provides", "old=new"]].concat());
    assert!(text.contains("`old=new` serves for nothing"), "{text}");
}

#[test]
fn requirements_are_always_checked() {
    let sandbox = sandbox(&[PrefixBuilder::new("one", "1.0")]);
    let said = failed(&sandbox, &["a", "--check-deps", "a"], 2);
    assert_snapshot!(said, @"error: `--check-deps` is for `install`: an environment checks requirements itself");
}

#[test]
fn libraries_of_prefixes_stay_as_they_are() {
    let sandbox = sandbox(&[PrefixBuilder::new("one", "1.0")]);
    let said = failed(&sandbox, &["a", "--bundled", "libgomp*=keep"], 2);
    assert_snapshot!(said, @"error: `--bundled` and `--unify` are for wheels: an environment leaves prefixes as they are; `wheelfix unbundle` changes them");
}

/// A library `libx.so.1` with these functions, each with a version of its name, and a module that calls
/// one of them.
fn with_module(sandbox: &Sandbox, prefix: &str, functions: &[&str], calls: &str) -> PrefixBuilder {
    fs_err::create_dir_all(sandbox.path("c").join(prefix)).unwrap();
    let version = |name: &&str| format!("{name} {{ f_{name}; }};\n");
    let map: String = functions.iter().map(version).collect();
    fs_err::write(sandbox.path("x.map"), map).unwrap();
    let define = |name: &&str| format!("void f_{name}(void) {{}}\n");
    let source: String = functions.iter().map(define).collect();
    let library = format!("c/{prefix}/libx.so.1");
    let args = ["-Wl,-soname,libx.so.1", "-Wl,--version-script=x.map", "-o"];
    sandbox.library(&source, &[&args[..], &[&library]].concat());
    let name = format!("m_{prefix}");
    let source = format!("void f_{calls}(void); void PyInit_{name}(void) {{ f_{calls}(); }}");
    let module = format!("c/{prefix}/module.so");
    sandbox.library(
        &source,
        &["-o", &module, &library, "-Wl,-rpath,$ORIGIN/lib"],
    );
    let read = |path: &str| fs_err::read(sandbox.path(path)).unwrap();
    PrefixBuilder::new(prefix, "1.0")
        .file(&format!("{prefix}/__init__.py"), "")
        .file(&format!("{prefix}/{name}.so"), read(&module))
        .file(&format!("{prefix}/lib/libx.so.1"), read(&library))
}

/// Whether the real loader opens both modules of the prefixes in one process, in this order.
fn open_both(sandbox: &Sandbox, order: [&str; 2]) -> bool {
    let path = |prefix: &str| {
        let path = format!("{prefix}/{SITE_PACKAGES}/{prefix}/m_{prefix}.so");
        sandbox.path(&path).display().to_string()
    };
    let script = "import ctypes, sys; [ctypes.CDLL(path, 2) for path in sys.argv[1:]]";
    #[expect(
        clippy::disallowed_methods,
        reason = "the loader of this machine is the judge"
    )]
    let status = std::process::Command::new("python3")
        .args(["-c", script, &path(order[0]), &path(order[1])])
        .stderr(std::process::Stdio::null())
        .status();
    status.unwrap().success()
}

#[test]
fn different_files_of_one_name_are_told_and_a_fault_where_one_does_not_serve_all() {
    // The functions of each library, what each module calls, and whether all is well in either order.
    for (functions, calls, works) in [
        (
            [&["A", "B"][..], &["A", "B", "C"]],
            ["A", "B"],
            [true, true],
        ),
        ([&["A"], &["A", "B"]], ["A", "B"], [false, true]),
        ([&["A"], &["B"]], ["A", "B"], [false, false]),
        ([&["A"], &["A"]], ["A", "A"], [true, true]),
    ] {
        let sandbox = Sandbox::new();
        for (at, prefix) in ["one", "two"].into_iter().enumerate() {
            let built = with_module(&sandbox, prefix, functions[at], calls[at]);
            built.write_to(&sandbox.path(prefix));
        }
        let opened = [
            open_both(&sandbox, ["one", "two"]),
            open_both(&sandbox, ["two", "one"]),
        ];
        assert_eq!(opened, works);
        let text = env(&sandbox, &["one", "two", "--python", "python3"]);
        let is_well = works == [true, true];
        let (code, label) = if is_well {
            (0, "warning")
        } else {
            (1, "error")
        };
        assert!(text.starts_with(&format!("exit: {code}\n")), "{text}");
        let said = format!("{label}: `libx.so.1` is not the same file for all");
        let differ = functions[0] != functions[1];
        assert_eq!(text.contains(&said), differ, "{text}");
        if differ {
            for prefix in ["one", "two"] {
                let path = format!("{prefix}/lib/libx.so.1: for ");
                assert!(text.contains(&path), "{text}");
            }
        }
        assert_eq!(
            text.contains("does not define the version"),
            !is_well,
            "{text}"
        );
        if !is_well {
            // For who knows that nobody imports both.
            let fix = "fix: add --ignore-missing libx.so.1";
            assert!(text.contains(fix), "{text}");
            let excuse = ["--ignore-missing", "libx.so.1"];
            let args = [&["one", "two", "--python", "python3"], &excuse[..]].concat();
            let text = env(&sandbox, &args);
            assert!(text.starts_with("exit: 0\n"), "{text}");
            assert!(text.contains("warning: `libx.so.1` is not the"), "{text}");
        }
    }
}
