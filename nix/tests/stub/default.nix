# A package set with the few attributes of nixpkgs that wheelfix uses, made from the host's programs.
{
  # the program under test
  program,
  system ? builtins.currentSystem,
  # directory of the real wheels, already in the store under their hashes
  manifest ? ../../../test-wheels/wheels.toml,
  # the host's Python, and the directories of the host's programs
  hostPython,
  hostPath,
  # where Debian's packages of another Python are unpacked
  secondPython,
  # soname -> file, of the host's libraries
  hostLibraries,
  overlays ? [ ],
}:
let
  lib = import ./lib.nix;
  pythonVersion = (builtins.fromTOML (builtins.readFile manifest)).python;
  sitePackages = "lib/python${pythonVersion}/site-packages";
  wheels = (builtins.fromTOML (builtins.readFile manifest)).wheel;
  nameOf = file: builtins.head (builtins.split "-" file);
  fixed =
    name: sha256:
    derivation {
      inherit name system;
      builder = "builtin:fetchurl";
      url = "https://wheels.example.org/${name}";
      outputHashMode = "flat";
      outputHashAlgo = "sha256";
      outputHash = sha256;
      preferLocalBuild = true;
    };

  base =
    self:
    let
      libraries =
        name: sonames:
        self.runCommand name { } (
          "mkdir -p $out/lib\n"
          + builtins.concatStringsSep "\n" (
            map (
              soname:
              "install -m755 ${
                builtins.path {
                  path = /. + hostLibraries.${soname};
                  name = soname;
                }
              } $out/lib/${soname}"
            ) sonames
          )
        );
    in
    {
      inherit lib system;
      # Nothing is built for another machine, but by the tests that say so.
      pkgsBuildHost = self;
      targetPackages = self;
      callPackage = lib.callPackageWith self;
      runCommand =
        name: attributes: text:
        self.stdenv.mkDerivation (
          attributes
          // {
            inherit name;
            buildCommand = text;
          }
        );
      symlinkJoin =
        {
          name,
          paths,
          postBuild ? "",
        }:
        self.runCommand name { } ''
          mkdir $out
          for path in ${toString paths}; do
            cp -rs --no-preserve=mode $path/. $out
          done
          ${postBuild}
        '';
      stdenv = {
        mkDerivation = import ./stdenv.nix {
          inherit
            lib
            system
            hostPath
            sitePackages
            ;
        };
        inherit system;
        hostPlatform = {
          inherit system;
          isLinux = true;
          isx86_64 = true;
          isAarch64 = false;
          canExecute = _: true;
        };
        buildPlatform = self.stdenv.hostPlatform;
        cc = {
          cc.lib = libraries "gcc-lib" [
            "libstdc++.so.6"
            "libgcc_s.so.1"
            "libgomp.so.1"
          ];
          libc = self.libc;
          bintools.dynamicLinker = "${self.libc}/lib/ld-linux-x86-64.so.2";
        };
      };
      libc = libraries "libc" [
        "ld-linux-x86-64.so.2"
        "libc.so.6"
        "libm.so.6"
        "libdl.so.2"
        "libpthread.so.0"
        "librt.so.1"
        "libutil.so.1"
      ];
      gfortran-lib = libraries "gfortran-lib" [
        "libgfortran.so.5"
        "libquadmath.so.0"
      ];
      zlib = libraries "zlib" [ "libz.so.1" ];
    }
    # programs that only have to be there
    // lib.genAttrs [
      "binutils"
      "cargo"
      "cargo-nextest"
      "clippy"
      "deadnix"
      "elfutils"
      "nixfmt"
      "patchelf"
      "rustc"
      "rustfmt"
      "shellcheck"
    ] (name: self.runCommand name { } "mkdir $out")
    // {
      fetchurl =
        {
          url ? name,
          name ? baseNameOf url,
          sha256 ? "",
          hash ? "",
        }:
        fixed name (if hash == "" then sha256 else hash);
      fetchPypi =
        {
          pname,
          version,
          format,
          dist,
          python,
          abi ? "none",
          platform ? "any",
          hash,
        }:
        assert format == "wheel" && dist == python;
        fixed "${pname}-${version}-${python}-${abi}-${platform}.whl" hash;
      # The shell of the flake is evaluated, and never entered.
      mkShell =
        {
          packages,
          shellHook ? "",
          env ? { },
          passthru ? { },
        }:
        self.runCommand "shell" (env // { inherit shellHook passthru; })
          "echo ${toString (map (it: it.name) packages)} >$out";
      addDriverRunpath.driverLink = "/run/opengl-driver";
      autoPatchelfHook = builtins.toFile "auto-patchelf-hook.sh" ''
        autoPatchelfPostFixup() { echo "stub: autoPatchelf runs" >&2; touch "$out/auto-patchelf-ran"; }
        postFixupHooks+=(autoPatchelfPostFixup)
      '';
      autoAddDriverRunpath = builtins.toFile "auto-add-driver-runpath-hook.sh" ''
        autoFixElfFiles() { echo "stub: autoFixElfFiles runs" >&2; touch "$out/auto-fix-ran"; }
        addDriverRunpath() { :; }
        postFixupHooks+=("autoFixElfFiles addDriverRunpath")
      '';
      makeSetupHook =
        {
          name,
          propagatedBuildInputs ? [ ],
          substitutions ? { },
          passthru ? { },
        }:
        script:
        self.runCommand name { inherit passthru; } ''
          mkdir -p $out/nix-support
          install -m644 ${script} $out/nix-support/setup-hook
          ${builtins.concatStringsSep "\n" (
            map (key: "sed -i 's|@${key}@|${substitutions.${key}}|g' $out/nix-support/setup-hook") (
              builtins.attrNames substitutions
            )
          )}
          echo "${toString propagatedBuildInputs}" >$out/nix-support/propagated-build-inputs
        '';
      installShellFiles = builtins.toFile "install-shell-files.sh" ''
        installShellCompletion() {
          while [ $# -gt 0 ]; do
            case $1 in
              --cmd) cmd=$2 ;;
              --bash) install -Dm644 $2 $out/share/bash-completion/completions/$cmd.bash ;;
              --fish) install -Dm644 $2 $out/share/fish/vendor_completions.d/$cmd.fish ;;
              --zsh) install -Dm644 $2 $out/share/zsh/site-functions/_$cmd ;;
            esac
            shift 2
          done
        }
        installManPage() { install -Dm644 -t $out/share/man/man1 "$@"; }
      '';
      versionCheckHook = builtins.toFile "version-check-hook.sh" "";
      rustPlatform.buildRustPackage =
        make:
        let
          args = make args;
        in
        # What the program is made from is read, and never built.
        assert builtins.all builtins.pathExists args.src.fileset;
        self.runCommand "${args.pname}-${args.version}" { inherit (args) meta; } ''
          install -Dm755 ${
            builtins.path {
              path = program;
              name = args.pname;
            }
          } $out/bin/${args.pname}
          ${builtins.concatStringsSep "\n" (map (hook: ". ${hook}") args.nativeBuildInputs)}
          ${args.postInstall}
        '';
      pythonPackagesExtensions = [ ];
      python3 = import ./python.nix {
        inherit
          self
          lib
          hostPython
          sitePackages
          pythonVersion
          ;
      };
      python311 = self.python3;
      python313 = import ./python313.nix {
        pkgs = self;
        root = secondPython;
      };
      # In the order of the manifest: what a wheel needs comes before it.
      wheelOrder = map (wheel: nameOf wheel.file) wheels;
      # The real wheels, by the name of the distribution as file names spell it.
      testWheels = builtins.listToAttrs (
        map (wheel: {
          name = nameOf wheel.file;
          value = fixed wheel.file wheel.sha256;
        }) wheels
      );
    };
  build =
    overlays:
    let
      final = builtins.foldl' (acc: overlay: acc // overlay final acc) (base final) overlays // {
        extend = overlay: build (overlays ++ [ overlay ]);
      };
    in
    final;
in
build overlays
