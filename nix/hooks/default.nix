# Hooks that only call the program: no logic in shell.
{
  lib,
  makeSetupHook,
  stdenv,
  # those that are built for
  targetPackages,
  # for the build platform
  wheelfix,
}:
let
  wlib = import ../lib;
  # Hooks run on the build platform: they are of its packages, or of those that are built for.
  platform = targetPackages.stdenv.hostPlatform;
  isCross = wlib.isCross stdenv.buildPlatform platform;
  targetOf = python: lib.optionalString isCross "--target ${wlib.targetOfPython platform python}";
  program = "${wheelfix}/bin/wheelfix";
  # nixpkgs exchanges what its hooks are made of while it builds just that. Ours need none of it.
  overridable = hook: lib.makeOverridable ({ ... }: hook) { };
  install =
    {
      # makePythonHook in nixpkgs' Python sets, else makeSetupHook
      makeHook,
      python,
      name,
      hook,
    }:
    makeHook {
      inherit name;
      propagatedBuildInputs = [ patch ];
      substitutions = {
        inherit hook;
        wheelfix = program;
        pythonInterpreter = python.pythonOnBuildForHost.interpreter;
        target = targetOf python;
        pythonSitePackages = python.sitePackages;
      };
    } ./install-hook.sh;
  patch = makeSetupHook {
    name = "wheelfix-patch-hook";
    substitutions = {
      wheelfix = program;
      patchelf = "${wheelfix}/libexec/wheelfix";
      inherit (targetPackages.stdenv.cc.bintools) dynamicLinker;
    };
  } ./patch-hook.sh;
in
{
  inherit patch;
  # where there are no ELF files
  none = makeSetupHook { name = "wheelfix-no-hook"; } ./no-hook.sh;

  # for nixpkgs' Python sets
  python =
    { makePythonHook, python }:
    {
      wheelfixUnpackHook = makePythonHook { name = "wheelfix-unpack-hook"; } ./unpack-hook.sh;
      wheelfixInstallHook = overridable (install {
        inherit python;
        makeHook = makePythonHook;
        name = "wheelfix-install-hook";
        hook = "install";
      });
      # in the place of hooks whose part the install hook does
      wheelfixNoHook = overridable (makePythonHook { name = "wheelfix-no-hook"; } ./no-hook.sh);
      wheelfixConflictsHook = makePythonHook {
        name = "wheelfix-conflicts-hook";
        substitutions.wheelfix = program;
      } ./conflicts-hook.sh;
    };

  # for pyproject.nix and uv2nix
  pyproject =
    { python }:
    install {
      inherit python;
      makeHook = makeSetupHook;
      name = "wheelfix-pyproject-hook";
      hook = "pyproject";
    };
}
