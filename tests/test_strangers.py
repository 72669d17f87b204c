"""Strangers at the telephone port are counted by the minute, and told of when they are many (I7)."""

from jobs.strangers import MANY, OF_A_PHONE, WITHIN, Strangers


def test_a_phone_of_ours_with_a_wrong_password_counts_not_and_who_guesses_it_does() -> None:
    """It tries every six seconds; who knows a phone's name and tries its passwords is faster."""
    strangers = Strangers()
    for place in range(5 * MANY):
        strangers.note("ChallengeResponseFailed", 60.0 + 6 * place, "admin1", {"admin1", "admin2"})
        assert strangers.trouble(60.0 + 6 * place) == ""
    for _ in range(MANY + OF_A_PHONE):
        strangers.note("ChallengeResponseFailed", 20_000.0, "admin2", {"admin1", "admin2"})
    assert strangers.trouble(20_000.0).startswith("Strangers try to get in")


def test_a_phone_that_the_plan_does_not_have_any_more_is_no_scan() -> None:
    """What the exchange tells of each of its tries: that there is no such account twice, and of its password."""
    strangers = Strangers()
    for place in range(WITHIN):
        for event, account in (
            ("InvalidAccountID", "former1"),
            ("InvalidAccountID", "former1"),
            ("ChallengeResponseFailed", "<unknown>"),
        ):
            strangers.note(event, 60.0 + 6 * place, account, {"admin1"})
        assert strangers.trouble(60.0 + 6 * place) == ""


def test_fewer_than_many_are_no_scan_and_many_within_ten_minutes_are() -> None:
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
        strangers.note("InvalidAccountID", 60.0 + place / 50)
    assert strangers.trouble(60.0 + WITHIN - 60)
    assert strangers.trouble(120.0 + WITHIN) == ""
    strangers.note("InvalidAccountID", 120.0 + WITHIN)
    assert strangers.trouble(120.0 + WITHIN) == ""
