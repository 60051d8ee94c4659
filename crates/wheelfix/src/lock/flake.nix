{
  description = @description@;

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    wheelfix.url = "github:wheelfix/wheelfix";
    wheelfix.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    { nixpkgs, wheelfix, ... }:
    let
      # The targets of wheelfix.lock.json; of each system the first Python is the default one.
      targets = {
@targets@      };
      pkgsOf =
        system:
        import nixpkgs {
          inherit system;
          overlays = [ wheelfix.overlays.default ];
        };
      locked =
        system: python:
        let
          pkgs = pkgsOf system;
        in
        pkgs.fromLock {
          lock = ./wheelfix.lock.json;@root@
          python = pkgs.${python};
        };
    in
    {
      # All packages in one site-packages: `nix build`, or `nix build .#python313`.
      packages = builtins.mapAttrs (
        system: pythons:
        builtins.listToAttrs (
          map (name: {
            inherit name;
            value = (locked system name).env;
          }) pythons
        )
        // {
          default = (locked system (builtins.head pythons)).env;
        }
      ) targets;

      # `nix develop`
      devShells = builtins.mapAttrs (system: pythons: {
        default = @shell@;
      }) targets;
    };
}
