#!/bin/bash
# Formats every C file as .clang-format says; with --check only says which are not.
set -eu
cd "$(dirname "$0")/.."
mode=-i
[ "${1:-}" != --check ] || mode='--dry-run -Werror'
git ls-files -z --cached --others --exclude-standard '*.c' '*.h' | xargs -0 clang-format $mode
