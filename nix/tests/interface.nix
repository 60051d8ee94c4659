# What nix/ takes from nixpkgs: each attribute, argument and variable is read from the sources and looked
# for in a package set with the overlay. Gives those that are not there.
#
#   nix-instantiate --eval --strict --json nix/tests/interface.nix --arg pkgs '...' --arg root /nixpkgs
{
  pkgs,
  # the sources of nixpkgs; without them variables are not looked for
  root ? null,
  # whether the shell of the repository is looked at
  shell ? true,
  # a text that is read as if it were one more source of the overlay
  more ? "",
}:
let
  inherit (builtins)
    concatMap
    concatStringsSep
    elemAt
    filter
    isAttrs
    isList
    isString
    pathExists
    readFile
    ;
  # lib of the set may be what is tested.
  inherit (import ./stub/lib.nix) hasInfix splitString unique;
  words = text: filter (word: isString word && word != "") (builtins.split "[[:space:]]+" text);
  matches = regex: text: filter isList (builtins.split regex text);

  # The sources, and what the names in them stand for.
  nixpkgs = {
    final = pkgs;
    pkgs = pkgs;
    lib = pkgs.lib;
    pyfinal = pkgs.python3.pkgs;
    python = pkgs.python3;
    stdenv = pkgs.stdenv;
  };
  sources =
    map
      (file: {
        name = baseNameOf file;
        text = readFile file;
        roots = nixpkgs;
      })
      [
        ../build.nix
        ../checks.nix
        ../cuda.nix
        ../cuda-home.nix
        ../hooks/default.nix
        ../lib/default.nix
        ../overlay.nix
        ../override.nix
        ../package.nix
        ../plain.nix
        ../venv.nix
      ]
    ++ [
      {
        name = "shell.nix";
        text = if shell then readFile ../shell.nix else "";
        roots = nixpkgs;
      }
      {
        name = "pyproject.nix";
        text = readFile ../pyproject.nix;
        # The rest is of pyproject.nix.
        roots = { inherit (pkgs) lib; };
      }
      {
        name = "more";
        text = more;
        roots = nixpkgs;
      }
    ];

  # `root.a.b` and `inherit (root.a) b c;`. What has an alternative, `root.a or b`, need not be there.
  name = "[A-Za-z_][A-Za-z0-9_'-]*";
  used =
    source:
    let
      text = concatStringsSep "\n" (
        filter (line: builtins.match "[[:space:]]*#.*" line == null) (splitString "\n" source.text)
      );
      direct =
        map
          (found: {
            root = elemAt found 1;
            path = elemAt found 2;
            isOptional = elemAt found 4 != null;
          })
          (
            matches "(^|[^A-Za-z0-9_.'$-])(${name})((\\.${name})+)([[:space:])]+or |[[:space:]]*[?]|[?])?" text
          );
      inherited = concatMap (
        found:
        let
          parts = splitString "." (elemAt found 0);
        in
        map (word: {
          root = builtins.head parts;
          path = concatStringsSep "" (map (part: ".${part}") (builtins.tail parts ++ [ word ]));
          isOptional = false;
        }) (words (elemAt found 1))
      ) (matches "inherit[[:space:]]+\\(([A-Za-z.]+)\\)([^;]*);" text);
    in
    filter (use: source.roots ? ${use.root} && !use.isOptional) (direct ++ inherited);

  # Used only where it is there.
  asked."stdenv.cc.libc.static" = true;

  has =
    value: path:
    path == [ ]
    ||
      isAttrs value
      && value ? ${builtins.head path}
      && has value.${builtins.head path} (builtins.tail path);
  attributes = concatMap (
    source:
    map (use: "${source.name}: ${use.root}${use.path}") (
      filter (
        use:
        !asked.${use.root + use.path} or false
        && !has source.roots.${use.root} (filter (part: part != "") (splitString "." use.path))
      ) (used source)
    )
  ) sources;

  # The arguments of functions that `callPackage` fills in, and those that we give.
  arguments =
    let
      wanted = functionArgs: filter (it: !functionArgs.${it}) (builtins.attrNames functionArgs);
      missing =
        file:
        map (it: "${baseNameOf file}: argument ${it}") (
          filter (it: !(pkgs ? ${it})) (wanted (builtins.functionArgs (import file)))
        );
      argsOf = function: function.__functionArgs or (builtins.functionArgs function);
      given =
        label: function: names:
        let
          known = argsOf function;
        in
        # Where a function says nothing of its arguments, nothing can be told.
        if known == { } then
          [ ]
        else
          map (it: "${label}: argument ${it}") (filter (it: !(known ? ${it})) names);
    in
    concatMap missing [
      ../hooks
      ../package.nix
    ]
    ++ given "makeSetupHook" pkgs.makeSetupHook [
      "name"
      "propagatedBuildInputs"
      "substitutions"
      "passthru"
    ]
    ++ concatMap (function: given function pkgs.python3.pkgs.${function}.override slots) [
      "buildPythonPackage"
      "buildPythonApplication"
    ]
    ++ map (slot: "slot ${slot}") (filter (slot: !(pkgs.python3.pkgs ? ${slot})) slots);
  # The overlay's `xHook = pyfinal.wheelfix...`.
  slots = map (found: elemAt found 0) (
    matches "([A-Za-z]+Hook) = pyfinal\\.wheelfix" (readFile ../overlay.nix + more)
  );

  # Functions and variables of shell that the hooks and recipes use, and the files that know them.
  variables =
    let
      textOf = file: readFile (root + file);
      first = files: filter (file: pathExists (root + file)) files;
      known = files: concatStringsSep "\n" (map textOf (first files));
      lacking =
        label: files: names:
        map (it: "${label}: ${it}") (filter (it: !(hasInfix it (known files))) names);
      python = it: [
        "/pkgs/development/interpreters/python/hooks/${it}"
        "/python/hooks/${it}"
      ];
    in
    if root == null then
      [ ]
    else
      lacking "setup.sh"
        [
          "/pkgs/stdenv/generic/setup.sh"
          "/stdenv/generic/setup.sh"
        ]
        [
          "addEnvHooks"
          "addToSearchPath"
          "appendToVar"
          "concatTo"
          "getAllOutputNames"
          "postFixupHooks"
          "preDistPhases"
          "preFixupHooks"
          "runHook"
          "stripHash"
        ]
      ++
        lacking "auto-patchelf"
          [
            "/pkgs/by-name/au/autoPatchelfHook/auto-patchelf.sh"
            "/pkgs/build-support/setup-hooks/auto-patchelf.sh"
            "/build-support/setup-hooks/auto-patchelf.sh"
          ]
          [
            "addAutoPatchelfSearchPath"
            "appendRunpaths"
            "autoPatchelfFlags"
            "autoPatchelfIgnoreMissingDeps"
            "autoPatchelfPostFixup"
            "dontAutoPatchelf"
            "no-recurse"
            "patchelfFlags"
            "runtimeDependencies"
          ]
      ++
        lacking "strip"
          [
            "/pkgs/build-support/setup-hooks/strip.sh"
            "/build-support/setup-hooks/strip.sh"
          ]
          [ "dontStrip" ]
      ++
        lacking "python hooks"
          (concatMap python [
            "pypa-install-hook.sh"
            "python-catch-conflicts-hook.sh"
            "python-namespaces-hook.sh"
            "python-relax-deps-hook.sh"
            "python-remove-tests-dir-hook.sh"
            "python-runtime-deps-check-hook.sh"
            "wheel-unpack-hook.sh"
          ])
          [
            "dontCheckRuntimeDeps"
            "dontRemovePth"
            "dontUsePypaInstall"
            "dontUsePythonCatchConflicts"
            "dontUsePythonNamespacesHook"
            "dontUsePythonRemoveTestsDir"
            "dontUseWheelUnpack"
            "pythonNamespaces"
            "pythonRelaxDeps"
            "pythonRemoveDeps"
          ];
in
unique (attributes ++ arguments ++ variables)
