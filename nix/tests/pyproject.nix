# The overlays for pyproject.nix and uv2nix, on a set that has what theirs has.
{ pkgs }:
let
  inherit (pkgs) lib stdenv testWheels;
  python = pkgs.python3;
  site = python.sitePackages;
  test = name: pkgs.runCommand "test-${name}" { };
  runPath = file: "$(${pkgs.wheelfix}/libexec/wheelfix/patchelf --print-rpath ${file})";
  isByBuilder = drv: !(drv ? drvAttrs.stubPath);

  changed =
    overlay:
    let
      self = prev // overlay self prev;
      prev = set self;
    in
    self;
  scope = changed pkgs.wheelfixPyproject;
  hooked = changed pkgs.wheelfixPyprojectHooks;

  # uv2nix writes what the lock file says: name -> extras.
  requiring = names: {
    dependencies = lib.genAttrs names (_: [ ]);
    format = "wheel";
  };
  set =
    self:
    let
      package =
        name: required: extra:
        let
          make =
            attrs:
            stdenv.mkDerivation attrs
            // {
              overrideAttrs =
                change: make (attrs // (if builtins.isFunction change then change attrs else change));
            };
        in
        make (
          {
            pname = builtins.replaceStrings [ "_" ] [ "-" ] name;
            version = "1";
            src = testWheels.${name};
            dontUnpack = true;
            nativeBuildInputs = [
              self.pyprojectWheelHook
              self.autoPatchelfHook
            ];
            UV_COMPILE_BYTECODE = "0";
            passthru = requiring required;
          }
          // extra
        );
    in
    {
      inherit python;
      resolveVirtualEnv = spec: map (name: self.${name}) (builtins.attrNames spec);
      # It has a Python of its own as well.
      pythonPkgsHostHost = self;
      pyprojectWheelHook =
        pkgs.makeSetupHook
          {
            name = "pyproject-wheel-hook";
            propagatedBuildInputs = [ self.pyprojectInstallHook ];
          }
          (
            builtins.toFile "wheel-hook.sh" ''
              buildPhase='mkdir -p dist; ln -s "$src" "dist/$(stripHash "$src")"'
            ''
          );
      numpy = package "numpy" [ ] { };
      pygments = package "pygments" [ "numpy" ] { };
      black = package "black" [ ] { };
      # nothing of nixpkgs is said of it, and it needs libstdc++
      greenlet = package "greenlet" [ "nvidia-cusparse" ] { };
      nvidia-nvjitlink = package "nvidia_nvjitlink" [ "pygments" ] { };
      # It and greenlet require one another.
      nvidia-cusparse = package "nvidia_cusparse" [ "nvidia-nvjitlink" "numpy" "greenlet" ] { };
    };
  cusparse = drv: "${drv}/${site}/nvidia/cu13/lib/libcusparse.so.12";
in
{
  # Each wheel finds libraries of what it requires, and those that any system has.
  siblings =
    assert isByBuilder scope.nvidia-cusparse && !isByBuilder hooked.nvidia-cusparse;
    test "siblings" ''
      for file in ${cusparse scope.nvidia-cusparse} ${cusparse hooked.nvidia-cusparse}; do
        [[ $(${pkgs.wheelfix}/libexec/wheelfix/patchelf --print-rpath $file) == *nvjitlink*/lib* ]]
      done
      [[ ${runPath "${scope.greenlet}/${site}/greenlet/_greenlet*.so"} == *${stdenv.cc.cc.lib}/lib* ]]
      # Only what is used is referred to.
      [[ ${runPath "${scope.greenlet}/${site}/greenlet/_greenlet*.so"} != *${pkgs.zlib}/* ]]
      echo ok >$out
    '';
  # As the set of pyproject.nix has them, so that its consumers find what they look for.
  attributes =
    assert scope.numpy.pname == "numpy" && scope.numpy.version == "1";
    assert scope.pygments.passthru.dependencies == { numpy = [ ]; } && scope.numpy.format == "wheel";
    assert scope.pythonPkgsHostHost.numpy.drvPath == scope.numpy.drvPath;
    test "attributes" ''
      PYTHONPATH=${scope.numpy}/${site} ${python.interpreter} -B -c 'import numpy.linalg'
      [[ $(find ${scope.numpy} -name '*.pyc') == "" ]]
      grep -qx 'addToSearchPath NIX_PYPROJECT_PYTHONPATH ${scope.numpy}/${site}' ${scope.numpy}/nix-support/setup-hook
      echo ok >$out
    '';
  # What only stdenv does is done by stdenv; all else stays with the builder.
  overrides =
    let
      phases = scope.pygments.overrideAttrs { postInstall = "echo >$out/made"; };
      hook = scope.pygments.overrideAttrs (old: {
        nativeBuildInputs = old.nativeBuildInputs ++ [ pkgs.zlib ];
      });
      outputs = scope.numpy.overrideAttrs {
        outputs = [
          "out"
          "dist"
        ];
      };
      compiled = scope.pygments.overrideAttrs {
        UV_COMPILE_BYTECODE = "1";
        PYC_INVALIDATION_MODE = "CHECKED_HASH";
      };
      less = scope.pygments.overrideAttrs (old: {
        buildInputs = old.buildInputs or [ ] ++ [ pkgs.zlib ];
        wheelfixExclude = [ "pygments/lexers/_*.py" ];
      });
      twice = less.overrideAttrs { UV_COMPILE_BYTECODE = "0"; };
      ignoring = scope.numpy.overrideAttrs { autoPatchelfIgnoreMissingDeps = [ "libcuda.so.1" ]; };
    in
    assert !isByBuilder phases && !isByBuilder hook && !isByBuilder outputs;
    assert isByBuilder compiled && isByBuilder less && isByBuilder twice;
    test "overrides" ''
      [[ -e ${phases}/made && -e ${ignoring}/${site}/numpy ]]
      [[ $(readlink ${outputs.dist}/*.whl) == ${testWheels.numpy} ]]
      for tree in ${less} ${twice}; do
        [[ -e $tree/${site}/pygments/lexers/python.py && ! -e $tree/${site}/pygments/lexers/_lua_builtins.py ]]
      done
      compiled=$(echo ${compiled}/${site}/pygments/__pycache__/__init__.*.pyc)
      [[ $compiled == *311.pyc && $(od -An -tu1 -j4 -N1 $compiled) -eq 3 ]]
      echo ok >$out
    '';
  # What mypyc compiles uses libm without naming it; Python has it.
  mypyc = test "mypyc" ''
    for tree in ${scope.black} ${hooked.black}; do ls $tree/${site}/black/__init__.*.so; done
    echo ok >$out
  '';
}
