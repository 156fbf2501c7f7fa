"""`.pt` files of names and embeddings: the usual forms are read, nothing in them ever runs."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.errors import StorageFailed
from core.gallery import ImportRejected
from core.gallery.transfer import import_embeddings_pt, read_embeddings_pt, write_embeddings_pt

torch = pytest.importorskip("torch")


def saved(value: object, **options: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


@pytest.fixture
def rows(person):
    return torch.from_numpy(person(1, 3))


def expect(content: bytes, people: dict[str, np.ndarray]) -> None:
    found = read_embeddings_pt(content)
    assert list(found) == list(people)
    for name, vectors in people.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], np.reshape(vectors, (-1, 512)), atol=1e-6)


def test_dicts_of_names_and_tensors(rows):
    alone = rows.numpy()
    people = {"Ada": alone[0], "李": alone[1:]}
    expect(saved({"Ada": rows[0], "李": rows[1:]}), people)
    expect(saved({"Ada": rows[0] * 7, "李": rows[1:].double()}), people)
    expect(saved({"Ada": rows[0].tolist(), "李": [rows[1], rows[2].tolist()]}), people)
    expect(saved({"embeddings": {"Ada": rows[:1], "李": rows[1:]}, "version": 2}), people)
    expect(saved({"Ada": {"embedding": rows[0], "count": 3}, "李": rows[1:].requires_grad_()}), people)
    expect(saved({"Ada": rows[0], "李": rows[1:]}, _use_new_zipfile_serialization=False), people)
    expect(saved({7: rows[0]}), {"7": alone[0]})


@pytest.mark.parametrize("names_key", ["labels", "names", "identities", "Labels"])
@pytest.mark.parametrize("rows_key", ["embeddings", "features", "vectors"])
def test_dicts_of_lists(rows, names_key, rows_key):
    people = {"Ada": rows.numpy()[[0, 2]], "Bob": rows.numpy()[1]}
    names = ["Ada", "Bob", "Ada"]
    expect(saved({names_key: names, rows_key: rows}), people)
    expect(saved({names_key: tuple(names), rows_key: list(rows)}), people)
    expect(saved({names_key: names, rows_key: rows.tolist(), "threshold": 0.35}), people)


def test_numbers_that_stand_for_names(rows):
    people = {"Ada": rows.numpy()[[0, 2]], "Bob": rows.numpy()[1]}
    expect(saved({"labels": torch.tensor([0, 1, 0]), "names": ["Ada", "Bob"], "embeddings": rows}), people)
    expect(saved({"labels": [0, 1, 0], "embeddings": rows}), {"0": rows.numpy()[[0, 2]], "1": rows.numpy()[1]})


@pytest.mark.parametrize(
    "make",
    [
        lambda rows: {},
        lambda rows: rows,
        lambda rows: ["Ada"],
        lambda rows: {"Ada": rows[0] * 0},
        lambda rows: {"Ada": rows[0] * float("nan")},
        lambda rows: {"Ada": rows[0] * float("inf")},
        lambda rows: {"Ada": rows[:, :128]},
        lambda rows: {"Ada": rows[:0]},
        lambda rows: {"Ada": rows[None]},
        lambda rows: {"Ada": (rows[0] * 100).int()},
        lambda rows: {"Ada": rows[0].to(torch.complex64)},
        lambda rows: {"Ada": rows.to_sparse()},
        lambda rows: {"Ada": torch.quantize_per_tensor(rows, 0.1, 0, torch.qint8)},
        lambda rows: {"Ada": torch.zeros(1).expand(10**9, 512)},
        lambda rows: {"Ada": "text"},
        lambda rows: {"Ada": [1.0, 2.0]},
        lambda rows: {"Ada": [[rows[0]]]},
        lambda rows: {"Ada": []},
        lambda rows: {"": rows[0]},
        lambda rows: {"a\nb": rows[0]},
        lambda rows: {("a",): rows[0]},
        lambda rows: {"Ada": rows[0], "ADA": rows[1]},
        lambda rows: {"names": ["Ada"], "embeddings": rows},
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_content_that_is_no_gallery_is_refused(gallery, space, rows, make):
    with pytest.raises(ImportRejected) as caught:
        import_embeddings_pt(gallery, saved(make(rows)), space=space)
    assert caught.value.what and gallery.size == 0


class Trap:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, (f"touch {self.target}",))


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_code_in_a_file_is_never_run(gallery, space, rows, tmp_path):
    target = tmp_path / "ran"
    trap = {"Ada": rows[0], "Bob": Trap(target)}
    torchscript = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), torchscript)
    for content in (saved(trap), saved(trap, _use_new_zipfile_serialization=False), pickle.dumps(trap)):
        assert str(target).encode() in content, "the trap is set"
        with pytest.raises(ImportRejected, match="run"):
            import_embeddings_pt(gallery, content, space=space)
    with pytest.raises(ImportRejected):
        import_embeddings_pt(gallery, torchscript.getvalue(), space=space)
    assert not target.exists() and gallery.size == 0


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"not a torch file", b"\x80\x02}q\x00.", b"(" * 1000, b"\0" * 100]
)
def test_bytes_of_no_kind_are_refused(content):
    with pytest.raises(ImportRejected):
        read_embeddings_pt(content)


def test_a_file_that_unpacks_to_far_more_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 50_000_000)
    with pytest.raises(ImportRejected, match="unpack"):
        read_embeddings_pt(buffer.getvalue())


@pytest.mark.parametrize("name", ["missing.pt", ".", "a\0b"])
def test_paths_that_cannot_be_read(tmp_path, name):
    with pytest.raises(ImportRejected):
        read_embeddings_pt(tmp_path / name)


@pytest.mark.both_databases
def test_an_imported_person_is_found_and_marked(gallery, space, rows, person, tmp_path):
    file = tmp_path / "my_gallery.pt"
    torch.save({"Ada": rows * 3, "Bob": torch.from_numpy(person(2, 1)[0])}, file)
    report = import_embeddings_pt(gallery, file, space=space, actor="kim")
    assert (report.added, report.templates) == (["Ada", "Bob"], 4)
    assert {stored.source for stored in gallery.templates("Ada")} == {"imported .pt"}
    assert gallery.search(person(2, 1), space)[0][0].name == "Bob"
    assert import_embeddings_pt(gallery, file, space=space).skipped == ["Ada", "Bob"]
    assert import_embeddings_pt(gallery, file, space=space, on_conflict="add").repeated == 4


@pytest.mark.both_databases
def test_means_are_written_and_read_again(gallery, space, person, templates, tmp_path):
    gallery.enrol("Ada", templates(person(1)) + templates(person(9), size_px=16), space=space)
    gallery.enrol("Bob", templates(person(2), size_px=16) + templates(person(3), size_px=24), space=space)
    file = tmp_path / "out" / "my_gallery.pt"
    assert write_embeddings_pt(gallery, space, file) == 2
    loaded = torch.load(file, weights_only=True)
    mean = person(1).astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(loaded["Ada"].numpy(), mean / np.linalg.norm(mean), atol=1e-6)
    assert loaded["Ada"].dtype == torch.float32 and loaded["Ada"].shape == (512,)
    means = [rows / np.linalg.norm(rows) for rows in (person(s).astype(np.float64).mean(axis=0) for s in (2, 3))]
    both = np.mean(means, axis=0)
    np.testing.assert_allclose(loaded["Bob"].numpy(), both / np.linalg.norm(both), atol=1e-6)
    assert list(read_embeddings_pt(file)) == ["Ada", "Bob"]
    with pytest.raises(StorageFailed):
        write_embeddings_pt(gallery, space, tmp_path)


def test_torch_is_left_alone_until_a_file_is_opened():
    modules = (
        "core.gallery, core.gallery.review, core.gallery.transfer, core.gallery.bulk, core.gallery.operating_points"
    )
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
