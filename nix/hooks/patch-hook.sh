# shellcheck shell=bash
# Stands in for autoPatchelfHook and autoAddDriverRunpath, with their variables and functions.

# Global also where a function sources this file.
declare -ga wheelfixLibPaths=() wheelfixSearch=()

# Structured attributes name direct inputs only; this sees what they propagate.
wheelfixGather() {
    wheelfixLibPaths+=("$1")
}
# shellcheck disable=SC2154
addEnvHooks "$targetOffset" wheelfixGather

addAutoPatchelfSearchPath() {
    wheelfixSearch+=("$@")
}

autoPatchelf() {
    local -a paths=() flags=() ignoreMissing=() append=() runtime=() python=()
    local word
    for word in "$@"; do
        if [[ "$word" == --* ]]; then flags+=("--flag=$word"); else paths+=("$word"); fi
    done
    # Set by the install hook.
    if [[ -n "${_wheelfixPython-}" ]]; then
        read -ra python <<<"${_wheelfixTarget-}"
        python+=(--python "$_wheelfixPython")
    fi
    concatTo ignoreMissing autoPatchelfIgnoreMissingDeps
    concatTo append appendRunpaths
    concatTo runtime runtimeDependencies
    @wheelfix@ builder --hook patch --interpreter @dynamicLinker@ "${python[@]}" "${flags[@]}" \
        "${wheelfixLibPaths[@]/#/--lib-path=}" "${wheelfixSearch[@]/#/--search=}" \
        "${ignoreMissing[@]/#/--ignore-missing=}" "${append[@]/#/--append-run-path=}" \
        "${runtime[@]/#/--runtime-dependency=}" -- "${paths[@]}"
}

# Hooks that would write every library once more, and take the driver path away again. Before any of
# them runs, and whichever was there first.
wheelfixAlone() {
    if [[ " ${postFixupHooks[*]} " == *" autoPatchelfPostFixup "* ]]; then
        echo "warning: autoPatchelfHook is in the build beside wheelfixPatchHook: it is left out" >&2
    fi
    autoPatchelfPostFixup() { :; }
    autoFixElfFiles() { :; }
}
preFixupHooks+=(wheelfixAlone)

wheelfixPostFixup() {
    if [[ -n "${dontAutoPatchelf-}" ]]; then return 0; fi
    local output names
    local -a trees=()
    # Not in the loop's head, where its failure would not count.
    names=$(getAllOutputNames)
    for output in $names; do
        if [[ "$output" != debug && -e "${!output}" ]]; then trees+=("${!output}"); fi
    done
    autoPatchelf -- "${trees[@]}"
}
postFixupHooks+=(wheelfixPostFixup)

# Recipes that edit by themselves after this get an editor that can.
PATH=@patchelf@:$PATH
dontPatchELF=1
