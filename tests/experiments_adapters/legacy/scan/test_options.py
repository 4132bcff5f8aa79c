"""A script's command line becomes a template that means the same as leaving it out."""

from __future__ import annotations

import ast
import shlex
import sys
from pathlib import Path

import pytest

from experiments_adapters.legacy.scan.options import read_options, template_of
from experiments_adapters.legacy.scan.results import Option

ARGPARSE = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("source")
p.add_argument("out", nargs="?", default="out.mp4")
p.add_argument("--epochs", "-e", type=int, default=100, help="{x}")
p.add_argument("--lr0", type=float, default=1e-5)
p.add_argument("--batch-size", dest="bs", default=16, type=int)
p.add_argument("--data", required=True)
p.add_argument("--name", default="첫 시도")
p.add_argument("--resume", action="store_true")
p.add_argument("--cache", type=bool, default=False)
p.add_argument("--weights", nargs="+", default="a.pt")
p.add_argument("--project", default=ROOT / "runs")
p.add_argument("--empty", default="")
p.add_argument("--offset", type=int, default=-1)
p.add_argument("--size", type=int, default=1e3)
p.add_argument("--hyp")
"""


def options_of(code: str) -> dict[str, Option]:
    return {each.name: each for each in read_options(ast.parse(code))[0]}


def test_argparse() -> None:
    found = read_options(ast.parse(ARGPARSE))[0]
    template, defaults = template_of(found)
    assert template == (
        "{source} {out} --epochs {epochs} --lr0 {lr0} --batch-size {bs} --data {data} "
        "--name {name} --offset {offset}"
    )
    assert dict(defaults) == {
        "out": "out.mp4", "epochs": 100, "lr0": 1e-5, "bs": 16, "name": "첫 시도", "offset": -1,
    }  # fmt: skip
    left = {each.name: each.left_out for each in found if each.left_out}
    assert set(left) == {"resume", "cache", "weights", "project", "empty", "size", "hyp"}
    assert "'False' too, as true" in left["cache"]
    assert [each.name for each in found if each.required] == ["source", "data"]


def test_the_template_passes_what_the_script_would_take_by_itself(tmp_path: Path) -> None:
    """The real argparse: filled in with its defaults it parses to what it parses without."""
    import subprocess

    script = tmp_path / "s.py"
    code = ARGPARSE.replace("ROOT / ", "'' + ")
    script.write_text(code + "print(sorted(vars(p.parse_args()).items()))", "utf-8")
    template, defaults = template_of(read_options(ast.parse(code))[0])
    values = {**dict(defaults), "source": "a.mp4", "data": "d.yaml"}
    words = [word.format(**values) for word in shlex.split(template)]
    said = [
        subprocess.run([sys.executable, script, *given], capture_output=True, text=True, check=True)
        for given in (words, ["a.mp4", "--data", "d.yaml"])
    ]
    assert said[0].stdout == said[1].stdout != ""


def test_click() -> None:
    code = """
import click
@click.command()
@click.argument("source")
@click.option("--epochs", "-e", "rounds", default=5, show_default=True)
@click.option("--lr", type=click.FLOAT, default=0.1)
@click.option("--size", type=click.Choice(["n", "s"]), default="n")
@click.option("--shuffle/--no-shuffle", default=True)
@click.option("--verbose", is_flag=True)
@click.option("--gpu", multiple=True, default=["0"])
def main(**k): ...
"""
    template, defaults = template_of(read_options(ast.parse(code))[0])
    assert template == "{source} --epochs {rounds} --lr {lr} --size {size}"
    assert dict(defaults) == {"rounds": 5, "lr": 0.1, "size": "n"}


@pytest.mark.parametrize(
    ("code", "template"),
    [
        ("import fire\ndef go(data, epochs=3, cache=True): ...\nfire.Fire(go)",
         "--data {data} --epochs {epochs}"),
        ("import typer\ndef go(data: str, batch_size: int = 4, amp: bool = True): ...\n"
         "typer.run(go)",
         "{data} --batch-size {batch_size}"),
        ("import typer\napp = typer.Typer()\n@app.command()\n"
         "def go(data: str = typer.Option(..., '--data-file'), n: int = typer.Argument(3)): ...",
         "--data-file {data} {n}"),
        ("import typer\nfrom typing import Annotated\napp = typer.Typer()\n@app.command()\n"
         "def go(lr: Annotated[float, typer.Option('--rate')] = 0.1): ...", "--rate {lr}"),
    ],
)  # fmt: skip
def test_fire_and_typer(code: str, template: str) -> None:
    assert template_of(read_options(ast.parse(code))[0])[0] == template


@pytest.mark.parametrize(
    "code",
    [
        "p.add_subparsers()\np.add_argument('--x', default=1)",
        "import typer\n@a.command()\ndef b(x: int = 1): ...\n@a.command()\ndef c(): ...",
        "import fire\nclass A: ...\nfire.Fire(A)",
        "@g.command()\n@click.option('--a', default=1)\ndef a(): ...\n"
        "@g.command()\n@click.option('--b', default=1)\ndef b(): ...",
    ],
)
def test_several_commands_need_a_person(code: str) -> None:
    options, note = read_options(ast.parse(code))
    assert options == ()
    assert "by hand" in note


def test_a_secret_in_a_scripts_code_stays_there() -> None:
    code = (
        "import argparse\np = argparse.ArgumentParser()\n"
        'p.add_argument("--epochs", type=int, default=3)\n'
        'p.add_argument("--api_key", default="k3y")\n'
        'p.add_argument("--source", default="rtsp://admin:pw@10.0.0.1/1")\n'
        'p.add_argument("--token")\n'
    )
    template, defaults = template_of(read_options(ast.parse(code))[0])
    assert template == "--epochs {epochs}"
    assert dict(defaults) == {"epochs": 3}
