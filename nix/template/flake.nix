{
  description = "PyTorch and bitsandbytes, built by wheelfix";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    wheelfix.url = "github:wheelfix/wheelfix";
    wheelfix.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    { nixpkgs, wheelfix, ... }:
    let
      system = "x86_64-linux";
      pkgs = import nixpkgs {
        inherit system;
        # CUDA's licence
        config.allowUnfree = true;
        overlays = [
          wheelfix.overlays.default
          # One torch for every package of the set: no `.override { torch = ...; }` for each.
          (
            final: prev:
            wheelfix.lib.torchEverywhere { torch = py: final.wheelfixed py.python py.torch-bin; } final prev
          )
          (_final: prev: {
            pythonPackagesExtensions = prev.pythonPackagesExtensions ++ [
              (pyfinal: _pyprev: {
                bitsandbytes = pyfinal.callPackage ./bitsandbytes.nix { };
              })
            ];
          })
        ];
      };
      python = pkgs.python3.withPackages (py: [
        py.torch
        py.bitsandbytes
      ]);
    in
    {
      packages.${system} = {
        default = python;
        inherit (pkgs.python3.pkgs) bitsandbytes;
      };
      devShells.${system}.default = pkgs.mkShell { packages = [ python ]; };
    };
}
