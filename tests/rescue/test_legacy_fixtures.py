"""The committed legacy files are those that their manifest describes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts import legacy_fixtures

LIBRARIES = {
    "numpy": {"1.24", "1.26", "2.2", "2.4"},
    "scikit-learn": {"1.3", "1.5", "1.7", "1.9"},
    "torch": {"2.13"},
    "xgboost": {"2.0", "3.0", "3.2", "3.3"},
}


SCIKIT_LEARN = set(
    """
    0.20.4 0.21.3 0.22.2.post1 0.23.2 0.24.2 1.0.2 1.1.3 1.2.0 1.2.2 1.3.0 1.3.1 1.3.2 1.4.2 1.5.2
    1.6.1 1.7.2 1.8.0 1.9.1
    """.split()
)
XGBOOST = set("0.90 1.0.2 1.2.1 1.5.2 1.6.2 1.7.6 2.0.3 2.1.4 3.0.5 3.1.3 3.2.0 3.3.0".split())
LIGHTGBM = {"2.3.1", "3.2.1", "3.3.5", "4.1.0", "4.7.0"}
FAMILIES = """
linear_regression ridge lasso elastic_net bayesian_ridge sgd_log sgd_hinge_three sgd_huber
sgd_regressor perceptron_three logistic logistic_three_default logistic_cv lda lda_three qda
standard min_max robust max_abs normalizer one_hot ordinal label_encoder label_binarizer
imputer_mean imputer_words_frequent polynomial bins_ordinal pca truncated_svd select_k_best
variance_threshold tree tree_two_outputs forest forest_two_outputs forest_regressor extra_trees
extra_trees_two_outputs boosting boosting_exponential boosting_regressor ada_boost_vote bagging
isolation_contaminated k_means gaussian_bayes multinomial_bayes complement_bayes bernoulli_bayes
neighbours neighbours_distance svc svc_probability svr one_class network network_regressor
calibrated_sigmoid calibrated_isotonic vote_soft vote_hard one_vs_rest multi_output grid_search
random_search pipeline pipeline_in_pipeline union columns columns_by_position columns_rest_passed
columns_line columns_forest count tfidf text_line text_bayes hashing bundle bundle_nested
bundle_tuple bundle_generators bundle_pandas container
""".split()
BOOSTERS = """
booster_logistic booster_softprob booster_squared booster_missing booster_stopped booster_dart
booster_linear classifier classifier_three regressor forest pipeline vote bundle
""".split()
GRADIENTS = """
booster_binary booster_three booster_regression booster_missing booster_forest booster_dart
booster_stopped booster_categories classifier classifier_named_labels classifier_three regressor
pipeline bundle
""".split()
NETWORKS = """
stack stack_batch_norm stack_layer_norm lstm lstm_two_layers lstm_both_ways lstm_attention gru
gru_both_ways_two_layers convolution all_nan
""".split()
RELEASED = {
    "scikit-learn": (SCIKIT_LEARN, FAMILIES),
    "xgboost": (XGBOOST, BOOSTERS),
    "lightgbm": (LIGHTGBM, GRADIENTS),
    "catboost": ({"1.2.5", "1.2.10"}, ["classifier", "classifier_three", "regressor"]),
    "torch": ({"2.13.0"}, NETWORKS),
}
DRIFT = (
    ("logistic_three_default", "predict_proba", "0.21.3", "0.22.2.post1", 0.3),
    ("logistic_cv_three", "predict_proba", "0.21.3", "0.22.2.post1", 0.3),
    ("lda_three", "predict_proba", "0.20.4", "0.21.3", 0.3),
    ("isolation_contaminated", "score_samples", "0.20.4", "0.21.3", 0.03),
    ("ada_boost_vote_three", "predict_proba", "0.21.3", "0.22.2.post1", 0.04),
    ("ada_boost_vote_three", "predict_proba", "1.3.0", "1.3.1", 0.04),
    ("ada_boost_of_logistics", "predict_proba", "1.3.0", "1.3.1", 0.1),
    ("bins_ordinal", "transform_edges", "1.0.2", "1.1.3", 0.9),
    ("normalizer_max", "transform", "0.22.2.post1", "0.24.2", 0.9),
    ("boosting_three", "decision_function", "1.3.2", "1.4.2", 0.5),
    ("histogram_three", "decision_function", "1.0.2", "1.1.3", 0.5),
    ("quantile_uniform", "transform_ends", "0.20.4", "0.22.2.post1", 1e-8),
)
"""Model, call, last release of the old definition, first of the new one, and the difference."""
STEADY = (
    "standard.transform",
    "tree_weighted.predict_proba",
    "tree_balanced.predict_proba_boundary",
    "forest_regressor.predict",
    "svr.predict",
    "gaussian_bayes.predict_proba",
    "multinomial_bayes.predict_proba_counts_rows",
    "complement_bayes.predict_proba_counts_rows",
    "neighbours_distance.predict_proba_kept_rows",
    "linear_regression.predict",
    "one_hot.transform_words_unknown",
    "boosting.predict_proba",
)
"""What every release answers alike, since the fit is the same and the definition, too."""
ROOTS = ("legacy", "releases")
LIMITS_BYTES = {"legacy": 2_000_000, "releases": 28_000_000}
WORDS = {"converted", "refused", "either"}


@pytest.fixture(scope="module")
def legacy(repository: Path) -> Path:
    return repository / "tests" / "fixtures" / "legacy"


@pytest.fixture(scope="module")
def releases(repository: Path) -> Path:
    return repository / "tests" / "fixtures" / "releases"


@pytest.fixture(scope="module")
def manifests(legacy: Path, releases: Path) -> dict[str, dict[str, Any]]:
    return {
        root.name: json.loads((root / "manifest.json").read_text(encoding="utf-8"))
        for root in (legacy, releases)
    }


@pytest.fixture(scope="module")
def manifest(manifests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return manifests["legacy"]


@pytest.mark.parametrize("root", ROOTS)
def test_the_folder_holds_what_the_manifest_says_and_nothing_else(
    root: str, legacy: Path, manifests: dict[str, dict[str, Any]]
) -> None:
    place, manifest = legacy.parent / root, manifests[root]
    said = {"inputs.npz": manifest["inputs"]}
    if "tables" in manifest:
        said["tables.json"] = manifest["tables"]
    for name, folder in manifest["folders"].items():
        said[f"{name}/predictions.npz"] = folder["predictions"]
        if "tables" in folder:
            said[f"{name}/tables.json"] = folder["tables"]
        said |= {f"{name}/{entry['file']}": entry for entry in folder["files"]}
    files = [path for path in place.rglob("*") if path.is_file() and path.name != "manifest.json"]
    assert {path.relative_to(place).as_posix() for path in files} == said.keys()
    for path in files:
        content, entry = path.read_bytes(), said[path.relative_to(place).as_posix()]
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], path
        assert len(content) == entry["size_bytes"], path


@pytest.mark.parametrize("root", ROOTS)
def test_the_folder_stays_small(root: str, manifests: dict[str, dict[str, Any]]) -> None:
    sizes = [
        entry["size_bytes"]
        for folder in manifests[root]["folders"].values()
        for entry in (folder["predictions"], *folder["files"])
    ]
    assert sum(sizes) < LIMITS_BYTES[root]


def test_every_version_of_every_library_is_there(manifest: dict[str, Any]) -> None:
    for library, versions in LIBRARIES.items():
        made = {
            folder["versions"][library].rpartition(".")[0]
            for folder in manifest["folders"].values()
            if library in (folder["library"], "numpy")
        }
        assert made == versions, library
    for name, folder in manifest["folders"].items():
        library = folder["library"]
        versions = folder["versions"]
        plain = versions[library].partition("+")[0]
        assert name == f"{library}-{plain}-numpy-{versions['numpy']}"


def test_what_can_be_converted_has_predictions_and_what_cannot_has_a_reason(
    legacy: Path, manifest: dict[str, Any]
) -> None:
    with np.load(legacy / "inputs.npz", allow_pickle=False) as archive:
        lengths = {name: len(archive[name]) for name in archive.files}
    for name, folder in manifest["folders"].items():
        with np.load(legacy / name / "predictions.npz", allow_pickle=False) as archive:
            recorded = {key: archive[key] for key in archive.files}
        unused = set(recorded)
        for entry in folder["files"]:
            assert entry["expected"] == ("refused" if entry["why"] else "converted"), entry
            assert bool(entry["outputs"]) == (entry["expected"] == "converted"), entry
            for output in entry["outputs"].values():
                array = recorded[output["array"]]
                assert len(array) == lengths[output["inputs"]], entry
                assert np.isfinite(array).all(), entry
                assert array.std() > 0.0, entry
            unused -= {output["array"] for output in entry["outputs"].values()}
        assert not unused, name


def test_every_answer_of_a_release_has_its_inputs_beside(
    releases: Path, manifests: dict[str, dict[str, Any]]
) -> None:
    shared = {"tables": json.loads((releases / "tables.json").read_text(encoding="utf-8"))}
    with np.load(releases / "inputs.npz", allow_pickle=False) as archive:
        shared["inputs"] = {key: archive[key] for key in archive.files}
    for name, folder in manifests["releases"]["folders"].items():
        with np.load(releases / name / "predictions.npz", allow_pickle=False) as archive:
            recorded = {key: archive[key] for key in archive.files}
        own = releases / name / "tables.json"
        tables = json.loads(own.read_text(encoding="utf-8")) if own.exists() else {}
        known = {
            "inputs": shared["inputs"],
            "tables": {**shared["tables"], **tables},
            "predictions": recorded,
        }
        used = set()
        for entry in folder["files"]:
            assert entry["expected"] in WORDS, entry
            assert (entry["expected"] == "refused") == (entry["why"] is not None), entry
            assert bool(entry["outputs"]) == (entry["expected"] != "refused"), entry
            for key, output in entry["outputs"].items():
                rows = known[output.get("inputs_in", "inputs")][output["inputs"]]
                length = len(next(iter(rows.values())) if isinstance(rows, dict) else rows)
                answer = recorded[output["array"]]
                assert output["array"] == f"{entry['holds']}.{key}"
                assert len(answer) == length, entry
                assert answer.dtype.kind in "fiubU", entry
                if "missing" not in key and answer.dtype.kind == "f":
                    assert not np.isnan(answer).all(), entry
                used |= {output["array"]}
                if output.get("inputs_in") == "predictions":
                    used |= {output["inputs"]}
        assert not recorded.keys() - used, name


def test_every_release_of_the_list_is_there_with_its_families(
    manifests: dict[str, dict[str, Any]],
) -> None:
    for library, (wanted, families) in RELEASED.items():
        made = {
            folder["versions"][library].partition("+")[0]: {
                entry["holds"] for entry in folder["files"]
            }
            for folder in manifests["releases"]["folders"].values()
            if folder["library"] == library
        }
        assert made.keys() == wanted, library
        for version, held in made.items():
            missing = set(families) - held if version not in legacy_fixtures.PARTIAL else set()
            assert not missing, (version, missing)


@pytest.fixture(scope="module")
def answered(releases: Path, manifests: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What scikit-learn answered, by its release."""
    found = {}
    for name, folder in manifests["releases"]["folders"].items():
        if folder["library"] == "scikit-learn":
            with np.load(releases / name / "predictions.npz", allow_pickle=False) as archive:
                wanted = {*STEADY, *(f"{case}.{call}" for case, call, *_ in DRIFT)}
                found[folder["versions"]["scikit-learn"]] = {
                    key: archive[key] for key in wanted & set(archive.files)
                }
    return found


@pytest.mark.parametrize(("case", "call", "old", "new", "least"), DRIFT)
def test_the_answers_hold_what_changed_between_releases(
    case: str, call: str, old: str, new: str, least: float, answered: dict[str, dict[str, Any]]
) -> None:
    before, after = (answered[release][f"{case}.{call}"] for release in (old, new))
    assert np.nanmax(np.abs(before - after)) > least


@pytest.mark.parametrize("key", STEADY)
def test_the_answers_hold_what_did_not_change(
    key: str, answered: dict[str, dict[str, Any]]
) -> None:
    arrays = [arrays[key] for arrays in answered.values() if key in arrays]
    assert len(arrays) >= 13
    for array in arrays[1:]:
        np.testing.assert_allclose(array, arrays[0], rtol=1e-6, atol=1e-6)


def test_what_the_releases_are_asked_with_is_made_from_the_sample(releases: Path) -> None:
    made = legacy_fixtures.asked()
    with np.load(releases / "inputs.npz", allow_pickle=False) as archive:
        assert set(archive.files) == set(legacy_fixtures.ASKED)
        for name in ("rows", "rows_missing", "counts_rows", "windows"):
            np.testing.assert_allclose(archive[name], made[name], rtol=1e-6, atol=1e-6)
    kept = json.loads((releases / "tables.json").read_text(encoding="utf-8"))
    assert kept["documents"] == legacy_fixtures.tables(made)["documents"]


def test_the_recorded_inputs_are_features_of_the_sample(legacy: Path) -> None:
    made = legacy_fixtures.inputs()
    with np.load(legacy / "inputs.npz", allow_pickle=False) as archive:
        assert set(archive.files) == set(legacy_fixtures.COMMITTED)
        assert archive["names"].tolist() == made["names"].tolist()
        for name in ("rows", "rows_missing", "windows"):
            np.testing.assert_allclose(archive[name], made[name], rtol=1e-6, atol=1e-6)


def test_recorded_rows_were_not_trained_on() -> None:
    made = legacy_fixtures.inputs()
    trained = {row.tobytes() for row in made["train"]}
    assert len(trained) == legacy_fixtures.TRAIN_ROWS
    assert not trained & {row.tobytes() for row in made["rows"]}


def test_checkpoints_hold_the_parameters_of_this_projects_network(
    legacy: Path, manifest: dict[str, Any]
) -> None:
    pytest.importorskip("torch", reason="needs the extra train")
    from aegismatrix_factory.heads.network import HIDDEN, Network

    (name,) = (name for name in manifest["folders"] if name.startswith("torch-"))
    own = Network(len(legacy_fixtures.FEATURES), np.full((6, 3), 1 / 3)).state_dict()
    assert HIDDEN == 8
    # A checkpoint is a zip archive that names what it holds in plain text.
    content = (legacy / name / "network_8.pt").read_bytes()
    for parameter in own:
        assert parameter.encode() in content, parameter
    numbers = sum(value.numel() * 4 for value in own.values())
    assert numbers < len(content) < 3 * numbers
