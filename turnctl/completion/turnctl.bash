# bash completion for turnctl. It asks turnctl what there is, so it is never behind: verbs and flags come from the
# --help of what has been typed so far, and where a flag wants a file, files are offered.

_turnctl() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word help
    local -a path=()
    # Verbs only: words before the first flag. Values of flags would not be understood.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word == -* ]] && break
        path+=("$word")
    done
    case $previous in
    --*file | --socket | --database | --ca | --list)
        compopt -o filenames 2>/dev/null || : # fails outside of a completion
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    esac
    # A verb's arguments are no verbs: without the last words until turnctl knows what is meant.
    until help=$("${COMP_WORDS[0]}" "${path[@]}" --help 2>/dev/null) || [ ${#path[@]} = 0 ]; do
        unset "path[-1]"
    done
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(grep -oE -- '--[a-z][a-z-]*' <<<"$help" | sort -u)" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$(sed -n '/^Subcommands:/,/^$/s/^  \([a-z][a-z-]*\).*/\1/p' <<<"$help")" -- "$current")
    fi
}
complete -F _turnctl turnctl
