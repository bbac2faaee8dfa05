# bash completion for winner-view(1): the program itself says what may stand there. After "file:" and "sqlite:" bash
# completes file names.
# shellcheck shell=bash

_winner_view() {
    mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1)
    [[ ${COMPREPLY[0]:-} != *: ]] || compopt -o nospace 2>/dev/null
}

complete -o default -F _winner_view winner-view
