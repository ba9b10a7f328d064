from typing import Literal

ReasonDocumentType0Kind = Literal["because_you_watched"]

REASON_DOCUMENT_TYPE_0_KIND_VALUES: set[ReasonDocumentType0Kind] = {
    "because_you_watched",
}


def check_reason_document_type_0_kind(value: str) -> ReasonDocumentType0Kind:
    if value in REASON_DOCUMENT_TYPE_0_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {REASON_DOCUMENT_TYPE_0_KIND_VALUES!r}"
    )
