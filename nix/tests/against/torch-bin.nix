# nixpkgs' recipe of torch-bin by `wheelfixed`, with CUDA's libraries and Python packages from wheels.
{
  pkgs,
  python,
  # names and wheels, those that others need before them
  wheels,
  # the directory of the recipe
  recipe,
}:
let
  inherit (pkgs) lib;
  py = python.pkgs;
  src = builtins.listToAttrs wheels;
  wheel =
    name: dependencies:
    py.mkWheel {
      src = src.${name};
      inherit dependencies;
    };
  # Each may use those before it.
  nvidia = lib.foldl' (
    built: it:
    built
    // {
      ${it.name} = pkgs.mkWheel {
        src = it.value;
        inherit (python) pythonVersion;
        libs = (import ../../lib).defaultLibs pkgs ++ lib.attrValues built;
      };
    }
  ) { } (lib.filter (it: lib.hasPrefix "nvidia_" it.name) wheels);
  # Packages of nixpkgs have their libraries in `lib`.
  cudaPackages =
    lib.mapAttrs
      (
        name: wheel:
        pkgs.runCommand name { } ''
          mkdir -p $out/lib
          ln -s ${nvidia.${wheel}}/${python.sitePackages}/nvidia/*/lib/*.so* $out/lib
        ''
      )
      {
        cuda_cudart = "nvidia_cuda_runtime";
        cuda_cupti = "nvidia_cuda_cupti";
        cuda_nvrtc = "nvidia_cuda_nvrtc";
        cuda_nvtx = "nvidia_nvtx";
        cudnn = "nvidia_cudnn_cu13";
        libcublas = "nvidia_cublas";
        libcufft = "nvidia_cufft";
        libcufile = "nvidia_cufile";
        # Today's torch has no need of it.
        libcurand = "nvidia_nvtx";
        libcusolver = "nvidia_cusolver";
        libcusparse = "nvidia_cusparse";
        libcusparse_lt = "nvidia_cusparselt_cu13";
        libnvshmem = "nvidia_nvshmem_cu13";
        nccl = "nvidia_nccl_cu13";
      };
  packages = {
    filelock = wheel "filelock" [ ];
    jinja2 = wheel "jinja2" [ (wheel "markupsafe" [ ]) ];
    networkx = wheel "networkx" [ ];
    numpy = wheel "numpy" [ ];
    setuptools = wheel "setuptools" [ ];
    sympy = wheel "sympy" [ (wheel "mpmath" [ ]) ];
    triton = wheel "triton" [ ];
    typing-extensions = wheel "typing_extensions" [ ];
    fsspec = wheel "fsspec" [ ];
    # The wheel requires neither.
    pyyaml = packages.filelock;
    requests = packages.filelock;
  };
  # Recipes of other days ask for other packages.
  called = py.callPackage recipe (
    builtins.intersectAttrs (builtins.functionArgs (import recipe)) (
      packages
      // {
        inherit cudaPackages;
        addDriverRunpath = null;
        autoAddDriverRunpath = null;
      }
    )
  );
in
(pkgs.wheelfixed python called).overridePythonAttrs (old: {
  version = "2.15.0";
  src = src.torch;
  buildInputs = old.buildInputs ++ [ cudaPackages.libnvshmem ];
  dependencies = old.dependencies ++ [ packages.fsspec ];
  # The libraries are those of `buildInputs`.
  pythonRemoveDeps = [
    "cuda-bindings"
    "cuda-toolkit"
    "nvidia-cudnn-cu13"
    "nvidia-cusparselt-cu13"
    "nvidia-nccl-cu13"
    "nvidia-nvshmem-cu13"
  ];
})
