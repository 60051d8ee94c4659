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

  # The name of a store path without its hash.
  nameOf =
    path:
    let
      base = builtins.unsafeDiscardStringContext (baseNameOf (toString path));
      hashed = match "[0-9a-z]{32}-(.*)" base;
    in
    if hashed == null then base else elemAt hashed 0;

  # An overlay: one torch, or another package, for a whole Python set.
  #   torchEverywhere { torch = py: py.torch-bin; torchvision = py: py.torchvision-bin; }
  torchEverywhere = chosen: _final: prev: {
    pythonPackagesExtensions = (prev.pythonPackagesExtensions or [ ]) ++ [
      (pyfinal: _pyprev: mapAttrs (_: choose: choose pyfinal) chosen)
    ];
  };
}
