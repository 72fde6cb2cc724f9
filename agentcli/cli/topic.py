"""What `agentcli help TOPIC` says: short pages on what concerns more than one command."""

import re
from dataclasses import dataclass

from agentcli.cli import page

ROW = re.compile(r"(\S.*?) {2,}(\S.*)")


@dataclass(frozen=True)
class Topic:
    """title: in a few words. text: paragraphs of prose, and lists: a name, two blanks, the rest.

    A further line of a list's item is indented. What is indented as a whole is shown as it is.
    @config and @state stand for the user's folders.
    """

    title: str
    text: str


TOPICS = {
    "exit-codes": Topic(
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
    "env": Topic(
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
    "files": Topic(
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
    "keys": Topic(
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
    "trust": Topic(
        "A project's own files, and when they count.",
        """
Its files are AGENTS.md, CLAUDE.md and all in .agentcli/: settings.yaml, profiles, policies, tasks,
tools. None counts before you accept them, and any change makes all of them not count, at once. What
counts is a private copy of what you accepted, in @state. They are accepted for one path: not for a
copy of the project elsewhere, nor for a project inside of it.

agentcli trust show  What they would do, then the files; of what was accepted before, what differs.
agentcli trust show --whole  All of the files, also where they have changed.
agentcli trust grant  Shows it and asks. Without a terminal: --digest, with what it says.
agentcli trust list  What is trusted, since when, and whether it changed or is gone.
agentcli trust revoke  Nothing of it counts any more; what was kept of it is removed.

A chat or run at a terminal asks at its start about what is new or changed: once, until it changes
again. It says whether the files are in force. Without a terminal, and with --json, nothing is
asked, and it goes on without them.

"What may let more happen" comes first: tools, rules that allow, where the key goes, the sandbox,
the model, limits; and what no longer denies, asks or protects. Odd characters are named, as \\x1b.

Accepted or not, a project's files cannot say unsafe:, name an unsafe policy, make an exception from
what is protected, say where a key is, who may approve, or who has which role; nor lead out of the
project by a link. A .env sets no variable. At most 500 files and 10 MB; AGENTS.md and CLAUDE.md are
told to the model up to 40,000 characters each.
""",
    ),
    "policy": Topic(
        "What may run, and who decides.",
        """
Each call of a tool has a tier, by what it can do:

read_only  Runs by itself.
reversible  Runs, and can be undone: agentcli undo RUN.
irreversible  Needs a person's yes: the tool's name, typed out.
privileged  Needs a signed yes: agentcli help approval. Denied where nobody may sign.

A tool that can be undone only under conditions (sandboxed, offline, restorable) counts as
irreversible where one of them does not hold.

A profile can be stricter, under tiers: read_only and reversible may be allow, ask or deny,
irreversible ask or deny; under ask it names tools that ask each time. A profile also says which
tools are offered at all; any other is denied.

Rules of your own can allow, ask about or deny calls: agentcli help rules. None lets an irreversible
call run unasked unless its file says unsafe: true, and none a privileged one.

Where nobody can be asked, nothing is assumed: the run is parked with exit code 77. Answer it
from any terminal: agentcli approve RUN.

A yes is bound to what was shown: the arguments, the tool, the sandbox, the named files. What was
seen is what runs. Limits of money, steps and time are in the profile under budget, or --usd,
--steps, --time.
""",
    ),
    "rules": Topic(
        "Rules of your own about calls.",
        """
Rules of your own are in policies, which settings and profiles name under policies; those of all of
them hold together: agentcli policy list. A rule has a name, an effect (allow, ask, deny) and what
calls it fits; what it leaves out, any call fits:

tool, tier, role, origin  One or several; of a tool also `*` and `?`.
egress  true or false: whether the call may send something out.
when  By argument, as to or items.*.name: equals, one_of, prefix, pattern, host, path, min, max.
command  The first words of a shell command, as git push.
traced  true: each value comes from you or a trusted tool. Only with allow.
folder, expires  Only there, and only before that day.
reason, examples  What is told; calls under match and no_match that agentcli policy check tries.

Deny goes before ask, ask before allow, whatever the order. In doubt, as over an argument that is
not there, a rule that allows does not fit and one that asks or denies does. Beside rules a policy
may have protected paths (no call writes them, none reads them unasked), limits (calls and
per_minute, by tool) and domains: where tools with egress may lead, by each policy that has them.
`*`, as in the default one, is every public host: private and link-local addresses and this
machine's own never are. A manifest's sinks say which arguments lead somewhere, beside those of one
word; without sinks, all that name a host do, even in a sentence. A whole policy,
@config/policies/ours.yaml:

    domains: [example.com]
    limits: {shell: {per_minute: 20}}
    rules:
      - name: no-push
        effect: deny
        command: git push
        reason: People push.
        examples: {match: [shell git push origin]}

It holds with `policies: [ours]` in your settings. agentcli policy why 'CALL' says what would
become of a call, and by which rule; agentcli help exceptions, what may let more happen.
""",
    ),
    "exceptions": Topic(
        "What rules may let happen unasked, for whom, and for how long.",
        """
A rule lets irreversible calls run unasked only if its file says unsafe: true, as the policy
open-traceable does, which nothing names by default. No rule lets privileged calls run, what the
profile denies, or what the injection rule asks about, unless unsafe: {injection: [PART]} in your
own settings or profile leaves out a part of it: plan, argument, token or private. That is said
before each run.

Who has which role is in your settings under roles: {NAME: [USER]}; who has several says which:
--role NAME.

With A at a question you keep a narrow rule for such calls, in this project and for 30 days. It is
shown before it is kept, and holds from the next run on: agentcli policy tidy.
""",
    ),
    "injection": Topic(
        "What untrusted text can and cannot bring about, and how to keep it from the model.",
        """
What a tool gives has a label, from its manifest: user, tool or untrusted, and public or private.
All shipped tools that read files or run programs give untrusted, private text. Once the model has
seen some, a call that can send something out, or change what cannot be undone here, asks unless:

plan  its tool was in the plan from before: a call of the tool plan, or one the model made already
argument  each argument that matters comes from you or a trusted tool
token  no address, link, account or phone number in it is known from untrusted text alone
private  nothing from a private result goes out, unless you have said it yourself

The question names the value and the record it came from. What is contained (in a sandbox, offline,
and can be undone) runs on: a tool of a coding session only asks where something leaves it.

What you say counts as yours, and so does all that you paste, pipe in or give a task as a variable:
let a tool read what is not.

The model is shown where such text begins and ends. That helps it, and protects nothing.

With untrusted: held in a profile, as in the profile quarantine, the model sees none of it. It gets
references, such as {held:main/call.1.0}, which stand for the whole text in the arguments of calls,
and asks about a text with the tool ask_text: a reader, which has no tools, gives a yes or no, a
number, a date, one of a list of answers, or a text that is held in its turn. So the conversation
stays clean; but a call that is given such a text, or a number or date from one, is judged as above,
and one that could run it as code, as shell does, asks even where it is contained: untrusted_code.
What you pipe in, paste or say is not kept out.

agentcli redteam plays attacks against all of this; agentcli help policy, for rules of your own.
""",
    ),
    "approval": Topic(
        "How a call is answered from elsewhere, and a privileged one signed.",
        """
A run that needs a yes waits, in its terminal or parked with exit code 77:

agentcli approve RUN  Shows the card, takes the answer, and goes on with a parked run.
agentcli approve RUN CALL --no  A no; CALL where several ask.
agentcli approve RUN --show --json  For a script: what is asked, and its hash as `bound`.
agentcli approve RUN --bound HASH  A script's yes to just that.

A yes holds for exactly what was shown: arguments, tool, policy, sandbox, image, and what the
files hold that the call names. If any of it has changed, it is asked again.

A privileged call needs the signature of one who may allow it, as your own settings.yaml says:

approval.allowed_signers  A file of OpenSSH's form, a line each: NAME ssh-ed25519 AAAA...
approval.key  What you sign with; a public key for one that an agent holds.
approval.separate  true: not the one who began the run. Names count without their host.

At the card a yes is signed with your key; ssh-keygen asks for its passphrase. Elsewhere:

agentcli approve RUN --export > TEXT  The exact call, to be read and signed.
ssh-keygen -Y sign -n agentcli-approval -f KEY TEXT  Makes TEXT.sig.
agentcli approve RUN --signature TEXT.sig  The yes.

The ledger keeps it in the answered record, as event.signature. To check it later with OpenSSH
alone, put that in a file SIG, and the same text again in TEXT: agentcli approve RUN N --export,
N being the record that asked. Then: ssh-keygen -Y verify -n agentcli-approval -f ALLOWED -I NAME
-s SIG < TEXT
""",
    ),
    "ledger": Topic(
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
    "pii": Topic(
        "How personal data is kept out of what is stored, shown and told to the model.",
        """
With pii: redact in your settings or a profile, marks stand in the place of personal data, as they
do in that of secrets: [REDACTED:email:...]. Of what you and the model say in a run, equal values
have equal marks; in what a tool says, and in the run's title, one may have another. Found are:

email  Mail addresses, also in the query of a URL.
phone  With a country, in the forms of some countries, or after a word such as phone.
card  Numbers of payment cards whose check digit holds.
iban  Numbers of bank accounts whose check digits hold.
ssn  US social security numbers.

Names, postal addresses, dates of birth and addresses of machines are not, nor is a bare number in
JSON arguments. On the screen what you type stands as it is until you have said it, and what the
model writes as it comes; kept states of the workspace hold its files as they are.

What tools say is changed for good, before it is shown, told to the model or stored. What you and
the model say is in the ledger with marks, and its values in the run's private folder, until
agentcli audit redact destroys them. So a call runs with exactly what the model wrote, and its card
shows that; but a mark that the model has read is only a text, which gives nothing back. Who
began a run and who said yes stays readable.

Rules about calls see the marks. What one says of such an argument is in doubt: a rule that allows
does not fit, one that asks or denies does, and where domains are limited no mail is sent.

It is off by default. Any layer of settings can say redact, and none takes it back: neither a
project nor a profile. A run keeps what it began with, when it is resumed too.
""",
    ),
    "tools": Topic(
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
no network, for egress: true gives none: only --sandbox local does, to all tools alike. What it
prints under "data" can be used by the call that undoes it, as {result.NAME}; {args.NAME} is an
argument. AGENTCLI_IDEMPOTENCY_KEY is the same whenever a call is run again.

agentcli tools check NAME  Says what is wrong with it.
agentcli tools call NAME JSON  Calls it by hand, with all rules.
""",
    ),
}


def page_of_topic(name: str, columns: int) -> str:
    """Return the page of a topic, as wide as there is room."""
    topic = TOPICS[name]
    paragraphs = with_folders(topic.text).strip("\n").split("\n\n")
    shown = [rendered(paragraph, columns) for paragraph in paragraphs]
    text = page.filled(f"{name}: {topic.title[0].lower()}{topic.title[1:]}", columns)
    # A list stands right below the line that announces it.
    for before, part in zip([topic.title, *paragraphs], shown, strict=False):
        text += ("\n" if before.endswith(":") else "\n\n") + part
    return text


def rendered(paragraph: str, columns: int) -> str:
    if paragraph.startswith("    "):
        return paragraph
    lines = re.sub(r"\n +", " ", paragraph).splitlines()
    rows = [match.groups() for line in lines if (match := ROW.fullmatch(line))]
    if len(rows) == len(lines):
        return page.listed([(name, about) for name, about in rows], columns)
    return page.filled(paragraph, columns)


def with_folders(text: str) -> str:
    from agentcli import asset
    from agentcli.cli.page import short

    text = text.replace("@config", short(str(asset.config_home())))
    return text.replace("@state", short(str(asset.state_home())))
