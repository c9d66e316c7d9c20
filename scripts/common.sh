# Sourced by the scripts beside it: where the repository is, how to speak, where the tools are.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
name=$(basename "$0")
# shellcheck disable=SC2034 # for the scripts that source this file
venv=$root/.venv
# shellcheck disable=SC2034
system=$(uname -s)

say() {
    printf '%s: %s\n' "$name" "$*"
}

die() {
    printf '%s: %s\n' "$name" "$*" >&2
    exit 1
}

need_swift() {
    command -v swift >/dev/null ||
        die "no Swift toolchain: install Swift 6.2 or later from https://www.swift.org/install and put it on PATH"
}

# The toolchain's own clang: its sanitizers and libFuzzer are there wherever Swift is.
find_clang() {
    local swift
    if [ "$system" = Darwin ]; then
        xcrun --find clang
        return
    fi
    swift=$(readlink -f "$(command -v swift)")
    if [ -x "$(dirname "$swift")/clang" ]; then
        echo "$(dirname "$swift")/clang"
    else
        command -v clang || die "no clang beside swift nor on PATH"
    fi
}

# count_files DIRECTORY [CONDITION...]: conditions are those of find.
count_files() {
    find "$@" -type f | wc -l | tr -d ' '
}

# The C core under the sanitizers, with its tests and examples.
configure_core() {
    cmake -S . -B .build-core -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER="$(find_clang)" \
        -DWEFT_SANITIZE=address,undefined -DWEFT_WERROR=ON -DWEFT_TESTS=ON -DWEFT_EXAMPLES=ON >/dev/null
}
