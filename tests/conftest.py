"""What tests share is imported by name: from tests/support, and the model from tests/model."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "support"), str(HERE / "model")]
