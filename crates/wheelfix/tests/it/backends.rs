//! `--backend`: the files of wheels with several accelerator backends that stay.

use std::collections::BTreeSet;

use wheelfix_testkit::elf::Tool;

use crate::support::Sandbox;

/// The files of one wheel of each kind, as far as backends go.
const FILES: &[&str] = &[
    "bitsandbytes/libbitsandbytes_cpu.so",
    "bitsandbytes/libbitsandbytes_cuda118.so",
    "bitsandbytes/libbitsandbytes_cuda132.so",
    "bitsandbytes/libbitsandbytes_rocm72.so",
    "faiss/_swigfaiss.abi3.so",
    "faiss/_swigfaiss_avx2.abi3.so",
    "faiss/_swigfaiss_avx512.abi3.so",
    "jax_plugins/xla_cuda12/xla_cuda_plugin.so",
    "jax_plugins/xla_cuda13/xla_cuda_plugin.so",
    "llama_cpp/lib/libggml-cpu.so",
    "llama_cpp/lib/libggml-cuda.so",
    "llama_cpp/lib/libggml-vulkan.so",
    "onnxruntime/capi/libonnxruntime_providers_cuda.so",
    "onnxruntime/capi/libonnxruntime_providers_shared.so",
    "onnxruntime/capi/libonnxruntime_providers_tensorrt.so",
    "xformers/_C.so",
    "xformers/_C_flashattention.so",
];

/// The files, and a RECORD that lists them; those for CUDA 11 and 13 need its runtime.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let compile = |output: &str, flags: &[&str]| {
        let path = sandbox.path(output);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        let start = [
            "-shared",
            "-fPIC",
            "-nostdlib",
            "-Wl,--no-as-needed",
            "-o",
            output,
            "source.c",
        ];
        Tool::CC
            .run_in(&sandbox.path("."), &[&start, flags].concat())
            .expect();
    };
    fs_err::write(sandbox.path("source.c"), "int f(void) { return 0; }").unwrap();
    for runtime in ["libcudart.so.11.0", "libcudart.so.13"] {
        compile(
            &format!("cuda/{runtime}"),
            &[&format!("-Wl,-soname,{runtime}")],
        );
    }
    fs_err::create_dir_all(sandbox.path("store/lib")).unwrap();
    let (runtime, store) = (
        sandbox.path("cuda/libcudart.so.13"),
        sandbox.path("store/lib/libcudart.so.13"),
    );
    fs_err::copy(runtime, store).unwrap();
    let mut record = String::new();
    for file in FILES {
        let need = if file.ends_with("cuda118.so") {
            &["cuda/libcudart.so.11.0"][..]
        } else if file.ends_with("cuda132.so") {
            &["cuda/libcudart.so.13"][..]
        } else {
            &[]
        };
        compile(&format!("site/{file}"), need);
        record.push_str(file);
        record.push_str(",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,1\n");
    }
    record.push_str("x-1.dist-info/RECORD,,\n");
    fs_err::create_dir_all(sandbox.path("site/x-1.dist-info")).unwrap();
    fs_err::write(sandbox.path("site/x-1.dist-info/RECORD"), record).unwrap();
    sandbox
}

/// Checks the files that go with these arguments; RECORD must lose the same.
#[track_caller]
fn check(args: &[&str], want: &[&str]) {
    let sandbox = sandbox();
    let start = ["unbundle", "site", "--lib-path", "store"];
    let text = sandbox.run(&[&start, args].concat());
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let gone: Vec<&str> = FILES
        .iter()
        .copied()
        .filter(|file| !sandbox.path("site").join(file).is_file())
        .collect();
    assert_eq!(gone, want, "{text}");
    let record = fs_err::read_to_string(sandbox.path("site/x-1.dist-info/RECORD")).unwrap();
    let listed: BTreeSet<&str> = record
        .lines()
        .map(|line| line.split(',').next().unwrap())
        .collect();
    for file in FILES {
        assert_eq!(
            listed.contains(file),
            !want.contains(file),
            "{file} in RECORD"
        );
    }
    assert!(
        text.contains(&format!("{} removed", want.len())) && text.contains(" saved"),
        "{text}"
    );
}

#[test]
fn without_a_wish_the_cuda_of_the_lib_path_decides() {
    check(&[], &["bitsandbytes/libbitsandbytes_cuda118.so"]);
}

#[test]
fn what_is_named_stays_and_the_others_of_its_group_go() {
    check(
        &["--backend", "cuda132", "--backend", "cpu"],
        &[
            "bitsandbytes/libbitsandbytes_cuda118.so",
            "bitsandbytes/libbitsandbytes_rocm72.so",
        ],
    );
    check(
        &[
            "--backend",
            "avx2",
            "--backend",
            "cuda13",
            "--backend",
            "tensorrt",
            "--backend",
            "vulkan",
        ],
        &[
            "bitsandbytes/libbitsandbytes_cuda118.so",
            "faiss/_swigfaiss_avx512.abi3.so",
            "jax_plugins/xla_cuda12/xla_cuda_plugin.so",
            "llama_cpp/lib/libggml-cuda.so",
            "onnxruntime/capi/libonnxruntime_providers_cuda.so",
        ],
    );
}

#[test]
fn an_accelerator_stands_for_all_its_backends() {
    check(
        &["--backend", "cuda"],
        &[
            "bitsandbytes/libbitsandbytes_cpu.so",
            "bitsandbytes/libbitsandbytes_rocm72.so",
            "llama_cpp/lib/libggml-vulkan.so",
            "onnxruntime/capi/libonnxruntime_providers_tensorrt.so",
        ],
    );
}

#[test]
fn a_backend_that_is_not_there_is_an_error() {
    let sandbox = sandbox();
    let text = sandbox.run(&[
        "unbundle",
        "site",
        "--lib-path",
        "store",
        "--backend",
        "cuda999",
    ]);
    assert!(
        text.starts_with("exit: 1\n") && text.contains("cuda132"),
        "{text}"
    );
}

#[test]
fn nothing_goes_where_record_cannot_be_updated() {
    let sandbox = sandbox();
    fs_err::write(sandbox.path("site/x-1.dist-info/RECORD"), "x\n").unwrap();
    for command in ["unbundle", "patch"] {
        let args = [
            command,
            "site",
            "--lib-path",
            "store",
            "--backend",
            "cuda132",
        ];
        let text = sandbox.run(&args);
        assert!(
            text.starts_with("exit: 1\n") && text.contains("invalid RECORD"),
            "{text}"
        );
        let site = sandbox.path("site");
        assert!(FILES.iter().all(|file| site.join(file).is_file()), "{text}");
    }
}
