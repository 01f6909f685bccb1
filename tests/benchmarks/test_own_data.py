"""Data as people keep it: every form gives the same rows, labels become classes, and what was done is said."""

import json

import numpy as np
import pytest

from benchmarks import own_data
from benchmarks.cli import main
from benchmarks.experiments import load_data

pytest.importorskip("PIL")
NAMES = ("cat", "dog", "eel")
RANDOM = np.random.default_rng(3)
IMAGES = RANDOM.integers(0, 256, (60, 5, 4, 1), dtype=np.uint8)
LABELS = np.arange(60) % 3


def pictures(folder, images=IMAGES, labels=LABELS, ending="png"):
    from PIL import Image

    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / NAMES[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(place / f"{number:03}.{ending}")
    return folder


def archive(folder, **arrays):
    np.savez(folder / "own.npz", **arrays)
    return folder / "own.npz"


def pair(folder, y):
    np.save(folder / "x.npy", IMAGES)
    np.save(folder / "y.npy", y)
    return folder / "x.npy"


WAYS = {
    "x and y": lambda folder: archive(folder, x=IMAGES, y=LABELS),
    "train alone": lambda folder: archive(folder, x_train=IMAGES, y_train=LABELS),
    "classes from 1": lambda folder: archive(folder, x=IMAGES, y=LABELS + 1),
    "classes far apart": lambda folder: archive(folder, x=IMAGES, y=LABELS * 1000),
    "minus and plus": lambda folder: archive(folder, x=IMAGES, y=LABELS - 1),
    "column": lambda folder: archive(folder, x=IMAGES, y=LABELS[:, None]),
    "whole floats": lambda folder: archive(folder, x=IMAGES, y=LABELS.astype(np.float64)),
    "words": lambda folder: archive(folder, x=IMAGES, y=np.array(NAMES)[LABELS]),
    "bytes": lambda folder: archive(folder, x=IMAGES, y=np.array(NAMES, "S")[LABELS]),
    "one-hot": lambda folder: archive(folder, x=IMAGES, y=np.eye(3)[LABELS]),
    "npy": lambda folder: pair(folder, LABELS),
    "npy one-hot": lambda folder: pair(folder, np.eye(3, dtype=bool)[LABELS]),
    "folder of arrays": lambda folder: pair(folder, LABELS).parent,
    "folder of pictures": lambda folder: pictures(folder / "pictures"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_form_gives_the_same_rows(way, tmp_path):
    found = own_data.read(str(WAYS[way](tmp_path)))
    assert (len(found.train[1]), len(found.test[1])) == (48, 12)
    assert {tuple(np.bincount(y)) for _, y in (found.train, found.test)} == {(16, 16, 16), (4, 4, 4)}
    assert "no test part: 12 of 60 rows are held out" in " ".join(found.notes)
    known = {image.tobytes(): label for image, label in zip(IMAGES, LABELS, strict=True)}
    for x, y in (found.train, found.test):
        assert [known.pop(image.tobytes()) for image in x.reshape(-1, 5, 4, 1)] == y.tolist()
    assert known == {}
    if way in ("words", "bytes", "folder of pictures"):
        assert found.class_names == NAMES


@pytest.mark.parametrize("test_name", ["test", "val"])
def test_a_folder_may_part_training_and_testing(test_name, tmp_path):
    pictures(tmp_path / "train", IMAGES[:45], LABELS[:45])
    pictures(tmp_path / test_name, IMAGES[45:], LABELS[45:])
    found = own_data.read(str(tmp_path))
    assert (len(found.train[1]), len(found.test[1])) == (45, 15)
    assert f"{test_name} is the test part" in found.notes
    np.save(tmp_path / "x_train.npy", IMAGES[:45])
    np.save(tmp_path / "y_train.npy", LABELS[:45])
    np.save(tmp_path / "x_test.npy", IMAGES[45:])
    np.save(tmp_path / "y_test.npy", LABELS[45:])
    arrays = own_data.read(str(tmp_path / "x_train.npy"))
    np.testing.assert_array_equal(arrays.test[1], LABELS[45:])


def test_coloured_pictures_have_three_channels(tmp_path):
    colours = np.repeat(IMAGES, 3, axis=-1)
    colours[..., 0] //= 2
    assert own_data.read(str(pictures(tmp_path, colours))).train[0].shape == (48, 5, 4, 3)


def test_a_table_is_standardized_and_it_is_said(tmp_path):
    pandas = pytest.importorskip("pandas")
    x = RANDOM.normal(size=(60, 3)) * [1, 10, 1000] + [0, 5, -7]
    frame = pandas.DataFrame(x, columns=["a", "b", "c"])
    frame.insert(1, "Label", np.array(NAMES)[LABELS])
    for ending, write in (
        ("csv", frame.to_csv),
        ("tsv", lambda path, index: frame.to_csv(path, sep="\t", index=index)),
    ):
        write(tmp_path / f"own.{ending}", index=False)
        found = own_data.read(str(tmp_path / f"own.{ending}"))
        assert found.class_names == NAMES
        np.testing.assert_allclose(found.train[0].mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(found.train[0].std(axis=0), 1, rtol=1e-12)
        assert "labels are the column 'Label'" in found.notes[0]
        assert "each column has the mean 0" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("a,b,y\n1,red,0\n2,blue,1\n", r"columns \['b'\] are no numbers; encode or leave out"),
        ("a,b,y\n1,,0\n2,3,1\n", r"columns \['b'\] have empty cells"),
        ("a\n1\n2\n", "2 rows of 1 columns; inputs and a label were expected"),
        (
            "a;b;y\n1;2;0\n2;1;1\n",
            "1 columns; inputs and a label were expected: its cells are parted by ';'",
        ),
        ("", "cannot be read as a table"),
        ("a,y\n1,0.5\n2,0.5\n", "every value to predict is 0.5; there is nothing to learn"),
        ("a,y\n1,0\n2,0\n", "all rows for training are of class 0; give two classes"),
    ],
)
def test_a_table_that_is_none(cells, message, tmp_path):
    pytest.importorskip("pandas")
    (tmp_path / "own.csv").write_text(cells)
    with pytest.raises(ValueError, match=message):
        own_data.read(str(tmp_path / "own.csv"))


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        ("a,label,Class\n1,0,0\n2,1,1\n4,0,0\n", "columns ['Class'] are called as labels are and taken as inputs"),
        (",a,y\n0,3,0\n1,2,1\n2,5,0\n", "columns ['Unnamed: 0'] count the rows and are taken as inputs"),
        ("a,b,y\n7,3,0\n7,2,1\n7,5,0\n", "columns ['a'] hold one value in all rows and become zeros"),
        (
            "0.2,0.2,cat\n3,1,dog\n2,4,cat\n5,1,dog\n",
            "all columns have numbers for names, ['0.2', '0.2.1']",
        ),
        ("0,1,y\n3,1,0\n2,4,1\n5,1,0\n", None),
        ("a,b,y\n3,1,0\n2,4,1\n5,1,0\n", None),
    ],
)
def test_what_looks_wrong_with_a_table_is_said(cells, note, tmp_path):
    pytest.importorskip("pandas")
    (tmp_path / "own.csv").write_text(cells)
    notes = own_data.read(str(tmp_path / "own.csv")).notes
    if note is None:
        assert not any("columns [" in one or "all columns" in one for one in notes)
    else:
        assert any(note in one for one in notes)


@pytest.mark.parametrize(("y", "is_said"), [(np.arange(len(IMAGES)) * 7 - 100, True), (LABELS, False)])
def test_nearly_as_many_classes_as_rows_are_said(y, is_said, tmp_path):
    notes = own_data.read(str(archive(tmp_path, x=IMAGES, y=y))).notes
    assert any("if they are values to predict, take --loss mse" in note for note in notes) == is_said


def test_a_folder_without_pictures_is_said(tmp_path):
    folder = pictures(tmp_path / "pictures")
    (folder / "zebra").mkdir()
    assert "folders ['zebra'] of pictures hold no pictures and are left out" in own_data.read(str(folder)).notes


WRONG = {
    "nothing there": (lambda folder: folder / "absent", "no data at .*absent; give a .npz file"),
    "another form": (lambda folder: _written(folder / "x.doc", b"x"), "x.doc is none of the known forms"),
    "no labels": (lambda folder: _saved(folder / "x.npy"), "no file .*y.npy; labels lie beside their inputs"),
    "no x in the name": (lambda folder: _saved(folder / "data.npy"), "call the two files x.npy and y.npy"),
    "half a test part": (
        lambda folder: archive(folder, x_train=IMAGES, y_train=LABELS, x_test=IMAGES),
        "lacks y_test",
    ),
    "not a number": (
        lambda folder: archive(folder, x=np.where(IMAGES == IMAGES.max(), np.nan, IMAGES), y=LABELS),
        r"x holds nan at \[.*clean or leave out such rows",
    ),
    "one class": (lambda folder: pictures(folder, IMAGES[:5], LABELS[:5] * 0), "holds 1 folders with pictures"),
    "not one-hot": (lambda folder: archive(folder, x=IMAGES, y=np.ones((60, 3))), "is not one-hot"),
    "pickled": (lambda folder: _pickled(folder), "cannot be read as a plain array"),
    "a header that lies": (lambda folder: _lying(folder), "cannot be read as a plain array"),
}


def _written(path, content):
    path.write_bytes(content)
    return path


def _saved(path):
    np.save(path, IMAGES)
    return path


def _pickled(folder):
    np.save(folder / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    return folder / "x.npy"


def _lying(folder):
    content = bytearray(_saved(folder / "x.npy").read_bytes())
    at = content.index(b"(60,")
    content[at : at + 4] = b"(99,"
    return _written(folder / "x.npy", bytes(content))


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_read_is_named(name, tmp_path):
    make, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        own_data.read(str(make(tmp_path)))


def test_pictures_of_other_sizes_are_refused_by_name(tmp_path):
    pictures(tmp_path, IMAGES[:6], LABELS[:6])
    pictures(tmp_path, RANDOM.integers(0, 256, (1, 9, 9, 1), dtype=np.uint8), [2])
    with pytest.raises(ValueError, match=r"eel.*000.png is 9 x 9 pixels"):
        own_data.read(str(tmp_path))


def test_dark_bytes_are_said(tmp_path):
    notes = own_data.read(str(archive(tmp_path, x=IMAGES // 16, y=LABELS))).notes
    assert "no uint8 value is above 15" in notes[-1]


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
def test_tables_of_scikit_learn(name):
    pytest.importorskip("sklearn")
    data = load_data(name)
    assert len(data.class_names) == data.classes
    assert np.abs(data.train[0].mean(axis=0)).max() < 1e-5


def test_a_digest_knows_the_content(tmp_path):
    path = str(pair(tmp_path, LABELS))
    before = own_data.digest(path)
    assert before == own_data.digest(path)
    np.save(tmp_path / "y.npy", LABELS[::-1])
    assert own_data.digest(path) != before
    folder = str(pictures(tmp_path / "pictures", IMAGES[:6], LABELS[:6]))
    before = own_data.digest(folder)
    (tmp_path / "pictures/cat/000.png").rename(tmp_path / "pictures/dog/000.png")
    assert own_data.digest(folder) != before


def test_the_command_shows_what_would_be_read(tmp_path, capsys):
    from PIL import Image

    path, picture = pictures(tmp_path / "own"), tmp_path / "some.png"
    assert main(["data", str(path), "--picture", str(picture)]) == 0
    shown = capsys.readouterr().out
    for part in ("5 x 4 x 1", "dog", "held out", f"next: crosscheck compare mlp --data {path}"):
        assert part in shown
    with Image.open(picture) as image:
        assert image.size == (8 * 5 - 1, 3 * 6 - 1)
    assert main(["data", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["classes"][1] == {"name": "dog", "train": 16, "test": 4}
    assert main(["data", "iris", "--picture", str(picture)]) == 2
    assert "are no images" in capsys.readouterr().err
