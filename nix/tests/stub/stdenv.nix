# stdenv.mkDerivation in its two modes, with the host's programs.
{
  lib,
  system,
  hostPath,
  sitePackages,
}:
let
  setup = builtins.toFile "setup.sh" (
    builtins.replaceStrings [ "@sitePackages@" ] [ sitePackages ] (builtins.readFile ./setup.sh)
  );
  words =
    value:
    if builtins.isList value then
      toString (builtins.filter (x: x != null) value)
    else if builtins.isBool value then
      (if value then "1" else "")
    else
      value;
  mkDerivation =
    args:
    let
      structured = args.__structuredAttrs or false;
      own = removeAttrs args [
        "meta"
        "passthru"
        "name"
      ];
      attributes =
        if structured then lib.filterAttrs (_: v: v != null) own else builtins.mapAttrs (_: words) own;
      clean = builtins.mapAttrs (_: v: if builtins.isList v then builtins.filter (x: x != null) v else v);
      drv = derivation (
        {
          name = args.name or "${args.pname}-${args.version}";
          inherit system;
          builder = "/bin/bash";
          args = [ setup ];
          stubPath = hostPath;
        }
        // (if args ? src && args.src ? name then { } else { })
        // clean attributes
        // (if args ? outputs then { inherit (args) outputs; } else { })
      );
    in
    drv
    // {
      meta = args.meta or { };
      passthru = args.passthru or { };
      overrideAttrs = f: mkDerivation (args // f args);
      propagatedBuildInputs = args.propagatedBuildInputs or [ ];
      drvAttrs = drv.drvAttrs // own;
      buildInputs = args.buildInputs or [ ];
      nativeBuildInputs = args.nativeBuildInputs or [ ];
    }
    // (args.passthru or { });
in
mkDerivation
