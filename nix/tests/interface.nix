# What nix/ takes from nixpkgs: each attribute, argument and variable is read from the sources and looked
# for in a package set with the overlay. Gives those that are not there.
#
#   nix-instantiate --eval --strict --json nix/tests/interface.nix --arg pkgs '...' --arg root /nixpkgs
{
  pkgs,
  # the sources of nixpkgs; without them variables are not looked for
  root ? null,
  # the sources of pyproject.nix; without them variables of its hooks are not looked for
  pyproject ? null,
  # nixpkgs' lib with its modules; without it the module of devenv is not looked at
  modules ? null,
  # whether the set is all of nixpkgs: the shell of the repository takes what a part of it has not
  isWhole ? true,
  # a text that is read as if it were one more source of the overlay, and one of the hooks
  more ? "",
  moreHooks ? "",
  # further arguments that are given to makeSetupHook
  moreArguments ? [ ],
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
    prev = pkgs;
    hostPlatform = pkgs.stdenv.hostPlatform;
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
        ../editable.nix
        ../from-lock.nix
        ../hooks/default.nix
        ../lib/default.nix
        ../overlay.nix
        ../override.nix
        ../package.nix
        ../plain.nix
        ../template/bitsandbytes.nix
        ../template/flake.nix
        ../venv.nix
      ]
    ++ [
      {
        name = "shell.nix";
        text = if isWhole then readFile ../shell.nix else "";
        roots = nixpkgs;
      }
      {
        name = "devenv.nix";
        text = if modules == null then "" else readFile ../devenv.nix;
        roots.lib = modules;
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

  # Used only where it is there, or named in a message.
  asked = {
    "stdenv.cc.libc.static" = true;
  }
  // (if isWhole then { } else { "pkgs.cudaPackages_13" = true; });

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
        set: file:
        map (it: "${baseNameOf file}: argument ${it}") (
          filter (it: !(set ? ${it})) (wanted (builtins.functionArgs (import file)))
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
    concatMap (missing pkgs) [
      ../hooks
      ../package.nix
    ]
    ++ (if isWhole then missing (pkgs // pkgs.python3.pkgs) ../template/bitsandbytes.nix else [ ])
    ++ given "makeSetupHook" pkgs.makeSetupHook (
      [
        "name"
        "propagatedBuildInputs"
        "substitutions"
        "passthru"
      ]
      ++ moreArguments
    )
    ++ concatMap (function: given function pkgs.python3.pkgs.${function}.override slots) [
      "buildPythonPackage"
      "buildPythonApplication"
    ]
    ++ map (slot: "slot ${slot}") (filter (slot: !(pkgs.python3.pkgs ? ${slot})) slots);
  # The overlay's `xHook = pyfinal.wheelfix...`.
  slots = map (found: elemAt found 0) (
    matches "([A-Za-z]+Hook) = pyfinal\\.wheelfix" (readFile ../overlay.nix + more)
  );

  # Functions and variables of shell, and the files that know them: those that are named here, and those that our
  # hooks and the builder ask for.
  variables =
    let
      known =
        directory: files:
        concatStringsSep "\n" (
          map (file: readFile (directory + file)) (filter (file: pathExists (directory + file)) files)
        );
      lacking =
        label: text: names:
        map (it: "${label}: ${it}") (filter (it: !(hasInfix it text)) names);
      setup = known root [
        "/pkgs/stdenv/generic/setup.sh"
        "/stdenv/generic/setup.sh"
      ];
      autoPatchelf = known root [
        "/pkgs/by-name/au/autoPatchelfHook/auto-patchelf.sh"
        "/pkgs/build-support/setup-hooks/auto-patchelf.sh"
        "/build-support/setup-hooks/auto-patchelf.sh"
      ];
      strip = known root [
        "/pkgs/build-support/setup-hooks/strip.sh"
        "/build-support/setup-hooks/strip.sh"
      ];
      python = known root (
        concatMap
          (it: [
            "/pkgs/development/interpreters/python/hooks/${it}"
            "/python/hooks/${it}"
          ])
          [
            "pypa-install-hook.sh"
            "python-catch-conflicts-hook.sh"
            "python-namespaces-hook.sh"
            "python-relax-deps-hook.sh"
            "python-remove-tests-dir-hook.sh"
            "python-runtime-deps-check-hook.sh"
            "wheel-unpack-hook.sh"
          ]
      );
      peer = known pyproject [
        "/build/hooks/dist-hook/install-dist.py"
        "/build/hooks/pyproject-install-hook.sh"
        "/build/hooks/pyproject-output-setup-hook.sh"
        # its documentation
        "/build/hooks/default.nix"
        "/lib/renderers.nix"
      ];
      # `dontUseX` in our hooks, and the text in `attributes.flag("dontUseX")` of the builder.
      asked =
        map (found: elemAt found 0) (
          matches "(dont[A-Z][A-Za-z]+)" (
            concatStringsSep "\n" (
              map readFile [
                ../hooks/conflicts-hook.sh
                ../hooks/install-hook.sh
                ../hooks/patch-hook.sh
                ../hooks/unpack-hook.sh
              ]
              ++ [ moreHooks ]
            )
          )
        )
        ++ map (found: elemAt found 0) (
          matches "attributes\\.[a-z]+\\(\"([a-z]+[A-Z][A-Za-z]*)\"\\)" (
            readFile ../../crates/wheelfix/src/builder/hook.rs
          )
        );
      patchelf = known root [
        "/pkgs/by-name/pa/patchelf/setup-hook.sh"
        "/pkgs/development/tools/misc/patchelf/setup-hook.sh"
        "/pkgs/patchelf/setup-hook.sh"
      ];
      isOwn = name: builtins.match ".*[wW]heelfix.*" name != null;
      isOfPeer = name: hasInfix "Pyproject" name || hasInfix "uvPip" name;
      ofNixpkgs = filter (name: !isOwn name && !isOfPeer name) asked;
    in
    (
      if root == null then
        [ ]
      else
        lacking "setup.sh" setup [
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
        ++ lacking "auto-patchelf" autoPatchelf [
          "addAutoPatchelfSearchPath"
          "appendRunpaths"
          "autoPatchelfIgnoreMissingDeps"
          "autoPatchelfPostFixup"
          "no-recurse"
          "runtimeDependencies"
        ]
        ++ lacking "python hooks" python [
          "pythonRelaxDeps"
          "pythonRemoveDeps"
        ]
        ++ lacking "hooks" (setup + autoPatchelf + patchelf + strip + python) ofNixpkgs
    )
    ++ (if pyproject == null then [ ] else lacking "pyproject.nix" peer (filter isOfPeer asked));
in
unique (attributes ++ arguments ++ variables)
