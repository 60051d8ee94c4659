# Derivations that must fail, and what their logs must say.
{
  pkgs,
  plain,
  recipes,
}:
let
  inherit (pkgs) testWheels;
  wheel = extra: plain ({ src = testWheels.scipy; } // extra);
  twice = recipes.simple "pygments" {
    pname = "pygments-again";
    version = "2";
  };
in
{
  missing-library = {
    drv = wheel { libs = [ ]; };
    says = [
      "`libstdc++.so.6` is missing"
      "fix: wheelfix.libs = [ (lib.getLib pkgs.stdenv.cc.cc.lib) ];"
    ];
  };
  missing-library-by-hook = {
    drv = recipes.simple "scipy" {
      buildInputs = [ ];
      dontCheckRuntimeDeps = true;
    };
    says = [
      "`libstdc++.so.6` is missing"
      "fix: buildInputs = [ (lib.getLib pkgs.stdenv.cc.cc.lib) ];"
    ];
  };
  missing-dependency = {
    drv = recipes.simple "scipy" { };
    says = [ "numpy not installed" ];
  };
  unknown-setting = {
    drv = wheel { ignoreMising = [ ]; };
    says = [ "unknown setting `ignoreMising`, did you mean `ignoreMissing`?" ];
  };
  wrong-type = {
    drv = wheel { exclude = "tests/**"; };
    says = [ "`exclude` has to be a list of strings: [ \"...\" ], got a string" ];
  };
  other-platform = {
    drv = wheel { pythonVersion = "3.13"; };
    says = [
      "the wheel is for cp311, the target is cp313"
      "in the .nix file fetch another wheel than `scipy-"
    ];
  };
  setting-of-something-else = {
    drv = wheel { onCollision = [ "*=first" ]; };
    says = [ "`onCollision` has no effect here: it is for environments" ];
  };
  # Already when it is evaluated.
  other-machine = {
    drv = plain {
      name = "foreign";
      src = pkgs.runCommand "a-1-cp311-cp311-manylinux_2_17_aarch64.whl" { } ''
        cp ${testWheels.packaging} $out
      '';
    };
    says = [ "`src` is for aarch64-linux, this is x86_64-linux: fetch another wheel" ];
  };
  source-is-a-directory = {
    drv = plain {
      name = "tree";
      src = builtins.path {
        path = ./stub;
        name = "scipy-1.17.1-cp311-cp311-manylinux_2_27_x86_64.whl";
      };
    };
    says = [
      "`src` is a directory"
      "with `fetchurl`"
    ];
  };
  source-is-a-tarball = {
    drv = plain {
      src = pkgs.runCommand "scipy-1.17.1-cp311-cp311-linux_x86_64.whl" { } "echo x | gzip >$out";
    };
    says = [
      "`src` is a gzip archive"
      "`pyproject = true`"
    ];
  };
  leaked-wheel = {
    drv = wheel {
      libs = [
        pkgs.stdenv.cc.cc.lib
        pkgs.gfortran-lib
        pkgs.zlib
      ];
      propagate = [ "${testWheels.scipy}" ];
      extraAttrs.outputChecks.out.disallowedReferences = [ testWheels.scipy ];
    };
    says = [ "is not allowed to refer to the following paths" ];
  };
  conflict = {
    drv = recipes.simple "packaging" {
      dependencies = [
        recipes.pygments
        twice
      ];
    };
    says = [ "Found duplicated packages in closure for dependency 'pygments'" ];
  };
}
