# The libraries of CUDA that a wheel of torch or the like needs, one source for all of them.
{
  lib,
  mkWheel,
  # those of nixpkgs' default version
  defaultPackages,
  # what a wheel may use where nothing is said
  defaultLibs,
}:
{
  # "nixpkgs" or "wheels"
  source ? "nixpkgs",
  # the packages of a version, as cudaPackages_13
  cudaPackages ? defaultPackages,
  # names of them; those of this list are not there in every version, and those of yours have to be
  attributes ? lib.filter (name: cudaPackages ? ${name}) [
    "cccl"
    "cuda_cccl"
    "cuda_cudart"
    "cuda_cupti"
    "cuda_nvrtc"
    "cuda_nvtx"
    "cudnn"
    "libcublas"
    "libcufft"
    "libcufile"
    "libcurand"
    "libcusolver"
    "libcusparse"
    "libcusparse_lt"
    "libnvjitlink"
    "libnvshmem"
    "nccl"
  ],
  # name of the distribution -> the wheel, in an order in which each finds its needs before it
  wheels ? { },
  # further libraries that the wheels may use
  libs ? defaultLibs,
}:
if source == "nixpkgs" then
  map (
    name:
    cudaPackages.${name}
      or (throw "wheelfixCuda: `${name}` in `attributes` is not in these cudaPackages")
  ) attributes
else if source == "wheels" then
  let
    # NVIDIA's wheels need one another: each is built with those that it may use.
    build =
      name:
      mkWheel {
        src = wheels.${name};
        libs =
          libs ++ map (needed: built.${needed}) (lib.filter (it: wheels ? ${it}) (needs.${name} or [ ]));
        bytecode = false;
      };
    built = lib.mapAttrs (name: _: build name) wheels;
    needs = {
      nvidia-cublas = [ "nvidia-cuda-nvrtc" ];
      nvidia-cudnn-cu13 = [
        "nvidia-cublas"
        "nvidia-cuda-nvrtc"
      ];
      nvidia-cufft = [ "nvidia-nvjitlink" ];
      nvidia-cusolver = [
        "nvidia-cublas"
        "nvidia-cusparse"
        "nvidia-nvjitlink"
      ];
      nvidia-cusparse = [ "nvidia-nvjitlink" ];
      nvidia-nvshmem-cu13 = [ "nvidia-nccl-cu13" ];
    };
  in
  builtins.attrValues built
else
  throw "wheelfixCuda: `source` is \"nixpkgs\" or \"wheels\", got: ${source}"
