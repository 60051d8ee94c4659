# shellcheck shell=bash
# Stands in for the hook that installs wheels, and for those that change what is installed.

# For the patch hook. Global also where a function sources this file.
declare -g _wheelfixPython=@pythonInterpreter@
# Of a cross build, else nothing.
declare -g _wheelfixTarget="@target@"

wheelfixInstallPhase() {
    runHook preInstall
    # shellcheck disable=SC2086
    @wheelfix@ builder --hook @hook@ --python @pythonInterpreter@ $_wheelfixTarget -- dist/*.whl
    # shellcheck disable=SC2154
    export PYTHONPATH="$out/@pythonSitePackages@:${PYTHONPATH-}"
    runHook postInstall
}

if [[ -z "${dontUseWheelfixInstall-}${dontUsePypaInstall-}${dontUsePyprojectInstall-}" && -z "${installPhase-}" ]]; then
    installPhase=wheelfixInstallPhase
    # strip breaks wheels whose libraries were edited before; what was built here it does not.
    if [[ "${src-}" == *.whl ]]; then dontStrip=1; fi
fi
