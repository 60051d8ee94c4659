#!/bin/sh
# enter none|stub PROGRAM [ARGUMENT...]: runs a program in a mount namespace shaped like NixOS.
#
# This file lies in the bed. /lib64 is empty (none), or has a loader that is there and does not run
# (stub); /usr/lib has glibc's own libraries, /usr/bin has sh and env, there is no /etc/ld.so.cache.
# Everything else is as outside.
set -eu
bed=$(dirname "$(readlink --canonicalize "$0")")

if [ "${1-}" != --inside ]; then
    if unshare --mount true 2>/dev/null; then
        exec unshare --mount "$0" --inside "$@"
    elif unshare --user --map-root-user --mount true 2>/dev/null; then
        exec unshare --user --map-root-user --mount "$0" --inside "$@"
    fi
    echo "the bed needs a mount namespace: be root (in a container, with CAP_SYS_ADMIN)," \
        "or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1" >&2
    exit 125
fi

loader=$2
shift 2
lib64=$(readlink --canonicalize /lib64)
root=$bed/root
# Binds in a root of its own: what mounts is not disturbed by what it has mounted.
mount --rbind / "$root"
over() { # SOURCE TARGET
    [ ! -e "$2" ] || mount --bind "$bed/$1" "$root$2"
}
over "$loader" "$lib64"
over lib /usr/lib
over empty /usr/local/lib
over empty /usr/sbin
over bin /usr/bin
over no-cache /etc/ld.so.cache
unshare=$(command -v unshare)
export PATH="$bed/sw/bin"
exec "$unshare" --root="$root" --wd="$PWD" "$@"
