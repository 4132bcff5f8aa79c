"""Times as people and recorders write them → seconds, so that images of a recording have an order.

    seconds_of("20260104_081500")        the day and the time, with any of - _ : . T between them
    seconds_of("081500", "20260104")     the time beside its day
    seconds_of("1767514500.25")          seconds since 1970; 13 digits are milliseconds
    number_of("000123")                  the number of a frame

No time zone is known; within a recording none is needed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_SEPARATORS = re.compile(r"[-_:.,T /년월일시분초]+")
_MS_DIGITS, _S_DIGITS = 13, 10
_OF_DAY = 6
_DATE, _SHORT_DATE = 8, 6
_DATE_TIME, _SHORT_DATE_TIME = 14, 12
_EARLIEST, _LATEST = 1980, 2100
_LATEST_S = 4_102_444_800


def number_of(text: str) -> float:
    """A frame's number as it is written: '000123', '12.5'. Raises ValueError: it is none."""
    if not re.fullmatch(r"-?\d+(\.\d+)?", text.strip()):
        raise ValueError(f"'{text}' is no number")
    return float(text)


def seconds_of(time: str, date: str = "") -> float:
    """Seconds since 1970, or since midnight where no day is given.

    Raises:
        ValueError: it is no time that is known.
    """
    written = f"{date} {time}".strip()
    if not date and (found := _as_number(time.strip())) is not None:
        return found
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return _by_digits(written)
    return _checked(moment, written)


def _as_number(text: str) -> float | None:
    """Seconds of a number that counts them: since 1970, or in a recording ('12.04', '7')."""
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        return None
    whole = text.partition(".")[0]
    if len(whole) == _MS_DIGITS and int(whole) < _LATEST_S * 1000:
        return float(text) / 1000
    if len(whole) == _S_DIGITS and int(whole) < _LATEST_S:
        return float(text)
    return float(text) if len(whole) < _OF_DAY else None


def _by_digits(written: str) -> float:
    digits = _SEPARATORS.sub("", written)
    if not re.fullmatch(r"\d+", digits):
        raise ValueError(f"'{written}' is no time like 20260104_081500, 081500 or 12.04")
    for day, length in (("%Y%m%d", _DATE_TIME), ("%y%m%d", _SHORT_DATE_TIME)):
        rest = digits[length:]
        if len(digits) < length or len(rest) not in (0, 1, 2, 3, 6):
            continue
        try:
            moment = datetime.strptime(digits[:length], f"{day}%H%M%S")
            return _checked(moment, written) + _share(rest)
        except ValueError:
            continue
    if len(digits) in (_OF_DAY, _OF_DAY + 3):
        hours, minutes, seconds = (int(digits[i : i + 2]) for i in (0, 2, 4))
        if hours < 24 and minutes < 60 and seconds < 60:
            return hours * 3600.0 + minutes * 60 + seconds + _share(digits[_OF_DAY:])
    if len(digits) == _DATE:
        return _checked(datetime.strptime(digits, "%Y%m%d"), written)
    raise ValueError(f"'{written}' is no time like 20260104_081500, 081500 or 12.04")


def _share(digits: str) -> float:
    return int(digits) / 10 ** len(digits) if digits else 0.0


def _checked(moment: datetime, written: str) -> float:
    if not _EARLIEST <= moment.year < _LATEST:
        raise ValueError(f"'{written}' is of the year {moment.year}")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
