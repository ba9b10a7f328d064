from typing import Literal

ReasonDocumentType9Kind = Literal["on_my_list"]

REASON_DOCUMENT_TYPE_9_KIND_VALUES: set[ReasonDocumentType9Kind] = {
    "on_my_list",
}


def check_reason_document_type_9_kind(value: str) -> ReasonDocumentType9Kind:
    if value in REASON_DOCUMENT_TYPE_9_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {REASON_DOCUMENT_TYPE_9_KIND_VALUES!r}"
    )
