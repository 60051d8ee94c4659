# One tree with the headers, nvcc and the libraries of CUDA, for what compiles against it. In
# `nativeBuildInputs` or `buildInputs` of a build with stdenv it is CUDA_HOME.
{
  lib,
  symlinkJoin,
  # the function that finds them
  wheelfixCuda,
  # those of nixpkgs' default version
  defaultPackages,
}:
{
  # the packages of a version, as cudaPackages_13
  cudaPackages ? defaultPackages,
  # names of them; those of this list are not there in every version, and those of yours have to be
  attributes ? lib.filter (name: cudaPackages ? ${name}) [
    "cccl"
    "cuda_cccl"
    "cuda_cudart"
    "cuda_crt"
    "cuda_cupti"
    "cuda_nvcc"
    "cuda_nvml_dev"
    "cuda_nvrtc"
    "cuda_nvtx"
    "cuda_profiler_api"
    "cudnn"
    "libcublas"
    "libcufft"
    "libcufile"
    "libcurand"
    "libcusolver"
    "libcusparse"
    "libnvjitlink"
    "libnvptxcompiler"
    "libnvvm"
  ],
}:
let
  outputsOf = drv: map (output: drv.${output}) (drv.outputs or [ "out" ]);
in
symlinkJoin {
  name = "cuda-home";
  paths = builtins.concatMap outputsOf (wheelfixCuda {
    inherit cudaPackages attributes;
  });
  postBuild = ''
    # Build systems look for either.
    [[ -e $out/lib64 || ! -e $out/lib ]] || ln -s lib $out/lib64
    # Those of the packages would name each package.
    rm -rf $out/nix-support
    mkdir -p $out/nix-support
    echo "export CUDA_HOME=$out CUDA_PATH=$out CUDAToolkit_ROOT=$out" >$out/nix-support/setup-hook
  '';
}
