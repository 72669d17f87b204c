"""Strangers at the telephone port are counted by the minute, and told of when they are many (I7)."""

from jobs.strangers import MANY, WITHIN, Strangers


def test_one_phone_with_a_wrong_password_is_no_scan_and_a_hundred_within_ten_minutes_are() -> None:
    strangers = Strangers()
    for _ in range(MANY - 1):
        strangers.note("ChallengeResponseFailed", 1000.0)
    strangers.note("Newchannel", 1000.0)
    assert strangers.trouble(1000.0) == ""
    strangers.note("InvalidAccountID", 1200.0)
    assert strangers.trouble(1200.0).startswith("Strangers try to get in")


def test_it_is_over_ten_minutes_after_the_last_of_many() -> None:
    strangers = Strangers()
    for place in range(5 * MANY):
        strangers.note("InvalidAccountID", 60.0 + place / 10)
    assert strangers.trouble(60.0 + WITHIN - 60)
    assert strangers.trouble(120.0 + WITHIN) == ""
    strangers.note("InvalidAccountID", 120.0 + WITHIN)
    assert strangers.trouble(120.0 + WITHIN) == ""
