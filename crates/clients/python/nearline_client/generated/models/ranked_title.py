from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.artwork_document import ArtworkDocument
    from ..models.placement_document import PlacementDocument
    from ..models.reason_document_type_0 import ReasonDocumentType0
    from ..models.reason_document_type_1 import ReasonDocumentType1
    from ..models.reason_document_type_2 import ReasonDocumentType2
    from ..models.reason_document_type_3 import ReasonDocumentType3
    from ..models.reason_document_type_4 import ReasonDocumentType4
    from ..models.reason_document_type_5 import ReasonDocumentType5
    from ..models.reason_document_type_6 import ReasonDocumentType6
    from ..models.reason_document_type_7 import ReasonDocumentType7
    from ..models.reason_document_type_8 import ReasonDocumentType8
    from ..models.reason_document_type_9 import ReasonDocumentType9


T = TypeVar("T", bound="RankedTitle")


@_attrs_define
class RankedTitle:
    """A title of an answer.

    Attributes:
        score (float): Its score; comparable within one answer only.
        title (str): Its id.
        artwork (ArtworkDocument | None | Unset):
        genres (list[str] | Unset): Its genres, if the catalogue has them.
        name (None | str | Unset): Its name, if the catalogue has it.
        placement (None | PlacementDocument | Unset):
        reasons (list[ReasonDocumentType0 | ReasonDocumentType1 | ReasonDocumentType2 | ReasonDocumentType3 |
            ReasonDocumentType4 | ReasonDocumentType5 | ReasonDocumentType6 | ReasonDocumentType7 | ReasonDocumentType8 |
            ReasonDocumentType9] | Unset): Why it is here, weightiest first, if `explain` was asked for.
    """

    score: float
    title: str
    artwork: ArtworkDocument | None | Unset = UNSET
    genres: list[str] | Unset = UNSET
    name: None | str | Unset = UNSET
    placement: None | PlacementDocument | Unset = UNSET
    reasons: (
        list[
            ReasonDocumentType0
            | ReasonDocumentType1
            | ReasonDocumentType2
            | ReasonDocumentType3
            | ReasonDocumentType4
            | ReasonDocumentType5
            | ReasonDocumentType6
            | ReasonDocumentType7
            | ReasonDocumentType8
            | ReasonDocumentType9
        ]
        | Unset
    ) = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.artwork_document import ArtworkDocument  # noqa: PLC0415
        from ..models.placement_document import PlacementDocument  # noqa: PLC0415
        from ..models.reason_document_type_0 import ReasonDocumentType0  # noqa: PLC0415
        from ..models.reason_document_type_1 import ReasonDocumentType1  # noqa: PLC0415
        from ..models.reason_document_type_2 import ReasonDocumentType2  # noqa: PLC0415
        from ..models.reason_document_type_3 import ReasonDocumentType3  # noqa: PLC0415
        from ..models.reason_document_type_4 import ReasonDocumentType4  # noqa: PLC0415
        from ..models.reason_document_type_5 import ReasonDocumentType5  # noqa: PLC0415
        from ..models.reason_document_type_6 import ReasonDocumentType6  # noqa: PLC0415
        from ..models.reason_document_type_7 import ReasonDocumentType7  # noqa: PLC0415
        from ..models.reason_document_type_8 import ReasonDocumentType8  # noqa: PLC0415

        score = self.score

        title = self.title

        artwork: dict[str, Any] | None | Unset
        if isinstance(self.artwork, Unset):
            artwork = UNSET
        elif isinstance(self.artwork, ArtworkDocument):
            artwork = self.artwork.to_dict()
        else:
            artwork = self.artwork

        genres: list[str] | Unset = UNSET
        if not isinstance(self.genres, Unset):
            genres = self.genres

        name: None | str | Unset
        if isinstance(self.name, Unset):
            name = UNSET
        else:
            name = self.name

        placement: dict[str, Any] | None | Unset
        if isinstance(self.placement, Unset):
            placement = UNSET
        elif isinstance(self.placement, PlacementDocument):
            placement = self.placement.to_dict()
        else:
            placement = self.placement

        reasons: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.reasons, Unset):
            reasons = []
            for reasons_item_data in self.reasons:
                reasons_item: dict[str, Any]
                if isinstance(reasons_item_data, ReasonDocumentType0):
                    reasons_item = reasons_item_data.to_dict()
                elif isinstance(reasons_item_data, ReasonDocumentType1):
                    reasons_item = reasons_item_data.to_dict()
                elif isinstance(reasons_item_data, ReasonDocumentType2):
                    reasons_item = reasons_item_data.to_dict()
                elif isinstance(reasons_item_data, ReasonDocumentType3):
                    reasons_item = reasons_item_data.to_dict()
                elif isinstance(reasons_item_data, ReasonDocumentType4):
                    reasons_item = reasons_item_data.to_dict()
                elif isinstance(reasons_item_data, ReasonDocumentType5):
                    reasons_item = reasons_item_data.to_dict()
                elif isinstance(reasons_item_data, ReasonDocumentType6):
                    reasons_item = reasons_item_data.to_dict()
                elif isinstance(reasons_item_data, ReasonDocumentType7):
                    reasons_item = reasons_item_data.to_dict()
                elif isinstance(reasons_item_data, ReasonDocumentType8):
                    reasons_item = reasons_item_data.to_dict()
                else:
                    reasons_item = reasons_item_data.to_dict()

                reasons.append(reasons_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "score": score,
                "title": title,
            }
        )
        if artwork is not UNSET:
            field_dict["artwork"] = artwork
        if genres is not UNSET:
            field_dict["genres"] = genres
        if name is not UNSET:
            field_dict["name"] = name
        if placement is not UNSET:
            field_dict["placement"] = placement
        if reasons is not UNSET:
            field_dict["reasons"] = reasons

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.artwork_document import ArtworkDocument  # noqa: PLC0415
        from ..models.placement_document import PlacementDocument  # noqa: PLC0415
        from ..models.reason_document_type_0 import ReasonDocumentType0  # noqa: PLC0415
        from ..models.reason_document_type_1 import ReasonDocumentType1  # noqa: PLC0415
        from ..models.reason_document_type_2 import ReasonDocumentType2  # noqa: PLC0415
        from ..models.reason_document_type_3 import ReasonDocumentType3  # noqa: PLC0415
        from ..models.reason_document_type_4 import ReasonDocumentType4  # noqa: PLC0415
        from ..models.reason_document_type_5 import ReasonDocumentType5  # noqa: PLC0415
        from ..models.reason_document_type_6 import ReasonDocumentType6  # noqa: PLC0415
        from ..models.reason_document_type_7 import ReasonDocumentType7  # noqa: PLC0415
        from ..models.reason_document_type_8 import ReasonDocumentType8  # noqa: PLC0415
        from ..models.reason_document_type_9 import ReasonDocumentType9  # noqa: PLC0415

        d = dict(src_dict)
        score = d.pop("score")

        title = d.pop("title")

        def _parse_artwork(data: object) -> ArtworkDocument | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                artwork_type_0 = ArtworkDocument.from_dict(data)

                return artwork_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(ArtworkDocument | None | Unset, data)

        artwork = _parse_artwork(d.pop("artwork", UNSET))

        genres = cast(list[str], d.pop("genres", UNSET))

        def _parse_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        name = _parse_name(d.pop("name", UNSET))

        def _parse_placement(data: object) -> None | PlacementDocument | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                placement_type_0 = PlacementDocument.from_dict(data)

                return placement_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | PlacementDocument | Unset, data)

        placement = _parse_placement(d.pop("placement", UNSET))

        _reasons = d.pop("reasons", UNSET)
        reasons: (
            list[
                ReasonDocumentType0
                | ReasonDocumentType1
                | ReasonDocumentType2
                | ReasonDocumentType3
                | ReasonDocumentType4
                | ReasonDocumentType5
                | ReasonDocumentType6
                | ReasonDocumentType7
                | ReasonDocumentType8
                | ReasonDocumentType9
            ]
            | Unset
        ) = UNSET
        if _reasons is not UNSET:
            reasons = []
            for reasons_item_data in _reasons:

                def _parse_reasons_item(
                    data: object,
                ) -> (
                    ReasonDocumentType0
                    | ReasonDocumentType1
                    | ReasonDocumentType2
                    | ReasonDocumentType3
                    | ReasonDocumentType4
                    | ReasonDocumentType5
                    | ReasonDocumentType6
                    | ReasonDocumentType7
                    | ReasonDocumentType8
                    | ReasonDocumentType9
                ):
                    try:
                        if not isinstance(data, dict):
                            raise TypeError()
                        componentsschemas_reason_document_type_0 = (
                            ReasonDocumentType0.from_dict(data)
                        )

                        return componentsschemas_reason_document_type_0
                    except (TypeError, ValueError, AttributeError, KeyError):
                        pass
                    try:
                        if not isinstance(data, dict):
                            raise TypeError()
                        componentsschemas_reason_document_type_1 = (
                            ReasonDocumentType1.from_dict(data)
                        )

                        return componentsschemas_reason_document_type_1
                    except (TypeError, ValueError, AttributeError, KeyError):
                        pass
                    try:
                        if not isinstance(data, dict):
                            raise TypeError()
                        componentsschemas_reason_document_type_2 = (
                            ReasonDocumentType2.from_dict(data)
                        )

                        return componentsschemas_reason_document_type_2
                    except (TypeError, ValueError, AttributeError, KeyError):
                        pass
                    try:
                        if not isinstance(data, dict):
                            raise TypeError()
                        componentsschemas_reason_document_type_3 = (
                            ReasonDocumentType3.from_dict(data)
                        )

                        return componentsschemas_reason_document_type_3
                    except (TypeError, ValueError, AttributeError, KeyError):
                        pass
                    try:
                        if not isinstance(data, dict):
                            raise TypeError()
                        componentsschemas_reason_document_type_4 = (
                            ReasonDocumentType4.from_dict(data)
                        )

                        return componentsschemas_reason_document_type_4
                    except (TypeError, ValueError, AttributeError, KeyError):
                        pass
                    try:
                        if not isinstance(data, dict):
                            raise TypeError()
                        componentsschemas_reason_document_type_5 = (
                            ReasonDocumentType5.from_dict(data)
                        )

                        return componentsschemas_reason_document_type_5
                    except (TypeError, ValueError, AttributeError, KeyError):
                        pass
                    try:
                        if not isinstance(data, dict):
                            raise TypeError()
                        componentsschemas_reason_document_type_6 = (
                            ReasonDocumentType6.from_dict(data)
                        )

                        return componentsschemas_reason_document_type_6
                    except (TypeError, ValueError, AttributeError, KeyError):
                        pass
                    try:
                        if not isinstance(data, dict):
                            raise TypeError()
                        componentsschemas_reason_document_type_7 = (
                            ReasonDocumentType7.from_dict(data)
                        )

                        return componentsschemas_reason_document_type_7
                    except (TypeError, ValueError, AttributeError, KeyError):
                        pass
                    try:
                        if not isinstance(data, dict):
                            raise TypeError()
                        componentsschemas_reason_document_type_8 = (
                            ReasonDocumentType8.from_dict(data)
                        )

                        return componentsschemas_reason_document_type_8
                    except (TypeError, ValueError, AttributeError, KeyError):
                        pass
                    if not isinstance(data, dict):
                        raise TypeError()
                    componentsschemas_reason_document_type_9 = (
                        ReasonDocumentType9.from_dict(data)
                    )

                    return componentsschemas_reason_document_type_9

                reasons_item = _parse_reasons_item(reasons_item_data)

                reasons.append(reasons_item)

        ranked_title = cls(
            score=score,
            title=title,
            artwork=artwork,
            genres=genres,
            name=name,
            placement=placement,
            reasons=reasons,
        )

        ranked_title.additional_properties = d
        return ranked_title

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
