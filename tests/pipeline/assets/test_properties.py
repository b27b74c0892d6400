"""Java's .properties text."""

from pipeline.assets.properties import parse_properties

TEXT = (
    rb"""
# a comment = not an entry
! another
plain=value
  spaced\ key\ with\ blanks :  value with = and : inside
by blank value
colon\:in\=key=1
empty=
alone
long=one, \
     two, \
     # three
backslash=C:\\dir\\
next=line
unicode=\u00e9\u20ac \ud83d\ude00
latin=caf"""
    + b"\xe9\ntwice=1\ntwice=2\ntab=a\\tb\r\nlast=1"
)


def test_every_rule_of_the_format():
    assert parse_properties(TEXT) == {
        "plain": "value",
        "spaced key with blanks": "value with = and : inside",
        "by": "blank value",
        "colon:in=key": "1",
        "empty": "",
        "alone": "",
        "long": "one, two, # three",
        "backslash": "C:\\dir\\",
        "next": "line",
        "unicode": "é€ 😀",
        "latin": "café",
        "twice": "2",
        "tab": "a\tb",
        "last": "1",
    }
