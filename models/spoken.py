"""Words as they are said aloud in Ukrainian: dates, numbers, telephones, places. Pure: today is handed in.

Numbers are always written out: no synthesizer is trusted with digits, and their gender and case hang on what is meant.
"""

import re
from dataclasses import dataclass
from datetime import date, time

MONTHS = (
    "січня", "лютого", "березня", "квітня", "травня", "червня",
    "липня", "серпня", "вересня", "жовтня", "листопада", "грудня",
)  # fmt: skip

# how the end of an ordinal is typed after its number, and how it is said: of "перший", of "третій"
_ENDINGS = {
    "й": ("ий", "ій"), "го": ("ого", "ього"), "му": ("ому", "ьому"), "а": ("а", "я"), "я": ("а", "я"),
    "ї": ("ої", "ьої"), "у": ("у", "ю"), "ю": ("у", "ю"), "е": ("е", "є"), "є": ("е", "є"), "х": ("их", "іх"),
}  # fmt: skip
_YEARS_OF_A_JUBILEE = {40: "сорока", 90: "дев’яносто", 100: "сто"}
_LETTERS = {
    "б": "бе", "в": "ве", "г": "ге", "ґ": "ґе", "д": "де", "ж": "же", "з": "зе", "й": "йот", "к": "ка", "л": "ел",
    "м": "ем", "н": "ен", "п": "пе", "р": "ер", "с": "ес", "т": "те", "ф": "еф", "х": "ха", "ц": "це", "ч": "че",
    "ш": "ша", "щ": "ща",
}  # fmt: skip
_LATIN = str.maketrans("aAbBcCeEiIkKmMoOpPtTxXyY", "аАбВсСеЕіІкКмМоОрРтТхХуУ")  # typed in the wrong layout
_BUILDING_WORDS = {"корп": "корпус", "корпус": "корпус", "літ": "літера", "лит": "літера", "секц": "секція"}

_SHORT = {
    "вул": "вулиця", "просп": "проспект", "пр-т": "проспект", "пр-кт": "проспект", "пров": "провулок", "пл": "площа",
    "бульв": "бульвар", "б-р": "бульвар", "наб": "набережна", "туп": "тупик", "пр-д": "проїзд", "мкр": "мікрорайон",
    "мкрн": "мікрорайон", "м-н": "мікрорайон", "р-н": "район", "буд": "будинок", "корп": "корпус", "під": "під’їзд",
    "ім": "імені", "ген": "генерала", "акад": "академіка", "проф": "професора", "полк": "полковника", "ш": "шосе",
    "смт": "селище", "с": "село", "м": "місто", "тел": "телефон",
}  # fmt: skip
_ONLY_WITH_A_DOT = {"ш", "с", "м", "під", "ген", "корп", "тел", "ім"}  # else they are words or letters of their own
# behind a preposition: genitive and locative are the same word
_BEHIND_A_PREPOSITION = {"вул": "вулиці", "буд": "будинку", "пл": "площі", "пров": "провулку"}
_PREPOSITION = re.compile(r"(?<!\w)(біля|від|до|коло|навпроти|напроти|з|із|зі|у|в|на|по|при)$", re.IGNORECASE)
# the initial and the name of those after whom streets are called most; of others the surname alone is said
_NAMES = {
    "Бандери": "Степана", "Вишні": "Остапа", "Вовчок": "Марка", "Галицького": "Данила", "Гоголя": "Миколи",
    "Гончара": "Олеся", "Грушевського": "Михайла", "Довженка": "Олександра", "Калнишевського": "Петра",
    "Кобилянської": "Ольги", "Котляревського": "Івана", "Коцюбинського": "Михайла", "Лисенка": "Миколи",
    "Мазепи": "Івана", "Мирного": "Панаса", "Мудрого": "Ярослава", "Навроцького": "Григорія", "Рильського": "Максима",
    "Сагайдачного": "Петра", "Симоненка": "Василя", "Сковороди": "Григорія", "Стуса": "Василя", "Тичини": "Павла",
    "Українки": "Лесі", "Франка": "Івана", "Хмельницького": "Богдана", "Чорновола": "В’ячеслава",
    "Шевченка": "Тараса",
}  # fmt: skip

_CAPITAL = "А-ЯІЇЄҐ"
_WORD = rf"[{_CAPITAL}][а-яіїєґ’'ʼ-]+"
_INITIALS = re.compile(rf"(?<!\w)([{_CAPITAL}])\.\s*(?:[{_CAPITAL}]\.\s*)?(?=({_WORD}))")
_INITIALS_BEHIND = re.compile(rf"(?<!\w)({_WORD})\s+([{_CAPITAL}])\.(?:\s*[{_CAPITAL}]\.)?(?!\w)")
_SHORTENED = re.compile(
    rf"(?<![\w’'-])({'|'.join(sorted(map(re.escape, (*_SHORT, 'кв')), key=len, reverse=True))})(\.\s*|(?=\s)\s+)",
    re.IGNORECASE,
)
_JUBILEE = re.compile(r"(?<!\w)(\d{1,3})\s?-?\s?(річч|літт)(?=я\b|ю\b)")
_COUNTED = re.compile(r"(?<!\w)(\d{1,4})-(?:ти|ми|ох)(?!\w)|(?<!\w)([2-4])-х(?!\w)")
_ORDINAL = re.compile(rf"(?<!\w)(\d{{1,4}})-(?:[а-яіїєґ]{{0,2}}?)({'|'.join(_ENDINGS)})(?!\w)")
_DAY_OF_MONTH = re.compile(rf"(?<!\w)(\d{{1,2}})\s+(?=(?:{'|'.join(MONTHS)})\b)", re.IGNORECASE)
_TELEPHONE = re.compile(r"(?<![\w+])(?:\+?\d[\d ()-]{8,}\d|\d-\d\d-\d\d)(?!\w)")
_NUMBERED = re.compile(r"(?<!\w)\d+(?:[А-ЯІЇЄҐа-яіїєґ]{1,2}(?!\w))?(?:[/-]\d+[А-ЯІЇЄҐа-яіїєґ]?(?!\w))?")
_DATE = re.compile(r"(?<![\w.])(\d{1,2})\.(0?[1-9]|1[0-2])(?:\.(20\d\d))?(?![\w]|\.\d)")
_LOOSE_ENDS = re.compile(r"(?:[\s,;:—–-]|(?<=\s)(?:і|й|та|або|в|у|на|з|із|до|від|по|за|біля|для|що|не))+$")


@dataclass(frozen=True)
class Sentence:
    """What is said in one go. A recorded prompt with the name ``prompt`` is played instead where the town has one."""

    text: str
    prompt: str = ""


def in_cyrillic(text: str) -> str:
    """The text with Cyrillic letters instead of the Latin ones that look the same."""
    return text.translate(_LATIN)


def say_number(number: int, gender: str = "masculine") -> str:
    """``number``, not below zero, in the nominative: «двадцять один», feminine «двадцять одна», neuter «двадцять одне».

    Raises `ValueError` for a negative number.
    """
    if number < 0:
        raise ValueError("negative numbers are not said")
    said = _num2words(number, gender="feminine" if gender == "feminine" else "masculine")
    return re.sub("один$", "одне", said) if gender == "neuter" else said


def say_ordinal(number: int, ending: str = "й") -> str:
    """The ordinal with the ending that is typed after it: «перший» for "й", «першого» for "го", «перша» for "а".

    Raises `KeyError` for an ending that no ordinal has.
    """
    hard, soft = _ENDINGS[ending]
    said = _num2words(number, to="ordinal") if number else "нульовий"  # the library breaks off at 0
    return f"{said[:-2]}{soft if said.endswith('ій') else hard}"


def say_date(day: date, today: date) -> str:
    """«чотирнадцятого листопада»; the year only when it is not the present one."""
    said = f"{say_ordinal(day.day, 'го')} {MONTHS[day.month - 1]}"
    return said if day.year == today.year else f"{said} {say_ordinal(day.year, 'го')} року"


def say_hour(at: time) -> str:
    """Until when, behind «до»: «шістнадцятої години тридцяти хвилин»."""
    said = f"{say_ordinal(at.hour, 'ї')} години"
    if not at.minute:
        return said
    word = "хвилини" if at.minute % 10 == 1 and at.minute != 11 else "хвилин"
    minutes = re.sub("одного$", "однієї", _num2words(at.minute, case="genitive"))
    return f"{said} {minutes} {word}"


def say_clock(at: time) -> str:
    """When, by itself: «восьма година тридцять хвилин»."""
    said = f"{say_ordinal(at.hour, 'а')} година"
    if not at.minute:
        return said
    teens = at.minute in (11, 12, 13, 14)
    word = {1: "хвилина", 2: "хвилини", 3: "хвилини", 4: "хвилини"}.get(0 if teens else at.minute % 10, "хвилин")
    return f"{said} {say_number(at.minute, 'feminine')} {word}"


def say_report_number(number: str) -> str:
    """A report's number so that it can be written down: the year as a whole, then digit by digit.

    "2026-0412" is «дві тисячі двадцять шість, дефіс, нуль, чотири, один, два».
    """
    year, _, serial = number.partition("-")
    said = [say_number(int(year))] if re.fullmatch("20[0-9]{2}", year) else _digits(year)
    return ", ".join([*said, "дефіс", *_digits(serial)] if serial else said)


def say_telephone(number: str) -> str:
    """A telephone in the groups in which it is written, or else in the usual ones; +380 is said as 0.

    "5-32-73" is «п’ять, тридцять два, сімдесят три».
    """
    abroad = number.strip().startswith("+")
    groups = re.findall("[0-9]+", number)
    digits = "".join(groups)
    if digits.startswith("380") and len(digits) == 12:
        abroad, groups = False, [digits[2:5], digits[5:8], digits[8:10], digits[10:]]
    elif len(digits) == 10 and digits.startswith("0") and max(map(len, groups)) > 3:
        groups = [digits[:3], digits[3:6], digits[6:8], digits[8:]]
    elif len(digits) == 5 and len(groups) == 1:
        groups = [digits[0], digits[1:3], digits[3:]]
    elif any(len(group) > 3 for group in groups):
        groups = [digits[:-9], *(digits[-9:][at : at + 3] for at in (0, 3, 6))] if len(digits) > 9 else list(digits)
    said = ", ".join(_group(group) for group in groups if group)
    return f"плюс {said}" if abroad else said


def say_place(street: str, building: str = "", flat: str = "") -> str:
    """«вулиця Соборна, будинок чотири, квартира дванадцять»; what is empty is left out."""
    parts = [say_street(street)]
    if said := say_building(building):
        parts.append(f"будинок {said}")
    if said := say_building(flat):
        parts.append(f"квартира {said}")
    return ", ".join(part for part in parts if part)


def say_street(name: str) -> str:
    """A street's name without abbreviations, initials and digits: «вулиця Тараса Шевченка», «вулиця першого Травня»."""
    return _written_out(name)


def say_building(number: str) -> str:
    """The number of a building or flat: "12а" is «дванадцять а», "4/2" «чотири дріб два», "10-Б" «десять бе»."""
    text = re.sub(r"^\s*(буд(инок)?|кв(артира)?|№)[.\s]*", "", in_cyrillic(number), flags=re.IGNORECASE)
    said: list[str] = []
    tokens = re.findall(r"\d+|[А-ЯІЇЄҐа-яіїєґ]+|[/,–-]", text)
    for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        if token == "/":
            said.append("дріб")
        elif token in "-–":
            if before.isdecimal() and after.isdecimal():
                said.append("тире")
        elif token.isdecimal():
            said.append(_group(token))
        elif token != ",":
            short = "корпус" if token.lower() == "к" and after.isdecimal() else token.lower()
            said.append(_BUILDING_WORDS.get(short, " ".join(map(_letter, token.lower())) if len(token) < 3 else token))
    return " ".join(said)


def say_subject(text: str, most: int = 80) -> str:
    """What a report is about, inside a sentence; of more than ``most`` characters the last words are left out.

    Quotes, brackets, abbreviations and digits are written out, and a telephone is said as one. Of a text without a
    letter or a digit nothing is said: no program can speak it.
    """
    if not re.search(r"[^\W_]", text):
        return ""
    said = re.sub('[«»„“”"]', "", text)
    said = re.sub(r"\s*[()]\s*", ", ", said)
    said = re.sub(r"(?<=[^\W\d])/(?=[^\W\d])", " або ", said)
    said = _written_out(said).strip(" ,.;:!?")
    said = re.sub(r"(\s*,)+", ",", said)
    if len(said) > most:
        clause, word = (said[: most + 1].rpartition(end)[0] for end in (", ", " "))
        said = _LOOSE_ENDS.sub("", clause if len(clause) > most / 2 else word or said[:most])
    return said if said[1:2].isupper() else said[:1].lower() + said[1:]


def _written_out(text: str) -> str:
    """The text without abbreviations, initials and digits."""
    said = re.sub(r"[ʼ'`]", "’", " ".join(text.split()))
    said = _INITIALS.sub(lambda found: _name(found[1], found[2]), said)
    said = _INITIALS_BEHIND.sub(lambda found: f"{_name(found[2], found[1])}{found[1]}", said)
    said = _SHORTENED.sub(_whole_word, said)
    said = re.sub(r"№\s*", "номер ", said)
    said = _DATE.sub(_day_of_month, said)
    said = re.sub(r"(?<=\d):(?=\d)", " ", re.sub(r"(?<=\d)[.,](?=\d)", " кома ", said))
    said = _TELEPHONE.sub(lambda found: say_telephone(found[0]), said)
    said = _JUBILEE.sub(lambda found: f"{_jubilee(int(found[1]))}{found[2]}", said)
    said = _COUNTED.sub(lambda found: _num2words(int(found[1] or found[2]), case="genitive"), said)
    said = _ORDINAL.sub(lambda found: say_ordinal(int(found[1]), found[2]), said)
    said = _DAY_OF_MONTH.sub(lambda found: f"{say_ordinal(int(found[1]), 'го')} ", said)
    said = _NUMBERED.sub(lambda found: say_building(found[0]), said)
    return " ".join(re.sub(r"\d+", lambda found: f" {_group(found[0])} ", said).split())


def _name(initial: str, surname: str) -> str:
    """The name with a space after it, when it is that of somebody well known with this initial."""
    name = _NAMES.get(surname, "")
    return f"{name} " if name.startswith(initial) else ""


def _whole_word(found: re.Match[str]) -> str:
    short, dotted = found[1].lower(), found[2].startswith(".")
    if short in _ONLY_WITH_A_DOT and not dotted:
        return found[0]
    before = found.string[: found.start()].rstrip()
    if short in ("м", "с") and before[-1:].isdecimal():  # metres, seconds
        return found[0]
    if short in _BEHIND_A_PREPOSITION and _PREPOSITION.search(before):
        return f"{_BEHIND_A_PREPOSITION[short]} "
    if short == "кв":  # of a flat a number follows, of a quarter its name
        return "квартира " if found.string[found.end() : found.end() + 1].isdecimal() else "квартал "
    return f"{_SHORT[short]} "


def _day_of_month(found: re.Match[str]) -> str:
    """«14.11» as a day; the year where it stands there."""
    if not 1 <= int(found[1]) <= 31:
        return found[0]
    said = f"{say_ordinal(int(found[1]), 'го')} {MONTHS[int(found[2]) - 1]}"
    return f"{said} {say_ordinal(int(found[3]), 'го')} року" if found[3] else said


def _jubilee(years: int) -> str:
    """The first part of «тридцятиріччя», «шестисотріччя»."""
    if years in _YEARS_OF_A_JUBILEE:
        return _YEARS_OF_A_JUBILEE[years]
    if years % 100 == 0:
        return say_ordinal(years)[: -len("ий")]
    return _num2words(years, case="genitive").replace(" ", "")


def _digits(text: str) -> list[str]:
    return [say_number(int(digit)) if digit.isdecimal() else digit for digit in text if digit.isalnum()]


def _group(digits: str) -> str:
    """Digits that are said together: leading zeros one by one, the rest as a number."""
    rest = digits.lstrip("0")
    said = ["нуль"] * (len(digits) - len(rest))
    if len(rest) > 4:
        return " ".join([*said, *_digits(rest)])
    return " ".join([*said, say_number(int(rest))] if rest else said)


def _letter(letter: str) -> str:
    return _LETTERS.get(letter, letter)


def _num2words(number: int, **form: str) -> str:
    from num2words import num2words  # only now: 5 MB, and most parts say nothing

    said = num2words(number, lang="uk", **form).replace("'", "’")
    return re.sub("^одна (?=тисяч)", "", said)  # as people say it: «тисяча дев’ятсот»
