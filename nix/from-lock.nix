# The packages of a lock file, from the document that `wheelfix lock` makes of it.
{
  lib,
  # the Python -> mkWheel, mkEnv
  buildersFor,
  defaultLibs,
  fetchFile,
  hostPlatform,
}:
{
  # the document: a file, or what is in it
  lock,
  # the directory of the lock file, for files at paths
  root ? null,
  python,
  # the name of one of the targets; by default the one of `python` and of this system
  target ? null,
  select ? "default",
  # what every wheel may use, beside the wheels that it requires
  libs ? defaultLibs,
  # further arguments of mkWheel, by package: { torch.exclude = [ "**/test/**" ]; }
  settings ? { },
  # packages from elsewhere, by name: { gdal = py: py.gdal; }
  nixpkgs ? { },
  # an overlay for the set of packages
  overrides ? _final: _prev: { },
  # how a file at a URL is fetched, as one of a private index has to be
  fetchurl ? fetchFile,
}:
let
  inherit (builtins)
    all
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
  entries =
    (selections.${select}
      or (throw "fromLock: there is no selection `${select}`; the lock has ${names selections}: `wheelfix lock --select ${select}=...` makes it")
    ).packages;

  # The name of a file without the number of one that has a namesake.
  nameOf = key: head (builtins.split "#" key);
  files = mapAttrs (
    key: file:
    if file ? url then
      fetchurl {
        name = nameOf key;
        inherit (file) url hash;
      }
    else if builtins.substring 0 1 file.path == "/" then
      builtins.path {
        path = /. + file.path;
        name = nameOf key;
      }
    else if root == null then
      throw "fromLock: `${key}` lies at `${file.path}` beside the lock: name its directory with `root`"
    else
      builtins.path {
        path = root + "/${file.path}";
        name = nameOf key;
      }
  ) document.files;

  # What lies in a directory of the project is not part of what is installed from the lock.
  isLocal = entry: entry ? virtual || entry ? directory;
  isKnown = all (entry: entry.dependencies != null) (attrValues entries);
  required = name: filter (other: other != name) entries.${name}.dependencies;

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

  # Only such a one has libraries.
  isForMachine =
    name:
    entries.${name} ? wheel
    && wlib.systemsOf (wlib.parseWheelName (nameOf entries.${name}.wheel)) != null;

  make =
    final: name: entry:
    let
      members = membersOf name;
      first = head members;
      others = filter (other: !isLocal entries.${other}) (closure members);
      direct = filter (other: !elem other members && !isLocal entries.${other}) (
        builtins.concatMap required members
      );
      srcs = map (member: files.${entries.${member}.wheel}) (filter isWheel members);
      isWheel = member: entries.${member} ? wheel;
    in
    if nixpkgs ? ${name} then
      nixpkgs.${name} python.pkgs
    else if entry ? nixpkgs then
      builtins.foldl' (set: part: set.${part}) python.pkgs (lib.splitString "." entry.nixpkgs)
    else if !(entry ? wheel) then
      throw "fromLock: ${name} ${entry.version or ""} has to be built${
        if entry ? why then " (${entry.why})" else ""
      }: give it with `overrides = final: prev: { ${name} = ...; }`, or take it from nixpkgs with `nixpkgs.${name} = py: py.${name}`"
    else if !isKnown then
      throw "fromLock: the lock does not say what ${name} requires, so that its libraries are not known: `env` has all packages in one place"
    else if name != first then
      final.${first}
    else
      mkWheel (
        {
          inherit python;
          libs = libs ++ map (other: final.${other}) (filter isForMachine others);
          dependencies = lib.unique (map (other: final.${other}) direct);
        }
        // (if length srcs == 1 then { src = head srcs; } else { inherit srcs; })
        // builtins.foldl' (all: member: all // settings.${member} or { }) { } members
      );

  installed = lib.filterAttrs (_: entry: !isLocal entry) entries;
  prev = mapAttrs (make packages) installed;
  changed = overrides packages prev;
  packages = prev // changed;

  # Where the lock does not say what requires what, wheels find each other in one place.
  input =
    name:
    if isKnown || changed ? ${name} || nixpkgs ? ${name} || !(entries.${name} ? wheel) then
      packages.${name}
    else
      files.${entries.${name}.wheel};
in
{
  inherit files packages;

  # All packages in one site-packages. A project that lies in a directory is not among them, unless `overrides` has it.
  env = mkEnv {
    inherit python libs;
    packages = lib.unique (map input (attrNames packages));
  };
}
