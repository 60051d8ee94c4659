final: prev:
let
  hooks = final.callPackage ./hooks { };
  builders =
    python:
    import ./build.nix {
      inherit (final) lib wheelfix;
      inherit (final.stdenv.hostPlatform) system;
      inherit python;
    };
in
{
  wheelfix = final.callPackage ./package.nix { };

  # in place of autoPatchelfHook and autoAddDriverRunpath, for any package
  wheelfixPatchHook = hooks.patch;

  inherit (builders final.python3) mkWheel mkEnv mkTree;

  pythonPackagesExtensions = prev.pythonPackagesExtensions ++ [
    (
      pyfinal: _pyprev:
      hooks.python { inherit (pyfinal) makePythonHook python; }
      // {
        # `buildPythonPackage` with the same interface. Hooks whose part the install hook does are left
        # out; the whole set is not touched, or every package would be built anew.
        buildWheelPackage = pyfinal.buildPythonPackage.override {
          wheelUnpackHook = pyfinal.wheelfixUnpackHook;
          pypaInstallHook = pyfinal.wheelfixInstallHook;
          pythonCatchConflictsHook = pyfinal.wheelfixConflictsHook;
          pythonRelaxDepsHook = null;
          pythonRuntimeDepsCheckHook = null;
          pythonNamespacesHook = null;
          pythonRemoveTestsDirHook = null;
          pythonRemoveBinBytecodeHook = null;
        };
        inherit (builders pyfinal.python) mkWheel mkEnv;
      }
    )
  ];

  # wheelfixed python3 python3.pkgs.torch-bin: the recipe as it is, built by wheelfix
  wheelfixed =
    python: drv:
    drv.override (
      args:
      {
        buildPythonPackage = python.pkgs.buildWheelPackage;
      }
      // final.lib.optionalAttrs (args ? autoPatchelfHook) {
        autoPatchelfHook = final.wheelfixPatchHook;
      }
      // final.lib.optionalAttrs (args ? autoAddDriverRunpath) {
        autoAddDriverRunpath = null;
      }
    );

  # CUDA's libraries for `libs`: from nixpkgs' cudaPackages, or from the wheels that NVIDIA publishes.
  #   wheelfixCuda { source = "nixpkgs"; }
  #   wheelfixCuda { source = "wheels"; wheels = { nvidia-cublas = fetchurl { ... }; }; }
  wheelfixCuda = import ./cuda.nix {
    inherit (final) lib mkWheel;
    cudaPackages = final.cudaPackages or { };
  };

  # an overlay for the sets of pyproject.nix and uv2nix
  wheelfixPyproject = pyfinal: _pyprev: {
    pyprojectInstallHook = hooks.pyproject { inherit (pyfinal) python; };
    autoPatchelfHook = final.wheelfixPatchHook;
    # withDependencyLibs pyprev.torch: the package sees the libraries of the wheels that it requires
    withDependencyLibs =
      drv:
      drv.overrideAttrs (old: {
        buildInputs = (old.buildInputs or [ ]) ++ pyfinal.resolveVirtualEnv (drv.passthru.dependencies);
      });
  };
}
