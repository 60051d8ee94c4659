# What fromLock makes of documents.
{ pkgs }:
let
  inherit (pkgs) lib;
  test = name: pkgs.runCommand "test-${name}" { };
  throws = value: !(builtins.tryEval value).success;
in
{
  # A lock with two packages that require each other, which only `nix/tests/lock/uv.lock` says.
  from-lock =
    let
      locked =
        args:
        pkgs.fromLock (
          {
            lock = ./lock/wheelfix.lock.json;
            libs = pkgs.runtimes;
          }
          // args
        );
      inherit (locked { }) packages env;
      document = builtins.fromJSON (builtins.readFile ./lock/wheelfix.lock.json);
      changed = locked { overrides = _final: _prev: { docutils = small; }; };
      small = pkgs.runCommand "docutils" { } "mkdir $out";
      # As of a pylock.toml: nothing is said of what packages require.
      selection = document.targets.x86_64-linux-cp311.selections.default;
      silent = document // {
        targets.x86_64-linux-cp311 = document.targets.x86_64-linux-cp311 // {
          selections.default.packages = lib.mapAttrs (
            _: entry: entry // { dependencies = null; }
          ) selection.packages;
        };
      };
      one = locked { lock = silent; };
      empty = locked {
        lock = document // {
          targets.x86_64-linux-cp311 = document.targets.x86_64-linux-cp311 // {
            selections.default.packages = { };
          };
        };
      };
      newer = locked {
        lock = document // {
          version = 2;
        };
      };
    in
    assert packages.greenlet.drvPath == packages.pygments.drvPath;
    assert !(packages ? app);
    assert changed.packages.docutils == small;
    assert throws (locked { select = "gpu"; }).env.drvPath;
    assert throws (locked { target = "x86_64-linux-cp313"; }).env.drvPath;
    assert throws newer.env.drvPath;
    assert throws empty.env.drvPath;
    assert throws one.packages.numpy.drvPath;
    test "from-lock" ''
      for env in ${env} ${one.env}; do
        $env/bin/python -c 'import docutils, greenlet, pygments, scipy.linalg; scipy.linalg.inv([[2.0]])'
      done
      touch $out
    '';

  # The same wheels of locks that say less: a poetry.lock with answers of an index, a pylock.toml of pip, and a
  # sources.yaml of Makes, whose requirements nobody says.
  from-other-locks =
    let
      envWith =
        args: lock:
        (pkgs.fromLock (
          {
            inherit lock;
            libs = pkgs.runtimes;
          }
          // args
        )).env;
      envs = map (envWith { }) [
        ./lock/poetry.lock.json
        ./lock/pylock.toml.json
        ./lock/sources.yaml.json
      ];
      isRefused = args: throws (envWith args ./lock/sources.yaml.json).drvPath;
    in
    # What nobody could tell to the packages that it is about.
    assert isRefused { relax = [ "numpy" ]; };
    assert isRefused { relax = true; };
    assert isRefused { settings.scipy.exclude = [ "**/tests/**" ]; };
    test "from-other-locks" ''
      for env in ${toString envs}; do
        $env/bin/python -c 'import docutils, greenlet, pygments, scipy.linalg; scipy.linalg.inv([[2.0]])'
      done
      touch $out
    '';

  # Projects that lie in directories: built, or read where they lie.
  from-lock-members =
    let
      document = builtins.fromJSON (builtins.readFile ./lock/wheelfix.lock.json);
      project =
        packages:
        document
        // {
          targets.x86_64-linux-cp311 = document.targets.x86_64-linux-cp311 // {
            selections.default = {
              roots = [ "app" ];
              inherit packages;
            };
          };
        };
      packages = {
        app = {
          version = "0.1.0";
          directory = {
            path = ".";
            editable = true;
          };
          dependencies = [
            "docutils"
            "part"
          ];
        };
        part = {
          version = "0.2.0";
          directory = {
            path = "part";
            editable = true;
          };
          dependencies = [ ];
        };
        docutils = {
          version = "0.17.1";
          wheel = "docutils-0.17.1-py2.py3-none-any.whl";
          dependencies = [ ];
        };
      };
      locked =
        args:
        pkgs.fromLock (
          {
            lock = project packages;
            root = ./lock/project;
            libs = pkgs.runtimes;
            # The project wants another docutils than is locked.
            relax = [ "docutils" ];
          }
          // args
        );
      made = locked { };
      shell = made.shell { };
      half = made.shell { editable = [ "app" ]; };
      # The same from an archive.
      archived = locked {
        lock =
          project (
            packages
            // {
              part = removeAttrs packages.part [ "directory" ] // {
                sdist = "part-0.2.0.tar.gz";
                why = "it has no wheels";
              };
            }
          )
          // {
            files = document.files // {
              "part-0.2.0.tar.gz" = {
                url = "https://files.example.org/part-0.2.0.tar.gz";
                hash = "";
              };
            };
          };
        fetchurl =
          file:
          if lib.hasSuffix ".tar.gz" file.name then
            pkgs.runCommand "part-0.2.0.tar.gz" { } ''
              cp -r ${./lock/project/part} part-0.2.0
              tar czf $out part-0.2.0
            ''
          else
            pkgs.fetchurl file;
        buildSystems.part = py: [ py.flit-core ];
      };
      # Build systems that differ by their names.
      python = pkgs.python3 // {
        pkgs =
          pkgs.python3.pkgs
          // lib.genAttrs [ "flit-core" "setuptools" ] (name: pkgs.runCommand name { } "touch $out");
      };
      # As `--fetch` says it.
      told =
        tools:
        locked {
          inherit python;
          lock = project (
            packages
            // {
              part = packages.part // {
                build = tools;
              };
            }
          );
        };
      # As a pylock.toml has it, or a poetry.lock with a repository: nobody says what some require.
      unsaid =
        names: args:
        locked (
          {
            lock = project (
              packages // lib.genAttrs names (name: packages.${name} // { dependencies = null; })
            );
            relax = [ ];
            # Nothing drops the bound of the project.
            environment.allowUnmet = [ "docutils" ];
          }
          // args
        );
      oneUnsaid = unsaid [ "part" ] { };
      allUnsaid = unsaid (builtins.attrNames packages) { };
      saying = unsaid [ "part" ] {
        dependencies.part = [ ];
        relax = [ "docutils" ];
        environment = { };
      };
    in
    assert throws oneUnsaid.packages.app.drvPath;
    assert !throws oneUnsaid.packages.docutils.drvPath;
    assert !throws saying.packages.app.drvPath;
    assert
      !throws
        (unsaid [ "part" ] {
          dependencies.part = [ ];
          settings.part.exclude = [ "nothing" ];
        }).env.drvPath;
    assert throws (unsaid [ "part" ] { settings.part.exclude = [ "nothing" ]; }).env.drvPath;
    # What is not in the lock, and what that says itself.
    assert throws (unsaid [ "part" ] { dependencies.part = [ "absent" ]; }).env.drvPath;
    assert throws (locked { dependencies.part = [ "docutils" ]; }).env.drvPath;
    assert throws (told [ "absent-tool" ]).env.drvPath;
    # Else as its pyproject.toml says.
    assert (told [ "flit-core" ]).env.drvPath == (locked { inherit python; }).env.drvPath;
    assert (told [ "setuptools" ]).env.drvPath != (locked { inherit python; }).env.drvPath;
    assert throws (locked { relax = [ "numpy" ]; }).env.drvPath;
    assert (locked { relax = true; }).packages.app.drvAttrs.wheelfix.relax == true;
    assert
      !(
        (locked {
          root = null;
          relax = [ ];
        }).packages
          ? app
      );
    assert throws (
      (locked {
        root = null;
        relax = [ ];
      }).shell
        { }
    );
    assert throws (made.shell { editable = [ "docutils" ]; });
    test "from-lock-members" ''
      want="built part 0.17.1"
      for env in ${made.env} ${made.application "app"} ${archived.env} ${oneUnsaid.env} ${allUnsaid.env} ${saying.env}; do
        [[ "$($env/bin/app)" == "$want" ]]
      done
      cp -r ${./lock/project} work
      chmod -R u+w work
      export REPO_ROOT=$PWD/work
      for env in ${shell.env} ${half.env} ${(allUnsaid.shell { editable = [ "app" ]; }).env}; do
        [[ "$($env/bin/app)" == "$want" ]]
        sed -i 's/"built"/"edited"/' work/src/app/__init__.py
        [[ "$($env/bin/app)" == "edited part 0.17.1" ]]
        sed -i 's/"edited"/"built"/' work/src/app/__init__.py
        $env/bin/python -c 'import importlib.metadata as it; assert it.version("app") == "0.1.0"'
      done
      grep -q REPO_ROOT ${builtins.toFile "hook" shell.shellHook}
      touch $out
    '';

  # NVIDIA's wheels, or what nixpkgs has in their place.
  from-lock-cuda =
    let
      document = builtins.fromJSON (builtins.readFile ./lock/wheelfix.lock.json);
      lockOf =
        change:
        document
        // {
          targets.x86_64-linux-cp311 = document.targets.x86_64-linux-cp311 // {
            selections.default = {
              roots = [ "numpy" ];
              packages = lib.mapAttrs (_: change) {
                numpy = {
                  version = "2.4.6";
                  wheel = "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl";
                  dependencies = [
                    "nvidia-cublas-cu12"
                    "nvidia-ml-py"
                  ];
                };
                nvidia-cublas-cu12 = {
                  version = "12";
                  wheel = "gone";
                  dependencies = [ ];
                };
                nvidia-ml-py = {
                  version = "1";
                  wheel = "docutils-0.17.1-py2.py3-none-any.whl";
                  dependencies = [ ];
                };
              };
            };
          };
        };
      locked =
        args:
        pkgs.fromLock (
          {
            lock = lockOf (entry: entry);
            libs = [ ];
            cudaPackages.libcublas = pkgs.zlib;
          }
          // args
        );
      ours = locked { cuda = "nixpkgs"; };
      inherit (ours.packages.numpy.drvAttrs) wheelfix;
      unsaid = locked {
        cuda = "nixpkgs";
        lock = lockOf (entry: entry // { dependencies = null; });
      };
    in
    assert wheelfix.removeDeps == [ "nvidia-cublas-cu12" ] && wheelfix.libs == [ "${pkgs.zlib}" ];
    # What is no library of CUDA stays.
    assert ours.packages ? nvidia-ml-py && !(ours.packages ? nvidia-cublas-cu12);
    assert (locked { }).packages ? nvidia-cublas-cu12;
    # Nobody can take requirements on what is gone from packages of which nobody knows them.
    assert throws unsaid.env.drvPath;
    assert throws (locked { cuda = "conda"; }).packages.numpy.drvPath;
    test "from-lock-cuda" "echo ok >$out";

  # One lock, two Pythons: each gets its own files of what it needs.
  from-lock-pythons =
    let
      locked =
        python:
        pkgs.fromLock {
          inherit python;
          lock = ./lock/pythons.lock.json;
          libs = python.libraries or pkgs.runtimes;
        };
      inherit (pkgs) python311 python313;
      older = locked python311;
      newer = locked python313;
    in
    assert older.packages ? docutils && !(newer.packages ? docutils);
    assert older.files == newer.files;
    test "from-lock-pythons" ''
      script='import greenlet, pygments, sys
      other = greenlet.greenlet(lambda: 40 + 2)
      tags = "cp%d%d" % sys.version_info[:2]
      assert tags in greenlet._greenlet.__spec__.origin.replace("cpython-3", "cp3"), greenlet._greenlet
      print(tags, other.switch(), pygments.__version__)'
      [[ "$(${older.env}/bin/python -c "$script; import docutils")" == "cp311 42 2.21.0" ]]
      [[ "$(${newer.env}/bin/python -c "$script")" == "cp313 42 2.21.0" ]]
      fails() { if "$@"; then exit 1; fi; }
      fails ${newer.env}/bin/python -c 'import docutils'
      # None refers to the Python of the other.
      fails grep -rlq ${python313} ${older.env}/ ${older.packages.greenlet}/
      fails grep -rlq ${python311} ${newer.env}/ ${newer.packages.greenlet}/
      grep -rlq ${python313} ${newer.env}/
      touch $out
    '';

  # Packages of nixpkgs, whose versions are not those of the lock by themselves.
  from-lock-nixpkgs =
    let
      document = builtins.fromJSON (builtins.readFile ./lock/wheelfix.lock.json);
      inherit (pkgs.python3.pkgs) pygments;
      locked =
        version: args:
        pkgs.fromLock (
          {
            lock = document // {
              targets.x86_64-linux-cp311 = document.targets.x86_64-linux-cp311 // {
                selections.default = {
                  roots = [ "docutils" ];
                  packages = {
                    docutils = {
                      version = "0.17.1";
                      wheel = "docutils-0.17.1-py2.py3-none-any.whl";
                      dependencies = [ "pygments" ];
                    };
                    pygments = {
                      inherit version;
                      nixpkgs = "pygments";
                      dependencies = [ ];
                    };
                  };
                };
              };
            };
            libs = [ ];
          }
          // args
        );
      isRefused = version: args: throws (locked version args).env.drvPath;
      made = locked "2.21" { };
      allowed = locked "2.20.0" { otherVersions = [ "pygments" ]; };
      without = removeAttrs pygments [ "version" ];
    in
    assert pygments.version == "2.21.0";
    assert made.packages.pygments.drvPath == pygments.drvPath;
    assert isRefused "2.20.0" { } && isRefused "2.21.0.1" { } && isRefused "2" { };
    # What depends on it is refused, too.
    assert throws (locked "2.20.0" { }).packages.docutils.drvPath;
    assert allowed.packages.docutils.drvPath == made.packages.docutils.drvPath;
    assert (locked "2.20.0" { otherVersions = true; }).env.drvPath == made.env.drvPath;
    # Where no version is locked there is none to compare.
    assert (locked null { }).env.drvPath == made.env.drvPath;
    # The name says it where nothing else does.
    assert isRefused "2.20.0" { nixpkgs.pygments = _: without; };
    assert !isRefused "2.21.0" { nixpkgs.pygments = _: without; };
    assert isRefused "2.21.0" { otherVersions = [ "docutils" ]; };
    # Who replaces the package has chosen it.
    assert !isRefused "2.20.0" { overrides = _final: _prev: { inherit pygments; }; };
    test "from-lock-nixpkgs" ''
      ${allowed.env}/bin/python -c 'import docutils, pygments; assert pygments.__version__ == "2.21.0"'
      touch $out
    '';
}
