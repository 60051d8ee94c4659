# Recipes in the shape of nixpkgs' own.
{ pkgs }:
let
  inherit (pkgs) lib nvidia testWheels;
  python = pkgs.python3;
  py = python.pkgs;

  # A recipe as people write it for autoPatchelfHook; ours only by `buildWheelPackage` and the hook.
  simple =
    pname: extra:
    py.callPackage
      (
        {
          buildPythonPackage,
          autoPatchelfHook,
          stdenv,
          zlib,
        }:
        buildPythonPackage (
          {
            inherit pname;
            version = ((import ../lib).parseWheelName testWheels.${pname}.name).version;
            format = "wheel";
            src = testWheels.${pname};
            nativeBuildInputs = [ autoPatchelfHook ];
            buildInputs = [
              stdenv.cc.cc.lib
              zlib
              pkgs.gfortran-lib
            ];
          }
          // extra
        )
      )
      {
        buildPythonPackage = py.buildWheelPackage;
        autoPatchelfHook = pkgs.wheelfixPatchHook;
      };
in
rec {
  inherit simple;
  numpy = simple "numpy" { pythonImportsCheck = [ "numpy.linalg" ]; };
  scipy = simple "scipy" {
    dependencies = [ numpy ];
    pythonImportsCheck = [
      "scipy.linalg"
      "scipy.special"
    ];
  };
  pygments = simple "pygments" { pythonImportsCheck = [ "pygments" ]; };
  # nothing of NVIDIA's here: only the backend for the processor stays
  bitsandbytes = simple "bitsandbytes" {
    pythonRemoveDeps = [
      "torch"
      "numpy"
    ];
    dependencies = [ packaging ];
    dontUsePythonImportsCheck = true;
  };
  packaging = simple "packaging" { };
  deps =
    lib.genAttrs
      [
        "filelock"
        "fsspec"
        "jinja2"
        "mpmath"
        "networkx"
        "setuptools"
        "sympy"
        "typing_extensions"
        "markupsafe"
      ]
      (
        name:
        simple name (
          lib.optionalAttrs (name == "jinja2") { dependencies = [ deps.markupsafe ]; }
          // lib.optionalAttrs (name == "sympy") { dependencies = [ deps.mpmath ]; }
        )
      );

  # torch-bin of nixpkgs, mid-2026: every attribute and phase that it has.
  torch-bin = py.callPackage (
    {
      lib,
      stdenv,
      python,
      buildPythonPackage,
      autoAddDriverRunpath,
      autoPatchelfHook,
    }:
    buildPythonPackage {
      pname = "torch";
      version = "2.15.0";
      format = "wheel";
      __structuredAttrs = true;
      src = testWheels.torch;

      nativeBuildInputs = lib.optionals stdenv.hostPlatform.isLinux [
        autoAddDriverRunpath
        autoPatchelfHook
      ];
      buildInputs = [
        stdenv.cc.cc.lib
        pkgs.gfortran-lib
        pkgs.zlib
      ]
      ++ builtins.attrValues nvidia;
      autoPatchelfIgnoreMissingDeps = [ "libcuda.so.1" ];
      pythonRemoveDeps = [
        "cuda-toolkit"
        "cuda-bindings"
        "nvidia-cublas"
        "nvidia-cudnn-cu13"
        "nvidia-cusparselt-cu13"
        "nvidia-nccl-cu13"
        "nvidia-nvshmem-cu13"
        "triton"
      ];
      dependencies = [
        deps.filelock
        deps.fsspec
        deps.jinja2
        deps.networkx
        deps.setuptools
        deps.sympy
        deps.typing_extensions
      ];
      postInstall = ''
        rm -rf $out/bin
      '';
      postFixup = lib.optionalString stdenv.hostPlatform.isLinux ''
        addAutoPatchelfSearchPath "$out/${python.sitePackages}/torch/lib"
      '';
      extraRunpaths = [ "${stdenv.cc.cc.lib}/lib" ];
      postPhases = [ "postPatchelfPhase" ];
      postPatchelfPhase = ''
        while IFS= read -r -d $'\0' elf ; do
          for extra in $extraRunpaths ; do
            patchelf "$elf" --add-rpath "$extra"
          done
        done < <(
          find "''${!outputLib}" "$out" -type f -iname '*.so' -print0
        )
      '';
      dontStrip = true;
      pythonImportsCheck = [ "torch" ];
      meta.platforms = lib.platforms.linux;
    }
  ) { };
}
