"""Videos: annotations by frames, and the frames between two that were labelled (API reference 1.11).

An object is kept as segments of keyframes; a box, point or line moves evenly from one keyframe to the
next. A mask is there in the frames that have one, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Told = dict[str, Any]

_MOST_FRAMES = 100_000  # of one label
_VALUES = ("bounding_box", "point", "line")

Frame = tuple[int, Told, bool]


def exported(kept: Told, mask_url: Callable[[str, int], str], interpolated: bool) -> Told:
    """Return the ``annotations`` of a label on a video. Raises ValueError where it has too many frames."""
    by_frame: dict[int, dict[str, Told]] = {}
    segments: dict[str, list[list[int]]] = {}
    keys: dict[str, dict[str, bool]] = {}
    count = 0
    for each in kept["objects"]:
        ident = each["feature_id"]
        for segment in _segments(each, mask_url, interpolated):
            segments.setdefault(ident, []).append([segment[0][0], segment[-1][0]])
            count += len(segment)
            _limit(count)
            for number, told, is_key in segment:
                by_frame.setdefault(number, {})[ident] = told
                keys.setdefault(ident, {})[str(number)] = is_key
    classifications, timed = timed_classifications(kept["classifications"])
    return {
        "frames": {str(number): _frame(by_frame[number]) for number in sorted(by_frame)},
        "segments": segments | timed,
        "key_frame_feature_map": keys,
        "classifications": classifications,
    }


def _frame(objects: dict[str, Told]) -> Told:
    return {"objects": objects, "classifications": []}


def _limit(count: int) -> None:
    if count > _MOST_FRAMES:
        raise ValueError(f"a label of more than {_MOST_FRAMES} frames")


def _segments(kept: Told, mask_url: Callable[[str, int], str], interpolated: bool) -> Iterator[list[Frame]]:
    """The stretches in which an object is seen: number, object and whether it was labelled there."""
    head = {key: value for key, value in kept.items() if key not in ("segments", "mask", "classifications")}
    if "segments" in kept:
        for segment in kept["segments"]:
            yield list(_walk(head, segment["keyframes"], interpolated))
        return
    below = kept.get("classifications") or []
    if "frames" in (kept.get("mask") or {}):
        for number in sorted({frame["index"] for frame in kept["mask"]["frames"]}):
            url = mask_url(kept["feature_id"], number)
            yield [(number, {**head, "classifications": below, "mask": {"url": url}}, True)]
    elif "mask" in kept:
        url = mask_url(kept["feature_id"], 1)
        yield [(1, {**head, "classifications": below, "mask": {"url": url}}, True)]
    else:  # what was labelled as on an image is there in the first frame
        yield [(1, {**head, "classifications": below}, True)]


def _walk(head: Told, keyframes: list[Told], interpolated: bool) -> Iterator[Frame]:
    ordered = sorted(keyframes, key=lambda frame: int(frame["frame"]))
    for place, frame in enumerate(ordered):
        here = frame["frame"]
        below = frame.get("classifications") or []
        value = {key: frame[key] for key in _VALUES if key in frame}
        yield here, {**head, "classifications": below, **value}, True
        after = ordered[place + 1] if place + 1 < len(ordered) else None
        if not interpolated or after is None:
            continue
        span = after["frame"] - here
        _limit(span)
        for number in range(here + 1, after["frame"]):
            share = (number - here) / span
            moved = {key: _between(frame[key], after.get(key), share) for key in value}
            yield number, {**head, "classifications": below, **moved}, False


def _between(before: Any, after: Any, share: float) -> Any:
    """What lies ``share`` of the way between two values; what cannot move stays where it was."""
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        return {key: _between(before[key], after[key], share) for key in before}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [_between(*pair, share) for pair in zip(before, after, strict=True)]
    if isinstance(before, int | float) and isinstance(after, int | float):
        return round(before + (after - before) * share, 3)
    return before


def timed_classifications(kept: list[Told]) -> tuple[list[Told], dict[str, list[list[int]]]]:
    """Return classifications without their frames, and the stretches of each by its feature id."""
    told: list[Told] = []
    segments: dict[str, list[list[int]]] = {}
    for each in kept:
        for one in _split(each):
            told.append(_strip(one, segments))
    return told, segments


def _split(kept: Told) -> Iterator[Told]:
    """Answers that change with the frames are told one by one."""
    for many, single in (("radio_answers", "radio_answer"), ("text_answers", "text_answer")):
        if many in kept:
            head = {key: value for key, value in kept.items() if key != many}
            yield from ({**head, single: answer} for answer in kept[many])
            return
    yield kept


def _strip(value: Any, segments: dict[str, list[list[int]]], ident: str | None = None) -> Any:
    if isinstance(value, list):
        return [_strip(each, segments, ident) for each in value]
    if not isinstance(value, dict):
        return value
    ident = value.get("feature_id", ident)
    if "frames" in value and ident is not None:
        stretches = [[each["start"], each["end"]] for each in value["frames"]]
        segments.setdefault(ident, []).extend(stretches)
    return {key: _strip(each, segments, ident) for key, each in value.items() if key != "frames"}
