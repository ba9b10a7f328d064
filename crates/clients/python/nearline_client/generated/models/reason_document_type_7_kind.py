from typing import Literal

ReasonDocumentType7Kind = Literal["new"]

REASON_DOCUMENT_TYPE_7_KIND_VALUES: set[ReasonDocumentType7Kind] = {
    "new",
}


def check_reason_document_type_7_kind(value: str) -> ReasonDocumentType7Kind:
    if value in REASON_DOCUMENT_TYPE_7_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {REASON_DOCUMENT_TYPE_7_KIND_VALUES!r}"
    )
