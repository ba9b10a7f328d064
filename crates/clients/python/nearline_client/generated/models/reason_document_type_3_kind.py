from typing import Literal

ReasonDocumentType3Kind = Literal["newcomer"]

REASON_DOCUMENT_TYPE_3_KIND_VALUES: set[ReasonDocumentType3Kind] = {
    "newcomer",
}


def check_reason_document_type_3_kind(value: str) -> ReasonDocumentType3Kind:
    if value in REASON_DOCUMENT_TYPE_3_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {REASON_DOCUMENT_TYPE_3_KIND_VALUES!r}"
    )
