# fish completion for winner-view(1): the program itself says what may stand there. After "file:" and "sqlite:" fish
# completes file names.

function __winner_view_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l found ($words[1] complete $words[2..] "$typed" 2>/dev/null)
    if set -q found[1]
        printf '%s\n' $found
    else if string match -q '*:*' -- $typed
        set -l path (string replace -r '^[^:]*:' '' -- $typed)
        set -l kind (string replace -r ':.*' ':' -- $typed)
        for name in $path*
            test -d $name; and echo "$kind$name/"; or echo "$kind$name"
        end
    end
end

complete -c winner-view -f -a '(__winner_view_complete)'
