# The program, static: as a builder it needs nothing else in the sandbox.
{
  lib,
  rustPlatform,
  stdenv,
}:
rustPlatform.buildRustPackage {
  pname = "wheelfix";
  version = "0.1.0";
  src = lib.cleanSource ../.;
  cargoLock.lockFile = ../Cargo.lock;
  cargoBuildFlags = [
    "--package"
    "wheelfix"
  ];
  buildInputs = lib.optional (stdenv.cc.libc ? static) stdenv.cc.libc.static;
  env.RUSTFLAGS = "-C target-feature=+crt-static";
  # The tests want compilers, linkers and wheels: `cargo xtask test` runs them.
  doCheck = false;
  # Called by this name it understands patchelf's command line.
  postInstall = ''
    mkdir -p $out/libexec/wheelfix
    ln -s $out/bin/wheelfix $out/libexec/wheelfix/patchelf
  '';
  meta = {
    description = "Makes binary Python wheels work on Nix";
    license = with lib.licenses; [
      mit
      asl20
    ];
    mainProgram = "wheelfix";
    platforms = lib.platforms.linux;
  };
}
