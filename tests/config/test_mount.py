"""Mounts as people write them on the command line."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcli.config.mount import MountSettings, parse_mount

REAL = st.characters(codec="utf-8")  # the command line takes nothing else
NAMES = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=100).filter(
    lambda name: name not in (".", "..")
)


@given(st.text(REAL, min_size=1), NAMES, st.booleans())
def test_what_is_written_out_in_full_is_read_back(path: str, name: str, writable: bool) -> None:
    mode = "rw" if writable else "ro"
    assert parse_mount(f"{path}:{name}:{mode}") == MountSettings(
        path=path, name=name, writable=writable
    )


@given(st.text(REAL))
def test_any_text_is_a_mount_whose_parts_are_in_it_or_an_error_that_says_what_was_expected(
    text: str,
) -> None:
    try:
        mount = parse_mount(text)
    except ValueError as error:
        told = str(error)
    else:
        rebuilt = mount.path + (f":{mount.name}" if mount.name is not None else "")
        assert text in (rebuilt, f"{rebuilt}:{'rw' if mount.writable else 'ro'}")
        return
    assert "PATH[:NAME][:ro|rw]" in told


@given(st.text(st.characters(codec="utf-8", exclude_characters=":"), min_size=1))
def test_a_path_alone_is_read_only_and_has_its_own_name(path: str) -> None:
    assert parse_mount(path) == MountSettings(path=path, name=None, writable=False)


@pytest.mark.parametrize(
    ("text", "path", "name", "writable"),
    [
        ("/a:rw", "/a", None, True),
        ("/a:ro:rw", "/a", "ro", True),
        ("~/a b:x", "~/a b", "x", False),
        ("/a:b/c", "/a:b/c", None, False),
        ("/a:b/c:rw", "/a:b/c", None, True),
        ("/a:b:c:ro", "/a:b", "c", False),
        ("/host:/mnt/x", "/host:/mnt/x", None, False),
        ("C:ro", "C", None, False),
    ],
)
def test_a_colon_before_a_slash_is_one_of_the_path(
    text: str, path: str, name: str | None, writable: bool
) -> None:
    assert parse_mount(text) == MountSettings(path=path, name=name, writable=writable)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", ":x", ":ro", ":x:rw", "/a:", "/a::rw", "/a:..", "/a:.:ro", "/a:b c", "/a:ü"),
        *("/a:x\n", "/a:RW!", "/a:" + "n" * 101),
    ],
)
def test_what_is_no_mount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="PATH"):
        parse_mount(text)
