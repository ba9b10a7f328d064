"""Contains all the data models used in inputs/outputs"""

from .artwork_document import ArtworkDocument
from .because_document import BecauseDocument
from .counts_document import CountsDocument
from .difference_document import DifferenceDocument
from .dimension_document import DimensionDocument
from .epoch_document import EpochDocument
from .erasure_answer import ErasureAnswer
from .event_document import EventDocument
from .event_document_type import EventDocumentType
from .event_result import EventResult
from .event_status import EventStatus
from .events_answer import EventsAnswer
from .experiment_document import ExperimentDocument
from .experiments_answer import ExperimentsAnswer
from .home_answer import HomeAnswer
from .insights_answer import InsightsAnswer
from .interval_document import IntervalDocument
from .list_similar_by import ListSimilarBy
from .log_document import LogDocument
from .member_document import MemberDocument
from .open_impression_document import OpenImpressionDocument
from .opinion_document import OpinionDocument
from .order_answer import OrderAnswer
from .order_request import OrderRequest
from .placement_document import PlacementDocument
from .problem import Problem
from .publish_problem import PublishProblem
from .ranked_title import RankedTitle
from .read_description_response_200 import ReadDescriptionResponse200
from .reason_document_type_0 import ReasonDocumentType0
from .reason_document_type_0_kind import ReasonDocumentType0Kind
from .reason_document_type_1 import ReasonDocumentType1
from .reason_document_type_1_kind import ReasonDocumentType1Kind
from .reason_document_type_2 import ReasonDocumentType2
from .reason_document_type_2_kind import ReasonDocumentType2Kind
from .reason_document_type_3 import ReasonDocumentType3
from .reason_document_type_3_kind import ReasonDocumentType3Kind
from .reason_document_type_4 import ReasonDocumentType4
from .reason_document_type_4_kind import ReasonDocumentType4Kind
from .reason_document_type_5 import ReasonDocumentType5
from .reason_document_type_5_kind import ReasonDocumentType5Kind
from .reason_document_type_6 import ReasonDocumentType6
from .reason_document_type_6_kind import ReasonDocumentType6Kind
from .reason_document_type_7 import ReasonDocumentType7
from .reason_document_type_7_kind import ReasonDocumentType7Kind
from .reason_document_type_8 import ReasonDocumentType8
from .reason_document_type_8_kind import ReasonDocumentType8Kind
from .reason_document_type_9 import ReasonDocumentType9
from .reason_document_type_9_kind import ReasonDocumentType9Kind
from .recommendations_answer import RecommendationsAnswer
from .row_document import RowDocument
from .sample_ratio_document import SampleRatioDocument
from .similar_answer import SimilarAnswer
from .title_body import TitleBody
from .title_document import TitleDocument
from .title_patch import TitlePatch
from .title_result import TitleResult
from .titles_answer import TitlesAnswer
from .trending_answer import TrendingAnswer
from .trending_title import TrendingTitle
from .variant_document import VariantDocument
from .variant_result import VariantResult
from .variant_result_ranking import VariantResultRanking
from .watched_document import WatchedDocument

__all__ = (
    "ArtworkDocument",
    "BecauseDocument",
    "CountsDocument",
    "DifferenceDocument",
    "DimensionDocument",
    "EpochDocument",
    "ErasureAnswer",
    "EventDocument",
    "EventDocumentType",
    "EventResult",
    "EventsAnswer",
    "EventStatus",
    "ExperimentDocument",
    "ExperimentsAnswer",
    "HomeAnswer",
    "InsightsAnswer",
    "IntervalDocument",
    "ListSimilarBy",
    "LogDocument",
    "MemberDocument",
    "OpenImpressionDocument",
    "OpinionDocument",
    "OrderAnswer",
    "OrderRequest",
    "PlacementDocument",
    "Problem",
    "PublishProblem",
    "RankedTitle",
    "ReadDescriptionResponse200",
    "ReasonDocumentType0",
    "ReasonDocumentType0Kind",
    "ReasonDocumentType1",
    "ReasonDocumentType1Kind",
    "ReasonDocumentType2",
    "ReasonDocumentType2Kind",
    "ReasonDocumentType3",
    "ReasonDocumentType3Kind",
    "ReasonDocumentType4",
    "ReasonDocumentType4Kind",
    "ReasonDocumentType5",
    "ReasonDocumentType5Kind",
    "ReasonDocumentType6",
    "ReasonDocumentType6Kind",
    "ReasonDocumentType7",
    "ReasonDocumentType7Kind",
    "ReasonDocumentType8",
    "ReasonDocumentType8Kind",
    "ReasonDocumentType9",
    "ReasonDocumentType9Kind",
    "RecommendationsAnswer",
    "RowDocument",
    "SampleRatioDocument",
    "SimilarAnswer",
    "TitleBody",
    "TitleDocument",
    "TitlePatch",
    "TitleResult",
    "TitlesAnswer",
    "TrendingAnswer",
    "TrendingTitle",
    "VariantDocument",
    "VariantResult",
    "VariantResultRanking",
    "WatchedDocument",
)
