# The packages of a lock file, from the document that `wheelfix lock` makes of it.
{
  lib,
  # the Python -> mkWheel, mkEnv
  buildersFor,
  defaultLibs,
  # those that a package may use besides, by its normalised name
  packageLibs,
  fetchFile,
  hostPlatform,
  runCommand,
  mkShell,
}:
{
  # the document: a file, or what is in it
  lock,
  # the directory of the lock file, for files at paths and for projects that lie in directories
  root ? null,
  python,
  # the name of one of the targets; by default the one of `python` and of this system
  target ? null,
  select ? "default",
  # what every wheel may use, beside the wheels that it requires
  libs ? defaultLibs,
  # requirements to drop the version bounds of, in all packages that have them; `true` for all
  relax ? [ ],
  # "nixpkgs" takes the libraries of `cudaPackages` in the place of NVIDIA's wheels
  cuda ? "wheels",
  cudaPackages ? throw "fromLock: `cuda = \"nixpkgs\"` needs `cudaPackages`, as `pkgs.cudaPackages_13`",
  # what packages require of which the lock does not say it, by name: { gitly = [ "numpy" ]; }
  dependencies ? { },
  # what a package that is not a wheel is built with, by name; else setuptools
  buildSystems ? { },
  # further arguments of mkWheel, by package: { torch.exclude = [ "**/test/**" ]; }
  settings ? { },
  # further arguments of mkEnv, for what has all packages: { onCollision = [ "bin/tensorboard=first" ]; }
  environment ? { },
  # packages from elsewhere, by name: { gdal = py: py.gdal; }
  nixpkgs ? { },
  # names of packages that may have another version there than in the lock; `true` for all
  otherVersions ? [ ],
  # an overlay for the set of packages
  overrides ? _final: _prev: { },
  # how a file at a URL is fetched, as one of a private index has to be
  fetchurl ? fetchFile,
}:
let
  inherit (builtins)
    attrNames
    attrValues
    concatStringsSep
    elem
    filter
    head
    length
    mapAttrs
    ;
  wlib = import ./lib;
  inherit (buildersFor python) mkWheel mkEnv;
  names = values: concatStringsSep ", " (attrNames values);

  document =
    let
      read = if builtins.isAttrs lock then lock else builtins.fromJSON (builtins.readFile lock);
    in
    if read.version or null == 1 then
      read
    else
      throw "fromLock: the document has version ${
        toString (read.version or "none")
      }, this reads 1: make it anew with `wheelfix lock`";

  isMusl = hostPlatform.isMusl or false;
  fits =
    name:
    let
      it = document.targets.${name};
    in
    it.system == hostPlatform.system
    && it.python == python.pythonVersion
    && (builtins.match "musl.*" it.libc != null) == isMusl;
  fitting = filter fits (attrNames document.targets);
  chosen =
    if target != null then
      target
    else if length fitting == 1 then
      head fitting
    else
      throw "fromLock: ${
        if fitting == [ ] then "no target is" else "several targets are"
      } for Python ${python.pythonVersion} on ${hostPlatform.system}; the lock has ${names document.targets}: name one with `target`, or make it with `wheelfix lock --target`";
  selections =
    (document.targets.${chosen}
      or (throw "fromLock: there is no target `${chosen}`; the lock has ${names document.targets}")
    ).selections;
  locked =
    (selections.${select}
      or (throw "fromLock: there is no selection `${select}`; the lock has ${names selections}: `wheelfix lock --select ${select}=...` makes it")
    ).packages;

  # Without those whose libraries nixpkgs has.
  entries = mapAttrs withDependencies (lib.filterAttrs (name: _: !isOfCuda name) locked);
  withDependencies =
    name: entry:
    if !(dependencies ? ${name}) then
      entry
    else if entry.dependencies != null then
      throw "fromLock: the lock says itself what ${name} requires: take that from `dependencies`"
    else
      entry // { dependencies = map known dependencies.${name}; };
  known =
    name:
    if locked ? ${name} then
      name
    else
      throw "fromLock: `dependencies` has ${name}, which is not in selection `${select}`";
  isOfCuda = name: cuda == "nixpkgs" && cudaNames ? ${name};
  # name in the lock -> attribute of cudaPackages
  cudaNames =
    let
      attributeOf =
        name:
        let
          parts = builtins.match "nvidia-([a-z-]*[a-z])(-cu[0-9]+)?" name;
        in
        if name == "cuda-toolkit" then
          null
        else if parts == null then
          ""
        else
          cudaAttributes.${head parts} or "";
      known = lib.filterAttrs (_: attribute: attribute != "");
    in
    known (mapAttrs (name: _: attributeOf name) locked);
  cudaAttributes = {
    cublas = "libcublas";
    cuda-cccl = "cuda_cccl";
    cuda-cupti = "cuda_cupti";
    cuda-nvrtc = "cuda_nvrtc";
    cuda-runtime = "cuda_cudart";
    cudnn = "cudnn";
    cufft = "libcufft";
    cufile = "libcufile";
    curand = "libcurand";
    cusolver = "libcusolver";
    cusparse = "libcusparse";
    cusparselt = "libcusparse_lt";
    nccl = "nccl";
    nvjitlink = "libnvjitlink";
    nvshmem = "libnvshmem";
    nvtx = "cuda_nvtx";
  };
  cudaLibs =
    if cuda == "nixpkgs" then
      map (attribute: cudaPackages.${attribute}) (
        lib.unique (filter (attribute: attribute != null) (attrValues cudaNames))
      )
    else if cuda == "wheels" then
      [ ]
    else
      throw "fromLock: `cuda` is \"wheels\" or \"nixpkgs\", got: ${cuda}";

  # The name of a file without the number of one that has a namesake.
  nameOf = key: head (builtins.split "#" key);
  files = mapAttrs (
    key: file:
    if file ? url then
      fetchurl {
        name = nameOf key;
        inherit (file) url hash;
      }
    else
      builtins.path (
        {
          path = placeOf key file.path;
          name = nameOf key;
        }
        # Another file than the one of the lock is an error then.
        // lib.optionalAttrs (lib.hasPrefix "sha256-" (toString file.hash)) {
          recursive = false;
          sha256 = file.hash;
        }
      )
  ) document.files;

  # Where a path of the lock is on this machine.
  isAbsolute = lib.hasPrefix "/";
  placeOf =
    name: path:
    let
      place = if isAbsolute path then /. + path else root + "/${path}";
      why =
        if isAbsolute path then
          "a path that does not begin at the lock is read only by an evaluation with `--impure`"
        else if lib.hasPrefix "../" path then
          "that is outside of `root`; a flake reads nothing but what git tracks of its own repository: one that has both, with `root = ./PROJECT`, will do, or `nixpkgs` with the package from elsewhere"
        else
          "`root` has to be the directory of the lock, and a flake reads nothing but what git tracks";
    in
    if !isAbsolute path && root == null then
      throw "fromLock: `${name}` lies at `${path}` beside the lock: name its directory with `root`"
    else if builtins.pathExists place then
      place
    else
      throw "fromLock: `${name}` lies at `${path}`, where nothing is: ${why}";

  # What lies in a directory is built if it is said where; a virtual project is not installed at all.
  isLocal =
    entry: entry ? virtual || entry ? directory && root == null && !isAbsolute entry.directory.path;
  # those of which nobody says what they require
  silent = filter (name: entries.${name}.dependencies == null) (attrNames entries);
  isKnown = silent == [ ];
  requiresOf =
    name:
    let
      requires = entries.${name}.dependencies;
    in
    if requires == null then [ ] else requires;
  required = name: filter (other: other != name && !isOfCuda other) (requiresOf name);

  unknown =
    names: setting:
    "fromLock: the lock does not say what ${concatStringsSep ", " names} requires, which ${setting} needs: `wheelfix lock --fetch` asks the index, and finds nothing out about repositories and directories; ${
      concatStringsSep " " (map (name: "`dependencies.${name} = [ ... ];`") names)
    } says it, by names of the lock";
  # The requirements whose bounds go; one that no package has is a rule that is stale.
  relaxed =
    if relax == [ ] then
      [ ]
    else if !isKnown then
      throw (unknown silent "`relax`")
    else if relax == true then
      true
    else
      let
        all = builtins.concatMap requiresOf (attrNames entries);
        stale = filter (name: !elem name all) relax;
      in
      if stale != [ ] then
        throw "fromLock: no package requires ${concatStringsSep ", " stale}: take that from `relax`"
      else
        relax;
  edits =
    name:
    let
      requires = requiresOf name;
      ours = if relaxed == true then requires != [ ] else filter (it: elem it requires) relaxed;
      # A virtual project is never installed, though others require it.
      gone = filter (it: isOfCuda it || (entries.${it} or { }) ? virtual) requires;
    in
    lib.optionalAttrs (ours != [ ] && ours != false) { relax = ours; }
    // lib.optionalAttrs (gone != [ ]) { removeDeps = gone; };

  # A directory of the project, without what tools leave in it.
  directoryOf =
    name: path:
    builtins.path {
      inherit name;
      path = placeOf name path;
      filter =
        path: _type:
        !elem (baseNameOf path) [
          ".git"
          ".venv"
          "__pycache__"
          "node_modules"
          "result"
        ];
    };
  # The wheel of a package that has none: built by nixpkgs' buildPythonPackage, of which only that is taken.
  wheelOf =
    name: entry:
    let
      src =
        if entry ? directory then
          directoryOf name entry.directory.path
        else if entry ? sdist then
          files.${entry.sdist}
        else
          builtins.fetchGit (
            {
              inherit (entry.git) url rev;
              # The commit may be on any branch, and installers take submodules along.
              allRefs = true;
              submodules = true;
            }
            # What Nix knows since 2.27.
            // lib.optionalAttrs (entry.git.lfs or false) { lfs = true; }
          );
      built = python.pkgs.buildPythonPackage {
        pname = name;
        version = versionOf entry;
        pyproject = true;
        inherit src;
        build-system = (buildSystems.${name} or (buildSystemOf name entry src)) python.pkgs;
        # Below a directory that only the archive names.
        ${if entry ? subdirectory then "postUnpack" else null} = "sourceRoot+=/${entry.subdirectory}";
        # Neither the tests nor what it requires is there.
        doCheck = false;
        dontCheckRuntimeDeps = true;
        catchConflicts = false;
      };
    in
    built.dist;
  # What a package says that it is built with: of an sdist if `wheelfix lock --fetch` has asked it.
  buildSystemOf =
    name: entry: src: py:
    map (
      tool:
      py.${tool}
        or (throw "fromLock: ${name} is built with ${tool}, of which nixpkgs has nothing by that name: `buildSystems.${name} = py: [ ... ]` says with what")
    ) (entry.build or (if entry ? sdist then [ "setuptools" ] else buildRequires entry src));
  # The names in `build-system.requires` of a tree, which is there when this is evaluated. What depends on a marker is
  # left out: it is for other Pythons and systems.
  buildRequires =
    entry: src:
    let
      file = "${src}/${entry.subdirectory or "."}/pyproject.toml";
      project = lib.optionalAttrs (builtins.pathExists file) (builtins.fromTOML (builtins.readFile file));
      requires = map wlib.parseRequirement (project.build-system.requires or [ "setuptools" ]);
    in
    map (it: it.name) (filter (it: it.marker == "") requires);
  versionOf = entry: if entry.version or null == null then "0" else entry.version;

  # The file of a wheel, or what is built.
  sourceOf =
    name:
    if entries.${name} ? wheel then files.${entries.${name}.wheel} else wheelOf name entries.${name};

  # The names that a package requires, directly or not, without those that it is made with.
  closure =
    members:
    let
      found = builtins.genericClosure {
        startSet = map (key: { inherit key; }) members;
        operator = item: map (key: { inherit key; }) (required item.key);
      };
    in
    filter (name: !elem name members) (map (item: item.key) found);
  membersOf =
    name:
    let
      component = entries.${name}.component or null;
    in
    if component == null then
      [ name ]
    else
      filter (other: entries.${other}.component or null == component) (attrNames entries);

  # Only such a one has libraries; of what is built nobody knows.
  isForMachine =
    name:
    !(entries.${name} ? wheel)
    || wlib.systemsOf (wlib.parseWheelName (nameOf entries.${name}.wheel)) != null;

  make =
    final: name: _entry:
    let
      members = membersOf name;
      first = head members;
      others = filter (other: !isLocal entries.${other}) (closure members);
      direct = filter (other: !elem other members && !isLocal entries.${other}) (
        builtins.concatMap required members
      );
      srcs = map sourceOf members;
      silentHere = filter (other: elem other silent) (members ++ others);
    in
    if isOfNixpkgs name then
      if otherwise == "" then ofNixpkgs name else throw otherwise
    else if silentHere != [ ] then
      throw "${unknown silentHere "`packages.${name}`"}; `env` has all packages in one place, and needs none of it"
    else if name != first then
      final.${first}
    else
      mkWheel (
        {
          inherit python;
          libs = libsFor members ++ cudaLibs ++ map (other: final.${other}) (filter isForMachine others);
          dependencies = lib.unique (map (other: final.${other}) direct);
        }
        // (if length srcs == 1 then { src = head srcs; } else { inherit srcs; })
        # The file of what is built has a name that nobody knows yet.
        // lib.optionalAttrs (!(entries.${first} ? wheel)) {
          isBuilt = true;
          pname = first;
          version = versionOf entries.${first};
        }
        // builtins.foldl' (all: member: all // edits member) { } members
        // builtins.foldl' (all: member: all // settings.${member} or { }) { } members
      );

  isOfNixpkgs = name: nixpkgs ? ${name} || entries.${name} ? nixpkgs;
  ofNixpkgs =
    name:
    if nixpkgs ? ${name} then
      nixpkgs.${name} python.pkgs
    else
      builtins.foldl' (set: part: set.${part}) python.pkgs (lib.splitString "." entries.${name}.nixpkgs);
  # What is wrong with the versions of these, all at once; who replaces a package chooses its version, too.
  otherwise =
    let
      taken = filter isOfNixpkgs (attrNames installed);
      mayDiffer = name: otherVersions == true || elem name otherVersions;
      got =
        name:
        let
          it = ofNixpkgs name;
        in
        it.version or (builtins.parseDrvName it.name or "").version;
      isOther =
        name:
        let
          wanted = entries.${name}.version or null;
        in
        wanted != null && got name != "" && trimmed (got name) != trimmed wanted;
      # As 1.0 is 1.
      trimmed =
        version:
        if lib.hasSuffix ".0" version then
          trimmed (builtins.substring 0 (builtins.stringLength version - 2) version)
        else
          version;
      others = filter (name: !mayDiffer name && !(changed ? ${name}) && isOther name) taken;
      stale = if otherVersions == true then [ ] else filter (name: !elem name taken) otherVersions;
    in
    if stale != [ ] then
      "fromLock: ${concatStringsSep ", " stale} is not taken from nixpkgs: take that from `otherVersions`"
    else if others != [ ] then
      "fromLock: nixpkgs has other versions than the lock: ${
        concatStringsSep ", " (map (name: "${name} ${got name} for ${entries.${name}.version}") others)
      }: `otherVersions = [ ${
        concatStringsSep " " (map (name: "\"${name}\"") others)
      } ]` takes them, `nixpkgs.NAME = py: ...` another package"
    else
      "";

  installed = lib.filterAttrs (_: entry: !isLocal entry) entries;
  prev = mapAttrs (make packages) installed;
  changed = overrides packages prev;
  packages = prev // changed;

  # Where the lock does not say what requires what, wheels find each other in one place.
  input =
    name:
    if isKnown || changed ? ${name} || isOfNixpkgs name then
      packages.${name}
    else if settings ? ${name} then
      throw (unknown silent "`settings.${name}`")
    else if cudaNames != { } && cuda == "nixpkgs" then
      throw (unknown silent "`cuda = \"nixpkgs\"`")
    else
      builtins.seq relaxed (sourceOf name);
  # What every wheel may use, and what those of these packages may use besides.
  libsFor = names: libs ++ builtins.concatMap packageLibs names;

  envOf =
    names: more:
    mkEnv (
      {
        inherit python;
        libs = libsFor (attrNames installed);
        packages = lib.unique (map input names ++ more);
      }
      // environment
    );

  # What lies in a directory, by name: its path, relative to the root.
  members = mapAttrs (_: entry: entry.directory.path) (
    lib.filterAttrs (_: entry: entry ? directory) entries
  );
  editableOf = import ./editable.nix { inherit python runCommand; };
in
{
  inherit files packages;

  # All packages in one site-packages, with what lies in directories if `root` says where.
  env =
    if packages == { } then
      throw "fromLock: nothing is installed of selection `${select}`; the lock has ${names selections}"
    else
      envOf (attrNames packages) [ ];

  # One package and what it requires, with its programs.
  application =
    name:
    mkEnv {
      name = "${name}-${versionOf (entries.${name} or { })}";
      inherit python;
      libs = libsFor (attrNames installed);
      packages = [ packages.${name} ];
      meta.mainProgram = name;
    };

  # A shell with all packages, in which those that lie in directories are read where they lie: below $REPO_ROOT,
  # which is the directory that the shell is entered in.
  shell =
    {
      # names of those; the others are built
      editable ? attrNames members,
      # what else the shell has
      packages ? [ ],
    }:
    let
      unknown = filter (name: !(members ? ${name})) editable;
      env = envOf (filter (name: !elem name editable) (attrNames installed)) (
        map (
          name:
          editableOf (
            edits name
            // {
              inherit name;
              version = versionOf entries.${name};
              path = members.${name};
              directory = placeOf name members.${name};
            }
          )
        ) editable
      );
    in
    if root == null then
      throw "fromLock: `shell` needs `root`, the directory of the lock"
    else if unknown != [ ] then
      throw "fromLock: ${concatStringsSep ", " unknown} is not in a directory of the lock; it has ${names members}"
    else
      mkShell {
        packages = [ env ] ++ packages;
        shellHook = ''
          export REPO_ROOT="''${REPO_ROOT-$PWD}"
        '';
        passthru = { inherit env; };
      };
}
