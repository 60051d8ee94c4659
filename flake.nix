{
  description = "wheelfix: binary Python wheels that work on Nix";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forAll =
        f:
        builtins.listToAttrs (
          map (system: {
            name = system;
            value = f (
              import nixpkgs {
                inherit system;
                overlays = [ self.overlays.default ];
              }
            );
          }) systems
        );
    in
    {
      overlays.default = import ./nix/overlay.nix;

      # pure functions, and `torchEverywhere`
      lib = import ./nix/lib;

      packages = forAll (pkgs: {
        default = pkgs.wheelfix;
        inherit (pkgs) wheelfix;
      });

      checks = forAll (pkgs: import ./nix/checks.nix { inherit pkgs; });

      devShells = forAll (pkgs: {
        default = import ./nix/shell.nix { inherit pkgs; };
      });

      templates.default = {
        path = ./nix/template;
        description = "PyTorch and bitsandbytes as published, built by wheelfix";
      };
    };
}
