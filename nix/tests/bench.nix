# Builds that `cargo xtask bench nix` measures. `salt` makes each run a new build.
{
  pkgs,
  runtimes,
  nvidia,
}:
{
  salt,
  # a directory with pypa/installer and the program patchelf, for the other side
  tools,
}:
let
  inherit (pkgs) testWheels;
  python = pkgs.python3;
  libs = runtimes ++ builtins.attrValues nvidia;
  torch =
    bytecode:
    pkgs.mkWheel {
      name = "torch-${salt}";
      src = testWheels.torch;
      inherit libs bytecode python;
    };
  toolsInStore = builtins.path {
    path = /. + tools;
    name = "tools";
  };

  # What nixpkgs' hooks run for a wheel of this kind, one after the other, and nothing of stdenv.
  hooks =
    bytecode:
    pkgs.runCommand "torch-hooks-${salt}" { } ''
      mkdir dist
      cp ${testWheels.torch} dist/${testWheels.torch.name}
      PYTHONPATH=${toolsInStore} ${python.interpreter} -m installer --prefix $out ${bytecode} dist/*.whl
      cp -r dist $TMPDIR/dist-output
      chmod -R u+w $out
      paths=${builtins.concatStringsSep ":" (map (it: "${it}/lib") runtimes)}
      for directory in ${
        builtins.concatStringsSep " " (
          map (it: "${it}/${python.sitePackages}/nvidia") (builtins.attrValues nvidia)
        )
      }; do
        for lib in $directory/*/lib; do paths=$paths:$lib; done
      done
      patchelf=${toolsInStore}/patchelf
      find $out -type f \( -name '*.so' -o -name '*.so.*' \) >elf
      # patchELF, auditTmpdir, autoAddDriverRunpath, autoPatchelfHook
      while read -r file; do $patchelf --shrink-rpath $file; done <elf
      while read -r file; do $patchelf --print-rpath $file >rpath; done <elf
      while read -r file; do
        $patchelf --print-rpath $file >rpath
        $patchelf --set-rpath /run/opengl-driver/lib:$(<rpath) $file
      done <elf
      while read -r file; do $patchelf --set-rpath $out/${python.sitePackages}/torch/lib:$paths $file; done <elf
    '';
  pure = builtins.filter (
    name:
    builtins.elem name [
      "docutils"
      "filelock"
      "fsspec"
      "jinja2"
      "mpmath"
      "networkx"
      "packaging"
      "pygments"
      "setuptools"
      "typing_extensions"
    ]
  ) pkgs.wheelOrder;
  fifty = f: map f (builtins.genList (number: number) 50);
in
{
  ours-bytecode = torch [
    0
    1
  ];
  hooks-bytecode = hooks "";
  ours-plain = torch false;
  hooks-plain = hooks "--no-compile-bytecode";
  pure-builder = fifty (
    number:
    pkgs.mkWheel {
      name = "pure-${toString number}-${salt}";
      src = testWheels.${builtins.elemAt pure (number - number / 10 * 10)};
      pythonVersion = python.pythonVersion;
    }
  );
  # What Nix itself and bash take to make a file.
  pure-bash = fifty (number: pkgs.runCommand "bash-${toString number}-${salt}" { } "echo >$out");
  inputs = libs ++ [
    python
    pkgs.wheelfix
  ];
}
