"""What a decision costs with many rules, after a long session."""

import statistics
import time

from agentcli.core.injection import LAYERS
from agentcli.core.label import Label
from agentcli.core.policy import Policy, Situation, judge
from agentcli.core.protect import paths_in
from agentcli.core.rule import Clause, How, PolicyRule
from agentcli.core.step import Call
from agentcli.core.tool import Facts, ToolRule
from agentcli.core.trace import Passages

RULES, MESSAGES, DECISIONS = 500, 200, 300
WORDS = "the quarterly report of the team in Berlin names 4711 orders and a@example.com as contact "


def policy(home: str) -> None:
    """Print the median and the worst of decisions on a call that half of the rules are about."""
    hows: list[tuple[How, object]] = [
        ("pattern", r"^[\w.+-]+@evil\d+\.example$"),
        ("host", ["evil.example", "worse.example"]),
        ("prefix", "nobody"),
        ("one_of", ["x", "y"]),
        ("path", ["secrets"]),
    ]
    rules = tuple(
        PolicyRule(
            f"rule-{number}",
            "deny",
            tools=("send",) if number % 2 else (f"tool{number}", "x*"),
            when=(Clause(("to",), *hows[number % len(hows)]), Clause(("n",), "max", number)),
        )
        for number in range(RULES)
    )
    about = ToolRule(tier="reversible", label=Label("tool", "public"), sinks=("to",))
    protected = (".env", ".env.*", ".ssh", ".git/hooks", ".git/config", "/home/me/.config")
    judged_by = Policy(
        tools={"send": about},
        offered=("send",),
        tiers={"reversible": "allow"},
        injection=LAYERS,
        rules=rules,
        protected=protected,
        domains=(("example.com",),),
    )
    seen = Passages()
    for number in range(MESSAGES):
        label = Label() if number % 2 else Label("user", "public")
        seen.add(WORDS * 10 + str(number), label, number + 1, "read_file report.txt")
    here = Situation(label=Label(), plan=("send",), now_us=1)
    judging, tracing = list[float](), list[float]()
    for number in range(DECISIONS):
        call = Call("send", {"to": f"kim{number}@example.com", "body": WORDS * 3, "n": 1000})
        begun = time.perf_counter()
        traces = seen.trace(call.args, about.sinks)
        traced = time.perf_counter()
        judge(judged_by, here, call, Facts(traces=traces))
        tracing.append((traced - begun) * 1000)
        judging.append((time.perf_counter() - traced) * 1000)
    print(f"{RULES} rules, {MESSAGES} messages, {len(paths_in(about, call.args))} possible paths")
    for name, times in (("judge", judging), ("trace", tracing)):
        print(f"{name}: median {statistics.median(times):.3f} ms, worst {max(times):.3f} ms")
