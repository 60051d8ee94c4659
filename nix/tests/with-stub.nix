# The tests under the stub package set: nix-build nix/tests/with-stub.nix -A builder.numpy ...
{
  # a JSON document: program, hostPython, hostPath, secondPython, hostLibraries
  host ? builtins.getEnv "WHEELFIX_HOST",
}:
import ./. {
  pkgs = import ./stub (
    builtins.fromJSON (builtins.readFile host)
    // {
      overlays = [
        (import ../overlay.nix)
        (import ./packages.nix)
      ];
    }
  );
}
