# The wheel as published. Backends whose libraries are not there are left out.
{
  lib,
  stdenv,
  buildWheelPackage,
  fetchurl,
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
  src = fetchurl {
    # the URL of the wheel in the lock file, and its hash
    url = "https://example.org/${pname}-${version}-py3-none-manylinux_2_24_x86_64.whl";
    hash = lib.fakeHash;
  };
  nativeBuildInputs = [ wheelfixPatchHook ];
  buildInputs = [ stdenv.cc.cc.lib ] ++ wheelfixCuda { source = "nixpkgs"; };
  dependencies = [
    numpy
    packaging
    torch
  ];
  pythonImportsCheck = [ "bitsandbytes" ];
  meta.platforms = [ "x86_64-linux" ];
}
