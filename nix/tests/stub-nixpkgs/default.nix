# Called as nixpkgs is: import nixpkgs { system = ...; overlays = [ ... ]; }
{
  system,
  overlays ? [ ],
}:
import (/. + builtins.getEnv "WHEELFIX_STUB") (
  builtins.fromJSON (builtins.readFile (/. + builtins.getEnv "WHEELFIX_HOST"))
  // {
    inherit overlays system;
  }
)
