"""Write the images of the test cases: grey discs that don't touch (make_data.py, needs Pillow)."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

DISCS = [(30, 30, 6), (90, 30, 10), (60, 80, 14), (20, 130, 3), (150, 120, 9)]  # x and y of the centre, radius


def make(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    image = Image.new("L", (200, 160), 20)
    draw = ImageDraw.Draw(image)
    for x, y, radius in DISCS:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=220)
    image.save(folder / "discs.png")


if __name__ == "__main__":
    make(Path(__file__).parent / "data")
