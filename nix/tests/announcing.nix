# Derivations that are built, and what their logs must say.
{ pkgs, recipes }:
let
  greenlet = extra: recipes.simple "greenlet" ({ wheelfix = ''{"bytecode": false}''; } // extra);
in
{
  autopatchelf-too = {
    drv = greenlet {
      nativeBuildInputs = [
        pkgs.autoPatchelfHook
        pkgs.wheelfixPatchHook
      ];
    };
    says = [ "warning: autoPatchelfHook is in the build beside wheelfixPatchHook: it is left out" ];
  };
  ignored-for-nothing = {
    drv = greenlet { autoPatchelfIgnoreMissingDeps = [ "libcuda.so.1" ]; };
    says = [ "warning: nothing that `autoPatchelfIgnoreMissingDeps` calls `libcuda.so.1` is missing" ];
  };
  ignored-all = {
    drv = greenlet { autoPatchelfIgnoreMissingDeps = true; };
    says = [
      "`true` in `autoPatchelfIgnoreMissingDeps` would excuse everything, and excuses nothing here"
    ];
  };
}
