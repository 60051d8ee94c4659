# corepkgs, a trimmed nixpkgs, with its own stdenv, hooks and Python functions, on the programs of the
# host: nothing is fetched. Its `pins.nix` has to name a copy of its lib.
{
  # the checkout
  root,
  # the document that describes the host
  described,
  overlays,
  config,
  # a directory with the program patchelf and the Python package elftools
  hostTools,
  # further packages, of the set and of the libraries that manylinux expects
  more,
}:
let
  stages =
    {
      lib,
      localSystem,
      config,
      overlays,
      ...
    }:
    let
      inherit (localSystem) system;
      shell = "/bin/bash";
      # A derivation without stdenv, with what packages ask of one.
      make =
        name: text: extra:
        let
          drv =
            derivation {
              inherit name system;
              builder = shell;
              PATH = "/usr/bin:/bin";
              args = [
                "-euc"
                "${text}\nexit 0"
              ];
            }
            // {
              pname = name;
              version = "1";
              meta = {
                mainProgram = name;
                platforms = [ system ];
              };
              override = _: drv;
              overrideAttrs = change: drv // (change drv).passthru or { };
            }
            // extra;
        in
        drv;
      stored =
        name: path:
        builtins.path {
          inherit name;
          path = /. + path;
        };
      libraries =
        name: sonames:
        make name (
          "mkdir -p $out/lib\n"
          + lib.concatMapStrings (
            soname: "install -m755 ${stored soname described.hostLibraries.${soname}} $out/lib/${soname}\n"
          ) sonames
        );
      libc =
        libraries "glibc"
          [
            "ld-linux-x86-64.so.2"
            "libc.so.6"
            "libdl.so.2"
            "libm.so.6"
            "libpthread.so.0"
            "librt.so.1"
            "libutil.so.1"
          ]
          {
            version = "2.36";
          };
      gcc-lib = libraries "gcc-lib" [
        "libgcc_s.so.1"
        "libgomp.so.1"
        "libstdc++.so.6"
      ] { };
      gfortran-lib = libraries "gfortran-lib" [
        "libgfortran.so.5"
        "libquadmath.so.0"
      ] { };
      zlib = libraries "zlib" [ "libz.so.1" ] { };
      loader = "${libc}/lib/ld-linux-x86-64.so.2";
      cc =
        make "cc"
          ''
            mkdir -p $out/nix-support $out/bin
            ln -s /usr/bin/gcc $out/bin/cc
            echo ${loader} >$out/nix-support/dynamic-linker
            echo ${libc} >$out/nix-support/orig-libc
            echo "export CC=gcc CXX=g++ NIX_BINTOOLS=$out" >$out/nix-support/setup-hook
          ''
          {
            inherit libc;
            isGNU = true;
            isClang = false;
            targetPrefix = "";
            cc = gcc-lib // {
              lib = gcc-lib;
            };
            bintools = {
              inherit libc;
              dynamicLinker = loader;
              outPath = cc.outPath;
              bintools = cc;
              isGNU = true;
              targetPrefix = "";
            };
          };
      stdenvWith =
        args:
        import (root + "/stdenv/generic") (
          {
            inherit config shell;
            name = "stdenv-host";
            buildPlatform = localSystem;
            hostPlatform = localSystem;
            targetPlatform = localSystem;
            initialPath = [
              "/usr"
              "/"
            ];
            fetchurlBoot = null;
            cc = null;
            preHook = "export NIX_ENFORCE_PURITY= NIX_DONT_SET_RPATH=1";
          }
          // args
        );

      # nixpkgs' stdenv has it, too.
      patchelf = make "patchelf" ''
        install -Dm755 ${stored "patchelf" "${hostTools}/patchelf"} $out/bin/patchelf
        install -Dm644 ${root + "/pkgs/patchelf/setup-hook.sh"} $out/nix-support/setup-hook
      '' { };
      # the host's programs, by the names of their packages
      tool = name: make name "mkdir $out; ln -s /usr/bin $out/bin" { };
      tools = lib.genAttrs [
        "bash"
        "bashNonInteractive"
        "binutils"
        "coreutils"
        "diffutils"
        "file"
        "findutils"
        "gawk"
        "gnugrep"
        "gnused"
        "gnutar"
        "gzip"
        "jq"
        "lndir"
        "perl"
        "shellcheck-minimal"
        "ugrep"
        "unzip"
        "which"
        "xz"
      ] tool;

      pythonOf =
        self:
        let
          version = self.python311-version;
          passthru =
            (self.callPackage (root + "/python/passthrufun.nix") {
              # It wants them from the configuration.
              pythonPackagesExtensions = [ ];
              config = config // {
                overlays = config.overlays // {
                  python = self.pythonPackagesExtensions;
                };
              };
            })
              rec {
                implementation = "cpython";
                libPrefix = "python3.11";
                executable = libPrefix;
                sourceVersion = {
                  major = "3";
                  minor = "11";
                  patch = version;
                  suffix = "";
                };
                pythonVersion = "3.11";
                packageOverrides = _: _: { };
                sitePackages = "lib/${libPrefix}/site-packages";
                hasDistutilsCxxPatch = false;
                self = python;
                pythonAttr = "python311";
                pythonOnBuildForBuild = python;
                pythonOnBuildForHost = python;
                pythonOnBuildForTarget = python;
                pythonOnHostForHost = python;
                pythonOnTargetForTarget = python;
                pythonABITags = [
                  "abi3"
                  "none"
                  "cp311"
                ];
              };
          prefix = dirOf (dirOf described.hostPython);
          python =
            make "python3"
              ''
                mkdir -p $out/bin $out/lib $out/nix-support
                cp ${described.hostPython} $out/bin/python3.11
                ln -s python3.11 $out/bin/python3
                ln -s python3.11 $out/bin/python
                mkdir $out/include
                cp -r ${prefix}/lib/python3.11 $out/lib
                cp -r ${prefix}/include/python3.11 $out/include
                chmod -R u+w $out
                cd $out/lib/python3.11
                rm -rf test site-packages config-*
                mkdir site-packages
                cp ${root + "/python/sitecustomize.py"} site-packages/sitecustomize.py
                sed "s|@sitePackages@|lib/python3.11/site-packages|" ${root + "/python/setup-hook.sh"} >$out/nix-support/setup-hook
              ''
              (
                {
                  inherit passthru;
                  inherit (self) stdenv;
                  version = "3.11.${version}";
                  meta = {
                    mainProgram = "python3.11";
                    platforms = lib.platforms.all;
                  };
                }
                // passthru
              );
        in
        python;
    in
    [
      (_: {
        __raw = true;
        stdenv = stdenvWith { };
        inherit cc;
      })
      (_: {
        inherit config overlays;
        stdenv = stdenvWith {
          inherit cc;
          extraNativeBuildInputs = [ patchelf ];
          overrides =
            self: _super:
            tools
            // {
              inherit zlib gfortran-lib patchelf;
              bintools = cc;
              gfortran.cc.lib = gfortran-lib;
              runtimeShell = shell;
              fetchurl =
                {
                  url ? name,
                  name ? baseNameOf url,
                  sha256 ? "",
                  hash ? "",
                  ...
                }:
                derivation {
                  inherit name system url;
                  builder = "builtin:fetchurl";
                  outputHashMode = "flat";
                  outputHashAlgo = if hash == "" then "sha256" else null;
                  outputHash = if hash == "" then sha256 else hash;
                  preferLocalBuild = true;
                }
                // {
                  inherit url;
                  passthru.url = url;
                  meta = { };
                };
              auto-patchelf = self.callPackage (root + "/pkgs/auto-patchelf") {
                python3.withPackages =
                  _:
                  self.python3.withPackages (py: [
                    (py.toPythonModule (
                      self.runCommand "pyelftools" { } ''
                        mkdir -p $out/${self.python3.sitePackages}
                        cp -r ${stored "elftools" "${hostTools}/elftools"} $out/${self.python3.sitePackages}/elftools
                      ''
                    ))
                  ]);
              };
              uv = make "uv" "install -Dm755 ${stored "uv" described.uv} $out/bin/uv" { };
              # It has none.
              mkShell =
                args:
                self.stdenv.mkDerivation (
                  {
                    name = "shell";
                    buildCommand = "touch $out";
                  }
                  // args
                );
              python311-version = "0";
              python311 = pythonOf self;
              python3 = self.python311;
              pythonManylinuxPackages = lib.genAttrs [ "manylinux1" "manylinux2010" "manylinux2014" ] (_: [
                libc
                gcc-lib
                zlib
              ]);
            }
            // more self [
              libc
              gcc-lib
              zlib
            ];
        };
      })
    ];
in
import (root + "/stdenv/impure.nix") {
  inherit overlays config;
  stdenvStages = stages;
}
