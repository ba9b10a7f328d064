from typing import Literal

ReasonDocumentType6Kind = Literal["trending"]

REASON_DOCUMENT_TYPE_6_KIND_VALUES: set[ReasonDocumentType6Kind] = {
    "trending",
}


def check_reason_document_type_6_kind(value: str) -> ReasonDocumentType6Kind:
    if value in REASON_DOCUMENT_TYPE_6_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {REASON_DOCUMENT_TYPE_6_KIND_VALUES!r}"
    )
