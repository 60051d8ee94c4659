//! Tests of the planner over hand-made facts; no file is read.

use std::path::{Path, PathBuf};

use wheelfix_loader::{
    Abi, ContentId, LoadConditions, MinimumVersions, Object, PathKind, RunPath, VersionNeed,
};

use crate::fault::Fault;
use crate::fault::remedy::{Candidate, Remedy};
use crate::index::lib_path::Tier;
use crate::index::{Library, LibraryIndex};
use crate::plan::planner::plan;
use crate::plan::{LinkPlan, PlanOptions, RunPathEdit, RunPathStyle};
use crate::rules::{Pattern, Rules};
use crate::tree::Tree;

mod near_misses;

/// `path: NEEDED...`; the soname is the file name if it begins with `lib`.
fn object(path: &str, needed: &str) -> Object {
    let name = path.rsplit('/').next().unwrap();
    Object {
        path: PathBuf::from(path),
        file: PathBuf::from("/staging").join(name),
        abi: Abi::X86_64,
        os_abi: 0,
        soname: name.starts_with("lib").then(|| name.to_owned()),
        needed: needed.split_whitespace().map(ToOwned::to_owned).collect(),
        run_path: None,
        interpreter: None,
        flags_1: 0,
        load_conditions: LoadConditions::default(),
        version_needs: Vec::new(),
        version_definitions: Vec::new(),
        dlopen_notes: Vec::new(),
        names: Vec::new(),
        content: None,
    }
}

fn with_path(mut object: Object, kind: PathKind, text: &str) -> Object {
    object.run_path = Some(RunPath::parse(kind, text));
    object
}

/// Libraries of the index: every path is one of the `--lib-path` `entry`.
fn library(entry: usize, tier: Tier, path: &str) -> Library {
    let path = Path::new(path);
    Library {
        directory: path.parent().unwrap().to_path_buf(),
        name: path.file_name().unwrap().to_str().unwrap().to_owned(),
        real: path.to_path_buf(),
        tier,
        entry,
        object: object(path.to_str().unwrap(), ""),
    }
}

struct Case {
    tree: Tree,
    index: LibraryIndex,
    rules: Rules,
    options: PlanOptions,
}

impl Case {
    fn new(objects: Vec<Object>, libraries: Vec<Library>) -> Self {
        let mut tree = Tree::default();
        for object in objects {
            tree.add(object);
        }
        let entries = vec![PathBuf::from("/a"), PathBuf::from("/b")];
        Self {
            tree,
            index: LibraryIndex::of(entries, libraries),
            rules: Rules::shipped().unwrap(),
            options: PlanOptions::new(PathBuf::from("/run/opengl-driver/lib")),
        }
    }

    fn plan(&self) -> LinkPlan {
        plan(&self.tree, &self.index, &self.rules, &self.options)
    }

    /// The new run path of the only object, or of the one at `path`.
    #[track_caller]
    fn check(&self, path: &str, want: &str) {
        let plan = self.plan();
        let faults: Vec<String> = plan.faults.iter().map(ToString::to_string).collect();
        assert!(faults.is_empty(), "{faults:?}");
        let got = match &plan.object(Path::new(path)).unwrap().edit.run_path {
            Some(RunPathEdit::Set(path)) => path.to_string(),
            Some(RunPathEdit::Remove) => "remove".to_owned(),
            None => "keep".to_owned(),
        };
        assert_eq!(got, want, "for {path}");
    }

    /// The text of all faults.
    #[track_caller]
    fn check_faults(&self, want: &str) {
        let faults: Vec<String> = self.plan().faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults.join("\n"), want);
    }
}

#[test]
fn inside_is_relative_and_outside_absolute() {
    let case = Case::new(
        vec![
            object("/p/m/x.so", "libin.so libout.so.1 libc.so.6"),
            object("/p/m.libs/libin.so", ""),
        ],
        vec![library(0, Tier::Public, "/a/lib/libout.so.1")],
    );
    case.check("/p/m/x.so", "RUNPATH $ORIGIN/../m.libs:/a/lib");
    case.check("/p/m.libs/libin.so", "keep");
}

#[test]
fn the_kind_of_the_run_path_stays() {
    let libraries = || vec![library(0, Tier::Public, "/a/lib/libout.so.1")];
    let rpath = with_path(
        object("/p/x.so", "libout.so.1"),
        PathKind::Rpath,
        "/nowhere",
    );
    Case::new(vec![rpath], libraries()).check("/p/x.so", "RPATH /a/lib");
    let runpath = with_path(
        object("/p/x.so", "libout.so.1"),
        PathKind::Runpath,
        "/nowhere",
    );
    Case::new(vec![runpath], libraries()).check("/p/x.so", "RUNPATH /a/lib");
}

#[test]
fn stale_and_empty_elements_go() {
    let bnb = object("/p/x.so", "");
    let bnb = with_path(
        bnb,
        PathKind::Runpath,
        "/usr/local/cuda-13.2/targets/x86_64-linux/lib:",
    );
    Case::new(vec![bnb], Vec::new()).check("/p/x.so", "remove");
}

#[test]
fn elements_of_the_output_stay_only_where_they_lead_to_libraries() {
    let text = "$ORIGIN/../../nvidia/cu13/lib:$ORIGIN:${ORIGIN}/lib";
    let c = with_path(
        object("/p/torch/_C.so", "libtorch.so"),
        PathKind::Rpath,
        text,
    );
    let case = Case::new(vec![c, object("/p/torch/lib/libtorch.so", "")], Vec::new());
    case.check("/p/torch/_C.so", "RPATH ${ORIGIN}/lib");
}

#[test]
fn a_plan_that_was_carried_out_plans_nothing() {
    let case = |x: Object| {
        Case::new(
            vec![
                x,
                object("/p/m.libs/libin.so", ""),
                object("/p/lib/libother.so", ""),
            ],
            vec![
                library(0, Tier::Public, "/a/lib/libout.so.1"),
                library(1, Tier::Public, "/b/lib/libmore.so"),
            ],
        )
    };
    let needs = "libmore.so libin.so libcuda.so.1 libout.so.1";
    let first = with_path(
        object("/p/m/x.so", needs),
        PathKind::Rpath,
        "$ORIGIN/../lib",
    );
    let text = "$ORIGIN/../lib:$ORIGIN/../m.libs:/b/lib:/a/lib:/run/opengl-driver/lib";
    case(first).check("/p/m/x.so", &format!("RPATH {text}"));
    case(with_path(object("/p/m/x.so", needs), PathKind::Rpath, text)).check("/p/m/x.so", "keep");
}

#[test]
fn the_driver_is_never_a_stub() {
    let case = Case::new(
        vec![object("/p/x.so", "libcuda.so.1 libcudart.so.13")],
        vec![
            library(0, Tier::Public, "/a/lib/libcudart.so.13"),
            library(0, Tier::Public, "/a/lib/libcuda.so.1"),
        ],
    );
    case.check("/p/x.so", "RUNPATH /run/opengl-driver/lib:/a/lib");
}

#[test]
fn the_order_of_lib_paths_decides_and_bundled_copies_come_last() {
    let case = Case::new(
        vec![object("/p/x.so", "libgomp.so.1")],
        vec![
            library(0, Tier::Bundled, "/a/site/torch/lib/libgomp.so.1"),
            library(1, Tier::Public, "/b/lib/libgomp.so.1"),
        ],
    );
    case.check("/p/x.so", "RUNPATH /b/lib");
}

#[test]
fn a_directory_never_hides_what_another_one_is_meant_for() {
    // `libone` is only bundled beside another `libtwo` than the public one that is meant.
    let case = Case::new(
        vec![object("/p/x.so", "libone.so libtwo.so")],
        vec![
            library(0, Tier::Bundled, "/a/pkg/libone.so"),
            library(0, Tier::Bundled, "/a/pkg/libtwo.so"),
            library(1, Tier::Public, "/b/lib/libtwo.so"),
        ],
    );
    case.check("/p/x.so", "RUNPATH /b/lib:/a/pkg");
}

#[test]
fn a_library_without_a_run_path_keeps_its_neighbours_in_reach() {
    let case = Case::new(
        vec![
            object("/p/lib/libcupti.so.13", "libgcc_s.so.1"),
            object("/p/lib/libcheckpoint.so", ""),
        ],
        vec![library(0, Tier::Public, "/a/lib/libgcc_s.so.1")],
    );
    case.check(
        "/p/lib/libcupti.so.13",
        "RUNPATH $ORIGIN:/a/lib:/run/opengl-driver/lib",
    );
}

#[test]
fn a_file_of_another_name_with_the_soname_is_needed_by_its_name() {
    let mut odd = library(0, Tier::Public, "/a/lib/libodd-2.1.so");
    odd.object.soname = Some("libodd.so.2".to_owned());
    let case = Case::new(vec![object("/p/x.so", "libodd.so.2")], vec![odd]);
    case.check("/p/x.so", "RUNPATH /a/lib");
    let renames = &case.plan().objects[0].edit.rename_needed;
    assert_eq!(
        *renames,
        [("libodd.so.2".to_owned(), "libodd-2.1.so".to_owned())]
    );
}

#[test]
fn missing_libraries_are_told_once_with_the_way_out() {
    let case = Case::new(
        vec![
            object("/p/a.so", "libcudnn.so.9"),
            object("/p/b.so", "libcudnn.so.9"),
            object("/p/c.so", "libcudnn.so.9"),
            object("/p/d.so", "libcudnn.so.9 libwhat.so.1"),
        ],
        vec![library(0, Tier::Public, "/a/lib/libcudnn.so.8")],
    );
    case.check_faults(
        "`libcudnn.so.9` is missing
  needed by: /p/a.so, /p/b.so, /p/c.so and 1 more
  searched: the files themselves, /a, /b
  near miss: /a/lib/libcudnn.so.8: version 8, not 9
`libwhat.so.1` is missing
  needed by: /p/d.so
  searched: the files themselves, /a, /b",
    );
    let remedies: Vec<_> = case.plan().faults.iter().map(Fault::remedies).collect();
    let nixpkgs = |name: &str| Candidate::Nixpkgs(name.to_owned());
    let wheel = |name: &str| Candidate::Wheel(name.to_owned());
    let cudnn = Remedy::AddLibPath {
        library: "libcudnn.so.9".to_owned(),
        newer: false,
        needed_by: ["a", "b", "c", "d"]
            .map(|name| format!("/p/{name}.so").into())
            .into(),
        candidates: vec![
            nixpkgs("cudaPackages.cudnn"),
            wheel("nvidia-cudnn-cu13"),
            wheel("nvidia-cudnn-cu12"),
        ],
    };
    assert_eq!(remedies[0][0], cudnn);
    assert_eq!(remedies[1][1], Remedy::exclude("/p/d.so"));
}

#[track_caller]
fn check_candidates(needed: &str, library: &str, want: &[&str]) {
    let case = Case::new(vec![object("/p/a.so", needed)], vec![]);
    let remedies = case
        .plan()
        .faults
        .iter()
        .flat_map(Fault::remedies)
        .collect::<Vec<_>>();
    let candidates = remedies.iter().find_map(|remedy| match remedy {
        Remedy::AddLibPath {
            library: name,
            candidates,
            ..
        } if name == library => Some(candidates),
        _ => None,
    });
    let got: Vec<&str> = candidates
        .unwrap()
        .iter()
        .map(|candidate| match candidate {
            Candidate::Nixpkgs(name) | Candidate::Wheel(name) => name.as_str(),
            Candidate::Directory(_) => "a directory",
        })
        .collect();
    assert_eq!(got, want, "for {library}, of {needed}");
}

#[test]
fn of_many_library_paths_some_are_named() {
    let mut case = Case::new(vec![object("/p/a.so", "libwhat.so.1")], vec![]);
    let entries = (0..30).map(|n| PathBuf::from(format!("/s{n}")));
    case.index = LibraryIndex::of(entries.collect(), vec![]);
    case.check_faults(
        "`libwhat.so.1` is missing
  needed by: /p/a.so
  searched: the files themselves, /s0, /s1, /s2, /s3, /s4, /s5, /s6, /s7 and 22 more",
    );
}

#[test]
fn what_has_no_version_in_its_name_gets_the_newest() {
    let mysql = ["mysql84", "mysql80"];
    check_candidates("libmysqlclient.so", "libmysqlclient.so", &mysql);
    check_candidates("libssl.so", "libssl.so", &["openssl", "openssl_1_1"]);
    check_candidates("libicuuc.so", "libicuuc.so", &["icu"]);
    check_candidates("libmlx.so", "libmlx.so", &["mlx-cpu"]);
}

#[test]
fn what_provides_a_library_is_of_the_cuda_of_the_rest() {
    check_candidates(
        "libcublas.so.13 libcurand.so.10",
        "libcurand.so.10",
        &["cudaPackages_13.libcurand", "nvidia-curand"],
    );
    check_candidates(
        "libcublas.so.12 libcurand.so.10",
        "libcurand.so.10",
        &["cudaPackages_12.libcurand", "nvidia-curand-cu12"],
    );
    check_candidates(
        "libcurand.so.10",
        "libcurand.so.10",
        &[
            "cudaPackages.libcurand",
            "nvidia-curand",
            "nvidia-curand-cu12",
        ],
    );
}

#[test]
fn an_exact_name_wins_over_a_glob_and_a_name_without_version_finds_those_with_one() {
    check_candidates("libxcb-icccm.so.4", "libxcb-icccm.so.4", &["libxcb-wm"]);
    check_candidates("libpulse.so", "libpulse.so", &["libpulseaudio"]);
    check_candidates("libopenblas.so.0", "libopenblas.so.0", &["openblasCompat"]);
}

#[test]
fn what_provides_a_library_is_of_the_machine() {
    let mut cbc = object("/p/cbc", "libstdc++.so.6");
    cbc.abi = Abi::new(false, true, wheelfix_elf::Machine::X86);
    let case = Case::new(vec![cbc], vec![]);
    let text = format!(
        "{:?}",
        case.plan()
            .faults
            .iter()
            .map(Fault::remedies)
            .collect::<Vec<_>>()
    );
    assert!(
        text.contains("Nixpkgs(\"pkgsi686Linux.stdenv.cc.cc.lib\")"),
        "{text}"
    );
}

#[test]
fn the_other_half_of_a_directory_is_named() {
    let case = Case::new(
        vec![object("/p/m_core.libs/liba.so", "libx-0123abcd.so.1")],
        vec![library(1, Tier::Bundled, "/b/m_core.libs/libother.so.1")],
    );
    case.check_faults(
        "\
`libx-0123abcd.so.1` is missing
  needed by: /p/m_core.libs/liba.so
  searched: the files themselves, /a, /b
  near miss: /b/m_core.libs: of another wheel, which left it out: install that wheel with its own, or both as one environment",
    );
    let ours = vec![object("/p/m_core.libs/liba.so", "libx.so.1")];
    let case = Case::new(ours, case.index.libraries().to_vec());
    assert!(!case.plan().faults[0].to_string().contains("near miss"));
}

#[test]
fn what_is_needed_weakly_is_no_minimum() {
    let mut user = object("/p/a.so", "libc.so.6");
    let need = |version: &str, weak| VersionNeed {
        file: "libc.so.6".to_owned(),
        version: version.to_owned(),
        weak,
    };
    user.version_needs = vec![need("GLIBC_2.2.5", false), need("GLIBC_2.36", true)];
    let minimum = MinimumVersions::of(std::iter::once(&user));
    assert_eq!(minimum.to_string(), "GLIBC 2.2.5");
}

#[test]
fn candidates_that_differ_are_named() {
    let libraries = || {
        vec![
            library(0, Tier::Bundled, "/a/one/libx.so"),
            library(0, Tier::Bundled, "/a/two/libx.so"),
        ]
    };
    let case = Case::new(vec![object("/p/a.so", "libx.so")], libraries());
    case.check_faults(
        "`libx.so` is ambiguous: the library path `/a` has several that differ
  needed by: /p/a.so
  candidate: /a/one/libx.so
  candidate: /a/two/libx.so",
    );
    let mut copies = libraries();
    for copy in &mut copies {
        copy.object.content = Some(ContentId([7; 32]));
    }
    Case::new(vec![object("/p/a.so", "libx.so")], copies).check("/p/a.so", "RUNPATH /a/one");
}

#[test]
fn an_exception_that_no_longer_applies_is_a_fault() {
    let mut case = Case::new(vec![object("/p/a.so", "libx.so")], Vec::new());
    case.options.excuses.libraries = vec![
        Pattern::new("libx.*").unwrap(),
        Pattern::new("liby.*").unwrap(),
    ];
    case.check_faults("`liby.*` excuses no library: it matches nothing that is missing");
    // A hook of nixpkgs takes what is there for all packages.
    case.options.excuses.unchecked.insert("liby.*".to_owned());
    case.check_faults("");
}

#[test]
fn backends_that_cannot_be_loaded_go() {
    let objects = || {
        vec![
            object("/p/bitsandbytes/libbitsandbytes_cpu.so", "libc.so.6"),
            object(
                "/p/bitsandbytes/libbitsandbytes_cuda128.so",
                "libcudart.so.12",
            ),
            object(
                "/p/bitsandbytes/libbitsandbytes_cuda130.so",
                "libcudart.so.13",
            ),
            object(
                "/p/bitsandbytes/libbitsandbytes_rocm72.so",
                "libhipblas.so.3",
            ),
        ]
    };
    let libraries = || vec![library(0, Tier::Public, "/a/lib/libcudart.so.13")];
    let mut case = Case::new(objects(), libraries());
    let dropped = |case: &Case| -> Vec<String> {
        let plan = case.plan();
        assert!(plan.is_sound(), "{:?}", plan.faults);
        plan.drops
            .into_iter()
            .map(|drop| format!("{} {}", drop.backend, drop.missing.join(" ")))
            .collect()
    };
    assert_eq!(
        dropped(&case),
        ["cuda128 libcudart.so.12", "rocm72 libhipblas.so.3"]
    );
    case.options.backends = vec![Pattern::new("cuda130").unwrap()];
    assert_eq!(
        dropped(&case),
        ["cpu ", "cuda128 libcudart.so.12", "rocm72 libhipblas.so.3"]
    );
    case.options.backends = vec![Pattern::new("vulkan").unwrap()];
    case.check_faults(
        "`vulkan` names no backend of these files
  there are: cpu, cuda, cuda128, cuda130, rocm, rocm72",
    );
    // What is named stays, and what it lacks is then reported.
    case.options.backends = vec![Pattern::new("rocm").unwrap()];
    assert!(
        matches!(&case.plan().faults[..], [Fault::Missing(missing)] if missing.soname == "libhipblas.so.3")
    );
}

#[test]
fn the_absolute_style_is_that_of_auto_patchelf() {
    let text = "$ORIGIN/../../nvidia/cu13/lib:$ORIGIN";
    let x = with_path(
        object("/p/m/x.so", "libb.so libin.so liba.so"),
        PathKind::Rpath,
        text,
    );
    let mut case = Case::new(
        vec![x, object("/p/m.libs/libin.so", "")],
        vec![
            library(0, Tier::Public, "/a/lib/liba.so"),
            library(1, Tier::Public, "/b/lib/libb.so"),
        ],
    );
    case.options.style = RunPathStyle::Absolute;
    case.options.append = vec!["$ORIGIN".to_owned()];
    case.check("/p/m/x.so", "RPATH /b/lib:/p/m.libs:/a/lib:$ORIGIN");
}

#[test]
fn libraries_opened_later_are_in_the_run_path() {
    let objects = vec![
        object("/p/lib/libnvrtc.so.13", ""),
        object("/p/lib/libnvrtc-builtins.so.13.2", ""),
    ];
    let case = Case::new(objects, Vec::new());
    case.check(
        "/p/lib/libnvrtc.so.13",
        "RUNPATH $ORIGIN:/run/opengl-driver/lib",
    );
    let alone = Case::new(vec![object("/p/lib/libnvrtc.so.13", "")], Vec::new());
    alone.check_faults(
        "`libnvrtc-builtins.so.*` is missing
  opened at run time by: /p/lib/libnvrtc.so.13 (rule `nvrtc-builtins`)
  searched: the files themselves, /a, /b",
    );
}

#[test]
fn objects_for_another_machine_are_left_alone() {
    let mut arm = object("/p/libarm.so", "libnone.so");
    arm.abi = Abi::AARCH64;
    let case = Case::new(
        vec![object("/p/a.so", ""), object("/p/b.so", ""), arm],
        Vec::new(),
    );
    let plan = case.plan();
    assert!(plan.is_sound());
    assert_eq!(plan.skipped[0].reason, "is for another machine");
}

#[test]
fn of_several_the_one_is_meant_that_the_run_path_of_the_build_led_to() {
    let user = |path: &str| with_path(object("/p/x.so", "libx.so.1"), PathKind::Runpath, path);
    let case = |path: &str| {
        let objects = vec![
            user(path),
            object("/p/m/pg/lib/libx.so.1", ""),
            object("/p/m/pg18/lib/libx.so.1", ""),
        ];
        Case::new(objects, Vec::new())
    };
    case("/build/src/m/pg/lib").check("/p/x.so", "RUNPATH $ORIGIN/m/pg/lib");
    for path in ["/build/src/pg/../lib", "/lib", "m/pg/lib"] {
        assert!(!case(path).plan().is_sound(), "{path}");
    }
}
