"""A client of Nearline: publish with retry under the same ids, read your own writes, follow a member's row.

`Nearline` is written by hand; the documents that it takes and gives are generated from the engine's OpenAPI description.
"""

from .client import HomeQuery, Nearline, Query, TitlesQuery
from .generated.models import (
    EventDocument,
    HomeAnswer,
    Problem,
    RankedTitle,
    RecommendationsAnswer,
    RowDocument,
    SimilarAnswer,
    TrendingAnswer,
)
from .problems import NearlineError, Refused, Unavailable
from .publishing import Event, Outcome, Published, Unpublished
from .retrying import Retry

__all__ = [
    "Event",
    "EventDocument",
    "HomeAnswer",
    "HomeQuery",
    "Nearline",
    "NearlineError",
    "Outcome",
    "Problem",
    "Published",
    "Query",
    "RankedTitle",
    "RecommendationsAnswer",
    "Refused",
    "Retry",
    "RowDocument",
    "SimilarAnswer",
    "TitlesQuery",
    "TrendingAnswer",
    "Unavailable",
    "Unpublished",
]
