# The tests against real code: a set made by nixpkgs' own functions, pyproject.nix and uv2nix.
{
  # a directory with checkouts of nixpkgs or corepkgs, pyproject.nix, uv2nix and nixpkgs.lib
  checkouts,
  # a JSON document: program, hostPython, hostPath, hostLibraries
  host,
  # the program uv
  uv,
  # a directory with the program patchelf and the Python package elftools, of which corepkgs has no sources
  tools,
  # the store of the bed, whose packages stand for those of a desktop that corepkgs has not
  bed ? null,
  # what `wheelfix lock` makes of the large lock, for `evaluated`
  document ? null,
  # a word that makes what is measured a new build
  salt ? "",
}:
let
  described = builtins.fromJSON (builtins.readFile host) // {
    inherit uv;
  };
  root = /. + checkouts;
  isNixpkgs = builtins.pathExists (root + "/nixpkgs");
  nixpkgs = root + (if isNixpkgs then "/nixpkgs" else "/corepkgs");
  attributes = builtins.concatLists (
    builtins.attrValues (builtins.fromJSON (builtins.readFile ../lib/package-libs.json))
  );
  # One package for all of them.
  desktop =
    final: libs:
    let
      files = final.runCommand "desktop-files" { } ''
        mkdir -p $out/lib
        for package in ${
          builtins.path {
            path = /. + bed;
            name = "bed";
          }
        }/*/; do
          # The host's own are in other packages.
          case $(basename $package) in
          libc6 | libgcc-s1 | libstdc++6 | libgfortran5 | libgomp1 | libquadmath0 | zlib1g | python*) ;;
          *)
            for file in $package/lib/*.so* $package/lib/pulseaudio/*.so*; do
              [[ ! -f $file ]] || cp $file $out/lib
            done
            ;;
          esac
        done
      '';
      tree = final.mkTree {
        name = "desktop";
        src = files;
        inherit libs;
      };
      # What corepkgs has of them needs what it has not.
      isPlain = name: name != "zlib" && builtins.match ".*\\..*" name == null;
    in
    lib.genAttrs (lib.unique (lib.filter isPlain attributes)) (_: tree)
    // {
      pythonManylinuxPackages = lib.genAttrs [ "manylinux1" "manylinux2010" "manylinux2014" ] (
        _: libs ++ [ tree ]
      );
    };
  overlays = [
    (import ../overlay.nix)
    (final: _prev: {
      # the program under test
      wheelfix = final.runCommand "wheelfix" { meta.mainProgram = "wheelfix"; } ''
        mkdir -p $out/bin $out/libexec/wheelfix
        install -m755 ${
          builtins.path {
            path = /. + described.program;
            name = "wheelfix";
          }
        } $out/bin/wheelfix
        ln -s $out/bin/wheelfix $out/libexec/wheelfix/patchelf
      '';
    })
  ];
  # NVIDIA's and PyTorch's licenses are such.
  config.allowUnfree = true;
  pkgs =
    if isNixpkgs then
      import nixpkgs { inherit overlays config; }
    else
      import ./against/corepkgs.nix {
        inherit overlays described config;
        root = nixpkgs;
        hostTools = tools;
        more = if bed == null then _self: _libs: { } else desktop;
      };
  # uv2nix takes functions of it that trimmed sets lack.
  lib = import (root + "/nixpkgs.lib/lib");

  manifest = builtins.fromTOML (builtins.readFile ../../test-wheels/wheels.toml);
  # In the order of what they need.
  chosen = map (wheel: {
    name = builtins.head (builtins.split "-" wheel.file);
    value = pkgs.fetchurl {
      url = "https://wheels.example.org/${wheel.file}";
      inherit (wheel) sha256;
    };
  }) (lib.filter (wheel: wheel.set == "small" || wheel.set == "cuda") manifest.wheel);
  wheels = builtins.listToAttrs chosen;
  python = if isNixpkgs then pkgs.python311 else pkgs.python3;
  py = python.pkgs;
  site = python.sitePackages;
  recipe =
    name: extra:
    py.buildWheelPackage (
      {
        pname = name;
        version = "1";
        format = "wheel";
        src = wheels.${name};
        dontCheckRuntimeDeps = true;
        buildInputs = [
          pkgs.stdenv.cc.cc.lib
          pkgs.zlib
        ];
      }
      // extra
    );

  pyproject-nix = import (root + "/pyproject.nix") { inherit lib; };
  uv2nix = import (root + "/uv2nix") { inherit lib pyproject-nix; };
  load = workspaceRoot: uv2nix.lib.workspace.loadWorkspace { inherit workspaceRoot; };
  workspace = load ./against/project;
  large = load ./against/large;
  setWith = setOf workspace;
  setOf =
    workspace: overlay:
    (pkgs.callPackage pyproject-nix.build.packages { inherit python; }).overrideScope (
      lib.composeManyExtensions [
        (workspace.mkPyprojectOverlay { sourcePreference = "wheel"; })
        overlay
      ]
    );
  nothing = _pyfinal: _pyprev: { };
  environment = overlay: (setWith overlay).mkVirtualEnv "environment" workspace.deps.all;
  runPath = file: "$(${pkgs.wheelfix}/libexec/wheelfix/patchelf --print-rpath ${file})";
  cusparse = set: "${set.nvidia-cusparse}/${site}/nvidia/cu13/lib/libcusparse.so.12";
  test = name: pkgs.runCommand "test-${name}" { };
  interface = {
    inherit pkgs;
    root = nixpkgs;
    pyproject = root + "/pyproject.nix";
    modules = lib;
    isWhole = isNixpkgs;
  };
in
{
  # what nix/ uses and this nixpkgs has not
  absent = import ./interface.nix interface;
  # What nobody has is told: has to be these, of each kind one.
  planted = import ./interface.nix (
    interface
    // {
      more = "final.noSuchPackage; noSuchHook = pyfinal.wheelfixNoHook;";
      moreHooks = "dontUseNoSuchHook dontUsePyprojectNoSuchHook";
      moreArguments = [ "noSuchArgument" ];
    }
  );

  # Packages for which nixpkgs gives hooks other tools, one that mypyc made, an application, and what the
  # builder made beside them in an environment of nixpkgs.
  recipes = test "recipes" ''
    for tree in ${
      toString (
        map (name: recipe name { }) [
          "packaging"
          "setuptools"
        ]
      )
    }; do
      ls $tree/${site}
    done
    ls ${recipe "black" { }}/${site}/black
    ${
      python.withPackages (_: [
        (recipe "numpy" { pythonImportsCheck = [ "numpy.linalg" ]; })
        (py.mkWheel { src = wheels.pygments; })
        (py.mkWheel { src = wheels.greenlet; })
      ])
    }/bin/python3 -c 'import numpy.linalg, greenlet, pygments'
    ${
      py.buildWheelApplication {
        pname = "pygments";
        version = "1";
        format = "wheel";
        src = wheels.pygments;
      }
    }/bin/pygmentize -V
    ${py.mkWheel { src = wheels.pygments; }}/bin/pygmentize -V
    echo ok >$out
  '';
  # Of every name that mk-python-derivation treats in its own way.
  bootstrap = map (name: (recipe "packaging" { pname = name; }).drvPath) [
    "build"
    "flit-core"
    "installer"
    "packaging"
    "pyproject-hooks"
    "setuptools"
    "tomli"
    "wheel"
  ];

  # nixpkgs' recipe of torch-bin, with the wheel of another torch and what that needs more.
  torch-bin =
    let
      torch = import ./against/torch-bin.nix {
        inherit pkgs python;
        wheels = chosen;
        recipe =
          if isNixpkgs then
            nixpkgs + "/pkgs/development/python-modules/torch/bin"
          else
            root + "/recipes/torch-bin";
      };
    in
    test "torch-bin" ''
      ${
        python.withPackages (_: [ torch ])
      }/bin/python3 -c 'import torch; print(torch.linalg.det(torch.eye(3) * 2).item())' >$out
      [[ $(<$out) == 8.0 ]]
    '';

  # A lock that uv has made, with what people have overrides for, by the overlay alone; the project is built by
  # hatchling and setuptools-scm.
  large = test "large" ''
    ${(setOf large pkgs.wheelfixPyproject).mkVirtualEnv "large" large.deps.all}/bin/python -c 'import black, large; print(large.compute())' >$out
  '';

  # For measurements: the derivations of all wheels of the large lock, evaluated and not built, by `fromLock`, by
  # uv2nix alone, and by uv2nix with the overlay.
  evaluated =
    let
      targets = (builtins.fromJSON (builtins.readFile (/. + document))).targets;
      locks = map (target: target.selections.default.packages) (builtins.attrValues targets);
      names = builtins.attrNames (lib.filterAttrs (_: it: it ? wheel) (builtins.head locks));
      locked = pkgs.fromLock {
        lock = /. + document;
        inherit python;
      };
      of = set: map (name: set.${name}.drvPath) names;
    in
    {
      fromLock = of locked.packages;
      uv2nix = of (setOf large nothing);
      overlay = of (setOf large pkgs.wheelfixPyproject);
      # what all of them take
      nothing = map (_: python.drvPath) names;
    };

  # For measurements: wheels by the hooks of uv2nix, by ours in their places, and by the builder.
  measured =
    let
      salted = name: set: set.${name}.overrideAttrs { name = "${name}-${salt}"; };
      of = overlay: {
        packaging = salted "packaging" (setOf large overlay);
        pygments = salted "pygments" (setWith overlay);
        scipy = salted "scipy" (setWith overlay);
      };
    in
    {
      uv2nix = of nothing;
      hooks = of pkgs.wheelfixPyprojectHooks;
      builder = of pkgs.wheelfixPyproject;
    };

  # A lock file, by the overlay alone: the project itself is built by setuptools, a wheel of the set.
  locked = test "locked" ''
    for environment in ${environment pkgs.wheelfixPyproject} ${environment pkgs.wheelfixPyprojectHooks}; do
      $environment/bin/python -c 'import demo, blib2to3.pgen2.token, greenlet, scipy.linalg; assert demo.determinant() == 1'
      $environment/bin/pygmentize -V
    done
    [[ ${runPath (cusparse (setWith pkgs.wheelfixPyproject))} == *nvjitlink*/lib* ]]
    [[ ${runPath (cusparse (setWith pkgs.wheelfixPyprojectHooks))} == *nvjitlink*/lib* ]]
    echo ok >$out
  '';
}
