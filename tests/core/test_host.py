from agentcli.core.host import is_at, may_resolve_to


def test_a_network_that_a_policy_names_may_be_reached_by_name_and_by_number() -> None:
    near = ["*", "10.1.0.0/16"]
    assert may_resolve_to("wiki.example.com", "10.1.2.3", near)
    assert is_at("10.1.2.3", near)
    assert may_resolve_to("10.1.2.3", "10.1.2.3", near)
    assert not may_resolve_to("wiki.example.com", "10.2.0.1", near)
    assert not is_at("10.2.0.1", near)


def test_a_host_whose_name_says_that_it_is_near_may_be_named_for_that() -> None:
    for host in ("localhost", "127.0.0.1", "printer.lan"):
        assert may_resolve_to(host, "127.0.0.1", [host])
        assert not may_resolve_to(host, "127.0.0.1", ["*"])
    assert may_resolve_to("a.localhost", "127.0.0.1", ["localhost"])
