"""Every setting of a run, declared once: type, default, bounds, unit and one line of description.

Widgets, tooltips, command-line options, preset files and provenance are derived from these models.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

MeanOrder = Literal["embeddings", "unit"]
Upsampling = Literal["half_pixel", "align_corners"]
ImageScore = Literal["class_token", "map_max", "both"]
Interpolation = Literal["bilinear", "bicubic"]
TileMode = Literal["fit", "tiles", "both"]

MutualTokens = Literal["vv", "layers"]
RangeSource = Literal["calibrated", "own", "manual"]

FEWEST_OTHERS = 3
"""Other images below which none is compared: what one of two others happens to lack is no sign of anything."""

DEFAULT_VV_BLOCKS = 12
"""How many of the last blocks the V-V path covers (all of them in ViT-B)."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ScoringSettings(_Settings):
    """From tokens to the map and the image score (method: scores)."""

    temperature: float | None = Field(
        None, gt=0, le=100, description="Softmax temperature of the map; empty uses the model's own, the paper 1."
    )
    mean_order: MeanOrder = Field(
        "embeddings",
        description="Side feature: mean of raw embeddings (the paper's code) or of unit embeddings (WinCLIP's order).",
    )
    smooth: bool = Field(True, description="Average each patch with its eight neighbours.")
    upsampling: Upsampling = Field(
        "half_pixel",
        description="Patch centres sit on their patches (half_pixel), or the paper's corner-aligned stretch.",
    )
    image_score: ImageScore = Field(
        "both", description="Image score from the class token, from the map's hottest patch, or their mean."
    )
    views: Literal[1, 22] = Field(
        1, description="Views averaged for the class token's score: the image alone, or the paper's 22."
    )


class AdaptationSettings(_Settings):
    """Test-time adaptation of a light adapter to one image (method: TTA)."""

    enabled: bool = Field(False, description="Adapt to this image before scoring (test-time adaptation).")
    adapter: Literal["prompt", "linear"] = Field(
        "prompt", description="Adapter through the bank of prompts, or a plain linear one (the paper's VisA script)."
    )
    steps: int = Field(5, ge=1, le=200, description="Training steps an image.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="AdamW learning rate.")
    noise: float = Field(0.055, ge=0, le=10, description="Standard deviation of the noise on the projected tokens.")
    mix: float = Field(0.5, ge=0, le=1, description="Share of the adapter's output; the rest is the token itself.")
    entropy_weight: float = Field(1.0, ge=0, le=100, description="Weight of the clean tokens' entropy in the loss.")
    contrast_weight: float = Field(
        0.5, ge=0, le=100, description="Weight of calling noisy tokens abnormal and clean ones normal."
    )
    temperature: float | None = Field(
        1.0, gt=0, le=100, description="Softmax temperature of the loss; empty uses the model's own, the paper 1."
    )
    start: Literal["random", "zero"] = Field(
        "random", description="Adapter starts from seeded random weights, or from zero (AnoCLIP's own map)."
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of the adapter's weights and of the noise.")


class TilingSettings(_Settings):
    """Which parts of the image the model looks at, and at which scale."""

    mode: TileMode = Field(
        "fit", description="Fit the whole image into the model's square, cut tiles at scale, or average both."
    )
    overlap: float = Field(0.25, ge=0, le=0.75, description="Least overlap of tiles, as a share of a tile.")
    scale: float = Field(1.0, gt=0, le=8, description="Pixels of the model for each pixel of the image, for tiles.")
    side: int | None = Field(
        None,
        ge=32,
        le=2048,
        description="Side of the model's square in pixels, rounded to whole patches; empty uses the model's own.",
    )
    interpolation: Interpolation = Field("bilinear", description="Resampling of the image; the paper uses bilinear.")


class ReferenceSettings(_Settings):
    """How patches that a person called normal lower the score of patches like them."""

    enabled: bool = Field(False, description="Lower what looks like regions judged false and like good images.")
    strength: float = Field(
        0.5, ge=0, le=1, description="How far a patch that looks like a normal reference is lowered; 0 changes nothing."
    )
    size: int = Field(
        1024, ge=16, le=8192, description="Patches kept as references at most, spread over all that was judged."
    )


class MutualSettings(_Settings):
    """How the other images of a stack or folder, unlabelled as they are, change the score of an image's patches."""

    enabled: bool = Field(False, description="Raise what the other images of the stack or folder do not show.")
    weight: float = Field(
        0.5, ge=0, le=10, description="How far a patch that is stranger than most is raised; 0 changes nothing."
    )
    share: float = Field(
        0.3, gt=0, le=1, description="Share of the other images, the most alike ones, that a patch is judged by."
    )
    degrees: tuple[Annotated[int, Field(ge=1, le=15)], ...] = Field(
        (1, 3, 5), min_length=1, description="Sides of the squares of patches that are compared, in patches; odd."
    )
    tokens: MutualTokens = Field(
        "vv",
        title="Compared by",
        description="Compare the map's own tokens, or those of several layers, for which the model runs again.",
    )
    references: int = Field(
        200,
        ge=4,
        le=5000,
        title="Images at most",
        description="Images compared with at most; of more, a seeded sample is drawn.",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of that sample.")
    held: Literal["fp16", "fp32"] = Field(
        "fp16", description="Precision in which the other images' tokens are held; they are compared in fp32."
    )

    @field_validator("degrees")
    @classmethod
    def _are_odd_and_different(cls, degrees: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(degrees)) < len(degrees) or any(degree % 2 == 0 for degree in degrees):
            raise ValueError("the sides must be odd, and each given once")
        return degrees


class DisplaySettings(_Settings):
    """How maps are shown. Nothing here changes a probability."""

    range: RangeSource = Field(
        "calibrated",
        description="Colours from packaged normal pictures, from your own good images, or between two numbers.",
    )
    low: float = Field(0.0, ge=0, le=1, description="Probability of the first colour, where set by hand.")
    high: float = Field(1.0, ge=0, le=2, description="Probability of the last colour, where set by hand.")
    threshold: float | None = Field(
        None, ge=0, le=1, description="Probability that counts as anomalous; empty takes it from the normal pictures."
    )
    contour: bool = Field(False, description="Outline what lies above the threshold.")


class AnoCLIPSettings(_Settings):
    """All settings of a run. The defaults are ours; `paper` gives the published set-up."""

    scoring: ScoringSettings = ScoringSettings()
    adaptation: AdaptationSettings = AdaptationSettings()
    tiling: TilingSettings = TilingSettings()
    references: ReferenceSettings = ReferenceSettings()
    mutual: MutualSettings = MutualSettings()
    vv_blocks: int = Field(
        DEFAULT_VV_BLOCKS, ge=1, le=100, title="V-V blocks", description="Last blocks that the V-V path covers."
    )

    @classmethod
    def paper(cls) -> AnoCLIPSettings:
        """The published protocol: square bilinear resize, temperature 1, 22 views, TTA, corner-aligned upsampling."""
        return cls(
            scoring=ScoringSettings(temperature=1.0, upsampling="align_corners", image_score="class_token", views=22),
            adaptation=AdaptationSettings(enabled=True),
        )
