"""What `agentcli help` tells of what protects people: a title and a text each."""

SAFETY = {
    "trust": (
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
    "policy": (
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
    "rules": (
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
`*`, as in the default one, is every public host, and what private_hosts name of your own network
(agentcli help network). A manifest's sinks say which arguments lead somewhere, beside those of one
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
    "exceptions": (
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
    "injection": (
        "What untrusted text can and cannot bring about, and how to keep it from the model.",
        """
What a tool gives has a label, from its manifest: user, tool or untrusted, and public or private.
All shipped tools that read files or run programs give untrusted, private text, and fetch gives
untrusted, public text. Once the model has seen some, a call that can send something out, or change
what cannot be undone here, asks unless:

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
    "approval": (
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
    "pii": (
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
}
