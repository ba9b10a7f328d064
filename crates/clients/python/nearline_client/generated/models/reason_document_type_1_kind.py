from typing import Literal

ReasonDocumentType1Kind = Literal["popular"]

REASON_DOCUMENT_TYPE_1_KIND_VALUES: set[ReasonDocumentType1Kind] = {
    "popular",
}


def check_reason_document_type_1_kind(value: str) -> ReasonDocumentType1Kind:
    if value in REASON_DOCUMENT_TYPE_1_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {REASON_DOCUMENT_TYPE_1_KIND_VALUES!r}"
    )
