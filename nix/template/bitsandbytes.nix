# The wheel as published. Backends whose libraries are not there are left out.
{
  stdenv,
  buildWheelPackage,
  cudaPackages_13,
  fetchPypi,
  wheelfixCuda,
  wheelfixPatchHook,
  numpy,
  packaging,
  torch,
}:
buildWheelPackage rec {
  pname = "bitsandbytes";
  version = "0.50.2";
  format = "wheel";
  src = fetchPypi {
    inherit pname version format;
    dist = "py3";
    python = "py3";
    platform = "manylinux_2_24_x86_64";
    hash = "sha256-VTSKmkohv9mc+MezL+Z7QDCuXCoFc44DwXR/ZfpuwoM=";
  };
  nativeBuildInputs = [ wheelfixPatchHook ];
  buildInputs = [ stdenv.cc.cc.lib ] ++ wheelfixCuda { cudaPackages = cudaPackages_13; };
  dependencies = [
    numpy
    packaging
    torch
  ];
  pythonImportsCheck = [ "bitsandbytes" ];
  meta.platforms = [ "x86_64-linux" ];
}
