//! Modules and libraries for an accelerator, which are called so and lack only its libraries.

use crate::optional::{Case, MODULE};

/// Needs a library of CUDA that is nowhere.
const CUDART: &[&str] = &["-Wl,--no-as-needed", "libcudart.so.13"];
const GONE: &[&str] = &["-Wl,--no-as-needed", "libgone.so.1"];
const MISSING: &str = "error: `libcudart.so.13` is missing";
const GUARDED: &str = "try:\n    from . import _cuda\nexcept ImportError:\n    _cuda = None\n";
const CUDA_MODULE: &str = "void *PyInit__cuda(void) { return 0; }";

/// A wheel with a source, and a module beside others.
fn case(init: &str) -> Case {
    with_cudart(init).module()
}

fn with_cudart(init: &str) -> Case {
    let case = Case::new(init);
    let args = ["-Wl,-soname,libcudart.so.13", "-o", "libcudart.so.13"];
    case.sandbox.library("int c;", &args);
    case
}

fn cuda(init: &str) -> Case {
    case(init).elf("m/_cuda.so", CUDA_MODULE, CUDART)
}

#[test]
fn a_module_that_is_imported_where_it_may_fail_is_left_out() {
    for import in [GUARDED, "def f():\n    from m._cuda import g\n"] {
        let case = cuda(import);
        let text = case.passes(&[]);
        assert!(text.contains("rule `cuda`"), "{text}");
        assert!(text.contains("missing: `libcudart.so.13`"), "{text}");
        assert!(!case.has("m/_cuda.so") && case.has("m/x.so"), "{text}");
        // Whoever wants it says so.
        case.fails(&["--backend", "cuda"], MISSING);
        let text = case.passes(&["--lib-path", "."]);
        assert!(
            !text.contains("rule `cuda`") && case.has("m/_cuda.so"),
            "{text}"
        );
    }
}

#[test]
fn what_python_imports_whatever_happens_must_load() {
    for import in ["from . import _cuda\n", ""] {
        cuda(import).fails(&[], MISSING);
    }
}

/// As ngsolve: the module that imports it is imported where that may fail.
#[test]
fn who_imports_the_importer_counts_too() {
    let case = |init: &str| {
        let mut case = cuda(init);
        case.wheel = case.wheel.file("m/gpu.py", "from ._cuda import *\n");
        case
    };
    let text =
        case("try:\n    from . import gpu\nexcept ImportError:\n    gpu = None\n").passes(&[]);
    assert!(text.contains("rule `cuda`"), "{text}");
    case("from . import gpu\n").fails(&[], MISSING);
    // A list of names that are tried says so only where the source is called as one for the accelerator, too.
    let tried = "for name in ('m.gpu', 'm.metal'):\n    try:\n        use(name)\n    except ImportError:\n        pass\n";
    assert!(case(tried).passes(&[]).contains("rule `cuda`"));
    case("use('m.gpu')\n").fails(&[], MISSING);
    let mut plain = cuda("for name in ('m.fast',):\n    use(name)\n");
    plain.wheel = plain.wheel.file("m/fast.py", "from ._cuda import *\n");
    plain.fails(&[], MISSING);
}

/// As ctransformers, and any of these where a library is missing that all of them need: what it needs beside that is
/// no fault.
#[test]
fn what_all_lack_is_the_only_fault() {
    let both = [GONE, CUDART].concat();
    let only_gone = |case: Case| {
        let text = case.fails(&[], "error: `libgone.so.1` is missing");
        assert!(!text.contains(MISSING), "{text}");
        let prefix = ["check", "p", "--python", &Case::python()];
        case.passes(&["--lib-path", "."]);
        fs_err::remove_file(case.sandbox.path("libgone.so.1")).unwrap();
        fs_err::remove_file(case.sandbox.path("libcudart.so.13")).unwrap();
        let text = case.sandbox.run(&prefix);
        assert!(text.contains("error: `libgone.so.1` is missing"), "{text}");
        assert!(!text.contains(MISSING), "{text}");
    };
    let named = "import ctypes\ndef f(x):\n    ctypes.CDLL(path(x, 'libcore.so'))\n";
    // Nothing else is there.
    let case = with_cudart(named).elf("m/lib/cpu/libcore.so", "int m;", GONE);
    only_gone(case.elf("m/lib/cuda/libcore.so", "int m;", &both));
    // A module must load, and lacks it, too.
    let case = with_cudart(GUARDED).elf("m/x.so", MODULE, GONE);
    only_gone(case.elf("m/_cuda.so", CUDA_MODULE, &both));
}

#[test]
fn what_another_module_needs_must_load() {
    let case = case("import ctypes\ndef f():\n    ctypes.CDLL(path('m_cuda'))\n");
    let args = [CUDART, &["-Wl,-soname,libm_cuda.so", "-o", "libm_cuda.so"]].concat();
    case.sandbox.library("int m;", &args);
    let case = case.elf(
        "m/libm_cuda.so",
        "int m;",
        &[CUDART, &["-Wl,-soname,libm_cuda.so"]].concat(),
    );
    let text = case.passes(&[]);
    assert!(
        text.contains("rule `cuda`") && !case.has("m/libm_cuda.so"),
        "{text}"
    );
    let needs = ["-Wl,--no-as-needed", "libm_cuda.so", "-Wl,-rpath,$ORIGIN"];
    let case = case.elf("m/y.so", &MODULE.replace("PyInit_x", "PyInit_y"), &needs);
    case.fails(&[], MISSING);
}

#[test]
fn what_lacks_something_else_must_load() {
    let lacks = [CUDART, &["libgone.so.1"]].concat();
    let case = case(GUARDED).elf("m/_cuda.so", CUDA_MODULE, &lacks);
    case.fails(&[], "error: `libgone.so.1` is missing");
    let case = Case::new(GUARDED).module();
    let case = case.elf("m/_cuda.so", CUDA_MODULE, &["libgone.so.1"]);
    case.fails(&[], "error: `libgone.so.1` is missing");
}

#[test]
fn what_a_source_opens_whenever_it_is_imported_must_load() {
    let init = "import ctypes\nctypes.CDLL('libm_cuda.so')\n";
    let case = case(init).elf("m/libm_cuda.so", "int m;", CUDART);
    case.fails(&[], MISSING);
}

#[test]
fn what_stands_alone_must_load() {
    with_cudart(GUARDED)
        .elf("m/_cuda.so", CUDA_MODULE, CUDART)
        .fails(&[], MISSING);
}

/// As a wheel of cuDNN, whose libraries are for others.
#[test]
fn what_a_wheel_carries_for_others_must_find_its_libraries() {
    let case = with_cudart("").elf("m/libplain.so", "int p;", &[]);
    case.elf("m/libcudnn_ops.so", "int c;", CUDART)
        .fails(&[], MISSING);
}

/// As ctransformers, whose libraries for each processor have one name.
#[test]
fn a_directory_is_called_as_the_accelerator_where_libraries_have_one_name() {
    let init = "import ctypes\ndef f(kind):\n    ctypes.CDLL(HERE + kind + '/libm_core.so')\n";
    let case = case(init).elf("m/lib/cuda/libm_core.so", "int m;", CUDART);
    let text = case.fails(&[], MISSING);
    assert!(!text.contains("rule `cuda`"), "{text}");
    let case = case.elf("m/lib/avx/libm_core.so", "int m;", &[]);
    let text = case.passes(&[]);
    assert!(text.contains("rule `cuda`"), "{text}");
    assert!(!case.has("m/lib/cuda/libm_core.so") && case.has("m/lib/avx/libm_core.so"));
}

/// As the backends of ggml, of which each has a library of its own.
#[test]
fn each_accelerator_has_its_words_and_libraries() {
    for (rule, name, library) in [
        ("rocm", "ggml_hip", "libamdhip64.so.7"),
        ("vulkan", "ggml_vulkan", "libvulkan.so.1"),
        ("vulkan", "model_kompute", "libvulkan.so.1"),
        ("sycl", "ggml_sycl", "libsycl.so.9"),
        ("opencl", "ggml_opencl", "libOpenCL.so.1"),
    ] {
        let case = |init: &str| {
            let case = Case::new(&init.replace("_cuda", name)).module();
            let soname = format!("-Wl,-soname,{library}");
            case.sandbox.library("int c;", &[&soname, "-o", library]);
            let source = CUDA_MODULE.replace("_cuda", name);
            case.elf(
                &format!("m/{name}.so"),
                &source,
                &["-Wl,--no-as-needed", library],
            )
        };
        let text = case(GUARDED).passes(&[]);
        assert!(text.contains(&format!("rule `{rule}`")), "{text}");
        let missing = format!("error: `{library}` is missing");
        case("from . import _cuda\n").fails(&[], &missing);
    }
}
