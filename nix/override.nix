# `override`, `overridePythonAttrs` and `overrideAttrs` of what the builder makes, as recipes of nixpkgs
# have them.
{ lib }:
let
  inherit (builtins) isFunction match;

  # the settings, by the names that recipes have for them
  settings = {
    autoPatchelfIgnoreMissingDeps = "ignoreMissing";
    buildInputs = "libs";
    propagatedBuildInputs = "dependencies";
    pythonRelaxDeps = "relax";
    pythonRemoveDeps = "removeDeps";
  };
  # of stdenv, and nothing that a wheel would need
  idle = [
    "doCheck"
    "doInstallCheck"
    "dontStrip"
    "nativeBuildInputs"
    "strictDeps"
  ];
  ofPhase = name: match "(pre|post)[A-Z].*|.*Phase|patches|pythonImportsCheck" name != null;

  toAttrs =
    args:
    {
      nativeBuildInputs = [ ];
      passthru = { };
    }
    // lib.mapAttrs (_: setting: args.${setting} or [ ]) settings
    // args;
  toArgs =
    name: attrs:
    builtins.listToAttrs (
      map (attribute: {
        name = settings.${attribute} or attribute;
        value =
          if ofPhase attribute then
            throw "${name}: the builder runs no phases, so that `${attribute}` has no effect: make it with `buildWheelPackage`, or see the settings in docs/nix.md"
          else
            attrs.${attribute};
      }) (builtins.attrNames (removeAttrs attrs idle))
    );

  overridable =
    make: args:
    let
      drv = make args;
      override = change: overridable make (args // (if isFunction change then change args else change));
    in
    drv
    // {
      inherit override;
      overridePythonAttrs = override;
      # old: { ... }, final: old: { ... }, or the attributes
      overrideAttrs =
        change:
        let
          old = toAttrs args;
          first = if isFunction change then change old else change;
          new = if isFunction first then change (old // new) old else first;
        in
        override (toArgs drv.name new);
    };
in
{
  inherit ofPhase overridable;
}
