#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes a C file with the text of Lua scripts: lua_embed.sh FILE.lua ... > lua_text.c
set -eu
echo '/* SPDX-License-Identifier: Apache-2.0 */'
echo '/* Made by lua_embed.sh from common/engine/lua. */'
echo '#include "common/engine/script.h"'
for file in "$@"; do
    name=$(basename "$file" .lua)
    printf '\nconst char script_text_%s[] =\n' "$name"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$file"
    echo '    ;'
done
