# shellcheck shell=bash
# Stands in for wheelUnpackHook.
wheelfixUnpackPhase() {
    runHook preUnpack
    # A link: pythonOutputDistHook moves it to $dist, where a copy of the wheel would be.
    mkdir -p dist
    # shellcheck disable=SC2154
    ln -s "$src" "dist/$(stripHash "$src")"
    # No postUnpack: stdenv's own hooks of it want a sourceRoot.
}

if [[ -z "${dontUseWheelUnpack-}" && -z "${unpackPhase-}" ]]; then
    unpackPhase=wheelfixUnpackPhase
fi
