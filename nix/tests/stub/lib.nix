# The functions of nixpkgs' lib that wheelfix and its tests use.
let
  inherit (builtins)
    attrNames
    functionArgs
    intersectAttrs
    isFunction
    listToAttrs
    ;
  letters = text: builtins.genList (i: builtins.substring i 1 text) 26;
in
rec {
  inherit (builtins)
    elem
    filter
    head
    mapAttrs
    ;
  splitString =
    separator: text: filter builtins.isString (builtins.split (escapeRegex separator) text);
  id = x: x;
  toList = x: if builtins.isList x then x else [ x ];
  toLower = builtins.replaceStrings (letters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (
    letters "abcdefghijklmnopqrstuvwxyz"
  );
  unique = builtins.foldl' (acc: x: if builtins.elem x acc then acc else acc ++ [ x ]) [ ];
  optional = condition: x: if condition then [ x ] else [ ];
  optionals = condition: xs: if condition then xs else [ ];
  optionalString = condition: text: if condition then text else "";
  optionalAttrs = condition: attrs: if condition then attrs else { };
  filterAttrs =
    keep: attrs:
    listToAttrs (
      map (name: {
        inherit name;
        value = attrs.${name};
      }) (filter (name: keep name attrs.${name}) (attrNames attrs))
    );
  genAttrs =
    names: f:
    listToAttrs (
      map (name: {
        inherit name;
        value = f name;
      }) names
    );
  extendDerivation =
    _condition: more: drv:
    let
      outputs = genAttrs drv.outputs (name: all // { inherit (drv.${name}) outPath drvPath outputName; });
      all = drv // outputs // more;
    in
    all;
  getLib = drv: drv.lib or drv.out or drv;
  fakeHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  getExe = drv: "${drv}/bin/${drv.meta.mainProgram}";
  fileset = {
    toSource = arguments: arguments;
    unions = files: files;
    difference = files: _others: files;
    maybeMissing = file: file;
  };
  hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
  hasInfix = infix: text: builtins.length (builtins.split (escapeRegex infix) text) > 1;
  escapeRegex =
    builtins.replaceStrings
      (map (c: c) [
        "."
        "-"
      ])
      [
        "\\."
        "-"
      ];
  hasSuffix =
    suffix: text:
    let
      n = builtins.stringLength suffix;
      m = builtins.stringLength text;
    in
    n <= m && builtins.substring (m - n) n text == suffix;
  licenses = genAttrs [ "mit" "asl20" "bsd3" ] (name: {
    spdxId = name;
  });
  composeManyExtensions =
    extensions: final: prev:
    builtins.foldl' (acc: extension: acc // extension final (prev // acc)) { } extensions;
  platforms.linux = [
    "x86_64-linux"
    "aarch64-linux"
  ];
  makeOverridable =
    f: args:
    let
      result = f args;
      override = new: makeOverridable f (args // (if isFunction new then new args else new));
    in
    if builtins.isAttrs result then
      result // { inherit override; }
    else
      {
        __functor = _: result;
        __functionArgs = functionArgs f;
        inherit override;
      };
  callPackageWith =
    scope: f: extra:
    let
      fn = if isFunction f then f else import f;
    in
    makeOverridable fn (intersectAttrs (functionArgs fn) scope // extra);
}
