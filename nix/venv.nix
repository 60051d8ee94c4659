# Virtual environments of uv, pip and Poetry in a shell.
#   mkShell { packages = [ python3 uv (wheelfix.lib.venvHook { inherit pkgs; }) ]; }
{ defaultLibs }:
{
  pkgs,
  # what wheels may take from the system
  libs ? defaultLibs pkgs,
  # where the graphics driver's libraries are at run time
  driver ? "/run/opengl-driver/lib",
  # further options of `wheelfix patch`, without blanks
  options ? [ ],
  wheelfix ? pkgs.wheelfix or (pkgs.callPackage ./package.nix { }),
}:
let
  inherit (pkgs) lib;
  programs = [
    "uv"
    "pip"
    "pip3"
    "poetry"
  ];
  variables = {
    WHEELFIX_LIB_PATH = builtins.concatStringsSep ":" (
      lib.unique (map (drv: "${lib.getLib drv}") libs)
    );
    WHEELFIX_VENV_OPTIONS = toString ([ "--driver-path=${driver}" ] ++ options);
    WHEELFIX_VENV_SKIP = "${hook}/bin";
  };
  # Programs on PATH, as functions of a shell do not reach make and editors. The setup hook puts them in front of all
  # others, in whatever order the packages of a shell are listed.
  hook =
    pkgs.runCommand "wheelfix-venv-hook"
      {
        passthru = {
          inherit variables;
          program = "${wheelfix}/bin/wheelfix";
        };
        libPath = variables.WHEELFIX_LIB_PATH;
        venvOptions = variables.WHEELFIX_VENV_OPTIONS;
      }
      ''
        mkdir -p $out/bin $out/nix-support
        for name in ${toString programs}; do
          {
            echo "#!/bin/sh"
            echo "export WHEELFIX_VENV_SKIP=$out/bin"
            echo 'exec ${wheelfix}/bin/wheelfix venv-run '$name' "$@"'
          } >$out/bin/$name
          chmod +x $out/bin/$name
        done
        {
          printf 'export WHEELFIX_LIB_PATH=%q\n' "$libPath"
          printf 'export WHEELFIX_VENV_OPTIONS=%q\n' "$venvOptions"
          echo "export WHEELFIX_VENV_SKIP=$out/bin"
          echo "wheelfixVenvPath() { export PATH=$out/bin:\$PATH; }"
          echo "postHooks+=(wheelfixVenvPath)"
        } >$out/nix-support/setup-hook
        # Programs of an environment that is activated come before those of the shell: functions do not mind.
        ${wheelfix}/bin/wheelfix venv-hook bash >>$out/nix-support/setup-hook
      '';
in
hook
