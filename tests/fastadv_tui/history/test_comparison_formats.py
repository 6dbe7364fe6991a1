"""A comparison as csv, json, markdown and LaTeX."""

import csv
import io
import json

import pytest
from msgspec.structs import replace

from fastadv_tui.history.comparison import compare
from fastadv_tui.history.comparison_formats import FORMATS
from tests.support.comparisons import BASE, NARROW, PGD20, line_of
from tests.support.evaluations import evaluation

NASTY = "=1+1 | 50% & $x_1$ {a} \\ #~^ \"q\", 'r'\n[b]x"


def test_a_comparison_in_csv_can_be_read_back_and_holds_no_formula() -> None:
    table = compare([replace(BASE, name=NASTY), NARROW])
    read = {row[0]: row[1:] for row in csv.reader(io.StringIO(FORMATS["csv"](table)))}
    assert read[""] == ["a1", "b2"]
    assert [*map(float, read["clean"])] == [0.8, 0.7]
    assert [*map(float, read["time with evaluations"])] == [60.0, 30.0]
    assert float(read["clean difference"][1]) == pytest.approx(-0.1)
    assert read["peak memory"] == ["", ""]
    assert read["name"][0] == "'" + NASTY.replace("\n", r"\n")


def test_a_comparison_in_json_can_be_read_back() -> None:
    read = json.loads(FORMATS["json"](compare([replace(BASE, name=NASTY), NARROW])))
    assert read["runs"] == ["a1", "b2"]
    assert read["results"]["name"]["a1"] == NASTY
    assert read["results"]["clean"] == {"a1": 0.8, "b2": 0.7}
    assert read["plus_minus"]["clean"]["a1"] == pytest.approx((0.8 * 0.2 / 1000) ** 0.5)
    assert read["settings"] == {"model.width": {"a1": 64, "b2": 16}}


def test_a_comparison_in_markdown_keeps_its_columns_whatever_the_names() -> None:
    lines = FORMATS["md"](compare([replace(BASE, name=NASTY), NARROW])).splitlines()
    rows = lines[: lines.index("")]
    assert all(line.replace(r"\|", "").count("|") == 4 for line in rows)
    assert r"| clean | 80.0 ± 1.3% | 70.0 ± 1.4% -10.0 \* |" in rows
    assert all(line.startswith("- ") for line in lines[len(rows) + 1 :])  # the footnotes


def test_names_in_a_markdown_comparison_are_no_markup() -> None:
    text = FORMATS["md"](compare([replace(BASE, name="*b* _i_ ~~s~~ &amp; <x>"), NARROW]))
    assert r"| name | \*b\* \_i\_ \~\~s\~\~ \&amp; \<x\> | narrow |" in text


def test_a_comparison_in_latex_is_one_for_a_paper() -> None:
    table = compare([replace(BASE, peak_memory=10**9, images_per_second=99.0), NARROW])
    rows = [line.removesuffix(r" \\").split(" & ") for line in FORMATS["latex"](table).splitlines() if " & " in line]
    found = {label: cells for label, *cells in rows}
    assert found[""] == ["base", "narrow"]
    assert found["clean"] == [r"80.0 $\pm$ 1.3\%", r"70.0 $\pm$ 1.4\% *"]
    assert found["clean difference"] == ["", "$-10.0$"]
    assert not {"name", "status", "memory", "images/s"} & {*found}


def test_a_comparison_in_latex_escapes_every_special_character() -> None:
    text = FORMATS["latex"](compare([replace(BASE, name=NASTY), NARROW]))
    head = next(line for line in text.splitlines() if line.startswith(" & "))
    assert r"50\% \& \$x\_1\$ \{a\} \textbackslash{}" in head
    assert next(line[:22] for line in text.splitlines() if line[0] != "%") == r"\begin{tabular}{lrr}"


def rows_of(text: str, form: str) -> dict[str, list[str]]:
    """The cells of a printed comparison by label. A reader of each format that knows nothing of the code."""
    if form == "csv":
        return {row[0]: row[1:] for row in csv.reader(io.StringIO(text))}
    if form == "md":
        lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    else:
        lines = [line.removesuffix(r" \\").split(" & ") for line in text.splitlines() if " & " in line]
    return {label: cells for label, *cells in lines}


@pytest.mark.parametrize("form", ["csv", "md", "latex"])
def test_every_format_says_data_set_eps_and_attack_of_the_accuracies_above_them(form: str) -> None:
    trains = replace(NARROW, attack="pgd-10", images=500, final=False)
    rows = rows_of(FORMATS[form](compare([BASE, trains])), form)
    assert rows["data set"] == ["cifar10", "cifar10"]
    assert rows["attack"] == ["PGD-50-10 on 1,000", "PGD-10 on 500, while training"]
    assert [f"{float(eps) * 255:g}/255" if form == "csv" else eps for eps in rows["eps"]] == ["8/255", "8/255"]
    labels = [*rows]
    assert max(map(labels.index, ("data set", "eps", "attack"))) < labels.index("clean")
    assert "while training" not in " ".join(rows_of(FORMATS[form](compare([BASE, NARROW])), form)["attack"])


def test_held_out_images_are_said_beside_the_attack() -> None:
    held_out = [replace(row, settings={"holdout": 1000}) for row in (BASE, NARROW)]
    assert line_of(compare(held_out), "results", "attack") == ["PGD-50-10 on 1,000 held-out"] * 2


def test_results_have_one_name_in_all_files() -> None:
    runs = [replace(row, curve=[(1.0, 0.4, 0.3)], training_time=9.0, flops=10**12) for row in (BASE, NARROW)]
    table = compare(runs)
    found = {form: [*rows_of(FORMATS[form](table), form)] for form in ("csv", "md", "latex")}
    found["json"] = [*json.loads(FORMATS["json"](table))["results"]]
    known = [label for label in found["json"] if label not in ("name", "status", "images per second", "peak memory")]
    assert {"epoch of best robust", "training time", "time with evaluations", "training work"} < {*known}
    assert all([label for label in labels if label in known] == known for labels in found.values())


@pytest.mark.parametrize("form", ["md", "latex"])
def test_tables_for_papers_have_words_in_place_of_keys(form: str) -> None:
    changes = {"method.name": "nfgsm", "optim.lr": 0.1, "eval.attack": "pgd-10", "epochs": 30}
    other = replace(NARROW, method="nfgsm", settings=changes, flops=10**12, epochs=29.0, total_epochs=30.0)
    rows = rows_of(FORMATS[form](compare([replace(BASE, flops=10**12, epochs=15.0), other])), form)
    assert rows["method"] == ["FGSM", "N-FGSM"]
    assert rows["learning rate"][1] == "0.1"
    assert rows["attack (eval.attack)"][1] == "pgd-10"  # the attack of the accuracies has the plain word
    assert (rows["epochs"][1], rows["epochs trained"][1]) == ("30", "29")
    assert {"training time", "time with evaluations", "training work"} <= {*rows}
    assert not {"training", "took", "work", "method.name", "optim.lr"} & {*rows}


def test_the_latex_table_names_the_package_that_it_needs_in_a_comment() -> None:
    lines = FORMATS["latex"](compare([BASE, NARROW])).splitlines()
    assert [line for line in lines if line.startswith("%")] == lines[:1]
    assert r"\usepackage{booktabs}" in lines[0]
    rules = {line for line in lines[1:] if line.endswith("rule")}
    assert rules == {r"\toprule", r"\midrule", r"\bottomrule"}  # of booktabs, all of them


def test_footnotes_of_the_latex_table_break_their_lines_at_the_edge_of_the_text() -> None:
    table = compare([BASE, replace(NARROW, attack="pgd-10")])
    text = FORMATS["latex"](table)
    tabular, _, below = text.partition(r"\end{tabular}")
    assert r"\multicolumn" not in text
    assert tabular.rstrip().endswith(r"\bottomrule")
    box = below.partition(r"\begin{minipage}{\linewidth}")[2].partition(r"\end{minipage}")[0]
    assert box.count(r"\par") == len(table.footnotes) > 2


def test_csv_and_json_of_grouped_seeds_say_over_how_many_runs_each_mean_is() -> None:
    record = evaluation(attack="pgd-20", robust=0.4, images=1000)
    seeds = [replace(BASE, id=f"s{seed}", seed=seed, evaluations=[record] * (seed == 0)) for seed in range(2)]
    table = compare([*seeds, NARROW], by_seed=True)
    rows, read = rows_of(FORMATS["csv"](table), "csv"), json.loads(FORMATS["json"](table))
    assert (rows["robust n"], rows[f"{PGD20} n"]) == (["2", "1"], ["1", ""])
    assert read["n"][PGD20] == {"s0 (2 runs)": 1}
    assert "robust n" not in rows_of(FORMATS["csv"](compare(seeds)), "csv")
