# A Python set as nixpkgs has it: hooks, buildPythonPackage with its slots, and its checks.
{
  self,
  lib,
  hostPython,
  sitePackages,
  pythonVersion,
}:
let
  executable = "python${pythonVersion}";
  python =
    self.runCommand "python3-host" { } ''
      mkdir -p $out/bin
      ln -s ${hostPython} $out/bin/${executable}
      ln -s ${hostPython} $out/bin/python3
    ''
    // {
      interpreter = "${python}/bin/${executable}";
      inherit sitePackages pythonVersion;
      version = "${pythonVersion}.2";
      pythonOnBuildForHost = python;
      pkgs = set;
      # Names what is to be in it, and has nothing.
      withPackages = choose: self.runCommand "python3-env" { } "echo ${toString (choose set)} >$out";
    };

  # The hooks of `format = "wheel"`: a slot each.
  slots = {
    wheelUnpackHook = "wheel-unpack";
    pypaInstallHook = "pypa-install";
    pythonRelaxDepsHook = "python-relax-deps";
    pythonRuntimeDepsCheckHook = "python-runtime-deps-check";
    pythonNamespacesHook = "python-namespaces";
    pythonRemoveTestsDirHook = "python-remove-tests-dir";
    pythonCatchConflictsHook = "python-catch-conflicts";
    pythonRemoveBinBytecodeHook = "python-remove-bin-bytecode";
  };

  # What must not run in the tests: each announces itself and fails.
  forbidden =
    pyself: name:
    pyself.makePythonHook { name = "${name}-hook"; } (
      builtins.toFile "${name}-hook.sh" ''
        echo "stub: nixpkgs' own ${name} hook is in the build" >&2
        exit 1
      ''
    );

  distHook = builtins.toFile "python-output-dist-hook.sh" ''
    pythonOutputDistPhase() { mv dist "$dist"; }
    preFixupPhases="''${preFixupPhases-} pythonOutputDistPhase"
  '';
  importsHook =
    self.makeSetupHook
      {
        name = "python-imports-check-hook";
        substitutions = {
          inherit (python) interpreter;
        };
      }
      (
        builtins.toFile "python-imports-check-hook.sh" ''
          pythonImportsCheckPhase() {
              local -a modules=()
              concatTo modules pythonImportsCheck
              (cd "$out" && PYTHONPATH="$out/${sitePackages}:''${PYTHONPATH-}" @interpreter@ -c \
                  'import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]' "''${modules[@]}")
          }
          appendToVar preDistPhases pythonImportsCheckPhase
        ''
      );

  # nixpkgs' check of what is in a Python set.
  checked = lib.mapAttrs (
    name: value:
    if
      (value.type or null) == "derivation"
      && name != "python"
      && !(value ? pythonModule)
      && !(value.provides.setupHook or false)
    then
      throw "${name} should use `buildPythonPackage` or `toPythonModule` functions"
    else
      value
  );

  isBootstrap =
    pname:
    builtins.elem pname [
      "build"
      "flit-core"
      "installer"
      "packaging"
      "pyproject-hooks"
      "wheel"
    ];

  mkPython =
    hooks:
    {
      pname,
      version,
      format ? "pyproject",
      nativeBuildInputs ? [ ],
      propagatedBuildInputs ? [ ],
      dependencies ? [ ],
      disabled ? false,
      passthru ? { },
      ...
    }@args:
    if disabled then
      throw "${pname} not supported for interpreter ${executable}"
    else if args.pyproject or false then
      assert args.build-system != [ ] && builtins.all (tool: tool ? outPath) args.build-system;
      self.runCommand "python3-${pname}-${version}"
        {
          outputs = [
            "out"
            "dist"
          ];
          # Not used, but seen by those who compare derivations.
          tools = map (tool: tool.name) args.build-system;
        }
        ''
          mkdir $out $dist
          ${python.interpreter} ${./build_wheel.py} ${args.src} "${
            builtins.substring 13 (-1) (args.postUnpack or "")
          }" $dist
        ''
    else
      self.stdenv.mkDerivation (
        removeAttrs args [
          "disabled"
          "dependencies"
          "format"
        ]
        // {
          name = "python3-${pname}-${version}";
          strictDeps = true;
          outputs = (args.outputs or [ "out" ]) ++ [ "dist" ];
          nativeBuildInputs = [
            python
          ]
          ++ lib.optional (args ? pythonRelaxDeps || args ? pythonRemoveDeps) hooks.pythonRelaxDepsHook
          ++ lib.optional (format == "wheel") hooks.wheelUnpackHook
          ++ [
            hooks.pythonRemoveTestsDirHook
            hooks.pythonCatchConflictsHook
            hooks.pythonRemoveBinBytecodeHook
            # nixpkgs gives the hooks other tools while it builds the tools.
            (
              if isBootstrap pname then
                hooks.pythonRuntimeDepsCheckHook.override { packaging = null; }
              else
                hooks.pythonRuntimeDepsCheckHook
            )
            (
              if isBootstrap pname then
                hooks.pypaInstallHook.override { installer = null; }
              else
                hooks.pypaInstallHook
            )
            importsHook
            hooks.pythonNamespacesHook
            distHook
          ]
          ++ nativeBuildInputs;
          propagatedBuildInputs = propagatedBuildInputs ++ dependencies ++ [ python ];
          passthru = passthru // {
            pythonModule = python;
          };
        }
      );

  base =
    pyself:
    {
      inherit python;
      # In nixpkgs too it is makeSetupHook with the sign that the check looks for.
      makePythonHook =
        args:
        self.makeSetupHook (
          args
          // {
            passthru = (args.passthru or { }) // {
              provides.setupHook = true;
            };
          }
        );
      callPackage = lib.callPackageWith (self // pyself);
      buildPythonPackage = lib.makeOverridable mkPython (
        lib.genAttrs (builtins.attrNames slots) (name: pyself.${name})
      );
      buildPythonApplication = pyself.buildPythonPackage;
      requiredPythonModules = lib.unique;
    }
    // lib.mapAttrs (_: forbidden pyself) slots;

  set =
    let
      extended = builtins.foldl' (
        acc: extension: acc // extension set acc
      ) (base set) self.pythonPackagesExtensions;
    in
    checked extended;
in
python
