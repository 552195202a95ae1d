# What the scripts have in common: finding and installing what they need. Sourced, never run.
# shellcheck shell=bash disable=SC2154

# Where Debian keeps servers such as snmpd; not in the path of every user.
PATH=$PATH:/usr/sbin:/sbin

# The oldest Rust that builds this, as Cargo.toml says.
rust_wanted() {
    sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml
}

say() {
    printf '\n==> %s\n' "$*"
}

fail() {
    printf '\n%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# absolute PATH: as seen from where the script was started, which scripts that take paths keep in $here.
absolute() {
    case $1 in
        /*) printf '%s\n' "$1" ;;
        *) printf '%s\n' "$here/$1" ;;
    esac
}

# How this user becomes root.
sudo=()
if [ "$(id -u)" -ne 0 ]; then
    sudo=(sudo)
fi

renew_lists() {
    "${sudo[@]}" apt-get update -q ||
        say "The lists of packages could not all be renewed; going on with those that are here."
}

# need PACKAGE PROGRAM REASON: notes the Debian package of a program that is missing.
missing=()
reasons=()
need() {
    command -v "$2" > /dev/null || missing+=("$1") reasons+=("$(printf '    %-16s %s' "$1" "$3")")
}

# Installs what `need` found missing. Nothing happens when all is there.
install_missing() {
    [ "${#missing[@]}" -gt 0 ] || return 0
    say "This machine lacks:"
    printf '%s\n' "${reasons[@]}"
    command -v apt-get > /dev/null ||
        fail "there is no apt-get to install it with: please install these (named as in Debian) and start again."
    [ "${#sudo[@]}" -eq 0 ] || command -v sudo > /dev/null ||
        fail "please install it as root: apt-get install --no-install-recommends ${missing[*]}"
    say "${sudo[*]} apt-get install ${missing[*]}"
    renew_lists
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" ||
        fail "the packages could not be installed: the reason stands above."
    missing=() reasons=()
}

# Notes Debian's Rust where there is none at all. One that rustup has installed is found without a new log-in.
need_rust() {
    if ! command -v cargo > /dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    fi
    need cargo-web cargo "builds Rust programs"
    need rustc-web rustc "the Rust compiler, of Debian's security updates"
    need gcc cc "compiles SQLite and the cryptography, and links"
    [ -e /usr/include/stdio.h ] || missing+=(libc6-dev) reasons+=("$(printf '    %-16s %s' libc6-dev "headers of the C library")")
}

# Ends with what to do where Rust is too old.
check_rust() {
    local found wanted
    wanted=$(rust_wanted)
    found=$(rustc --version | cut -d ' ' -f 2) || fail "rustc does not run: the reason stands above."
    [ "$(printf '%s\n%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" = "$wanted" ] && return
    if command -v rustup > /dev/null; then
        fail "Rust $found is too old, $wanted is needed: run \`rustup update stable\` and start again."
    fi
    fail "Rust $found is too old, $wanted is needed. On Debian 12 the security updates have a newer one: enable the suite
    bookworm-security in apt's sources, run  apt-get update && apt-get install rustc-web cargo-web  as root, and start again.
    Elsewhere install it with rustup."
}
