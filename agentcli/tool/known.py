"""What is known of programs: which of them only read, and with which flags.

Flags that are known are allowed, none is merely not forbidden. Data of Python, since reading it
from YAML would take longer than everything else that is done with a command.

In a list of flags, `:` after a flag says that it takes a value, `=` that it may have one that is
joined to it, and `-#` stands for a number such as -20.
"""


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# No flag and no argument of these does more than read and print.
ONLY_READ = names(
    """
    : arch b2sum base32 base64 basename cal cat cd cksum cmp col column comm cut dir dirname
    dirs du echo egrep exit expand expr factor false fgrep fmt fold free grep groups head
    hexdump id join jq ls lscpu md5sum nl nproc numfmt od paste pathchk popd printenv ps pushd
    pwd readlink realpath return rev seq sha1sum sha224sum sha256sum sha384sum sha512sum sleep
    stat strings sum tac tail tr true tsort tty type uname unexpand uptime users vdir wc which
    who whoami break continue shift df diff logname
    """
)

# Of these, only calls with no other flags than these. Tree takes the values of its flags from the
# words behind, also for letters in the middle of others: here they are folders like all else.
FLAGS = {
    "date": "-u -R -I= -d: -r: --utc --universal --rfc-email --iso-8601= --rfc-3339: --date:"
    " --reference:",
    "fd": "-H -I -u -s -i -g -F -a -p -d: -t: -e: -E: -0 --hidden --no-ignore --glob --full-path"
    " --type: --extension: --exclude: --max-depth: --min-depth: --absolute-path --follow --print0",
    "file": "-b -i -k -L -h -N -n -r -0 -F: --brief --mime --mime-type --mime-encoding"
    " --keep-going --dereference --no-dereference --separator: --print0",
    "hostname": "-f -s -i -I -d -A --fqdn --short --ip-address --all-ip-addresses",
    "locale": "-a -m -k -c --all-locales --charmaps",
    "rg": "-i -n -N -l -c -w -v -s -S -F -H -I -L -o -q -r: -u -P -x -0 -U -e: -g: -t: -T: -A: -B:"
    " -C: -m: -M: -d: -E: -f: -a -p -h -b --files --hidden --no-ignore --no-ignore-vcs --json"
    " --sort: --sortr: --type-list --no-heading --heading --color: --column --no-column --count"
    " --count-matches --files-with-matches --files-without-match --line-number --no-line-number"
    " --ignore-case --smart-case --case-sensitive --fixed-strings --word-regexp --line-regexp"
    " --invert-match --only-matching --replace: --glob: --iglob: --type: --type-not: --regexp:"
    " --file: --max-count: --max-depth: --max-columns: --max-filesize: --context: --after-context:"
    " --before-context: --multiline --multiline-dotall --pcre2 --null --text --follow --trim"
    " --stats --quiet --with-filename --no-filename --no-messages --vimgrep --passthru --no-config"
    " --unrestricted --encoding: --threads: --version",
    "shuf": "-n: -e -i: -r -z --head-count: --echo --input-range: --repeat --zero-terminated",
    "sort": "-b -d -f -g -h -i -M -n -R -r -V -c -C -m -s -u -z -k: -t: -S: --ignore-leading-blanks"
    " --dictionary-order --ignore-case --general-numeric-sort --ignore-nonprinting --month-sort"
    " --human-numeric-sort --numeric-sort --random-sort --reverse --version-sort --sort:"
    " --check= --merge --key: --stable --field-separator: --unique --zero-terminated --parallel:"
    " --buffer-size: --debug",
    "tree": "-a -d -l -f -x -L -P -I -i -q -N -Q -p -u -g -s -h -D -F -v -t -c -U -r -n -C -A -S"
    " -J -X --noreport --dirsfirst --prune --gitignore --du --si --sort= --fromfile",
    "umask": "-S -p",
    "uniq": "-c -d -D -i -u -z -f: -s: -w: --count --repeated --all-repeated= --ignore-case"
    " --unique --zero-terminated --skip-fields: --skip-chars: --check-chars: --group=",
}

# How many arguments besides flags: of these programs a further one is written to, or set.
OPERANDS = {"date": 1, "hostname": 0, "umask": 0, "uniq": 1}

# What follows `git`, and its flags.
GIT_FLAGS = {
    "blame": "-L: -b -l -t -s -e -w -f -n -p -M= -C= --line-porcelain --porcelain --root"
    " --show-name --show-number --show-email --date: --since: --abbrev=",
    "branch": "-a -r -v -vv --all --remotes --list -i --ignore-case --show-current --contains="
    " --no-contains= --merged= --no-merged= --points-at: --sort: --format: --column= --no-column"
    " --color= --no-color --abbrev= --no-abbrev --verbose",
    "cat-file": "-p -t -s -e --batch-check= --batch= --batch-all-objects",
    "check-ignore": "-v -q -n -z --stdin --verbose --quiet --non-matching --no-index",
    "config": "--get --get-all --get-regexp --get-urlmatch --list -l -z --null --name-only"
    " --show-origin --show-scope --local --global --system --worktree --includes --no-includes"
    " --bool --int --bool-or-int --path --type: --default:",
    "count-objects": "-v -H --verbose --human-readable",
    "describe": "--all --tags --long --always --dirty= --broken= --contains --abbrev: --match:"
    " --exclude: --exact-match --first-parent --candidates: --debug",
    "diff": "",
    "diff-tree": "--root -r -t -m -c --cc --no-commit-id -s -v --stdin",
    "for-each-ref": "--count: --sort: --format: --points-at: --merged= --no-merged= --contains="
    " --no-contains= --ignore-case --exclude: --shell --perl --python --tcl --color=",
    "grep": "-i -I -n -l -L -c -w -v -E -F -G -P -h -H -o -q -a -r -z -p -W -e: -A: -B: -C: -m: -f:"
    " --ignore-case --line-number --files-with-matches --files-without-match --count --word-regexp"
    " --invert-match --extended-regexp --fixed-strings --basic-regexp --perl-regexp --only-matching"
    " --cached --untracked --no-index --and --or --not --all-match --max-depth: --name-only"
    " --heading --break --color= --no-color --column --show-function --function-context"
    " --full-name --null --quiet --max-count: --context: --after-context: --before-context:"
    " --exclude-standard --no-exclude-standard --no-textconv --recurse-submodules --threads: -#",
    "log": "",
    "ls-files": "-c -d -m -o -i -s -u -k -z -t -v -f -x: -X: --cached --deleted --modified --others"
    " --ignored --stage --directory --no-empty-directory --unmerged --killed --exclude:"
    " --exclude-from: --exclude-per-directory: --exclude-standard --error-unmatch --full-name"
    " --abbrev= --debug --eol --deduplicate --format: --with-tree: --recurse-submodules",
    "ls-tree": "-d -r -t -l -z --long --name-only --name-status --object-only --full-name"
    " --full-tree --abbrev= --format:",
    "merge-base": "-a --all --octopus --independent --is-ancestor --fork-point",
    "name-rev": "--tags --refs: --exclude: --all --name-only --no-undefined --always --stdin",
    "reflog": "",
    "remote": "-v --verbose",
    "rev-list": "",
    "rev-parse": "--show-toplevel --abbrev-ref= --short= --git-dir --absolute-git-dir --verify -q"
    " --quiet --symbolic --symbolic-full-name --is-inside-work-tree --is-inside-git-dir"
    " --is-bare-repository --show-prefix --show-cdup --show-superproject-working-tree --all"
    " --branches= --tags= --remotes= --git-path: --git-common-dir --is-shallow-repository"
    " --show-object-format= --revs-only --no-revs --flags --no-flags --not --since: --until:",
    "shortlog": "-n -s -e -c --numbered --summary --email --group: --committer --since: --until:"
    " --after: --before: --all --no-merges --author:",
    "show": "",
    "show-ref": "--head --heads --tags --branches -d --dereference -s --hash= --verify --abbrev= -q"
    " --quiet --exists",
    "stash": "",
    "status": "-s -b -v -z -u= --short --branch --show-stash --porcelain= --long --verbose"
    " --untracked-files= --ignore-submodules= --ignored= --column= --no-column --ahead-behind"
    " --no-ahead-behind --renames --no-renames --find-renames=",
    "tag": "-l -n= --list --sort: --format: --contains= --no-contains= --merged= --no-merged="
    " --points-at: --column= --no-column -i --ignore-case --color=",
    "var": "-l",
    "version": "--build-options",
    "worktree": "--porcelain -z -v",
}

# Of the commands of git that show commits or differences. No --ext-diff, --output, --textconv.
GIT_SHOWS = frozenset({"diff", "diff-tree", "log", "reflog", "rev-list", "show", "stash"})
GIT_SHOW_FLAGS = (
    "-p -u -s -U: -W -w -b -a -R -z -M= -C= -B= -D -S: -G: -O: -n: -i -E -F -P -L: -g -m -c -t -#"
    " -X= -l: -q --patch --no-patch --unified: --raw --patch-with-raw --minimal --patience"
    " --histogram --diff-algorithm: --stat= --compact-summary --numstat --shortstat --dirstat="
    " --cumulative --summary --name-only --name-status --color= --no-color --color-moved="
    " --word-diff= --word-diff-regex: --color-words= --no-renames --check --full-index --binary"
    " --abbrev= --no-abbrev --break-rewrites= --find-renames= --find-copies= --find-copies-harder"
    " --irreversible-delete --diff-filter: --pickaxe-all --pickaxe-regex --relative= --no-relative"
    " --text --ignore-cr-at-eol --ignore-space-at-eol --ignore-space-change --ignore-all-space"
    " --ignore-blank-lines --ignore-matching-lines: --inter-hunk-context: --function-context"
    " --exit-code --quiet --no-ext-diff --no-textconv --ignore-submodules= --src-prefix:"
    " --dst-prefix: --no-prefix --default-prefix --line-prefix: --ita-invisible-in-index --cached"
    " --staged --merge-base --no-index --cc --combined-all-paths --oneline --graph --no-graph"
    " --decorate= --no-decorate --decorate-refs: --decorate-refs-exclude: --format: --pretty="
    " --abbrev-commit --no-abbrev-commit --encoding: --date: --relative-date --max-count: --skip:"
    " --since: --after: --until: --before: --author: --committer: --grep: --all-match"
    " --invert-grep --regexp-ignore-case --basic-regexp --extended-regexp --fixed-strings"
    " --perl-regexp --merges --no-merges --min-parents: --max-parents: --first-parent --not --all"
    " --branches= --tags= --remotes= --glob: --exclude: --reflog --stdin --cherry-mark"
    " --cherry-pick --left-only --right-only --cherry --walk-reflogs --merge --boundary"
    " --simplify-by-decoration --full-history --dense --sparse --simplify-merges --ancestry-path="
    " --date-order --author-date-order --topo-order --reverse --objects --no-walk= --parents"
    " --children --left-right --show-linear-break= --notes= --no-notes --source --use-mailmap"
    " --mailmap --no-mailmap --log-size --follow --full-diff --count --header --timestamp"
    " --no-commit-id --root"
)

GIT_WRITES = names(
    """
    add am apply archive bisect branch bundle checkout checkout-index cherry-pick clean commit
    commit-tree config fast-import format-patch gc hash-object index-pack init init-db merge mv
    notes pack-refs prune read-tree rebase reflog remote repack replace reset restore revert rm
    sparse-checkout stash switch symbolic-ref tag update-index update-ref worktree write-tree
    """
)
GIT_NETWORK = names("clone fetch ls-remote pull push request-pull send-email submodule")

WRITES = names(
    """
    bunzip2 bzip2 chattr chgrp chmod chown cp csplit dd fallocate gunzip gzip install link ln
    mkdir mkfifo mknod mktemp mv patch rename rm rmdir shred split sync tar tee touch truncate
    unlink unxz unzip unzstd xz zip zstd
    """
)
NETWORK = names(
    """
    aria2c curl dig ftp gh host http https httpie lftp links lynx nc ncat netcat nmap nslookup
    ping ping6 rsync scp sftp socat ssh telnet tftp tracepath traceroute w3m wget whois
    """
)
RUNS = names(
    """
    . ant apk apt apt-get ash awk bash bun bundle busybox cargo clang cmake cpan composer conda
    ctest dash deno dotnet dpkg elixir fish g++ gawk gcc gem go gradle jest java javac julia
    just ksh ld lua make mawk meson mix mocha mvn mypy nawk ninja node nox npm npx nvm perl php
    pip pip3 pipx pnpm poetry pwsh pytest py.test python python2 python3 R rake rbenv ruby ruff
    rustc rustup sbt sh source swift tclsh tox tsc uv uvx vitest yarn zsh
    """
)
UNKNOWN = {
    **dict.fromkeys(("sudo", "doas", "su", "pkexec", "runuser"), "gets another user's rights"),
    **dict.fromkeys(("chroot", "nsenter", "unshare"), "leaves its surroundings"),
    **dict.fromkeys(("eval", "trap", "parallel", "watch", "script"), "runs text as a command"),
    **dict.fromkeys(("alias", "unalias", "enable", "hash"), "changes what a name means"),
    **dict.fromkeys(("mapfile", "readarray", "let", "select"), "can run a text as a command"),
    "coproc": "runs a command beside the others",
}

# These tell their version and do nothing else when this is all that they are asked. Yarn, cargo,
# go, pytest and the like first run what the project's files name.
VERSIONED = names("bash curl g++ gcc git jq make node perl python python2 python3 rg ruby tar tree")
VERSION_FLAGS = frozenset({"--version", "-V"})

# A wrapper's own flags, and how many words of its own stand before the command that it runs.
WRAPPERS = {
    "builtin": ("", 0),
    "command": ("-p", 0),
    "exec": ("", 0),
    "ionice": ("-c: -n: -t", 0),
    "nice": ("-n: --adjustment: -#", 0),
    "nohup": ("", 0),
    "setsid": ("-w -f -c --wait", 0),
    "stdbuf": ("-i: -o: -e: --input: --output: --error:", 0),
    "time": ("-p", 0),
    "timeout": ("-k: -s: -v --kill-after: --signal: --foreground --preserve-status --verbose", 1),
    "xargs": (
        "-0 -r -x -n: -P: -L: -I: -d: -a: -s: --null --no-run-if-empty --max-args: --max-procs:"
        " --max-lines: --replace= --delimiter: --arg-file: --max-chars: --exit",
        0,
    ),
}

SHELLS = frozenset({"bash", "sh", "dash"})

FIND_TESTS = names(
    """
    -empty -executable -readable -writable -print -print0 -ls -prune -quit -depth -d -mount
    -xdev -follow -L -H -P -not ! -a -o -and -or ( ) , -true -false -daystart -nouser -nogroup
    -noleaf -ignore_readdir_race -warn -nowarn
    """
)
FIND_VALUED = names(
    """
    -name -iname -path -ipath -wholename -iwholename -regex -iregex -type -xtype -size -mtime
    -atime -ctime -mmin -amin -cmin -newer -anewer -cnewer -newermt -perm -user -group -uid
    -gid -maxdepth -mindepth -links -inum -samefile -printf -regextype -lname -ilname -fstype
    -used
    """
)
FIND_WRITES = frozenset({"-delete", "-fprint", "-fprint0", "-fprintf", "-fls"})
FIND_EXECS = frozenset({"-exec", "-execdir"})

# Variables that a command may set without a change of how programs work, besides lower-case names.
PLAIN_VARIABLES = names(
    """
    LANG LC_ALL LC_COLLATE LC_CTYPE LC_MESSAGES LC_NUMERIC LC_TIME TZ COLUMNS NO_COLOR
    """
)
