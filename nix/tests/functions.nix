# The functions of the overlay and of `lib`.
{
  pkgs,
  recipes,
}:
let
  inherit (pkgs) lib testWheels;
  wlib = import ../lib;
  python = pkgs.python3;
  test = name: pkgs.runCommand "test-${name}" { };
  runPath = file: "$(${pkgs.wheelfix}/libexec/wheelfix/patchelf --print-rpath ${file})";
  throws = value: !(builtins.tryEval value).success;

  # A package of nixpkgs' shape that takes torch, and one more.
  users = _final: prev: {
    pythonPackagesExtensions = prev.pythonPackagesExtensions ++ [
      (
        pyfinal: _pyprev:
        lib.genAttrs [ "user-one" "user-two" ] (
          pname:
          pyfinal.callPackage (
            { buildPythonPackage, torch }:
            buildPythonPackage {
              inherit pname;
              version = "1";
              format = "wheel";
              dependencies = [ torch ];
              passthru = { inherit torch; };
            }
          ) { }
        )
      )
    ];
  };
  before = pkgs.extend users;
  after = before.extend (
    final: prev:
    wlib.torchEverywhere { torch = py: final.wheelfixed py.python py.torch-bin; } final prev
  );

  # bitsandbytes with one backend for CUDA, whose libraries come from somewhere.
  bitsandbytes =
    cuda:
    pkgs.mkWheel {
      src = testWheels.bitsandbytes;
      libs = pkgs.runtimes ++ pkgs.wheelfixCuda cuda;
      pythonVersion = python.pythonVersion;
      backends = [ "cuda132" ];
    };
  distributions = [
    "nvidia-cublas"
    "nvidia-cuda-nvrtc"
    "nvidia-cuda-runtime"
    "nvidia-cusparse"
    "nvidia-nvjitlink"
  ];
  sources = {
    nixpkgs.source = "nixpkgs";
    wheels = {
      source = "wheels";
      wheels = lib.genAttrs distributions (
        name: testWheels.${builtins.replaceStrings [ "-" ] [ "_" ] name}
      );
    };
  };
  backend =
    source:
    "${bitsandbytes sources.${source}}/${python.sitePackages}/bitsandbytes/libbitsandbytes_cuda132.so";
  finds =
    source: drvs:
    builtins.concatStringsSep "\n" (
      map (drv: ''[[ "${runPath (backend source)}" == *${drv}/* ]]'') drvs
    );
  needed =
    name:
    builtins.elem name [
      "nvidia-cublas"
      "nvidia-cuda-runtime"
    ];

  parsed = file: wlib.parseWheelName "a-1-py3-none-${file}.whl";
  systems = platforms: wlib.systemsOf (parsed platforms);
  foreign = pkgs.mkWheel {
    src = builtins.toFile "a-1-py3-none-macosx_11_0_arm64.whl" "";
  };
in
{
  # Every package gets the chosen torch, by the name `torch`, and so do environments.
  torch-everywhere =
    assert before.python3.pkgs.torch.drvPath != before.python3.pkgs.torch-bin.drvPath;
    assert after.python3.pkgs.torch.drvPath == (pkgs.wheelfixed python recipes.torch-bin).drvPath;
    assert after.python3.pkgs.user-one.torch.drvPath == after.python3.pkgs.torch.drvPath;
    assert after.python3.pkgs.user-two.torch.drvPath == after.python3.pkgs.torch.drvPath;
    assert before.python3.pkgs.user-one.torch.drvPath == before.python3.pkgs.torch.drvPath;
    # What does not take torch is not built anew.
    assert after.python3.pkgs.numpy.drvPath == before.python3.pkgs.numpy.drvPath;
    test "torch-everywhere" "echo ok >$out";

  # One switch, and the backend finds its libraries here or there.
  cuda-from-nixpkgs = test "cuda-from-nixpkgs" ''
    ${finds "nixpkgs" [
      # Where the links of cudaPackages lead.
      pkgs.nvidia.nvidia_cublas
      pkgs.nvidia.nvidia_cuda_runtime
    ]}
    echo ok >$out
  '';
  cuda-from-wheels = test "cuda-from-wheels" ''
    ${finds "wheels" (lib.filter (drv: needed drv.pname) (pkgs.wheelfixCuda sources.wheels))}
    echo ok >$out
  '';
  cuda-sources =
    assert throws (pkgs.wheelfixCuda { source = "conda"; });
    # Of another version, and no more than is asked for.
    assert
      pkgs.wheelfixCuda {
        cudaPackages = pkgs.cudaPackages_13;
        attributes = [ "zlib" ];
      } == [ pkgs.zlib ];
    assert throws (builtins.head (pkgs.wheelfixCuda { attributes = [ "zlib" ]; }));
    # What this cudaPackages has not got is left out.
    assert
      builtins.length (pkgs.wheelfixCuda { }) == builtins.length (builtins.attrNames pkgs.cudaPackages);
    assert builtins.length (pkgs.wheelfixCuda sources.wheels) == builtins.length distributions;
    test "cuda-sources" "echo ok >$out";

  # For what is compiled: headers, compiler and libraries in one tree, of all outputs.
  cuda-home =
    assert throws (pkgs.wheelfixCudaHome { attributes = [ "cuda_none" ]; }).drvPath;
    let
      home = pkgs.wheelfixCudaHome {
        cudaPackages = pkgs.cudaPackages // {
          cuda_nvcc = pkgs.stdenv.mkDerivation {
            name = "cuda_nvcc";
            outputs = [
              "out"
              "dev"
            ];
            buildCommand = ''
              mkdir -p $out/bin $dev/include $dev/nix-support
              echo "#define NVCC 1" >$dev/include/nvcc.h
              echo "exit 1" >$dev/nix-support/setup-hook
              echo "#!/bin/sh" >$out/bin/nvcc
              chmod +x $out/bin/nvcc
            '';
          };
          # What nobody asks for is not evaluated.
          other = throw "evaluated";
        };
      };
    in
    pkgs.runCommand "cuda-home" { nativeBuildInputs = [ home ]; } ''
      [[ $CUDA_HOME == ${home} && $CUDA_PATH == ${home} && $CUDAToolkit_ROOT == ${home} ]]
      $CUDA_HOME/bin/nvcc
      [[ -e $CUDA_HOME/lib/libcudart.so.13 && -e $CUDA_HOME/lib64/libcublas.so.13 ]]
      echo "#include <nvcc.h>
      int f(void) { return NVCC; }" >a.c
      gcc -I$CUDA_HOME/include -c a.c
      echo ok >$out
    '';

  # Libraries that wheels of a package need beyond those of any system come without being named.
  package-libs =
    let
      known = wlib.packageLibs {
        portaudio = "portaudio";
        alsa-lib = "alsa";
      };
      table = builtins.fromJSON (builtins.readFile ../lib/package-libs.json);
      wheel = name: pkgs.mkWheel { src = builtins.toFile name ""; };
      libsOf = drv: drv.drvAttrs.wheelfix.libs;
      without = pkgs.mkWheel {
        src = builtins.toFile "sounddevice-1-py3-none-any.whl" "";
        libs = [ ];
      };
    in
    assert known "sounddevice" == [ "portaudio" ] && known "unheard-of" == [ ];
    # nixpkgs may not have it.
    assert wlib.packageLibs { } "sounddevice" == [ ];
    assert wlib.packageLibs { portaudio = throw "it has gone"; } "sounddevice" == [ ];
    assert builtins.all builtins.isList (builtins.attrValues table);
    assert libsOf (wheel "SoundDevice-1-py3-none-any.whl") == [ "${pkgs.portaudio}" ];
    assert libsOf (wheel "unheard_of-1-py3-none-any.whl") == [ ];
    assert libsOf without == [ ];
    test "package-libs" "echo ok >$out";

  # Platforms are those of the file name.
  platforms =
    assert systems "any" == null;
    assert systems "manylinux_2_17_x86_64.manylinux2014_x86_64" == [ "x86_64-linux" ];
    assert systems "musllinux_1_2_aarch64" == [ "aarch64-linux" ];
    assert
      systems "macosx_10_9_universal2" == [
        "aarch64-darwin"
        "x86_64-darwin"
      ];
    assert systems "win_amd64" == [ ];
    assert (pkgs.mkWheel { src = testWheels.torch; }).meta.platforms == [ "x86_64-linux" ];
    assert !((pkgs.mkWheel { src = testWheels.packaging; }).meta ? platforms);
    assert throws foreign.drvPath && foreign.pname == "a";
    assert throws (wlib.parseWheelName "a-1.tar.gz");
    test "platforms" "echo ok >$out";

  # What the builder makes is overridden as packages of nixpkgs are.
  overrides =
    let
      numpy = pkgs.mkWheel {
        src = testWheels.numpy;
        pythonVersion = python.pythonVersion;
        libs = [ ];
      };
      libsOf = drv: drv.drvAttrs.wheelfix.libs;
      more = numpy.overrideAttrs (old: {
        buildInputs = old.buildInputs ++ [ pkgs.zlib ];
        nativeBuildInputs = old.nativeBuildInputs ++ [ pkgs.wheelfixPatchHook ];
        passthru = old.passthru // {
          found = true;
        };
      });
      final = more.overrideAttrs (
        final: old: {
          buildInputs = old.buildInputs ++ [ pkgs.gfortran-lib ];
          autoPatchelfIgnoreMissingDeps = [ "lib${toString (builtins.length final.buildInputs)}.so" ];
        }
      );
    in
    assert libsOf numpy == [ ] && libsOf more == [ "${pkgs.zlib}" ];
    assert more.found && more.pname == "numpy" && !(numpy ? found);
    # A recipe that depends on it depends on an output.
    assert more.out.found && more.out.outPath == more.outPath;
    assert
      libsOf final == map toString [
        pkgs.zlib
        pkgs.gfortran-lib
      ];
    assert final.drvAttrs.wheelfix.ignoreMissing == [ "lib2.so" ];
    assert (numpy.override { name = "other"; }).name == "other";
    assert
      (more.overridePythonAttrs (old: {
        libs = old.libs ++ old.libs;
      })).drvPath == more.drvPath;
    assert libsOf (numpy.overrideAttrs { buildInputs = [ pkgs.zlib ]; }) == libsOf more;
    # The builder runs no phases.
    assert throws (numpy.overrideAttrs { postInstall = "echo"; }).drvPath;
    test "overrides" "echo ok >$out";

  # Without a word the libraries of any system may be used, and only what is used is referred to.
  default-libs =
    let
      wheel =
        name: references:
        pkgs.mkWheel {
          src = testWheels.${name};
          pythonVersion = python.pythonVersion;
          extraAttrs.outputChecks.out.allowedReferences = references ++ [ "out" ];
        };
      greenlet = wheel "greenlet" [ pkgs.stdenv.cc.cc.lib ];
    in
    assert builtins.length greenlet.drvAttrs.wheelfix.libs > 2;
    assert (wheel "pygments" [ ]).drvAttrs.wheelfix.libs == [ ];
    test "default-libs" ''
      ls ${greenlet} ${wheel "pygments" [ ]}
      echo ok >$out
    '';

  # For another machine the program of this one builds, and compiles with this one's Python.
  cross =
    let
      hostPlatform = pkgs.stdenv.hostPlatform // {
        system = "aarch64-linux";
      };
      build = pkgs.runCommand "python3-build" { } "mkdir $out" // {
        interpreter = "/build/bin/python3";
      };
      arm = pkgs.extend (
        _final: prev: {
          pkgsBuildHost = pkgs;
          stdenv = prev.stdenv // {
            inherit hostPlatform;
            buildPlatform = pkgs.stdenv.hostPlatform;
          };
          python3 = prev.python3 // {
            pythonOnBuildForHost = build;
          };
        }
      );
      wheel = builtins.toFile "a-1-cp311-cp311-manylinux_2_17_aarch64.whl" "";
      made = arm.mkWheel {
        src = wheel;
        libs = [ ];
      };
      pure = arm.mkWheel {
        src = testWheels.pygments;
        pythonVersion = "3.12";
      };
      inherit (made.drvAttrs) wheelfix;
      # The hooks of recipes, and those of pyproject.nix for a Python without the lock.
      hook = arm.python3.pkgs.wheelfixInstallHook;
      threaded =
        (arm.wheelfixPyproject {
          python = arm.python3 // {
            pythonVersion = "3.14";
            version = "3.14.0";
            sitePackages = "lib/python3.14t/site-packages";
          };
        } { }).pyprojectInstallHook;
    in
    assert made.drvAttrs.system == pkgs.stdenv.hostPlatform.system;
    assert made.drvAttrs.builder == "${pkgs.wheelfix}/bin/wheelfix";
    assert wheelfix.target == "aarch64-linux-cp311.2";
    assert wheelfix.python == "${build}" && wheelfix.targetPython == "${python}";
    assert throws (arm.mkWheel { src = testWheels.torch; }).drvPath;
    assert throws (pkgs.mkWheel { src = wheel; }).drvPath;
    assert
      map wlib.targetOf [
        {
          hostPlatform.system = "aarch64-darwin";
          pythonVersion = "3.13";
          version = "3.13.2";
        }
        {
          hostPlatform.system = "powerpc64le-linux";
          pythonVersion = "3.14";
          version = "3.14.0rc1";
          isFreeThreaded = true;
        }
        {
          hostPlatform = {
            system = "x86_64-linux";
            isMusl = true;
          };
          pythonVersion = "3.11";
          version = "7.3.17";
          implementation = "pypy";
        }
      ] == [
        "aarch64-macos-cp313.2"
        "ppc64le-linux-cp314t.0rc1"
        "x86_64-musl-pp311"
      ];
    test "cross" ''
      test -d ${pure}/lib/python3.12/site-packages/pygments
      if find ${pure} -name '*.pyc' | grep .; then exit 1; fi
      head -n 1 ${pure}/bin/pygmentize | grep 'python3.12'
      grep -F '_wheelfixTarget="--target aarch64-linux-cp311.2"' ${hook}/nix-support/setup-hook
      grep -F '_wheelfixTarget="--target aarch64-linux-cp314t.0"' ${threaded}/nix-support/setup-hook
      grep -F '_wheelfixTarget=""' ${pkgs.python3.pkgs.wheelfixInstallHook}/nix-support/setup-hook
      echo ok >$out
    '';

  # Where there are no ELF files, all is as nixpkgs has it.
  darwin =
    let
      mac = pkgs.extend (
        _final: prev: {
          stdenv = prev.stdenv // {
            hostPlatform = pkgs.stdenv.hostPlatform // {
              system = "aarch64-darwin";
              isLinux = false;
            };
          };
        }
      );
      wheel = mac.mkWheel {
        src = testWheels.packaging;
        libs = [ ];
        relax = [ "a" ];
      };
      packages = mac.python3.pkgs;
    in
    assert wheel.pname == "packaging" && !(wheel.drvAttrs ? wheelfix);
    assert wheel.drvAttrs.pythonRelaxDeps == [ "a" ];
    assert !((mac.mkEnv { packages = [ wheel ]; }).drvAttrs ? wheelfix);
    assert throws (mac.mkTree { name = "a"; });
    assert packages.buildWheelPackage == packages.buildPythonPackage;
    assert mac.wheelfixed mac.python3 recipes.torch-bin == recipes.torch-bin;
    assert mac.wheelfixPyproject { } { a = 1; } == { };
    assert mac.wheelfixPatchHook.drvPath != pkgs.wheelfixPatchHook.drvPath;
    test "darwin" "echo ok >$out";

  # What the package has beside the program.
  completions = test "completions" ''
    bash -n ${pkgs.wheelfix}/share/bash-completion/completions/wheelfix.bash
    grep -q '^#compdef wheelfix' ${pkgs.wheelfix}/share/zsh/site-functions/_wheelfix
    grep -q 'complete -c wheelfix' ${pkgs.wheelfix}/share/fish/vendor_completions.d/wheelfix.fish
    grep -q 'patchelf' ${pkgs.wheelfix}/share/man/man1/wheelfix-patchelf.1
    touch $out
  '';

  # In a shell the wrappers come first, run what they wrap, and say where libraries are.
  venv-hook =
    let
      hook = wlib.venvHook {
        inherit pkgs;
        libs = [ pkgs.zlib ];
        driver = "/driver";
        options = [ "--heal" ];
      };
      # What devenv's functions make of the module.
      module = import ../devenv.nix {
        inherit pkgs;
        config.wheelfix = {
          enable = true;
          libs = [ pkgs.zlib ];
          driver = "/driver";
          options = [ "--heal" ];
        };
        lib = lib // {
          mkEnableOption = _: { };
          mkOption = option: option;
          mkIf =
            condition: value:
            assert condition;
            value;
          mkBefore = text: text;
          mkAfter = text: text;
          mkMerge = builtins.concatStringsSep "";
          types = {
            listOf = type: type;
            package = { };
            str = { };
          };
        };
      };
    in
    assert hook.variables.WHEELFIX_LIB_PATH == "${pkgs.zlib}";
    assert (wlib.venvHook { inherit pkgs; }).drvPath != hook.drvPath;
    assert module.config.env == hook.variables;
    test "venv-hook" ''
      mkdir real
      printf '#!/bin/sh\necho real "$@"; exit 6\n' >real/uv
      chmod +x real/uv
      PATH=$PWD/real:$PATH
      postHooks=()
      source ${hook}/nix-support/setup-hook
      for run in "''${postHooks[@]}"; do $run; done
      [[ $WHEELFIX_LIB_PATH == ${pkgs.zlib} ]]
      [[ $WHEELFIX_VENV_OPTIONS == "--driver-path=/driver --heal" ]]
      [[ $(command -v uv) == uv && $(type -P uv) == ${hook}/bin/uv ]]
      for uv in uv ${hook}/bin/uv "env uv"; do
        code=0
        text=$($uv sync -q) || code=$?
        [[ "$text $code" == "real sync -q 6" ]]
      done
      # An environment that is there is patched behind the program.
      mkdir -p .venv/lib/python3.11/site-packages .venv/bin
      ln -s ${python}/bin/python3 .venv/bin/python
      echo "home = ${python}/bin" >.venv/pyvenv.cfg
      uv sync || true
      [[ -f .venv/.wheelfix-stamps.json ]]
      # devenv activates an environment that it has filled itself.
      cp -r .venv active
      rm active/.wheelfix-stamps.json
      mkdir first
      printf '#!/bin/sh\necho first\n' >first/uv
      chmod +x first/uv
      (
        unset -f uv
        PATH=$PWD/first:$PATH
        VIRTUAL_ENV=$PWD/active
        export VIRTUAL_ENV
        ${module.config.enterShell}
        [[ $(type -P uv) == ${hook}/bin/uv && -f active/.wheelfix-stamps.json ]]
      )
      echo ok >$out
    '';

  # Applications have hooks of ours, too, and those that nixpkgs gives other tools can be overridden.
  applications =
    let
      make =
        pname:
        python.pkgs.buildWheelApplication {
          inherit pname;
          version = "1";
          format = "wheel";
          src = testWheels.pygments;
        };
      isMade = pname: (make pname).drvPath != "";
    in
    assert builtins.all isMade [
      "build"
      "flit-core"
      "installer"
      "packaging"
      "pyproject-hooks"
      "wheel"
    ];
    test "applications" ''
      PYTHONPATH=${make "pygments"}/${python.sitePackages} ${make "pygments"}/bin/pygmentize -V
      echo ok >$out
    '';

  # The recipe of the template.
  template-bitsandbytes = python.pkgs.callPackage ../template/bitsandbytes.nix {
    torch = pkgs.wheelfixed python recipes.torch-bin;
  };
}
