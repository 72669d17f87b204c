"""What the machine says: whole sentences, five keys, nothing that only the applicant may hear."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from models.hours import Hours
from models.outages import Announced, OutageKind
from models.reports import ReportState
from models.status_script import (
    Asked,
    Emergency,
    HandoverKey,
    Key,
    answered,
    check_away,
    check_over,
    closed_duty,
    closed_duty_away,
    closed_end,
    closed_message,
    closed_told,
    fixed_sentences,
    gives_up,
    goodbye,
    greeting,
    handover_answered,
    handover_away,
    handover_greeting,
    handover_keys,
    handover_no_input,
    handover_over,
    handover_report,
    handover_wrong_key,
    how_many,
    leave_words,
    no_input,
    nobody_free,
    outage_keys,
    outage_told,
    question,
    status_greeting,
    status_line,
    status_offer,
    status_prompts,
    words_kept,
    wrong_key,
)

TODAY = date(2026, 11, 26)
AT = datetime(2026, 11, 26, 3, tzinfo=UTC)
LIGHT = Asked(date(2026, 11, 14), "Вуличне освітлення", "вул. Соборна")
NO_WATER = Announced(1, OutageKind.WATER, False, False, datetime(2026, 11, 27, 6, tzinfo=UTC), None, "Прорвало трубу")
BURST = Emergency(
    "2026-0412", "Порив водопроводу", "Вода тече в підвал", street="вул. Соборна", building="12а", flat="7"
)
SAID_KEYS = {"один": "1", "два": "2", "три": "3", "нуль": "0", "дев’ять": "9", "зірочк": "*", "решітк": "#"}


def text(sentences) -> str:
    return " ".join(sentence.text for sentence in sentences)


def test_a_call_begins_with_who_calls_and_that_it_is_a_machine():
    assert text(greeting("Ромни")) == "Добрий день! Це контактний центр міста Ромни. Дзвінок автоматичний."


@pytest.mark.parametrize(
    ("reports", "said"),
    [
        (2, "Запитаємо про два ваші повідомлення."),
        (3, "Запитаємо про три ваші повідомлення."),
        (5, "Запитаємо про п’ять ваших повідомлень."),
        (11, "Запитаємо про одинадцять ваших повідомлень."),
        (21, "Запитаємо про двадцять одне ваше повідомлення."),
        (22, "Запитаємо про двадцять два ваші повідомлення."),
    ],
)
def test_several_reports_are_announced(reports, said):
    assert text(how_many(reports)) == said


def test_the_question_names_day_subject_and_street_and_then_the_keys():
    """C3."""
    assert text(question(LIGHT, TODAY)) == (
        "Ваше повідомлення від чотирнадцятого листопада: вуличне освітлення, вулиця Соборна. Чи виконано роботу? "
        "Якщо так, натисніть один, якщо ні — два, частково — три. Поговорити з людиною — нуль. "
        "Не ваше або не бажаєте таких дзвінків — дев’ять."
    )


def test_the_next_report_of_the_same_person_follows_in_the_same_call():
    """C5."""
    assert text(question(LIGHT, TODAY, following=True)).startswith("Наступне повідомлення від чотирнадцятого листопада")


def test_what_is_not_known_of_a_report_is_left_out():
    said = text(question(Asked(date(2026, 11, 14), "", ""), TODAY))
    assert said.startswith("Ваше повідомлення від чотирнадцятого листопада. Чи виконано роботу?")


def test_the_year_is_said_only_where_the_day_alone_would_mislead():
    """In January a report of December needs no year; a report of three years ago does."""
    december = Asked(date(2025, 12, 29), "Опалення")
    assert text(question(december, date(2026, 1, 9))).startswith("Ваше повідомлення від двадцять дев’ятого грудня: ")
    assert "дві тисячі двадцять п’ятого року" in text(question(december, TODAY))


def test_the_question_offers_five_keys_and_these_are_the_ones_that_work():
    """The key that repeats is told of to those who did not answer."""
    keys = text(question(LIGHT, TODAY)[1:])
    told = {key for word, key in SAID_KEYS.items() if re.search(rf"\b{word}", keys)}
    assert told == {Key.DONE, Key.NOT_DONE, Key.PARTLY, Key.PERSON, Key.NOT_ME}
    assert "зірочку" in text(no_input())


@pytest.mark.parametrize("key", [key for key in Key if key != Key.AGAIN])
def test_each_answer_is_said_back(key):
    assert answered(key)


def test_a_repeat_is_not_answered_and_nobody_is_glad():
    assert answered(Key.AGAIN) == []
    assert not re.search("рад[іий]|раді|приємно|чудово", text(fixed_sentences("Ромни")), re.IGNORECASE)


def test_words_are_recorded_only_after_it_was_said():
    """A3."""
    said = text(leave_words())
    assert "буде записано" in said
    assert "яку завгодно клавішу" in said


def test_a_very_long_name_leaves_room_for_the_keys():
    long = Asked(date(2025, 1, 29), "Дуже довга назва виду проблеми " * 4, "вул. " + "Захисників України " * 6)
    named = question(long, TODAY)[0].text
    assert len(named) <= 160
    assert "Дуже".lower() in named
    assert "Захисників" in named


@pytest.mark.parametrize("state", ReportState)
def test_every_state_can_be_told_to_a_caller(state):
    """W10."""
    (said,) = status_line("2026-0412", state, None, TODAY)
    assert said.text.startswith("Повідомлення номер дві тисячі двадцять шість, дефіс, нуль, чотири, один, два: ")


def test_a_caller_hears_what_the_report_is_about():
    """W10: what the look-up online shows, and no more."""
    (said,) = status_line("2026-0412", ReportState.IN_PROGRESS, None, TODAY, "Вуличне освітлення")
    assert said.text.endswith("один, два, вуличне освітлення: у роботі.")


def test_the_planned_date_is_told_while_there_is_work_to_do():
    day = date(2026, 12, 3)
    assert text(status_line("2026-0412", ReportState.IN_PROGRESS, day, TODAY)).endswith(
        "два: у роботі. Строк виконання — до третього грудня."
    )
    assert text(status_line("2026-0412", ReportState.IN_PROGRESS, day, TODAY, planned=True)).endswith(
        "два: у роботі. Виконавець планує завершити до третього грудня."
    )
    assert len(status_line("2026-0412", ReportState.CLOSED, day, TODAY)) == 1
    assert text(status_line(None, ReportState.DRAFT, None, TODAY)).startswith("Ваше повідомлення: надійшло")


def test_an_emergency_is_read_with_its_whole_address_and_accepted_with_one_key():
    """I8."""
    assert text(handover_greeting("Ромни")) == "Увага! Аварійне повідомлення. Телефонує контактний центр міста Ромни."
    assert text(handover_report(BURST)) == (
        "Порив водопроводу, вулиця Соборна, будинок дванадцять а, квартира сім. Вода тече в підвал."
    )
    keys = text(handover_keys(BURST)[1:])
    assert {key for word, key in SAID_KEYS.items() if re.search(rf"\b{word}", keys)} == set(HandoverKey)
    assert handover_answered(True) != handover_answered(False)


def test_an_emergency_without_a_street_is_read_with_its_landmark():
    assert "біля мосту" in text(handover_report(Emergency("2026-0412", "Дерево", landmark="Біля мосту"))).lower()


def test_a_sentence_that_is_always_the_same_has_a_name_and_one_that_is_not_has_none():
    """So that a recording never says another report's street."""
    fixed = {sentence.prompt: sentence.text for sentence in fixed_sentences("Ромни")}
    assert all(re.fullmatch("[a-z-]+", name) for name in fixed)
    said = [
        greeting("Ромни"), how_many(2), check_over(), check_away(),
        question(LIGHT, TODAY), *map(answered, Key), leave_words(), words_kept(), nobody_free(),
        wrong_key(), no_input(), gives_up(), goodbye(), status_line("2026-0412", ReportState.NEW, TODAY, TODAY),
        status_greeting("Ромни"), status_offer(), *status_prompts(), handover_report(BURST),
        handover_greeting("Ромни"), handover_away(),
        handover_keys(BURST), handover_answered(True), handover_answered(False), handover_wrong_key(),
        handover_no_input(), handover_over(), outage_told(NO_WATER, "Ромни"), outage_keys(),
        closed_told(Hours("08:00–17:00"), AT, AT, "Ромни"), closed_duty(), closed_duty_away(), closed_message(),
        closed_end(True), closed_end(False),
    ]  # fmt: skip
    sentences = [sentence for prompt in said for sentence in prompt]
    assert {sentence.prompt for sentence in sentences} == {"", *fixed}
    assert all(fixed[sentence.prompt] == sentence.text for sentence in sentences if sentence.prompt)


def test_the_guide_lists_what_can_be_recorded():
    guide = (Path(__file__).parent.parent / "docs" / "technical-administrator.md").read_text()
    told = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", guide, re.MULTILINE))
    assert told == {sentence.prompt: sentence.text for sentence in fixed_sentences("Ромни")}


@pytest.mark.parametrize("sentence", fixed_sentences("Славутич"), ids=lambda sentence: sentence.prompt)
def test_each_sentence_is_written_out_and_ends(sentence):
    assert re.fullmatch(r"[А-ЯІЇЄҐа-яіїєґ’ .,:;!?—]+[.!?]", sentence.text), sentence.text
