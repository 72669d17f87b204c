"""The hours of a line as they are said aloud in Ukrainian (I2). Pure."""

from datetime import datetime, time, timedelta

from models.hours import END_OF_DAY, Hours, read_range
from models.spoken import say_clock, say_date, say_hour
from models.workdays import KYIV

WEEKDAYS = ("понеділок", "вівторок", "середа", "четвер", "п’ятниця", "субота", "неділя")
_WITHOUT_DATE = timedelta(days=6)  # so long the day of the week alone tells which day is meant


def say_hours(hours: Hours) -> list[str]:
    """«Працюємо у робочі дні з восьмої години до сімнадцятої години, у вихідні та свята з дев’ятої …»; nothing for
    hours that cannot be read."""
    parts = [
        f"{days} {_range(*found)}"
        for days, text in (("у робочі дні", hours.workdays), ("у вихідні та свята", hours.other_days))
        if (found := read_range(text))
    ]
    return [f"Працюємо {', '.join(parts)}."] if parts else []


def say_opening(opens: datetime | None, told: datetime) -> list[str]:
    """«Найближчий робочий час: понеділок, восьма година.», with the date when it is more than six days away."""
    if opens is None:
        return []
    at = opens.astimezone(KYIV)
    day = WEEKDAYS[at.weekday()]
    if at.date() - told.astimezone(KYIV).date() > _WITHOUT_DATE:
        day = f"{day}, {say_date(at.date(), at.date())}"
    return [f"Найближчий робочий час: {day}, {say_clock(at.time())}."]


def _range(begins: int, ends: int) -> str:
    if (begins, ends) == (0, END_OF_DAY):
        return "цілодобово"
    return f"з {_minute(begins)} до {_minute(ends)}"


def _minute(at: int) -> str:
    return "опівночі" if at in (0, END_OF_DAY) else say_hour(time(*divmod(at, 60)))
