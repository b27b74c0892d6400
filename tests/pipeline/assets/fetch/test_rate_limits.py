"""What servers say about their limits, in the forms that they use."""

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from pipeline.assets.fetch.rate_limits import RateLimits, read_rate_limits

DATE = "Sat, 28 Nov 2026 12:00:00 GMT"
DATE_S = 1795867200
HUB_POLICY = '"fixed window";"resolvers";q=3000;w=300'


def read(**headers: str) -> RateLimits:
    return read_rate_limits(CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()}))


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, RateLimits()),
        ({"RateLimit": '"resolvers";r=0;t=120', "RateLimit_Policy": HUB_POLICY}, RateLimits(3000, 300, 0, 120)),
        ({"ratelimit": '"resolve"; r=17 ; t=1'}, RateLimits(None, None, 17, 1)),
        ({"RateLimit": '"a,b";r=5', "RateLimit_Policy": '"a,b";q=9;w=60'}, RateLimits(9, 60, 5, None)),
        (
            {
                "RateLimit": '"day";r=90;t=7000, "burst";r=2;t=8',
                "RateLimit_Policy": '"day";q=99;w=9000, "burst";q=9;w=10',
            },
            RateLimits(9, 10, 2, 8),
        ),
        ({"RateLimit": '"a";r=0;t=5, "b";r=0;t=50'}, RateLimits(None, None, 0, 50)),
        ({"RateLimit": "limit=100, remaining=50, reset=30"}, RateLimits(100, None, 50, 30)),
        (
            {"RateLimit_Limit": "100, 100;w=60", "RateLimit_Remaining": "3", "RateLimit_Reset": "20"},
            RateLimits(100, 60, 3, 20),
        ),
        (
            {"X_RateLimit_Limit": "60", "X_RateLimit_Remaining": "0", "X_RateLimit_Reset": str(DATE_S + 90)},
            RateLimits(60, None, 0, 90),
        ),
        ({"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": f"{DATE_S + 90}500"}, RateLimits(None, None, 0, 90.5)),
        ({"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "15"}, RateLimits(None, None, 0, 15)),
        ({"Retry_After": "120"}, RateLimits(retry_after_s=120)),
        ({"Retry_After": "Sat, 28 Nov 2026 12:02:00 GMT"}, RateLimits(retry_after_s=120)),
        ({"Retry_After": "Sat, 28 Nov 2026 11:00:00 GMT"}, RateLimits(retry_after_s=0)),
        ({"Retry_After": "5", "RateLimit": '"x";r=0;t=7'}, RateLimits(None, None, 0, 7, 5)),
        ({"Retry_After": "soon"}, RateLimits()),
        ({"Retry_After": "-1"}, RateLimits()),
        ({"Retry_After": "9" * 5000}, RateLimits()),
        ({"Retry_After": "Mon, 99 Foo 99999999999 99:99:99"}, RateLimits()),
        ({"RateLimit": "nonsense", "RateLimit_Policy": ";;q=;w=x"}, RateLimits()),
        ({"RateLimit": '"x";r=-1;t=5'}, RateLimits()),
        ({"X_RateLimit_Remaining": "many"}, RateLimits()),
    ],
)
def test_forms(headers, said):
    assert read(Date=DATE, **headers) == said


def test_without_a_date_moments_are_by_this_machines_clock():
    assert read(Retry_After=formatdate(time.time() + 100, usegmt=True)).retry_after_s == pytest.approx(100, abs=5)


@given(st.dictionaries(st.sampled_from(["RateLimit", "RateLimit-Policy", "Retry-After", "Date"]), st.text()))
def test_any_text_is_read(headers):
    read_rate_limits(CaseInsensitiveDict(headers))
