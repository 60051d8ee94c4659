# Builds that `cargo xtask bench nix` measures. `salt` makes each run a new build.
{ pkgs }:
{
  salt,
  # a directory with pypa/installer and the program patchelf, for the other side
  tools,
}:
let
  inherit (pkgs) nvidia runtimes testWheels;
  python = pkgs.python3;
  libs = runtimes ++ builtins.attrValues nvidia;
  # the requirements that torch-bin removes
  removed = [
    "cuda-bindings"
    "cuda-toolkit"
    "nvidia-cudnn-cu13"
    "nvidia-cusparselt-cu13"
    "nvidia-nccl-cu13"
    "nvidia-nvshmem-cu13"
    "triton"
  ];
  torch =
    {
      bytecode,
      removeDeps ? [ ],
    }:
    pkgs.mkWheel {
      name = "torch-${salt}";
      src = testWheels.torch;
      inherit
        libs
        bytecode
        python
        removeDeps
        ;
    };
  toolsInStore = builtins.path {
    path = /. + tools;
    name = "tools";
  };

  # What nixpkgs' hooks run for torch-bin, one after the other, and nothing of stdenv: not the shell's
  # own work, not the search of autoPatchelfHook, no check of conflicts and of imports.
  hooks =
    {
      bytecode,
      # whether requirements are removed
      relax ? false,
    }:
    pkgs.runCommand "torch-hooks-${salt}"
      {
        outputs = [
          "out"
          "dist"
        ];
      }
      ''
        export PYTHONPATH=${toolsInStore}
        python=${python.interpreter}
        patchelf=${toolsInStore}/patchelf
        # wheelUnpackHook
        mkdir dist
        cp ${testWheels.torch} dist/${testWheels.torch.name}
        # pythonRelaxDepsHook
        ${
          if relax then
            ''
              $python -m wheel unpack --dest unpacked dist/*.whl
              rm dist/*.whl
              ${builtins.concatStringsSep "\n" (
                map (name: "sed -i '/Requires-Dist: ${name}/d' unpacked/*/*.dist-info/METADATA") removed
              )}
              $python -m wheel pack --dest-dir dist unpacked/*
              rm -rf unpacked
            ''
          else
            ""
        }
        # pypaInstallHook, pythonOutputDistHook
        $python -m installer --prefix $out ${if bytecode then "" else "--no-compile-bytecode"} dist/*.whl
        mv dist $dist
        chmod -R u+w $out
        find $out -type f \( -name '*.so' -o -name '*.so.*' \) >elf
        # patchELF, auditTmpdir
        while read -r file; do $patchelf --shrink-rpath $file; done <elf
        while read -r file; do $patchelf --print-rpath $file >rpath; done <elf
        # autoAddDriverRunpath
        while read -r file; do
          $patchelf --print-rpath $file >rpath
          $patchelf --print-rpath $file >rpath
          $patchelf --set-rpath /run/opengl-driver/lib:$(<rpath) $file
        done <elf
        # autoPatchelfHook
        paths=${builtins.concatStringsSep ":" (map (it: "${it}/lib") runtimes)}
        for directory in ${
          builtins.concatStringsSep " " (
            map (it: "${it}/${python.sitePackages}/nvidia") (builtins.attrValues nvidia)
          )
        }; do
          for lib in $directory/*/lib; do paths=$paths:$lib; done
        done
        while read -r file; do
          $patchelf --set-rpath $out/${python.sitePackages}/torch/lib:$paths $file
        done <elf
        # postPatchelfPhase
        find $out $out -type f -name '*.so' | while read -r file; do
          $patchelf --add-rpath ${pkgs.zlib}/lib $file
        done
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
  ours-plain = torch { bytecode = false; };
  hooks-plain = hooks { bytecode = false; };
  ours-relaxed = torch {
    bytecode = false;
    removeDeps = removed;
  };
  hooks-relaxed = hooks {
    bytecode = false;
    relax = true;
  };
  ours-bytecode = torch {
    bytecode = [
      0
      1
    ];
    removeDeps = removed;
  };
  hooks-bytecode = hooks {
    bytecode = true;
    relax = true;
  };
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
  # what all of them need, wheels included
  inputs =
    libs
    ++ [
      python
      pkgs.wheelfix
      testWheels.torch
    ]
    ++ map (name: testWheels.${name}) pure;
}
