from agentcli.core.command import Command, only_reads, worst_first

LS = Command(("ls",), "reads")
RM = Command(("rm", "a"), "writes", "rm changes files")
ODD = Command(("x",), "unknown", "x is not known")


def test_the_worst_stands_first_and_the_rest_keep_their_order() -> None:
    other = Command(("cat",), "reads")
    assert worst_first((LS, RM, other, ODD)) == [ODD, RM, LS, other]


def test_only_commands_that_all_read_only_read() -> None:
    assert only_reads((LS, LS))
    assert not only_reads((LS, RM))
    assert not only_reads(()), "of no command nothing is known"
