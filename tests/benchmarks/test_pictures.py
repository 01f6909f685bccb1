"""Pictures of every kind are read rightly, or refused by name; none is answered wrongly without a word."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from benchmarks.pictures import picture_bytes, read_picture

GREY = np.arange(20, 20 + 12, dtype=np.uint8).reshape(3, 4) * 8
"""(height, width): 3 x 4, no two pixels alike."""

RGB = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


def exif(orientation):
    entry = Image.Exif()
    entry[0x0112] = orientation
    return entry


def alpha(colour, opacity=GREY):
    return Image.fromarray(np.dstack([np.full((3, 4, 3), colour, np.uint8), opacity]))


def palette(transparent=None):
    picture = Image.fromarray((GREY - 160) // 8)
    picture.putpalette([level for number in range(16) for level in (number * 10, number * 5, 7)])
    if transparent is not None:
        picture.info["transparency"] = transparent
    return picture


def tiff(path, values, **tags):
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    info = ImageFileDirectory_v2()
    for tag, value in tags.values():
        info[tag] = value
    Image.fromarray(values).save(path, tiffinfo=info)


LUMA = np.asarray(Image.fromarray(RGB).convert("L"))

# How a picture is written; its values / white as a grey one; words of its notes
READ = {
    "grey.png": (lambda path: Image.fromarray(GREY).save(path), GREY / 255, ""),
    "grey.bmp": (lambda path: Image.fromarray(GREY).save(path), GREY / 255, ""),
    "one_bit.png": (lambda path: Image.fromarray(GREY > 200).save(path), (GREY > 200) * 1.0, ""),
    "deep.png": (lambda path: Image.fromarray(GREY.astype(np.uint16) * 257).save(path), GREY / 255, "65535 is white"),
    "deep.tif": (lambda path: Image.fromarray(GREY.astype(np.uint16) * 257).save(path), GREY / 255, "65535 is white"),
    "deep.pgm": (
        lambda path: path.write_bytes(b"P5\n4 3\n65535\n" + (GREY.astype(">u2") * 257).tobytes()),
        GREY / 255,
        "65535 is white",
    ),
    "big_endian.tif": (
        lambda path: Image.frombytes("I;16B", (4, 3), (GREY.astype(">u2") * 257).tobytes()).save(path),
        GREY / 255,
        "65535 is white",
    ),
    "float.tif": (lambda path: Image.fromarray((GREY / 255).astype(np.float32)).save(path), GREY / 255, "1 is white"),
    "colours.png": (lambda path: Image.fromarray(RGB).save(path), LUMA / 255, "colours turned to grey"),
    "grey_rgb.png": (lambda path: Image.fromarray(GREY).convert("RGB").save(path), GREY / 255, ""),
    "palette.png": (
        lambda path: palette().save(path),
        np.asarray(palette().convert("RGB").convert("L")) / 255,
        "colours turned to grey",
    ),
    "transparent_palette.png": (
        lambda path: palette(0).save(path, transparency=0),
        np.where(np.asarray(palette()) == 0, 255, np.asarray(palette().convert("RGB").convert("L"))) / 255,
        "laid on white",
    ),
    "black_ink.png": (lambda path: alpha(0).save(path), (255 - GREY) / 255, "laid on white"),
    "white_ink.png": (lambda path: alpha(255).save(path), GREY / 255, "laid on black (on white nothing would be seen)"),
    "opaque.png": (lambda path: alpha(77, np.full_like(GREY, 255)).save(path), np.full((3, 4), 77 / 255), ""),
    "grey_alpha.png": (
        lambda path: Image.fromarray(np.dstack([np.zeros_like(GREY), GREY]), "LA").save(path),
        (255 - GREY) / 255,
        "laid on white",
    ),
    "cmyk.tif": (
        lambda path: Image.fromarray(RGB).convert("CMYK").save(path),
        np.asarray(Image.fromarray(RGB).convert("CMYK").convert("RGB").convert("L")) / 255,
        "CMYK turned to RGB",
    ),
    # Pillow turns these by itself
    **{
        f"turned_{compression}.tif": (
            lambda path, compression=compression: (
                Image.fromarray(GREY)
                .transpose(Image.Transpose.ROTATE_90)
                .save(path, exif=exif(6), compression=compression)
            ),
            GREY / 255,
            "",
        )
        for compression in ("raw", "tiff_lzw")
    },
    **{
        f"turned_{orientation}.png": (
            lambda path, orientation=orientation, turn=turn: (
                Image.fromarray(GREY).transpose(turn).save(path, exif=exif(orientation))
            ),
            GREY / 255,
            f"EXIF orientation {orientation}",
        )
        for orientation, turn in {
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_90,
            7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270,
        }.items()
    },
}


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", READ)
def test_read_rightly(name, tmp_path):
    write, expected, words = READ[name]
    write(tmp_path / name)
    picture = read_picture(tmp_path / name, (3, 4), 1)
    np.testing.assert_allclose(picture.values[..., 0] / picture.white, expected, atol=1e-7)
    assert words in "; ".join(picture.notes)
    assert words or picture.notes == []


@pytest.mark.parametrize(("channels", "kind"), [(3, 2), (4, 6), (1, 4)])
def test_colours_of_16_bits_are_read_as_their_upper_8(channels, kind, tmp_path):
    values = np.dstack([RGB.astype(int) * 257, np.full((3, 4), 65535)])[
        ..., {2: [0, 1, 2], 6: [0, 1, 2, 3], 4: [0, 3]}[kind]
    ]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", 4, 3, 16, kind, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    (tmp_path / "deep.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    picture = read_picture(tmp_path / "deep.png", (3, 4), channels)
    np.testing.assert_array_equal(picture.values[..., 0], RGB[..., 0])
    assert picture.notes == ["the upper 8 of its 16 bits a channel"]


@pytest.mark.parametrize("name", ["deep.png", "deep.pgm", "big_endian.tif", "grey.png", "colours.png", "palette.png"])
def test_colours_for_networks_that_take_colours(name, tmp_path):
    READ[name][0](tmp_path / name)
    picture = read_picture(tmp_path / name, (3, 4), 3)
    expected = {"colours.png": RGB, "palette.png": np.asarray(palette().convert("RGB"))}.get(name)
    expected = np.repeat(GREY[..., None], 3, axis=-1) if expected is None else expected
    np.testing.assert_allclose(picture.values / picture.white, expected / 255, atol=1e-7)


def test_four_channels_keep_their_transparency(tmp_path):
    alpha(50).save(tmp_path / "a.png")
    values = read_picture(tmp_path / "a.png", (3, 4), 4).values
    np.testing.assert_array_equal(values, np.dstack([np.full((3, 4, 3), 50), GREY]))


def test_the_ground_can_be_chosen(tmp_path):
    alpha(0).save(tmp_path / "a.png")
    assert not read_picture(tmp_path / "a.png", (3, 4), 1, ground="black").values.any()


def two_frames(path):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


# How a picture is written, and words of the refusal
REFUSED = {
    "frames.gif": (two_frames, "holds 2 pictures (frames)"),
    "pages.tif": (two_frames, "holds 2 pictures (frames)"),
    "larger.png": (lambda path: Image.fromarray(np.zeros((5, 4), np.uint8)).save(path), "is 5 x 4 pixels"),
    "lying.png": (lambda path: Image.fromarray(GREY.T.copy()).save(path), "is 4 x 3 pixels"),
    "bright.tif": (lambda path: Image.fromarray(GREY.astype(np.float32)).save(path), "--divide-by"),
    "nan.tif": (lambda path: Image.fromarray(np.full((3, 4), np.nan, np.float32)).save(path), "NaN"),
    "wide.tif": (lambda path: Image.fromarray(GREY.astype(np.int32)).save(path), "32 bits"),
    "inverted.tif": (
        lambda path: tiff(path, GREY.astype(np.uint16), photometric=(262, 0)),
        "0 for white",
    ),
    "rubbish.png": (lambda path: path.write_bytes(b"no picture"), "cannot be read as a picture"),
    "light.hdr": (lambda path: path.write_bytes(b"#?RADIANCE\n\n-Y 3 +X 4\n"), "cannot be read as a picture"),
    "cut.png": (
        lambda path: path.write_bytes(
            picture_bytes(np.random.default_rng(0).integers(0, 256, (3, 4), np.uint8), ".png")[:50]
        ),
        "cannot be read as a picture",
    ),
    "lab.tif": (lambda path: Image.frombytes("LAB", (4, 3), RGB.tobytes()).save(path), "mode 'LAB'"),
    "empty.png": (lambda path: path.write_bytes(b""), "cannot be read as a picture"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name, tmp_path):
    write, words = REFUSED[name]
    write(tmp_path / name)
    with pytest.raises(ValueError, match=name) as refusal:
        read_picture(tmp_path / name, (3, 4), 1)
    assert words in str(refusal.value)


def test_bright_floats_are_read_where_white_is_said(tmp_path):
    READ["grey.png"][0](tmp_path / "grey.png")
    REFUSED["bright.tif"][0](tmp_path / "bright.tif")
    picture = read_picture(tmp_path / "bright.tif", (3, 4), 1, any_float=True)
    np.testing.assert_array_equal(picture.values[..., 0], GREY)
