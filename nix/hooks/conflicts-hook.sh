# shellcheck shell=bash
# Stands in for pythonCatchConflictsHook.
wheelfixConflictsPhase() {
    @wheelfix@ builder --hook conflicts
}

if [[ -z "${dontUsePythonCatchConflicts-}" ]]; then
    appendToVar preDistPhases wheelfixConflictsPhase
fi
