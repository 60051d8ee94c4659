# Debian's Python 3.13, as a package of Nix, with its own C library.
{
  pkgs,
  # where Debian's packages are unpacked
  root,
}:
let
  lib = import ./lib.nix;
  files = builtins.path {
    path = /. + root + "/usr";
    name = "python3.13-debian";
    # Only what is needed here goes into the store.
    filter = path: _type: !lib.hasPrefix "${root}/usr/share" path && baseNameOf path != "gconv";
  };
  copied =
    name: sonames:
    pkgs.runCommand name { } ''
      mkdir -p $out/lib
      for soname in ${toString sonames}; do
        cp -L ${files}/lib/x86_64-linux-gnu/$soname $out/lib
      done
    '';
  libc = copied "libc-2.41" [
    "ld-linux-x86-64.so.2"
    "libc.so.6"
    "libdl.so.2"
    "libm.so.6"
    "libpthread.so.0"
    "librt.so.1"
    "libutil.so.1"
  ];
  # Unlike the loader of nixpkgs, that of Debian finds the host's C library where no run path says another.
  patchelf = "${pkgs.wheelfix}/libexec/wheelfix/patchelf --set-rpath ${libc}/lib";
  libraries = pkgs.runCommand "libraries-2.41" { } ''
    mkdir -p $out/lib
    for soname in libexpat.so.1 libffi.so.8 libgcc_s.so.1 libstdc++.so.6 libz.so.1; do
      cp -L --no-preserve=mode ${files}/lib/x86_64-linux-gnu/$soname $out/lib
    done
    ${patchelf} $out/lib/*
  '';
  # Without what needs further libraries.
  python =
    pkgs.runCommand "python3-3.13" { } ''
      mkdir -p $out/bin $out/lib
      cp ${files}/bin/python3.13 $out/bin
      ln -s python3.13 $out/bin/python3
      cp -r --no-preserve=mode ${files}/lib/python3.13 $out/lib
      cd $out/lib/python3.13
      rm -r sitecustomize.py lib-dynload/{_bz2,_curses,_dbm,_hashlib,_lzma,_sqlite3,_ssl,_test,_uuid,_xx,readline}*
      ${patchelf}:${libraries}/lib lib-dynload/*
      ${patchelf}:${libraries}/lib --set-interpreter ${libc}/lib/ld-linux-x86-64.so.2 $out/bin/python3.13
    ''
    // {
      interpreter = "${python}/bin/python3.13";
      sitePackages = "lib/python3.13/site-packages";
      pythonVersion = "3.13";
      version = "3.13.5";
      pythonOnBuildForHost = python;
      pkgs = { };
      libraries = [ libraries ];
    };
in
python
