# The program, static: as a builder it needs nothing else in the sandbox.
{
  lib,
  installShellFiles,
  rustPlatform,
  stdenv,
  versionCheckHook,
}:
let
  tests = lib.fileset.unions (
    map (crate: lib.fileset.maybeMissing (../crates + "/${crate}/tests")) (
      builtins.attrNames (builtins.readDir ../crates)
    )
  );
in
rustPlatform.buildRustPackage (finalAttrs: {
  pname = "wheelfix";
  version = "0.1.0";
  # What the program is made from: a change of anything else builds nothing anew.
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.difference (lib.fileset.unions [
      ../Cargo.lock
      ../Cargo.toml
      ../crates
      # a member of the workspace, which cargo looks at
      ../xtask/Cargo.toml
      ../xtask/src/main.rs
    ]) tests;
  };
  cargoLock.lockFile = ../Cargo.lock;
  cargoBuildFlags = [
    "--package"
    finalAttrs.pname
  ];
  buildInputs = lib.optional (stdenv.cc.libc ? static) stdenv.cc.libc.static;
  env.RUSTFLAGS = "-C target-feature=+crt-static";
  # The tests want compilers, linkers and wheels: `cargo xtask test` runs them.
  doCheck = false;
  nativeBuildInputs = [ installShellFiles ];
  nativeInstallCheckInputs = [ versionCheckHook ];
  doInstallCheck = true;
  # Called by this name it understands patchelf's command line.
  postInstall = ''
    mkdir -p $out/libexec/wheelfix
    ln -s $out/bin/wheelfix $out/libexec/wheelfix/patchelf
  ''
  + lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    installShellCompletion --cmd wheelfix \
      --bash <($out/bin/wheelfix completions bash) \
      --fish <($out/bin/wheelfix completions fish) \
      --zsh <($out/bin/wheelfix completions zsh)
    $out/bin/wheelfix man man
    installManPage man/*
  '';
  meta = {
    description = "Makes binary Python wheels work on Nix";
    homepage = "https://github.com/wheelfix/wheelfix";
    changelog = "https://github.com/wheelfix/wheelfix/blob/main/CHANGELOG.md";
    license = with lib.licenses; [
      mit
      asl20
    ];
    mainProgram = "wheelfix";
    platforms = lib.platforms.linux;
  };
})
