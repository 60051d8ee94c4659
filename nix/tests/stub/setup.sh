# shellcheck shell=bash
# A stand-in for the setup script of nixpkgs' stdenv: the rules that hooks meet there, and no more.
set -eu
shopt -s inherit_errexit

# Structured attributes are declared by the file that Nix writes; else they are in the environment.
if [[ -n "${NIX_ATTRS_SH_FILE-}" ]]; then
    # shellcheck disable=SC1090
    source "$NIX_ATTRS_SH_FILE"
    for _name in "${!outputs[@]}"; do export "$_name=${outputs[$_name]}"; done
    export NIX_ATTRS_SH_FILE NIX_ATTRS_JSON_FILE
else
    : "${outputs:=out}"
fi
# shellcheck disable=SC2154
export PATH=$stubPath
export SOURCE_DATE_EPOCH=315532800 PYTHONHASHSEED=0 PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1
# shellcheck disable=SC2154
prefix=$out
: "${outputLib:=out}"
declare -a preFixupHooks=() fixupOutputHooks=() postFixupHooks=() preInstallHooks=() postInstallHooks=()
declare -a postUnpackHooks=() _seen=() _hostPkgs=() _envHooks=()

getAllOutputNames() {
    if [[ -n "${NIX_ATTRS_SH_FILE-}" ]]; then echo "${!outputs[*]}"; else echo "$outputs"; fi
}
addEnvHooks() {
    shift
    _envHooks+=("$@")
}
_isArray() { [[ "$(declare -p "$1" 2>/dev/null)" =~ ^declare\ -[^\ ]*a ]]; }
# Appends to a list, whether it is an array or a text of words.
appendToVar() {
    local name=$1
    shift
    if _isArray "$name"; then
        local -n _list=$name
        _list+=("$@")
    else
        declare -g "$name=${!name-} $*"
    fi
}
# Appends the elements or the words of the named variables to an array.
concatTo() {
    local -n _target=$1
    shift
    local name
    for name in "$@"; do
        if _isArray "$name"; then
            local -n _source=$name
            _target+=("${_source[@]}")
        else
            # shellcheck disable=SC2206
            _target+=(${!name-})
        fi
    done
}
stripHash() {
    local base
    base=$(basename "$1")
    if [[ $base =~ ^[a-z0-9]{32}- ]]; then base=${base:33}; fi
    echo "$base"
}
addToSearchPath() {
    if [[ -d "$2" ]]; then export "$1=$2:${!1-}"; fi
}
# The implicit hook first: a function, or the text of a variable; then those that were registered.
runHook() {
    local name=$1 hook
    if declare -F "$name" >/dev/null; then
        "$name"
    elif [[ -n "${!name-}" ]]; then
        eval "${!name}"
    fi
    local -n _hooks=${name%Hook}Hooks
    if _isArray "${name%Hook}Hooks"; then
        for hook in "${_hooks[@]}"; do eval "$hook"; done
    fi
}
# Activates a package: once, then what it propagates. Host offset -1 is a program of the build.
_addInput() {
    local pkg=$1 hostOffset=$2 targetOffset=$3 propagated
    if [[ " ${_seen[*]-} " == *" $pkg:$hostOffset "* ]]; then return 0; fi
    _seen+=("$pkg:$hostOffset")
    if [[ -f $pkg ]]; then
        # shellcheck disable=SC1090
        source "$pkg"
        return 0
    fi
    if [[ -d $pkg/bin && $hostOffset == -1 ]]; then PATH=$pkg/bin:$PATH; fi
    # shellcheck disable=SC1091
    if [[ -f $pkg/nix-support/setup-hook ]]; then source "$pkg/nix-support/setup-hook"; fi
    if [[ -f $pkg/nix-support/propagated-build-inputs ]]; then
        for propagated in $(<"$pkg/nix-support/propagated-build-inputs"); do
            _addInput "$propagated" "$hostOffset" "$targetOffset"
        done
    fi
    if [[ $hostOffset == 0 ]]; then _hostPkgs+=("$pkg"); fi
}
_activate() {
    local hostOffset=$1 targetOffset=$2 input
    local -a inputs=()
    shift 2
    concatTo inputs "$@"
    for input in "${inputs[@]}"; do _addInput "$input" "$hostOffset" "$targetOffset"; done
}
_activate -1 0 nativeBuildInputs
_activate 0 1 buildInputs propagatedBuildInputs
for _pkg in "${_hostPkgs[@]}"; do
    if [[ -d $_pkg/@sitePackages@ ]]; then export PYTHONPATH=$_pkg/@sitePackages@:${PYTHONPATH-}; fi
    for _hook in "${_envHooks[@]}"; do "$_hook" "$_pkg"; done
done

# stdenv's own hooks come after those of packages.
_patchELF() {
    if [[ -z "${dontPatchELF-}" ]]; then echo "stub: patchELF runs on $prefix" >&2; fi
}
_strip() {
    if [[ -z "${dontStrip-}" ]]; then find "$prefix" -name '*.so*' -type f -exec strip -S {} +; fi
}
fixupOutputHooks+=(_patchELF _strip)
# As stdenv's hook that wants newer sources.
# shellcheck disable=SC2154
_needsSourceRoot() { cd "$sourceRoot"; }
postUnpackHooks+=(_needsSourceRoot)

_fixupPhase() {
    local output
    for output in $(getAllOutputNames); do
        if [[ -e "${!output}" && ! -L "${!output}" ]]; then chmod -R u+w "${!output}" 2>/dev/null || true; fi
    done
    runHook preFixup
    for output in $(getAllOutputNames); do
        if [[ -e "${!output}" ]]; then prefix=${!output} runHook fixupOutput; fi
    done
    local -a propagated=()
    concatTo propagated propagatedBuildInputs
    if [[ ${#propagated[@]} -gt 0 ]]; then
        mkdir -p "$out/nix-support"
        printf '%s ' "${propagated[@]}" >"$out/nix-support/propagated-build-inputs"
    fi
    runHook postFixup
}
_runPhase() {
    local phase=$1
    echo "Running phase: $phase"
    if [[ -n "${!phase-}" ]]; then
        eval "${!phase}"
    elif declare -F "$phase" >/dev/null; then
        "$phase"
    fi
}
genericBuild() {
    local phase
    local -a phases=()
    if [[ -z "${dontUnpack-}" ]]; then phases+=(unpackPhase); fi
    if [[ -z "${dontBuild-}" ]]; then phases+=(buildPhase); fi
    concatTo phases preInstallPhases
    phases+=(installPhase)
    concatTo phases preFixupPhases
    phases+=(fixupPhase)
    concatTo phases preDistPhases postPhases
    for phase in "${phases[@]}"; do
        if [[ $phase == fixupPhase ]]; then _fixupPhase; else _runPhase "$phase"; fi
    done
}
if [[ -n "${buildCommand-}" ]]; then eval "$buildCommand"; else genericBuild; fi
# A builtin last: a builder that Nix sees closing its output before it ends may be killed.
exit 0
