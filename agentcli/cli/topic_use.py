"""What `agentcli help` tells of using the program: a title and a text each."""

USE = {
    "exit-codes": (
        "What the exit code of a command says.",
        """
0  Done.
1  The task failed: its checks do not hold; a replay differs; a check of tools found something.
64  Usage: the words of the command line do not fit together.
65  Bad input: a task, a file or a value is not what it should be.
66  A file, profile, task or run that was named is not there.
69  A service or the sandbox does not answer. What mends it is said.
70  An internal error, or a request that the model's server refused.
73  A file cannot be written, or a ledger is damaged.
75  A temporary failure: try again later.
76  The budget is used up: money or steps.
77  Not permitted: the server refused the key, a person or a rule said no, or nobody was there
  to say yes.
78  Configuration: a setting or a profile is wrong, or there is no key.
124  The time limit is reached.
130  Interrupted.
141  Whoever read the output is gone.
143  Terminated.

A run that stops before its end is parked, and can go on: agentcli resume RUN.
With --json the code is also in the document, as exit_code.
""",
    ),
    "env": (
        "The environment variables that count.",
        """
The API:

ANTHROPIC_API_KEY  The key.
ANTHROPIC_AUTH_TOKEN  A bearer token in place of a key.
ANTHROPIC_BASE_URL  Another server that speaks the same protocol.
ANTHROPIC_PROFILE  Which of the API client's own profiles signs you in.
AGENTCLI_LAZY_SDK=0  Load the API client whole, and so slower, if you suspect how it is loaded.

The network:

HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY  Proxies, and where to use none.
SSL_CERT_FILE  Certificates to trust, such as those of your company.
DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG  Which Docker engine runs the sandbox.

The terminal:

NO_COLOR, CLICOLOR=0, TERM=dumb, CI  No colours.
CLICOLOR_FORCE  Colours everywhere.
COLUMNS  How wide help is.
LC_ALL, LC_CTYPE, LANG  Whether the terminal takes UTF-8.
VISUAL, EDITOR  What edits the arguments of a call.

Settings; an option on the command line goes before them, profiles and settings files after:

AGENTCLI_PROFILE  Who works: --profile
AGENTCLI_MODEL  Which model: --model
AGENTCLI_SANDBOX  Where tools run: --sandbox
AGENTCLI_USD, AGENTCLI_STEPS, AGENTCLI_TIME  Limits of a run: --usd, --steps, --time. A chat is
  limited in time only by --time.

Folders; see agentcli help files:

AGENTCLI_HOME  One folder for everything.
XDG_CONFIG_HOME, XDG_DATA_HOME  Where configuration and runs live.
""",
    ),
    "files": (
        "Which files there are, and where.",
        """
Your configuration is in @config

settings.yaml  What holds where nothing else is said: agentcli config show.
profiles/  Who works: NAME.yaml each, for --profile NAME.
policies/  Rules about calls; always.yaml holds your answers with A.
tasks/  What can be asked for: NAME.yaml each, for agentcli run NAME.
scripts/  What stands in for a model: NAME.yaml each, for --model scripted:NAME.
tools/  Your own tools: NAME.yaml and its script.
models.yaml  More models, or other prices.

Your files go before the shipped ones of the same name; a tool needs a new name. A profile, even
a shipped one, goes before the settings.

What was done is in @state

runs/ID/ledger.jsonl  All that happened in a run: agentcli help ledger.
runs/ID/plan.json  What it was given: profile, task, tools, limits.
runs/ID/fork.json  Of a fork: its model and workspace, where they differ.
runs/ID/head.json  How far the ledger had come, sealed by this machine.
runs/ID/checkpoint.json  Its state, to go on quickly from; index goes with it.
runs/ID/outputs/  Outputs too long for the model.
runs/ID/private/  Secrets that the ledger must not hold.
runs/ID/socket  While it runs: where agentcli approve speaks to it.
runs/ID/title  What you called it later: agentcli runs rename.
runs/ID/workspace/  The copy that a task, a fork or a replay worked on.
seals/, seal.key  Heads of ledgers outside of their runs, and what seals them.
store/  States of workspaces before changes.
history  What was typed in chats.
trust.json, trust/  Which projects' own files you have accepted, and the copies that count.

A project may bring its own settings, profiles, policies, tasks and tools in .agentcli/. They count
only once you have accepted their exact content, and so do AGENTS.md and CLAUDE.md, which until then
are data, not instructions: agentcli help trust.
""",
    ),
    "keys": (
        "The keyboard, and where the API key comes from.",
        """
In a chat:

Enter  Sends. After a backslash, Ctrl+J or Alt+Enter it is a new line.
Ctrl+C  Clears the line; on an empty line it stops the step, twice it leaves.
Ctrl+D  Leaves, on an empty line. The chat can be resumed.
Ctrl+L, Ctrl+X Ctrl+E  Clears the screen; opens your editor.
/help, /cost, /quit  Commands; /budget 5 and /steps 100 raise the limits.
/undo  Puts back what the last turn changed, after a look; /undo all, or the call.

When a call asks:

y  Yes, this once.
a  Yes, and so for every reversible call of this tool in this session.
e  Edit the arguments first.
n, Enter  No; you may say why, for the model.
s, Ctrl+C  Stop.
Space  The rest of a long question.

What cannot be undone takes the tool's name, typed out. In a replay:

Space  Pauses and goes on.
n, b, right, left  One record on; one back.
g N  Goes to record N.
+, -  Faster; slower.
q  Leaves.

The API key comes from the environment: ANTHROPIC_API_KEY, or what agentcli help env names
beside it; else from your settings.yaml: api: {key_file: PATH}, or key_command: [PROGRAM, ...],
or keyring: NAME. Without one, --model scripted:FILE plays a script, as agentcli demo does.
""",
    ),
    "ledger": (
        "The record of a run.",
        """
Each run writes one file, ledger.jsonl: a record a line, each bound to the one before by a hash.
An act is on disk before it begins, so that even a crash leaves no doubt about what was started.
How a call ended is known as done, not done, or unknown.

agentcli runs list  The runs, the newest first.
agentcli replay RUN  Watch it again. Nothing is run or asked.
agentcli replay RUN --verify  Recompute every decision from the facts.
agentcli replay RUN --what-if PROFILE  Say what would now be decided.
agentcli replay RUN --against OTHER  Find the first step where they part.
agentcli replay RUN --model NAME  Ask a model anew; what tools say is recorded.
agentcli runs fork RUN --at N  Go on from any record, as another run.
agentcli audit verify RUN  Prove that it is what was written, and all of it.
agentcli audit trail RUN  Say of each call who proposed it, allowed it, and what came.
agentcli undo RUN  Put back what its calls changed.
agentcli resume RUN  Go on where it stopped.

RUN is an id, a unique beginning or end of one, the path of a ledger or a bundle, or last.

On resume, finished calls are not run again. One that was cut off is run again only if that is
harmless. Else the model is told that nobody knows whether it happened, and of what cannot be
undone a person is asked. What cannot be undone is never run twice by itself.

Secrets that are known or look like one are replaced by marks before anything is written; personal
data too, if you say so: agentcli help pii.

How far a ledger had come is sealed with a key of this machine, beside it and outside of its
folder: a ledger that was cut off, written anew or put back from an older copy is told as such.
Whoever can read that key could write the seal too.
""",
    ),
    "tools": (
        "How tools are described, run and added.",
        """
A tool is a manifest, NAME.yaml, and most often a script beside it: in @config/tools, or a
project's .agentcli/tools once trusted. The shipped ones are good examples:
agentcli tools show NAME says where each is.

name, version, description  Of these the model is told the first and the last.
parameters  What it takes, as JSON Schema.
output  What it returns under "data", or a command prints as JSON, as JSON Schema. What does not
  fit is an error, and no call that undoes it uses its values.
tier  read_only, reversible, irreversible or privileged.
reversible_when  What must hold: sandboxed, offline, restorable.
egress, idempotent  Whether it can send data out; whether twice is like once.
compensate  How it is undone: none, {restore: [path]}, or {call: {tool: ..., args: {...}}}.
labels  How far its output is to be believed, and who may see it.
timeout_s  How long it may take.
shell  The argument that is a command of bash: a call that only reads is read_only then.
preview, probe  Whether it can show what it would do, and tell whether a lost call happened.
examples  Calls that fit.
run  A script with its modules, a command or a session.

A script gets the arguments as JSON on stdin and prints {"text": ...} or {"error": ...}. It runs
in the sandbox: docker, or bubblewrap, or with --sandbox local on this machine itself. A sandbox has
no network; run.get names a URL to read for the script: agentcli help network. What it prints
under "data" can be used by the call that undoes it, as {result.NAME}; {args.NAME} is an argument.
AGENTCLI_IDEMPOTENCY_KEY is the same whenever a call is run again.

What has no default: name, version, description, parameters, tier, egress, idempotent and run. A
profile names the tools that it offers: an own one too, beside those that it is to keep.

agentcli tools check NAME  Says what is wrong with it.
agentcli tools call NAME JSON  Calls it by hand, with all rules.
""",
    ),
    "network": (
        "What is read of the web, and where nothing is.",
        """
What runs in a sandbox has no network. The tool fetch reads pages, and a tool of your own can, with

    egress: true
    run:
      script: weather.py
      get: "https://example.com/weather?city={city}"

{city} is an argument, quoted, anywhere behind the host; get: "{url}" takes the whole URL from one.
The program itself reads it: by GET, without cookies or passwords, up to 5 MB. Then the script runs,
in the sandbox, with this on stdin: {"args": {...}, "response": {"url", "status", "headers", "body"
in base64, gzipped if the headers say so, "cut"}}.

Each call is judged as any other: by the domains of policies (agentcli help rules); by the profile
(the default one asks before each fetch; one that extends it with its own ask names fetch again);
and by where its URL comes from, once the model has seen untrusted text (agentcli help injection).
With A at a question you keep a rule that lets fetch read one host unasked.

A host is looked up once, when the call runs. If any of its addresses is private, link-local, of
this machine or not public for another reason, nothing is read. Else it is reached at just these
addresses, with TLS for its name. A redirect is followed only on the same host and port, or from
http to https, with the same checks. Of any other the model is told, and can make a call of it.

To let tools reach hosts of your own network, say so in a policy of your own, under private_hosts:
[wiki.lan, 10.1.0.0/16]. All policies that say `*` under domains, as the default one, take these in
then. One with other domains does not.

A response with any status reaches a script of your own. Ports below 1024 are refused but for 80
and 443. A server has 10 s to be reached and 30 s between two pieces, the call timeout_s in all.

HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY hold, for HTTP proxies only, which are asked for
the address, not the name. With --sandbox local what runs reaches any network by itself.
""",
    ),
}
