#!/usr/bin/env bash
# Installs espeak-ng, the Noto Color Emoji font and Python's venv for the trainings and the rendering of days. They also need ffmpeg and the
# Python packages of requirements.txt. Does nothing if all are installed.
set -euo pipefail
python=${PYTHON:-python3}
font() {
  local folders=(/usr/share/fonts /usr/local/share/fonts "${XDG_DATA_HOME:-$HOME/.local/share}/fonts" {"$HOME",}/Library/Fonts)
  [ -n "$(find "${folders[@]}" -name NotoColorEmoji.ttf 2>/dev/null || true)" ]
}
there() { command -v espeak-ng >/dev/null && font && "$python" -c 'import ensurepip, venv' 2>/dev/null; }
there && exit 0
echo "espeak-ng, the Noto Color Emoji font or Python's venv is missing; installing them"
sudo=$([ "$(id -u)" = 0 ] || echo sudo)
if command -v apt-get >/dev/null; then
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq espeak-ng fonts-noto-color-emoji python3-venv
elif command -v dnf >/dev/null; then $sudo dnf install -y espeak-ng google-noto-emoji-color-fonts
elif command -v pacman >/dev/null; then $sudo pacman -S --noconfirm espeak-ng noto-fonts-emoji
elif command -v brew >/dev/null; then brew install espeak-ng font-noto-color-emoji
fi
there || { echo "error: install espeak-ng, the font Noto Color Emoji and Python's venv by hand" >&2; exit 1; }
