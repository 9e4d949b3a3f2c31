# shellcheck shell=sh
# Is there nothing left to set up? Asked at every start, so it costs two cats: 3 ms with the rest.
# $root is the clone; sets $venv, $stamp and $inputs.

venv=${NETSIM_VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac

# ready [dev]: the stamp is a copy of all that the environment was made from, its own place included
# (a moved or copied clone differs), and is put there last: what is half-made is never ready.
ready() {
  stamp=$venv/netsim-ready${1:+-$1}
  inputs="$root $venv
$(cat "$root/pyproject.toml" "$root/scripts/lib/setup.sh")"
  if ! [ -x "$venv/bin/python" ] || ! [ -r "$stamp" ] || [ "$inputs" != "$(cat "$stamp")" ]; then
    return 1
  fi
  { read -r was_python && read -r asked_for; } <"$venv/netsim-python" || return 1
  [ "$was_python" -ef "$venv/bin/python" ] || return 1
  [ "${NETSIM_PYTHON:-$asked_for}" = "$asked_for" ] || return 1
  # Python refreshes its bytecode by itself, except where it is told not to write any: there,
  # what was edited or pulled since is compiled here, once, and not again at every start.
  [ -z "${PYTHONDONTWRITEBYTECODE-}" ] || fresh_bytecode
}

fresh_bytecode() {
  [ -z "$(find "$root/netsim" -name '*.py' -newer "$venv/netsim-bytecode" 2>&1)" ] || compile
}

# Never fatal: without it the program only starts more slowly.
compile() {
  [ -w "$venv" ] || return 0
  : >"$venv/netsim-bytecode" # first, so that what changes meanwhile is newer
  "$venv/bin/python" -m compileall -q "$root/netsim" >/dev/null 2>&1 || :
}
