# What nixpkgs has beside: its recipes of Python packages, and CUDA's libraries.
final: prev:
let
  inherit (final) lib testWheels;
  runtimes = [
    final.stdenv.cc.cc.lib
    final.gfortran-lib
    final.zlib
  ];
  # What NVIDIA's wheels need comes before them in the manifest.
  names = builtins.filter (name: builtins.match "nvidia_.*" name != null) final.wheelOrder;
  # Where a package of cudaPackages comes from here: each is made of links into one wheel.
  links =
    name: wheel:
    final.runCommand name { } ''
      mkdir -p $out/lib
      ln -s ${wheel}/lib/python*/site-packages/nvidia/*/lib/*.so* $out/lib
    '';
in
{
  inherit runtimes;
  gfortran.cc.lib = final.gfortran-lib;
  pythonManylinuxPackages.manylinux2014 = [
    final.libc
    final.stdenv.cc.cc.lib
    final.zlib
  ];
  portaudio = final.zlib;
  libGL = final.zlib;
  onetbb = final.zlib;
  fetchzip = { url, hash }: final.fetchurl { inherit url hash; };
  # Without a Python in the build: nothing but what is named is in the sandbox.
  nvidia = builtins.foldl' (
    built: name:
    built
    // {
      ${name} = final.mkWheel {
        pythonVersion = final.python3.pythonVersion;
        src = testWheels.${name};
        libs = runtimes ++ builtins.attrValues built;
      };
    }
  ) { } names;

  cudaPackages = lib.mapAttrs (name: wheel: links name final.nvidia.${wheel}) {
    cuda_cudart = "nvidia_cuda_runtime";
    cuda_nvrtc = "nvidia_cuda_nvrtc";
    libcublas = "nvidia_cublas";
    libcusparse = "nvidia_cusparse";
    libnvjitlink = "nvidia_nvjitlink";
  };

  cudaPackages_13 = final.cudaPackages // {
    inherit (final) zlib;
  };

  pythonPackagesExtensions = prev.pythonPackagesExtensions ++ [
    (
      pyfinal: _pyprev:
      let
        recipes = import ./recipes.nix { pkgs = final; };
        tool = final.zlib // {
          provides.setupHook = true;
        };
      in
      {
        # Of tools for builds it counts that they are there.
        setuptools = tool;
        flit-core = tool;
        inherit (recipes)
          numpy
          packaging
          pygments
          scipy
          torch-bin
          ;
        # as if nixpkgs had built it from source
        torch = pyfinal.callPackage (
          { buildPythonPackage, packaging }:
          buildPythonPackage {
            pname = "torch";
            version = "2.15.0";
            format = "wheel";
            dependencies = [ packaging ];
          }
        ) { };
      }
    )
  ];
}
