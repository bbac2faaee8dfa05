#compdef winner-view
# zsh completion for winner-view(1): the program itself says what may stand there. After "file:" and "sqlite:" zsh
# completes file names.

local line tab=$'\t'
local -a plain open
for line in ${(f)"$($words[1] complete "${(@)words[2,CURRENT]}" 2>/dev/null)"}; do
    if [[ ${line%%$tab*} == *: ]]; then
        open+=("${line%%$tab*}")
    else
        plain+=("${${line%%$tab*}//:/\\:}:${line#*$tab}")
    fi
done
(( ! $#open )) || compadd -S '' -- $open
(( ! $#plain )) || _describe 'winner-view' plain
(( $#open + $#plain )) || { compset -P '*:'; _files }
