//! Files that are looked for where those of another distribution are.

use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A wheel with a plugin as JAX has it, and one with ptxas; both from the directory of the sandbox.
fn wheels(sandbox: &Sandbox) -> [String; 2] {
    sandbox.library("int plugin(void) { return 1; }", &["-o", "plugin.so"]);
    let plugin = fs_err::read(sandbox.path("plugin.so")).unwrap();
    let plugin = WheelBuilder::new("jax_cuda13_pjrt", "1.0")
        .platlib()
        .tags("cp311-cp311-linux_x86_64")
        .file("jax_plugins/xla_cuda13/xla_cuda_plugin.so", plugin);
    let compiler =
        WheelBuilder::new("nvidia_cuda_nvcc", "13.0").file("nvidia/cu13/bin/ptxas", "#!/bin/sh\n");
    [sandbox.wheel(&plugin), sandbox.wheel(&compiler)]
}

#[test]
fn what_a_sibling_lacks_is_told_with_the_wheel_that_has_it() {
    let sandbox = Sandbox::new();
    let [plugin, compiler] = wheels(&sandbox);
    let python = ["--python", "python3"];
    let run = |args: &[&str]| sandbox.run(&[args, &python].concat());
    let text = run(&["install", &plugin, "--prefix", "p"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let want = "nvidia/cu13/bin/ptxas` is not there (rule `jax-cuda13-ptxas`)\n  looked for by: ";
    assert!(text.contains(want), "{text}");
    assert!(text.contains("in the wheel `nvidia-cuda-nvcc`"), "{text}");
    assert!(text.contains("in the wheel `nvidia-nvvm`"), "{text}");
    let text = run(&["install", &compiler, "--prefix", "c"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    for inputs in [[plugin.as_str(), &compiler], ["p", "c"]] {
        let out = if inputs == ["p", "c"] {
            "of-prefixes"
        } else {
            "of-wheels"
        };
        let text = run(&["env", inputs[0], inputs[1], "--prefix", out]);
        assert!(text.starts_with("exit: 0\n"), "{text}");
        assert!(!text.contains("ptxas` is not there"), "{text}");
        assert!(text.contains("libdevice.10.bc` is not there"), "{text}");
    }
    let rule = "[[sought]]\nname='r'\nreason='a'\nsource='b'\nfrom=['none.so']\nfiles=['x']\ndistribution='d'\n";
    fs_err::write(sandbox.path("r.toml"), rule).unwrap();
    let text = run(&["install", &plugin, "--prefix", "q", "--rules", "r.toml"]);
    assert!(
        text.contains("rule `r` of `r.toml` applies to nothing"),
        "{text}"
    );
}
