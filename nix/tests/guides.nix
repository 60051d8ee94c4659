# The Nix expressions of the documentation, evaluated: each of its blocks becomes a derivation.
{ pkgs }:
let
  inherit (pkgs) lib;
  python = pkgs.python3;
  blocksOf =
    file:
    map (part: builtins.head (lib.splitString "\n```" part)) (
      builtins.tail (lib.splitString "\n```nix\n" (builtins.readFile file))
    );

  # What stands for uv2nix and pyproject.nix.
  set = {
    torch = pkgs.runCommand "torch" { passthru.dependencies = { }; } "echo >$out";
    numba = pkgs.stdenv.mkDerivation {
      name = "numba";
      buildInputs = [ ];
    };
    resolveVirtualEnv = _: [ ];
    inherit python;
    mkVirtualEnv = name: _: pkgs.runCommand name { } "echo ${scope.torch} >$out";
  };
  scope = set // {
    overrideScope =
      extension:
      let
        changed = set // extension (scope // changed) set;
      in
      changed // { mkVirtualEnv = name: _: pkgs.runCommand name { } "echo ${changed.torch} >$out"; };
  };
  # Its project is one that is installed.
  lockWithApp =
    let
      document = builtins.fromJSON (builtins.readFile ./lock/wheelfix.lock.json);
      change =
        name: entry:
        if name == "app" then
          removeAttrs entry [ "virtual" ]
          // {
            directory = {
              path = ".";
              editable = true;
            };
          }
        else
          entry;
      changed = selection: selection // { packages = builtins.mapAttrs change selection.packages; };
    in
    document
    // {
      targets = builtins.mapAttrs (
        _: target: target // { selections = builtins.mapAttrs (_: changed) target.selections; }
      ) document.targets;
    };
  # A lock of the tests in the place of the reader's, whose directory it is, too.
  fromLock =
    args:
    pkgs.fromLock (
      args
      // {
        lock = if args ? python then ./lock/pythons.lock.json else lockWithApp;
        libs = pkgs.runtimes;
      }
      // lib.optionalAttrs (args ? root) { root = ./lock/project; }
    );
  names = pkgs // {
    inherit pkgs fromLock;
    # what a guide leads away from
    mach-nix.mkPython = _: [ ];
    # the flake, and its package
    wheelfix = pkgs.wheelfix // {
      overlays.default = import ../overlay.nix;
      lib = import ../lib;
    };
    pyproject-nix.build.packages = _: scope;
    pyproject-build-systems.overlays.default = _final: _prev: { };
    uv2nix.lib.workspace.loadWorkspace = _: {
      mkPyprojectOverlay =
        _: _final: _prev:
        { };
      deps.default = { };
    };
  };

  evaluated =
    text:
    let
      value = import (builtins.toFile "block.nix" "names: with names; (\n${text}\n)") names;
      # an overlay of the set of uv2nix
      isOverlay = builtins.isFunction value && builtins.functionArgs value == { };
      ofPackages =
        overlays: (builtins.foldl' (set: overlay: set.extend overlay) pkgs overlays).python3.pkgs.torch;
    in
    if isOverlay then
      builtins.attrValues (value scope scope)
    else if builtins.isFunction value then
      [ (python.pkgs.callPackage value { }) ]
    else if builtins.isList value && builtins.any builtins.isFunction value then
      [ (ofPackages value) ]
    else if builtins.isList value then
      value
    # the name of a target
    else if builtins.isString value then
      assert lib.hasPrefix "x86_64-linux-cp" value;
      [ ]
    else
      [ value ];
  of = builtins.concatMap (file: builtins.concatMap evaluated (blocksOf file));
  all = of [
    ../../docs/nix-guides.md
    ../../docs/nix.md
  ];
  # Of a lock whose project is there for the evaluation alone.
  ofLocks = of [
    ../../docs/lock.md
    ../../docs/nix-migration.md
  ];
  # The flakes of texts: each is a set of outputs whose one derivation is there; its sources are not.
  flakes = builtins.concatMap blocksOf [
    ../../README.md
    ../../docs/virtual-environments.md
  ];
  outputOf =
    text:
    let
      flake = import (builtins.toFile "flake.nix" text);
      outputs = flake.outputs {
        nixpkgs.legacyPackages.x86_64-linux = pkgs;
        inherit (names) wheelfix;
      };
      kinds = builtins.attrValues outputs;
    in
    (builtins.head kinds).x86_64-linux.default;

  # Those whose sources are here, and that take a moment only.
  isBuilt =
    drv:
    builtins.elem drv.name [
      "environment"
      "numpy-2.4.6"
      "python-environment"
      "python3-scipy-1.17.1"
    ];
in
# The numbers see to it that no block is overlooked.
assert builtins.length (blocksOf ../../docs/nix-guides.md) == 9;
assert builtins.length (blocksOf ../../docs/nix.md) == 4;
assert builtins.length (blocksOf ../../docs/lock.md) == 2;
assert builtins.length (blocksOf ../../docs/nix-migration.md) == 4;
assert builtins.length flakes == 2;
assert builtins.all (text: outputOf text ? drvPath) flakes;
{
  # evaluated only: the paths of derivations
  documented = map (drv: "${drv.drvPath}") (all ++ ofLocks);
  documentedBuilt =
    assert builtins.length (lib.filter isBuilt all) == 5;
    lib.filter isBuilt all;
}
