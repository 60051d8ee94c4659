# shellcheck shell=bash
# Stands in for the hook that installs wheels, and for those that change what is installed.
wheelfixInstallPhase() {
    runHook preInstall
    @wheelfix@ builder --hook @hook@ --python @pythonInterpreter@ -- dist/*.whl
    # shellcheck disable=SC2154
    export PYTHONPATH="$out/@pythonSitePackages@:${PYTHONPATH-}"
    runHook postInstall
}

if [[ -z "${dontUseWheelfixInstall-}${dontUsePypaInstall-}${dontUsePyprojectInstall-}" && -z "${installPhase-}" ]]; then
    installPhase=wheelfixInstallPhase
    # strip breaks wheels whose libraries were edited before.
    dontStrip=1
fi
