"""Super-resolution: from a 12 to 48 px crop to the 112 px crop that the encoder takes."""

from core.sr.trial import UpscalerUnusable
from core.sr.upscale import Upscaler, bicubic, load_upscaler

__all__ = ["Upscaler", "UpscalerUnusable", "bicubic", "load_upscaler"]
