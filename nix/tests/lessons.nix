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
    if ${tree { dontAutoPatchelf = true; }}/bin/greet; then exit 1; fi
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

  # What torch-bin does after the hooks, with patchelf, leaves the driver's path where it was.
  driver-path-survives = test "driver-path-survives" ''
    path=${runPath "${pkgs.wheelfixed python recipes.torch-bin}/${site}/torch/lib/libtorch_cuda.so"}
    [[ $path == *${pkgs.addDriverRunpath.driverLink}/lib* && $path == *${stdenv.cc.cc.lib}/lib* ]]
    # Not twice, and no empty element, which is the current directory.
    [[ $(tr : '\n' <<<"$path" | sort | uniq -d) == "" && :$path: != *::* ]]
    echo ok >$out
  '';

  # What was built from an sdist may be stripped, what a wheel brought not.
  strip = test "strip" ''
    hook=${py.wheelfixInstallHook}/nix-support/setup-hook
    says() { (unset installPhase dontStrip; source $hook; echo "''${dontStrip-0}"); }
    [[ $(src=/nix/store/a-1-py3-none-any.whl says) == 1 && $(src=/nix/store/a-1.tar.gz says) == 0 ]]
    echo ok >$out
  '';

  # Nothing refers to the wheel, or to where it was built.
  nothing-leaks = test "nothing-leaks" ''
    for tree in ${recipes.scipy} ${recipes.pygments}; do
      if grep -rqF -e "$(basename ${testWheels.scipy} | head -c 32)" -e "$(basename ${testWheels.pygments} | head -c 32)" "$tree"; then
        echo "$tree names its wheel" >&2
        exit 1
      fi
    done
    ${python.interpreter} -I - ${recipes.pygments} <<'END'
    import marshal, pathlib, sys
    [prefix] = sys.argv[1:]
    compiled = list(pathlib.Path(prefix).rglob("*.pyc"))
    names = {marshal.loads(it.read_bytes()[16:]).co_filename for it in compiled}
    assert len(compiled) > 100 and all(name.startswith(prefix) for name in names), names
    END
    echo ok >$out
  '';

  # What the guide for migration says of variables.
  migration =
    let
      pygments = recipes.simple "pygments" {
        wheelfixExclude = [ "pygments/lexers/_*.py" ];
        wheelfixRelaxUpper = [ ];
        pythonRemoveDeps = [ "colorama" ];
        dontUsePythonImportsCheck = true;
      };
      scipy = recipes.simple "scipy" {
        pythonRelaxDeps = [ "numpy" ];
        dependencies = [ recipes.numpy ];
        buildInputs = [
          stdenv.cc.cc.lib
          pkgs.zlib
        ];
        # Of gfortran: wheels of SciPy bring it along, so that this would match nothing.
        autoPatchelfIgnoreMissingDeps = [ "libgfortran.so.5" ];
      };
      bitsandbytes = recipes.simple "bitsandbytes" {
        dontCheckRuntimeDeps = true;
        buildInputs = [ stdenv.cc.cc.lib ] ++ pkgs.wheelfixCuda { source = "nixpkgs"; };
        wheelfixBackends = [ "cuda13*" ];
      };
    in
    test "migration" ''
      [[ ! -e $(echo ${pygments}/${site}/pygments/lexers/_lua_builtins.py) ]]
      if grep -q lexers/_lua_builtins ${pygments}/${site}/pygments-*.dist-info/RECORD; then exit 1; fi
      grep -qx 'Requires-Dist: numpy' ${scipy}/${site}/scipy-*.dist-info/METADATA
      ls ${bitsandbytes}/${site}/bitsandbytes/libbitsandbytes_cuda13*.so
      [[ ! -e ${bitsandbytes}/${site}/bitsandbytes/libbitsandbytes_cuda118.so ]]
      echo ok >$out
    '';
}
