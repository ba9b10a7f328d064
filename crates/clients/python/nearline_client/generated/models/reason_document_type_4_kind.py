from typing import Literal

ReasonDocumentType4Kind = Literal["explored"]

REASON_DOCUMENT_TYPE_4_KIND_VALUES: set[ReasonDocumentType4Kind] = {
    "explored",
}


def check_reason_document_type_4_kind(value: str) -> ReasonDocumentType4Kind:
    if value in REASON_DOCUMENT_TYPE_4_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {REASON_DOCUMENT_TYPE_4_KIND_VALUES!r}"
    )
