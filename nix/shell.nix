# What the chores of the repository need.
{ pkgs }:
pkgs.mkShell {
  packages = [
    pkgs.cargo
    pkgs.clippy
    pkgs.rustc
    pkgs.rustfmt
    pkgs.cargo-nextest
    pkgs.binutils
    pkgs.elfutils
    pkgs.patchelf
    pkgs.shellcheck
    pkgs.nixfmt
    pkgs.deadnix
    pkgs.python311
  ];
}
