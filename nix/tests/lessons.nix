# What only nixpkgs' own code caught, a test each.
{
  pkgs,
  recipes,
}:
let
  inherit (pkgs) stdenv testWheels;
  python = pkgs.python3;
  py = python.pkgs;
  site = python.sitePackages;
  runPath = file: "$(${pkgs.wheelfix}/libexec/wheelfix/patchelf --print-rpath ${file})";
  test = name: pkgs.runCommand "test-${name}" { };
  # It needs libstdc++.
  extension = drv: "${drv}/${site}/greenlet/_greenlet*.so";

  # libstdc++ where no `lib` is
  hidden = pkgs.runCommand "hidden" { } ''
    mkdir -p $out/odd/place
    cp ${stdenv.cc.cc.lib}/lib/* $out/odd/place
  '';
  # propagates the libraries, and has none
  propagating = pkgs.runCommand "propagating" { } ''
    mkdir -p $out/nix-support
    echo "${stdenv.cc.cc.lib} ${python}" >$out/nix-support/propagated-build-inputs
  '';

  # A program and its library, in packages of their own.
  greeting = pkgs.runCommand "greeting" { } ''
    mkdir -p $out/lib
    echo 'const char *greeting(void) { return "hello"; }' >greeting.c
    gcc -shared -fPIC -Wl,-soname,libgreeting.so.1 -o $out/lib/libgreeting.so.1 greeting.c
  '';
  unpatched = pkgs.runCommand "unpatched" { } ''
    mkdir -p $out/bin
    cat >main.c <<'C'
    #include <stdio.h>
    const char *greeting(void);
    int main(void) { puts(greeting()); return 0; }
    C
    gcc -o $out/bin/greet main.c ${greeting}/lib/libgreeting.so.1
  '';
  tree =
    extra:
    stdenv.mkDerivation (
      {
        name = "tree";
        dontUnpack = true;
        nativeBuildInputs = [ pkgs.wheelfixPatchHook ];
        buildInputs = [ greeting ];
        installPhase = "cp -r ${unpatched} $out; chmod -R u+w $out";
      }
      // extra
    );
  greets = drv: "[[ $(${drv}/bin/greet) == hello ]]";

  greenlet = extra: recipes.simple "greenlet" ({ wheelfix = ''{"bytecode": false}''; } // extra);
  structured =
    extra:
    recipes.simple "greenlet" (
      {
        __structuredAttrs = true;
        wheelfix.bytecode = false;
      }
      // extra
    );
  both = order: greenlet { nativeBuildInputs = order; };
in
{
  # A hook in a Python set that is not made by makePythonHook is refused.
  python-hooks =
    assert py.wheelfixInstallHook.provides.setupHook;
    assert py.wheelfixUnpackHook.provides.setupHook;
    assert py.wheelfixConflictsHook.provides.setupHook;
    test "python-hooks" "echo ok >$out";

  # pythonOutputDistHook gets a link, not a copy of the wheel.
  dist-is-a-link = test "dist-is-a-link" ''
    link=$(echo ${recipes.numpy.dist}/*.whl)
    [[ -L $link && $(readlink $link) == ${testWheels.numpy} ]]
    echo ok >$out
  '';

  # `addAutoPatchelfSearchPath` in the recipe's own postFixup, which runs before all hooks.
  search-path-in-post-fixup = test "search-path-in-post-fixup" ''
    [[ ${
      runPath (
        extension (greenlet {
          buildInputs = [ ];
          postFixup = "addAutoPatchelfSearchPath ${hidden}";
        })
      )
    } == *${hidden}/odd/place* ]]
    echo ok >$out
  '';

  # Lists of structured attributes reach the program whole, and so do inputs that are propagated.
  structured = test "structured" ''
    [[ ${
      runPath (
        extension (structured {
          appendRunpaths = [ "${hidden}/odd/place" ];
          autoPatchelfIgnoreMissingDeps = [ "libcuda.so.1" ];
        })
      )
    } == *:${hidden}/odd/place ]]
    echo ok >$out
  '';
  propagated-with-structured-attributes = test "propagated" ''
    [[ ${
      runPath (
        extension (structured {
          buildInputs = [ propagating ];
        })
      )
    } == *${stdenv.cc.cc.lib}/lib* ]]
    echo ok >$out
  '';
  words-will-do = test "words-will-do" ''
    [[ ${
      runPath (
        extension (greenlet {
          appendRunpaths = [
            "${greeting}/lib"
            "${hidden}/odd/place"
          ];
        })
      )
    } == *:${greeting}/lib:${hidden}/odd/place ]]
    echo ok >$out
  '';

  # nixpkgs' own hooks beside ours change nothing, in whatever order.
  order-of-hooks = test "order-of-hooks" ''
    diff -r ${
      both [
        pkgs.wheelfixPatchHook
        pkgs.autoAddDriverRunpath
        pkgs.autoPatchelfHook
      ]
    }/${site} \
      ${
        both [
          pkgs.autoPatchelfHook
          pkgs.autoAddDriverRunpath
        ]
      }/${site}
    for output in ${
      both [
        pkgs.wheelfixPatchHook
        pkgs.autoAddDriverRunpath
        pkgs.autoPatchelfHook
      ]
    } \
      ${
        both [
          pkgs.autoPatchelfHook
          pkgs.autoAddDriverRunpath
        ]
      }; do
      [[ ! -e $output/auto-patchelf-ran && ! -e $output/auto-fix-ran ]]
    done
    echo ok >$out
  '';

  # Trees that are no Python, with the variables and functions of autoPatchelfHook.
  program = test "program" ''
    ${greets (tree { })}
    ${greets (tree {
      __structuredAttrs = true;
    })}
    ${greets (tree {
      dontAutoPatchelf = true;
      postFixup = ''autoPatchelf "$out"'';
    })}
    [[ ${runPath "${tree { runtimeDependencies = [ pkgs.zlib ]; }}/bin/greet"} == ${pkgs.zlib}/lib:* ]]
    ! ${tree { dontAutoPatchelf = true; }}/bin/greet
    echo ok >$out
  '';
  program-by-builder = test "program-by-builder" ''
    ${greets (
      pkgs.mkTree {
        name = "greet";
        src = unpatched;
        libs = [ greeting ];
        interpreter = stdenv.cc.bintools.dynamicLinker;
      }
    )}
    echo ok >$out
  '';

  # The hook of pyproject.nix and uv2nix, in a set that has what theirs has.
  pyproject =
    let
      scope = pkgs.wheelfixPyproject (scope // { inherit python; }) { };
      numpy = stdenv.mkDerivation {
        name = "numpy";
        src = testWheels.numpy;
        dontUnpack = true;
        nativeBuildInputs = [
          scope.pyprojectInstallHook
          scope.autoPatchelfHook
        ];
        buildInputs = [
          stdenv.cc.cc.lib
          pkgs.zlib
        ];
        wheelfix = ''{"bytecode": false}'';
        buildPhase = ''mkdir -p dist; ln -s "$src" "dist/$(stripHash "$src")"'';
      };
    in
    test "pyproject" ''
      PYTHONPATH=${numpy}/${site} ${python.interpreter} -c 'import numpy.linalg'
      echo ok >$out
    '';
}
