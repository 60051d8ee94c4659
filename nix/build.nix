# Derivations whose builder is the program itself: no stdenv, no shell, no Python unless bytecode is
# wanted.
{
  lib,
  # where the builder runs, and what it builds for
  buildPlatform,
  hostPlatform,
  # for the former
  wheelfix,
  # of bytecode, of the proof, and of the prefix: a package of nixpkgs
  python ? null,
  # what a wheel or a tree may use where nothing is said
  defaultLibs ? [ ],
  # what the wheels of a package may use besides, by its normalised name
  packageLibs ? _name: [ ],
}:
let
  wlib = import ./lib;
  inherit (import ./override.nix { inherit lib; }) overridable;
  paths = drvs: lib.unique (map (drv: "${lib.getLib drv}") drvs);
  isCross = wlib.isCross buildPlatform hostPlatform;
  # The settings for a Python of the host platform, which in a cross build cannot be run.
  settingsOf =
    python: pythonVersion:
    if !isCross then
      {
        inherit pythonVersion;
        python = if python == null then null else "${python}";
      }
    else if python == null then
      if pythonVersion == null then
        { }
      else
        { target = wlib.targetOf { inherit hostPlatform pythonVersion; }; }
    else
      {
        target = wlib.targetOfPython hostPlatform python;
        targetPython = "${python}";
        # compiles
        python = "${python.pythonOnBuildForHost}";
      };
  dropNull = lib.filterAttrs (_: value: value != null);

  # the arguments that are no settings
  own = [
    "name"
    "pname"
    "version"
    "src"
    "srcs"
    "outputs"
    "libs"
    "dependencies"
    "python"
    "pythonVersion"
    "meta"
    "passthru"
    "extraAttrs"
    "isBuilt"
    "systems"
  ];

  build =
    {
      action,
      name,
      python ? null,
      pythonVersion ? null,
      libs ? [ ],
      dependencies ? [ ],
      outputs ? [ "out" ],
      # the systems that it can be built for, `null` for all
      systems ? null,
      meta ? { },
      passthru ? { },
      extraAttrs ? { },
      ...
    }@args:
    let
      isForSystem = systems == null || builtins.elem hostPlatform.system systems;
      drv = derivation (
        {
          inherit name outputs;
          # Asked for when it is built, not when it is only listed.
          system =
            if isForSystem then
              buildPlatform.system
            else
              throw "${name}: `src` is for ${
                if systems == [ ] then "no system of Nix" else builtins.concatStringsSep ", " systems
              }, this is ${hostPlatform.system}: fetch another wheel, or leave the package out with `lib.optionals stdenv.hostPlatform...`";
          builder = "${wheelfix}/bin/wheelfix";
          args = [ "builder" ];
          __structuredAttrs = true;
          wheelfix =
            dropNull ({ inherit action; } // settingsOf python pythonVersion)
            // {
              libs = paths libs;
              propagate = map (drv: "${drv}") dependencies;
            }
            // removeAttrs args (own ++ [ "action" ]);
        }
        // (if args ? src then { inherit (args) src; } else { })
        // (if args ? srcs then { inherit (args) srcs; } else { })
        // extraAttrs
      );
    in
    # Each output has these, too: what a recipe of nixpkgs depends on is an output.
    lib.extendDerivation true (
      {
        inherit meta passthru;
        propagatedBuildInputs = dependencies;
      }
      // passthru
    ) drv;

  srcsOf = args: args.srcs or [ args.src ];
  # Those of the wheels that are for a machine; `null` if none is.
  systemsOfAll =
    args:
    let
      systems = map (src: wlib.systemsOf (parsedOf src)) (srcsOf args);
      known = builtins.filter (systems: systems != null) systems;
    in
    if known == [ ] then null else lib.unique (builtins.concatLists known);
  parsedOf = src: wlib.parseWheelName (wlib.nameOf (src.name or src));

  # The function with the default of `libs`.
  withLibs =
    libsOf: make: args:
    overridable make ({ libs = libsOf args; } // args);

  # What has no libraries of its own needs none, unless its code opens some.
  libsOfWheels =
    args:
    let
      isBuilt = args.isBuilt or false;
      names =
        if isBuilt then
          lib.optional (args ? pname) (wlib.normalizeName args.pname)
        else
          map (src: wlib.normalizeName (parsedOf src).distribution) (srcsOf args);
    in
    lib.optionals (isBuilt || systemsOfAll args != null) defaultLibs
    ++ builtins.concatMap packageLibs names;

  # what nixpkgs looks for in a package of a Python set
  module =
    python: dependencies:
    if python == null then
      { }
    else
      {
        pythonModule = python;
        requiredPythonModules = (python.pkgs.requiredPythonModules or lib.unique) dependencies;
      };
in
{
  # mkWheel { src; libs ? defaultLibs ++ packageLibs; dependencies ? [ ]; ... }: a wheel, installed. Further arguments
  # are settings of the builder. `srcs` in place of `src`: wheels that require each other, named for the first one.
  mkWheel = withLibs libsOfWheels (
    {
      name ? null,
      ...
    }@args:
    let
      # What is built from sources is named by its recipe, and is for the system that it was built on.
      isNamed = args.isBuilt or false;
      parsed =
        if isNamed then
          {
            distribution = args.pname;
            inherit (args) version;
          }
        else
          parsedOf (builtins.head (srcsOf args));
      systems = if isNamed then null else systemsOfAll args;
      chosen = args.python or (if args ? pythonVersion then null else python);
    in
    build (
      args
      // {
        action = "install";
        name = if name == null then "${parsed.distribution}-${parsed.version}" else name;
        python = chosen;
        inherit systems;
        meta = lib.optionalAttrs (systems != null) { platforms = systems; } // args.meta or { };
        passthru = {
          pname = wlib.normalizeName parsed.distribution;
          inherit (parsed) version;
        }
        // module chosen (args.dependencies or [ ])
        // args.passthru or { };
      }
    )
  );

  # mkEnv { packages; python ? ...; ... }: one site-packages, with what the packages propagate.
  mkEnv = overridable (
    {
      packages,
      name ? "python-environment",
      ...
    }@args:
    build (
      removeAttrs args [ "packages" ]
      // {
        inherit name;
        action = "env";
        inputs = map (drv: "${drv}") packages;
        python = args.python or (if args ? pythonVersion then null else python);
      }
    )
  );

  # mkTree { name; src; libs ? defaultLibs; ... }: a tree of programs and libraries, relocated.
  mkTree = withLibs (_: defaultLibs) (args: build (args // { action = "patch"; }));
}
