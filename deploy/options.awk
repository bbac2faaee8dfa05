# Fills a template of the manual page or of the environment file with the commands and options of the help:
#   awk -f options.awk HELP TEMPLATE
# HELP has `winner-view --help`, then `winner-view help COMMAND` of those whose options are filled in.
# A comment of the template that has @COMMANDS@ or @OPTIONS@ is replaced: by roff if it is a comment of roff.

FNR == NR && /^usage: winner-view [a-z]/ { part = "options"; next }
FNR == NR && /^commands:/ { part = "commands"; next }
FNR == NR && /^$/ && part == "commands" { part = "" }
FNR == NR && part == "commands" && /^  [a-z]/ { command[++commands] = $1; sub(/^ *[^ ]+ +/, ""); does[commands] = $0 }
FNR == NR && part == "options" && /^  --/ { is_new = !known[$1]++; if (is_new) { name[++options] = substr($1, 3); argument[options] = $2 } }
FNR == NR && part == "options" && /^      / && is_new { sub(/^ +/, ""); text[options] = $0 }
FNR == NR { next }

/^\.\\" @COMMANDS@/ { for (i = 1; i <= commands; i++) printf ".TP\n.B %s\n%s\n", roff(command[i]), roff(does[i]); next }
/^\.\\" @OPTIONS@/ { for (i = 1; i <= options; i++) printf ".TP\n.BI \\-\\-%s \" %s\"\n%s\n", roff(name[i]), roff(argument[i]), roff(text[i]); next }
/^# @OPTIONS@/ { for (i = 1; i <= options; i++) if (name[i] != "format") variable(name[i], argument[i], text[i]); next } # audit's alone
{ print }

function roff(words) {
    gsub(/-/, "\\-", words)
    return words
}

function variable(name, argument, text,  default_value) {
    if (match(text, / \(default: [^()]*\)/)) {
        default_value = substr(text, RSTART + 11, RLENGTH - 12)
        text = substr(text, 1, RSTART - 1) substr(text, RSTART + RLENGTH)
    }
    if (default_value ~ / /)
        default_value = "\"" default_value "\""
    gsub(/-/, "_", name)
    printf "%s# %s\n#   %s\n#WINNER_VIEW_%s=%s\n", printed++ ? "\n" : "", text, argument, toupper(name), default_value
}
