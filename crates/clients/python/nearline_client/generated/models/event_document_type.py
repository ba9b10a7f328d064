from typing import Literal

EventDocumentType = Literal[
    "forget",
    "impression",
    "list_add",
    "list_remove",
    "play",
    "progress",
    "rating",
    "thumb",
]

EVENT_DOCUMENT_TYPE_VALUES: set[EventDocumentType] = {
    "forget",
    "impression",
    "list_add",
    "list_remove",
    "play",
    "progress",
    "rating",
    "thumb",
}


def check_event_document_type(value: str) -> EventDocumentType:
    if value in EVENT_DOCUMENT_TYPE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {EVENT_DOCUMENT_TYPE_VALUES!r}"
    )
