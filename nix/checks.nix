# What `nix flake check` builds: with nixpkgs, or with the stub in its place.
{ pkgs }:
let
  wlib = import ./lib;
  parsed = wlib.parseWheelName "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl";
in
{
  inherit (pkgs) wheelfix;
  patch-hook = pkgs.wheelfixPatchHook;
  install-hook = pkgs.python3.pkgs.wheelfixInstallHook;

  functions =
    assert parsed.version == "2.4.6";
    assert builtins.length parsed.platforms == 2;
    assert wlib.normalizeName "Foo_Bar.baz" == "foo-bar-baz";
    assert wlib.nameOf "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-a-1.whl" == "a-1.whl";
    pkgs.runCommand "functions" { } "echo ok >$out";

  # A program relocated by the hook, in a package that is no Python.
  patched = pkgs.stdenv.mkDerivation {
    name = "patched";
    dontUnpack = true;
    nativeBuildInputs = [ pkgs.wheelfixPatchHook ];
    installPhase = "mkdir -p $out/lib; cp -L ${pkgs.zlib}/lib/libz.so.1 $out/lib";
  };
}
