# Pure functions: they need no package set.
let
  inherit (builtins)
    elemAt
    filter
    isString
    length
    mapAttrs
    match
    replaceStrings
    ;
  split = separator: text: filter isString (builtins.split separator text);
in
rec {
  # "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.whl" -> its parts
  parseWheelName =
    name:
    let
      stem = match "(.*)\\.whl" name;
      parts = split "-" (elemAt stem 0);
      n = length parts;
    in
    if stem == null || (n != 5 && n != 6) then
      throw "wheelfix: expected name-version[-build]-python-abi-platform.whl, got: ${name}"
    else
      {
        distribution = elemAt parts 0;
        version = elemAt parts 1;
        build = if n == 6 then elemAt parts 2 else null;
        pythons = split "\\." (elemAt parts (n - 3));
        abis = split "\\." (elemAt parts (n - 2));
        platforms = split "\\." (elemAt parts (n - 1));
      };

  # PEP 503
  normalizeName =
    name:
    let
      letters = text: builtins.genList (i: builtins.substring i 1 text) 26;
      lower =
        replaceStrings (letters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (letters "abcdefghijklmnopqrstuvwxyz")
          name;
    in
    builtins.concatStringsSep "-" (filter (part: part != "") (split "[-_.]+" lower));

  # `name[extra] >=1; marker` -> its normalized name, all but the bounds, and the marker
  parseRequirement =
    requirement:
    let
      parts = match "[[:space:]]*([A-Za-z0-9._-]+)[[:space:]]*(\\[[^]]*])?([^;]*)(;.*)?" requirement;
      part =
        at:
        let
          found = elemAt parts at;
        in
        if found == null then "" else found;
    in
    {
      name = normalizeName (part 0);
      free = part 0 + part 1 + part 3;
      marker = part 3;
      text = requirement;
    };

  # The name of a store path without its hash.
  nameOf =
    path:
    let
      base = builtins.unsafeDiscardStringContext (baseNameOf (toString path));
      hashed = match "[0-9a-z]{32}-(.*)" base;
    in
    if hashed == null then base else elemAt hashed 0;

  # The systems that a parsed file name is for, as `meta.platforms` has them; `null` for all of them.
  systemsOf =
    parsed:
    let
      # Nix calls most machines as wheels do.
      cpus = {
        ppc64 = "powerpc64";
        ppc64le = "powerpc64le";
      };
      linux =
        tag: match "(manylinux[0-9]+|manylinux_[0-9]+_[0-9]+|musllinux_[0-9]+_[0-9]+|linux)_(.*)" tag;
      mac = tag: match "macosx_[0-9]+_[0-9]+_(arm64|x86_64|intel|universal2)" tag;
      ofMac = {
        arm64 = [ "aarch64-darwin" ];
        intel = [ "x86_64-darwin" ];
        x86_64 = [ "x86_64-darwin" ];
        universal2 = [
          "aarch64-darwin"
          "x86_64-darwin"
        ];
      };
      of =
        tag:
        if linux tag != null then
          [ "${cpus.${elemAt (linux tag) 1} or (elemAt (linux tag) 1)}-linux" ]
        else if mac tag != null then
          ofMac.${elemAt (mac tag) 0}
        else
          [ ];
      add = found: system: if builtins.elem system found then found else found ++ [ system ];
    in
    if builtins.elem "any" parsed.platforms then
      null
    else
      builtins.foldl' add [ ] (builtins.concatMap of parsed.platforms);

  # Whether what is built for the second platform cannot run on the first.
  isCross =
    buildPlatform: hostPlatform:
    let
      isMusl = platform: platform.isMusl or false;
    in
    buildPlatform.system != hostPlatform.system || isMusl buildPlatform != isMusl hostPlatform;

  # The name of a target, for `wheelfix lock --target` and the setting `target`.
  #   targetOf { inherit (pkgs.stdenv) hostPlatform; inherit (pkgs.python3) pythonVersion version; }
  #   -> "aarch64-linux-cp313.2"
  targetOf =
    {
      hostPlatform,
      # "3.13"
      pythonVersion,
      # the whole version, "3.13.2"
      version ? "",
      implementation ? "cpython",
      isFreeThreaded ? false,
    }:
    let
      parts = split "-" hostPlatform.system;
      isDarwin = elemAt parts 1 == "darwin";
      isMusl = hostPlatform.isMusl or false;
      names = {
        powerpc64 = "ppc64";
        powerpc64le = "ppc64le";
      };
      cpu = names.${elemAt parts 0} or (elemAt parts 0);
      # PyPy has a version of its own.
      isOfPython = builtins.substring 0 (builtins.stringLength pythonVersion) version == pythonVersion;
      micro = if isOfPython then match "[0-9]+\\.[0-9]+(\\.[0-9]+((a|b|rc)[0-9]+)?)" version else null;
    in
    builtins.concatStringsSep "-" [
      cpu
      (
        if isDarwin then
          "macos"
        else if isMusl then
          "musl"
        else
          "linux"
      )
      (
        (if implementation == "pypy" then "pp" else "cp")
        + replaceStrings [ "." ] [ "" ] pythonVersion
        + (if isFreeThreaded then "t" else "")
        + (if micro == null then "" else elemAt micro 0)
      )
    ];

  # The same for a Python of nixpkgs.
  targetOfPython =
    hostPlatform: python:
    targetOf {
      inherit hostPlatform;
      inherit (python) pythonVersion;
      version = python.version or "";
      implementation = python.implementation or "cpython";
      isFreeThreaded = match ".*t/site-packages" python.sitePackages != null;
    };

  # The libraries that a wheel may expect of any system, and gcc's runtimes: those of the manylinux
  # policies. What is not used is not referred to.
  defaultLibs =
    pkgs:
    let
      isOther = drv: "${drv}" != "${pkgs.stdenv.cc.libc}";
    in
    filter isOther (
      [
        pkgs.stdenv.cc.cc.lib
        pkgs.gfortran.cc.lib
        pkgs.zlib
      ]
      ++ pkgs.pythonManylinuxPackages.manylinux2014
    );

  # The libraries that the wheels of a package need of the system besides those, by its normalised name: what
  # package-libs.json knows, as far as `pkgs` has it.
  #   packageLibs pkgs "sounddevice" -> [ pkgs.portaudio ]
  packageLibs =
    pkgs:
    let
      known = builtins.fromJSON (builtins.readFile ./package-libs.json);
      step = set: name: if set == null then null else set.${name} or null;
      find = attribute: builtins.foldl' step pkgs (split "\\." attribute);
      # One that has gone, or that this nixpkgs refuses to build, is none.
      isThere = drv: (builtins.tryEval (drv != null && isString "${drv}")).value;
    in
    name: filter isThere (map find (known.${name} or [ ]));

  # For `packages` of a shell: what uv, pip and Poetry install in virtual environments works.
  #   venvHook { inherit pkgs; libs = wheelfix.lib.defaultLibs pkgs ++ [ pkgs.libGL ]; }
  venvHook = import ../venv.nix { inherit defaultLibs; };

  # An overlay: one torch, or another package, for a whole Python set.
  #   torchEverywhere { torch = py: py.torch-bin; torchvision = py: py.torchvision-bin; }
  torchEverywhere = chosen: _final: prev: {
    pythonPackagesExtensions = (prev.pythonPackagesExtensions or [ ]) ++ [
      (pyfinal: _pyprev: mapAttrs (_: choose: choose pyfinal) chosen)
    ];
  };
}
