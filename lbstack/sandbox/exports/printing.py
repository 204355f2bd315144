"""Annotations as they are kept, in the form that export lines print (API reference 1.11).

``sandbox.annotations`` tells how they are kept. Most is printed as it is; what differs: a mask is a URL, a
relationship stands among the objects too, a document's place is a page number or groups of tokens, a
message's answers say that they are one's, and a video is printed by frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lbstack.sandbox.exports import frames

Told = dict[str, Any]

VIDEO, AUDIO = "VIDEO", "AUDIO"
_ANSWERS = ("radio_answer", "checklist_answers", "text_answer")
_LISTS = {"message-multi-selection": "selected_messages", "message-ranking": "ranked_messages"}


@dataclass(frozen=True)
class Style:
    """How the annotations of one label are printed.

    ``media`` is the media type they are printed for, ``mask_url(feature, index)`` where a mask is found,
    ``text`` what the data row says where it is text itself, ``interpolated`` whether a video's frames
    between two that were labelled are told as well.
    """

    media: str | None
    mask_url: Callable[[str, int], str]
    text: str | None = None
    interpolated: bool = False


def label_kind(style: Style) -> str:
    """Return the kind that a label says it is of."""
    return "Video" if style.media == VIDEO else "Default"


def exported(kept: Told, style: Style) -> Told:
    """Return the ``annotations`` of a label. Raises ValueError where a video has too many frames."""
    relationships = kept["relationships"]
    related = {each["feature_id"] for each in relationships}
    objects = [each for each in kept["objects"] if each["feature_id"] not in related]
    if style.media == VIDEO:
        return frames.exported(kept, style.mask_url, style.interpolated)
    if style.media == AUDIO and not objects:
        told, segments = frames.timed_classifications(kept["classifications"])
        return {"classifications": told, "segments": segments, "timestamp": {}}
    return {
        "objects": [_object(each, style) for each in [*objects, *relationships]],
        "classifications": [_classification(each) for each in kept["classifications"]],
        "relationships": [_object(each, style) for each in relationships],
    }


def _object(kept: Told, style: Style) -> Told:
    told = {key: value for key, value in kept.items() if key not in ("page", "message_id")}
    if "page" in kept:
        told["page_number"] = kept["page"]
    if "mask" in told:
        told["mask"] = {"url": style.mask_url(kept["feature_id"], 1)}
    if "text_selections" in told:
        told["location"] = {"groups": [_group(each) for each in told.pop("text_selections")]}
    elif "location" in told:
        where = _location(told.pop("location"), style.text)
        if "message_id" in kept:
            told["conversational_location"] = {"message_id": kept["message_id"], "location": where}
        else:
            told["location"] = where
    if "message_evaluation_task" in told:
        told |= _messages(told.pop("message_evaluation_task"))
    return told


def _group(kept: Told) -> Told:
    return {"id": kept["group_id"], "page_number": kept["page"], "tokens": kept["token_ids"]}


def _location(kept: Told, text: str | None) -> Told:
    """Both ends belong to the entity; its words are told where the text is at hand."""
    if text is None or kept["end"] >= len(text):
        return kept
    return {**kept, "token": text[kept["start"] : kept["end"] + 1]}


def _messages(kept: Told) -> Told:
    data = kept["data"]
    if kept["format"] == "message-single-selection":
        return {"selected_message": data}
    name = _LISTS[kept["format"]]
    key = "messages" if name == "selected_messages" else name
    return {name: {"parent_message_id": data["parent_message_id"], key: data[name]}}


def _classification(kept: Told) -> Told:
    """An answer about one message of a conversation is told as such."""
    if "message_id" not in kept:
        return kept
    return {f"conversational_{key}" if key in _ANSWERS else key: value for key, value in kept.items()}
