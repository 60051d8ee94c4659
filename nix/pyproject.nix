# An overlay for the sets of pyproject.nix and uv2nix, behind the overlay that has the packages.
{
  lib,
  hooks,
  # the Python -> mkWheel
  mkWheelFor,
  # libraries that every wheel may use
  libs,
  # those that a package may use besides, by its normalised name
  packageLibs,
  wheelfixPatchHook,
  # Whether wheels are made by the builder; if not, by stdenv with our hooks.
  builder ? true,
}:
pyfinal: pyprev:
let
  inherit (builtins)
    elem
    filter
    isAttrs
    match
    ;
  wlib = import ./lib;
  inherit (import ./override.nix { inherit lib; }) ofPhase;

  isWheel =
    drv: isAttrs drv && drv.type or "" == "derivation" && drv.passthru.format or "" == "wheel";
  # Only such a one has libraries.
  isForMachine =
    drv:
    isWheel drv && wlib.systemsOf (wlib.parseWheelName (wlib.nameOf (drv.src.name or drv.src))) != null;
  required = drv: pyfinal.resolveVirtualEnv drv.passthru.dependencies;

  # The wheels that a package requires, whose libraries it may use. Of two that require one another
  # neither can be built with the other.
  siblings =
    drv:
    let
      isOther = other: isForMachine other && !elem drv.pname (map (it: it.pname or "") (required other));
    in
    filter isOther (required drv);

  withLibs =
    drv:
    drv.overrideAttrs (old: {
      buildInputs = (old.buildInputs or [ ]) ++ libs ++ packageLibs drv.pname ++ siblings drv;
      wheelfixPackage = drv.pname;
    });

  # The words of uv for the ways in which bytecode is told to be stale.
  invalidations = {
    CHECKED_HASH = "checked-hash";
    TIMESTAMP = "timestamp";
    UNCHECKED_HASH = "unchecked-hash";
  };
  # wheelfixExclude -> exclude
  settingsOf =
    attrs:
    let
      settingOf =
        name:
        let
          parts = match "wheelfix([A-Z])(.*)" name;
        in
        if parts == null then
          [ ]
        else
          [
            {
              name = lib.toLower (builtins.elemAt parts 0) + builtins.elemAt parts 1;
              value = attrs.${name};
            }
          ];
    in
    builtins.listToAttrs (builtins.concatMap settingOf (builtins.attrNames attrs));

  # What an override may add that only stdenv does.
  needsStdenv =
    drv:
    let
      attrs = drv.drvAttrs;
      isSet =
        name:
        !elem (attrs.${name} or null) [
          null
          ""
          [ ]
        ];
      known = map toString [
        pyfinal.pyprojectWheelHook
        pyfinal.autoPatchelfHook
      ];
    in
    builtins.any (name: ofPhase name && isSet name) (builtins.attrNames attrs)
    || builtins.any (hook: !elem (toString hook) known) (drv.nativeBuildInputs or [ ])
    || isSet "dontAutoPatchelf"
    # It need not match anything there; the setting has to.
    || isSet "autoPatchelfIgnoreMissingDeps"
    || attrs.outputs or [ "out" ] != [ "out" ];

  byBuilder =
    drv:
    let
      attrs = drv.drvAttrs;
      ifSet =
        name: setting: lib.optionalAttrs (attrs ? ${name}) { ${setting} = lib.toList attrs.${name}; };
      made = mkWheelFor pyfinal.python (
        {
          inherit (drv) name src;
          libs = (drv.buildInputs or [ ]) ++ libs ++ packageLibs drv.pname ++ siblings drv;
          # Environments see to that.
          standalone = false;
          package = drv.pname;
          bytecode = if attrs.UV_COMPILE_BYTECODE or "" == "0" then false else [ 0 ];
          inherit (drv) passthru;
          meta = drv.meta or { };
        }
        // lib.optionalAttrs (attrs ? PYC_INVALIDATION_MODE) {
          invalidation = invalidations.${attrs.PYC_INVALIDATION_MODE};
        }
        // ifSet "appendRunpaths" "appendRunpaths"
        // ifSet "runtimeDependencies" "runtimeDependencies"
        // settingsOf attrs
      );
    in
    made
    // {
      inherit (drv)
        pname
        version
        src
        buildInputs
        nativeBuildInputs
        stdenv
        ;
    };

  # Each override is one of the package in the set of pyproject.nix; then it is made anew.
  convert =
    drv:
    (if builder && !needsStdenv drv then byBuilder drv else withLibs drv)
    // {
      override = change: convert (drv.override change);
      overrideAttrs = change: convert (drv.overrideAttrs change);
    };
in
{
  pyprojectInstallHook = hooks.pyproject { inherit (pyfinal) python; };
  autoPatchelfHook = wheelfixPatchHook;
}
// lib.mapAttrs (_: value: if isWheel value then convert value else value) (
  removeAttrs pyprev [
    "pyprojectInstallHook"
    "autoPatchelfHook"
  ]
)
