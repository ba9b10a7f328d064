from typing import Literal

ReasonDocumentType8Kind = Literal["on_my_list"]

REASON_DOCUMENT_TYPE_8_KIND_VALUES: set[ReasonDocumentType8Kind] = {
    "on_my_list",
}


def check_reason_document_type_8_kind(value: str) -> ReasonDocumentType8Kind:
    if value in REASON_DOCUMENT_TYPE_8_KIND_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {REASON_DOCUMENT_TYPE_8_KIND_VALUES!r}"
    )
