"""The window of one server: when a request may be sent. Moments are given, nothing waits."""

import pytest

from pipeline.assets.fetch.rate_limits import RateLimits
from pipeline.assets.fetch.window import FIRST_ANSWER_S, LONGEST_S, LOOK_AGAIN_S, Window

NOW = 1_000_000.0


def known(limit: int = 10, length_s: float = 300.0, **fields) -> Window:
    return Window(limit=limit, length_s=length_s, **fields)


def send(window: Window, count: int, now: float = NOW, share: float = 1.0) -> list[float]:
    return [window.reserve(now, share) for _ in range(count)]


def test_no_more_than_the_share_is_sent_in_a_window():
    window = known(limit=10)
    assert send(window, 9, share=0.8) == [0] * 8 + [pytest.approx(300)]
    assert "share (0.8 of 10 requests in 300 s)" in window.why
    assert window.reserve(NOW + 299, 0.8) == pytest.approx(1)
    assert window.reserve(NOW + 301, 0.8) == 0


def test_the_smallest_share_is_one_request():
    assert send(known(limit=1), 2, share=0.1) == [0, pytest.approx(300)]


def test_where_nothing_is_published_all_is_sent():
    assert send(Window(), 100) == [0] * 100


def test_what_is_under_way_is_accounted_for():
    window = known(limit=1000)
    send(window, 5)
    window.learn(NOW, RateLimits(left=7, ends_in_s=100), number=1)  # four more are under way
    assert send(window, 4) == [0, 0, 0, pytest.approx(101)]


def test_answers_out_of_order_never_leave_more():
    window = known(limit=1000)
    send(window, 3)
    window.learn(NOW, RateLimits(left=4, ends_in_s=100), number=3)
    window.learn(NOW, RateLimits(left=6, ends_in_s=100), number=1)
    assert window.left == 4


def test_a_window_with_nothing_left_is_closed_before_anybody_is_refused():
    window = known()
    send(window, 1)
    window.learn(NOW, RateLimits(left=0, ends_in_s=120), number=1)
    assert window.reserve(NOW + 1, 1) == pytest.approx(120)
    assert "window of 10 requests in 300 s is used up" in window.why


def test_after_a_pause_one_goes_first():
    window = known()
    window.close(NOW, NOW + 10, "x")
    assert send(window, 3, NOW + 11) == [0, LOOK_AGAIN_S, LOOK_AGAIN_S]
    assert window.reserve(NOW + 11 + FIRST_ANSWER_S, 1) == 0  # the first one was lost with its process
    window.answered(sent_at=NOW + 11)
    assert send(window, 3, NOW + 12) == [0, 0, 0]


def test_a_new_window_of_the_servers_begins_when_it_says_so():
    window = known(limit=1000)
    send(window, 5)
    window.learn(NOW, RateLimits(left=1, ends_in_s=10), number=5)
    window.learn(NOW + 9, RateLimits(left=998, ends_in_s=300), number=5)
    assert window.left == 998
    window.learn(NOW + 9, RateLimits(left=2, ends_in_s=1), number=4)  # an answer from before
    assert window.left == 998


def test_the_end_of_a_window_is_the_servers():
    window = known(limit=2)
    send(window, 1)
    window.learn(NOW, RateLimits(left=1, ends_in_s=20), number=1)
    assert send(window, 2) == [0, pytest.approx(20, abs=1)]


def test_refusals_without_a_time_back_off_longer_and_longer():
    window, now, waits = Window(), NOW, []
    for _ in range(12):
        sent_at = now
        assert window.reserve(now, 1) == 0
        window.refuse(now + 0.01, RateLimits(), sent_at, backoff_s=1)
        waits.append(window.closed_until - now - 0.01)
        now = window.closed_until
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300])


def test_the_next_pause_begins_with_what_the_last_one_took():
    window = Window()
    for now, wait in ((NOW, 1), (NOW + 1, 2), (NOW + 3, 4)):
        window.refuse(now, RateLimits(), now - 0.5, backoff_s=1)
        assert window.closed_until == pytest.approx(now + wait)
    for now, wait in ((NOW + 100, 7), (NOW + 200, 7 * 0.8), (NOW + 300, 7 * 0.8 * 0.8)):
        window.answered(sent_at=now - 50)
        window.refuse(now, RateLimits(), now - 0.5, backoff_s=1)
        assert window.closed_until == pytest.approx(now + wait)


def test_those_under_way_are_refused_with_the_first_and_lengthen_nothing():
    window = Window()
    window.refuse(NOW, RateLimits(), NOW - 1, backoff_s=4)
    for _ in range(7):
        window.refuse(NOW + 0.1, RateLimits(), NOW - 1, backoff_s=4)
    assert window.closed_until == NOW + 4
    assert window.refusals == 1


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        (RateLimits(retry_after_s=30), 31),
        (RateLimits(left=0, ends_in_s=50), 51),
        (RateLimits(left=0, ends_in_s=50, retry_after_s=70), 71),
        (RateLimits(left=5, ends_in_s=50), 2),
        (RateLimits(retry_after_s=0), 2),
        (RateLimits(retry_after_s=1e11), LONGEST_S),
    ],
)
def test_a_refusal_lasts_as_long_as_the_server_says(said, wait):
    window = Window()
    window.refuse(NOW, said, NOW - 1, backoff_s=2)
    assert window.closed_until == pytest.approx(NOW + wait)


def test_a_server_that_always_says_zero_is_not_asked_for_ever():
    window, now = Window(), NOW
    for _ in range(12):
        window.refuse(now, RateLimits(left=0, ends_in_s=0, retry_after_s=0), now - 0.001, backoff_s=0)
        window.learn(now, RateLimits(left=0, ends_in_s=0), 1)
        now = window.closed_until + 0.01
    assert now - NOW > 200
