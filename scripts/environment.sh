# Sourced by scripts/run and scripts/test: makes .venv beside pyproject.toml and installs the pinned lock into it, and
# .venv-clients with the SDKs that tests drive a real service with.
# Needs Python >= 3.11 with venv and, the first time, a package index. Nothing is done twice: a stamp in .venv holds
# the checksum of all that went in.

say() { printf 'subsecond: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The first interpreter that is new enough; PYTHON=/path/to/python overrides.
find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

install() { # install LOCK...: quietly; pip's own words go to the log
    for lock in "$@"; do
        set -- "$@" -r "$root/requirements/$lock.txt"
        shift
    done
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --require-hashes \
        --only-binary numba,llvmlite,splintr-rs,pyarrow "$@" >>"$log" 2>&1
}

install_project() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --no-index --no-deps \
        --no-build-isolation --editable "$root" >>"$log" 2>&1
}

compile_core() { # machine code of the simulation core, kept in the user's cache; without it the core still runs
    if "$venv/bin/python" -c 'import numba' 2>/dev/null; then
        say "compiling the simulation core, once; this takes half a minute"
        "$venv/bin/python" -m subsecond.engine.core.ahead >>"$log" 2>&1 || say "it could not be compiled (details: $log)"
    fi
}

explain() { # the one line that says why pip gave up
    if grep -qiE 'NewConnectionError|ConnectTimeout|Temporary failure|Name or service|Network is unreachable|ProxyError' "$log"; then
        die "no package index can be reached, and the first start needs one (details: $log)"
    fi
    die "$1: $(grep -iE '^ *error' "$log" | tail -n 1 | cut -c 1-200) (details: $log)"
}

# prepare LOCK: the environment holds LOCK (base or test), the compiler of the core if there is one, and the project.
prepare() {
    venv=$root/.venv
    log=$venv/install.log
    stamp=$venv/installed-$1
    wanted="$root $(cat "$root"/requirements/*.txt "$root/pyproject.toml" | cksum)"
    if [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return 0
    fi
    python=$(find_python) || die "Python 3.11 or newer is needed and none was found (set PYTHON=/path/to/python)"
    # An environment of another folder or of a Python that is gone cannot be mended.
    case $(cat "$venv"/installed-* 2>/dev/null) in
        "" | "$root "*) [ ! -e "$venv" ] || [ -x "$venv/bin/python" ] || rm -rf "$venv" ;;
        *) rm -rf "$venv" ;;
    esac
    if [ ! -e "$venv" ]; then
        "$python" -c 'import venv, ensurepip' 2>/dev/null ||
            die "$python has no venv module (on Debian and Ubuntu: apt install python3-venv)"
        say "setting up $venv, once; this takes a minute"
        "$python" -m venv "$venv" 2>/dev/null || { rm -rf "$venv"; die "cannot make $venv (is the folder writable?)"; }
    else
        say "bringing $venv up to date"
    fi
    : >"$log" || die "cannot write $log"
    rm -f "$stamp"
    if ! install "$1" fast tokens report scale && ! install "$1" fast report scale && ! install "$1" fast report; then
        install "$1" report || explain "cannot install requirements/$1.txt"
        say "numba has no build for this Python: the core runs uncompiled, many times slower, with equal results"
    fi
    install_project || explain "cannot install the project itself"
    compile_core
    printf '%s\n' "$wanted" >"$stamp"
}

# prepare_own FOLDER LOCK: an environment of its own, with the interpreter $own, for what does not get on with the rest.
prepare_own() {
    venv=$root/$1
    own=$venv/bin/python
    log=$venv/install.log
    wanted="$root $(cksum <"$root/requirements/$2.txt")"
    if [ -x "$own" ] && [ "$(cat "$venv/installed" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    python=$(find_python) || die "Python 3.11 or newer is needed and none was found (set PYTHON=/path/to/python)"
    say "setting up $venv, once; this takes half a minute"
    rm -rf "$venv"
    "$python" -m venv "$venv" 2>/dev/null || { rm -rf "$venv"; die "cannot make $venv (is the folder writable?)"; }
    install "$2" || explain "cannot install requirements/$2.txt"
    [ "$2" = clients ] || install_project || explain "cannot install the project itself"
    printf '%s\n' "$wanted" >"$venv/installed"
}
