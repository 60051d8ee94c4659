# What is built under the stub package set. `cargo xtask nix-test` builds each set in its way.
{ pkgs }:
let
  inherit (pkgs)
    lib
    mkWheel
    nvidia
    runtimes
    testWheels
    ;
  wlib = import ../lib;
  python = pkgs.python3;
  version = python.pythonVersion;

  # Without a Python in the build: nothing but what is named is in the sandbox.
  plain = args: mkWheel ({ pythonVersion = version; } // args);
  wheel =
    name:
    plain {
      src = testWheels.${name};
      libs = runtimes;
      extraAttrs.outputChecks.out.allowedReferences = runtimes ++ [ "out" ];
    };

  pure = lib.genAttrs [
    "typing_extensions"
    "filelock"
    "fsspec"
    "jinja2"
    "mpmath"
    "sympy"
    "networkx"
    "setuptools"
    "packaging"
  ] wheel;
  small = {
    numpy = wheel "numpy";
    scipy = plain {
      src = testWheels.scipy;
      libs = runtimes;
      dependencies = [ small.numpy ];
      extraAttrs.outputChecks.out.allowedReferences = runtimes ++ [
        small.numpy
        "out"
      ];
    };
    markupsafe = wheel "markupsafe";
    pygments = wheel "pygments";
    greenlet = plain {
      src = testWheels.greenlet;
      libs = runtimes;
      outputs = [
        "out"
        "dev"
        "dist"
      ];
    };
  }
  // pure;
  torch = plain {
    src = testWheels.torch;
    libs = runtimes ++ builtins.attrValues nvidia;
    removeDeps = [ "cuda-toolkit" ];
    extraAttrs.outputChecks.out.allowedReferences = runtimes ++ builtins.attrValues nvidia ++ [ "out" ];
  };
  bitsandbytes = plain {
    src = testWheels.bitsandbytes;
    libs = runtimes ++ builtins.attrValues nvidia;
    extraAttrs.outputChecks.out.allowedReferences = runtimes ++ builtins.attrValues nvidia ++ [ "out" ];
  };

  # Runs a script with packages on the module path.
  compute =
    name: packages: script:
    pkgs.runCommand "compute-${name}" { } ''
      export PYTHONPATH=${
        builtins.concatStringsSep ":" (map (it: "${it}/${python.sitePackages}") packages)
      }
      cd "$TMPDIR"
      ${python.interpreter} -s -S -P ${script} | tee $out
    '';

  # With a Python, the host's: bytecode, and the proof that everything loads.
  proved = {
    numpy = mkWheel {
      src = testWheels.numpy;
      libs = runtimes;
    };
    scipy = mkWheel {
      src = testWheels.scipy;
      libs = runtimes;
      dependencies = [ small.numpy ];
      bytecode = [
        0
        2
      ];
    };
    environment = pkgs.mkEnv {
      packages = [
        small.scipy
        small.pygments
      ];
      inherit python;
    };
  };

  recipes = import ./recipes.nix { inherit pkgs; };
  lessons = import ./lessons.nix { inherit pkgs recipes; };
  pyproject = import ./pyproject.nix { inherit pkgs; };
  announcing = import ./announcing.nix { inherit pkgs recipes; };
  tested = import ./functions.nix { inherit pkgs recipes; } // import ./locks.nix { inherit pkgs; };
  ok =
    name: condition:
    if condition then pkgs.runCommand name { } "echo ok >$out" else throw "test failed: ${name}";
in
{
  # built with the host's programs
  inputs = {
    inherit (pkgs) libc wheelfix;
    runtimes = pkgs.runCommand "runtimes" { } "echo ${toString runtimes} >$out";
    python = python;
  };

  # built with nothing in the sandbox
  builder = small;
  cuda = nvidia // {
    inherit torch bitsandbytes;
  };

  inherit proved;

  computed = {
    scipy = compute "scipy" [ small.scipy small.numpy ] ./compute_scipy.py;
    environment = pkgs.runCommand "compute-environment" { } ''
      ${proved.environment}/bin/python3 -c 'import numpy, pygments, scipy.linalg; print(scipy.__version__)' | tee $out
      ${proved.environment}/bin/pygmentize -V
    '';
    pygments = pkgs.runCommand "compute-pygments" { } ''
      PYTHONPATH=${small.pygments}/${python.sitePackages} ${python.interpreter} ${small.pygments}/bin/pygmentize -V | tee $out
    '';
  };
  computedCuda = {
    torch = compute "torch" (
      [
        torch
        small.numpy
        small.markupsafe
      ]
      ++ builtins.attrValues pure
    ) ./compute_torch.py;
    bitsandbytes = compute "bitsandbytes" (
      [
        bitsandbytes
        torch
        small.numpy
        small.markupsafe
      ]
      ++ builtins.attrValues pure
    ) ./compute_bitsandbytes.py;
  };

  hooks = {
    numpy = recipes.numpy;
    scipy = recipes.scipy;
    pygments = recipes.pygments;
    bitsandbytes = recipes.bitsandbytes;
    torch-bin = pkgs.wheelfixed python recipes.torch-bin;
  };

  inherit lessons pyproject tested;

  # Two selections of one document that exclude each other, and a directory of a repository with a submodule.
  variants =
    { lock }:
    let
      envOf = select: (pkgs.fromLock { inherit lock select; }).env;
    in
    pkgs.runCommand "variants" { } ''
      show='import accel, gitly, importlib.metadata as it; print(accel.variant, it.version("accel"), gitly.word)'
      [[ "$(${envOf "cpu"}/bin/python -c "$show")" == "cpu 1.0+cpu of the submodule" ]]
      [[ "$(${envOf "gpu"}/bin/python -c "$show")" == "cu128 1.0+cu128 of the submodule" ]]
      ${envOf "default"}/bin/python -c 'import gitly'
      if ${envOf "default"}/bin/python -c 'import accel'; then exit 1; fi
      echo ok >$out
    '';
  # Large wheels of one lock; in `voices` beside two packages from repositories, one of which wants an older NumPy.
  rodeo =
    { lock, name }:
    let
      isVoices = name == "voices";
      made = pkgs.fromLock {
        inherit lock;
        relax = lib.optionals isVoices [ "numpy" ];
      };
      requires = package: map (it: it.outPath) made.packages.${package}.propagatedBuildInputs;
      hasTorch = package: builtins.elem made.packages.torch.outPath (requires package);
    in
    assert isVoices -> hasTorch "f5-tts" && hasTorch "pi-zero-pytorch";
    pkgs.runCommand "rodeo-${name}" { HOME = "/build"; } ''
      others=$(${made.env}/bin/python -W ignore ${../../test-wheels/rodeo + "/${name}.py"} ${made.env})
      [[ -z $others ]]
      echo ok >$out
    '';
  # Packages from directories, files and URLs, most of them beside the directory of the lock.
  sources =
    { lock, root }:
    let
      made = pkgs.fromLock {
        inherit lock root;
        environment.onCollision = [ "bin/both=last" ];
      };
      isRefused = value: !(builtins.tryEval value.drvPath).success;
      # The same lock where nothing lies beside it.
      alone = pkgs.fromLock {
        inherit lock;
        root = builtins.path {
          path = root;
          name = "alone";
        };
      };
      projects = builtins.path {
        path = root + "/..";
        name = "projects";
      };
    in
    assert isRefused alone.packages.plain && isRefused alone.packages.pathly;
    assert isRefused alone.packages.sourcely && isRefused (alone.shell { }).env;
    assert !isRefused alone.packages.member && !isRefused alone.packages.urly;
    assert !(made.packages ? asked);
    pkgs.runCommand "sources" { } ''
      names="app edited fixed flatly member nested pathly plain sourcely urly"
      show='import importlib, sys; print([getattr(importlib.import_module(it), "word") for it in sys.argv[1:]])'
      want="['of app', 'of edited', 'of fixed', 'of flatly', 'of member', 'of nested', 'of pathly', 'of plain', 'of sourcely', 'of urly']"
      [[ "$(${made.env}/bin/python -c "$show" $names)" == "$want" ]]
      ${made.env}/bin/python -c 'import importlib.metadata as it; assert it.version("app") == "0.1.0"'
      # A program that several packages have is one; of different ones a rule decides.
      [[ "$(${made.env}/bin/shared)" == "of urly" && "$(${made.env}/bin/both)" == "of urly" ]]
      cp -r ${projects} copy
      chmod -R u+w copy
      export REPO_ROOT=$PWD/copy/app
      env=${(made.shell { }).env}
      # Its path is not below the directory of the lock, and not in the sandbox.
      grep -RqF 'join(os.environ.get("REPO_ROOT", "."), "${toString (root + "/../fixed")}")' $env/
      names="''${names/fixed /}" want="''${want/\'of fixed\', /}"
      [[ "$($env/bin/python -c "$show" $names)" == "$want" ]]
      for name in ../edited ../plain member; do
        sed -i 's/of /new /' copy/app/$name/*.py
      done
      want="''${want/of edited/new edited}"
      want="''${want/of plain/new plain}"
      [[ "$($env/bin/python -c "$show" $names)" == "''${want/of member/new member}" ]]
      echo ok >$out
    '';
  inherit (import ./guides.nix { inherit pkgs; }) documented documentedBuilt;
  inherit announcing;
  announcingSays = lib.mapAttrs (_: it: it.says) announcing;
  failingSays = lib.mapAttrs (_: it: it.says) (import ./failing.nix { inherit pkgs plain recipes; });
  bench = import ./bench.nix { inherit pkgs; };
  # What the plan of torch's installation is made from.
  torchFacts = {
    src = [ "${testWheels.torch}" ];
    libs = map (it: "${it}") (runtimes ++ builtins.attrValues nvidia);
  };
  failing = import ./failing.nix { inherit pkgs plain recipes; };

  functions = ok "functions" (
    let
      parsed = wlib.parseWheelName "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl";
    in
    parsed.version == "2.4.6"
    && builtins.length parsed.platforms == 2
    && wlib.normalizeName "Foo_Bar.baz" == "foo-bar-baz"
    && wlib.nameOf "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-a-1.whl" == "a-1.whl"
    && small.numpy.pname == "numpy"
    # The stub has all that is taken from nixpkgs, and what nobody has is told.
    && import ./interface.nix { inherit pkgs; } == [ ]
    &&
      import ./interface.nix {
        inherit pkgs;
        more = "lib.optionalAttr; inherit (final.stdenv) mkDerivations; wrongHook = pyfinal.wheelfixNoHook;";
      } == [
        "more: lib.optionalAttr"
        "more: final.stdenv.mkDerivations"
        "slot wrongHook"
      ]
  );
}
