from typing import Literal

ReasonDocumentType2Kind = Literal["often_first"]

REASON_DOCUMENT_TYPE_2_KIND_VALUES: set[ReasonDocumentType2Kind] = {
    "often_first",
}


def check_reason_document_type_2_kind(value: str) -> ReasonDocumentType2Kind:
    if value in REASON_DOCUMENT_TYPE_2_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {REASON_DOCUMENT_TYPE_2_KIND_VALUES!r}"
    )
