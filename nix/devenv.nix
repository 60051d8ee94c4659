# A module for devenv: imports = [ "${wheelfix}/nix/devenv.nix" ]; wheelfix.enable = true;
{
  config,
  lib,
  pkgs,
  ...
}:
let
  settings = config.wheelfix;
  hook = (import ./lib).venvHook {
    inherit pkgs;
    inherit (settings) libs driver options;
  };
  path = ''
    export PATH=${hook}/bin:$PATH
  '';
in
{
  options.wheelfix = {
    enable = lib.mkEnableOption "wheels that work in virtual environments";
    libs = lib.mkOption {
      type = lib.types.listOf lib.types.package;
      default = (import ./lib).defaultLibs pkgs;
      description = "Libraries that wheels may take from the system.";
    };
    driver = lib.mkOption {
      type = lib.types.str;
      default = "/run/opengl-driver/lib";
      description = "Where the graphics driver's libraries are at run time.";
    };
    options = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      description = "Further options of `wheelfix patch`.";
    };
  };
  config = lib.mkIf settings.enable {
    # Not among `packages`: there the wrappers would collide with what they wrap.
    env = hook.variables;
    enterShell = lib.mkMerge [
      (lib.mkBefore path)
      # An environment is activated meanwhile, and devenv fills it by programs that it calls by their paths: `uv sync`,
      # `poetry install`, `pip install`.
      (lib.mkAfter (
        path
        + ''
          ${hook.program} venv-run --within-uv-run
        ''
      ))
    ];
  };
}
