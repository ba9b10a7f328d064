from typing import Literal

ReasonDocumentType8Kind = Literal["because_you_like"]

REASON_DOCUMENT_TYPE_8_KIND_VALUES: set[ReasonDocumentType8Kind] = {
    "because_you_like",
}


def check_reason_document_type_8_kind(value: str) -> ReasonDocumentType8Kind:
    if value in REASON_DOCUMENT_TYPE_8_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {REASON_DOCUMENT_TYPE_8_KIND_VALUES!r}"
    )
