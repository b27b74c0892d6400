"""What `make fuzz` says to keep."""

import textwrap

from tests.fuzz import findings

OUTPUT = """
    E   AssertionError: assert False
    E   {words}: test_sum(
    E       x=100,
    E       s='a)',
    E   )
    E
    E   You can reproduce this test case by temporarily adding @reproduce_failure('6.1', b'AEFk') as a decorator on it
"""


def test_a_failing_input_becomes_a_line_to_keep():
    for words in ("Falsifying example", "Failing test case"):
        kept = findings(textwrap.dedent(OUTPUT).format(words=words))
        assert kept == ["test_sum: @example(x=100, s='a)')", "@reproduce_failure('6.1', b'AEFk')"]
