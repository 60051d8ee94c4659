final: prev:
let
  # What runs in builds is of the platform that builds.
  program = final.pkgsBuildHost.wheelfix;
  hooks = final.callPackage ./hooks { wheelfix = program; };
  # There are ELF files on Linux alone: elsewhere everything is as nixpkgs has it.
  isForElf = final.stdenv.hostPlatform.isLinux;
  builders = python: if isForElf then buildersOnLinux python else plain python;
  plain = python: import ./plain.nix { inherit python; };
  buildersOnLinux =
    python:
    import ./build.nix {
      inherit (final) lib;
      inherit (final.stdenv) buildPlatform hostPlatform;
      wheelfix = program;
      inherit python defaultLibs packageLibs;
    };
  defaultLibs = (import ./lib).defaultLibs final;
  packageLibs = (import ./lib).packageLibs final;
  pyproject = settings: if isForElf then pyprojectOnLinux settings else _final: _prev: { };
  pyprojectOnLinux =
    settings:
    import ./pyproject.nix (
      {
        inherit (final) lib wheelfixPatchHook;
        inherit hooks packageLibs;
        mkWheelFor = python: (builders python).mkWheel;
        libs = defaultLibs;
      }
      // settings
    );
in
{
  wheelfix = final.callPackage ./package.nix { };

  # in place of autoPatchelfHook and autoAddDriverRunpath, for any package
  wheelfixPatchHook = if isForElf then hooks.patch else hooks.none;

  inherit (builders final.python3) mkWheel mkEnv mkTree;

  # The packages of a lock file, from what `wheelfix lock` says of it.
  #   fromLock { lock = ./wheelfix.lock.json; } -> { packages; env; files; }
  fromLock =
    args:
    import ./from-lock.nix {
      inherit (final) lib runCommand mkShell;
      inherit (final.stdenv) hostPlatform;
      fetchFile = final.fetchurl;
      inherit defaultLibs packageLibs;
      buildersFor = builders;
    } ({ python = final.python3; } // args);

  pythonPackagesExtensions = (prev.pythonPackagesExtensions or [ ]) ++ [
    (
      pyfinal: _pyprev:
      let
        slots = {
          wheelUnpackHook = pyfinal.wheelfixUnpackHook;
          pypaInstallHook = pyfinal.wheelfixInstallHook;
          pythonCatchConflictsHook = pyfinal.wheelfixConflictsHook;
          pythonRelaxDepsHook = pyfinal.wheelfixNoHook;
          pythonRuntimeDepsCheckHook = pyfinal.wheelfixNoHook;
          pythonNamespacesHook = pyfinal.wheelfixNoHook;
          pythonRemoveTestsDirHook = pyfinal.wheelfixNoHook;
          pythonRemoveBinBytecodeHook = pyfinal.wheelfixNoHook;
        };
      in
      hooks.python { inherit (pyfinal) makePythonHook python; }
      // {
        # nixpkgs' functions with the same interface; the whole set is not touched, or every package would
        # be built anew.
        buildWheelPackage =
          if isForElf then pyfinal.buildPythonPackage.override slots else pyfinal.buildPythonPackage;
        buildWheelApplication =
          if isForElf then pyfinal.buildPythonApplication.override slots else pyfinal.buildPythonApplication;
        inherit (builders pyfinal.python) mkWheel mkEnv;
      }
    )
  ];

  # wheelfixed python3 python3.pkgs.torch-bin: the recipe as it is, built by wheelfix
  wheelfixed =
    python: drv:
    if !isForElf then
      drv
    else
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
  #   wheelfixCuda { source = "nixpkgs"; cudaPackages = final.cudaPackages_13; }
  #   wheelfixCuda { source = "wheels"; wheels = { nvidia-cublas = fetchurl { ... }; }; }
  wheelfixCuda = import ./cuda.nix {
    inherit (final) lib mkWheel;
    inherit defaultLibs;
    defaultPackages = final.cudaPackages or { };
  };

  # CUDA_HOME for sdists that compile against CUDA: `nativeBuildInputs = [ (wheelfixCudaHome { }) ];`
  wheelfixCudaHome = import ./cuda-home.nix {
    inherit (final) lib symlinkJoin wheelfixCuda;
    defaultPackages = final.cudaPackages or { };
  };

  # An overlay for the sets of pyproject.nix and uv2nix: wheels made by the builder.
  wheelfixPyproject = pyproject { };
  # The same by stdenv, with our hooks in place of theirs.
  wheelfixPyprojectHooks = pyproject { builder = false; };
}
