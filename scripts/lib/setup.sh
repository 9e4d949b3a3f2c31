# shellcheck shell=sh
# Makes what netsim runs in: the Debian packages and the virtual environment. Needs ready.sh.
# Each step is one line on stderr; what the programs say goes to $venv/netsim-setup.log.

say() { echo "netsim: $*" >&2; }

fail() {
  say "$*"
  exit 3
}

fail_with_log() {
  say "$1; the end of $log:"
  tail -n 15 "$log" | sed 's/^/  /' >&2
  exit 3
}

# set_up [dev]: dev is what the tests need besides.
set_up() {
  [ "$(uname)" = Linux ] || fail "this is $(uname), and netsim needs Linux: see docs/install.md for a virtual machine"
  # The lock is on the clone itself: nothing to leave behind. Children keep it, so that a pip which
  # outlives a killed script is waited for, not trampled on.
  exec 9<"$root/scripts/lib/setup.sh"
  if ! flock -n 9; then
    say "another set-up is at work here: waiting for it"
    flock 9
  fi
  if ! ready "$@"; then
    trap 'say "interrupted: the next run starts over"; exit 130' INT TERM
    make_ready "$@"
    trap - INT TERM
  fi
  exec 9<&-
}

make_ready() {
  umask 022 # what root makes, everybody may run
  if reusable; then whole=yes python=$venv/bin/python; else whole='' && find_python; fi
  find_missing "$@"
  [ -z "$packages" ] || can_install
  begin
  [ -z "$packages$wishes" ] || install_packages
  if [ -z "$whole" ]; then
    say "making the virtual environment $venv (Python $version)"
    "$python" -m venv "$venv" >>"$log" 2>&1 || fail_with_log "python -m venv failed"
  fi
  say "installing the Python packages of netsim${1:+ and its tests} with pip"
  pip_install "$root${1:+[$1]}" || pip_failed
  "$venv/bin/python" -c 'import iptc' >>"$log" 2>&1 || fail_with_log "python-iptables does not load"
  compile
  finish "$@"
  say "ready"
}

# An environment that is whole, and was made in this very place by a Python that is still there.
reusable() {
  [ ! -e "$venv/netsim-half-made" ] || return 1
  # the three ways in which pip's first lines name its Python: plain, too long, with a space
  grep -qsF -e "#!$venv/bin/python" -e "' $venv/bin/python" -e "\"$venv/bin/python" "$venv/bin/pip" || return 1
  probe "$venv/bin/python" && "$venv/bin/python" -c 'import pip' 2>/dev/null || return 1
  if [ -n "${NETSIM_PYTHON-}" ]; then
    here=$path
    probe "$NETSIM_PYTHON" && [ "$path" = "$here" ]
  fi
}

# Sets $version (3.12) and $path (no symlink, no shim) of a Python that is new enough.
probe() {
  found=$("$1" -c 'import os, sys; print("%d.%d %s" % (sys.version_info[:2] + (os.path.realpath(sys.executable),)))' \
    2>/dev/null) || return 1
  version=${found%% *} path=${found#* }
  [ "${version%.*}" -eq 3 ] && [ "${version#*.}" -ge 11 ] && return
  too_old="${too_old:+$too_old, }$path is $version"
  return 1
}

find_python() {
  python='' too_old=''
  if [ -n "${NETSIM_PYTHON-}" ]; then set -- "$NETSIM_PYTHON"; else
    set -- python3 /usr/bin/python3 python3.13 python3.12 python3.11
  fi
  for candidate; do
    probe "$candidate" || continue
    python=${python:-$path}
    # Root's own Python, in /root/.pyenv say, would make an environment that only root can run.
    if [ "$(id -u)" -ne 0 ] ||
      setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$path" 2>/dev/null; then
      python=$path
      break
    fi
  done
  [ -n "$python" ] || fail "netsim needs Python 3.11 or newer${too_old:+ ($too_old)}; NETSIM_PYTHON=/path/to/python names one"
  probe "$python"
}

# Sets $packages (cannot do without), and $wishes (tests are skipped without).
find_missing() {
  wishes=''
  packages=$(cat "$venv/netsim-packages" 2>/dev/null || :) # what an interrupted apt-get was to install
  has ip || want iproute2
  has strace || want strace
  has iptables || want iptables # libxtables, libip4tc and the match extensions
  has modprobe || want kmod     # python-iptables runs it
  # python-iptables is published as source only
  has gcc || want gcc
  [ -e /usr/include/stdlib.h ] || want libc6-dev
  "$python" -c 'import os, sys, sysconfig as s; sys.exit(not os.path.exists(s.get_config_var("INCLUDEPY") + "/Python.h"))' ||
    want python$version-dev
  "$python" -c 'import ensurepip, venv' 2>/dev/null || want python$version-venv
  [ $# -eq 0 ] && return
  for program in curl shellcheck tcpdump; do
    has "$program" || wishes="$wishes $program"
  done
  has nc || wishes="$wishes netcat-openbsd"
  has debootstrap || wishes="$wishes debootstrap debian-archive-keyring"
  has vagrant || wishes="$wishes vagrant-libvirt" # vagrant, and a provider to validate against
}

want() { case " $packages " in *" $1 "*) ;; *) packages="$packages $1" ;; esac }

has() { (PATH=$PATH:/usr/sbin:/sbin && command -v "$1" >/dev/null); }

can_install() {
  command -v apt-get >/dev/null ||
    fail "there is no apt-get here; install what Debian calls$packages (docs/install.md), then run this again"
  [ "$(id -u)" -eq 0 ] ||
    fail "run this once with sudo, or first: sudo apt-get install --no-install-recommends$packages"
}

install_packages() {
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    say "without$wishes some tests are skipped"
    return
  fi
  say "installing$packages$wishes with apt-get"
  echo "$packages$wishes" >"$venv/netsim-packages"
  {
    dpkg --configure -a # heals a dpkg that was interrupted
    apt update || :     # the judge is install: one dead repository of many is no reason to stop
  } >>"$log" 2>&1
  # shellcheck disable=SC2086  # a list
  [ -z "$packages" ] || apt install $packages >>"$log" 2>&1 || fail_with_log "apt-get failed"
  for package in $wishes; do
    apt install "$package" >>"$log" 2>&1 || say "there is no $package to be had: some tests are skipped"
  done
  rm "$venv/netsim-packages"
}

apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" </dev/null
}

# From here to finish a kill leaves the mark, and the next run starts from nothing.
begin() {
  mark=$venv/netsim-half-made log=$venv/netsim-setup.log
  if [ -z "$whole" ] && ! [ -e "$venv/netsim-python" ] && ! [ -e "$mark" ] && [ -n "$(ls -A "$venv" 2>/dev/null)" ]; then
    fail "$venv is there, and is not ours to clear: move it away, or name another place in NETSIM_VENV"
  fi
  { mkdir -p "$venv" && touch "$mark"; } 2>/dev/null ||
    fail "$venv must be made or updated, and $(id -un) may not write there: run this once with sudo"
  if [ -n "$whole" ]; then
    rm -f "$venv"/netsim-ready*
  else
    find "$venv/" -mindepth 1 -maxdepth 1 ! -name netsim-half-made ! -name netsim-packages -exec rm -rf -- {} +
  fi
  : >"$log"
}

finish() {
  probe "$venv/bin/python"
  printf '%s\n%s\n' "$path" "${NETSIM_PYTHON-}" >"$venv/netsim-python"
  printf '%s\n' "$inputs" >"$mark"
  hand_over
  [ -z "${1-}" ] || cp -p "$mark" "$venv/netsim-ready-$1"
  mv "$mark" "$venv/netsim-ready"
}

# What root makes inside a person's clone belongs to that person.
hand_over() {
  case $(id -u):$venv in
    0:"$root"/*) find "$venv" "$root/netsim" \( -path "$venv/*" -o -path "$venv" -o -path '*/__pycache__*' \) \
      -exec chown -h --reference="$root/pyproject.toml" {} + || : ;; # where chown may not, root's it stays
  esac
}

pip_install() {
  PIP_RETRIES=${PIP_RETRIES-2} PIP_DISABLE_PIP_VERSION_CHECK=1 \
    "$venv/bin/python" -m pip install -e "$1" >>"$log" 2>&1 </dev/null
}

pip_failed() {
  if grep -q 'NewConnectionError\|NameResolutionError\|ConnectTimeoutError\|ProxyError' "$log"; then
    fail_with_log "pip cannot reach the package index (is there a network?)"
  fi
  fail_with_log "pip could not install what netsim needs"
}
