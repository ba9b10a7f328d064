from typing import Literal

ReasonDocumentType5Kind = Literal["continue_watching"]

REASON_DOCUMENT_TYPE_5_KIND_VALUES: set[ReasonDocumentType5Kind] = {
    "continue_watching",
}


def check_reason_document_type_5_kind(value: str) -> ReasonDocumentType5Kind:
    if value in REASON_DOCUMENT_TYPE_5_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {REASON_DOCUMENT_TYPE_5_KIND_VALUES!r}"
    )
