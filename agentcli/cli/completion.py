"""`agentcli completion`: the scripts that let a shell ask what could come next."""

import typer

app = typer.Typer(
    help="Tab completion for your shell.", no_args_is_help=True, rich_markup_mode=None
)

# None of them evaluates what it reads: names are compared, quoted and inserted as they are.
BASH = r"""# For good, in ~/.bashrc: eval "$(agentcli completion bash)"
_agentcli() {
    local line name tab=$'\t'
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        :files | :folders)
            type compopt >/dev/null 2>&1 || continue # without it, odd names stay unquoted
            compopt -o filenames 2>/dev/null
            while IFS= read -r name; do
                COMPREPLY+=("$name")
            done < <(if [[ $line == :files ]]; then compgen -f -- "$2"; else compgen -d -- "$2"; fi)
            ;;
        *) COMPREPLY+=("${line%%"$tab"*}") ;;
        esac
    done < <("$1" __complete bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" \
        2>/dev/null </dev/null)
}
complete -o nosort -F _agentcli agentcli 2>/dev/null || complete -F _agentcli agentcli
"""

ZSH = r"""#compdef agentcli
# For good, in ~/.zshrc after compinit: eval "$(agentcli completion zsh)"
_agentcli() {
    local line files folders
    local -a values shown
    while IFS= read -r line; do
        case $line in
        :files) files=1 ;;
        :folders) folders=1 ;;
        *)
            values+=("${line%%$'\t'*}")
            shown+=("${line/$'\t'/  }")
            ;;
        esac
    done < <("${words[1]}" __complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" \
        2>/dev/null </dev/null)
    local found=1
    (( $#values )) && compadd -l -V agentcli -d shown -a values && found=0
    [[ -n $files ]] && _files && found=0
    [[ -n $folders ]] && _files -/ && found=0
    return found
}
if [[ $funcstack[1] == _agentcli ]]; then _agentcli "$@"; else compdef _agentcli agentcli; fi
"""

FISH = r"""# For good: agentcli completion fish > ~/.config/fish/completions/agentcli.fish
function __agentcli_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    for line in ($typed[1] __complete fish $typed[2..-1] "$current" 2>/dev/null </dev/null)
        switch "$line"
            case :files
                __fish_complete_path "$current"
            case :folders
                __fish_complete_directories "$current"
            case '*'
                printf '%s\n' "$line"
        end
    end
end
complete -c agentcli -f -k -a '(__agentcli_complete)'
"""


@app.command("bash")
def bash() -> None:
    """Print the script for bash.

    eval "$(agentcli completion bash)"
    """
    print(BASH, end="")


@app.command("zsh")
def zsh() -> None:
    """Print the script for zsh.

    eval "$(agentcli completion zsh)"
    """
    print(ZSH, end="")


@app.command("fish")
def fish() -> None:
    """Print the script for fish.

    agentcli completion fish | source
    """
    print(FISH, end="")
