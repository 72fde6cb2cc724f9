"""Pages of a server on this machine, read by the installed program."""

import json

import pytest
import yaml

from tests.cli.conftest import SANDBOX, Program, call
from tests.cli.test_chat import talking
from tests.cli.test_own_tool import MANIFEST
from tests.fake.site import Played, Site, moved, page

PAGE = page(b"<title>Guide</title><p>Hello <a href=b>there</a><p hidden>secret")


def allow(program: Program, **policy: list[str]) -> tuple[str, ...]:
    """Have a policy of the user's hold, let pages be read unasked; the words name the profile."""
    (program.home / "policies").mkdir(exist_ok=True)
    (program.home / "policies" / "ours.yaml").write_text(yaml.safe_dump(policy))
    (program.home / "settings.yaml").write_text("policies: [ours]\n")
    (program.folder / "web.yaml").write_text("extends: default\nask: [write_file]\n")
    return ("--profile", "./web.yaml")


def test_a_page_that_a_policy_allows_is_read_and_told_as_text(program: Program) -> None:
    words = allow(program, private_hosts=["127.0.0.0/8"])
    with Site({"/a": PAGE}) as site:
        url = site.url(path="/a")
        turns = call("fetch", url=url), {"expect": "[there]", "text": "Read."}
        played = program.play(*turns, words=words)
        assert (played.code, played.document["answer"]) == (0, "Read."), played
        assert site.asked == [(f"127.0.0.1:{site.port}", "/a")]
    assert played.outputs() == [f"{url}\nGuide\n\nHello [there]({site.url(path='/b')})"]
    [prepared] = [event for event in played.events if event["kind"] == "prepared"]
    assert prepared["facts"]["page"] == url
    assert program.run("replay", "last", "--verify").returncode == 0
    [ended] = [event for event in played.events if event["kind"] == "tool_ended"]
    assert (ended["label"]["integrity"], ended["reached"]) == ("untrusted", "127.0.0.1")
    trail = program.run("audit", "trail", "last").stdout
    assert f"reads {url}" in trail
    assert "read from 127.0.0.1" in trail


def test_by_default_nothing_on_this_machine_is_read(program: Program) -> None:
    (program.folder / "web.yaml").write_text("extends: default\nask: [write_file]\n")
    with Site({"/": PAGE}) as site:
        for host in ("127.0.0.1", "localhost", "127.1", "[::1]"):
            denied = program.play(
                call("fetch", url=site.url(host)),
                {"expect": "calls may only lead to any public host", "text": "No."},
                words=("--profile", "./web.yaml"),
            )
            assert (denied.code, denied.document["answer"]) == (0, "No."), denied
        assert site.asked == []


def test_the_default_profile_asks_before_each_page(program: Program) -> None:
    allow(program, private_hosts=["127.0.0.1"])
    with Site({"/": PAGE}) as site:
        turns = call("fetch", url=site.url()), {"expect": "Hello", "text": "Read."}
        played = program.play(*turns)
        assert (played.code, site.asked) == (77, [])
        assert f"nobody is there to ask: fetch {site.url()}" in played.document["message"]
        shown = program.run("approve", "last", "--show")
        assert f"reads: {site.url()}, over this machine's network" in shown.stdout, shown.stdout
        assert "why: the profile asks before each call of fetch" in shown.stdout
        assert "what it sends cannot be taken back" in shown.stdout
        as_json = program.run("approve", "last", "--show", "--json").stdout
        [question] = json.loads(as_json)["questions"]
        yes = program.run("approve", "last", "--bound", question["bound"])
        assert (yes.returncode, yes.stdout.split()[-1]) == (0, "Read."), yes
        assert len(site.asked) == 1


def test_a_page_that_leads_elsewhere_or_fails_is_an_error_that_the_model_reads(
    program: Program,
) -> None:
    words = allow(program, private_hosts=["127.0.0.1"])
    pages = {"/m": moved("http://169.254.169.254/latest"), "/b": Played(b"\0", 200)}
    with Site(pages) as site:
        played = program.play(
            call("fetch", url=site.url(path="/m")),
            {"expect": "redirects to http://169.254.169.254/latest, another place", "text": "."},
            words=words,
        )
        assert played.code == 0
        [ended] = [event for event in played.events if event["kind"] == "tool_ended"]
        assert (ended["ending"], ended["error"]) == ("done", True)
        url = site.url(path="/b")
    for gone in (url, "http://127.0.0.1:1/"):
        played = program.play(
            call("fetch", url=gone), {"expect": "127.0.0.1", "text": "."}, words=words
        )
        assert played.code == 0


def test_an_own_tool_reads_what_its_manifest_names(program: Program) -> None:
    (program.home / "tools").mkdir()
    script = (
        "import base64, json, sys; given = json.load(sys.stdin); page = given['response']\n"
        "text = base64.b64decode(page['body']).decode()\n"
        "print(json.dumps({'text': f\"{given['args']['city']} {page['status']} {text}\"}))\n"
    )
    words = allow(program, private_hosts=["127.0.0.1"])
    with Site({"/w/S%C3%A3o%20Paulo%2F..x%3F": page(b"22", "text/plain")}) as site:
        manifest = {
            **MANIFEST,
            "egress": True,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
            "run": {"script": "own.py", "get": f"http://127.0.0.1:{site.port}/w/{{city}}"},
        }
        (program.home / "tools" / "own.yaml").write_text(yaml.safe_dump(manifest))
        (program.home / "tools" / "own.py").write_text(script)
        (program.folder / "web.yaml").write_text("extends: default\ntools: [own]\n")
        shown = program.run("tools", "show", "own").stdout
        assert f"reads http://127.0.0.1:{site.port}/w/{{city}} for its script" in shown
        played = program.play(
            call("own", city="São Paulo/..x?"), {"expect": " 200 22", "text": "warm"}, words=words
        )
        assert (played.code, played.document["answer"]) == (0, "warm"), played.outputs()
        allow(program, domains=["example.com"])
        (program.folder / "web.yaml").write_text("extends: default\ntools: [own]\n")
        denied = program.play(
            call("own", city="x"), {"expect": "own leads to 127.0.0.1", "text": "no"}, words=words
        )
        assert denied.code == 0
        assert len(site.asked) == 1


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://example.com/", "is no URL of a page"),
        ("https://example.com:22/", "the port 22 is not one for pages"),
        ("https://a@b.c/", "is no URL of a page"),
    ],
)
def test_what_is_no_url_of_a_page_is_told_and_nobody_is_asked(
    program: Program, url: str, told: str
) -> None:
    played = program.play(call("fetch", url=url), {"expect": told, "text": "."})
    assert played.code == 0, played


def test_a_host_that_is_allowed_for_good_is_read_unasked_from_the_next_run_on(
    program: Program,
) -> None:
    allow(program, private_hosts=["127.0.0.1"])
    with Site({"/": PAGE, "/more": page(b"more")}) as site:
        turns = call("fetch", url=site.url()), call("fetch", url=site.url(path="/more"))
        prompt = f"Read {site.url()} and {site.url(path='/more')}"
        model = program.script(*turns, {"text": "all done"})
        words = ("run", "--prompt", prompt, "--model", model, "--sandbox", SANDBOX)
        with talking(program, *words) as person:
            person.sees(r"A always .*n no · s stop \[no\]")
            person.presses("A")
            person.sees(r"(?s)url leads to 127\.0\.0\.1 .*Keep this rule.*n no \[no\]")
            person.presses("y")
            second = person.sees(r"(?s)Kept in .*/more.*n no · s stop \[no\]")
            assert "A always" not in second.partition("Kept in")[2], "untrusted text was read"
            person.presses("y")
            person.sees("all done")
        assert len(site.asked) == 2
        assert program.run(*words).returncode == 0, "the user has named both"
        assert len(site.asked) == 4
        (program.home / "policies" / "always.yaml").unlink()
        assert program.run(*words).returncode == 77
