from typing import Literal

ListSimilarBy = Literal["likeness", "next"]

LIST_SIMILAR_BY_VALUES: set[ListSimilarBy] = {
    "likeness",
    "next",
}


def check_list_similar_by(value: str) -> ListSimilarBy:
    if value in LIST_SIMILAR_BY_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {LIST_SIMILAR_BY_VALUES!r}"
    )
