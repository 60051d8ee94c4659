# The functions of build.nix where there are no ELF files: what nixpkgs makes of the same arguments.
{ python }:
let
  wlib = import ./lib;
  # the settings that recipes have too
  known = {
    dependencies = "dependencies";
    meta = "meta";
    passthru = "passthru";
    relax = "pythonRelaxDeps";
    removeDeps = "pythonRemoveDeps";
  };
  recipe = args: builtins.intersectAttrs known args;
  renamed =
    args:
    builtins.listToAttrs (
      map (name: {
        name = known.${name};
        value = args.${name};
      }) (builtins.attrNames (recipe args))
    );
in
{
  mkWheel =
    { src, ... }@args:
    let
      parsed = wlib.parseWheelName (wlib.nameOf (src.name or src));
      chosen = args.python or python;
    in
    chosen.pkgs.buildPythonPackage (
      {
        pname = wlib.normalizeName parsed.distribution;
        inherit (parsed) version;
        inherit src;
        format = "wheel";
      }
      // renamed args
    );

  mkEnv = { packages, ... }@args: (args.python or python).withPackages (_: packages);

  mkTree = args: throw "mkTree: ${args.name or "the tree"} is relocated on Linux alone";
}
